"""Pairs of nodes, the rows that look for their separating sets, and what the rows find."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxcause.discovery._kernel.rows import NULL

_NO_SKIP = NULL


class Pairs(NamedTuple):
    """Pairs of nodes in a batch of graphs."""

    graph: Int[np.ndarray, "pairs"]
    x: Int[np.ndarray, "pairs"]
    y: Int[np.ndarray, "pairs"]

    @classmethod
    def where(cls, mask: Bool[np.ndarray, "graphs nodes nodes"]) -> "Pairs":
        """All entries of a mask."""
        graph, pair = np.divmod(np.flatnonzero(mask), mask.shape[1] * mask.shape[2])
        return cls(graph, *np.divmod(pair, mask.shape[2]))

    def at(self, index: np.ndarray | slice) -> "Pairs":
        """The pairs at an index, or where a mask holds."""
        return Pairs(self.graph[index], self.x[index], self.y[index])

    def write(self, whole: np.ndarray, values: object) -> None:
        """Put values at both entries of each pair."""
        whole[self.graph, self.x, self.y] = values
        whole[self.graph, self.y, self.x] = values


class Rows(NamedTuple):
    """Pairs with lists of candidates; ``pair`` numbers the pairs from 0.

    A pair may have several rows, which compete: the set with the smallest number separates it, and
    of equal numbers that of the earlier row.

    Args:
        pair: Which pair.
        graph: Its graph.
        x: Its first node.
        y: Its second node.
        lists: Lists of candidates, padded with -1: ``[lists, width]``.
        owner: Which of the lists is the row's.
        skip: Position in the list that is left out (`no_skip` for none).
        n_candidates: How many candidates are left.
    """

    pair: Int[np.ndarray, "rows"]
    graph: Int[np.ndarray, "rows"]
    x: Int[np.ndarray, "rows"]
    y: Int[np.ndarray, "rows"]
    lists: Int[np.ndarray, "lists width"]
    owner: Int[np.ndarray, "rows"]
    skip: Int[np.ndarray, "rows"]
    n_candidates: Int[np.ndarray, "rows"]

    @classmethod
    def own(
        cls,
        pair: np.ndarray,
        ends: tuple[np.ndarray, ...],
        candidates: np.ndarray,
        n_candidates: np.ndarray,
    ) -> "Rows":
        """Rows with a list of their own each; ``ends`` are graph, x and y."""
        graph, x, y = ends
        return cls(
            pair=pair,
            graph=graph,
            x=x,
            y=y,
            lists=candidates,
            owner=np.arange(pair.size),
            skip=no_skip(pair.size),
            n_candidates=n_candidates,
        )

    def at(self, index: np.ndarray | slice) -> "Rows":
        """Some of the rows; lists that no row needs stay."""
        per_row = {name: getattr(self, name)[index] for name in self._fields if name != "lists"}
        return self._replace(**per_row)

    def with_own_candidates(self, n_nodes: int) -> Int[np.ndarray, "some"] | slice:
        """The rows without those whose pair has another row with the same candidates.

        That is so where both ends of a pair may condition on all nodes beside it.
        """
        every = np.flatnonzero(self.n_candidates == n_nodes - 2)
        if not every.size:
            return slice(None)
        earliest = np.zeros(int(self.pair.max()) + 1, np.int64)
        earliest[self.pair[every[::-1]]] = every[::-1]
        kept = np.ones(self.pair.size, bool)
        kept[every] = earliest[self.pair[every]] == every
        return slice(None) if kept.all() else np.flatnonzero(kept)

    def members(self, row: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """The candidates of some rows at positions: ``[rows, k]``."""
        moved = positions + (positions >= self.skip[row][:, None])
        return self.lists[self.owner[row][:, None], moved]


class Separations(NamedTuple):
    """What a level found about each pair.

    Args:
        separated: Whether some set separated it.
        sets: The set, where one did.
        strength: Small where the pair looks independent; `Evaluator.p_values` translates it.
        n_tests: Tests up to the one that separated it.
        winner: The row whose set separated it.
    """

    separated: Bool[np.ndarray, "pairs"]
    sets: Int[np.ndarray, "pairs k"]
    strength: Float[np.ndarray, "pairs"]
    n_tests: Int[np.ndarray, "pairs"]
    winner: Int[np.ndarray, "pairs"]

    @classmethod
    def none(cls, n_pairs: int, size: int) -> "Separations":
        """Nothing was tested yet."""
        return cls(
            np.zeros(n_pairs, bool),
            np.full((n_pairs, size), -1, np.int32),
            np.full(n_pairs, np.inf),
            np.zeros(n_pairs, np.int64),
            np.zeros(n_pairs, np.int64),
        )

    @classmethod
    def joined(cls, parts: list["Separations"]) -> "Separations":
        """What was found about some pairs after the other; winners are numbered in each part."""
        return parts[0] if len(parts) == 1 else cls(*map(np.concatenate, zip(*parts, strict=True)))

    def update(self, pairs: Int[np.ndarray, "some"], later: "Separations") -> None:
        """Add what was found later about some of the pairs, in place."""
        self.separated[pairs], self.sets[pairs] = later.separated, later.sets
        # The test that separates a pair is the closest to independence that it has seen.
        self.strength[pairs] = np.minimum(self.strength[pairs], later.strength)


def no_skip(n: int) -> Int[np.ndarray, "rows"]:
    """Rows that use their whole lists."""
    return np.full(n, _NO_SKIP)
