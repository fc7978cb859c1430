"""The engine of all other tests: the test itself, mapped over rows.

The value of a test is -p and the limit is -α, so that a smaller value is closer to independence.
"""

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh
from jaxtyping import Bool, Float, Int

from jaxcause._namespace import on_host
from jaxcause._typing import AnyArray, CITest
from jaxcause.discovery._kernel.conditioning_sets import SetRange
from jaxcause.discovery._kernel.first_separating_set import Values, first_separating_sets
from jaxcause.discovery._kernel.in_numpy import first_separating_in_numpy
from jaxcause.discovery._kernel.indistinct import indistinct_nodes
from jaxcause.discovery._kernel.over_devices import scan_rows
from jaxcause.discovery._kernel.rows import (
    NULL,
    Found,
    KernelRows,
    PackedRows,
    RowBatch,
    candidates_at,
    unpacked,
)
from jaxcause.discovery._kernel.sizes import ROWS, TRACED_LANES, bucket, lanes

_DTYPE = np.dtype(np.float32)

TESTS_AT_A_TIME = 1024
"""Tests that a test is asked for together in numpy: bounds the memory."""


class GeneralEngine:
    """Any test, one call for each row; see `jaxcause.discovery._kernel.engine.Engine`.

    A test may offer ``marginal_p_values()``: a numpy array ``[*batch_shape, nodes, nodes]`` of the
    p-values of all pairs given nothing. Level 0 on the host then calls nothing else. It may say
    ``takes_rows = True``, and is then called with many rows at a time, in numpy (`CITest`). By
    ``indistinct()``, ``nearly_indistinct()`` and ``singular()`` it says what `SearchInfo` reports.
    """

    traced_dtype, traced_lanes = _DTYPE, TRACED_LANES
    n_retested = 0

    def __init__(self, test: CITest, mesh: Mesh | None = None) -> None:
        self.test: Any = test
        self.mesh = mesh
        self.batch_shape: tuple[int, ...] = getattr(test, "batch_shape", ())
        self.n_graphs = math.prod(self.batch_shape)
        self.n_nodes: int = self.test.n_nodes

    # Where levels are decided on the host --------------------------------------------------------

    def limits(self, alpha: float, size: int) -> Float[np.ndarray, "graphs"]:
        """The limit -α of each graph."""
        return np.full(self.n_graphs, -alpha)

    def marginal_values(self) -> Float[np.ndarray, "graphs nodes nodes"] | None:
        """Values of all pairs given nothing, if the test offers them."""
        if not hasattr(self.test, "marginal_p_values"):
            return None
        n = self.test.n_nodes
        return -np.asarray(self.test.marginal_p_values(), _DTYPE).reshape(self.n_graphs, n, n)

    def first_separating(
        self, batch: RowBatch, lists: Int[np.ndarray, "candidates"], sets: SetRange, *, best: bool
    ) -> Found:
        """Loop over the sets, in numpy where the test can."""
        if getattr(self.test, "takes_rows", False) and not self.batch_shape and on_host(self.test):
            return self._in_numpy(batch, lists, sets, best)
        subsets, n_tests = sets.table(), sets.n_within(batch.n_sets)
        length = bucket(n_tests.size, ROWS)
        per_block = min(length, lanes(subsets.shape[1], 0, length))
        with jax.enable_x64(False):
            found = scan_rows(
                general_first,
                (self.test, lists),
                batch.packed(n_tests, length, _DTYPE),
                subsets,
                mesh=self.mesh,
                batch_shape=self.batch_shape,
                best=best,
                lanes=per_block,
            )
        first, value = (np.asarray(part)[: n_tests.size] for part in found[:2])
        return Found(first.astype(np.int64), value.astype(np.float64), None)

    def _in_numpy(
        self, batch: RowBatch, lists: Int[np.ndarray, "candidates"], sets: SetRange, best: bool
    ) -> Found:
        def values(tests: KernelRows, positions: np.ndarray) -> np.ndarray:
            cond = np.full((tests.x.size, 1), -1, np.int32)
            if len(positions):
                cond = np.ascontiguousarray(candidates_at(lists, tests, positions).T)
            return -np.asarray(self.test(tests.x, tests.y, cond).p_value, _DTYPE)

        found = first_separating_in_numpy(values, batch, sets, best=best, at_a_time=TESTS_AT_A_TIME)
        return found._replace(value=found.value.astype(np.float64))

    def strength(
        self,
        value: Float[np.ndarray, "*pairs"],
        graph: Int[np.ndarray, "*#pairs"],
        size: int,
    ) -> Float[np.ndarray, "*pairs"]:
        """The value itself."""
        return value

    def p_values(self, strength: Float[np.ndarray, "*pairs"]) -> Float[np.ndarray, "*pairs"]:
        """The p-values behind ``strength``."""
        return -strength

    def singular(self) -> Bool[np.ndarray, "graphs"]:
        """Where the test says so; else none is known to be."""
        if not hasattr(self.test, "singular"):
            return np.zeros(self.n_graphs, bool)
        return np.asarray(self.test.singular()).reshape(self.n_graphs)

    def node_keys(self) -> Float[AnyArray, "graphs nodes"] | None:
        """Nothing is known of the nodes before tests are made."""
        return None

    def indistinct(self) -> Bool[AnyArray, "graphs nodes nodes"]:
        """Pairs that the test calls copies; else none is known to be."""
        return indistinct_nodes(self.test).reshape(self.n_graphs, self.n_nodes, self.n_nodes)

    def nearly_indistinct(self) -> Bool[AnyArray, "graphs nodes nodes"]:
        """Pairs that the test calls nearly copies; else none is known to be."""
        nearly = indistinct_nodes(self.test, "nearly_indistinct")
        return nearly.reshape(self.n_graphs, self.n_nodes, self.n_nodes)

    # Inside a traced program ---------------------------------------------------------------------

    def traced_limits(self, alpha: Float[Array, ""], size: int) -> Float[Array, "graphs"]:
        """As `limits`."""
        return jnp.full(self.n_graphs, -alpha)

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
        """As `first_separating`."""
        return general_first(
            self.test,
            lists,
            rows,
            subsets,
            n_subsets,
            batch_shape=self.batch_shape,
            best=best,
            lanes=lanes,
        )

    def traced_p_values(
        self, value: Float[Array, "graphs nodes rows"], size: int
    ) -> Float[Array, "graphs nodes rows"]:
        """The p-values behind the values of tests."""
        return -value

    def traced_singular(self) -> Bool[Array, "graphs"]:
        """As `singular`."""
        if not hasattr(self.test, "singular"):
            return jnp.zeros(self.n_graphs, bool)
        return jnp.asarray(self.test.singular()).reshape(self.n_graphs)


