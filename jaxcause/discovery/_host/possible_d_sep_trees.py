"""Possible-d-sep trees: the paths from a root along which other nodes may matter to it.

A tree grows breadth first, and uses each edge once: first the edges of its root. From a path that
ends in a, b it goes on to c if a and c are adjacent, or if b is a collider between them. Where two
paths of one layer could use an edge, the earlier one in the queue does. So a whole layer of all
trees is found at once: list the steps that each path could take, and keep the first of each edge.

`_traced/icd_sep.py` grows the same trees in arrays of fixed shape, which take memory and time of
another order; a test holds both equal.

Sets of nodes are words of 64 bits, node 0 first, so that of two sets of one size the one that comes
first in lexicographic order is the larger number.

Source: Rohekar, Nisimov, Gurwicz & Novik (2021), "Iterative causal discovery in the possible
presence of latent confounders and selection bias".
"""

import itertools
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, Integer, UInt64

from jaxcause.graph import Mark

BITS = 64
TREES_PER_BLOCK = 512
"""Trees that grow together: their branches stay in the cache."""

MOST_SLOTS = 1 << 26
"""Values of which the first occurrence is looked up in a table; more are sorted."""


class Trees(NamedTuple):
    """Possible-d-sep trees of a batch of graphs; branches lie one after the other.

    A branch is a path from the root, known by its last node.

    Args:
        starts: First branch of each tree, and one past the last: ``[trees + 1]``.
        head: Last node of each branch.
        before: The branch without its last node, as a set.
        nodes: All nodes of the branch but the root, as a set.
        distance: Edges from each root to each node, 0 where there is no branch: ``[trees, nodes]``.
    """

    starts: Int[np.ndarray, "trees_and_one"]
    head: Int[np.ndarray, "branches"]
    before: UInt64[np.ndarray, "branches words"]
    nodes: UInt64[np.ndarray, "branches words"]
    distance: Int[np.ndarray, "trees nodes"]


class _Layer(NamedTuple):
    """Branches of one length in the order of the queue: their tree, and their last step a, b."""

    tree: Int[np.ndarray, "branches"]
    a: Int[np.ndarray, "branches"]
    b: Int[np.ndarray, "branches"]


class _Edges(NamedTuple):
    """The edges of all graphs, and those that each tree has not used yet.

    Args:
        graph: Graph of each tree.
        into: Entry ``[graph, b, a]``: the edge a, b has an arrowhead at b.
        onward: Nodes that a path from each node may go on to after one more step, as sets: its
            neighbours, and those from which no set is known to separate it.
        sources: The same of those with an arrowhead at the node.
        unused: For each tree and node, the neighbours whose edge no branch has used.
    """

    graph: Int[np.ndarray, "trees"]
    into: Bool[np.ndarray, "graphs nodes nodes"]
    onward: UInt64[np.ndarray, "graphs nodes words"]
    sources: UInt64[np.ndarray, "graphs nodes words"]
    unused: UInt64[np.ndarray, "trees nodes words"]


def possible_d_sep_distances(
    marks: Integer[np.ndarray, "graphs nodes nodes"], root: int, max_distance: int | None = None
) -> Int[np.ndarray, "graphs nodes"]:
    """Distance of each node from the root in the root's possible-d-sep tree; 0 outside of the tree.

    Args:
        marks: Marks of the graphs.
        root: Where the trees start.
        max_distance: Depth of the trees; by default they grow to their end.

    Source: Rohekar, Nisimov, Gurwicz & Novik (2021), "Iterative causal discovery in the possible
    presence of latent confounders and selection bias".

    >>> path = np.array([[[0, 2, 0], [1, 0, 1], [0, 2, 0]]])
    >>> possible_d_sep_distances(path, 0).tolist()
    [[0, 1, 2]]
    """
    return grow_trees(marks, root=root, depth=max_distance).distance


