"""Which set separates each row: all rows of a level in one call of the kernel."""

import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Int

from jaxcause.discovery._kernel.engine import Engine
from jaxcause.discovery._kernel.rows import NULL, Found, KernelRows
from jaxcause.discovery._traced.rows import Rows


class Evaluator:
    """Conditional independence in a batch of graphs, inside a traced program.

    Args:
        engine: The test.
        alpha: X and Y are independent given S iff p > alpha.
        max_p: Take the separating set with the largest p-value, not the first.
    """

    def __init__(self, engine: Engine, *, alpha: Float[Array, ""], max_p: bool = False) -> None:
        self.engine, self.max_p = engine, max_p
        self._alpha = jnp.asarray(alpha, engine.traced_dtype)

    def __call__(
        self,
        rows: Rows,
        n_sets: Int[Array, "graphs nodes rows"],
        table: Int[np.ndarray, "sets size"],
    ) -> Found:
        """The first set of each row, among the first ``n_sets`` of the table, that separates it."""
        shape, width = rows.x.shape, rows.candidates.shape[-1]
        chex.assert_shape([rows.y, rows.real, rows.n_candidates, n_sets], shape)
        n_rows = math.prod(shape)
        lanes = min(self.engine.traced_lanes, max(1, n_rows))
        extra = -n_rows % lanes

        def flat(field: Array) -> Array:
            return jnp.pad(jnp.broadcast_to(field, shape).reshape(-1), (0, extra))

        limit = self.engine.traced_limits(self._alpha, table.shape[1])
        n_valid = flat(n_sets)
        found = self.engine.traced_first_separating(
            KernelRows(
                graph=flat(jnp.arange(shape[0], dtype=jnp.int32)[:, None, None]),
                x=flat(rows.x),
                y=flat(rows.y),
                start=jnp.arange(n_rows + extra, dtype=jnp.int32) * jnp.int32(width),
                skip=jnp.full(n_rows + extra, NULL, jnp.int32),
                n_valid=n_valid,
                limit=flat(limit[:, None, None]),
            ),
            rows.candidates.reshape(-1),
            jnp.asarray(table),
            n_valid.reshape(-1, lanes).max(axis=1),
            best=self.max_p,
            lanes=lanes,
        )
        return jax.tree.map(lambda field: field[:n_rows].reshape(shape), found)

    def p_values(
        self, value: Float[Array, "graphs nodes rows"], size: int
    ) -> Float[Array, "graphs nodes rows"]:
        """The p-values behind values of tests given ``size`` nodes."""
        return self.engine.traced_p_values(value, size)
