"""Picture of a causal graph over the tokens of a text."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Integer
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize

from jaxcause._checks import InputError, check_shape
from jaxcause._typing import AnyArray
from jaxcause.graph import CausalGraph, Mark
from jaxcause.plot._canvas import Canvas, Layout, axes_size, finish, make_canvas, text_width, write
from jaxcause.plot._edges import Curve, Edge, bezier, conflict_note, draw_edge
from jaxcause.plot._glyphs import drawable, is_special

POSITIVE, NEGATIVE, UNKNOWN = "#0072B2", "#C8530A", "#7A7F87"
_MUTED, _MARKED, _TARGET = "#6B7280", "#FFE08A", "#6B3FA0"
_SLANT = 50.0
_FONT, _WIDEST = 9.0, 88.0

_Places = Float[np.ndarray, "tokens"]


class _Row(NamedTuple):
    """Tokens along a line, in em: positions, widths, and room for the ends of edges at each."""

    labels: list[str]
    at: _Places
    widths: _Places
    room: _Places
    slanted: bool


def plot_token_arcs(
    tokens: Sequence[str],
    marks: Integer[AnyArray, "tokens tokens"],
    weights: Float[AnyArray, "tokens tokens"] | None = None,
    *,
    highlight: Collection[int] = (),
    target: int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the tokens along a line and the edges between them as arcs, with a mark at each end.

    Args:
        tokens: Texts in order; letters that the font lacks become boxes.
        marks: ``marks[i, j]`` is the mark at ``j`` of the edge between ``i`` and ``j``.
        weights: Symmetric, such as partial correlations. The width of an arc shows ``|w|``, up to
            1. An arc is blue above 0, orange below, and grey if ``w`` is not finite. By default
            all arcs are grey and equally wide.
        highlight: Tokens of an explanation; they are shaded.
        target: The token that stands for the output; it has a box.
        ax: Where to draw; a new figure of a fitting size by default.

    Returns:
        The Axes drawn into; ``.figure.savefig(path)`` saves the picture.

    Raises:
        InputError: ``marks`` or ``weights`` does not fit the tokens, or a node is not a token.

    >>> ax = plot_token_arcs(["not", "good"], np.array([[0, 2], [3, 0]]), highlight=[0])
    >>> [text.get_text() for text in ax.texts]
    ['not', 'good']
    """
    ends = _checked(tokens, marks, highlight, target)
    sizes = _sizes(weights, len(tokens))
    edges = [
        Edge(i, j, (0,), (int(ends[j, i]), int(ends[i, j])), sizes[i, j])
        for i, j in np.argwhere(np.triu(ends != 0, 1)).tolist()
    ]
    edges.sort(key=lambda edge: abs(np.nan_to_num(edge.strength)))
    degrees = (ends != 0).sum(axis=1)
    width = None if ax is None else float(axes_size(ax)[0])
    row = _row([drawable(token) for token in tokens], degrees, width)
    curves, head = _curves(edges, row), _head(edges, _gaps(row, degrees))
    canvas = make_canvas(ax, _layout(row, curves), _FONT, None, legend=_LEGEND)
    for edge, curve in zip(edges, curves, strict=True):
        draw_edge(_colored(canvas, edge), curve, edge._replace(strength=_size(edge)), head)
    _write_tokens(canvas, row, set(highlight), target)
    title = "Causal graph over the tokens" + ("" if edges else ": no edge")
    return finish(canvas.ax, title, _legend(edges, weights is not None, bool(highlight), target))


def _checked(
    tokens: Sequence[str], marks: Any, highlight: Collection[int], target: int | None
) -> np.ndarray:
    """The marks as a checked array; raises unless all arguments fit."""
    n_tokens, ends = len(tokens), np.asarray(marks)
    if n_tokens == 0:
        raise InputError("tokens is empty; give at least one token")
    check_shape("marks", ends, (n_tokens, n_tokens))
    CausalGraph(ends)  # raises unless the marks are those of a graph
    for node in [*highlight, *([] if target is None else [target])]:
        if not 0 <= node < n_tokens:
            raise InputError(f"node {node} is not a token; the tokens are 0 to {n_tokens - 1}")
    return ends


def _sizes(weights: Any, n_tokens: int) -> Float[np.ndarray, "tokens tokens"]:
    """Signed weights; NaN by default."""
    if weights is None:
        return np.full((n_tokens, n_tokens), np.nan)
    check_shape("weights", weights, (n_tokens, n_tokens))
    return np.asarray(weights, float)


def _row(labels: list[str], degrees: np.ndarray, width: float | None) -> _Row:
    """Horizontal labels if they fit a width in points, otherwise slanted ones close together."""
    widths = np.array([text_width(label) for label in labels])
    narrow = np.maximum(widths + 1.4, 3.0)
    most = _WIDEST if width is None else width / (0.8 * _FONT)
    for cells in (np.maximum(narrow, 0.65 * degrees + 1), narrow):
        if cells.sum() <= most:
            return _Row(labels, np.cumsum(cells) - cells / 2, widths, cells / 2 - 0.5, False)
    pitch = float(np.clip(0.95 * most / len(labels), 1.7, 4.0))
    room = np.full(len(labels), 0.4 * pitch)
    return _Row(labels, pitch * np.arange(len(labels), dtype=float), widths, room, True)


