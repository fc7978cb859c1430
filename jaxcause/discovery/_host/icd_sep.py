"""ICD-Sep sets: the conditioning sets of ICD, grown along trees of possible-d-sep.

Sets of nodes are words of 64 bits, node 0 first, so that of two sets of one size the one that comes
first in lexicographic order is the larger number.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, Int8, UInt64

from jaxcause.discovery._host.skeleton import Pairs
from jaxcause.discovery._host.tree_growth import Claims
from jaxcause.graph import Mark

SETS_PER_BLOCK = 1 << 20
"""Sets that are grown together: bounds the memory."""

_BITS = 64


class Trees(NamedTuple):
    """Possible-d-sep trees of all roots of a batch of graphs; branches lie one after the other.

    A branch is a path from the root, known by its last node.

    Args:
        starts: First branch of each root, and one past the last: ``[roots + 1]``.
        head: Last node of each branch.
        before: The branch without its last node, as a set.
        nodes: All nodes of the branch but the root, as a set.
        distance: Edges from each root to each node, 0 where there is no branch: ``[roots, nodes]``.
    """

    starts: Int[np.ndarray, "roots_and_one"]
    head: Int[np.ndarray, "branches"]
    before: UInt64[np.ndarray, "branches words"]
    nodes: UInt64[np.ndarray, "branches words"]
    distance: Int[np.ndarray, "roots nodes"]


class GrownSets(NamedTuple):
    """Conditioning sets of some pairs, in the order in which they are to be tried.

    Args:
        pair: Which pair; ascending.
        members: The set, in ascending order.
    """

    pair: Int[np.ndarray, "sets"]
    members: Int[np.ndarray, "sets size"]


def icd_sep_sets(
    marks: Int8[np.ndarray, "graphs nodes nodes"],
    possible_ancestor: Bool[np.ndarray, "graphs nodes nodes"],
    pairs: Pairs,
    size: int,
) -> GrownSets:
    """All ICD-Sep sets of ``size`` nodes for each pair.

    A set is legal for the pair x, y if each of its nodes ends a branch, of the tree of x or of y,
    whose nodes are all in the set, and if each is a possible ancestor of x or y. The sets from x
    and y in lexicographic order are tried by the sum of their distances from the root.

    Args:
        marks: The graphs as the level begins.
        possible_ancestor: Entry ``[u, v]``: a possibly directed path leads from u to v.
        pairs: The pairs.
        size: Members of a set, and depth of the trees.

    Source: Rohekar, Nisimov, Gurwicz & Novik (2021), "Iterative causal discovery in the possible
    presence of latent confounders and selection bias".
    """
    n = marks.shape[1]
    trees = grow_trees(marks, depth=size)
    number = np.tile(np.arange(pairs.x.size), 2)
    side = np.repeat([0, 1], pairs.x.size)
    root = np.tile(pairs.graph, 2) * n + np.concatenate([pairs.x, pairs.y])
    ancestors = np.swapaxes(possible_ancestor, 1, 2)
    allowed = ancestors[pairs.graph, pairs.x] | ancestors[pairs.graph, pairs.y]
    allowed[np.arange(pairs.x.size), pairs.x] = allowed[np.arange(pairs.x.size), pairs.y] = False
    # A set takes a neighbour of the root, and as many nodes of the tree as it has members.
    near = (trees.distance[root] == 1) & allowed[number]
    enough = near.any(axis=1) & (((trees.distance[root] > 0) & allowed[number]).sum(axis=1) >= size)
    root, number, side = root[enough], number[enough], side[enough]
    room = _as_words(allowed)[number]
    found = [
        _ordered(trees, root[block], number[block], side[block], grown, n)
        for block, grown in _blocks(trees, root, room, size)
    ]
    if not found:
        return GrownSets(np.zeros(0, np.int64), np.zeros((0, size), np.int32))
    key, members = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.lexsort((*members.T[::-1], *key.T[::-1]))
    return GrownSets(key[order, 0], members[order])


def grow_trees(marks: Int8[np.ndarray, "graphs nodes nodes"], *, depth: int) -> Trees:
    """Breadth first from every node, each edge used once, the root's own edges first.

    From a, b a branch goes on to c if a and c are adjacent, or b is a collider between them. All
    trees grow layer by layer together; within a layer edges are claimed in the order of the queue.
    """
    n_graphs, n, _ = marks.shape
    adjacent, arrow = marks != Mark.NONE, marks == Mark.ARROW
    root, head = np.divmod(np.flatnonzero(adjacent), n)
    last = root % n
    before = np.zeros((root.size, -(-n // _BITS)), np.uint64)
    nodes = before | _bit(head, n)
    layers = [(root, head, before, nodes)]
    distance = np.zeros((n_graphs * n, n), np.int64)
    distance[root, head] = 1
    claims = Claims.by_roots(adjacent, arrow) if depth > 1 and root.size else None
    for steps in range(2, depth + 1):
        if claims is None or not root.size:
            break
        branch, step = claims.next_layer(root, last, head)
        root, last, head = root[branch], head[branch], step
        before = nodes[branch]
        nodes = before | _bit(head, n)
        layers.append((root, head, before, nodes))
        new = distance[root, head] == 0
        distance[root[new], head[new]] = steps
    root, head, before, nodes = (np.concatenate(part) for part in zip(*layers, strict=True))
    order = np.argsort(root, kind="stable")
    starts = np.searchsorted(root[order], np.arange(n_graphs * n + 1))
    return Trees(starts, head[order], before[order], nodes[order], distance)


class _Rooms(NamedTuple):
    """Branches that the sets of each context may use, one after the other."""

    starts: Int[np.ndarray, "contexts_and_one"]
    before: UInt64[np.ndarray, "branches words"]
    added: UInt64[np.ndarray, "branches words"]


def _blocks(trees: Trees, root: np.ndarray, room: np.ndarray, size: int):  # noqa: ANN202
    """Contexts whose sets fit into memory together, with these sets."""
    n_branches = trees.starts[root + 1] - trees.starts[root]
    block_of = np.cumsum(n_branches) // SETS_PER_BLOCK
    for block in np.split(np.arange(root.size), np.flatnonzero(np.diff(block_of)) + 1):
        if block.size:
            yield from _grow(trees, root, room, block, size)


def _grow(trees: Trees, root: np.ndarray, room: np.ndarray, block: np.ndarray, size: int):  # noqa: ANN202
    """Grow the sets of a block of contexts branch by branch; halve it where they are too many."""
    rooms = _rooms(trees, root[block], room[block])
    context = np.arange(block.size)
    sets = np.zeros((block.size, room.shape[1]), np.uint64)
    for _ in range(size):
        fan = rooms.starts[context + 1] - rooms.starts[context]
        if fan.sum() > 16 * SETS_PER_BLOCK and block.size > 1:
            for half in np.array_split(block, 2):
                yield from _grow(trees, root, room, half, size)
            return
        context, sets = _one_more(rooms, context, sets, fan)
        if not context.size:
            return
    yield block, (context, sets)


def _rooms(trees: Trees, root: np.ndarray, room: np.ndarray) -> _Rooms:
    """Branches of each context's tree that lie wholly among the nodes that the context allows."""
    fan = trees.starts[root + 1] - trees.starts[root]
    context = np.repeat(np.arange(root.size), fan)
    within = np.arange(context.size) - np.repeat(np.cumsum(fan) - fan, fan)
    branch = trees.starts[root[context]] + within
    inside = ((trees.nodes[branch] & ~room[context]) == 0).all(axis=1)
    # A branch may come back to one of its own nodes, and then adds nothing.
    inside &= (trees.nodes[branch] != trees.before[branch]).any(axis=1)
    branch, context = branch[inside], context[inside]
    starts = np.searchsorted(context, np.arange(root.size + 1))
    before = trees.before[branch]
    return _Rooms(starts, before, trees.nodes[branch] ^ before)


