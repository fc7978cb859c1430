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
from jaxtyping import Bool, Float, Int, Num

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
    at_once: int = 1,
) -> Found:
    """Scan the rows block by block: on a CPU a block is short enough to stay in the cache.

    Args:
        values_of: The values of a block of rows.
        rows: The rows; their number is a multiple of ``lanes``.
        subsets: Conditioning sets as positions among the candidates.
        n_subsets: How many of them each block of rows has.
        best: Look at all sets for the smallest value, not for the first below the limit.
        guarded: Whether to say what is uncertain.
        lanes: Rows per block.
        at_once: Sets that a block looks at in one turn of the loop; the result is the same.
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
        wide = jax.tree.map(lambda field: jnp.tile(field, at_once), block)
        values = values_of(wide)
        part = _scan(values, block, subsets, n_subsets[i], best, guarded, at_once)
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
    at_once: int,
) -> Found:
    """Loop over sets, ``at_once`` in each turn; their number is a run-time value."""

    def step(turn: Array, found: Found) -> Found:
        first = turn.astype(jnp.int32) * at_once
        numbers = first + jnp.arange(at_once, dtype=jnp.int32)[:, None]
        value, error = _of_sets(values, subsets, numbers[:, 0], rows)
        looking = numbers < rows.n_valid[None]
        if best:
            smallest = _smallest(value, looking)
            here = (value == smallest[None]) & (value < found.value[None])
            number = _smallest(numbers, looking & here)
            number = jnp.where(number < NEVER, number, found.first)
        else:
            looking &= (found.first == NEVER)[None]
            number = _smallest(numbers, looking & (value < rows.limit[None]))
            looking &= numbers <= number[None]
            smallest = _smallest(value, looking)
            number = jnp.minimum(number, found.first)
        uncertain = found.uncertain
        if uncertain is not None:
            close = jnp.abs(value - rows.limit[None]) <= error
            uncertain = uncertain | (looking & close).any(axis=0)
        return Found(number, jnp.minimum(found.value, smallest), uncertain)

    n_turns = (n_subsets + (at_once - 1)) // at_once
    none = jnp.zeros_like(n_turns)
    start = settled(partial(step, none), _nothing_found(rows, guarded))
    found = lax.fori_loop(none, n_turns, step, start)
    if best:
        found = found._replace(first=jnp.where(found.value < rows.limit, found.first, NEVER))
    return found


def _smallest(
    of_sets: Num[Array, "sets #rows"], where: Bool[Array, "sets rows"]
) -> Num[Array, "rows"]:
    """The smallest entry of each row where the mask holds; `NEVER` or infinity if it does not."""
    none = NEVER if jnp.issubdtype(of_sets.dtype, jnp.integer) else jnp.inf
    kept = jnp.where(where, of_sets, jnp.asarray(none, of_sets.dtype))
    return kept[0] if len(kept) == 1 else kept.min(axis=0)


def _of_sets(
    values: Values, subsets: Int[Array, "sets k"], numbers: Int[Array, "some"], rows: KernelRows
) -> tuple[Float[Array, "some rows"], Float[Array, "some rows"]]:
    """The values of some sets, and how far rounding may move them."""
    n_sets, n_rows = numbers.size, rows.x.size
    # Numbers beyond the table belong to no row.
    sets = subsets.at[numbers].get(mode="clip").T
    if n_sets > 1:
        sets = jnp.repeat(sets, n_rows, axis=1)
    # The barrier keeps XLA from computing all values again for each use of them.
    value, error = lax.optimization_barrier(values(sets))
    chex.assert_shape([value, error], (n_sets * n_rows,))
    return value.reshape(n_sets, n_rows), error.reshape(n_sets, n_rows)


def _nothing_found(rows: KernelRows, guarded: bool) -> Found:
    shape = rows.x.shape
    return Found(
        jnp.full(shape, NEVER, jnp.int32),
        jnp.full(shape, jnp.inf, rows.limit.dtype),
        jnp.zeros(shape, bool) if guarded else None,
    )
