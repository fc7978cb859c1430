"""Which set separates each pair: the host side of the kernel, for one batch of graphs.

Shapes are rounded up to a few sizes, so that a new problem compiles next to nothing, and rows are
looked at in rounds of growing length, so that a pair that is separated early costs little.
"""

import itertools
import math
from functools import lru_cache
from statistics import NormalDist
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erfc
from jaxtyping import Bool, Float, Int

from jaxcause._typing import CITest
from jaxcause.discovery._kernel import (
    CHUNK,
    NEVER,
    NULL,
    Found,
    Lists,
    gaussian_first,
    general_first,
)
from jaxcause.stats import PartialCorrelationTest, colex_subsets, is_singular

TESTS_PER_ROUND = 1 << 18
"""A level with no more tests than this is one round."""

TILE_ENTRIES = 1 << 21
"""Correlations that a block of rows may gather beforehand: bounds the memory of the kernel."""

FIRST_ROUND = 8
"""Sets that a large level looks at first; each later round looks at four times as many."""

SETS_PER_CALL = 4096
"""Length of the table of conditioning sets that a call takes."""

ROWS_PER_CALL = 1 << 17
"""Rows that one call takes: bounds the memory of the kernel."""

_ROWS = (256, 2048, 8192, 32768, ROWS_PER_CALL)
_LANES = (256, 4096)
_WIDTHS = (8, 16, 32, 64, 128, 256, 512, 1024)
_SIZES = (0, 1, 2, 4, 8, 16, 32, 64)
_NO_SKIP = NULL


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
            skip=np.full(pair.size, _NO_SKIP),
            n_candidates=n_candidates,
        )

    def picked(self, index: np.ndarray) -> "Rows":
        """Some of the rows; lists that no row needs stay."""
        per_row = {name: getattr(self, name)[index] for name in self._fields if name != "lists"}
        return self._replace(**per_row)

    def members(self, row: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """The candidates of some rows at positions: ``[rows, k]``."""
        moved = positions + (positions >= self.skip[row][:, None])
        return self.lists[self.owner[row][:, None], moved]


class Separations(NamedTuple):
    """What a level found: per pair its separating set (or none), and how close it came.

    ``strength`` is small where a pair looks independent; `Evaluator.p_values` translates it;
    ``winner`` is the row whose set separated the pair.
    """

    separated: Bool[np.ndarray, "pairs"]
    sets: Int[np.ndarray, "pairs k"]
    strength: Float[np.ndarray, "pairs"]
    n_tests: Int[np.ndarray, "pairs"]
    winner: Int[np.ndarray, "pairs"]

    @classmethod
    def none(cls, n_pairs: int, size: int) -> "Separations":
        """Nothing looked at yet."""
        return cls(
            np.zeros(n_pairs, bool),
            np.full((n_pairs, size), -1, np.int32),
            np.full(n_pairs, np.inf),
            np.zeros(n_pairs, np.int64),
            np.zeros(n_pairs, np.int64),
        )

    def update(self, pairs: Int[np.ndarray, "some"], later: "Separations") -> None:
        """Add what was found later about some of the pairs, in place."""
        self.separated[pairs], self.sets[pairs] = later.separated, later.sets
        # The test that separates a pair is the closest to independence that it has seen.
        self.strength[pairs] = np.minimum(self.strength[pairs], later.strength)


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
        self.n_retested = 0
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
        winner = np.zeros(n_pairs, np.int64)
        strength = np.full(n_pairs, np.inf)
        order = np.argsort(n_sets, kind="stable")
        for start, stop in _rounds(n_sets, everything=self.max_p):
            alive = order[(number[rows.pair[order]] == NEVER) & (n_sets[order] > start)]
            if not alive.size:
                break
            first, value = self._first(rows, alive, size, (start, stop), n_sets[alive])
            self._settle(rows.pair[alive], alive, first, value, (number, winner, strength))
        separated = number < NEVER
        sets = np.full((n_pairs, size), -1, np.int32)
        sets[separated] = rows.members(winner[separated], _sets(size, number[separated]))
        needed = n_sets if self.max_p else np.minimum(n_sets, number[rows.pair] + 1)
        n_tests = np.bincount(rows.pair, needed, n_pairs).astype(np.int64)
        return Separations(separated, sets, strength, n_tests, winner)

    def _settle(
        self,
        pair: np.ndarray,
        row: np.ndarray,
        first: np.ndarray,
        value: np.ndarray,
        best: tuple[np.ndarray, np.ndarray, np.ndarray],
    ) -> None:
        """Let the rows of each pair compete, and keep what came closest to independence."""
        number, winner, strength = best
        np.minimum.at(strength, pair, value)
        found = np.flatnonzero(first < NEVER)
        if not found.size:
            return
        keys = (row[found], value[found] if self.max_p else first[found], pair[found])
        order = found[np.lexsort(keys)]
        top = pair[order]
        at = order[np.concatenate([[True], top[1:] != top[:-1]])]
        number[pair[at]], winner[pair[at]], strength[pair[at]] = first[at], row[at], value[at]

    def singular(self) -> Bool[np.ndarray, "graphs"]:
        """Which correlation matrices are singular in rounding; False for other tests."""
        if not self.gaussian:
            return np.zeros(self.n_graphs, bool)
        test: Any = self._test
        return np.asarray(is_singular(test.corr)).reshape(self.n_graphs)

    def level_0(self) -> Bool[np.ndarray, "graphs n n"]:
        """Which pairs are independent given nothing."""
        limit, _ = self._limits(0)
        return self._squares_0() < limit[:, None, None]

    def strength_0(self) -> Float[np.ndarray, "graphs n n"]:
        """Strength of all pairs given nothing."""
        return _z(self._squares_0(), self._limits(0)[1][:, None, None])

    def p_values(self, strength: Float[np.ndarray, "*any"]) -> Float[np.ndarray, "*any"]:
        """The p-values behind ``strength``; NaN stays NaN."""
        if not self.gaussian:
            return -strength
        padded = np.zeros(_next_power(strength.size, 2))
        padded[: strength.size] = strength.ravel()
        with jax.enable_x64(True):
            tails = np.asarray(_normal_tails(padded))
        return tails[: strength.size].reshape(strength.shape)

    def _squares_0(self) -> np.ndarray:
        test: Any = self._test
        r = np.asarray(test.corr, np.float64).reshape(self.n_graphs, *test.corr.shape[-2:])
        square = r * r
        if test.one_sided:
            # At r = -1 a variance vanishes: dependent, as everywhere.
            square[(r <= 0) & (r > -1)] = 0.0
        return square

    def _limits(self, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Largest squared correlation that counts as none, and √(N-|S|-3), of each graph."""
        degrees = self._n_samples - size - 3
        root = np.sqrt(np.maximum(degrees, 0))
        # Where nothing can be tested no square lies below the limit: dependent.
        tested = degrees > 0
        largest = np.tanh(self._quantile / np.where(tested, root, 1.0)) ** 2
        return np.where(tested, largest, -1.0), root

    def _first(
        self, rows: Rows, index: np.ndarray, size: int, numbers: tuple[int, int], n_sets: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """First separating set of some rows within a range of set numbers, and its strength."""
        first = np.full(index.size, NEVER, np.int64)
        value = np.full(index.size, np.inf)
        limit, roots = np.full(index.size, -self._alpha), None
        if self.gaussian:
            limits, roots = self._limits(size)
            limit = limits[rows.graph[index]]
        for a in range(*numbers, SETS_PER_CALL):
            b = min(numbers[1], a + SETS_PER_CALL)
            looking = np.flatnonzero(((first == NEVER) | self.max_p) & (n_sets > a))
            for start in range(0, looking.size, ROWS_PER_CALL):
                here = looking[start : start + ROWS_PER_CALL]
                of = (index[here], n_sets[here], limit[here])
                f, v = self._in_precision(rows, of, size, (a, b))
                found = (f < NEVER) & (v < value[here])
                first[here[found]] = a + f[found]
                value[here] = np.minimum(value[here], v)
        return first, value if roots is None else _z(value, roots[rows.graph[index]])

    def _in_precision(
        self, rows: Rows, of: tuple[np.ndarray, ...], size: int, numbers: tuple[int, int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Evaluate in the precision of the test, and what float32 leaves open in float64."""
        found = self._call(rows, of, size, numbers, self.dtype)
        first, value = np.asarray(found.first, np.int64), np.asarray(found.value, np.float64)
        if self.gaussian and self.dtype == np.float32 and found.uncertain.any():
            again = np.flatnonzero(found.uncertain)
            self.n_retested += again.size
            exact = tuple(part[again] for part in of)
            better = self._call(rows, exact, size, numbers, np.dtype(np.float64))
            first[again], value[again] = better.first, better.value
        return first, value

    def _call(
        self,
        rows: Rows,
        of: tuple[np.ndarray, ...],
        size: int,
        numbers: tuple[int, int],
        dtype: np.dtype,
    ) -> Found:
        """Call the kernel on rows that are sorted by their number of sets."""
        index, n_sets, limit = of
        n_rows, n_numbers = index.size, numbers[1] - numbers[0]
        padded = _bucket(n_rows, _ROWS)
        width = self._tile_width(rows.n_candidates[index], n_sets, size)
        lanes = min(padded, _lanes(size, width, padded))
        fields = np.zeros((6, padded), np.int32)
        of_row = (rows.graph, rows.x, rows.y, rows.owner, rows.skip)
        for field, values in zip(fields, of_row, strict=False):
            field[:n_rows] = values[index]
        fields[5, :n_rows] = np.clip(n_sets - numbers[0], 0, n_numbers)
        limits = np.zeros(padded, dtype)
        limits[:n_rows] = limit
        subsets = _table(size, *numbers)
        with jax.enable_x64(dtype == np.float64):
            lists = Lists(_padded_lists(rows.lists), np.array(rows.lists.shape[1], np.int32))
            on_device = (fields, limits)
            n_subsets = fields[5].reshape(-1, lanes).max(axis=1)
            if self.gaussian:
                test: Any = self._test
                found = gaussian_first(
                    self._on_device(dtype),
                    np.int32(test.n_nodes),
                    lists,
                    on_device,
                    subsets,
                    n_subsets,
                    one_sided=test.one_sided,
                    best=self.max_p,
                    lanes=lanes,
                    chunk=CHUNK,
                    width=width,
                )
            else:
                found = general_first(
                    self._test,
                    lists,
                    on_device,
                    subsets,
                    n_subsets,
                    batch=self._batch,
                    best=self.max_p,
                    lanes=lanes,
                    chunk=CHUNK,
                )
            return Found(*(np.asarray(field)[:n_rows] for field in found))

    def _tile_width(self, n_candidates: np.ndarray, n_sets: np.ndarray, size: int) -> int:
        """Width of the tiles to gather beforehand, or 0 where single look-ups are less work."""
        if not self.gaussian or size < 2:
            return 0
        width = _bucket(int(n_candidates.max(initial=0)), _WIDTHS)
        look_ups = int(n_sets.sum()) * (2 * size + size * (size - 1) // 2)
        affordable = width**2 * 256 <= 4 * TILE_ENTRIES
        return width if affordable and look_ups > 2 * n_sets.size * width * (width + 2) else 0

    def _on_device(self, dtype: np.dtype) -> Any:
        """All correlations in one vector, padded so that few lengths occur."""
        if dtype not in self._flat:
            test: Any = self._test
            flat = np.zeros(_next_power(test.corr.size, 2), dtype)
            flat[: test.corr.size] = np.asarray(test.corr).ravel()
            self._flat[dtype] = jnp.asarray(flat)
        return self._flat[dtype]


def _lanes(size: int, width: int, n_rows: int) -> int:
    """Rows per step: enough for full vectors, few enough to stay in the cache.

    Rows of a block have similar numbers of sets, since they are sorted: the shorter the better.
    """
    few, many = _LANES
    if width:
        return max(few, min(many, TILE_ENTRIES // width**2))
    if size < 2:
        return min(many, max(few, n_rows // 8))
    return min(many, max(few, n_rows // 64))


def no_skip(n: int) -> Int[np.ndarray, "rows"]:
    """Rows that use their whole lists."""
    return np.full(n, _NO_SKIP)


def _rounds(n_sets: np.ndarray, *, everything: bool) -> list[tuple[int, int]]:
    """Ranges of set numbers, growing; a small level is one range."""
    last = int(n_sets.max(initial=0))
    if everything or int(n_sets.sum()) <= TESTS_PER_ROUND:
        return [(0, last)] if last else []
    growing = (FIRST_ROUND * 4**k for k in itertools.count())
    ends = [*itertools.takewhile(lambda end: end < last, growing), last]
    return list(zip([0, *ends[:-1]], ends, strict=True))


def n_subsets(n_candidates: np.ndarray, size: int) -> np.ndarray:
    """Binomials: how many sets of ``size`` there are among so many candidates."""
    largest = int(n_candidates.max(initial=0))
    table = np.array([math.comb(n, size) for n in range(largest + 1)], np.int64)
    return table[n_candidates]


def _sets(size: int, numbers: np.ndarray) -> np.ndarray:
    return colex_subsets(size, numbers).astype(np.int64)


@lru_cache(maxsize=128)
def _table(size: int, start: int, stop: int) -> np.ndarray:
    """Sets of positions numbered start … stop, padded to few shapes with the null position."""
    length = _bucket(-(-(stop - start) // CHUNK) * CHUNK, (64, SETS_PER_CALL))
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
