"""Picture of a lagged graph unrolled in time."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable

from jaxcause._typing import AnyArray
from jaxcause.graph import LaggedGraph
from jaxcause.plot._canvas import (
    FAINT,
    GREY,
    Canvas,
    Layout,
    Point,
    Values,
    axes_size,
    draw_node,
    finish,
    legible,
    make_canvas,
    source_color,
    text_width,
    variable_names,
    write,
)
from jaxcause.plot._edges import (
    CANDIDATE,
    Curve,
    Edge,
    Look,
    bezier,
    bow,
    candidate_edges,
    candidate_note,
    clearest,
    conflict_note,
    cut,
    draw_edge,
    edge_scale,
    graph_edges,
    loops_note,
    scale_label,
    without_loops,
)

_RADIUS = 0.17
_BOWS = (0.0, 0.15, -0.15, 0.3, -0.3, 0.45, -0.45)

_Places = Float[np.ndarray, "vars steps 2"]


def time_series_graph(
    graph: LaggedGraph,
    *,
    names: Sequence[str] | None = None,
    strength: Values | None = None,
    candidates: Bool[AnyArray, "vars vars lags"] | None = None,
    effect: Values | None = None,
    self_edges: bool | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the graph unrolled in time: a row per variable, a column per time step.

    Only edges into the newest column are drawn: by stationarity, every earlier step has the same.
    Contemporaneous edges are arcs to the right of that column. An edge has the colour of its
    source. Given ``strength``, its colour and width show the strength.

    Args:
        graph: Edges to draw.
        names: One name per variable; ``X0, X1, …`` by default.
        strength: Size of each edge ``[source, target, lag]``; its sign is ignored. The
            strength of a contemporaneous edge is the larger of its two entries.
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

    >>> mask = np.zeros((2, 2, 3), bool); mask[0, 1, 2] = True
    >>> time_series_graph(LaggedGraph.from_mask(mask), names=["rain", "river"]).get_title()
    'Edges into time t'
    """
    labels = variable_names(names, graph.n_vars)
    edges, n_hidden = without_loops(graph_edges(graph, strength, effect), graph.n_vars, self_edges)
    dashed = candidate_edges(graph, candidates)
    looks = [CANDIDATE] * len(dashed) + [None] * len(edges) if dashed else None
    scale = edge_scale(edges, strength=strength is not None)
    canvas = draw_in_time(
        dashed + edges,
        labels,
        graph.max_lag + 1,
        ax,
        scale=scale,
        looks=looks,
        label=scale_label(edges),
    )
    notes = ["time step"] + ["colour: source variable"] * (scale is None and bool(edges))
    notes += loops_note(n_hidden)
    note = "; ".join([*notes, *conflict_note(edges), *candidate_note(dashed)])
    return finish(canvas.ax, "Edges into time t" + ("" if edges else ": no edge"), note)


def draw_in_time(
    edges: list[Edge],
    labels: list[str],
    n_steps: int,
    ax: Axes | None,
    *,
    scale: ScalarMappable | None = None,
    label: str = "strength",
    looks: Sequence[Look | None] | None = None,
) -> Canvas:
    """Draw edges, each with its own look, over a grid of variables and time steps."""
    n_vars = len(labels)
    wish = float(np.clip(700 / n_vars, 13, 42))
    pitch = _pitch(ax, n_vars, n_steps, wish)
    places = np.array([[(-k * pitch, -i) for k in range(n_steps)] for i in range(n_vars)], float)
    curves = [_curve(edge, places, pitch) for edge in edges]
    corner = places[-1, -1] - 0.4
    layout = _layout(corner, places[0, 0] + 0.4, curves, labels)
    canvas = make_canvas(ax, layout, wish, scale, label)
    for edge, curve, look in zip(edges, curves, looks or [None] * len(edges), strict=True):
        draw_edge(canvas, curve, edge, 2 * _RADIUS, look)
    _draw_nodes(canvas, places, edges, looks is not None)
    _write_names(canvas, places, corner, labels)
    return canvas


def _pitch(ax: Axes | None, n_vars: int, n_steps: int, wish: float) -> float:
    """Distance between columns, relative to that between rows, so that the grid fills the Axes."""
    if ax is None:
        aspect = max(450 / (n_vars * wish), 0.8)
    else:
        width, height = 0.7 * axes_size(ax)
        aspect = width / height
    return float(np.clip(aspect * n_vars / n_steps, 1.2, 9))


def _curve(edge: Edge, places: _Places, pitch: float) -> Curve:
    """The curve of an edge through the grid, from rim to rim, that avoids other nodes."""
    lag, (n_vars, n_steps) = edge.lags[0], places.shape[:2]
    start, end = places[edge.source, lag], places[edge.target, 0]
    if lag == 0:
        height = pitch * (0.2 + 0.35 * abs(edge.source - edge.target) / n_vars)
        curve = bow(start, end, -height if edge.source < edge.target else height)
    elif edge.loop and lag > 1:
        lift = np.array([0.18 * pitch, (-1) ** lag * (0.35 + 0.2 * lag / n_steps)])
        curve = bezier(start, start + lift, end + lift * (-1, 1), end)
    else:
        others = places[(places != start).any(-1) & (places != end).any(-1)]
        curve = clearest([bow(start, end, height) for height in _BOWS], others, 1.6 * _RADIUS)
    return cut(curve, 1.2 * _RADIUS, 1.2 * _RADIUS)


def _layout(low: Point, high: Point, curves: list[Curve], labels: list[str]) -> Layout:
    """The grid and its curves, with names to the left and time steps below."""
    points = np.concatenate([[low, high], *curves])
    em = np.zeros((len(points), 4))
    em[0, :2] = max(map(text_width, labels)) + 0.5, 1.5
    return Layout(points, em, 0.75)


def _draw_nodes(canvas: Canvas, places: _Places, edges: list[Edge], plain: bool) -> None:
    """Draw the nodes: faint without an edge, grey if edges have their own looks."""
    used = {(edge.source, edge.lags[0]) for edge in edges}
    for i, lag in np.ndindex(places.shape[:2]):
        color = GREY if plain else source_color(canvas, i)
        color = color if lag == 0 or (i, lag) in used else FAINT
        draw_node(canvas, places[i, lag], _RADIUS, f"node-{i}-{lag}", color)


def _write_names(canvas: Canvas, places: _Places, corner: Point, labels: list[str]) -> None:
    """Write the names of rows to the left and of columns below."""
    for i in legible(canvas, len(labels)):
        write(canvas, (corner[0], places[i, 0, 1]), labels[i], f"name-{i}", ha="right")
    for lag in range(places.shape[1]):
        step = f"t−{lag}" if lag else "t"
        write(canvas, (places[0, lag, 0], corner[1]), step, f"step-{lag}", va="top")
