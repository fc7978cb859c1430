"""Graphs as the adjacency matrices of pcalg, and as the codes of causal-learn."""

from typing import Any

import numpy as np
from jaxtyping import Int

from jaxcause._checks import InputError, check_choice
from jaxcause.graph import CausalGraph, LaggedGraph, Mark
from jaxcause.io._named import AnyGraph, n_variables

PCALG_KINDS = ("amat.pag", "amat.cpdag")

_CAUSALLEARN = {Mark.NONE: 0, Mark.TAIL: -1, Mark.ARROW: 1, Mark.CIRCLE: 2}
"""The values of causal-learn's ``Endpoint``."""


def to_pcalg(graph: CausalGraph, *, kind: str = "amat.pag") -> Int[np.ndarray, "nodes nodes"]:
    """The adjacency matrix of R's pcalg.

    ``amat.pag`` represents MAGs and PAGs: entry ``[a, b]`` is the mark at *b*: 0 no edge, 1 circle,
    2 arrowhead, 3 tail. ``amat.cpdag`` represents DAGs and CPDAGs: entry ``[a, b]`` is 1 if the
    edge has an arrowhead at *a*, and both entries are 1 if it is undirected. Neither has a code for
    an edge in conflict, ``x-x``; it is refused.

    Args:
        graph: One graph over nodes.
        kind: ``"amat.pag"`` or ``"amat.cpdag"``.

    Raises:
        InputError: The matrix cannot hold an edge, or the graph is lagged or a batch.

    >>> to_pcalg(CausalGraph(np.array([[0, 2], [3, 0]])), kind="amat.cpdag").tolist()
    [[0, 0], [1, 0]]
    """
    check_choice("kind", kind, PCALG_KINDS)
    marks = marks_over_nodes(graph, f"pcalg's {kind}").astype(np.int64)
    _refuse_conflicts(marks, f"pcalg's {kind}")
    if kind == "amat.pag":
        return marks
    if (marks == Mark.CIRCLE).any() or ((marks == Mark.ARROW) & (marks.T == Mark.ARROW)).any():
        raise InputError("graph has circles or <->, which amat.cpdag cannot hold; use amat.pag")
    arrow_at_row = marks.T == Mark.ARROW
    undirected = (marks == Mark.TAIL) & (marks.T == Mark.TAIL)
    return np.asarray(arrow_at_row | undirected, np.int64)


def from_pcalg(amat: Any, *, kind: str) -> CausalGraph:
    """The graph of an adjacency matrix of R's pcalg; see `to_pcalg`.

    Args:
        amat: Whole numbers, ``[nodes, nodes]``.
        kind: ``"amat.pag"`` or ``"amat.cpdag"``; it does not follow from the matrix.

    Raises:
        InputError: The matrix is not square, or holds other codes.

    >>> from_pcalg([[0, 0], [1, 0]], kind="amat.cpdag").edges(["rain", "river"])
    [('rain', '-->', 'river')]
    """
    check_choice("kind", kind, PCALG_KINDS)
    codes = _codes("amat", amat, (0, 1, 2, 3) if kind == "amat.pag" else (0, 1))
    if kind == "amat.pag":
        return CausalGraph(codes.astype(np.int8))
    both = (codes | codes.T) == 1
    marks = np.where(both & (codes.T == 1) & (codes == 0), Mark.ARROW, Mark.TAIL)
    return CausalGraph(np.where(both, marks, Mark.NONE).astype(np.int8))


def to_causallearn_codes(graph: CausalGraph) -> Int[np.ndarray, "nodes nodes"]:
    """The matrix ``GeneralGraph.graph`` of causal-learn.

    Entry ``[a, b]`` is the mark at *a*: −1 tail, 1 arrowhead, 2 circle, 0 no edge.

    Raises:
        InputError: The graph is lagged or a batch, or has edges in conflict, ``x-x``, for which
            causal-learn has no code.

    >>> to_causallearn_codes(CausalGraph(np.array([[0, 2], [3, 0]]))).tolist()
    [[0, -1], [1, 0]]
    """
    marks = marks_over_nodes(graph, "causal-learn's GeneralGraph")
    _refuse_conflicts(marks, "causal-learn's GeneralGraph")
    codes = np.zeros(len(Mark), np.int64)
    for mark, code in _CAUSALLEARN.items():
        codes[mark] = code
    return codes[marks.T]


def from_causallearn_codes(codes: Any) -> CausalGraph:
    """The graph of a matrix of causal-learn; see `to_causallearn_codes`.

    Raises:
        InputError: The matrix is not square, or holds codes of two edges between one pair.

    >>> from_causallearn_codes([[0, -1], [1, 0]]).edges(["rain", "river"])
    [('rain', '-->', 'river')]
    """
    array = _codes("codes", codes, tuple(_CAUSALLEARN.values()))
    marks = np.zeros(array.shape, np.int8)
    for mark, code in _CAUSALLEARN.items():
        marks[array.T == code] = mark
    return CausalGraph(marks)


def marks_over_nodes(graph: AnyGraph, other: str) -> np.ndarray:
    """The marks of one graph over nodes."""
    if isinstance(graph, LaggedGraph):
        raise InputError(f"graph is lagged, which {other} cannot hold; write JSON or GraphML")
    n_variables(graph)
    return np.asarray(graph.marks)


def _refuse_conflicts(marks: np.ndarray, other: str) -> None:
    """Raise if an edge is in conflict: the other format would make it a hidden common cause."""
    if (marks == Mark.CONFLICT).any():
        i, j = np.argwhere(marks == Mark.CONFLICT)[0].tolist()
        raise InputError(
            f"graph has an edge in conflict, {i} x-x {j}, which {other} cannot hold; write JSON or "
            "GraphML, or give the edge other marks, such as o-o where its direction is open"
        )


def _codes(name: str, value: Any, known: tuple[int, ...]) -> np.ndarray:
    array = np.asarray(value)
    if array.ndim != 2 or array.shape[0] != array.shape[1]:
        raise InputError(f"{name} has shape {array.shape}, but must be [nodes, nodes]")
    if array.dtype.kind not in "iufb":
        raise InputError(f"{name} holds {array.dtype}; it must hold whole numbers")
    other = array[~np.isin(array, known)]
    if other.size:
        raise InputError(
            f"{name} holds {other[0]}; the codes are {', '.join(map(str, sorted(known)))}"
        )
    return array.astype(np.int64)