def _one_more(
    rooms: _Rooms, context: np.ndarray, sets: np.ndarray, fan: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Each set with one more node: the end of a branch whose other nodes are in the set."""
    which = np.repeat(np.arange(context.size), fan)
    within = np.arange(which.size) - np.repeat(np.cumsum(fan) - fan, fan)
    branch = rooms.starts[context[which]] + within
    before, added, have = rooms.before[branch], rooms.added[branch], sets[which]
    grows = ((before & ~have) == 0).all(axis=1) & ((added & have) == 0).all(axis=1)
    which, larger = which[grows], (have | added)[grows]
    return _distinct(context[which], larger)


def _distinct(context: np.ndarray, sets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each set of a context once."""
    if not context.size:
        return context, sets
    order = np.lexsort((*sets.T, context))
    context, sets = context[order], sets[order]
    new = (context[1:] != context[:-1]) | (sets[1:] != sets[:-1]).any(axis=1)
    keep = np.concatenate([[True], new])
    return context[keep], sets[keep]


def _ordered(
    trees: Trees,
    root: np.ndarray,
    pair: np.ndarray,
    side: np.ndarray,
    grown: tuple[np.ndarray, np.ndarray],
    n: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Sort keys (pair, distance sum, side) of the sets of a block, and their members."""
    context, sets = grown
    bits = np.unpackbits(sets.astype(">u8").view(np.uint8), axis=1)[:, :n]
    members = np.nonzero(bits)[1].reshape(context.size, -1).astype(np.int32)
    total = trees.distance[root[context][:, None], members].sum(axis=1)
    return np.stack([pair[context], total, side[context]], axis=1), members


def _bit(node: np.ndarray, n: int) -> np.ndarray:
    """Sets of one node each."""
    sets = np.zeros((node.size, -(-n // _BITS)), np.uint64)
    shift = (_BITS - 1 - node % _BITS).astype(np.uint64)
    sets[np.arange(node.size), node // _BITS] = np.uint64(1) << shift
    return sets


def _as_words(mask: np.ndarray) -> np.ndarray:
    """Rows of a mask as sets."""
    padded = np.pad(mask, [(0, 0), (0, -mask.shape[1] % _BITS)])
    return np.packbits(padded, axis=1).view(">u8").astype(np.uint64)
