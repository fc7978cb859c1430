"""ICD-Sep sets: the conditioning sets of ICD, grown along possible-d-sep trees."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, Int8, UInt64

from jaxcause.discovery._host.possible_d_sep_trees import Trees, as_words, grow_trees, members
from jaxcause.discovery._host.skeleton import Pairs

SETS_PER_BLOCK = 1 << 20
"""Sets that are grown together: bounds the memory."""


class GrownSets(NamedTuple):
    """Conditioning sets of some pairs, in the order in which they are to be tried.

    Args:
        pair: Which pair; ascending.
        members: The set, in ascending order.
    """

    pair: Int[np.ndarray, "sets"]
    members: Int[np.ndarray, "sets size"]


class _Contexts(NamedTuple):
    """Pairs of nodes, each seen from one of them: sets grow along the tree of that node.

    Args:
        tree: Tree of the node.
        pair: The pair.
        side: 0 for its first node, 1 for its second.
        allowed: Which nodes its sets may hold, as a set.
    """

    tree: Int[np.ndarray, "contexts"]
    pair: Int[np.ndarray, "contexts"]
    side: Int[np.ndarray, "contexts"]
    allowed: UInt64[np.ndarray, "contexts words"]

    def at(self, index: np.ndarray) -> "_Contexts":
        """Some of the contexts."""
        return _Contexts(*(part[index] for part in self))


class _UsableBranches(NamedTuple):
    """Branches that the sets of each context may use, one context after the other.

    Args:
        starts: First branch of each context, and one past the last.
        before: The branch without its last node, as a set.
        added: Its last node, as a set.
    """

    starts: Int[np.ndarray, "contexts_and_one"]
    before: UInt64[np.ndarray, "branches words"]
    added: UInt64[np.ndarray, "branches words"]


def icd_sep_sets(
    marks: Int8[np.ndarray, "graphs nodes nodes"],
    possible_ancestor: Bool[np.ndarray, "graphs nodes nodes"],
    pairs: Pairs,
    size: int,
    *,
    unknown: Bool[np.ndarray, "graphs nodes nodes"] | None = None,
    order: Int[np.ndarray, "graphs nodes"] | None = None,
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
        unknown: Pairs that are not adjacent though no set is known that separates them.
        order: The nodes of each graph in the order in which trees take them; by default that of
            their numbers.

    Source: Rohekar, Nisimov, Gurwicz & Novik (2021), "Iterative causal discovery in the possible
    presence of latent confounders and selection bias".
    """
    if order is not None:
        return _renumbered(marks, possible_ancestor, pairs, size, unknown, order)
    trees = grow_trees(marks, depth=size, unknown=unknown)
    contexts = _contexts(trees, possible_ancestor, pairs, size)
    found = [_with_keys(trees, *grown) for grown in _grown_sets(trees, contexts, size)]
    if not found:
        return GrownSets(np.zeros(0, np.int64), np.zeros((0, size), np.int32))
    key, nodes = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.lexsort((*nodes.T[::-1], *key.T[::-1]))
    return GrownSets(key[order, 0], nodes[order])


def _renumbered(
    marks: np.ndarray,
    possible_ancestor: np.ndarray,
    pairs: Pairs,
    size: int,
    unknown: np.ndarray | None,
    order: np.ndarray,
) -> GrownSets:
    """The sets of the same graphs with their nodes numbered in another order."""
    graph = np.arange(len(order))[:, None, None]
    rows, columns = order[:, :, None], order[:, None, :]
    place = np.argsort(order, axis=1)
    sets = icd_sep_sets(
        marks[graph, rows, columns],
        possible_ancestor[graph, rows, columns],
        Pairs(pairs.graph, place[pairs.graph, pairs.x], place[pairs.graph, pairs.y]),
        size,
        unknown=None if unknown is None else unknown[graph, rows, columns],
    )
    members = order[pairs.graph[sets.pair][:, None], sets.members]
    return sets._replace(members=members.astype(sets.members.dtype))


