"""Graphs as the adjacency matrices of lingam."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from jaxcause._checks import InputError
from jaxcause._typing import AnyArray
from jaxcause.graph import CausalGraph, LaggedGraph, Mark, edge_symbol
from jaxcause.io._named import AnyGraph, NamedGraph, checked_names, checked_values, n_variables


def to_lingam(
    graph: AnyGraph,
    *,
    names: Sequence[str] | None = None,
    coefficients: Float[AnyArray, "vars vars *lags"] | None = None,
) -> Float[np.ndarray, "*lags vars vars"]:
    """The adjacency matrices of lingam: ``[to, from]``, or ``[lag, to, from]`` of a lagged graph.

    Args:
        graph: One graph; every edge must be ``-->``.
        names: One per variable, as other writers take them. They are checked; the matrices have no
            names, which lingam takes beside them, as ``labels``.
        coefficients: Weight of each edge, ``[source, target, lag]`` or ``[source, target]``; by
            default 1.

    Raises:
        InputError: An edge is not directed, its coefficient is 0 or not finite, or the names do not
            fit.

    >>> mask = np.zeros((2, 2, 2), bool); mask[0, 1, 1] = True
    >>> to_lingam(LaggedGraph.from_mask(mask))[1].tolist()
    [[0.0, 0.0], [1.0, 0.0]]
    """
    checked_names(n_variables(graph), names)
    directed = directed_only(graph, "lingam's matrices")
    weights = directed.astype(np.float64)
    if coefficients is not None:
        given = checked_values(graph, {"coefficients": coefficients})["coefficients"]
        if not np.isfinite(given[directed]).all() or (given[directed] == 0).any():
            raise InputError("coefficients is 0 or no number at an edge; leave that edge out")
        weights = np.where(directed, given, 0.0).astype(np.float64)
    return np.ascontiguousarray(weights.T)


def from_lingam(
    adjacency: Any, *, names: Sequence[str] | None = None, threshold: float = 0.0
) -> NamedGraph:
    """The graph and its names, from ``adjacency_matrix_`` or ``adjacency_matrices_`` of lingam.

    The coefficients as ``[source, target, lag]`` are ``adjacency.T``.

    Args:
        adjacency: ``[to, from]`` or ``[lag, to, from]``.
        names: One per variable; by default X0, X1, ….
        threshold: Edges whose absolute coefficient is at most this are left out.

    Raises:
        InputError: The array has another shape, an entry is NaN (lingam's models with hidden
            causes), or two variables cause each other at lag 0.

    >>> from_lingam([[0, 0], [0.8, 0]], names=["rain", "river"]).graph.edges(["rain", "river"])
    [('rain', '-->', 'river')]
    """
    array = np.asarray(adjacency)
    if array.ndim not in (2, 3) or array.shape[-1] != array.shape[-2] or 0 in array.shape[:-2]:
        raise InputError(f"adjacency has shape {array.shape}, but must be [lag, to, from]")
    if array.dtype.kind not in "iufb":
        raise InputError(f"adjacency holds {array.dtype}; it must hold coefficients")
    if not np.isfinite(array.astype(np.float64)).all():
        raise InputError(
            "adjacency holds NaN or infinity: lingam's sign for an order left open or a hidden "
            "cause, without a counterpart here; set both entries of such a pair to 0"
        )
    directed = np.abs(array.T) > threshold
    labels = checked_names(array.shape[-1], names)
    now = directed if array.ndim == 2 else directed[:, :, 0]
    if (now & now.T).any():
        i, j = np.argwhere(now & now.T)[0].tolist()
        raise InputError(
            f"adjacency joins {labels[i]!r} and {labels[j]!r} both ways at lag 0; "
            "raise threshold or set one of them to 0"
        )
    return NamedGraph(graph_of_directed(directed), labels)


def directed_only(graph: AnyGraph, other: str) -> np.ndarray:
    """The mask of edges, if all edges are directed."""
    n_variables(graph)
    marks = np.asarray(graph.marks)
    ends = marks if isinstance(graph, LaggedGraph) else np.stack([marks.T, marks], axis=-1)
    tail, arrow = ends == Mark.TAIL, ends == Mark.ARROW
    directed = tail[..., 0] & arrow[..., 1]
    backward = arrow[..., 0] & tail[..., 1]
    # At lag 0, and in a graph over nodes, the marks hold every edge twice, mirrored.
    mirrored = np.zeros_like(backward)
    at_zero = mirrored if isinstance(graph, CausalGraph) else mirrored[:, :, 0]
    at_zero[...] = backward if isinstance(graph, CausalGraph) else backward[:, :, 0]
    wrong = (ends[..., 0] != Mark.NONE) & ~directed & ~mirrored
    if wrong.any():
        symbol = edge_symbol(*ends[wrong][0].tolist())
        raise InputError(
            f"graph has edges other than -->, such as {symbol}, which {other} cannot hold; write "
            "JSON or GraphML"
        )
    return directed


def graph_of_directed(directed: np.ndarray) -> AnyGraph:
    """The graph of ``[source, target, lag]`` or ``[source, target]``."""
    if directed.ndim == 2:
        return CausalGraph.from_dag(directed)
    marks = np.zeros((*directed.shape, 2), np.int8)
    marks[directed] = 3, 2
    marks[:, :, 0][directed[:, :, 0].T] = 2, 3
    return LaggedGraph(marks)
