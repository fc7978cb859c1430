"""Picture of a graph without lags: DAG, CPDAG, MAG or PAG."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from jaxcause._checks import InputError, check_shape
from jaxcause._typing import AnyArray
from jaxcause.graph import CausalGraph, Mark
from jaxcause.plot._canvas import INK, OKABE_ITO, finish, variable_names
from jaxcause.plot._edges import Edge, Look, causal_edges, conflict_note, strength_scale
from jaxcause.plot._ring import draw_ring

_BLUE, _ORANGE, _GREEN, _PINK = OKABE_ITO[:4]
_KINDS = {
    "directed": (_BLUE, "blue: cause → effect"),
    "latent": (_ORANGE, "orange: hidden common cause"),
    "undirected": (_GREEN, "green: undirected"),
    "undecided": (INK, "black: undecided (o)"),
    "conflict": (_PINK, "pink: orientation in conflict (x)"),
}


def causal_graph(
    graph: CausalGraph,
    *,
    names: Sequence[str] | None = None,
    strength: Float[AnyArray, "nodes nodes"] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw one node per variable on a circle, and each edge with the marks at its two ends.

    An arrowhead is filled, a circle is hollow, a conflict is a cross, and a tail is a plain end.
    The colour repeats the meaning of the marks: ``-->``, ``<->``, ``---``, ``x-x``, or an edge with
    a circle.

    Args:
        graph: One graph; index a batch first.
        names: One name per node; ``X0, X1, …`` by default.
        strength: Symmetric size of each edge, such as partial correlations. Colour and width
            show its absolute value.
        ax: Where to draw; a new figure of a fitting size by default.

    Returns:
        The Axes drawn into; ``.figure.savefig(path)`` saves the picture.

    Raises:
        InputError: The graph is a batch, ``names`` or ``strength`` does not fit it, or an edge has
            no strength.

    >>> ax = causal_graph(CausalGraph(np.array([[0, 2], [1, 0]])), names=["rain", "river"])
    >>> ax.get_xlabel()
    'black: undecided (o)'
    """
    marks = single(graph)
    edges = causal_edges(marks, _sizes(marks, strength))
    labels = variable_names(names, graph.n_nodes)
    title = "Causal graph" + ("" if edges else ": no edge")
    if strength is not None:
        canvas = draw_ring(edges, labels, ax, scale=strength_scale(edges))
        return finish(canvas.ax, title, "; ".join(conflict_note(edges)))
    kinds = [_kind(edge) for edge in edges]
    canvas = draw_ring(edges, labels, ax, looks=[Look(_KINDS[kind][0]) for kind in kinds])
    return finish(canvas.ax, title, in_rows([_KINDS[k][1] for k in _KINDS if k in kinds]))


def single(graph: CausalGraph) -> np.ndarray:
    """The marks of one graph."""
    marks = np.asarray(graph.marks)
    if marks.ndim != 2:
        raise InputError(f"graph is a batch of shape {marks.shape[:-2]}; index one graph first")
    return marks


def in_rows(parts: list[str]) -> str:
    """The meanings of colours, two per line."""
    return "\n".join("; ".join(parts[k : k + 2]) for k in range(0, len(parts), 2))


def _sizes(marks: np.ndarray, strength: AnyArray | None) -> np.ndarray | None:
    """Size of each edge, or None if no strength is given."""
    if strength is None:
        return None
    check_shape("strength", strength, marks.shape)
    sizes = np.abs(np.asarray(strength, float))
    if not np.isfinite(sizes[marks != Mark.NONE]).all():
        raise InputError("strength is not finite for an edge; give a number for every edge")
    return sizes


def _kind(edge: Edge) -> str:
    """The kind of an edge by its marks."""
    if Mark.CONFLICT in edge.marks:
        return "conflict"
    if Mark.CIRCLE in edge.marks:
        return "undecided"
    n_arrows = edge.marks.count(Mark.ARROW)
    return ("undirected", "directed", "latent")[n_arrows]
