"""Directed and almost directed cycles, which no ancestral graph and no CPDAG holds."""

import math

import numpy as np
from jaxtyping import Bool, Int

from jaxcause._checks import InputError, check_square, is_concrete
from jaxcause._typing import AnyArray
from jaxcause.graph._causal_graph import check_marks
from jaxcause.graph._marks import Mark

_ROUNDS = 8
"""Rounds in which all graphs of a batch lose the nodes at their ends together."""


def cyclic_edges(
    marks: Int[AnyArray, "*graphs nodes nodes"],
) -> Bool[np.ndarray, "*graphs nodes nodes"]:
    r"""Which edges lie on a directed or an almost directed cycle.

    An edge i \*-> j says that j does not cause i. It contradicts a directed path j → … → i. With
    i → j the two are a *directed cycle*, with i <-> j an *almost directed* one, and with i o-> j
    one of both (Zhang 2008). A search returns such edges where a test erred or an assumption fails,
    so the directions of all edges on the cycle are in doubt.

    An edge in conflict, ``x-x``, has neither arrowhead nor tail, and lies on no cycle; nor does an
    edge ``---`` or ``o-o``.

    Args:
        marks: Graphs, such as ``graph.marks``; of a `LaggedGraph` ``marks[:, :, 0, 1]``, its edges
            at lag 0. Traced arrays cannot be inspected.

    Returns:
        Entry ``[i, j]`` and ``[j, i]``: the edge between i and j lies on such a cycle.

    Raises:
        InputError: The marks are no mixed graph, or are traced.

    >>> import numpy as np
    >>> marks = np.zeros((4, 4), np.int8)
    >>> for i, j in [(0, 1), (1, 2), (2, 0), (2, 3)]:
    ...     marks[i, j], marks[j, i] = Mark.ARROW, Mark.TAIL
    >>> np.argwhere(np.triu(cyclic_edges(marks))).tolist()
    [[0, 1], [0, 2], [1, 2]]
    """
    check_square("marks", marks)
    if not is_concrete(marks):
        raise InputError("marks is traced; call cyclic_edges on the result, outside of jit")
    check_marks(np.asarray(marks))
    return edges_on_cycles(np.asarray(marks))


def edges_on_cycles(
    ends: Int[np.ndarray, "*graphs nodes nodes"],
) -> Bool[np.ndarray, "*graphs nodes nodes"]:
    """As `cyclic_edges`, of marks that were checked before."""
    into = ends == Mark.ARROW
    kept = _between_arrowheads(into)
    found = np.zeros(ends.shape, bool)
    for graph in np.argwhere(kept.any(axis=-1)).tolist():
        at = tuple(graph)
        nodes = np.flatnonzero(kept[at])
        within = (*at, *np.ix_(nodes, nodes))
        found[within] = _on_cycles(into[within], ends[within] == Mark.TAIL)
    return found


def _between_arrowheads(
    into: Bool[np.ndarray, "*graphs nodes nodes"],
) -> Bool[np.ndarray, "*graphs nodes"]:
    """Nodes that can lie on a cycle: each has an arrowhead from one of them, and sends one."""
    shape, n = into.shape[:-1], into.shape[-1]
    owner, node = np.divmod(np.flatnonzero(into), max(1, n))
    start, end = owner, owner - owner % max(1, n) + node
    kept = np.ones(math.prod(shape), bool)
    for _ in range(_ROUNDS):
        sends, receives = np.zeros((2, kept.size), bool)
        sends[start], receives[end] = True, True
        kept = sends & receives
        within = kept[start] & kept[end]
        if within.all():
            return kept.reshape(shape)
        start, end = start[within], end[within]
    # A long path loses its two ends in each round, so the rest goes node by node.
    kept = kept.reshape(shape)
    for graph in np.argwhere(kept.any(axis=-1)).tolist():
        at = tuple(graph)
        nodes = np.flatnonzero(kept[at])
        kept[(*at, nodes)] = _peeled(into[(*at, *np.ix_(nodes, nodes))])
    return kept


def _peeled(into: Bool[np.ndarray, "nodes nodes"]) -> Bool[np.ndarray, "nodes"]:
    """The same for one graph, in time that grows with the square of its nodes."""
    kept = np.ones(len(into), bool)
    counts = np.stack([into.sum(axis=0), into.sum(axis=1)])
    ends = np.flatnonzero((counts == 0).any(axis=0)).tolist()
    kept[ends] = False
    while ends:
        node = ends.pop()
        for side, beside in enumerate((into[node], into[:, node])):
            at = np.flatnonzero(beside & kept)
            counts[side, at] -= 1
            gone = at[counts[side, at] == 0]
            kept[gone] = False
            ends.extend(gone.tolist())
    return kept


def _on_cycles(
    into: Bool[np.ndarray, "nodes nodes"], tail: Bool[np.ndarray, "nodes nodes"]
) -> Bool[np.ndarray, "nodes nodes"]:
    directed = into & tail.T
    reach = _reach(directed)
    contradicted = into & reach.T
    if not contradicted.any():
        return contradicted
    # u → v is on a path j ⇝ u → v ⇝ i that an edge i *-> j contradicts.
    on_path = directed & _joined(_joined(reach.T, contradicted.T), reach.T)
    return contradicted | contradicted.T | on_path | on_path.T


def _reach(directed: Bool[np.ndarray, "nodes nodes"]) -> Bool[np.ndarray, "nodes nodes"]:
    """Entry ``[i, j]``: a directed path leads from i to j, or i is j."""
    reach = directed | np.eye(len(directed), dtype=bool)
    while True:
        further = _joined(reach, reach)
        if (further == reach).all():
            return reach
        reach = further


def _joined(
    first: Bool[np.ndarray, "nodes nodes"], second: Bool[np.ndarray, "nodes nodes"]
) -> Bool[np.ndarray, "nodes nodes"]:
    return np.asarray(first.astype(np.float32) @ second.astype(np.float32) > 0)
