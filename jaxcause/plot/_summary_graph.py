"""Picture of a lagged graph with one node per variable."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from jaxcause.graph import LaggedGraph
from jaxcause.plot._canvas import (
    Canvas,
    Layout,
    Point,
    Points,
    Values,
    draw_node,
    finish,
    make_canvas,
    source_color,
    text_width,
    variable_names,
    write,
)
from jaxcause.plot._edges import (
    Curve,
    Edge,
    bezier,
    bow,
    clearest,
    cut,
    draw_edge,
    graph_edges,
    strength_scale,
)

_MOST_LABELLED, _MOST_UPRIGHT = 80, 20

_Drawn = list[tuple[Edge, Curve]]
_Box = Float[np.ndarray, "4"]


class _Circle(NamedTuple):
    """Nodes, and from each the direction away from the middle."""

    angle: Float[np.ndarray, "vars"]
    ahead: Points
    centers: Points
    radius: float


class _Name(NamedTuple):
    """A name to write: its middle is a shift from a start outside a node; shift and half in em."""

    text: str
    turn: float
    start: Point
    shift: Point
    half: Point

    def middle(self, line: float) -> Point:
        """Where to write it at a font size in data units."""
        return self.start + self.shift * line


def summary_graph(
    graph: LaggedGraph,
    *,
    names: Sequence[str] | None = None,
    strength: Values | None = None,
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
    texts, arrows = variable_names(names, graph.n_vars), _merged(graph_edges(graph, strength))
    circle = _circle(graph.n_vars)
    drawn = [(arrow, _curve(arrow, arrows, circle)) for arrow in arrows]
    labels = [_name(text, i, circle, drawn) for i, text in enumerate(texts)]
    wish = float(np.clip(100 + 9 * graph.n_vars, 120, 330))
    scale = None if strength is None else strength_scale(arrows)
    canvas = make_canvas(ax, _layout(circle, drawn, labels), wish, scale)
    for arrow, curve in drawn:
        draw_edge(canvas, curve, arrow, 1.2 * circle.radius)
    _draw_nodes(canvas, circle, labels)
    n_written = _write_lags(canvas, drawn, _boxes(circle, labels, canvas.line))
    notes = ["numbers: lags"] if n_written else []
    if n_written < len(arrows):
        notes.append(f"arrows without lags for want of room: {len(arrows) - n_written}")
    notes += ["colour: source variable"] if strength is None and arrows else []
    return finish(canvas.ax, "Summary graph" + ("" if arrows else ": no edge"), "; ".join(notes))


def _merged(edges: list[Edge]) -> list[Edge]:
    """One edge per source, target and marks, over all its lags; the strongest edge comes last."""
    groups: dict[tuple, list[Edge]] = {}
    for edge in edges:
        groups.setdefault((edge.source, edge.target, edge.marks), []).append(edge)
    merged = [
        group[-1]._replace(lags=tuple(sorted(edge.lags[0] for edge in group)))
        for group in groups.values()
    ]
    return sorted(merged, key=lambda edge: edge.strength)


def _circle(n_vars: int) -> _Circle:
    """Nodes clockwise from the top; a single one in the middle."""
    angle = np.pi / 2 - 2 * np.pi * np.arange(n_vars) / n_vars
    ahead = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return _Circle(angle, ahead, ahead * (n_vars > 1), float(np.clip(0.65 / n_vars, 0.02, 0.1)))


def _curve(arrow: Edge, arrows: list[Edge], circle: _Circle) -> Curve:
    """Bow between two nodes, or a loop outside one; further arrows of the pair bend further."""
    rank = [other for other in arrows if other[:2] == arrow[:2]].index(arrow)
    return (_loop if arrow.loop else _chord)(arrow, rank, circle)


def _chord(arrow: Edge, rank: int, circle: _Circle) -> Curve:
    """Bow between two nodes that keeps clear of the others and of bows between others."""
    centers, n_vars, radius = circle.centers, len(circle.centers), circle.radius
    start, end = centers[arrow.source], centers[arrow.target]
    clockwise = (arrow.target - arrow.source) % n_vars <= n_vars / 2
    bends = (1.0, 2.0, 3.0) if clockwise else (1.0, 0.0, -0.5, -1.5, -2.5)
    # Chords meet a node every pi / n: an odd number of quarters of that keeps bows apart there.
    quarter = np.pi / n_vars / 4
    bent = quarter * (1 + 2 * max(0, round((0.3 / quarter - 1) / 2)))
    unit = float(np.tan(bent) / 4 * np.linalg.norm(end - start))
    bows = [bow(start, end, (bend + rank) * unit) for bend in bends]
    others = np.delete(centers, arrow[:2], axis=0)
    return cut(clearest(bows, others, 1.6 * radius), 1.2 * radius, 1.2 * radius)


def _loop(arrow: Edge, rank: int, circle: _Circle) -> Curve:
    """Loop on the outer side of a node."""
    ahead, radius = circle.ahead[arrow.source], circle.radius
    near, far = radius * np.array([0.7, 0.7]), (4 + 2 * rank) * radius * np.array([0.88, 0.6])
    shape = np.array([near * (1, -1), far * (1, -1), far, near])
    points = circle.centers[arrow.source] + shape @ np.stack([ahead, ahead[::-1] * (1, -1)])
    return cut(bezier(*points), 0.2 * radius, 0.2 * radius)


def _name(text: str, var: int, circle: _Circle, drawn: _Drawn) -> _Name:
    """The name of a variable, level or, where names are many, along its direction."""
    center, ahead = circle.centers[var], circle.ahead[var]
    loops = [(arrow, curve) for arrow, curve in drawn if arrow.loop and arrow.source == var]
    reach = max([1.3 * circle.radius, *(((curve - center) @ ahead).max() for _, curve in loops)])
    clear = 0.4 + max([0.0, *(_lags_reach(arrow, ahead) for arrow, _ in loops)])
    half, turn = np.array([text_width(text), 1.2]) / 2, 0.0
    if len(circle.centers) <= _MOST_UPRIGHT:
        shift = ahead * clear + half * (np.clip(3 * ahead[0], -1, 1), ahead[1])
    else:
        turn = float(np.degrees(circle.angle[var] + np.pi / 2) % 180 - 90)
        shift, half = ahead * (clear + half[0]), np.abs([ahead, ahead[::-1]]) @ half
    return _Name(text, turn, center + ahead * reach, shift, half)


def _lags_reach(arrow: Edge, ahead: Point) -> float:
    """How far, in em, the lags written on a loop stretch in a direction."""
    half = np.array([text_width(_lag_text(arrow.lags)) / 2 + 0.2, 1.2])
    return float((half / np.maximum(np.abs(ahead), 1e-9)).min())


def _layout(circle: _Circle, drawn: _Drawn, names: list[_Name]) -> Layout:
    """The nodes, the curves, and the names, which reach out from where they start."""
    rims = circle.centers - circle.radius, circle.centers + circle.radius
    starts, curves = [name.start for name in names], [curve for _, curve in drawn]
    points = np.concatenate([starts, *rims, *curves])
    em = np.zeros((len(points), 4))
    em[: len(names)] = [(*(name.half - name.shift), *(name.half + name.shift)) for name in names]
    return Layout(points, em, min(2.5 / len(names), 0.1))


def _draw_nodes(canvas: Canvas, circle: _Circle, names: list[_Name]) -> None:
    """Draw the nodes and write their names."""
    for i, (center, name) in enumerate(zip(circle.centers, names, strict=True)):
        draw_node(canvas, center, circle.radius, f"node-{i}", source_color(canvas, i))
        write(canvas, name.middle(canvas.line), name.text, f"name-{i}", rotation=name.turn)


def _boxes(circle: _Circle, names: list[_Name], line: float) -> list[_Box]:
    """What the nodes and the names cover."""
    nodes = [_box(center, np.full(2, circle.radius)) for center in circle.centers]
    return nodes + [_box(name.middle(line), name.half * line) for name in names]


def _write_lags(canvas: Canvas, drawn: _Drawn, boxes: list[_Box]) -> int:
    """Write the lags of each arrow off the boxes, where they cover least; count those written."""
    if not 0 < len(drawn) <= _MOST_LABELLED:
        return 0
    crowd, written = np.concatenate([curve for _, curve in drawn]), []
    ground = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
    for arrow, curve in sorted(drawn, key=lambda pair: not pair[0].loop):
        text = _lag_text(arrow.lags)
        half = np.array([text_width(text) + 0.9, 1.4]) * canvas.line / 2
        spots = curve[40:41] if arrow.loop else curve[16:65]
        at = _free_spot(spots, half, np.array(boxes + written), crowd)
        if at is not None:
            write(canvas, at, text, f"lags-{arrow.key}", bbox=ground)
            written.append(_box(at, half))
    return len(written)


def _free_spot(
    spots: Curve, half: Point, boxes: Float[np.ndarray, "boxes 4"], crowd: Points
) -> Point | None:
    """Spot where a text of a half size meets no box and covers fewest points of the crowd."""
    low, high = np.split(boxes, 2, axis=1)
    free = [at for at in spots if not ((at - half < high) & (low < at + half)).all(1).any()]
    return min(free, key=lambda at: (np.abs(crowd - at) < half).all(axis=1).sum(), default=None)


def _box(middle: Point, half: Point) -> _Box:
    """Left, low, right and high end."""
    return np.concatenate([middle - half, middle + half])


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
