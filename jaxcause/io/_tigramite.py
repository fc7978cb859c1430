"""Graphs as the arrays of tigramite."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from jaxcause._checks import InputError
from jaxcause._typing import AnyArray
from jaxcause.graph import CausalGraph, LaggedGraph, Mark, edge_marks, edge_symbol
from jaxcause.io._files import check_cells
from jaxcause.io._named import AnyGraph, NamedGraph, checked_names, checked_values, n_variables

_SYMBOLS = np.array([[edge_symbol(a, b) for b in Mark] for a in Mark], "<U3")
"""Symbols of edges by their marks at the left and the right end; tigramite writes the same."""


def to_tigramite(
    graph: AnyGraph,
    *,
    names: Sequence[str] | None = None,
    val_matrix: Float[AnyArray, "vars vars *lags"] | None = None,
    p_matrix: Float[AnyArray, "vars vars *lags"] | None = None,
) -> dict[str, Any]:
    """The arrays that tigramite's functions take and its ``run_…`` methods return.

    ``graph[i, j, lag]`` is the edge from ``X_i(t-lag)`` to ``X_j(t)`` as text, such as ``-->``; an
    edge at lag 0 occurs twice, mirrored. A graph over nodes becomes an array with lag 0 only.

    Args:
        graph: One graph.
        names: One per variable; by default X0, X1, ….
        val_matrix: Size of each effect, ``[source, target, lag]``. tigramite expects equal sizes in
            both entries of an edge at lag 0; the one of larger magnitude is used.
        p_matrix: p-value of each link, of the same shape; at lag 0 the smaller one is used.

    Returns:
        ``graph``, ``var_names`` and, if given, ``val_matrix`` and ``p_matrix``. Without a
        ``p_matrix``, ``tigramite.plotting.plot_graph(**to_tigramite(graph, val_matrix=…))`` draws
        the graph.

    >>> mask = np.zeros((2, 2, 2), bool); mask[0, 1, 1] = True
    >>> to_tigramite(LaggedGraph.from_mask(mask))["graph"][0, 1].tolist()
    ['', '-->']
    """
    labels = checked_names(n_variables(graph), names)
    given = {"val_matrix": val_matrix, "p_matrix": p_matrix}
    arrays = checked_values(graph, {name: v for name, v in given.items() if v is not None})
    marks = np.asarray(graph.marks)
    if isinstance(graph, CausalGraph):
        marks = np.stack([marks.T, marks], axis=-1)[:, :, None]
        arrays = {name: array[:, :, None] for name, array in arrays.items()}
    arrays = {name: _mirrored(array, smaller=name == "p_matrix") for name, array in arrays.items()}
    return {"graph": _SYMBOLS[marks[..., 0], marks[..., 1]], "var_names": labels, **arrays}


def from_tigramite(
    results: Mapping[str, Any] | np.ndarray,
    *,
    names: Sequence[str] | None = None,
    over_nodes: bool = False,
) -> NamedGraph:
    """The graph and its names, from tigramite's ``graph`` array or a dictionary that holds it.

    Args:
        results: ``graph`` as text ``[source, target, lag]``, or the result of ``run_pcmci``.
        names: One per variable; by default ``var_names`` of the dictionary, or else X0, X1, ….
        over_nodes: Whether to return a `CausalGraph`; the array must have lag 0 only.

    Raises:
        InputError: The array has another shape, or a link that cannot be represented: a conflict
            at one end alone (``x->``, ``x-o``), or a mark ``+`` of graphs that were aggregated.

    Everything that PCMCI+ returns can be represented: ``-->``, ``o-o``, ``x-x``.

    >>> link = np.array([[["", ""], ["o->", "-->"]], [["<-o", ""], ["", ""]]])
    >>> from_tigramite(link, names=["rain", "river"]).graph.edges(["rain", "river"])
    [('rain', 0, 'o->', 'river'), ('rain', 1, '-->', 'river')]
    """
    array = results
    if isinstance(results, Mapping):
        if "graph" not in results:
            raise InputError(
                f"results has no 'graph', but {', '.join(map(repr, results))}; "
                "pass what run_pcmci returned"
            )
        array = results["graph"]
        names = results.get("var_names") if names is None else names
    array = np.asarray(array)
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[0] != array.shape[1] or array.shape[2] == 0:
        raise InputError(f"graph has shape {array.shape}, but must be [source, target, lag]")
    if array.dtype.kind not in "US" and array.dtype != object:
        raise InputError(f"graph holds {array.dtype}; it must hold text such as '-->'")
    check_cells("graph", array.shape[0], array.shape[2] - 1)
    labels = checked_names(array.shape[0], names)
    marks = np.zeros((*array.shape, 2), np.int8)
    texts, where = np.unique(array.astype(str), return_inverse=True)
    for k, text in enumerate(texts.tolist()):
        at = where.reshape(array.shape) == k
        marks[at] = _marks_of(text, tuple(np.argwhere(at)[0].tolist()))
    if not over_nodes:
        return NamedGraph(LaggedGraph(marks), labels)
    if array.shape[2] > 1:
        raise InputError(f"graph has {array.shape[2]} lags; over_nodes=True needs lag 0 alone")
    LaggedGraph(marks)  # raises if both entries of an edge disagree
    return NamedGraph(CausalGraph(marks[:, :, 0, 1]), labels)


def _mirrored(array: np.ndarray, *, smaller: bool) -> np.ndarray:
    """The array made symmetric at lag 0 by the larger (or smaller) magnitude, ignoring NaN.

    Of two entries with equal magnitude, such as 0.5 and -0.5, the greater one is used.
    """
    now = array[:, :, 0]
    back = now.T
    if np.array_equal(now, back, equal_nan=now.dtype.kind == "f"):
        return array
    size, other = (np.abs(a) if not smaller else -np.abs(a) for a in (now, back))
    mine = np.isnan(other) | (size > other) | ((size == other) & (now >= back))
    mirrored = array.copy()
    mirrored[:, :, 0] = np.where(mine, now, back)
    return mirrored


def _marks_of(text: str, cell: tuple[int, ...]) -> tuple[Mark, Mark]:
    try:
        return edge_marks(text)
    except ValueError:
        raise InputError(f"graph{list(cell)} is {text!r}, {_why_not(text)}") from None


def _why_not(text: str) -> str:
    """Why a link cannot be represented, and what to write instead."""
    is_link = len(text) == 3 and text[1] == "-" and set(text[::2]) <= set("<>o-x+")
    if is_link and "+" in text:
        return (
            "where + says that several graphs with unlike marks were put together; pass one of "
            "these graphs, or write 'o' for a mark that is open"
        )
    if is_link and "x" in text:
        open_ = text.replace("x", "o")
        return (
            "a conflict at one end alone, and here an edge is in conflict at both ends or neither; "
            f"write 'x-x', or {open_!r} if that mark may be called open"
        )
    return "which is no edge; write it as '-->', 'o-o' or 'x-x', or set it to ''"
