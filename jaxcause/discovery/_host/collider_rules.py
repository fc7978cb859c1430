"""Colliders by all separating sets: how many of the sets of two neighbours hold a node."""

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from jaxcause.discovery._host.candidates import CandidateLists
from jaxcause.discovery._host.evaluator import Evaluator
from jaxcause.discovery._host.rows import Pairs, Rows
from jaxcause.discovery._host.skeleton import Skeleton
from jaxcause.discovery._kernel.conditioning_sets import n_subsets
from jaxcause.discovery._problem import Problem
from jaxcause.stats import colex_subsets

SETS_PER_BLOCK = 1 << 20
"""Sets that are tested together: bounds the memory."""

ColliderRule = Literal["sepset", "conservative", "majority"]


class Triples(NamedTuple):
    """Which triples s, b, t of neighbourhoods are colliders and which are not; others are open.

    Args:
        collider: s *→ b ←* t.
        non_collider: b is no collider between s and t.
        n_open: Triples of each graph that the data leave open, counted once.
    """

    collider: Bool[np.ndarray, "graphs b s t"]
    non_collider: Bool[np.ndarray, "graphs b s t"]
    n_open: Int[np.ndarray, "graphs"]


def decide_triples(
    problem: Problem,
    evaluate: Evaluator,
    skeleton: Skeleton,
    lists: Int[np.ndarray, "graphs b s"],
    rule: ColliderRule,
) -> Triples:
    """Test which subsets of the neighbours of s, and of t, separate s and t.

    ``conservative``: b is a collider if no separating set holds it, and none if all do.
    ``majority``: a collider if fewer than half do, and none if more than half do.

    Args:
        problem: Test, knowledge and limits.
        evaluate: Its test.
        skeleton: The final skeleton.
        lists: Neighbours of each node, padded with the number of nodes.
        rule: How the separating sets decide.

    Source: Ramsey, Spirtes & Zhang (2006), "Adjacency-faithfulness and conservative causal
    inference"; Colombo & Maathuis (2014).
    """
    adjacency = skeleton.adjacency
    n = adjacency.shape[1]
    edges = adjacency.astype(np.float32)
    unshielded = (edges @ edges > 0) & ~adjacency & np.triu(np.ones((n, n), bool), 1)
    pairs = Pairs.where(unshielded)
    total, holding = _separating_sets(problem, evaluate, pairs, adjacency)
    of_pair = np.full(adjacency.shape, -1)
    pairs.write(of_pair, np.arange(pairs.x.size))
    graph, node = np.arange(len(adjacency))[:, None, None, None], np.arange(n)[:, None, None]
    at = np.where(lists < n, lists, node[:, :, 0])
    pair = of_pair[graph, at[:, :, :, None], at[:, :, None, :]]
    triple = (pair >= 0) & (lists < n)[:, :, :, None] & (lists < n)[:, :, None, :]
    with_b, every = holding[pair, node], total[pair]
    # Where the final skeleton offers no separating set, nothing is decided.
    decided = triple & (every > 0)
    if rule == "conservative":
        collider, non_collider = decided & (with_b == 0), decided & (with_b == every)
    else:
        collider, non_collider = decided & (2 * with_b < every), decided & (2 * with_b > every)
    n_open = (triple & ~collider & ~non_collider).sum(axis=(1, 2, 3)) // 2
    return Triples(collider, non_collider, n_open)


def _separating_sets(
    problem: Problem, evaluate: Evaluator, pairs: Pairs, adjacency: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """How many sets separate each pair, and how many of them hold each node.

    Both have an entry more than there are pairs, for triples that are none.
    """
    n = adjacency.shape[1]
    total = np.zeros(pairs.x.size + 1, np.int64)
    holding = np.zeros((pairs.x.size + 1, n), np.int64)
    lists = CandidateLists(adjacency, problem.constraints.tiers)
    largest = min(int(lists.counts.max(initial=0)), problem.max_cond_size)
    for size in range(largest + 1):
        index, rows = lists.rows(pairs, size)
        n_sets = n_subsets(rows.n_candidates, size)
        blocks = np.cumsum(n_sets) // SETS_PER_BLOCK
        for block in np.split(np.arange(n_sets.size), np.flatnonzero(np.diff(blocks)) + 1):
            row = np.repeat(block, n_sets[block])
            number = np.arange(row.size) - np.repeat(
                np.cumsum(n_sets[block]) - n_sets[block], n_sets[block]
            )
            members = rows.members(row, colex_subsets(size, number).astype(np.int64))
            # A set among the neighbours of both ends comes up twice, but counts once.
            sets = np.unique(np.column_stack([index[rows.pair[row]], members]), axis=0)
            pair, members = sets[:, 0], sets[:, 1:].astype(np.int32)
            ends = tuple(end[pair] for end in pairs)
            each = Rows.own(np.arange(pair.size), ends, members, np.full(pair.size, size))
            separates = evaluate(each, size).separated
            total += np.bincount(pair[separates], minlength=total.size)
            np.add.at(holding, (pair[separates][:, None], members[separates]), 1)
    return total, holding