@partial(jax.jit, static_argnames=("batch_shape", "best", "lanes"))
def general_first(
    test: Any,
    lists: Int[AnyArray, "candidates"],
    rows: KernelRows | PackedRows,
    subsets: Int[Array, "sets k"],
    n_subsets: Int[Array, "blocks"],
    *,
    batch_shape: tuple[int, ...],
    best: bool,
    lanes: int,
) -> Found:
    """The first set of each row with -p below its limit.

    Args:
        test: The test; its leading axes are a batch of graphs.
        lists: Lists of candidates, one after the other.
        rows: The pairs.
        subsets: Conditioning sets as positions among the candidates.
        n_subsets: How many of them each block of rows has.
        batch_shape: Leading axes of the test.
        best: Look at all sets for the smallest value, not for the first below the limit.
        lanes: Rows per block.
    """

    def minus_p(graph: AnyArray, x: AnyArray, y: AnyArray, cond: AnyArray) -> AnyArray:
        one = test[jnp.unravel_index(graph, batch_shape)] if batch_shape else test
        return -one(x, y, cond).p_value

    over_rows = jax.vmap(minus_p, in_axes=(0, 0, 0, 1))

    def values_of(block: KernelRows) -> Values:
        def values(sets: AnyArray) -> tuple[AnyArray, AnyArray]:
            conds = jnp.zeros((0, *block.x.shape), jnp.int32)
            if len(sets):
                conds = jnp.where(sets == NULL, jnp.int32(-1), candidates_at(lists, block, sets))
            value = over_rows(block.graph, block.x, block.y, conds)
            return value.astype(block.limit.dtype), jnp.zeros_like(block.limit)

        return values

    return first_separating_sets(
        values_of, unpacked(rows), subsets, n_subsets, best=best, guarded=False, lanes=lanes
    )
