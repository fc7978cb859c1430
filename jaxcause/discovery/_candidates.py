"""Whom to condition on: candidate lists of the pairs of one level."""

import numpy as np
from jaxtyping import Bool, Int

from jaxcause.discovery._evaluator import Rows
from jaxcause.discovery._skeleton import Pairs


class CandidateLists:
    """For each node of each graph the nodes that may be conditioned on.

    Args:
        allowed: Entry ``[g, i, k]``: k may be conditioned on for a pair of i.
        tiers: A node is no candidate for a pair that lies wholly before it.
    """

    def __init__(
        self, allowed: Bool[np.ndarray, "graphs nodes nodes"], tiers: Int[np.ndarray, "nodes"]
    ) -> None:
        self._n = allowed.shape[1]
        self._tiers = tiers if (tiers != tiers[:1]).any() else None
        graph, node, candidate = np.nonzero(allowed)
        owner = graph * self._n + node
        self.counts = np.bincount(owner, minlength=allowed.shape[0] * self._n)
        self._lists = np.full((self.counts.size, self.counts.max(initial=0)), -1, np.int32)
        self._lists[owner, _within(self.counts, owner)] = candidate

    def of(self, pairs: Pairs) -> tuple[Int[np.ndarray, "pairs width"], Int[np.ndarray, "pairs"]]:
        """Candidates of each x without y, padded with -1, and how many."""
        listed = self._lists[pairs.graph * self._n + pairs.x]
        keep = (listed >= 0) & (listed != pairs.y[:, None])
        if self._tiers is not None:
            latest = np.maximum(self._tiers[pairs.x], self._tiers[pairs.y])
            keep &= self._tiers[listed] <= latest[:, None]
        return compact(listed, keep)

    def rows(self, pairs: Pairs, size: int) -> tuple[Pairs, Rows]:
        """Pairs of which some end has ``size`` candidates, with a row for each such end."""
        most = [self.counts[pairs.graph * self._n + end] for end in (pairs.x, pairs.y)]
        pairs = pairs.at(np.maximum(*most) >= size)
        ends = Pairs(
            np.tile(pairs.graph, 2),
            np.concatenate([pairs.x, pairs.y]),
            np.concatenate([pairs.y, pairs.x]),
        )
        candidates, counts = self.of(ends)
        enough = counts >= size
        left, number = np.unique(np.tile(np.arange(pairs.x.size), 2)[enough], return_inverse=True)
        return pairs.at(left), Rows(
            pair=number,
            graph=ends.graph[enough].astype(np.int32),
            x=np.minimum(ends.x, ends.y)[enough].astype(np.int32),
            y=np.maximum(ends.x, ends.y)[enough].astype(np.int32),
            candidates=candidates[enough],
            n_candidates=counts[enough],
        )


def compact(listed: np.ndarray, keep: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Move the kept entries of each row to its front, padded with -1, and count them."""
    counts = keep.sum(axis=1)
    row, column = np.nonzero(keep)
    moved = np.full((len(listed), int(counts.max(initial=0))), -1, np.int32)
    moved[row, _within(counts, row)] = listed[row, column]
    return moved, counts


def _within(counts: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Position of each entry among those of its owner; entries are sorted by owner."""
    return np.arange(owner.size) - (np.cumsum(counts) - counts)[owner]
