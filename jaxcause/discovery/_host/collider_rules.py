"""Colliders by all separating sets: how many of the sets of two neighbours hold a node."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from jaxcause.discovery._host.candidates import CandidateLists
from jaxcause.discovery._host.cpdag import Triples
from jaxcause.discovery._host.edge_lists import EdgeLists, Entries
from jaxcause.discovery._host.evaluator import Evaluator
from jaxcause.discovery._host.rows import Pairs, Rows
from jaxcause.discovery._host.skeleton import Skeleton
from jaxcause.discovery._kernel.conditioning_sets import n_subsets
from jaxcause.discovery._problem import Problem
from jaxcause.stats import colex_subsets

SETS_PER_BLOCK = 1 << 20
"""Sets that are tested together: bounds the memory."""

PAIRS_PER_BLOCK = 1 << 17
"""Pairs whose sets are listed together: bounds the memory."""

ColliderRule = Literal["sepset", "conservative", "majority"]


def decide_triples(
    problem: Problem, evaluate: Evaluator, skeleton: Skeleton, rule: ColliderRule
) -> tuple[Triples, Int[np.ndarray, "graphs"]]:
    """Test which subsets of the neighbours of s, and of t, separate s and t.

    ``conservative``: b is a collider if no separating set holds it, and none if all do.
    ``majority``: a collider if fewer than half do, and none if more than half do.

    Args:
        problem: Test, knowledge and limits.
        evaluate: Its test.
        skeleton: The final skeleton.
        rule: How the separating sets decide.

    Returns:
        Colliders and non-colliders, and how many triples of each graph the data leave open.

    Source: Ramsey, Spirtes & Zhang (2006), "Adjacency-faithfulness and conservative causal
    inference"; Colombo & Maathuis (2014).
    """
    edges = EdgeLists.of(skeleton.adjacency)
    triples = UnshieldedTriples.of(edges, skeleton.adjacency)
    every, with_b = _separating_sets(problem, evaluate, triples, skeleton.adjacency)
    # Where the final skeleton offers no separating set, nothing is decided.
    if rule == "conservative":
        collider, non_collider = (every > 0) & (with_b == 0), (every > 0) & (with_b == every)
    else:
        collider, non_collider = 2 * with_b < every, 2 * with_b > every
    graph = triples.key[~collider & ~non_collider] // edges.n**3
    n_open = np.bincount(graph, minlength=len(skeleton.adjacency))
    none = UnshieldedTriples(edges.n, triples.key[non_collider])
    found = UnshieldedTriples(edges.n, triples.key[collider])
    return Triples(found.places(edges), lambda b, s, t: none.holds(edges, b, s, t)), n_open


class UnshieldedTriples(NamedTuple):
    """Triples s, b, t of which s and t are not adjacent, s before t.

    Args:
        n: Nodes of each graph.
        key: The entry of the pair s, t times the number of nodes, plus b, in ascending order.
    """

    n: int
    key: Int[np.ndarray, "triples"]

    @classmethod
    def of(
        cls, edges: EdgeLists, adjacency: Bool[np.ndarray, "graphs nodes nodes"]
    ) -> "UnshieldedTriples":
        """All of them."""
        flat, keys = adjacency.reshape(-1), [np.zeros(0, np.int64)]
        for one, other in edges.triples():
            pair = edges.between(edges.node(edges.entry[one]), edges.entry[other])
            keys.append((pair * edges.n + edges.owner[one] % edges.n)[~flat[pair]])
        return cls(edges.n, np.sort(np.concatenate(keys)))

    def pairs(self) -> tuple[Pairs, Int[np.ndarray, "pairs"]]:
        """The pairs s, t, and their entries."""
        entry = np.unique(self.key // self.n)
        node, y = np.divmod(entry, self.n)
        return Pairs(*np.divmod(node, self.n), y), entry

    def places(self, edges: EdgeLists) -> Iterator[tuple[Entries, Entries]]:
        """Where the edges from b to s and to t stand in the lists."""
        pair, b = np.divmod(self.key, self.n)
        node, t = np.divmod(pair, self.n)
        middle = node - node % self.n + b
        to_s, to_t = edges.between(middle, node), edges.between(middle, t)
        yield np.searchsorted(edges.entry, to_s), np.searchsorted(edges.entry, to_t)

    def holds(
        self, edges: EdgeLists, b: Entries, s: Entries, t: Entries
    ) -> Bool[np.ndarray, "some"]:
        """Which triples of nodes are among them."""
        pair = edges.between(np.minimum(s, t), np.maximum(s, t))
        return _is_in(self.key, pair * self.n + b % self.n)[1]


def _is_in(
    ordered: Int[np.ndarray, "keys"], key: Int[np.ndarray, "some"]
) -> tuple[Int[np.ndarray, "some"], Bool[np.ndarray, "some"]]:
    """Where keys stand in a list, and whether they do."""
    if not ordered.size:
        return np.zeros_like(key), np.zeros(key.shape, bool)
    at = np.minimum(np.searchsorted(ordered, key), ordered.size - 1)
    return at, ordered[at] == key


def _separating_sets(
    problem: Problem,
    evaluate: Evaluator,
    triples: UnshieldedTriples,
    adjacency: Bool[np.ndarray, "graphs nodes nodes"],
) -> tuple[Int[np.ndarray, "triples"], Int[np.ndarray, "triples"]]:
    """Of each triple how many sets separate its ends, and how many of them hold its middle."""
    every, entry = triples.pairs()
    total = np.zeros(entry.size, np.int64)
    holding = np.zeros(triples.key.size, np.int64)
    lists = CandidateLists(adjacency, problem.constraints.tiers)
    largest = min(int(lists.counts.max(initial=0)), problem.max_cond_size)
    for size in range(largest + 1):
        for pair, members in _separating(evaluate, lists, every, size):
            total += np.bincount(pair, minlength=total.size)
            key = entry[pair][:, None] * triples.n + members
            at, known = _is_in(triples.key, key.ravel())
            np.add.at(holding, at[known], 1)
    return total[np.searchsorted(entry, triples.key // triples.n)], holding


def _separating(
    evaluate: Evaluator, lists: CandidateLists, every: Pairs, size: int
) -> Iterator[tuple[Int[np.ndarray, "sets"], Int[np.ndarray, "sets size"]]]:
    """Sets of ``size`` that separate a pair: the numbers of the pairs, and the members."""
    for first in range(0, every.x.size, PAIRS_PER_BLOCK):
        pairs = every.at(np.arange(first, min(every.x.size, first + PAIRS_PER_BLOCK)))
        index, rows = lists.rows(pairs, size)
        if not index.size:
            continue
        n_sets = n_subsets(rows.n_candidates, size)
        # A pair has two rows; so that its sets are compared, both are in one block.
        order = np.argsort(rows.pair, kind="stable")
        ends = np.cumsum(np.bincount(rows.pair, n_sets, index.size)).astype(np.int64)
        block_of = (ends // SETS_PER_BLOCK)[rows.pair[order]]
        for block in np.split(order, np.flatnonzero(np.diff(block_of)) + 1):
            row = np.repeat(block, n_sets[block])
            before = np.cumsum(n_sets[block]) - n_sets[block]
            number = np.arange(row.size) - np.repeat(before, n_sets[block])
            members = rows.members(row, colex_subsets(size, number).astype(np.int64))
            # A set among the neighbours of both ends comes up twice, but counts once.
            sets = np.unique(np.column_stack([index[rows.pair[row]], members]), axis=0)
            pair, members = sets[:, 0], sets[:, 1:].astype(np.int32)
            ends_of_pair = tuple(end[pair] for end in pairs)
            each = Rows.own(np.arange(pair.size), ends_of_pair, members, np.full(pair.size, size))
            separates = evaluate(each, size).separated
            yield pair[separates] + first, members[separates]
