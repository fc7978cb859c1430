"""The engine of Gaussian tests: partial correlations, with their own batched kernels.

The value of a test is the squared partial correlation. It is compared with a limit, so that no
p-value is computed before a search has ended.
"""

import math
from collections.abc import Hashable
from functools import cached_property
from statistics import NormalDist

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import erfc, ndtri
from jax.sharding import Mesh
from jaxtyping import Bool, Float, Int

from jaxcause._checks import is_concrete
from jaxcause._small_work import pays_to_compile
from jaxcause._typing import AnyArray
from jaxcause.discovery._kernel import short_lists, sizes
from jaxcause.discovery._kernel.conditioning_sets import SetRange
from jaxcause.discovery._kernel.in_numpy import first_of_each, first_separating_in_numpy
from jaxcause.discovery._kernel.one_condition import (
    Sweep,
    best_single_conditions,
    is_worth_a_sweep,
)
from jaxcause.discovery._kernel.over_cores import n_shares
from jaxcause.discovery._kernel.over_devices import scan_rows
from jaxcause.discovery._kernel.partial_correlation import (
    Correlations,
    gaussian_each,
    gaussian_first,
    squared_correlations,
)
from jaxcause.discovery._kernel.rows import Found, KernelRows, RowBatch
from jaxcause.discovery._kernel.short_lists import first_single_conditions
from jaxcause.discovery._kernel.sizes import (
    ROWS,
    TESTS,
    WIDTHS,
    all_at_once,
    bucket,
    lanes,
    next_power,
)
from jaxcause.stats import PartialCorrelationTest, fisher_z_p_value, is_singular
from jaxcause.stats._definite import eigenvalues_exceed, rounding

TESTS_IN_CACHE = 1 << 15
"""Tests that numpy makes at a time."""

COMPILING = 0.3
"""Seconds that XLA takes to compile a kernel."""