def grow_trees(
    marks: Integer[np.ndarray, "graphs nodes nodes"],
    *,
    root: int | None = None,
    depth: int | None = None,
    unknown: Bool[np.ndarray, "graphs nodes nodes"] | None = None,
) -> Trees:
    """The trees of one root in each graph, or by default of every node of each graph.

    Args:
        marks: Marks of the graphs.
        root: Where the trees start.
        depth: Depth of the trees; by default they grow to their end.
        unknown: Pairs that are not adjacent though no set is known that separates them: a path
            goes on past them as if they were adjacent, since its middle may be a collider.
    """
    roots = np.arange(marks.shape[1]) if root is None else np.array([root])
    step = max(1, TREES_PER_BLOCK // max(1, roots.size))
    blocks = [slice(start, start + step) for start in range(0, max(1, len(marks)), step)]
    grown = [
        _grow(marks[block], roots, depth, None if unknown is None else unknown[block])
        for block in blocks
    ]
    if len(grown) == 1:
        return grown[0]
    ends = np.cumsum([trees.starts[-1] for trees in grown])
    starts = [trees.starts[1:] + before for trees, before in zip(grown[1:], ends, strict=False)]
    _, *rest = zip(*grown, strict=True)
    return Trees(np.concatenate([grown[0].starts, *starts]), *map(np.concatenate, rest))


def _grow(
    marks: Integer[np.ndarray, "graphs nodes nodes"],
    roots: Int[np.ndarray, "roots"],
    depth: int | None,
    unknown: Bool[np.ndarray, "graphs nodes nodes"] | None,
) -> Trees:
    """The trees of some roots in each graph, as `grow_trees` describes them."""
    n_graphs, n, _ = marks.shape
    root_of = np.tile(roots, n_graphs)
    adjacent = marks != Mark.NONE
    tree, b = np.nonzero(adjacent[:, roots].reshape(-1, n))
    layer = _Layer(tree, root_of[tree], b)
    edges = _edges(marks, root_of, unknown)
    before = np.zeros((tree.size, -(-n // BITS)), np.uint64)
    nodes = one_node(b, n)
    distance = np.zeros((root_of.size, n), np.int64)
    layers = []
    for steps in itertools.count(1) if depth is None else range(1, depth + 1):
        layers.append((layer.tree, layer.b, before, nodes))
        place = layer.tree * n + layer.b
        distance.reshape(-1)[place[distance.take(place) == 0]] = steps
        if steps == depth or not layer.b.size:
            break
        branch, layer = _next_layer(layer, edges, is_last=steps + 1 == depth)
        before = nodes.take(branch, axis=0)
        nodes = before | one_node(layer.b, n)
    tree, head, before, nodes = (np.concatenate(part) for part in zip(*layers, strict=True))
    order = np.argsort(tree, kind="stable")
    starts = np.searchsorted(tree[order], np.arange(root_of.size + 1))
    return Trees(starts, head[order], before[order], nodes[order], distance)


def _edges(marks: np.ndarray, root_of: np.ndarray, unknown: np.ndarray | None) -> _Edges:
    """The edges as the trees begin: each has used those of its root."""
    n_graphs, n, _ = marks.shape
    graph = np.repeat(np.arange(n_graphs), root_of.size // max(1, n_graphs))
    into = np.swapaxes(marks == Mark.ARROW, 1, 2)
    neighbours = as_words(marks != Mark.NONE)
    unused = neighbours[graph] & ~one_node(root_of, n)[:, None]
    unused[np.arange(root_of.size), root_of] = 0
    onward = neighbours if unknown is None else neighbours | as_words(unknown)
    return _Edges(graph, into, onward, as_words(into), unused)


def _next_layer(
    layer: _Layer, edges: _Edges, is_last: bool
) -> tuple[Int[np.ndarray, "more"], _Layer]:
    """The branches with one more node, and which branch each of them continues.

    The edges that they use are taken out of ``edges.unused``, unless no layer follows.
    """
    tree, a, b = layer
    n, n_words = edges.into.shape[1], edges.unused.shape[2]
    onward, sources, unused = (
        sets.reshape(-1, n_words) for sets in (edges.onward, edges.sources, edges.unused)
    )
    node = edges.graph.take(tree) * n + b
    possible = onward.take(node - b + a, axis=0)
    collider = np.flatnonzero(edges.into.take(node * n + a))
    possible[collider] |= sources.take(node.take(collider), axis=0)
    possible &= unused.take(tree * n + b, axis=0)
    branch, c = members(possible, n)
    tree, b = tree.take(branch), b.take(branch)
    edge = tree * n
    edge += np.minimum(b, c)
    edge *= n
    edge += np.maximum(b, c)
    first = first_of_each_value(edge, edges.unused.shape[0] * n * n)
    branch, longer = branch.take(first), _Layer(*(part.take(first) for part in (tree, b, c)))
    if is_last:
        return branch, longer
    for end, other in ((longer.a, longer.b), (longer.b, longer.a)):
        # An edge is used once, so that subtracting its bit takes it out; `subtract.at` is fast.
        word = (longer.tree * n + end) * n_words + other // BITS
        np.subtract.at(unused.reshape(-1), word, _bit(other))
    return branch, longer


def as_words(mask: Bool[np.ndarray, "*rows nodes"]) -> UInt64[np.ndarray, "*rows words"]:
    """Each row of a mask as a set."""
    padded = np.pad(mask, [*[(0, 0)] * (mask.ndim - 1), (0, -mask.shape[-1] % BITS)])
    octets = np.ascontiguousarray(np.packbits(padded, axis=-1))
    return octets.view(">u8").astype(np.uint64)


def one_node(node: Int[np.ndarray, "sets"], n: int) -> UInt64[np.ndarray, "sets words"]:
    """Sets of one node each, of ``n`` nodes."""
    sets = np.zeros((node.size, -(-n // BITS)), np.uint64)
    sets[np.arange(node.size), node // BITS] = _bit(node)
    return sets


def members(
    sets: UInt64[np.ndarray, "sets words"], n: int
) -> tuple[Int[np.ndarray, "members"], Int[np.ndarray, "members"]]:
    """Which set, and which of ``n`` nodes: the members of all sets, in ascending order."""
    count = np.bitwise_count(sets).sum(axis=1, dtype=np.int64)
    some = np.flatnonzero(count)
    octets = sets[some].astype(">u8").view(np.uint8)[:, : -(-n // 8)]
    # Flat and boolean, they are found several times faster.
    found = np.flatnonzero(np.unpackbits(octets.reshape(-1)).view(bool))
    found -= np.repeat(np.arange(some.size) * (8 * octets.shape[1]), count[some])
    return np.repeat(some, count[some]), found


def first_of_each_value(
    value: Int[np.ndarray, "entries"], n_values: int
) -> Int[np.ndarray, "firsts"]:
    """Where each value occurs first, in ascending order; values are at least 0, below n_values."""
    if n_values > MOST_SLOTS:
        return np.sort(np.unique(value, return_index=True)[1])
    # Of several entries written to one place the last stays: backwards, that is the first.
    place, entry = np.empty(n_values, np.int32), np.arange(value.size, dtype=np.int32)
    place[value[::-1]] = entry[::-1]
    return np.flatnonzero(place[value] == entry)


def _bit(node: np.ndarray) -> UInt64[np.ndarray, "nodes"]:
    """The bit of each node in its word."""
    return np.uint64(1) << (BITS - 1 - node % BITS).astype(np.uint64)