def _curves(edges: list[Edge], row: _Row) -> list[Curve]:
    """One arc per edge; it is higher if its ends are farther apart."""
    span = max(float(row.at[-1] - row.at[0]), 1.0)
    reach, places = float(np.clip(0.42 * span, 3.0, 24.0)), _ports(edges, row)
    curves = []
    for edge in edges:
        left, right = places[edge.source, edge.target], places[edge.target, edge.source]
        share = (row.at[edge.target] - row.at[edge.source]) / span
        height = max(2.2, reach * share**0.62) * 4 / 3
        curves.append(bezier(*np.array([(left, 0), (left, height), (right, height), (right, 0)])))
    return curves


def _ports(edges: list[Edge], row: _Row) -> dict[tuple[int, int], float]:
    """Where each edge meets each of its tokens, so that nested arcs do not cross there."""
    others: list[list[int]] = [[] for _ in row.labels]
    for edge in edges:
        others[edge.source].append(edge.target)
        others[edge.target].append(edge.source)
    places, gaps = {}, _gaps(row, np.array([len(met) for met in others]))
    for i, met in enumerate(others):
        before, after = ([j for j in met if (j > i) == later] for later in (False, True))
        order = sorted(before, reverse=True) + sorted(after, reverse=True)
        for rank, j in enumerate(order):
            places[i, j] = float(row.at[i] + (rank - (len(order) - 1) / 2) * gaps[i])
    return places


def _gaps(row: _Row, degrees: np.ndarray) -> _Places:
    """Distance between the ends of edges at each token."""
    return np.minimum(0.85, 2 * row.room / np.maximum(degrees - 1, 1))


def _head(edges: list[Edge], gaps: _Places) -> float:
    """Length of every mark in em; shorter if ends of edges are close together."""
    near = [min(gaps[edge.source], gaps[edge.target]) for edge in edges]
    return float(np.clip(1.2 * np.median(near), 0.4, 0.75)) if near else 0.75


def _layout(row: _Row, curves: list[Curve]) -> Layout:
    """The line, the arcs, and the texts below."""
    points = np.concatenate([np.stack([row.at, np.zeros_like(row.at)], axis=1), *curves])
    em = np.zeros((len(points), 4))
    turned = np.radians(_SLANT)
    for i, width in enumerate(row.widths):
        left, down = (width / 2 + 0.3, 2.4)
        if row.slanted:
            left, down = width * np.cos(turned) + 1, width * np.sin(turned) + 2
        em[i] = left, down, 1.0 if row.slanted else left, 0.5
    em[len(row.widths) :] = 0.5
    return Layout(points, em, 1.0)


def _size(edge: Edge) -> float:
    """Width of an arc on a scale from 0 to 1."""
    return float(min(abs(edge.strength), 1.0)) if np.isfinite(edge.strength) else 0.3


def _colored(canvas: Canvas, edge: Edge) -> Canvas:
    """The canvas with one colour for all strengths, by the sign of an edge."""
    color = POSITIVE if edge.strength >= 0 else NEGATIVE
    color = color if np.isfinite(edge.strength) else UNKNOWN
    return canvas._replace(scale=ScalarMappable(Normalize(0, 1), ListedColormap([color])))


def _write_tokens(canvas: Canvas, row: _Row, marked: set[int], target: int | None) -> None:
    """Write the tokens below the line; if they are too dense, every k-th and the marked ones."""
    pitch = np.diff(row.at).min(initial=np.inf)
    step = 1
    if row.slanted:
        step = max(1, int(np.ceil(1.15 * canvas.line / (pitch * np.sin(np.radians(_SLANT))))))
    kept = marked | ({target} if target is not None else set())
    places: dict[str, Any] = {"va": "top"}
    if row.slanted:
        places = {"ha": "right", "va": "center", "rotation": _SLANT, "rotation_mode": "anchor"}
    for i, label in enumerate(row.labels):
        near = any(0 < abs(i - other) < step for other in kept)
        if i not in kept and (i % step or near):
            continue
        style = places | {"color": _MUTED if is_special(label) else "#222222"}
        if i in kept:
            style["bbox"] = {
                "boxstyle": "round,pad=0.2",
                "facecolor": _MARKED if i in marked else "white",
                "edgecolor": _TARGET if i == target else "none",
            }
        at = (row.at[i] + 0.3 * row.slanted * canvas.line, -(0.9 if row.slanted else 0.7))
        write(canvas, (at[0], at[1] * canvas.line), label, f"token-{i}", **style)


_MEANINGS = {
    Mark.ARROW: "arrowhead: not a cause",
    Mark.CIRCLE: "circle: undecided",
    Mark.TAIL: "no mark: a cause",
}
_LEGEND = (250.0, 14.0)
"""Least width of a picture, and room for one more line of its legend, in points."""


def _legend(edges: list[Edge], weighted: bool, marked: bool, target: int | None) -> str:
    """The meanings of colours, widths, marks and boxes."""
    lines = ["blue: positive weight, orange: negative; wider: stronger"] * weighted
    drawn = {mark for edge in edges for mark in edge.marks}
    lines += ["; ".join(text for mark, text in _MEANINGS.items() if mark in drawn)] * bool(drawn)
    lines += conflict_note(edges)
    boxes = ["shaded: explanation"] * marked + ["boxed: target"] * (target is not None)
    return "\n".join(lines + ["; ".join(boxes)] * bool(boxes))
