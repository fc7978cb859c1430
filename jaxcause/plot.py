"""Pictures of lagged graphs and of lagged scores, each drawn into one matplotlib Axes.

Every part carries a ``gid`` that SVG files keep: ``edge-i-j-lags``, ``source-mark-…`` and
``target-mark-…`` at its ends, ``lags-…`` written on it, ``node-…``, ``name-…``, ``ring-i-j-lag``.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.bezier import BezierSegment
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Circle, Patch, PathPatch, Polygon
from matplotlib.path import Path
from matplotlib.patheffects import withStroke
from matplotlib.textpath import text_to_path

from jaxcause._checks import InputError, check_shape
from jaxcause._typing import AnyArray
from jaxcause.graph import LaggedGraph, Mark

_OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_INK, _GREY, _FAINT = "#222222", "#777777", "#DDDDDD"
_MOST_LABELLED, _MOST_UPRIGHT = 80, 20
_GRID_RADIUS, _BLOCK_PITCH = 0.17, 1.1

_Point = Float[np.ndarray, "2"]
_Points = Float[np.ndarray, "points 2"]
_Curve = Float[np.ndarray, "samples 2"]
_Values = Float[AnyArray, "vars vars lags"]
_Em = Float[np.ndarray, "points 4"]


class _Edge(NamedTuple):
    source: int
    target: int
    lags: tuple[int, ...]
    marks: tuple[int, int]
    strength: float

    @property
    def key(self) -> str:
        return f"{self.source}-{self.target}-{'_'.join(map(str, self.lags))}"

    @property
    def loop(self) -> bool:
        return self.source == self.target


class _Canvas(NamedTuple):
    """Axes of equal aspect; ``line`` is the font size in data units, ``font`` in points."""

    ax: Axes
    font: float
    line: float
    scale: ScalarMappable | None


def time_series_graph(
    graph: LaggedGraph,
    *,
    names: Sequence[str] | None = None,
    strength: _Values | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the graph unrolled in time: a row per variable, a column per time step.

    Only edges into the newest column are drawn; stationarity repeats them at every earlier step.
    Contemporaneous edges are arcs to the right of that column. An edge has the colour of its
    source or, given ``strength``, a colour and a width that grow with it.

    Args:
        graph: Edges to draw.
        names: One name per variable; ``X0, X1, …`` by default.
        strength: Size of each edge ``[source, target, lag]``; its sign is ignored. Contemporaneous
            edges have the larger of their two entries.
        ax: Where to draw; a new figure of a fitting size by default.

    Returns:
        The Axes drawn into; ``.figure.savefig(path)`` saves the picture.

    Raises:
        InputError: ``names`` or ``strength`` does not fit the graph, or an edge has no strength.

    >>> mask = np.zeros((2, 2, 3), bool); mask[0, 1, 2] = True
    >>> time_series_graph(LaggedGraph.from_mask(mask), names=["rain", "river"]).get_title()
    'Edges into time t'
    """
    labels, edges = _labels(names, graph.n_vars), _edges(graph, strength)
    n_vars, n_steps = graph.n_vars, graph.max_lag + 1
    wish = float(np.clip(700 / n_vars, 13, 42))
    width, height = (
        (max(450.0, 0.8 * n_vars * wish), n_vars * wish) if ax is None else 0.7 * _size(ax)
    )
    pitch = float(np.clip(width / height * n_vars / n_steps, 1.2, 9))
    places = np.array([[(-k * pitch, -i) for k in range(n_steps)] for i in range(n_vars)], float)
    curves = [_grid_curve(edge, places, pitch) for edge in edges]
    corners = [places[-1, -1] - (0.4, 0.4), places[0, 0] + (0.4, 0.4)]
    points = np.concatenate([corners, *curves])
    em = np.zeros((len(points), 4))
    em[0] = max(map(_em, labels)) + 0.5, 1.5, 0, 0
    scale = None if strength is None else _scale([edge.strength for edge in edges])
    canvas = _canvas(ax, points, em, wish, 0.75, scale)
    for edge, curve in zip(edges, curves, strict=True):
        _draw_edge(canvas, curve, edge, 2 * _GRID_RADIUS)
    _draw_grid(canvas, places, edges, labels, corners[0])
    note = "time step" + ("; colour: source variable" if strength is None and edges else "")
    return _finish(canvas.ax, "Edges into time t" + ("" if edges else ": no edge"), note)


