"""The loop of every kernel: which of a table of conditioning sets is the first to separate a row.

A test is reduced to ``value < limit``. All rows of a block look at one set together, then at the
next. What the value is, an engine says (`jaxcause.discovery._kernel.engine`).
"""

from collections.abc import Callable
from functools import partial

import chex
import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Float, Int

from jaxcause._namespace import settled
from jaxcause._typing import AnyArray
from jaxcause.discovery._kernel.rows import NEVER, Found, KernelRows

Values = Callable[
    [Int[AnyArray, "k #rows"]], tuple[Float[AnyArray, "rows"], Float[AnyArray, "rows"]]
]
"""Maps a set, or one of each row, to the value of each row, and how far rounding may move it."""


def first_separating_sets(
    values_of: Callable[[KernelRows], Values],
    rows: KernelRows,
    subsets: Int[Array, "sets k"],
    n_subsets: Int[Array, "blocks"],
    *,
    best: bool,
    guarded: bool,
    lanes: int,
) -> Found:
    """Scan the rows block by block: a block is short enough to stay in the cache.

    Args:
        values_of: The values of a block of rows.
        rows: The rows; their number is a multiple of ``lanes``.
        subsets: Conditioning sets as positions among the candidates.
        n_subsets: How many of them each block of rows has.
        best: Look at all sets for the smallest value, not for the first below the limit.
        guarded: Whether to say what is uncertain.
        lanes: Rows per block.
    """
    chex.assert_rank([rows.x, subsets, n_subsets], [1, 2, 1])
    chex.assert_equal_shape(rows)
    chex.assert_axis_dimension(rows.x, 0, lanes * n_subsets.shape[0])
    blocks = jax.tree.map(lambda field: field.reshape(-1, lanes), rows)
    # Padded blocks lie at the end and have no set. The loop stops before them.
    last = jnp.arange(1, n_subsets.shape[0] + 1, dtype=jnp.int32)
    n_blocks = jnp.where(n_subsets > 0, last, 0).max()

    def step(i: Array, found: Found) -> Found:
        block = jax.tree.map(lambda field: field[i], blocks)
        part = _scan(values_of(block), block, subsets, n_subsets[i], best, guarded)
        return jax.tree.map(lambda whole, piece: whole.at[i].set(piece), found, part)

    start = settled(partial(step, jnp.int32(0)), _nothing_found(blocks, guarded))
    found = lax.fori_loop(jnp.int32(0), n_blocks, step, start)
    return jax.tree.map(lambda field: field.reshape(-1), found)


def _scan(
    values: Values,
    rows: KernelRows,
    subsets: Int[Array, "sets k"],
    n_subsets: Int[Array, ""],
    best: bool,
    guarded: bool,
) -> Found:
    """Loop over sets; their number is a run-time value.

    Each step takes one set. Several of them would only spill the cache of a CPU.
    """

    def step(number: Array, found: Found) -> Found:
        # The barrier keeps XLA from computing all values again for each use below.
        value, error = lax.optimization_barrier(values(subsets[number][:, None]))
        chex.assert_equal_shape([value, error, rows.limit])
        number = number.astype(jnp.int32)
        looking = number < rows.n_valid
        if not best:
            looking &= found.first == NEVER
        below = value < (found.value if best else rows.limit)
        uncertain = found.uncertain
        if guarded:
            uncertain |= looking & (jnp.abs(value - rows.limit) <= error)
        return Found(
            jnp.where(looking & below, number, found.first),
            jnp.where(looking, jnp.minimum(found.value, value), found.value),
            uncertain,
        )

    start = settled(partial(step, jnp.zeros_like(n_subsets)), _nothing_found(rows, guarded))
    found = lax.fori_loop(jnp.zeros_like(n_subsets), n_subsets, step, start)
    if best:
        found = found._replace(first=jnp.where(found.value < rows.limit, found.first, NEVER))
    return found


def _nothing_found(rows: KernelRows, guarded: bool) -> Found:
    shape = rows.x.shape
    return Found(
        jnp.full(shape, NEVER, jnp.int32),
        jnp.full(shape, jnp.inf, rows.limit.dtype),
        jnp.zeros(shape, bool) if guarded else None,
    )
