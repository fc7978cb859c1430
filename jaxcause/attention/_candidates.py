"""Candidate sets in the order in which they are to be asked about, one by one."""

import heapq
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

Candidate = tuple[int, ...]

_UNIT = 1 << 40


def whole_numbers(values: Float[np.ndarray, "nodes"]) -> Int[np.ndarray, "nodes"]:
    """Finite values in units of 2⁻⁴⁰ of the largest, so that sums do not depend on their order."""
    largest = float(np.abs(values).max(initial=0.0))
    if largest == 0:
        return np.zeros(values.shape, np.int64)
    return np.rint(values / largest * _UNIT).astype(np.int64)


def subsets_by_cost(
    nodes: Sequence[int], costs: Sequence[int], max_size: int | None
) -> Iterator[Candidate]:
    """All subsets lazily: smaller first, then by the sum of their costs.

    Sets of one sum come in lexicographic order of the ranks of their nodes, where nodes are ranked
    by cost and then by their place in ``nodes``.
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
            # Every set has one parent: its first member that is not at its lowest place, one down.
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
    """All sets of nodes that lie in one tree, lazily: smaller first, then nearer in any tree.

    Sets at one distance (the smallest over trees of the sum of their members') come in the order of
    how many trees hold them, then of the sum of their weights, then of the ranks of their nodes,
    which are ranked by distance and weight.

    Args:
        distances: Distance of each node from the root of each tree; 0 where it is not in it.
        weights: Heavier nodes come first.
        max_size: Members of the largest sets.
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
    """Sets of one size, grown node by node from the beginning with the best prospect.

    The prospect of a beginning bounds each part of the key of every set that begins with it, so a
    whole set that comes up is the next one.
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
