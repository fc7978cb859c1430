"""Picture of scores over the lags, one curve per source and target."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from jaxcause._checks import InputError, check_at_least, check_shape
from jaxcause.graph import LaggedGraph
from jaxcause.plot._canvas import OKABE_ITO, Values, text_width, variable_names
from jaxcause.plot._charts import (
    End,
    about,
    chart_axes,
    grid,
    leave_room,
    names_room,
    names_width,
    shortened,
    threshold_line,
    title,
    write_ends,
)

_MARKERS = "osD^v<>pXP"
_REST = "#B8BCC2"
_WIDTHS = (430.0, 700.0)
_CURVES = 250.0


def score_curves(
    scores: Values,
    *,
    threshold: float | Literal["auto"] | None = "auto",
    graph: LaggedGraph | None = None,
    names: Sequence[str] | None = None,
    most: int = 8,
    self_edges: bool = True,
    ax: Axes | None = None,
    label: str = "score",
) -> Axes:
    """Draw the score of each source and target over the lags, the strongest in colour.

    A dotted line leads from the largest score of a curve to its name.

    Args:
        scores: ``[source, target, lag 0..max_lag]``; lag 0 is shown if it has a score.
        threshold: Smallest score of an edge, drawn as a dashed line; None for no line. ``"auto"``
            takes the middle between the smallest score of an edge of ``graph`` and the largest
            other score, and draws no line if these overlap.
        graph: Its edges have filled marks. Pairs with an edge are drawn before others.
        names: One name per variable; ``X0, X1, …`` by default.
        most: Number of curves in colour and with a name; the others are grey.
        self_edges: Whether scores of a variable by its own past are drawn; by default they are, and
            named after those between two variables.
        ax: Where to draw; a new figure by default.
        label: The name of the scores.

    Returns:
        The Axes drawn into; a named curve has the ``gid`` ``curve-i-j``, its name ``end-i-j``.

    Raises:
        InputError: ``scores`` has another shape, or ``names`` or ``graph`` does not fit them.

    >>> scores = np.zeros((2, 2, 4)); scores[0, 1, 2] = 0.9
    >>> ax = score_curves(scores, names=["rain", "river"], threshold=0.5, most=1)
    >>> [text.get_text() for text in ax.texts]
    [' rain → river']
    """
    values, edges = _checked(scores, graph)
    check_at_least("most", most, 0)
    labels = variable_names(names, len(values))
    first = 0 if values[:, :, 0].any() else 1
    lags = np.arange(first, values.shape[2])
    pairs = _ranked(values[:, :, first:], edges)
    if not self_edges:
        pairs = [(i, j) for i, j in pairs if i != j]
    drawn = np.array([values[pair][first:] for pair in pairs])
    shown, rest = pairs[:most], pairs[most:]
    if threshold == "auto":
        threshold = None if graph is None else _cut(values, edges)
    texts = [f" {labels[i]} → {labels[j]}" for i, j in shown]
    ax = chart_axes(ax, float(np.clip(_CURVES + names_width(texts), *_WIDTHS)), 250)
    texts = [_pair(labels[i], labels[j], names_room(ax)) for i, j in shown]
    _scale(ax, drawn, threshold, label)
    leave_room(ax, first - 0.25, float(lags[-1]) + 0.1, texts)
    ax.set_xticks(lags[:: -(-len(lags) // 12)])
    segments = [np.stack([lags, values[i, j, first:]], axis=1) for i, j in rest]
    ax.add_collection(LineCollection(segments, colors=_REST, linewidths=0.6, gid="rest", zorder=1))
    ends = []
    for rank, ((i, j), text) in enumerate(zip(shown, texts, strict=True)):
        color = OKABE_ITO[rank % len(OKABE_ITO)]
        style = {"color": color, "marker": _MARKERS[rank % len(_MARKERS)], "markersize": 5}
        _draw(ax, lags, values[i, j, first:], edges[i, j, first:], style, f"{i}-{j}")
        known = np.flatnonzero(np.isfinite(values[i, j, first:]))
        if known.size:
            peak = first + int(known[np.argmax(values[i, j, first:][known])])
            ends.append(End(peak, float(values[i, j, peak]), text.strip(), color, f"{i}-{j}"))
    if threshold is not None:
        threshold_line(ax, threshold, until=float(lags[-1]) + 0.1)
    write_ends(ax, ends, beyond=float(lags[-1]))
    notes = ["lag"] + ["filled: edge"] * (graph is not None)
    notes += ["dashed: threshold"] * (threshold is not None)
    notes += [f"grey: {len(rest):,} other pair{'s' * (len(rest) > 1)}"] * bool(rest)
    return title(ax, about(label, "by lag"), "; ".join(notes), label)


def _checked(scores: Values, graph: LaggedGraph | None) -> tuple[np.ndarray, np.ndarray]:
    """Scores and edges as checked arrays; without a graph every mark is filled."""
    values = np.asarray(scores, float)
    if values.shape[0] != values.shape[1] or values.shape[2] < 2:
        raise InputError(
            f"scores has shape {values.shape}, but must be [vars, vars, max_lag+1], max_lag >= 1"
        )
    if graph is None:
        return values, np.ones(values.shape, bool)
    check_shape("graph.marks", graph.marks, (*values.shape, 2))
    return values, np.asarray(graph.adjacency)


def _cut(values: np.ndarray, edges: np.ndarray) -> float | None:
    """A score between those of edges and of other pairs; None if they overlap or one is missing.

    A score of zero means that the entry was not scored, such as lag 0 or a coefficient that a
    penalty removed.
    """
    kept, rest = values[edges], values[~edges]
    rest = rest[np.isfinite(rest)]
    if not kept.size or not np.isfinite(kept).all() or not rest.size:
        return None
    low, high = float(rest.max()), float(kept.min())
    return (low + high) / 2 if 0 < low < high else None


def _pair(source: str, target: str, most: float) -> str:
    """Both names, each shortened if they are too wide together."""
    room = most - text_width("  → ")
    widths = text_width(source), text_width(target)
    if sum(widths) > room:
        source = shortened(source, max(room / 2, room - widths[1]))
        target = shortened(target, max(room / 2, room - widths[0]))
    return f" {source} → {target}"


def _ranked(values: np.ndarray, edges: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of two variables, then variables on their own: with an edge first, then by score."""
    largest = np.nan_to_num(values, nan=-np.inf).max(axis=-1)
    joined = edges.any(axis=-1)
    own = np.eye(len(values), dtype=bool)
    # An own past with an edge comes before other pairs without any.
    order = np.lexsort((-largest.ravel(), own.ravel(), ~joined.ravel()))
    i, j = np.unravel_index(order, largest.shape)
    return list(zip(i.tolist(), j.tolist(), strict=True))


def _scale(ax: Axes, values: np.ndarray, threshold: float | None, label: str) -> None:
    """A linear scale that includes all scores, the threshold and zero."""
    known = [0.0, *([] if threshold is None else [threshold])]
    finite = values[np.isfinite(values)]
    low, high = min(known + [float(finite.min(initial=0))]), max(known + [finite.max(initial=0)])
    high = high if high > low else low + 1
    ax.set_ylim(low - 0.03 * (high - low), high + 0.06 * (high - low))
    grid(ax, "y")


def _draw(
    ax: Axes,
    lags: np.ndarray,
    values: Float[np.ndarray, "lags"],
    filled: np.ndarray,
    style: dict[str, Any],
    key: str,
) -> None:
    """A curve with a mark at each lag, filled if there is an edge."""
    ax.plot(lags, values, linewidth=1.5, gid=f"curve-{key}", **style, markerfacecolor="white")
    dots = {**style, "linestyle": "none", "gid": f"filled-{key}"}
    ax.plot(lags[filled], values[filled], **dots)
