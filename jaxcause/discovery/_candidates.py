"""Whom to condition on: candidate lists of the pairs of one level."""

import numpy as np
from jaxtyping import Bool, Int

from jaxcause.discovery._evaluator import Rows, no_skip
from jaxcause.discovery._skeleton import Pairs


class CandidateLists:
    """For each node of each graph the nodes that may be conditioned on.

    Args:
        allowed: Entry ``[g, i, k]``: k may be conditioned on for a pair of i.
        tiers: A node is no candidate for a pair that lies wholly before it; None without order.
    """

    def __init__(
        self,
        allowed: Bool[np.ndarray, "graphs nodes nodes"],
        tiers: Int[np.ndarray, "nodes"] | None,
    ) -> None:
        n_graphs, self._n, _ = allowed.shape
        self._tiers = tiers
        self._keys = np.flatnonzero(allowed)
        owner, candidate = np.divmod(self._keys, self._n)
        self.counts = np.bincount(owner, minlength=n_graphs * self._n)
        self._starts = np.cumsum(self.counts) - self.counts
        self._lists = np.full((self.counts.size, max(1, self.counts.max(initial=0))), -1, np.int32)
        self._lists[owner, np.arange(owner.size) - self._starts[owner]] = candidate

    def rows(self, pairs: Pairs, size: int) -> tuple[Int[np.ndarray, "some"], Rows]:
        """Which pairs have ``size`` candidates at some end, and a row for each such end."""
        ends = Pairs(
            np.tile(pairs.graph, 2),
            np.concatenate([pairs.x, pairs.y]),
            np.concatenate([pairs.y, pairs.x]),
        )
        lists, owner, skip, counts = self._of(ends, size)
        enough = counts >= size
        has_row = enough.reshape(2, -1).any(axis=0)
        number = np.tile(np.cumsum(has_row) - 1, 2)[enough]
        return np.flatnonzero(has_row), Rows(
            pair=number,
            graph=ends.graph[enough],
            x=np.minimum(ends.x, ends.y)[enough],
            y=np.maximum(ends.x, ends.y)[enough],
            lists=lists,
            owner=owner[enough],
            skip=skip[enough],
            n_candidates=counts[enough],
        )

    def _of(self, ends: Pairs, size: int) -> tuple[np.ndarray, ...]:
        """For each pair the candidates of x without y: lists, owners, skips, counts."""
        owner = ends.graph * self._n + ends.x
        if self._tiers is None:
            key = owner * self._n + ends.y
            at = np.minimum(np.searchsorted(self._keys, key), max(0, self._keys.size - 1))
            listed = self._keys[at] == key if self._keys.size else np.zeros(key.size, bool)
            skip = np.where(listed, at - self._starts[owner], no_skip(key.size))
            return self._lists, owner, skip, self.counts[owner] - listed
        listed = self._lists[owner]
        latest = np.maximum(self._tiers[ends.x], self._tiers[ends.y])
        keep = (listed >= 0) & (listed != ends.y[:, None])
        lists, counts = compact(listed, keep & (self._tiers[listed] <= latest[:, None]))
        return lists, np.arange(owner.size), no_skip(owner.size), counts


def compact(listed: np.ndarray, keep: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Move the kept entries of each row to its front, padded with -1, and count them."""
    counts = keep.sum(axis=1)
    moved = np.full((len(listed), max(1, int(counts.max(initial=0)))), -1, np.int32)
    moved[np.arange(moved.shape[1]) < counts[:, None]] = listed[keep]
    return moved, counts
