"""Colliders by vote: how often a node is in the sets that separate its neighbours."""

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from jaxcause.discovery._host.candidates import CandidateLists
from jaxcause.discovery._host.evaluator import Evaluator
from jaxcause.discovery._host.rows import Rows, n_subsets
from jaxcause.discovery._host.skeleton import Asked, Pairs, Skeleton
from jaxcause.stats import colex_subsets

SETS_PER_BLOCK = 1 << 20
"""Sets that are tested together: bounds the memory."""

ColliderRule = Literal["sepset", "conservative", "majority"]


class Votes(NamedTuple):
    """Which triples s, b, t of neighbourhoods are colliders and which are not; others are open.

    Args:
        collider: s *→ b ←* t.
        chain: b is no collider between s and t.
        n_open: Triples of each graph that the data leave open, counted once.
    """

    collider: Bool[np.ndarray, "graphs b s t"]
    chain: Bool[np.ndarray, "graphs b s t"]
    n_open: Int[np.ndarray, "graphs"]


def vote(
    skeleton: Skeleton,
    lists: Int[np.ndarray, "graphs b s"],
    evaluate: Evaluator,
    asked: Asked,
    *,
    rule: ColliderRule,
    max_cond_size: int | None,
) -> Votes:
    """Ask all subsets of the neighbours of s, and of t, which of them separate s and t.

    ``conservative``: b is a collider if no separating set holds it, and none if all do.
    ``majority``: a collider if fewer than half do, and none if more than half do.

    Args:
        skeleton: The final skeleton.
        lists: Neighbours of each node, padded with the number of nodes.
        evaluate: The test.
        asked: Background knowledge.
        rule: How the votes decide.
        max_cond_size: Largest conditioning set.

    Source: Ramsey, Spirtes & Zhang (2006), "Adjacency-faithfulness and conservative causal
    inference"; Colombo & Maathuis (2014).
    """
    adjacency = skeleton.adjacency
    n = adjacency.shape[1]
    linked = adjacency.astype(np.float32)
    unshielded = (linked @ linked > 0) & ~adjacency & np.triu(np.ones((n, n), bool), 1)
    pairs = Pairs.where(unshielded)
    total, holding = _count(pairs, adjacency, evaluate, asked, max_cond_size)
    of_pair = np.full(adjacency.shape, -1)
    pairs.write(of_pair, np.arange(pairs.x.size))
    graph, node = np.arange(len(adjacency))[:, None, None, None], np.arange(n)[:, None, None]
    at = np.where(lists < n, lists, node[:, :, 0])
    pair = of_pair[graph, at[:, :, :, None], at[:, :, None, :]]
    triple = (pair >= 0) & (lists < n)[:, :, :, None] & (lists < n)[:, :, None, :]
    with_b, every = holding[pair, node], total[pair]
    # Where no set separates the pair any more, nothing is decided.
    decided = triple & (every > 0)
    if rule == "conservative":
        collider, chain = decided & (with_b == 0), decided & (with_b == every)
    else:
        collider, chain = decided & (2 * with_b < every), decided & (2 * with_b > every)
    n_open = (triple & ~collider & ~chain).sum(axis=(1, 2, 3)) // 2
    return Votes(collider, chain, n_open)


def _count(
    pairs: Pairs,
    adjacency: np.ndarray,
    evaluate: Evaluator,
    asked: Asked,
    max_cond_size: int | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Separating sets of each pair, and how many of them hold each node."""
    n = adjacency.shape[1]
    # One more pair, for triples that are none.
    total = np.zeros(pairs.x.size + 1, np.int64)
    holding = np.zeros((pairs.x.size + 1, n), np.int64)
    lists = CandidateLists(adjacency, asked.tiers)
    largest = int(lists.counts.max(initial=0))
    for size in range((largest if max_cond_size is None else min(largest, max_cond_size)) + 1):
        index, rows = lists.rows(pairs, size)
        n_sets = n_subsets(rows.n_candidates, size)
        blocks = np.cumsum(n_sets) // SETS_PER_BLOCK
        for block in np.split(np.arange(n_sets.size), np.flatnonzero(np.diff(blocks)) + 1):
            row = np.repeat(block, n_sets[block])
            number = np.arange(row.size) - np.repeat(
                np.cumsum(n_sets[block]) - n_sets[block], n_sets[block]
            )
            members = rows.members(row, colex_subsets(size, number).astype(np.int64))
            # Sets among the neighbours of both ends come up twice, and count once.
            sets = np.unique(np.column_stack([index[rows.pair[row]], members]), axis=0)
            pair, members = sets[:, 0], sets[:, 1:].astype(np.int32)
            ends = tuple(end[pair] for end in pairs)
            each = Rows.own(np.arange(pair.size), ends, members, np.full(pair.size, size))
            separates = evaluate(each, size).separated
            total += np.bincount(pair[separates], minlength=total.size)
            np.add.at(holding, (pair[separates][:, None], members[separates]), 1)
    return total, holding
