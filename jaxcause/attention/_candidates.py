"""Candidate sets in the order of their model queries, generated one by one."""

import heapq
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

Candidate = tuple[int, ...]

_UNIT = 1 << 40


def whole_numbers(values: Float[np.ndarray, "nodes"]) -> Int[np.ndarray, "nodes"]:
    """Values in units of 2⁻⁴⁰ of the largest, so that sums do not depend on the order of terms."""
    largest = float(np.abs(values).max(initial=0.0))
    if largest == 0:
        return np.zeros(values.shape, np.int64)
    return np.rint(values / largest * _UNIT).astype(np.int64)


def subsets_by_cost(
    nodes: Sequence[int], costs: Sequence[int], max_size: int | None
) -> Iterator[Candidate]:
    """All subsets, generated lazily: smaller ones first, then by the sum of their costs.

    Subsets with equal sums come in lexicographic order of the ranks of their nodes. Nodes are
    ranked by cost, then by their place in ``nodes``.
    """
    rank = sorted(range(len(nodes)), key=lambda i: costs[i])
    ranked = [costs[i] for i in rank]
    n = len(ranked)
    for size in range(1, n + 1 if max_size is None else min(max_size, n) + 1):
        first = tuple(range(size))
        heap = [(sum(ranked[:size]), first)]
        while heap:
            cost, chosen = heapq.heappop(heap)
            yield tuple(nodes[rank[i]] for i in chosen)
            # In the parent of a set, the first member above its lowest place is one place lower.
            moved = next((at for at, i in enumerate(chosen) if i > at), size)
            for at in {max(moved - 1, 0), min(moved, size - 1)}:
                i = chosen[at]
                if i + 1 < (chosen[at + 1] if at + 1 < size else n):
                    after = (*chosen[:at], i + 1, *chosen[at + 1 :])
                    heapq.heappush(heap, (cost + ranked[i + 1] - ranked[i], after))


def subsets_of_trees(
    distances: Int[np.ndarray, "heads nodes"],
    weights: Float[np.ndarray, "nodes"],
    max_size: int | None,
) -> Iterator[Candidate]:
    """All sets of nodes that lie in one tree, generated lazily: smaller ones first, then nearer.

    The distance of a set is the sum of its members' distances, in the tree where that is smallest.
    Sets at equal distance are ordered by the number of trees that contain them (largest first),
    then by the sum of their weights (heaviest first), then by the ranks of their nodes, which are
    ranked by distance and weight.

    Args:
        distances: Distance of each node from the root of each tree; 0 for nodes outside the tree.
        weights: Weight of each node.
        max_size: Size of the largest sets.
    """
    best = np.where(distances > 0, distances, np.iinfo(np.int64).max).min(axis=0)
    nodes = np.flatnonzero((distances > 0).any(axis=0))
    heavy = whole_numbers(weights)
    rank = nodes[np.lexsort((nodes, -heavy[nodes], best[nodes]))]
    largest = rank.size if max_size is None else min(max_size, rank.size)
    if len(distances) == 1:
        beyond = 2 * int(np.abs(heavy).sum()) + 1
        costs = [int(distances[0, v]) * beyond - int(heavy[v]) for v in rank]
        yield from subsets_by_cost(rank.tolist(), costs, largest)
        return
    away = np.where(distances > 0, distances, np.inf)[:, rank]
    for size in range(1, largest + 1):
        for chosen in _best_first(away, heavy[rank], size):
            yield tuple(rank[list(chosen)].tolist())


def _best_first(
    away: Float[np.ndarray, "heads nodes"], heavy: Int[np.ndarray, "nodes"], size: int
) -> Iterator[Candidate]:
    """Sets of one size in order, by best-first search over their first nodes.

    The key of a partial set bounds each part of the key of every set that extends it. A complete
    set at the top of the heap is therefore the next one.
    """
    n_heads, n = away.shape
    nearest = np.full((size, n + 1, n_heads), np.inf)
    heaviest = np.zeros((size, n + 1), np.int64)
    nearest[0] = 0
    for start in range(n):
        several = min(size, n - start + 1)
        sums = np.cumsum(np.sort(away[:, start:], axis=1), axis=1)
        nearest[1:several, start] = sums.T[: several - 1]
        tops = np.cumsum(np.sort(heavy[start:])[::-1])
        heaviest[1:several, start] = tops[: several - 1]
    heap: list[tuple[Any, ...]] = [(0.0, 0, 0, (), np.zeros(n_heads), 0)]
    while heap:
        *_, chosen, walked, weight = heapq.heappop(heap)
        left = size - len(chosen) - 1
        if left < 0:
            yield chosen
            continue
        following = np.arange(chosen[-1] + 1 if chosen else 0, n - left)
        far = walked + away[:, following].T
        ahead = far + nearest[left, following + 1]
        shortest = ahead.min(axis=1)
        holding = np.isfinite(ahead).sum(axis=1)
        prospect = weight + heavy[following] + heaviest[left, following + 1]
        for i in np.flatnonzero(holding):
            node = int(following[i])
            key = (float(shortest[i]), -int(holding[i]), -int(prospect[i]), (*chosen, node))
            heapq.heappush(heap, (*key, far[i], weight + int(heavy[node])))
