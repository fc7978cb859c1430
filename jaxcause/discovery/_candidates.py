"""Whom to condition on: candidate lists of the pairs of one level."""

import numpy as np
from jaxtyping import Bool, Int

from jaxcause.discovery._rows import Rows, no_skip
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
        self._allowed = allowed.reshape(-1)
        keys = np.flatnonzero(allowed)
        owner = keys // self._n
        self.counts = np.bincount(owner, minlength=n_graphs * self._n)
        position = np.arange(keys.size) - (np.cumsum(self.counts) - self.counts)[owner]
        # Position of each candidate in its list; what is not allowed is never read.
        self._position = np.empty(allowed.size, np.int32)
        self._position[keys] = position
        self._lists = np.full((self.counts.size, max(1, self.counts.max(initial=0))), -1, np.int32)
        self._lists[owner, position] = keys - owner * self._n

    def rows(self, pairs: Pairs, size: int) -> tuple[Int[np.ndarray, "some"], Rows]:
        """Which pairs have ``size`` candidates at some end, and a row for each such end."""
        owner = pairs.graph * self._n + np.stack([pairs.x, pairs.y])
        end, number = np.nonzero(self.counts[owner] >= size)
        graph, x, y = pairs.at(number)
        near, far = np.where(end, y, x), np.where(end, x, y)
        lists, owner, skip, counts = self._of(graph * self._n + near, far)
        enough = np.flatnonzero(counts >= size)
        number = number[enough]
        has_row = np.zeros(pairs.x.size, bool)
        has_row[number] = True
        return np.flatnonzero(has_row), Rows(
            pair=(np.cumsum(has_row) - 1)[number],
            graph=graph[enough],
            x=x[enough],
            y=y[enough],
            lists=lists,
            owner=owner[enough],
            skip=skip[enough],
            n_candidates=counts[enough],
        )

    def _of(self, owner: np.ndarray, far: np.ndarray) -> tuple[np.ndarray, ...]:
        """The candidates of some nodes without ``far``: lists, owners, skips, counts."""
        if self._tiers is None:
            key = owner * self._n + far
            listed = self._allowed[key]
            skip = np.where(listed, self._position[key], no_skip(1))
            return self._lists, owner, skip, self.counts[owner] - listed
        listed = self._lists[owner]
        latest = np.maximum(self._tiers[owner % self._n], self._tiers[far])
        keep = (listed >= 0) & (listed != far[:, None])
        lists, counts = compact(listed, keep & (self._tiers[listed] <= latest[:, None]))
        return lists, np.arange(owner.size), no_skip(owner.size), counts


def compact(listed: np.ndarray, keep: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Move the kept entries of each row to its front, padded with -1, and count them."""
    counts = keep.sum(axis=1)
    moved = np.full((len(listed), max(1, int(counts.max(initial=0)))), -1, np.int32)
    moved[np.arange(moved.shape[1]) < counts[:, None]] = listed[keep]
    return moved, counts