def summary_graph(
    graph: LaggedGraph,
    *,
    names: Sequence[str] | None = None,
    strength: _Values | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw one node per variable on a circle, and its edges with their lags written on them.

    All lags of an ordered pair share one arrow; lags whose marks differ get one each. Lags that
    find no room are left out, which the text below the picture then says.

    Args:
        graph: Edges to draw.
        names: One name per variable; ``X0, X1, …`` by default.
        strength: Size of each edge ``[source, target, lag]``; an arrow shows its strongest lag.
        ax: Where to draw; a new figure of a fitting size by default.

    Returns:
        The Axes drawn into; ``.figure.savefig(path)`` saves the picture.

    Raises:
        InputError: ``names`` or ``strength`` does not fit the graph, or an edge has no strength.

    >>> mask = np.zeros((2, 2, 4), bool); mask[0, 1, 1:] = True
    >>> ax = summary_graph(LaggedGraph.from_mask(mask))
    >>> [text.get_text() for text in ax.texts]
    ['X0', 'X1', '1–3']
    """
    labels, arrows = _labels(names, graph.n_vars), _merged(_edges(graph, strength))
    n_vars, upright = graph.n_vars, graph.n_vars <= _MOST_UPRIGHT
    angle = np.pi / 2 - 2 * np.pi * np.arange(n_vars) / n_vars
    ahead = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    centers, radius = ahead * (n_vars > 1), float(np.clip(0.65 / n_vars, 0.02, 0.1))
    curves = [_circle_curve(arrow, arrows, centers, ahead, radius) for arrow in arrows]
    drawn = list(zip(arrows, curves, strict=True))
    loops = [[pair for pair in drawn if pair[0][:2] == (i, i)] for i in range(n_vars)]
    spots = [
        _name_spot(labels[i], centers[i], ahead[i], radius, loops[i], upright)
        for i in range(n_vars)
    ]
    starts, shifts, halves = (np.array(part) for part in zip(*spots, strict=True))
    points = np.concatenate([starts, centers - radius, centers + radius, *curves])
    em = np.zeros((len(points), 4))
    em[:n_vars] = np.concatenate([halves - shifts, halves + shifts], axis=1)
    scale = None if strength is None else _scale([arrow.strength for arrow in arrows])
    wish = float(np.clip(100 + 9 * n_vars, 120, 330))
    canvas = _canvas(ax, points, em, wish, min(2.5 / n_vars, 0.1), scale)
    for arrow, curve in drawn:
        _draw_edge(canvas, curve, arrow, 1.2 * radius)
    boxes = [np.concatenate([center - radius, center + radius]) for center in centers]
    for i, center in enumerate(centers):
        _draw_node(canvas, center, radius, f"node-{i}", _color(canvas, i))
        at, half = starts[i] + shifts[i] * canvas.line, halves[i] * canvas.line
        turn = 0.0 if upright else float(np.degrees(angle[i] + np.pi / 2) % 180 - 90)
        _write(canvas, at, labels[i], f"name-{i}", rotation=turn)
        boxes.append(np.concatenate([at - half, at + half]))
    omitted = _write_lags(canvas, drawn, boxes)
    notes = ["numbers: lags"] if omitted < len(arrows) else []
    notes += [f"arrows without lags for want of room: {omitted}"] if omitted else []
    notes += ["colour: source variable"] if strength is None and arrows else []
    return _finish(canvas.ax, "Summary graph" + ("" if arrows else ": no edge"), "; ".join(notes))


def score_heatmap(
    scores: _Values,
    *,
    names: Sequence[str] | None = None,
    graph: LaggedGraph | None = None,
    ax: Axes | None = None,
    label: str = "score",
) -> Axes:
    """Draw scores as one source × target block per lag, all on one colour scale from 0.

    Args:
        scores: ``[source, target, lag 0..max_lag]``; lag 0 is left out, below 0 looks like 0.
        names: One name per variable; ``X0, X1, …`` by default.
        graph: Its edges are ringed.
        ax: Where to draw; a new figure of a fitting size by default.
        label: What the colours mean.

    Returns:
        The Axes drawn into; ``.figure.savefig(path)`` saves the picture.

    Raises:
        InputError: ``scores`` has another shape, or ``names`` or ``graph`` does not fit them.

    >>> ax = score_heatmap(np.ones((2, 2, 4)))
    >>> [image.get_gid() for image in ax.images]
    ['lag-1', 'lag-2', 'lag-3']
    """
    values = np.asarray(scores, float)
    n_vars, n_lags = values.shape[1], values.shape[2] - 1
    if values.shape[0] != n_vars or n_lags < 1:
        raise InputError(
            f"scores has shape {values.shape}, but must be [vars, vars, max_lag+1], max_lag >= 1"
        )
    if graph is not None:
        check_shape("graph.marks", graph.marks, (*values.shape, 2))
    labels = _labels(names, n_vars)
    wish = float(np.clip(220 / n_vars, 7.5, 30))
    columns, points, em = _block_layout(ax, n_vars, n_lags, max(map(_em, labels)), wish)
    canvas = _canvas(ax, points, em, wish, 0.75, _scale(values[:, :, 1:], "viridis"), label)
    down = n_vars + em[0, 1] / -(-n_lags // columns) * canvas.line
    for lag in range(1, n_lags + 1):
        row, column = divmod(lag - 1, columns)
        corner = np.array([column * _BLOCK_PITCH * n_vars, -row * down - 1.6 * canvas.line])
        _draw_block(canvas, corner, values[:, :, lag], labels, lag)
        if graph is not None:
            _draw_rings(canvas, corner, np.asarray(graph.adjacency)[:, :, lag], lag)
    note = "target at t" + ("; ring: edge of the graph" if graph is not None else "")
    return _finish(canvas.ax, "Scores by lag", note, "source at t − lag")


def _labels(names: Sequence[str] | None, n_vars: int) -> list[str]:
    if names is None:
        return [f"X{i}" for i in range(n_vars)]
    if len(names) != n_vars:
        raise InputError(
            f"names has {len(names)} entries for {n_vars} variables; give one name per variable, "
            "or leave names out"
        )
    return [str(name) for name in names]


def _edges(graph: LaggedGraph, strength: _Values | None) -> list[_Edge]:
    """Every edge, contemporaneous ones once and with an arrowhead, if any, at the target."""
    marks = np.asarray(graph.marks)
    if strength is not None:
        check_shape("strength", strength, marks.shape[:3])
    size = np.zeros(marks.shape[:3]) if strength is None else np.abs(np.asarray(strength, float))
    if not np.isfinite(size[marks[..., 0] != Mark.NONE]).all():
        raise InputError("strength is not finite on an edge of the graph; give a number there")
    found = []
    for i, j, lag in np.argwhere(marks[..., 0]).tolist():
        left, right = marks[i, j, lag].tolist()
        back, forth = left == Mark.ARROW, right == Mark.ARROW
        if lag == 0 and (back if back != forth else i > j):
            continue
        largest = size[i, j, lag] if lag else max(size[i, j, 0], size[j, i, 0])
        found.append(_Edge(i, j, (lag,), (left, right), float(largest)))
    return sorted(found, key=lambda edge: edge.strength)


def _merged(edges: list[_Edge]) -> list[_Edge]:
    """One edge per source, target and marks, over all its lags; the strongest edge comes last."""
    groups: dict[tuple, list[_Edge]] = {}
    for edge in edges:
        groups.setdefault((edge.source, edge.target, edge.marks), []).append(edge)
    merged = [
        group[-1]._replace(lags=tuple(sorted(edge.lags[0] for edge in group)))
        for group in groups.values()
    ]
    return sorted(merged, key=lambda edge: edge.strength)


def _lag_text(lags: tuple[int, ...]) -> str:
    """Write lags as text, runs of three or more as a range: ``0, 2–5``."""
    runs: list[list[int]] = []
    for lag in lags:
        if not runs or lag != runs[-1][-1] + 1:
            runs.append([])
        runs[-1].append(lag)
    return ", ".join(
        f"{run[0]}–{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs
    )


def _em(text: str) -> float:
    """Width of a text in units of its font size."""
    font = FontProperties(size=100)
    return text_to_path.get_text_width_height_descent(text, font, False)[0] / 100


def _size(ax: Axes) -> _Point:
    """Width and height of Axes in points."""
    return np.array(ax.get_window_extent().size) * 72 / ax.figure.dpi


def _scale(values: np.ndarray | list[float], name: str = "") -> ScalarMappable:
    """Colours from 0 to the largest value; edges leave out the palest, which vanish on white."""
    largest = float(np.nanmax(values, initial=0.0))
    colors = matplotlib.colormaps[name or "viridis_r"]
    if not name:
        colors = ListedColormap(colors(np.linspace(0.22, 1, 256)))
    return ScalarMappable(Normalize(0, largest if largest > 0 else 1), colors)


def _font(unit: float, share: float) -> float:
    """Legible text size in points that is a share of a data unit."""
    return float(np.clip(share * unit, 5, 9))


def _extent(points: _Points, em: _Em, unit: float, share: float) -> tuple[_Point, _Point]:
    """Corners in points of what surrounds ``points`` with texts reaching left, down, right, up."""
    text = em * _font(unit, share)
    return (points * unit - text[:, :2]).min(axis=0), (points * unit + text[:, 2:]).max(axis=0)


def _largest_unit(size: _Point, points: _Points, em: _Em, share: float) -> float:
    """Most points per data unit at which everything fits a size."""
    unit = 500.0
    while unit > 1e-3:
        low, high = _extent(points, em, unit, share)
        if (high - low <= size).all():
            break
        unit *= 0.99
    return unit


def _canvas(
    ax: Axes | None,
    points: _Points,
    em: _Em,
    wish: float,
    share: float,
    scale: ScalarMappable | None,
    label: str = "strength",
) -> _Canvas:
    """Axes, new ones at ``wish`` points per data unit, that hold ``points`` and the texts there."""
    bar = 70.0 * (scale is not None)
    if ax is None:
        low, high = _extent(points, em, wish, share)
        inner = np.maximum(high - low, (180, 60)) * 1.01 + (bar, 0)
        outer = inner + (50, 80)
        ax = Figure(tuple(outer / 72)).add_axes((*((25, 40) / outer), *(inner / outer)))
    if scale is not None:
        width, height = _size(ax)
        share_bar = min(0.25, bar / width)
        style = {"shrink": 0.8, "aspect": max(0.8 * height / 9, 4)}
        room = {"fraction": 0.7 * share_bar, "pad": 0.3 * share_bar}
        ax.figure.colorbar(scale, ax=ax, label=label, **style, **room).outline.set_visible(False)
    unit = _largest_unit(_size(ax), points, em, share)
    (left, low), (right, high) = np.array(_extent(points, em, unit, share)) / unit
    ax.set(xlim=(left, right), ylim=(low, high), aspect="equal")
    font = _font(unit, share)
    return _Canvas(ax, font, font / unit, scale)


def _finish(ax: Axes, title: str, xlabel: str, ylabel: str = "") -> Axes:
    ax.set(xticks=[], yticks=[])
    ax.set_title(title, fontsize=11, pad=10)
    ax.set_xlabel(xlabel, fontsize=9, labelpad=8)
    ax.set_ylabel(ylabel, fontsize=9)
    ax.spines[:].set_visible(False)
    return ax


def _legible(canvas: _Canvas, n_vars: int) -> range:
    """Variables to name where rows are one unit apart: all, or every k-th if they are too dense."""
    return range(0, n_vars, max(1, int(np.ceil(1.15 * canvas.line))))


def _color(canvas: _Canvas, var: int) -> str:
    return _GREY if canvas.scale is not None else _OKABE_ITO[var % len(_OKABE_ITO)]


def _write(canvas: _Canvas, at: Any, text: str, gid: str, **style: Any) -> None:
    style = {"ha": "center", "va": "center", "fontsize": canvas.font, "color": _INK} | style
    canvas.ax.text(*at, text, gid=gid, parse_math=False, zorder=6, **style)


def _draw_node(canvas: _Canvas, at: _Point, radius: float, gid: str, color: str) -> None:
    canvas.ax.add_patch(Circle(tuple(at), radius, facecolor=color, gid=gid, zorder=4))


def _draw_edge(canvas: _Canvas, curve: _Curve, edge: _Edge, largest: float) -> None:
    """Draw a curve from source to target and the mark at each end, its tip at the curve's end."""
    color: Any = _color(canvas, edge.source)
    weight = 0.45
    if canvas.scale is not None:
        color = canvas.scale.to_rgba(edge.strength)
        weight = 0.15 + 0.65 * edge.strength / (canvas.scale.norm.vmax or 1.0)
    length = float(np.hypot(*np.diff(curve, axis=0).T).sum())
    head = min(0.9 * canvas.line, largest, 0.4 * length)
    thickness = weight * min(0.9 * canvas.line, largest) / canvas.line * canvas.font / 2.7
    style = {"edgecolor": color, "linewidth": thickness, "zorder": 2}
    line = _cut(curve, *(0.0 if mark == Mark.TAIL else head for mark in edge.marks))
    patches: dict[str, Patch] = {"edge": PathPatch(Path(line), fill=False, **style)}
    for name, mark, end in (("source", edge.marks[0], 0), ("target", edge.marks[1], -1)):
        tip, base = curve[end], line[end]
        across = 0.4 * np.array([base[1] - tip[1], tip[0] - base[0]])
        if mark == Mark.ARROW:
            corners = np.array([tip, base + across, base - across])
            patches[f"{name}-mark"] = Polygon(corners, facecolor=color, **style)
        elif mark == Mark.CIRCLE:
            middle = tuple((tip + base) / 2)
            patches[f"{name}-mark"] = Circle(middle, head / 2, facecolor="white", **style)
    for name, patch in patches.items():
        patch.set_gid(f"{name}-{edge.key}")
        canvas.ax.add_patch(patch)


def _cut(curve: _Curve, start: float, end: float) -> _Curve:
    """Shorten a curve by a length at its start and at its end."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(curve, axis=0).T))])
    at = np.linspace(start, max(along[-1] - end, start), len(curve))
    return np.stack([np.interp(at, along, curve[:, axis]) for axis in (0, 1)], axis=1)


def _bezier(*points: np.ndarray) -> _Curve:
    return np.asarray(BezierSegment(np.array(points))(np.linspace(0, 1, 81)), float)


def _bow(start: _Point, end: _Point, height: float) -> _Curve:
    """Arc that bends a height to the right of the way from start to end."""
    along = (end - start) / np.linalg.norm(end - start)
    return _bezier(start, (start + end) / 2 + 2 * height * np.array([along[1], -along[0]]), end)


def _grid_curve(edge: _Edge, places: Float[np.ndarray, "vars lags 2"], pitch: float) -> _Curve:
    """Way of an edge through the grid, from rim to rim, that keeps clear of other nodes."""
    lag, (n_vars, n_steps) = edge.lags[0], places.shape[:2]
    start, end = places[edge.source, lag], places[edge.target, 0]
    if lag == 0:
        height = pitch * (0.2 + 0.35 * abs(edge.source - edge.target) / n_vars)
        curve = _bow(start, end, -height if edge.source < edge.target else height)
    elif edge.loop and lag > 1:
        lift = np.array([0.18 * pitch, (-1) ** lag * (0.35 + 0.2 * lag / n_steps)])
        curve = _bezier(start, start + lift, end + lift * (-1, 1), end)
    else:
        bows = [_bow(start, end, height) for height in (0.0, 0.15, -0.15, 0.3, -0.3, 0.45, -0.45)]
        others = places[(places != start).any(-1) & (places != end).any(-1)]
        curve = _clearest(bows, others, 1.6 * _GRID_RADIUS)
    return _cut(curve, 1.2 * _GRID_RADIUS, 1.2 * _GRID_RADIUS)


def _draw_grid(
    canvas: _Canvas,
    places: Float[np.ndarray, "vars lags 2"],
    edges: list[_Edge],
    labels: list[str],
    corner: _Point,
) -> None:
    """Draw the nodes, faint where no edge starts or ends, and name the rows and the columns."""
    n_vars, n_steps = places.shape[:2]
    used = {(edge.source, edge.lags[0]) for edge in edges}
    for i, lag in np.ndindex(n_vars, n_steps):
        color = _color(canvas, i) if lag == 0 or (i, lag) in used else _FAINT
        _draw_node(canvas, places[i, lag], _GRID_RADIUS, f"node-{i}-{lag}", color)
    for i in _legible(canvas, n_vars):
        _write(canvas, (corner[0], places[i, 0, 1]), labels[i], f"name-{i}", ha="right")
    for lag in range(n_steps):
        step = f"t−{lag}" if lag else "t"
        _write(canvas, (places[0, lag, 0], corner[1]), step, f"step-{lag}", va="top")


def _clearest(curves: list[_Curve], others: _Points, needed: float) -> _Curve:
    """First curve that stays the needed distance from the other nodes, or else the farthest one."""
    near = [np.hypot(*(curve[:, None] - others).T).min(initial=needed) for curve in curves]
    return curves[int(np.argmax(near))]


def _circle_curve(
    arrow: _Edge, arrows: list[_Edge], centers: _Points, ahead: _Points, radius: float
) -> _Curve:
    """Bow between two nodes, or a loop outside one; further arrows of the pair bend further."""
    start, end = centers[arrow.source], centers[arrow.target]
    rank = [other for other in arrows if other[:2] == arrow[:2]].index(arrow)
    if not arrow.loop:
        clockwise = (arrow.target - arrow.source) % len(centers) <= len(centers) / 2
        inner = (1.0, 2.0, 3.0) if clockwise else (1.0, 0.0, -0.5, -1.5, -2.5)
        # Chords meet a node every pi / n: an odd number of quarters of that keeps bows apart there.
        quarter = np.pi / len(centers) / 4
        bent = quarter * (1 + 2 * max(0, round((0.3 / quarter - 1) / 2)))
        unit = float(np.tan(bent) / 4 * np.linalg.norm(end - start))
        bows = [_bow(start, end, (bend + rank) * unit) for bend in inner]
        others = np.delete(centers, arrow[:2], axis=0)
        return _cut(_clearest(bows, others, 1.6 * radius), 1.2 * radius, 1.2 * radius)
    near, far = radius * np.array([0.7, 0.7]), (4 + 2 * rank) * radius * np.array([0.88, 0.6])
    shape = np.array([near * (1, -1), far * (1, -1), far, near])
    axes = np.stack([ahead[arrow.source], ahead[arrow.source][::-1] * (1, -1)])
    return _cut(_bezier(*(start + shape @ axes)), 0.2 * radius, 0.2 * radius)


def _name_spot(
    name: str,
    center: _Point,
    ahead: _Point,
    radius: float,
    loops: list[tuple[_Edge, _Curve]],
    upright: bool,
) -> tuple[_Point, _Point, _Point]:
    """Point outside a node and its loops; from there in em, a name's middle and its half size."""
    reach, clear = 1.3 * radius, 0.4
    for arrow, curve in loops:
        reach = max(reach, float(((curve - center) @ ahead).max()))
        half = np.array([_em(_lag_text(arrow.lags)) / 2 + 0.2, 1.2])
        clear = max(clear, 0.4 + float((half / np.maximum(np.abs(ahead), 1e-9)).min()))
    half = np.array([_em(name), 1.2]) / 2
    if upright:
        shift = ahead * clear + half * (np.clip(3 * ahead[0], -1, 1), ahead[1])
    else:
        shift, half = ahead * (clear + half[0]), np.abs([ahead, ahead[::-1]]).T @ half
    return center + ahead * reach, shift, half


def _write_lags(canvas: _Canvas, drawn: list[tuple[_Edge, _Curve]], boxes: list[np.ndarray]) -> int:
    """Write the lags of each arrow where they cover least; returns how many found no room."""
    if len(drawn) > _MOST_LABELLED:
        return len(drawn)
    omitted, crowd = 0, np.concatenate([np.empty((0, 2)), *(curve for _, curve in drawn)])
    for arrow, curve in sorted(drawn, key=lambda pair: not pair[0].loop):
        text = _lag_text(arrow.lags)
        half = np.array([_em(text) + 0.9, 1.4]) * canvas.line / 2
        low, high = np.split(np.array(boxes), 2, axis=1)
        spots = curve[40:41] if arrow.loop else curve[16:65]
        free = [at for at in spots if not ((at - half < high) & (low < at + half)).all(1).any()]
        if not free:
            omitted += 1
            continue
        at = min(free, key=lambda at: int((np.abs(crowd - at) < half).all(axis=1).sum()))
        boxes.append(np.concatenate([at - half, at + half]))
        ground = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
        _write(canvas, at, text, f"lags-{arrow.key}", bbox=ground)
    return omitted


def _block_layout(
    ax: Axes | None, n_vars: int, n_lags: int, widest: float, wish: float
) -> tuple[int, _Points, _Em]:
    """Number of blocks side by side that leaves cells largest, and what they then take up."""
    size, best = (np.array([800.0, 600.0]) if ax is None else _size(ax)), []
    for columns in range(1, n_lags + 1):
        rows = -(-n_lags // columns)
        wide = (columns * _BLOCK_PITCH - _BLOCK_PITCH + 1) * n_vars
        points = np.array([(0.0, -rows * n_vars), (wide, 0.0)])
        em = np.array([(widest + 0.8, rows * (widest + 3.4), 0, 0), (0.0, 0, 0, 0)])
        unit = _largest_unit(size, points, em, 0.75)
        best.append((min(unit, wish) if ax is None else unit, columns, points, em))
    return max(best, key=lambda option: option[:2])[1:]


def _draw_block(
    canvas: _Canvas, corner: _Point, scores: np.ndarray, labels: list[str], lag: int
) -> None:
    """Draw one source × target block with its title above and its target names below."""
    (left, top), n_vars, line = corner, len(labels), canvas.line
    extent = (left, left + n_vars, top - n_vars, top)
    look = {} if canvas.scale is None else {"norm": canvas.scale.norm, "cmap": canvas.scale.cmap}
    canvas.ax.imshow(scores, extent=extent, gid=f"lag-{lag}", interpolation="nearest", **look)
    title = {"fontsize": max(canvas.font, 8)}
    _write(canvas, (left + n_vars / 2, top + 0.8 * line), f"lag {lag}", f"title-{lag}", **title)
    turned = {"rotation": 0 if max(map(_em, labels)) * line < 0.9 else 90, "va": "top"}
    for i in _legible(canvas, n_vars):
        at = (left + i + 0.5, top - n_vars - 0.4 * line)
        _write(canvas, at, labels[i], f"target-{i}-{lag}", **turned)
        if left == 0:
            _write(canvas, (-0.4 * line, top - i - 0.5), labels[i], f"source-{i}-{lag}", ha="right")


def _draw_rings(canvas: _Canvas, corner: _Point, selected: np.ndarray, lag: int) -> None:
    width = float(np.clip(0.5 / canvas.line, 0.6, 1.4))
    halo = [withStroke(linewidth=2.4 * width, foreground="white")]
    for i, j in np.argwhere(selected).tolist():
        ring = Circle((corner[0] + j + 0.5, corner[1] - i - 0.5), 0.28, fill=False)
        ring.set(edgecolor="black", linewidth=width, path_effects=halo, gid=f"ring-{i}-{j}-{lag}")
        canvas.ax.add_patch(ring)
