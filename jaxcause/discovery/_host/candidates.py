"""Candidates: the nodes that the pairs of one level may condition on."""

import numpy as np
from jaxtyping import Bool, Int

from jaxcause.discovery._host.rows import Pairs, Rows, no_skip


class CandidateLists:
    """For each node of each graph the nodes that may be conditioned on.

    Args:
        allowed: Entry ``[g, i, k]``: k may be conditioned on for a pair of i.
        tiers: A node is no candidate for a pair that lies wholly before it; None without order.
        entries: Entries of the flattened ``allowed`` that may hold, in ascending order; by default
            all. A search passes those of the level before, since no node becomes a candidate later.
    """

    def __init__(
        self,
        allowed: Bool[np.ndarray, "graphs nodes nodes"],
        tiers: Int[np.ndarray, "nodes"] | None,
        entries: Int[np.ndarray, "entries"] | None = None,
    ) -> None:
        n_graphs, self._n, _ = allowed.shape
        self._tiers = tiers
        self._allowed = allowed.reshape(-1)
        if entries is None:
            self.entries = np.flatnonzero(allowed)
        else:
            self.entries = entries[self._allowed[entries]]
        owner, node = np.divmod(self.entries, self._n)
        self.counts = np.bincount(owner, minlength=n_graphs * self._n)
        position = np.arange(owner.size) - (np.cumsum(self.counts) - self.counts)[owner]
        # Position of each candidate in its list. Entries that are not allowed stay unset, and are
        # never read.
        self._position = np.empty(allowed.size, np.int32)
        self._position[self.entries] = position
        self._lists = np.full((self.counts.size, max(1, self.counts.max(initial=0))), -1, np.int32)
        self._lists[owner, position] = node

    def rows(self, pairs: Pairs, size: int) -> tuple[Int[np.ndarray, "some"], Rows]:
        """Which pairs have ``size`` candidates at some end, and a row for each such end."""
        first = pairs.graph * self._n
        by_x, by_y = (np.flatnonzero(self.counts[first + end] >= size) for end in pairs[1:])
        number = np.concatenate([by_x, by_y])
        graph, x, y = pairs.at(number)
        near = np.concatenate([x[: by_x.size], y[by_x.size :]])
        far = np.concatenate([y[: by_x.size], x[by_x.size :]])
        lists, owner, skip, counts = self._without(first[number] + near, far)
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

    def _without(self, owner: np.ndarray, far: np.ndarray) -> tuple[np.ndarray, ...]:
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
