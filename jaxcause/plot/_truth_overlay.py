"""Picture that compares a learned graph with the true graph."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from jaxcause._checks import InputError
from jaxcause.graph import CausalGraph, LaggedGraph
from jaxcause.plot._canvas import INK, OKABE_ITO, finish, variable_names
from jaxcause.plot._causal_graph import in_rows, single
from jaxcause.plot._edges import Edge, Look, causal_edges, conflict_note, graph_edges
from jaxcause.plot._ring import draw_ring
from jaxcause.plot._time_series_graph import draw_in_time

_LOOKS = {
    "missed": (Look(INK, 0.4, (0, (4, 2))), "black, dashed: missed"),
    "false": (Look(OKABE_ITO[1], 0.5, (0, (1, 1.2))), "orange, dotted: false"),
    "wrong marks": (
        Look(OKABE_ITO[3], 0.5, (0, (5, 1.5, 1, 1.5))),
        "pink, dash-dotted: wrong marks",
    ),
    "correct": (Look(OKABE_ITO[0], 0.5), "blue: correct"),
}


def truth_overlay(
    graph: LaggedGraph | CausalGraph,
    truth: LaggedGraph | CausalGraph,
    *,
    names: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw which edges of the true graph were found, which were missed, and which are false.

    A lagged graph is unrolled in time, a graph without lags is drawn on a circle. An edge is
    correct if both graphs have the same marks at both ends. An edge with wrong marks is drawn with
    the learned marks, a missed edge with the true marks.

    Args:
        graph: The learned graph.
        truth: The true graph, of the same kind and size.
        names: One name per variable; ``X0, X1, …`` by default.
        ax: Where to draw; a new figure of a fitting size by default.

    Returns:
        The Axes drawn into. Parts have a ``gid`` as in other pictures; the text below has counts.

    Raises:
        InputError: The graphs are of different kinds or sizes, or ``names`` does not fit.

    >>> import numpy as np
    >>> truth = CausalGraph(np.array([[0, 2, 0], [3, 0, 2], [0, 3, 0]]))
    >>> found = CausalGraph(np.array([[0, 2, 0], [3, 0, 0], [0, 0, 0]]))
    >>> truth_overlay(found, truth).get_xlabel()
    'blue: correct (1); black, dashed: missed (1)'
    """
    found, known = _edges(graph), _edges(truth)
    if type(graph) is not type(truth) or graph.marks.shape != truth.marks.shape:
        raise InputError(
            f"truth is a {type(truth).__name__} with marks {truth.marks.shape}, but graph a "
            f"{type(graph).__name__} with {graph.marks.shape}; compare graphs of one kind and size"
        )
    verdicts = _verdicts(found, known)
    order = list(_LOOKS)
    edges = sorted(verdicts, key=lambda edge: order.index(verdicts[edge]))
    looks = [_LOOKS[verdicts[edge]][0] for edge in edges]
    if isinstance(graph, LaggedGraph):
        labels = variable_names(names, graph.n_vars)
        canvas = draw_in_time(edges, labels, graph.max_lag + 1, ax, looks=looks)
    else:
        canvas = draw_ring(edges, variable_names(names, graph.n_nodes), ax, looks=looks)
    title = "Learned graph and true graph" + ("" if edges else ": no edge")
    parts = _legend(list(verdicts.values())) + conflict_note(edges)
    return finish(canvas.ax, title, in_rows(parts))


def _edges(graph: LaggedGraph | CausalGraph) -> dict[tuple, Edge]:
    """Edges by the nodes and lags that they join."""
    if isinstance(graph, LaggedGraph):
        edges = graph_edges(graph, None)
        return {(_pair(edge) if edge.lags == (0,) else edge[:2], edge.lags): edge for edge in edges}
    return {(_pair(edge), ()): edge for edge in causal_edges(single(graph))}


def _pair(edge: Edge) -> tuple[int, ...]:
    return tuple(sorted(edge[:2]))


def _verdicts(found: dict[tuple, Edge], known: dict[tuple, Edge]) -> dict[Edge, str]:
    """The verdict on each edge: learned edges, and true edges that were missed."""
    verdicts = {edge: "missed" for joined, edge in known.items() if joined not in found}
    for joined, edge in found.items():
        if joined not in known:
            verdicts[edge] = "false"
        else:
            verdicts[edge] = "correct" if edge == known[joined] else "wrong marks"
    return verdicts


def _legend(verdicts: list[str]) -> list[str]:
    """The meanings of colours and dashes, with counts."""
    counts = {name: verdicts.count(name) for name in ("correct", "missed", "false", "wrong marks")}
    return [f"{_LOOKS[name][1]} ({count})" for name, count in counts.items() if count]
