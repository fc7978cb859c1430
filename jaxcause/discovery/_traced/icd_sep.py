"""ICD-Sep sets in arrays of fixed shape; `_host/icd_sep.py` says what they are."""

import itertools
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Bool, Int, UInt32

from jaxcause.discovery._kernel.bits import pack
from jaxcause.graph import Mark

_LAST = 2**31 - 1


class Tree(NamedTuple):
    """Possible-d-sep trees of all roots; a branch is known by its last step b, c.

    They are those of `_host/possible_d_sep_trees.py`, which defines them.

    Args:
        branch: Entry ``[root, b, c]``: some branch ends in the step from b to c.
        before: Nodes of the branch without c and the root, packed.
        distance: Steps from the root to each node, 0 where there is no branch.
    """

    branch: Bool[Array, "graphs root b c"]
    before: UInt32[Array, "graphs root b c words"]
    distance: Int[Array, "graphs root nodes"]


def grow_tree(marks: Array, *, depth: int, unknown: Array | None = None) -> Tree:
    """Breadth first from every node, each edge used once, the root's own edges first.

    Past the pairs ``unknown``, which no known set separates, it goes on as past adjacent ones.
    """
    n = marks.shape[-1]
    adjacent, arrow = marks != Mark.NONE, marks == Mark.ARROW
    node = jnp.arange(n, dtype=jnp.int32)
    at_root = (node[:, None, None] == node[None, :, None])[None]
    bits = pack(jnp.eye(n, dtype=bool))
    collider = arrow[:, :, :, None] & jnp.swapaxes(arrow, 1, 2)[:, None]
    shielded = adjacent if unknown is None else adjacent | unknown
    goes_on = adjacent[:, None] & (shielded[:, :, None, :] | collider)
    goes_on &= ~jnp.eye(n, dtype=bool)[None, :, None, :]

    layer = at_root & adjacent[:, None]
    queue = jnp.where(layer, node[None, None, None, :], _LAST)
    branch = layer
    used = layer | jnp.swapaxes(layer, 2, 3)
    nodes = jnp.where(layer[..., None], bits[None, None, None], jnp.uint32(0))
    before = jnp.zeros_like(nodes)
    distance = jnp.broadcast_to(adjacent, adjacent.shape).astype(jnp.int32)
    for steps in range(2, depth + 1):
        # Earliest branch a, b that goes on to c, for every root.
        place = jnp.where(goes_on[:, None], queue[..., None], _LAST)
        first, last = place.min(axis=2), place.argmin(axis=2)
        layer = (first < _LAST) & ~used & (first < jnp.swapaxes(first, 2, 3))
        graph, root, b, _ = jnp.indices(layer.shape, sparse=True)
        before_new = nodes[graph, root, last, b]
        before = jnp.where(layer[..., None], before_new, before)
        new_nodes = before_new | bits[None, None, None]
        nodes = jnp.where(layer[..., None], new_nodes, nodes)
        branch |= layer
        used |= layer | jnp.swapaxes(layer, 2, 3)
        reached = layer.any(axis=2) & (distance == 0)
        distance = jnp.where(reached, steps, distance)
        queue = _ranked(layer, first)
    return Tree(branch, before, distance)


def _ranked(layer: Array, first: Array) -> Array:
    """Places in the queue: by the branch that was extended, then by the new node."""
    shape = (*layer.shape[:2], -1)
    n = layer.shape[-1]
    by_node = jnp.swapaxes(jnp.where(layer, first, _LAST), 2, 3).reshape(shape)
    order = jnp.argsort(by_node, axis=-1, stable=True)
    rank = jnp.argsort(order, axis=-1, stable=True).astype(jnp.int32)
    return jnp.where(layer, jnp.swapaxes(rank.reshape(*layer.shape[:2], n, n), 2, 3), _LAST)


