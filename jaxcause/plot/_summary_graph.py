"""Picture of a lagged graph with one node per variable."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes

from jaxcause._typing import AnyArray
from jaxcause.graph import LaggedGraph
from jaxcause.plot._canvas import (
    Canvas,
    Point,
    Points,
    Values,
    finish,
    make_canvas,
    text_width,
    variable_names,
    write,
)
from jaxcause.plot._edges import (
    CANDIDATE,
    Curve,
    Edge,
    candidate_edges,
    candidate_note,
    conflict_note,
    draw_edge,
    edge_scale,
    graph_edges,
    loops_note,
    scale_label,
    without_loops,
)
from jaxcause.plot._ring import (
    Drawn,
    Name,
    Ring,
    draw_ring_nodes,
    lag_text,
    make_ring,
    ring_curve,
    ring_layout,
    ring_name,
    ring_size,
)

_MOST_LABELLED = 80

_Box = Float[np.ndarray, "4"]


def summary_graph(
    graph: LaggedGraph,
    *,
    names: Sequence[str] | None = None,
    strength: Values | None = None,
    candidates: Bool[AnyArray, "vars vars lags"] | None = None,
    effect: Values | None = None,
    self_edges: bool | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw one node per variable on a circle, and its edges with their lags written on them.

    All lags of an ordered pair share one arrow, unless their marks differ. Where the picture is too
    crowded, lags are not shown, and the text below says for how many arrows.

    Args:
        graph: Edges to draw.
        names: One name per variable; ``X0, X1, …`` by default.
        strength: Size of each edge ``[source, target, lag]``. An arrow shows its strongest lag.
        candidates: Links ``[source, target, lag]`` that are no edges: drawn dashed and grey.
        effect: Signed effect of each edge ``[source, target, lag]``: its colour, from orange
            (negative) to blue (positive); the width still shows the strength, if it is given. An
            edge whose effect is NaN is grey.
        self_edges: Whether edges from a variable to itself are drawn; by default up to 12
            variables. The text below counts those that are not.
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
    texts = variable_names(names, graph.n_vars)
    found, n_hidden = without_loops(graph_edges(graph, strength, effect), graph.n_vars, self_edges)
    edges = _merged(found)
    dashed = _merged(candidate_edges(graph, candidates))
    ring, arrows = make_ring(graph.n_vars), dashed + edges
    drawn = [(arrow, ring_curve(arrow, arrows, ring)) for arrow in arrows]
    labels = [ring_name(text, i, ring, drawn) for i, text in enumerate(texts)]
    scale = edge_scale(edges, strength=strength is not None)
    layout, size = ring_layout(ring, drawn, labels), ring_size(graph.n_vars)
    canvas = make_canvas(ax, layout, size, scale, scale_label(edges))
    looks = [CANDIDATE] * len(dashed) + [None] * len(edges)
    for (arrow, curve), look in zip(drawn, looks, strict=True):
        draw_edge(canvas, curve, arrow, 1.2 * ring.radius, look)
    draw_ring_nodes(canvas, ring, labels)
    n_written = _write_lags(canvas, drawn, _boxes(ring, labels, canvas.line))
    notes = ["numbers: lags"] if n_written else []
    if n_written < len(arrows):
        n_left = len(arrows) - n_written
        arrows_left = f"{n_left} arrow{'s' * (n_left > 1)}"
        notes.append(f"lags not shown for {arrows_left} (too crowded)")
    notes += ["colour: source variable"] if scale is None and edges else []
    notes += loops_note(n_hidden) + conflict_note(edges) + candidate_note(dashed)
    return finish(canvas.ax, "Summary graph" + ("" if edges else ": no edge"), "; ".join(notes))


def _merged(edges: list[Edge]) -> list[Edge]:
    """One edge per source, target and marks, with all its lags; the strongest comes last."""
    groups: dict[tuple, list[Edge]] = {}
    for edge in edges:
        groups.setdefault((edge.source, edge.target, edge.marks), []).append(edge)
    merged = [
        group[-1]._replace(lags=tuple(sorted(edge.lags[0] for edge in group)))
        for group in groups.values()
    ]
    return sorted(merged, key=lambda edge: edge.strength)


def _boxes(ring: Ring, names: list[Name], line: float) -> list[_Box]:
    """The boxes that the nodes and the names cover."""
    nodes = [_box(center, np.full(2, ring.radius)) for center in ring.centers]
    return nodes + [_box(name.middle(line), name.half * line) for name in names]


def _write_lags(canvas: Canvas, drawn: Drawn, boxes: list[_Box]) -> int:
    """Write the lags of each arrow where they meet no box and cover least; return how many."""
    if not 0 < len(drawn) <= _MOST_LABELLED:
        return 0
    crowd, written = np.concatenate([curve for _, curve in drawn]), []
    ground = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
    for arrow, curve in sorted(drawn, key=lambda pair: not pair[0].loop):
        text = lag_text(arrow.lags)
        half = np.array([text_width(text) + 0.9, 1.4]) * canvas.line / 2
        taken = np.array(boxes + written)
        spots = curve[40:41] if arrow.loop else curve[16:65]
        at = _free_spot(spots, half, taken, crowd)
        if at is None and arrow.loop:
            at = _free_spot(_beside_loop(canvas, curve, half), half, taken, crowd)
        if at is not None:
            write(canvas, at, text, f"lags-{arrow.key}", bbox=ground)
            written.append(_box(at, half))
    return len(written)


def _beside_loop(canvas: Canvas, curve: Curve, half: Point) -> Points:
    """Further places for the lags of a loop: along it, and beside it, within the picture."""
    turns = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    around = np.stack([np.cos(turns), np.sin(turns)], axis=1) * 1.1 * half
    spots = np.concatenate([curve[16:65], (curve[24:57:4, None] + around).reshape(-1, 2)])
    (left, right), (low, high) = canvas.ax.get_xlim(), canvas.ax.get_ylim()
    inside = (spots - half >= (left, low)).all(1) & (spots + half <= (right, high)).all(1)
    return spots[inside]


def _free_spot(
    spots: Curve | Points, half: Point, boxes: Float[np.ndarray, "boxes 4"], crowd: Points
) -> Point | None:
    """The spot where a text meets no box and covers the fewest points of the crowd, or None."""
    low, high = np.split(boxes, 2, axis=1)
    free = [at for at in spots if not ((at - half < high) & (low < at + half)).all(1).any()]
    return min(free, key=lambda at: (np.abs(crowd - at) < half).all(axis=1).sum(), default=None)


def _box(middle: Point, half: Point) -> _Box:
    """Left, lower, right and upper end."""
    return np.concatenate([middle - half, middle + half])