def _contexts(trees: Trees, possible_ancestor: np.ndarray, pairs: Pairs, size: int) -> _Contexts:
    """Both contexts of each pair, but for those that have no set of ``size`` nodes."""
    n, n_pairs = possible_ancestor.shape[1], pairs.x.size
    ancestors = np.swapaxes(possible_ancestor, 1, 2)
    allowed = ancestors[pairs.graph, pairs.x] | ancestors[pairs.graph, pairs.y]
    allowed[np.arange(n_pairs), pairs.x] = allowed[np.arange(n_pairs), pairs.y] = False
    tree = np.tile(pairs.graph, 2) * n + np.concatenate([pairs.x, pairs.y])
    pair, side = np.tile(np.arange(n_pairs), 2), np.repeat([0, 1], n_pairs)
    # A set takes a neighbour of the root, and as many nodes of the tree as it has members.
    inside = (trees.distance[tree] > 0) & allowed[pair]
    near = inside & (trees.distance[tree] == 1)
    enough = near.any(axis=1) & (inside.sum(axis=1) >= size)
    return _Contexts(tree, pair, side, as_words(allowed)[pair]).at(enough)


def _grown_sets(
    trees: Trees, contexts: _Contexts, size: int
) -> Iterator[tuple[_Contexts, np.ndarray]]:
    """Blocks of sets that fit into memory together: the context of each set, and the set."""
    n_branches = trees.starts[contexts.tree + 1] - trees.starts[contexts.tree]
    block_of = np.cumsum(n_branches) // SETS_PER_BLOCK
    splits = np.flatnonzero(np.diff(block_of)) + 1
    for block in np.split(np.arange(n_branches.size), splits):
        if block.size:
            yield from _grow(trees, contexts.at(block), size)


def _grow(trees: Trees, contexts: _Contexts, size: int) -> Iterator[tuple[_Contexts, np.ndarray]]:
    """Grow sets node by node from the empty set; halve the block where they are too many."""
    branches = _usable_branches(trees, contexts)
    n_contexts = contexts.tree.size
    context = np.arange(n_contexts)
    sets = np.zeros(contexts.allowed.shape, np.uint64)
    for _ in range(size):
        fan = branches.starts[context + 1] - branches.starts[context]
        if fan.sum() > 16 * SETS_PER_BLOCK and n_contexts > 1:
            for half in np.array_split(np.arange(n_contexts), 2):
                yield from _grow(trees, contexts.at(half), size)
            return
        context, sets = _one_more(branches, context, sets, fan)
        if not context.size:
            return
    yield contexts.at(context), sets


def _usable_branches(trees: Trees, contexts: _Contexts) -> _UsableBranches:
    """Branches of each context's tree that lie wholly among the nodes that the context allows."""
    first = trees.starts[contexts.tree]
    context, branch = _expanded(first, trees.starts[contexts.tree + 1] - first)
    inside = ((trees.nodes[branch] & ~contexts.allowed[context]) == 0).all(axis=1)
    # A branch may come back to one of its own nodes, and then adds nothing.
    inside &= (trees.nodes[branch] != trees.before[branch]).any(axis=1)
    branch, context = branch[inside], context[inside]
    starts = np.searchsorted(context, np.arange(first.size + 1))
    before = trees.before[branch]
    return _UsableBranches(starts, before, trees.nodes[branch] ^ before)


def _one_more(
    branches: _UsableBranches, context: np.ndarray, sets: np.ndarray, fan: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Each set with one more node: the end of a branch whose other nodes are in the set."""
    which, branch = _expanded(branches.starts[context], fan)
    before, added, have = branches.before[branch], branches.added[branch], sets[which]
    grows = ((before & ~have) == 0).all(axis=1) & ((added & have) == 0).all(axis=1)
    which, larger = which[grows], (have | added)[grows]
    return _distinct(context[which], larger)


def _expanded(first: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which range, and the number, for all numbers in ranges ``first … first + count - 1``."""
    which = np.repeat(np.arange(count.size), count)
    place = np.arange(which.size) - np.repeat(np.cumsum(count) - count, count)
    return which, first[which] + place


def _distinct(context: np.ndarray, sets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each set of a context once."""
    if not context.size:
        return context, sets
    order = np.lexsort((*sets.T, context))
    context, sets = context[order], sets[order]
    new = (context[1:] != context[:-1]) | (sets[1:] != sets[:-1]).any(axis=1)
    keep = np.concatenate([[True], new])
    return context[keep], sets[keep]


def _with_keys(
    trees: Trees, contexts: _Contexts, sets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The key (pair, sum of distances, side) of each set, and its members."""
    nodes = members(sets, trees.distance.shape[1])[1].reshape(len(sets), -1).astype(np.int32)
    total = trees.distance[contexts.tree[:, None], nodes].sum(axis=1)
    return np.stack([contexts.pair, total, contexts.side], axis=1), nodes
