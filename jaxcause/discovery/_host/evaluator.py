"""Which set separates each pair: the host side of the kernel, for one batch of graphs.

Shapes are rounded up to a few sizes, so that a new problem compiles next to nothing, and rows are
looked at in rounds of growing length, so that a pair that is separated early costs little.
"""

import itertools
import math
from collections.abc import Iterator
from functools import lru_cache
from statistics import NormalDist
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erfc
from jaxtyping import Bool, Float, Int

from jaxcause._typing import CITest
from jaxcause.discovery._host.rows import Rows, Separations, n_subsets
from jaxcause.discovery._kernel.first_separating_set import (
    NEVER,
    Found,
    gaussian_each,
    gaussian_first,
    general_first,
)
from jaxcause.discovery._kernel.partial_correlation import NULL, Correlations
from jaxcause.stats import PartialCorrelationTest, colex_subsets, is_singular

TESTS_PER_ROUND = 1 << 18
"""A level with no more tests than this is one round."""

TESTS_AT_ONCE = 3 << 15
"""A call with no more tests than this makes all of them, without a loop over sets."""

ENTRIES_AT_ONCE = 1 << 22
"""Correlations among members of sets that such a call may look up: bounds its memory."""

TILE_ENTRIES = 1 << 21
"""Correlations that a block of rows may gather beforehand: bounds the memory of the kernel."""

FIRST_ROUND = 8
"""Sets that a large level looks at first; each later round looks at four times as many."""

SETS_PER_CALL = 4096
"""Length of the table of conditioning sets that a call takes."""

ROWS_PER_CALL = 1 << 17
"""Rows that one call takes: bounds the memory of the kernel."""

_ROWS = (256, 2048, 8192, 32768, ROWS_PER_CALL)
_TESTS = (512, 4096, 32768, TESTS_AT_ONCE)
_LANES = (256, 4096)
_WIDTHS = (8, 16, 32, 64, 128, 256, 512, 1024)
_SIZES = (0, 1, 2, 3, 4, 6, 8, 12, 16, 32, 64)


