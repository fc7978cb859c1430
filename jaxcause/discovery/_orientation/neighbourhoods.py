"""Neighbourhoods: for each node the marks among its neighbours, as one small tile.

Rules about triangles and triples look at a node and two or three of its neighbours, so their cost
goes with the degree of a graph and not with its size.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Int, Int8

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

    nodes: Int[Array, "graphs b s"]
    inner: Int8[Array, "graphs b s"]
    outer: Int8[Array, "graphs b s"]
    among: Int8[Array, "graphs b s t"]
    non_adjacent: Bool[Array, "graphs b s t"]


def neighbour_lists(
    adjacency: Bool[Array, "graphs nodes nodes"], width: int
) -> Int[Array, "graphs nodes s"]:
    """The first ``width`` neighbours of each node, padded with the number of nodes.

    >>> import jax.numpy as jnp
    >>> neighbour_lists(jnp.array([[[0, 1, 1], [1, 0, 0], [1, 0, 0]]], bool), 2).tolist()
    [[[1, 2], [0, 3], [0, 3]]]
    """
    n_graphs, n, _ = adjacency.shape
    place = jnp.cumsum(adjacency, axis=2, dtype=jnp.int32) - 1
    place = jnp.where(adjacency, place, width)
    graph, node, neighbour = jnp.indices(adjacency.shape, dtype=jnp.int32)
    lists = jnp.full((n_graphs, n, width), n, jnp.int32)
    return lists.at[graph, node, place].set(neighbour, mode="drop")


def gather(
    marks: Int8[Array, "graphs nodes nodes"], lists: Int[Array, "graphs nodes s"]
) -> Neighbourhoods:
    """The tiles of every node."""
    n = marks.shape[1]
    padded = jnp.pad(marks, [(0, 0), (0, 1), (0, 1)])
    graph = jnp.arange(marks.shape[0], dtype=jnp.int32)[:, None, None]
    node = jnp.arange(n, dtype=jnp.int32)[None, :, None]
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
    marks: Int8[Array, "graphs nodes nodes"],
    lists: Int[Array, "graphs nodes s"],
    where: Bool[Array, "graphs nodes s"],
    mark: Int8[Array, ""],
) -> Int8[Array, "graphs nodes nodes"]:
    """Put ``mark`` at neighbour s of b wherever ``[b, s]`` holds."""
    graph, node, _ = jnp.indices(lists.shape, dtype=jnp.int32)
    target = jnp.where(where, lists, marks.shape[1])
    return marks.at[graph, node, target].set(mark, mode="drop")


def write_inner(
    marks: Int8[Array, "graphs nodes nodes"],
    lists: Int[Array, "graphs nodes s"],
    where: Bool[Array, "graphs nodes s"],
    mark: Int8[Array, ""],
) -> Int8[Array, "graphs nodes nodes"]:
    """Put ``mark`` at b on the edge from its neighbour s wherever ``[b, s]`` holds."""
    graph, node, _ = jnp.indices(lists.shape, dtype=jnp.int32)
    source = jnp.where(where, lists, marks.shape[1])
    return marks.at[graph, source, node].set(mark, mode="drop")


def separations(
    hoods: Neighbourhoods, sepsets: SepSets
) -> tuple[Bool[Array, "graphs b s t"], Bool[Array, "graphs b s t"]]:
    """Entry ``[b, s, t]``: a set separates the neighbours s and t; and such a set holds b."""
    graph = jnp.arange(hoods.nodes.shape[0], dtype=jnp.int32)[:, None, None, None]
    s = jnp.minimum(hoods.nodes[:, :, :, None], hoods.nodes.shape[1] - 1)
    t = jnp.minimum(hoods.nodes[:, :, None, :], hoods.nodes.shape[1] - 1)
    node = jnp.arange(hoods.nodes.shape[1], dtype=jnp.int32)[None, :, None, None]
    found = jnp.asarray(sepsets.found)[graph, s, t]
    member = jnp.zeros_like(found)
    members = jnp.asarray(sepsets.nodes)
    for k in range(members.shape[-1]):
        member |= members[graph, s, t, k] == node
    return hoods.non_adjacent & found, member


def padded_to(known: Bool[Array, "known known"], n_nodes: int) -> Bool[Array, "nodes nodes"]:
    """What is known of pairs, with nothing known of further nodes up to ``n_nodes``."""
    return jnp.pad(known, (0, n_nodes - known.shape[0]))


def degree_bucket(adjacency: Bool[np.ndarray, "graphs nodes nodes"]) -> int:
    """Width of the neighbour lists: the largest degree, rounded up to few sizes."""
    largest = int(adjacency.sum(axis=-1).max(initial=0))
    sizes = (4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
    return next((s for s in sizes if s >= largest), largest)