class GaussianEngine:
    """Squared partial correlations; see `jaxcause.discovery._kernel.engine.Engine`."""

    def __init__(self, test: PartialCorrelationTest, mesh: Mesh | None = None) -> None:
        self.test, self.mesh = test, mesh
        self.batch_shape = test.batch_shape
        self.n_graphs = int(np.prod(self.batch_shape))
        self.n_nodes = test.n_nodes
        self.n_retested = 0
        self._flat: dict[np.dtype, Array] = {}

    @property
    def traced_dtype(self) -> np.dtype:
        """Precision of a traced search."""
        return np.dtype(self.test.corr.dtype)

    @property
    def traced_lanes(self) -> int:
        """Rows of one block in a traced search."""
        return sizes.traced_lanes()

    # Where levels are decided on the host --------------------------------------------------------

    def limits(self, alpha: float, size: int) -> Float[np.ndarray, "graphs"]:
        r"""The limit :math:`\tanh^2(z_{1-α/2} / \sqrt{N-|S|-3})` of each graph."""
        root = self._roots(size)
        # Where nothing can be tested no square lies below the limit: dependent.
        can_test = root > 0
        quantile = -NormalDist().inv_cdf(alpha / 2)
        largest = np.tanh(quantile / np.where(can_test, root, 1.0)) ** 2
        return np.where(can_test, largest, -1.0)

    def marginal_values(self) -> Float[np.ndarray, "graphs nodes nodes"]:
        """Squared correlations of all pairs given nothing."""
        r = np.asarray(self._stacked(), np.float64)
        square = r * r
        if self.test.one_sided:
            # At r = -1 a variance vanishes: dependent, as everywhere.
            square[(r <= 0) & (r > -1)] = 0.0
        return square

    def first_separating(
        self, batch: RowBatch, lists: Int[np.ndarray, "candidates"], sets: SetRange, *, best: bool
    ) -> Found:
        """Search in the precision of the test; what float32 leaves uncertain, in float64."""
        n_tests = int(sets.n_within(batch.n_sets).sum())
        if best and is_worth_a_sweep(batch, sets, n_tests) and self._sweep is not None:
            return best_single_conditions(self._sweep, batch, lists, sets)
        found = self._call(batch, lists, sets, best, self._search_dtype)
        first, value = np.asarray(found.first, np.int64), np.asarray(found.value, np.float64)
        if found.uncertain is not None and found.uncertain.any():
            again = np.flatnonzero(found.uncertain)
            self.n_retested += again.size
            exact = self._call(batch.at(again), lists, sets, best, np.dtype(np.float64))
            first[again], value[again] = exact.first, exact.value
        return Found(first, value, None)

    def strength(
        self,
        value: Float[np.ndarray, "*pairs"],
        graph: Int[np.ndarray, "*#pairs"],
        size: int,
    ) -> Float[np.ndarray, "*pairs"]:
        """√(N-|S|-3) · atanh|r|; infinite where r² ≥ 1 or nothing could be tested."""
        root = self._roots(size)[graph]
        z = np.sqrt(value)
        with np.errstate(divide="ignore", invalid="ignore"):
            np.arctanh(z, out=z)
            z *= root
        z[(value >= 1) | (root <= 0)] = np.inf
        return z

    def p_values(self, strength: Float[np.ndarray, "*pairs"]) -> Float[np.ndarray, "*pairs"]:
        """Probability that a standard normal variable exceeds ``strength`` in absolute value."""
        length = next_power(strength.size, 2)
        if not pays_to_compile(("tails", length), 2e-7 * strength.size, COMPILING / 2):
            scaled = (strength / math.sqrt(2)).ravel().tolist()
            tails = np.fromiter(map(math.erfc, scaled), np.float64, strength.size)
            return tails.reshape(strength.shape)
        padded = np.zeros(length)
        padded[: strength.size] = strength.ravel()
        with jax.enable_x64(True):
            tails = np.asarray(_normal_tails(padded))
        return tails[: strength.size].reshape(strength.shape)

    def singular(self) -> Bool[np.ndarray, "graphs"]:
        """Which correlation matrices are singular in rounding."""
        corr = np.asarray(self._stacked())
        single = corr.astype(np.float32)
        # Correlations that were made in single precision are no more exact in double precision.
        bound = rounding(single if (single == corr).all() else corr)
        return ~_exceed(corr, bound)

    def node_keys(self) -> Float[AnyArray, "graphs nodes"] | None:
        """Minus the sum of squared correlations with all nodes: the most connected come first."""
        r = self._stacked()
        return -(r * r).sum(axis=2)

    def indistinct(self) -> Bool[AnyArray, "graphs nodes nodes"]:
        """As the test says."""
        return self._copies

    def nearly_indistinct(self) -> Bool[AnyArray, "graphs nodes nodes"]:
        """As the test says."""
        return self.test.nearly_indistinct().reshape(self.n_graphs, self.n_nodes, self.n_nodes)

    @cached_property
    def _copies(self) -> Bool[AnyArray, "graphs nodes nodes"]:
        return self.test.indistinct().reshape(self.n_graphs, self.n_nodes, self.n_nodes)

    def _stacked(self) -> Float[AnyArray, "graphs nodes nodes"]:
        """The correlations with one leading axis, on the host where they are concrete."""
        corr = np.asarray(self.test.corr) if is_concrete(self.test.corr) else self.test.corr
        return corr.reshape(self.n_graphs, *corr.shape[-2:])

    @cached_property
    def _sweep(self) -> Sweep | None:
        one_sided = self.test.one_sided
        return None if one_sided else Sweep.of(np.asarray(self._stacked()))

    @cached_property
    def _search_dtype(self) -> np.dtype:
        return np.dtype(self.test.search_dtype or np.asarray(self.test.corr).dtype)

    def _roots(self, size: int) -> Float[np.ndarray, "graphs"]:
        """√(N-|S|-3) of each graph."""
        n_samples = np.asarray(self.test.n_samples, np.float64)
        n_samples = np.broadcast_to(n_samples, self.batch_shape).reshape(-1)
        return np.sqrt(np.maximum(n_samples - size - 3, 0))

    def _call(
        self,
        batch: RowBatch,
        lists: Int[np.ndarray, "candidates"],
        sets: SetRange,
        best: bool,
        dtype: np.dtype,
    ) -> Found:
        """Make few tests in numpy, more of them at once, and many in a loop over sets."""
        n_tests = sets.n_within(batch.n_sets)
        program = self._program(n_tests, lists, sets, best)
        seconds = 1e-4 + _seconds_per_test(sets.size) * int(n_tests.sum())
        if not pays_to_compile(program, seconds, COMPILING):
            return self._in_numpy(batch, lists, sets, best)
        if all_at_once(int(n_tests.sum()), sets.table().shape[1]):
            with jax.enable_x64(True):
                return self._each(batch, lists, sets, best)
        with jax.enable_x64(dtype == np.float64):
            return self._loop(batch, lists, sets, best, dtype)

    def _program(
        self,
        n_tests: Int[np.ndarray, "rows"],
        lists: Int[np.ndarray, "candidates"],
        sets: SetRange,
        best: bool,
    ) -> Hashable:
        """What is compiled for such tests, up to what hardly differs between calls."""
        total, size = int(n_tests.sum()), sets.table().shape[1]
        if all_at_once(total, size):
            shapes = ("at once", bucket(total, TESTS))
        else:
            shapes = ("in a loop", bucket(n_tests.size, ROWS), best)
        length = next_power(self.test.corr.size, 2)
        return ("gaussian", *shapes, size, length, lists.size, self.test.one_sided)

    def _in_numpy(
        self, batch: RowBatch, lists: Int[np.ndarray, "candidates"], sets: SetRange, best: bool
    ) -> Found:
        """Make all tests in numpy, in float64, as many at a time as stay in the cache."""
        flat = np.asarray(self.test.corr, np.float64).reshape(-1)
        correlations = Correlations(flat, np.array(self.test.n_nodes, np.int32), lists)
        one_sided = self.test.one_sided
        if sets.size == 1:
            return first_single_conditions(
                correlations, batch, sets, one_sided=one_sided, best=best
            )

        def values(tests: KernelRows, positions: np.ndarray) -> np.ndarray:
            with np.errstate(divide="ignore", invalid="ignore"):
                found = squared_correlations(correlations, tests, one_sided=one_sided)(positions)
            return np.asarray(found[0])

        return first_separating_in_numpy(values, batch, sets, best=best, at_a_time=TESTS_IN_CACHE)

    def _loop(
        self,
        batch: RowBatch,
        lists: Int[np.ndarray, "candidates"],
        sets: SetRange,
        best: bool,
        dtype: np.dtype,
    ) -> Found:
        """Loop over the sets."""
        width = self._tile_width(batch, sets.size)
        subsets, n_tests = sets.table(), sets.n_within(batch.n_sets)
        length = bucket(n_tests.size, ROWS)
        most = lanes(subsets.shape[1], width, length)
        per_block = min(length, self.traced_lanes if sizes.on_accelerator() else most)
        found = scan_rows(
            gaussian_first,
            (self._correlations(lists, dtype),),
            batch.packed(n_tests, length, dtype),
            subsets,
            mesh=self.mesh,
            cores=n_shares(length),
            one_sided=self.test.one_sided,
            best=best,
            guarded=dtype == np.float32,
            lanes=per_block,
            width=width,
            at_once=sizes.sets_per_turn(),
        )
        return jax.tree.map(lambda field: np.asarray(field)[: n_tests.size], found)

    def _each(
        self, batch: RowBatch, lists: Int[np.ndarray, "candidates"], sets: SetRange, best: bool
    ) -> Found:
        """Make all tests, and look afterwards which was the first to separate each row.

        So few tests are as fast in float64, which leaves nothing uncertain.
        """
        n_tests = sets.n_within(batch.n_sets)
        end = np.cumsum(n_tests)
        start, last = end - n_tests, int(end[-1])
        length = bucket(last, TESTS)
        row = np.zeros(length, np.int32)
        row[:last] = np.repeat(np.arange(n_tests.size, dtype=np.int32), n_tests)
        # A second shape costs a compilation, so it must save much: rows are then an eighth of it.
        few = n_tests.size <= length // 8 and length > 4096
        dtype = np.dtype(np.float64)
        value = gaussian_each(
            self._correlations(lists, dtype),
            batch.packed(start, length // 8 if few else length, dtype),
            row,
            sets.table(),
            one_sided=self.test.one_sided,
        )
        return first_of_each(np.asarray(value)[:last], row[:last], start, batch.limit, best)

    def _tile_width(self, batch: RowBatch, size: int) -> int:
        """Width of the tiles to gather beforehand, or 0 where single look-ups are less work."""
        if size < 2 or sizes.on_accelerator():
            return 0
        width = bucket(int(batch.n_candidates.max(initial=0)), WIDTHS)
        look_ups = int(batch.n_sets.sum()) * (2 * size + size * (size - 1) // 2)
        affordable = width**2 * 256 <= 4 * sizes.TILE_ENTRIES
        saves = look_ups > 2 * batch.n_sets.size * width * (width + 2)
        return width if affordable and saves else 0

    def _correlations(self, lists: Int[np.ndarray, "candidates"], dtype: np.dtype) -> Correlations:
        """All correlations in one vector, padded so that few lengths occur, and the candidates."""
        corr = self.test.corr
        if dtype not in self._flat:
            flat = np.zeros(next_power(corr.size, 2), dtype)
            flat[: corr.size] = np.asarray(corr).ravel()
            self._flat[dtype] = jnp.asarray(flat)
        return Correlations(self._flat[dtype], np.array(self.test.n_nodes, np.int32), lists)

    # Inside a traced program ---------------------------------------------------------------------

    def traced_limits(self, alpha: Float[Array, ""], size: int) -> Float[Array, "graphs"]:
        """As `limits`."""
        degrees = self._degrees(size)
        root = jnp.sqrt(jnp.maximum(degrees, jnp.ones_like(degrees)))
        square = jnp.tanh(-ndtri(alpha / 2) / root) ** 2
        return jnp.where(degrees > 0, square, -jnp.ones_like(square))

    def traced_first_separating(
        self,
        rows: KernelRows,
        lists: Int[Array, "candidates"],
        subsets: Int[Array, "sets k"],
        n_subsets: Int[Array, "blocks"],
        *,
        best: bool,
        lanes: int,
    ) -> Found:
        """As `first_separating`, in the precision of the correlations."""
        corr = jnp.asarray(self.test.corr).reshape(-1)
        return gaussian_first(
            Correlations(corr, jnp.int32(self.test.n_nodes), lists),
            rows,
            subsets,
            n_subsets,
            one_sided=self.test.one_sided,
            best=best,
            guarded=False,
            lanes=lanes,
            width=0,
            at_once=sizes.sets_per_turn(),
        )

    def traced_p_values(
        self, value: Float[Array, "graphs nodes rows"], size: int
    ) -> Float[Array, "graphs nodes rows"]:
        """The p-values behind squared partial correlations given ``size`` nodes."""
        degrees = jnp.broadcast_to(self._degrees(size)[:, None, None], value.shape)
        p = fisher_z_p_value(jnp.sqrt(value).reshape(-1), degrees.reshape(-1))
        return jnp.asarray(p).reshape(value.shape)

    def traced_singular(self) -> Bool[Array, "graphs"]:
        """As `singular`."""
        corr = jnp.asarray(self.test.corr)
        single = corr.astype(np.float32)
        whole = (single.astype(corr.dtype) == corr).all()
        found = is_singular(corr)
        if corr.dtype == np.float64:
            found = jnp.where(whole, is_singular(corr, tolerance=rounding(single)), found)
        return jnp.asarray(found).reshape(self.n_graphs)

    def _degrees(self, size: int) -> Float[Array, "graphs"]:
        """N - |S| - 3 of each graph."""
        n_samples = jnp.asarray(self.test.n_samples, self.test.corr.dtype)
        return jnp.broadcast_to(n_samples, self.batch_shape).reshape(-1) - size - 3


def _seconds_per_test(size: int) -> float:
    """Of numpy, given sets of ``size``, by the operations of an unrolled elimination."""
    if size == 1:
        return short_lists.SECONDS_PER_TEST
    return 1e-8 * (2 + 3 * size + size * size + size**3 / 6)


def _exceed(
    corr: Float[np.ndarray, "graphs nodes nodes"], bound: float
) -> Bool[np.ndarray, "graphs"]:
    """Of which matrices all eigenvalues exceed ``bound``; halves, since one answer is for all."""
    if eigenvalues_exceed(corr, bound):
        return np.ones(len(corr), bool)
    if len(corr) == 1:
        return np.zeros(1, bool)
    return np.concatenate([_exceed(half, bound) for half in np.array_split(corr, 2)])


@jax.jit
def _normal_tails(z: Float[AnyArray, "entries"]) -> Float[Array, "entries"]:
    return erfc(z / jnp.sqrt(jnp.asarray(2, z.dtype)))