class Contexts(NamedTuple):
    """Nodes that the sets of a pair may hold, seen from one of its two nodes.

    Args:
        candidates: The nodes, in ascending order.
        direct: Whether each is a neighbour of the root.
        branch: Whether a branch ends in the step from one to another.
        before: Nodes of that branch without its last one and the root, packed.
        distance: Distance of each from the root.
        crowded: Graphs in which a pair has more such nodes than fit.
    """

    candidates: Int[Array, "graphs nodes slots width"]
    direct: Bool[Array, "graphs nodes slots width"]
    branch: Bool[Array, "graphs nodes slots width width"]
    before: UInt32[Array, "graphs nodes slots width width words"]
    distance: Int[Array, "graphs nodes slots width"]
    crowded: Bool[Array, "graphs"]


def contexts(
    tree: Tree,
    adjacent: Bool[Array, "graphs nodes nodes"],
    possible_ancestor: Bool[Array, "graphs nodes nodes"],
    ends: tuple[Array, Array, Array],
    width: int,
) -> Contexts:
    """Up to ``width`` nodes of the tree of x that are possible ancestors of x or y."""
    x, y, real = ends
    n = adjacent.shape[1]
    graph = jnp.arange(x.shape[0], dtype=jnp.int32)[:, None, None]
    node = jnp.arange(n, dtype=jnp.int32)[None, None, None]
    ancestors = jnp.swapaxes(possible_ancestor, 1, 2)
    allowed = (ancestors[graph, x] | ancestors[graph, y]) & (tree.distance[graph, x] > 0)
    allowed &= (node != x[..., None]) & (node != y[..., None]) & real[..., None]
    place = jnp.where(allowed, jnp.cumsum(allowed, axis=-1, dtype=jnp.int32) - 1, width)
    index = jnp.indices(allowed.shape, dtype=jnp.int32, sparse=True)
    listed = jnp.full((*x.shape, width), n, jnp.int32)
    listed = listed.at[(*index[:3], place)].set(jnp.broadcast_to(node, allowed.shape), mode="drop")
    have, listed = listed < n, jnp.minimum(listed, n - 1)
    g, r = graph[..., None], x[..., None]
    step = (g[..., None], r[..., None], listed[..., :, None], listed[..., None, :])
    return Contexts(
        candidates=listed,
        direct=adjacent[g, r, listed] & have,
        branch=tree.branch[step] & have[..., :, None] & have[..., None, :],
        before=tree.before[step],
        distance=tree.distance[g, r, listed],
        crowded=(allowed.sum(axis=-1) > width).any(axis=(1, 2)),
    )


def legal_sets(
    context: Contexts, n_nodes: int, size: int
) -> tuple[Int[np.ndarray, "sets size"], Bool[Array, "graphs nodes slots sets"]]:
    """All sets of ``size`` places in lexicographic order, and which of them are legal.

    A legal set comes from a legal set with one node less, by the end of a branch whose other nodes
    are in that set.
    """
    width = context.candidates.shape[-1]
    bits = pack(jnp.eye(n_nodes, dtype=bool))[context.candidates]
    table = np.zeros((1, 0), np.int32)
    legal = jnp.ones((*context.candidates.shape[:3], 1), bool)
    for members in range(1, size + 1):
        smaller = {tuple(row): rank for rank, row in enumerate(table.tolist())}
        combos = list(itertools.combinations(range(width), members))
        table = np.array(combos, np.uint32).reshape(-1, members)
        # Each member may be the last one: the set, the others, and the rank of these among sets.
        others = [np.delete(table, last, axis=1) for last in range(members)]
        rest = np.stack(others, axis=1)
        rank = np.array([[smaller[tuple(o)] for o in of] for of in rest.tolist()], np.uint32)
        reached = context.direct[..., table]
        if members > 1:
            have = lax.reduce(bits[..., rest, :], np.uint32(0), lax.bitwise_or, (6,))[..., None, :]
            step = rest, np.broadcast_to(table[:, :, None], rest.shape)
            inside = ((context.before[..., *step, :] & ~have) == 0).all(axis=-1)
            reached |= (context.branch[..., *step] & inside).any(axis=-1)
        legal = (legal[..., rank.reshape(len(table), members)] & reached).any(axis=-1)
    return table.astype(np.int32), legal