class Evaluator:
    """Conditional independence in a batch of graphs, for one search.

    Args:
        test: The test; leading axes are a batch of graphs.
        alpha: X and Y are independent given S iff p > alpha.
        max_p: Take the separating set with the largest p-value, not the first.
    """

    def __init__(self, test: CITest, *, alpha: float, max_p: bool = False) -> None:
        self._test, self._alpha, self.max_p = test, float(alpha), max_p
        self._batch: tuple[int, ...] = getattr(test, "batch_shape", ())
        self.n_graphs = math.prod(self._batch)
        self.gaussian = isinstance(test, PartialCorrelationTest)
        self.dtype = np.dtype(np.float32)
        self._flat: dict[np.dtype, Any] = {}
        self._last: tuple[Any, Any] = (None, None)
        self.n_retested = 0
        self.one_sided = bool(getattr(test, "one_sided", False))
        self._quantile = -NormalDist().inv_cdf(self._alpha / 2)
        if isinstance(test, PartialCorrelationTest):
            self.dtype = np.dtype(test.search_dtype or np.asarray(test.corr).dtype)
            n_samples = np.asarray(test.n_samples, np.float64)
            self._n_samples = np.broadcast_to(n_samples, self._batch).reshape(-1)

    def __call__(self, rows: Rows, size: int) -> Separations:
        """Look for a conditioning set of ``size`` candidates for each pair."""
        n_pairs = int(rows.pair.max(initial=-1)) + 1
        n_sets = n_subsets(rows.n_candidates, size)
        number = np.full(n_pairs, NEVER, np.int64)
        winner = np.full(n_pairs, NEVER, np.int64)
        value = np.full(n_pairs, np.inf)
        order = _argsort(n_sets)
        ordered, n_ordered = rows.picked(order), n_sets[order]
        for start, stop in _rounds(n_sets, everything=self.max_p):
            alive = _where((number[ordered.pair] == NEVER) & (n_ordered > start))
            some, n_some = ordered.picked(alive), n_ordered[alive]
            if not some.pair.size:
                break
            found = self._first(some, n_some, size, (start, stop))
            self._settle(some.pair, order[alive], found, (number, winner, value))
        separated = number < NEVER
        sets = np.full((n_pairs, size), -1, np.int32)
        at = np.flatnonzero(separated)
        sets[at] = rows.members(winner[at], _sets(size, number[at]))
        needed = n_sets if self.max_p else np.minimum(n_sets, number[rows.pair] + 1)
        n_tests = np.bincount(rows.pair, needed, n_pairs).astype(np.int64)
        winner = np.where(separated, winner, 0)
        if self.gaussian:
            graph = np.zeros(n_pairs, np.int64)
            graph[rows.pair] = rows.graph
            value = self.strength(value, graph, size)
        return Separations(separated, sets, value, n_tests, winner)

    def _settle(
        self,
        pair: np.ndarray,
        row: np.ndarray,
        found: tuple[np.ndarray, np.ndarray],
        best: tuple[np.ndarray, np.ndarray, np.ndarray],
    ) -> None:
        """Let the rows of each pair compete, and keep what came closest to independence."""
        (first, value), (number, winner, smallest_value) = found, best
        np.minimum.at(smallest_value, pair, value)
        there = np.flatnonzero(first < NEVER)
        key = value if self.max_p else first
        smallest = np.full(number.size, np.inf if self.max_p else NEVER, key.dtype)
        np.minimum.at(smallest, pair[there], key[there])
        at = there[key[there] == smallest[pair[there]]]
        np.minimum.at(winner, pair[at], row[at])
        at = at[winner[pair[at]] == row[at]]
        number[pair[at]], smallest_value[pair[at]] = first[at], value[at]

    def singular(self) -> Bool[np.ndarray, "graphs"]:
        """Which correlation matrices are singular in rounding; False for other tests."""
        if not self.gaussian:
            return np.zeros(self.n_graphs, bool)
        test: Any = self._test
        return np.asarray(is_singular(test.corr)).reshape(self.n_graphs)

    def level_0(self) -> Bool[np.ndarray, "graphs n n"]:
        """Which pairs are independent given nothing."""
        return self._squares_0() < self.limits(0)[:, None, None]

    def strength_0(self) -> Float[np.ndarray, "graphs n n"]:
        """Strength of all pairs given nothing."""
        return _z(self._squares_0(), self._roots(0)[:, None, None])

    def strength(
        self, square: Float[np.ndarray, "some"], graph: Int[np.ndarray, "some"], size: int
    ) -> Float[np.ndarray, "some"]:
        """Strength of squared partial correlations given sets of ``size``."""
        return _z(square, self._roots(size)[graph])

    def whole_matrices(self) -> Float[np.ndarray, "graphs n n"]:
        """The correlations in float64, one leading axis of graphs."""
        test: Any = self._test
        return np.asarray(test.corr, np.float64).reshape(self.n_graphs, *test.corr.shape[-2:])

    def p_values(self, strength: Float[np.ndarray, "*any"]) -> Float[np.ndarray, "*any"]:
        """The p-values behind ``strength``; NaN stays NaN."""
        if not self.gaussian:
            return -strength
        padded = np.zeros(_next_power(strength.size, 2))
        padded[: strength.size] = strength.ravel()
        with jax.enable_x64(True):
            tails = np.asarray(_normal_tails(padded))
        return tails[: strength.size].reshape(strength.shape)

    def limits(self, size: int) -> Float[np.ndarray, "graphs"]:
        """Largest squared correlation that counts as none given ``size`` nodes, of each graph."""
        root = self._roots(size)
        # Where nothing can be tested no square lies below the limit: dependent.
        tested = root > 0
        largest = np.tanh(self._quantile / np.where(tested, root, 1.0)) ** 2
        return np.where(tested, largest, -1.0)

    def _roots(self, size: int) -> Float[np.ndarray, "graphs"]:
        """√(N-|S|-3) of each graph."""
        return np.sqrt(np.maximum(self._n_samples - size - 3, 0))

    def _squares_0(self) -> np.ndarray:
        r = self.whole_matrices()
        square = r * r
        if self.one_sided:
            # At r = -1 a variance vanishes: dependent, as everywhere.
            square[(r <= 0) & (r > -1)] = 0.0
        return square

    def _first(
        self, rows: Rows, n_sets: np.ndarray, size: int, numbers: tuple[int, int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """First separating set of each row within a range of set numbers, and its value."""
        first = np.full(n_sets.size, NEVER, np.int64)
        value = np.full(n_sets.size, np.inf)
        limit = np.full(n_sets.size, -self._alpha)
        if self.gaussian:
            limit = self.limits(size)[rows.graph]
        for a in range(*numbers, SETS_PER_CALL):
            b = min(numbers[1], a + SETS_PER_CALL)
            for here in _portions(((first == NEVER) | self.max_p) & (n_sets > a)):
                of = (rows.picked(here), n_sets[here], limit[here])
                f, v = self._in_precision(of, size, (a, b))
                found = (f < NEVER) & (v < value[here])
                first[here] = np.where(found, a + f, first[here])
                value[here] = np.minimum(value[here], v)
        return first, value

    def _in_precision(
        self, of: tuple[Rows, np.ndarray, np.ndarray], size: int, numbers: tuple[int, int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Evaluate in the precision of the test or better; what float32 leaves open, in float64."""
        found = self._call(of, size, numbers, self.dtype)
        first, value = np.asarray(found.first, np.int64), np.asarray(found.value, np.float64)
        if found.uncertain is not None and found.uncertain.any():
            again = np.flatnonzero(found.uncertain)
            self.n_retested += again.size
            exact = (of[0].picked(again), of[1][again], of[2][again])
            better = self._call(exact, size, numbers, np.dtype(np.float64))
            first[again], value[again] = better.first, better.value
        return first, value

    def _call(
        self,
        of: tuple[Rows, np.ndarray, np.ndarray],
        size: int,
        numbers: tuple[int, int],
        dtype: np.dtype,
    ) -> Found:
        """Call a kernel on rows that are sorted by their number of sets, each with some left."""
        rows, n_sets, limit = of
        n_tests = np.minimum(n_sets, numbers[1]) - numbers[0]
        subsets = _table(size, *numbers)
        if self.gaussian and _at_once(int(n_tests.sum()), subsets.shape[1]):
            with jax.enable_x64(True):
                return self._each((rows, n_tests, limit), subsets)
        width = self._tile_width(rows.n_candidates, n_sets, size)
        with jax.enable_x64(dtype == np.float64):
            return self._loop((rows, n_tests, limit), subsets, dtype, width)

    def _loop(
        self,
        of: tuple[Rows, np.ndarray, np.ndarray],
        subsets: Int[np.ndarray, "sets k"],
        dtype: np.dtype,
        width: int,
    ) -> Found:
        """Loop over the sets."""
        rows, n_tests, limit = of
        padded = _bucket(n_tests.size, _ROWS)
        lanes = min(padded, _lanes(subsets.shape[1], width, padded))
        on_device = _on_device(rows, n_tests, limit, padded, dtype)
        n_subsets = on_device[0][5].reshape(-1, lanes).max(axis=1)
        if self.gaussian:
            found = gaussian_first(
                self._correlations(rows.lists, dtype),
                on_device,
                subsets,
                n_subsets,
                one_sided=self.one_sided,
                best=self.max_p,
                guarded=dtype == np.float32,
                lanes=lanes,
                width=width,
            )
        else:
            found = general_first(
                self._test,
                self._lists(rows.lists),
                on_device,
                subsets,
                n_subsets,
                batch=self._batch,
                best=self.max_p,
                lanes=lanes,
            )
        return jax.tree.map(lambda field: np.asarray(field)[: n_tests.size], found)

    def _each(
        self, of: tuple[Rows, np.ndarray, np.ndarray], subsets: Int[np.ndarray, "sets k"]
    ) -> Found:
        """Make all tests, and look afterwards which was the first to separate each row.

        So few tests are as fast in float64, which leaves nothing uncertain.
        """
        rows, n_tests, limit = of
        end = np.cumsum(n_tests)
        start, last = end - n_tests, int(end[-1])
        padded = _bucket(last, _TESTS)
        row = np.zeros(padded, np.int32)
        row[:last] = np.repeat(np.arange(n_tests.size, dtype=np.int32), n_tests)
        # Another shape, and its compilation, only where there is something to gain.
        few = n_tests.size <= padded // 8 and padded > 4096
        dtype = np.dtype(np.float64)
        value = gaussian_each(
            self._correlations(rows.lists, dtype),
            _on_device(rows, start, limit, padded // 8 if few else padded, dtype),
            row,
            subsets,
            one_sided=self.one_sided,
        )
        value, row = np.asarray(value)[:last], row[:last]
        smallest = np.minimum.reduceat(value, start)
        separates = value < np.repeat(limit, n_tests)
        if self.max_p:
            separates &= value == smallest[row]
        at = np.flatnonzero(separates)[::-1]
        first = np.full(n_tests.size, NEVER, np.int64)
        # Of several the last that is written stays, which is the first of the row.
        first[row[at]] = at - start[row[at]]
        there = np.flatnonzero(first < NEVER)
        smallest[there] = value[start[there] + first[there]]
        return Found(first, smallest, None)

    def _tile_width(self, n_candidates: np.ndarray, n_sets: np.ndarray, size: int) -> int:
        """Width of the tiles to gather beforehand, or 0 where single look-ups are less work."""
        if not self.gaussian or size < 2:
            return 0
        width = _bucket(int(n_candidates.max(initial=0)), _WIDTHS)
        look_ups = int(n_sets.sum()) * (2 * size + size * (size - 1) // 2)
        affordable = width**2 * 256 <= 4 * TILE_ENTRIES
        return width if affordable and look_ups > 2 * n_sets.size * width * (width + 2) else 0

    def _correlations(self, lists: Int[np.ndarray, "lists width"], dtype: np.dtype) -> Correlations:
        """All correlations in one vector, padded so that few lengths occur, and the candidates."""
        test: Any = self._test
        if dtype not in self._flat:
            flat = np.zeros(_next_power(test.corr.size, 2), dtype)
            flat[: test.corr.size] = np.asarray(test.corr).ravel()
            self._flat[dtype] = jnp.asarray(flat)
        n_nodes = np.array(test.n_nodes, np.int32)
        return Correlations(self._flat[dtype], n_nodes, self._lists(lists))

    def _lists(self, lists: Int[np.ndarray, "lists width"]) -> Int[np.ndarray, "candidates"]:
        """The candidates of a level, which all its calls share."""
        if self._last[0] is not lists:
            self._last = (lists, _padded_lists(lists))
        return self._last[1]


def _on_device(
    rows: Rows, numbers: np.ndarray, limit: np.ndarray, padded: int, dtype: np.dtype
) -> tuple[Int[np.ndarray, "6 rows"], Float[np.ndarray, "rows"]]:
    """Rows as the kernels take them."""
    fields, limits = np.zeros((6, padded), np.int32), np.zeros(padded, dtype)
    start = rows.owner * rows.lists.shape[1]
    of_row = (rows.graph, rows.x, rows.y, start, rows.skip, numbers)
    for field, values in zip(fields, of_row, strict=True):
        field[: numbers.size] = values
    limits[: numbers.size] = limit
    return fields, limits


def _lanes(size: int, width: int, n_rows: int) -> int:
    """Rows per step: enough for full vectors, few enough to stay in the cache.

    Rows of a block have similar numbers of sets, since they are sorted: the shorter the better.
    """
    few, many = _LANES
    if width:
        return max(few, min(many, TILE_ENTRIES // width**2))
    if size < 2:
        return min(many, max(few, n_rows // 4))
    return min(many, max(few, n_rows // 64))


def _at_once(n_tests: int, size: int) -> bool:
    """Whether a call makes all tests without a loop."""
    return n_tests <= TESTS_AT_ONCE and n_tests * size * (size + 1) <= 2 * ENTRIES_AT_ONCE


def _rounds(n_sets: np.ndarray, *, everything: bool) -> list[tuple[int, int]]:
    """Ranges of set numbers, growing; a small level is one range."""
    last = int(n_sets.max(initial=0))
    if everything or int(n_sets.sum()) <= TESTS_PER_ROUND:
        return [(0, last)] if last else []
    growing = (FIRST_ROUND * 4**k for k in itertools.count())
    ends = [*itertools.takewhile(lambda end: end < last, growing), last]
    return list(zip([0, *ends[:-1]], ends, strict=True))


def _argsort(counts: np.ndarray) -> np.ndarray:
    """Stable order of counts; numpy sorts 16-bit numbers by radix, twenty times as fast."""
    few = int(counts.max(initial=0)) < 1 << 16
    return np.argsort(counts.astype(np.uint16) if few else counts, kind="stable")


def _where(mask: np.ndarray) -> np.ndarray | slice:
    """Where a mask holds; where it holds throughout a slice, which copies nothing."""
    return slice(None) if mask.all() else np.flatnonzero(mask)


def _portions(mask: np.ndarray) -> Iterator[np.ndarray | slice]:
    """Where a mask holds, as many rows at a time as one call takes."""
    looking = _where(mask)
    if isinstance(looking, slice):
        for start in range(0, mask.size, ROWS_PER_CALL):
            yield slice(start, start + ROWS_PER_CALL)
    else:
        for start in range(0, looking.size, ROWS_PER_CALL):
            yield looking[start : start + ROWS_PER_CALL]


def _sets(size: int, numbers: np.ndarray) -> np.ndarray:
    last = int(numbers.max(initial=-1)) + 1
    if last <= SETS_PER_CALL:
        return _table(size, 0, last)[numbers, :size]
    return colex_subsets(size, numbers)


@lru_cache(maxsize=128)
def _table(size: int, start: int, stop: int) -> np.ndarray:
    """Sets of positions numbered start … stop, padded to few shapes with the null position."""
    length = _bucket(stop - start, (64, SETS_PER_CALL))
    table = np.full((length, _bucket(size, _SIZES)), NULL, np.int32)
    table[: stop - start, :size] = colex_subsets(size, np.arange(start, stop))
    return table


def _padded_lists(lists: np.ndarray) -> np.ndarray:
    """All lists in one vector, padded so that few lengths occur."""
    flat = np.zeros(_next_power(lists.size, 4), np.int32)
    flat[: lists.size] = lists.ravel()
    return flat


def _next_power(n: int, base: int) -> int:
    """Smallest number of the form 4096 · base^k that is at least ``n``."""
    size = 4096
    while size < n:
        size *= base
    return size


def _bucket(n: int, sizes: tuple[int, ...]) -> int:
    """The smallest size that holds ``n``."""
    return next((s for s in sizes if s >= n), n)


def _z(square: np.ndarray, root: np.ndarray) -> np.ndarray:
    """√(N-|S|-3) · atanh|r|; infinite where r² ≥ 1 or nothing could be tested."""
    with np.errstate(divide="ignore", invalid="ignore"):
        z = root * np.arctanh(np.sqrt(np.minimum(square, 1.0)))
    return np.where((square >= 1) | (root <= 0), np.inf, z)


@jax.jit
def _normal_tails(z: Float[jax.Array, "entries"]) -> Float[jax.Array, "entries"]:
    """Probability that a standard normal variable is larger than z in absolute value."""
    return erfc(z / jnp.sqrt(jnp.asarray(2, z.dtype)))
