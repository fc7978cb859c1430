"""Neighbourhoods: for each node the marks among its neighbours, as one small tile.

Rules about triangles and triples look at a node and two or three of its neighbours, so their cost
goes with the degree of a graph and not with its size.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, Int8

from jaxcause._namespace import namespace, put
from jaxcause._typing import AnyArray
from jaxcause.graph import Mark, SepSets


class Neighbourhoods(NamedTuple):
    """Tiles of every node b; ``s`` and ``t`` are places in its list of neighbours.

    Args:
        nodes: Neighbours in ascending order, padded with ``nodes``: ``[graphs, b, s]``.
        inner: Mark at b on the edge from its neighbour s.
        outer: Mark at neighbour s on the edge from b.
        among: Mark at neighbour t on the edge from neighbour s; none where they are not adjacent.
        non_adjacent: Whether neighbours s and t are two nodes without an edge.
    """

    nodes: Int[AnyArray, "graphs b s"]
    inner: Int8[AnyArray, "graphs b s"]
    outer: Int8[AnyArray, "graphs b s"]
    among: Int8[AnyArray, "graphs b s t"]
    non_adjacent: Bool[AnyArray, "graphs b s t"]


def neighbour_lists(
    adjacency: Bool[AnyArray, "graphs nodes nodes"], width: int
) -> Int[AnyArray, "graphs nodes s"]:
    """The first ``width`` neighbours of each node, padded with the number of nodes.

    >>> neighbour_lists(np.array([[[0, 1, 1], [1, 0, 0], [1, 0, 0]]], bool), 2).tolist()
    [[[1, 2], [0, 3], [0, 3]]]
    """
    (n_graphs, n, _), xp = adjacency.shape, namespace(adjacency)
    place = xp.cumsum(adjacency, axis=2, dtype=np.int32) - 1
    place = xp.where(adjacency, place, np.int32(width))
    graph, node, neighbour = xp.indices(adjacency.shape, dtype=np.int32)
    lists = xp.full((n_graphs, n, width), n, np.int32)
    return put(lists, (graph, node, place), neighbour)


def gather(
    marks: Int8[AnyArray, "graphs nodes nodes"], lists: Int[AnyArray, "graphs nodes s"]
) -> Neighbourhoods:
    """The tiles of every node."""
    n, xp = marks.shape[1], namespace(marks)
    padded = xp.pad(marks, [(0, 0), (0, 1), (0, 1)])
    graph = np.arange(marks.shape[0], dtype=np.int32)[:, None, None]
    node = np.arange(n, dtype=np.int32)[None, :, None]
    s, t = lists[:, :, :, None], lists[:, :, None, :]
    among = padded[graph[..., None], s, t]
    return Neighbourhoods(
        nodes=lists,
        inner=padded[graph, lists, node],
        outer=padded[graph, node, lists],
        among=among,
        non_adjacent=(among == Mark.NONE) & (s != t) & (s < n) & (t < n),
    )


def write_outer(
    marks: Int8[AnyArray, "graphs nodes nodes"],
    lists: Int[AnyArray, "graphs nodes s"],
    where: Bool[AnyArray, "graphs nodes s"],
    mark: np.int8,
) -> Int8[AnyArray, "graphs nodes nodes"]:
    """Put ``mark`` at neighbour s of b wherever ``[b, s]`` holds."""
    graph, node, neighbour = _chosen(marks, lists, where)
    return put(marks, (graph, node, neighbour), mark)


def write_inner(
    marks: Int8[AnyArray, "graphs nodes nodes"],
    lists: Int[AnyArray, "graphs nodes s"],
    where: Bool[AnyArray, "graphs nodes s"],
    mark: np.int8,
) -> Int8[AnyArray, "graphs nodes nodes"]:
    """Put ``mark`` at b on the edge from its neighbour s wherever ``[b, s]`` holds."""
    graph, node, neighbour = _chosen(marks, lists, where)
    return put(marks, (graph, neighbour, node), mark)


def _chosen(
    marks: AnyArray, lists: AnyArray, where: AnyArray
) -> tuple[AnyArray, AnyArray, AnyArray]:
    """Graph, node and neighbour of every entry; a neighbour beyond the end if it is not chosen."""
    xp = namespace(marks, lists, where)
    graph, node, _ = xp.indices(lists.shape, dtype=np.int32)
    return graph, node, xp.where(where, lists, np.int32(marks.shape[1]))


def separations(
    hoods: Neighbourhoods, sepsets: SepSets
) -> tuple[Bool[AnyArray, "graphs b s t"], Bool[AnyArray, "graphs b s t"]]:
    """Entry ``[b, s, t]``: a set separates the neighbours s and t; and such a set holds b."""
    xp = namespace(hoods, sepsets)
    graph = np.arange(hoods.nodes.shape[0], dtype=np.int32)[:, None, None, None]
    last = np.int32(hoods.nodes.shape[1] - 1)
    s = xp.minimum(hoods.nodes[:, :, :, None], last)
    t = xp.minimum(hoods.nodes[:, :, None, :], last)
    members, every = sepsets.classes()
    node = every[:, :, None, None]
    found = xp.asarray(sepsets.found)[graph, s, t]
    member = xp.zeros_like(found)
    for k in range(members.shape[-1]):
        member |= members[graph, s, t, k] == node
    return hoods.non_adjacent & found, member
