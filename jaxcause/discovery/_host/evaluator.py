"""Which set separates each pair: the host side of the kernels, for one batch of graphs.

Shapes are rounded up to a few sizes, so that a new problem compiles next to nothing. Rows look at
their sets in rounds of growing length, so that a pair that is separated early costs little.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxcause.discovery._host.rounds import ascending, portions, rounds, where
from jaxcause.discovery._host.rows import Rows, Separations
from jaxcause.discovery._kernel import sizes
from jaxcause.discovery._kernel.conditioning_sets import SetRange, n_subsets, sets_at
from jaxcause.discovery._kernel.engine import Engine
from jaxcause.discovery._kernel.rows import NEVER, Found, RowBatch
from jaxcause.discovery._kernel.sizes import next_power


class Closest(NamedTuple):
    """Of each pair the test that came closest to independence; updated in place.

    Args:
        number: Number of the set that separated it, or `NEVER`.
        row: Row whose set that was.
        value: Value of that test; where none separated the pair, the smallest of all.
    """

    number: Int[np.ndarray, "pairs"]
    row: Int[np.ndarray, "pairs"]
    value: Float[np.ndarray, "pairs"]

    @classmethod
    def none(cls, n_pairs: int) -> "Closest":
        """No pair was tested yet."""
        never = np.full(n_pairs, NEVER, np.int64)
        return cls(never, never.copy(), np.full(n_pairs, np.inf))

    def update(self, pair: np.ndarray, row: np.ndarray, found: Found, *, best: bool) -> None:
        """Let the rows of each pair compete: by their values if ``best``, else by set numbers.

        Args:
            pair: Pair of each row.
            row: Number of each row; of equal rows the smaller number wins.
            found: What the rows found.
            best: Whether the smallest value wins.
        """
        first, value = np.asarray(found.first), np.asarray(found.value)
        np.minimum.at(self.value, pair, value)
        separating = np.flatnonzero(first < NEVER)
        key = value if best else first
        smallest = np.full(self.number.size, np.inf if best else NEVER, key.dtype)
        np.minimum.at(smallest, pair[separating], key[separating])
        at = separating[key[separating] == smallest[pair[separating]]]
        np.minimum.at(self.row, pair[at], row[at])
        at = at[self.row[pair[at]] == row[at]]
        self.number[pair[at]], self.value[pair[at]] = first[at], value[at]


class Evaluator:
    """Conditional independence in a batch of graphs, for one search.

    Args:
        engine: The test.
        alpha: X and Y are independent given S iff p > alpha.
        max_p: Take the separating set with the largest p-value, not the first.
    """

    def __init__(self, engine: Engine, *, alpha: float, max_p: bool = False) -> None:
        self.engine, self.max_p = engine, max_p
        self._alpha = float(alpha)
        self._listed: np.ndarray | None = None
        self._padded = np.zeros(0, np.int32)

    def __call__(self, rows: Rows, size: int) -> Separations:
        """Look for a conditioning set of ``size`` candidates for each pair."""
        n_pairs = int(rows.pair.max(initial=-1)) + 1
        n_sets = n_subsets(rows.n_candidates, size)
        own = rows.with_own_candidates(self.engine.n_nodes)
        closest = self._closest(rows.at(own), n_sets[own], n_pairs, size)
        if not isinstance(own, slice):
            closest = closest._replace(row=own[np.minimum(closest.row, own.size - 1)])
        separated = closest.number < NEVER
        winner = np.where(separated, closest.row, 0)
        sets = np.full((n_pairs, size), -1, np.int32)
        at = np.flatnonzero(separated)
        sets[at] = rows.members(winner[at], sets_at(size, closest.number[at]))
        needed = n_sets if self.max_p else np.minimum(n_sets, closest.number[rows.pair] + 1)
        n_tests = np.bincount(rows.pair, needed, n_pairs).astype(np.int64)
        graph = np.zeros(n_pairs, np.int64)
        graph[rows.pair] = rows.graph
        strength = self.engine.strength(closest.value, graph, size)
        return Separations(separated, sets, strength, n_tests, winner)

    def separates(
        self, marginal: Float[np.ndarray, "graphs n n"]
    ) -> Bool[np.ndarray, "graphs n n"]:
        """Which pairs are independent given nothing, by the values of their tests."""
        return marginal < self.engine.limits(self._alpha, 0).astype(marginal.dtype)[:, None, None]

    def marginal_strength(
        self, values: Float[np.ndarray, "graphs pairs"]
    ) -> Float[np.ndarray, "graphs pairs"]:
        """The strength behind values given nothing; NaN stays NaN."""
        strength = self.engine.strength(values, np.arange(len(values))[:, None], 0)
        return np.where(np.isnan(values), np.nan, strength).astype(np.float64)

    def p_values(self, strength: Float[np.ndarray, "*any"]) -> Float[np.ndarray, "*any"]:
        """The p-values behind ``strength``; NaN stays NaN."""
        return self.engine.p_values(strength)

    def singular(self) -> Bool[np.ndarray, "graphs"]:
        """Which graphs have a singular correlation matrix."""
        return self.engine.singular()

    def _closest(self, rows: Rows, n_sets: np.ndarray, n_pairs: int, size: int) -> Closest:
        """Run the rounds; a pair that is separated takes part in no later one."""
        closest = Closest.none(n_pairs)
        order = ascending(n_sets)
        ordered, n_ordered = rows.at(order), n_sets[order]
        for start, stop in rounds(n_sets, everything=self.max_p):
            alive = where((closest.number[ordered.pair] == NEVER) & (n_ordered > start))
            some = ordered.at(alive)
            if not some.pair.size:
                break
            found = self._first(some, n_ordered[alive], SetRange(size, start, stop))
            closest.update(some.pair, order[alive], found, best=self.max_p)
        return closest

    def _first(self, rows: Rows, n_sets: np.ndarray, sets: SetRange) -> Found:
        """First separating set of each row, in calls of bounded size."""
        first = np.full(n_sets.size, NEVER, np.int64)
        value = np.full(n_sets.size, np.inf)
        batch = self._batch(rows, n_sets, sets.size)
        lists = self._padded_lists(rows.lists)
        for start in range(sets.start, sets.stop, sizes.SETS_PER_CALL):
            part = SetRange(sets.size, start, min(sets.stop, start + sizes.SETS_PER_CALL))
            looking = ((first == NEVER) | self.max_p) & (n_sets > start)
            for here in portions(looking):
                found = self.engine.first_separating(batch.at(here), lists, part, best=self.max_p)
                closer = (found.first < NEVER) & (found.value < value[here])
                first[here] = np.where(closer, start + found.first, first[here])
                value[here] = np.minimum(value[here], found.value)
        return Found(first, value, None)

    def _batch(self, rows: Rows, n_sets: np.ndarray, size: int) -> RowBatch:
        return RowBatch(
            graph=rows.graph,
            x=rows.x,
            y=rows.y,
            start=rows.owner * rows.lists.shape[1],
            skip=rows.skip,
            n_candidates=rows.n_candidates,
            n_sets=n_sets,
            limit=self.engine.limits(self._alpha, size)[rows.graph],
        )

    def _padded_lists(self, lists: Int[np.ndarray, "lists width"]) -> Int[np.ndarray, "candidates"]:
        """All lists in one vector, padded so that few lengths occur; a level makes it once."""
        if self._listed is not lists:
            self._listed, self._padded = lists, np.zeros(next_power(lists.size, 4), np.int32)
            self._padded[: lists.size] = lists.ravel()
        return self._padded
