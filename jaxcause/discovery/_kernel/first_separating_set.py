"""The kernels of every search: which of a list of conditioning sets separates each row's pair.

Tests are reduced to ``value < limit``. `gaussian_first` and `general_first` loop over sets, each of
which all rows of a block look at together; `gaussian_each` looks at every set of every row at once,
which is faster where there are few.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Bool, Float, Int

from jaxcause._typing import AnyArray
from jaxcause.discovery._kernel.partial_correlation import (
    NULL,
    Correlations,
    DeviceRows,
    Values,
    as_rows,
    candidates_at,
    squared_correlations,
)

NEVER = 2**31 - 1
"""Number of the separating set of a row that no set separates."""


class Found(NamedTuple):
    """First separating set of each row (or `NEVER`), and the smallest value up to there.

    ``uncertain`` says where rounding might change that, if anybody asked.
    """

    first: Int[AnyArray, "rows"]
    value: Float[AnyArray, "rows"]
    uncertain: Bool[AnyArray, "rows"] | None


@partial(jax.jit, static_argnames=("one_sided", "best", "guarded", "lanes", "width"))
def gaussian_first(
    of: Correlations,
    rows: DeviceRows | tuple[Int[Array, "6 rows"], Float[Array, "rows"]],
    subsets: Int[Array, "sets k"],
    n_subsets: Int[Array, "blocks"],
    *,
    one_sided: bool,
    best: bool,
    guarded: bool,
    lanes: int,
    width: int,
) -> Found:
    r"""Squared partial correlations :math:`r^2_{xy\cdot S} < \tanh^2(z_{1-α/2}/\sqrt{N-|S|-3})`.

    Args:
        of: Correlations and candidates; nodes per graph may differ from call to call without a new
            compilation.
        rows: The pairs; the limit is the right-hand side. Few arrays cost less on the way in.
        subsets: Conditioning sets as positions among the candidates.
        n_subsets: How many of them each block of rows has.
        one_sided: Negative partial correlations count as zero.
        best: Look at all sets for the smallest value, not for the first below the limit.
        guarded: Whether anybody asks what is uncertain.
        lanes: Rows per block.
        width: See `squared_correlations`.
    """
    rows = rows if isinstance(rows, DeviceRows) else as_rows(*rows)

    def values(block: DeviceRows) -> Values:
        return squared_correlations(of, block, subsets.shape[1], one_sided=one_sided, width=width)

    return _over_blocks(values, rows, subsets, n_subsets, best, guarded, lanes)


@partial(jax.jit, static_argnames=("one_sided",))
def gaussian_each(
    of: Correlations,
    rows: tuple[Int[Array, "6 rows"], Float[Array, "rows"]],
    row: Int[Array, "tests"],
    subsets: Int[Array, "sets k"],
    *,
    one_sided: bool,
) -> Float[Array, "tests"]:
    """Squared partial correlations of all tests.

    Args:
        of: Correlations and candidates.
        rows: The pairs; in the place of ``n_valid``, the number of the row's first test.
        row: Row of each test; those of a row are the first sets of the table.
        subsets: Conditioning sets as positions among the candidates.
        one_sided: Negative partial correlations count as zero.
    """
    tests = as_rows(rows[0][:, row], rows[1][row])
    number = jnp.arange(row.size, dtype=jnp.int32) - tests.n_valid
    sets = subsets.at[number].get(mode="clip").T
    return squared_correlations(of, tests, len(sets), one_sided=one_sided)(sets)[0]


@partial(jax.jit, static_argnames=("batch", "best", "lanes"))
def general_first(
    test: Any,
    lists: Int[AnyArray, "candidates"],
    rows: DeviceRows | tuple[Int[Array, "6 rows"], Float[Array, "rows"]],
    subsets: Int[Array, "sets k"],
    n_subsets: Int[Array, "blocks"],
    *,
    batch: tuple[int, ...],
    best: bool,
    lanes: int,
) -> Found:
    """The first separating sets by any test: the value is -p, and the limit is -α."""
    rows = rows if isinstance(rows, DeviceRows) else as_rows(*rows)

    def minus_p(graph: Array, x: Array, y: Array, cond: Array) -> Array:
        one = test[jnp.unravel_index(graph, batch)] if batch else test
        return -one(x, y, cond).p_value

    over_rows = jax.vmap(minus_p, in_axes=(0, 0, 0, 1))

    def values(block: DeviceRows) -> Values:
        def of(sets: Array) -> tuple[Array, Array]:
            conds = jnp.zeros((0, *block.x.shape), jnp.int32)
            if len(sets):
                conds = jnp.where(sets == NULL, jnp.int32(-1), candidates_at(lists, block, sets))
            value = over_rows(block.graph, block.x, block.y, conds)
            return value.astype(block.limit.dtype), jnp.zeros_like(block.limit)

        return of

    return _over_blocks(values, rows, subsets, n_subsets, best, False, lanes)


def _over_blocks(
    values: Callable[[DeviceRows], Values],
    rows: DeviceRows,
    subsets: Int[Array, "sets k"],
    n_subsets: Int[Array, "blocks"],
    best: bool,
    guarded: bool,
    lanes: int,
) -> Found:
    """Scan the rows block by block: a block is short enough to stay in the cache."""
    blocks = jax.tree.map(lambda field: field.reshape(-1, lanes), rows)
    # What is padded lies at the end, and costs nothing.
    last = jnp.arange(1, n_subsets.shape[0] + 1, dtype=jnp.int32)
    n_blocks = jnp.where(n_subsets > 0, last, 0).max()

    def step(i: Array, found: Found) -> Found:
        block = jax.tree.map(lambda field: field[i], blocks)
        part = _scan(values(block), block, subsets, n_subsets[i], best, guarded)
        return jax.tree.map(lambda whole, piece: whole.at[i].set(piece), found, part)

    start = Found(
        jnp.full(blocks.x.shape, NEVER, jnp.int32),
        jnp.full(blocks.x.shape, jnp.inf, blocks.limit.dtype),
        jnp.zeros(blocks.x.shape, bool) if guarded else None,
    )
    found = lax.fori_loop(jnp.int32(0), n_blocks, step, start)
    return jax.tree.map(lambda field: field.reshape(-1), found)


def _scan(
    values: Values,
    rows: DeviceRows,
    subsets: Int[Array, "sets k"],
    n_subsets: Int[Array, ""],
    best: bool,
    guarded: bool,
) -> Found:
    """Loop over sets; their number is a run-time value.

    One set a step: several of them only spill the cache of a CPU.
    """

    def step(number: Array, found: Found) -> Found:
        # The barrier keeps XLA from computing all values again for each use below.
        value, error = lax.optimization_barrier(values(subsets[number][:, None]))
        number = number.astype(jnp.int32)
        asked = number < rows.n_valid
        if not best:
            asked &= found.first == NEVER
        below = value < (found.value if best else rows.limit)
        return Found(
            jnp.where(asked & below, number, found.first),
            jnp.where(asked, jnp.minimum(found.value, value), found.value),
            found.uncertain | (asked & (jnp.abs(value - rows.limit) <= error)) if guarded else None,
        )

    start = Found(
        jnp.full(rows.x.shape, NEVER, jnp.int32),
        jnp.full_like(rows.limit, jnp.inf),
        jnp.zeros(rows.x.shape, bool) if guarded else None,
    )
    found = lax.fori_loop(jnp.zeros_like(n_subsets), n_subsets, step, start)
    if best:
        found = found._replace(first=jnp.where(found.value < rows.limit, found.first, NEVER))
    return found
