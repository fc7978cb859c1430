"""Which set separates each pair: the host side of the kernel, for one batch of graphs.

Shapes are rounded up to a few sizes, so that a new problem compiles next to nothing, and rows are
looked at in rounds of growing length, so that a pair that is separated early costs little.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erfc, ndtri
from jaxtyping import Bool, Float, Int

from jaxcause._typing import CITest
from jaxcause.discovery._kernel import (
    CHUNK,
    NEVER,
    DeviceRows,
    Found,
    gaussian_first,
    general_first,
)
from jaxcause.stats import PartialCorrelationTest, colex_subsets

ENTRIES_PER_CALL = 1 << 22
"""Numbers held by one call of the kernel: bounds its memory."""

TESTS_PER_ROUND = 1 << 22
"""A level with no more tests than this is one round."""

SETS_PER_CALL = 4096
"""Length of the table of conditioning sets that a call takes."""

_ROWS = (64, 512, 4096)
_WIDTHS = (1, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096)
_SIZES = (0, 1, 2, 4, 8, 16, 32, 64)


class Rows(NamedTuple):
    """Pairs with their candidates, padded with -1; ``pair`` numbers the pairs from 0.

    A pair may have several rows, which compete: the set with the smallest number separates it, and
    of equal numbers that of the earlier row.
    """

    pair: Int[np.ndarray, "rows"]
    graph: Int[np.ndarray, "rows"]
    x: Int[np.ndarray, "rows"]
    y: Int[np.ndarray, "rows"]
    candidates: Int[np.ndarray, "rows width"]
    n_candidates: Int[np.ndarray, "rows"]

    def at(self, index: np.ndarray | slice) -> "Rows":
        """The rows at an index, or where a mask holds."""
        return Rows(*(field[index] for field in self))


class Separations(NamedTuple):
    """What a level found: per pair its separating set (or none), and how close it came.

    ``strength`` is small where a pair looks independent; `Evaluator.p_values` translates it.
    """

    separated: Bool[np.ndarray, "pairs"]
    sets: Int[np.ndarray, "pairs k"]
    strength: Float[np.ndarray, "pairs"]
    n_tests: Int[np.ndarray, "pairs"]


class Evaluator:
    """Conditional independence in a batch of graphs, for one search.

    Args:
        test: The test; leading axes are a batch of graphs.
        alpha: X and Y are independent given S iff p > alpha.
        max_p: Take the separating set with the largest p-value, not the first.
    """

    def __init__(self, test: CITest, *, alpha: float, max_p: bool = False) -> None:
        self._test, self._alpha, self._max_p = test, float(alpha), max_p
        self._batch: tuple[int, ...] = getattr(test, "batch_shape", ())
        self.n_uncertain = 0
        if isinstance(test, PartialCorrelationTest):
            corr = np.asarray(test.corr)
            self.dtype = corr.dtype
            self._flat = {corr.dtype: _flattened(corr, corr.dtype)}
            n_samples = np.asarray(test.n_samples, np.float64)
            self._n_samples = np.broadcast_to(n_samples, self._batch).reshape(-1)
        else:
            self.dtype = np.dtype(np.float32)

    @property
    def n_graphs(self) -> int:
        """Graphs in the batch."""
        return math.prod(self._batch)

    @property
    def gaussian(self) -> bool:
        """Whether this is a partial-correlation test, which the fast kernel serves."""
        return isinstance(self._test, PartialCorrelationTest)

    def __call__(self, rows: Rows, size: int) -> Separations:
        """Look for a conditioning set of ``size`` candidates for each pair."""
        n_pairs = int(rows.pair.max(initial=-1)) + 1
        n_sets = _n_subsets(rows.n_candidates, size)
        number = np.full(n_pairs, NEVER, np.int64)
        winner = np.zeros(n_pairs, np.int64)
        strength = np.full(n_pairs, np.inf)
        alive = np.arange(rows.x.size)
        for start, stop in _rounds(n_sets, everything=self._max_p):
            alive = alive[(number[rows.pair[alive]] == NEVER) & (n_sets[alive] > start)]
            if not alive.size:
                break
            first, value = self._first(rows.at(alive), size, start, stop, n_sets[alive])
            self._settle(rows.pair[alive], alive, first, value, (number, winner, strength))
        separated = number < NEVER
        sets = np.full((n_pairs, size), -1, np.int32)
        at = winner[separated]
        positions = colex_subsets(size, number[separated])
        sets[separated] = np.take_along_axis(rows.candidates[at], positions.astype(np.int64), 1)
        needed = n_sets if self._max_p else np.minimum(n_sets, number[rows.pair] + 1)
        n_tests = np.bincount(rows.pair, needed, n_pairs).astype(np.int64)
        return Separations(separated, sets, strength, n_tests)

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
        found = np.flatnonzero(first < NEVER)
        keys = (row[found], value[found] if self._max_p else first[found], pair[found])
        order = found[np.lexsort(keys)]
        top, at = np.unique(pair[order], return_index=True)
        number[top], winner[top] = first[order[at]], row[order[at]]
        np.minimum.at(strength, pair, value)
        strength[top] = value[order[at]]

    def p_values(self, strength: Float[np.ndarray, "*any"]) -> Float[np.ndarray, "*any"]:
        """The p-values behind ``strength``; NaN stays NaN."""
        if not self.gaussian:
            return -strength
        size = strength.size
        padded = np.zeros(_next_power(size, 4), np.float64)
        padded[:size] = strength.ravel()
        with jax.enable_x64(True):
            return np.asarray(_normal_tails(padded))[:size].reshape(strength.shape)

    def level_0(self) -> tuple[Bool[np.ndarray, "graphs n n"], Float[np.ndarray, "graphs n n"]]:
        """Which pairs are independent given nothing, and their strength, for all pairs at once."""
        corr: Any = self._test
        r = np.asarray(corr.corr, np.float64).reshape(self.n_graphs, *corr.corr.shape[-2:])
        limit, root = self._limits(0)
        square = r * r
        if corr.one_sided:
            square[r <= 0] = 0.0
        square[square >= 1] = np.inf
        return square < limit[:, None, None], _z(square, root[:, None, None])

    def _limits(self, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Largest squared correlation that counts as none, and √(N-|S|-3), of each graph."""
        degrees = self._n_samples - size - 3
        root = np.sqrt(np.maximum(degrees, 0))
        with jax.enable_x64(True):
            z = -float(ndtri(np.float64(self._alpha / 2)))
        # Where nothing can be tested no square lies below the limit: dependent.
        tested = degrees > 0
        return np.where(tested, np.tanh(z / np.where(tested, root, 1.0)) ** 2, -1.0), root

    def _first(
        self, rows: Rows, size: int, start: int, stop: int, n_sets: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """First separating set of each row among the sets numbered start … stop, and strength."""
        first = np.full(rows.x.size, NEVER, np.int64)
        value = np.full(rows.x.size, np.inf)
        if self.gaussian:
            limits, roots = self._limits(size)
            limit = limits[rows.graph]
        else:
            roots, limit = None, np.full(rows.x.size, -self._alpha)
        for a in range(start, stop, SETS_PER_CALL):
            b = min(stop, a + SETS_PER_CALL)
            looking = np.flatnonzero(((first == NEVER) | self._max_p) & (n_sets > a))
            if not looking.size:
                break
            f, v = self._in_precision(
                rows.at(looking), size, (a, b), n_sets[looking], limit[looking]
            )
            better = v < value[looking] if self._max_p else np.ones(looking.size, bool)
            found = looking[better & (f < NEVER)]
            first[found] = a + f[better & (f < NEVER)]
            value[looking] = np.minimum(value[looking], v)
        if roots is None:
            return first, value
        return first, _z(value, roots[rows.graph])

    def _in_precision(
        self,
        rows: Rows,
        size: int,
        numbers: tuple[int, int],
        n_sets: np.ndarray,
        limit: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Evaluate in the precision of the test, and what float32 leaves open in float64."""
        call = partial(self._call, size=size, numbers=numbers)
        found = call(rows, n_sets, limit, self.dtype)
        first, value = found.first.astype(np.int64), found.value.astype(np.float64)
        again = np.flatnonzero(found.uncertain)
        if self.gaussian and self.dtype == np.float32 and again.size:
            self.n_uncertain += again.size
            better = call(rows.at(again), n_sets[again], limit[again], np.dtype(np.float64))
            first[again], value[again] = better.first, better.value
        return first, value

    def _call(
        self,
        rows: Rows,
        n_sets: np.ndarray,
        limit: np.ndarray,
        dtype: np.dtype,
        *,
        size: int,
        numbers: tuple[int, int],
    ) -> Found:
        """Call the kernel on blocks of rows of similar width."""
        n_rows = rows.x.size
        found = Found(np.zeros(n_rows, np.int64), np.zeros(n_rows), np.zeros(n_rows, bool))
        with jax.enable_x64(dtype == np.float64):
            for block in _blocks(rows.n_candidates, size):
                part = self._on_device(
                    rows.at(block), n_sets[block], limit[block], dtype, size, numbers
                )
                for whole, piece in zip(found, part, strict=True):
                    whole[block] = np.asarray(piece)[: block.size]
        return found

    def _on_device(
        self,
        rows: Rows,
        n_sets: np.ndarray,
        limit: np.ndarray,
        dtype: np.dtype,
        size: int,
        numbers: tuple[int, int],
    ) -> Found:
        width = _bucket(int(rows.n_candidates.max(initial=0)), _WIDTHS) if size else 0
        subsets = _table(size, _bucket(size, _SIZES), width, *numbers)
        extra = _bucket(rows.x.size, _ROWS) - rows.x.size
        candidates = np.zeros((width, rows.x.size + extra), np.int32)
        used = min(width, rows.candidates.shape[1])
        candidates[:used, : rows.x.size] = np.maximum(rows.candidates[:, :used], 0).T
        pad: Callable[[np.ndarray, Any], np.ndarray] = lambda a, t: np.pad(a.astype(t), (0, extra))  # noqa: E731
        on_device = DeviceRows(
            pad(rows.graph, np.int32),
            pad(rows.x, np.int32),
            pad(rows.y, np.int32),
            candidates,
            pad(np.clip(n_sets - numbers[0], 0, numbers[1] - numbers[0]), np.int32),
            pad(limit, dtype),
        )
        n_subsets = np.int32(numbers[1] - numbers[0])
        if not self.gaussian:
            return general_first(
                self._test, on_device, subsets, n_subsets, batch=self._batch, best=self._max_p
            )
        test: Any = self._test
        if dtype not in self._flat:
            self._flat[dtype] = _flattened(np.asarray(test.corr), dtype)
        return gaussian_first(
            self._flat[dtype],
            np.int32(test.n_nodes),
            on_device,
            subsets,
            n_subsets,
            one_sided=test.one_sided,
            best=self._max_p,
        )


def _rounds(n_sets: np.ndarray, *, everything: bool) -> list[tuple[int, int]]:
    """Ranges of set numbers, growing; a small level is one range."""
    last = int(n_sets.max(initial=0))
    if everything or int(n_sets.sum()) <= TESTS_PER_ROUND:
        return [(0, last)] if last else []
    ends = [min(last, 64 * 8**k) for k in range(32) if k == 0 or 64 * 8 ** (k - 1) < last]
    return list(zip([0, *ends[:-1]], ends, strict=True))


def _n_subsets(n_candidates: np.ndarray, size: int) -> np.ndarray:
    """Binomials: how many sets of ``size`` each row has."""
    if not n_candidates.size:
        return np.zeros(0, np.int64)
    table = np.array([math.comb(n, size) for n in range(int(n_candidates.max()) + 1)], np.int64)
    return table[n_candidates]


def _blocks(n_candidates: np.ndarray, size: int) -> list[np.ndarray]:
    """Indices of rows in blocks of similar width, each small enough for one call."""
    order = np.argsort(n_candidates, kind="stable")
    blocks, start = [], 0
    while start < order.size:
        width = _bucket(int(n_candidates[order[start]]), _WIDTHS)
        stop = int(np.searchsorted(n_candidates[order], width, side="right"))
        entries = width * (width if size > 1 else 2) + 1
        rows = max(
            r for r in (_ROWS[0], *_ROWS) if r == _ROWS[0] or r * entries <= ENTRIES_PER_CALL
        )
        blocks += [order[a : min(a + rows, stop)] for a in range(start, stop, rows)]
        start = stop
    return blocks


def _table(size: int, padded_size: int, width: int, start: int, stop: int) -> np.ndarray:
    """Sets of positions numbered start … stop, padded to few shapes with the null position."""
    length = -(-(stop - start) // CHUNK) * CHUNK
    table = np.full((_bucket(length, (CHUNK, 256, SETS_PER_CALL)), padded_size), width, np.int32)
    table[: stop - start, :size] = colex_subsets(size, np.arange(start, stop))
    return table


def _flattened(corr: np.ndarray, dtype: np.dtype) -> Any:
    """All entries in one vector, padded so that few lengths occur."""
    flat = np.zeros(_next_power(corr.size, 2), dtype)
    flat[: corr.size] = corr.ravel()
    with jax.enable_x64(dtype == np.float64):
        return jnp.asarray(flat)


def _next_power(n: int, base: int) -> int:
    """Smallest power of ``base`` that is at least ``n``, and at least 1024."""
    size = 1024
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
