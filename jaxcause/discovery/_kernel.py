"""The kernel of every search: which of a list of conditioning sets separates each row's pair.

A row is a pair of nodes in some graph of a batch, with its own candidates; a conditioning set is a
tuple of *positions* among them, so all rows share one table of sets, and one conditioning variable
is one contiguous slab over rows. Tests are reduced to ``value < limit`` with no division by a
square root, no logarithm and no distribution function.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Bool, Float, Int

from jaxcause.stats._partial_correlation import SINGULAR

NEVER = jnp.iinfo(jnp.int32).max
"""Number of the separating set of a row that no set separates."""

CHUNK = 16
"""Sets evaluated in one step of the loop; tables of sets are padded to a multiple."""

GUARD = 64
"""Rounding errors, in units of the last place, within which a decision counts as uncertain."""


class DeviceRows(NamedTuple):
    """Rows as the kernel takes them; ``candidates`` come position first."""

    graph: Int[Array, "rows"]
    x: Int[Array, "rows"]
    y: Int[Array, "rows"]
    candidates: Int[Array, "width rows"]
    n_valid: Int[Array, "rows"]
    limit: Float[Array, "rows"]


class Found(NamedTuple):
    """First separating set of each row (or `NEVER`), and the smallest value up to there."""

    first: Int[Array, "rows"]
    value: Float[Array, "rows"]
    uncertain: Bool[Array, "rows"]


Values = Callable[[Int[Array, "chunk k"]], tuple[Float[Array, "chunk rows"], Array]]
"""Maps sets of positions to the value of each set and row, and how far rounding may move it."""


@partial(jax.jit, static_argnames=("one_sided", "best"))
def gaussian_first(
    flat: Float[Array, "entries"],
    n_nodes: Int[Array, ""],
    rows: DeviceRows,
    subsets: Int[Array, "sets k"],
    n_subsets: Int[Array, ""],
    *,
    one_sided: bool,
    best: bool,
) -> Found:
    r"""Squared partial correlations :math:`r^2_{xy\cdot S} < \tanh^2(z_{1-α/2}/\sqrt{N-|S|-3})`.

    Args:
        flat: Correlation matrices of all graphs, one after the other, and any padding.
        n_nodes: Nodes per graph, which may differ from call to call without a new compilation.
        rows: The pairs; the limit is the right-hand side.
        subsets: Conditioning sets as positions among the candidates; ``width`` is a null variable.
        n_subsets: How many of them count.
        one_sided: Negative partial correlations count as zero.
        best: Look at all sets for the smallest value, not for the first below the limit.
    """
    values = _squared_correlations(flat, n_nodes, rows, subsets.shape[1], one_sided)
    return _scan(values, rows, subsets, n_subsets, best)


@partial(jax.jit, static_argnames=("batch", "best"))
def general_first(
    test: Any,
    rows: DeviceRows,
    subsets: Int[Array, "sets k"],
    n_subsets: Int[Array, ""],
    *,
    batch: tuple[int, ...],
    best: bool,
) -> Found:
    """The same for any test: the value is -p, and the limit is -α."""

    def minus_p(graph: Array, x: Array, y: Array, cond: Array) -> Array:
        one = test[jnp.unravel_index(graph, batch)] if batch else test
        return -one(x, y, cond).p_value

    over_rows = jax.vmap(minus_p, in_axes=(0, 0, 0, 1))
    over_sets = jax.vmap(over_rows, in_axes=(None, None, None, 0))
    candidates = jnp.pad(rows.candidates, [(0, 1), (0, 0)], constant_values=-1)

    def values(sets: Array) -> tuple[Array, Array]:
        value = over_sets(rows.graph, rows.x, rows.y, candidates[sets])
        return value.astype(rows.limit.dtype), jnp.zeros((), rows.limit.dtype)

    return _scan(values, rows, subsets, n_subsets, best)


def _scan(
    values: Values,
    rows: DeviceRows,
    subsets: Int[Array, "sets k"],
    n_subsets: Int[Array, ""],
    best: bool,
) -> Found:
    """Loop over chunks of sets; the number of chunks is a run-time value."""
    limit = rows.limit[None, :]
    infinite = jnp.full_like(rows.limit, jnp.inf)

    def step(c: Array, found: Found) -> Found:
        start = c * jnp.asarray(CHUNK, c.dtype)
        value, error = values(lax.dynamic_slice_in_dim(subsets, start, CHUNK))
        number = start.astype(jnp.int32) + lax.iota(jnp.int32, CHUNK)
        valid = number[:, None] < rows.n_valid[None, :]
        value = jnp.where(valid, value, jnp.inf)
        if best:
            smallest = value.min(axis=0)
            at = jnp.where(value == smallest[None], number[:, None], NEVER).min(axis=0)
            better = smallest < found.value
            return Found(
                jnp.where(better, at, found.first),
                jnp.where(better, smallest, found.value),
                found.uncertain | (valid & (jnp.abs(value - limit) <= error)).any(axis=0),
            )
        at = jnp.where(value < limit, number[:, None], NEVER).min(axis=0)
        looked = number[:, None] <= at[None, :]
        close = (looked & valid & (jnp.abs(value - limit) <= error)).any(axis=0)
        smallest = jnp.where(looked, value, jnp.inf).min(axis=0)
        still_open = found.first == NEVER
        return Found(
            jnp.where(still_open, at, found.first),
            jnp.where(still_open, jnp.minimum(found.value, smallest), found.value),
            found.uncertain | (still_open & close),
        )

    start = Found(jnp.full(rows.x.shape, NEVER, jnp.int32), infinite, jnp.zeros(rows.x.shape, bool))
    n_chunks = (n_subsets + CHUNK - 1) // CHUNK
    found = lax.fori_loop(jnp.zeros_like(n_chunks), n_chunks, step, start)
    if best:
        found = found._replace(first=jnp.where(found.value < rows.limit, found.first, NEVER))
    return found


def _squared_correlations(
    flat: Array, n_nodes: Array, rows: DeviceRows, size: int, one_sided: bool
) -> Values:
    """Squared partial correlation of each row given sets of its candidates.

    The factor of S is a Cholesky decomposition, unrolled over the ``size`` positions of a set, and
    pushed through the two columns of x and y at once.
    """
    dtype = flat.dtype
    tolerance = jnp.asarray(SINGULAR * jnp.finfo(dtype).eps, dtype)
    rounding = jnp.asarray(GUARD * jnp.finfo(dtype).eps, dtype)
    one = jnp.ones((), dtype)
    at = (rows.graph * n_nodes + rows.x) * n_nodes
    r_xy = flat[at + rows.y][None]
    r_x = _with_null(flat[at[None] + rows.candidates])
    r_y = _with_null(flat[((rows.graph * n_nodes + rows.y) * n_nodes)[None] + rows.candidates])
    among = jnp.zeros((0, 0, 0), dtype)
    if size > 1:
        row = (rows.graph[None] * n_nodes + rows.candidates) * n_nodes
        among = flat[row[:, None] + rows.candidates[None]]
        among = jnp.pad(among, [(0, 1), (0, 1), (0, 0)])

    def values(sets: Array) -> tuple[Array, Array]:
        covariance, v_x, v_y = r_xy, one, one
        regular, smallest = jnp.ones((), bool), one
        factor: list[list[Array]] = []
        columns: list[tuple[Array, Array]] = []
        for a in range(size):
            s = sets[:, a]
            to_x, to_y, pivot = r_x[s], r_y[s], one
            entries: list[Array] = []
            for b in range(a):
                entry = among[s, sets[:, b]]
                for c in range(b):
                    entry = entry - entries[c] * factor[b][c]
                entry = entry * factor[b][b]
                entries.append(entry)
                to_x = to_x - entry * columns[b][0]
                to_y = to_y - entry * columns[b][1]
                pivot = pivot - entry * entry
            if a:
                regular &= pivot > tolerance
                smallest = jnp.minimum(smallest, pivot)
            inverse = lax.rsqrt(jnp.maximum(pivot, tolerance))
            factor.append([*entries, inverse])
            columns.append((to_x * inverse, to_y * inverse))
            covariance = covariance - columns[a][0] * columns[a][1]
            v_x, v_y = v_x - columns[a][0] ** 2, v_y - columns[a][1] ** 2
        regular &= (v_x > tolerance) & (v_y > tolerance)
        square = jnp.where(regular, covariance * covariance / (v_x * v_y), jnp.inf)
        if one_sided:
            square = jnp.where(regular & (covariance <= 0), jnp.zeros((), dtype), square)
        amplified = jnp.maximum(smallest * jnp.minimum(v_x, v_y), tolerance)
        error = jnp.where(regular, rounding / amplified, jnp.inf)
        return jnp.broadcast_to(square, (sets.shape[0], rows.x.shape[0])), error

    return values


def _with_null(slabs: Array) -> Array:
    """Append a variable that is correlated with nothing, at position ``width``."""
    return jnp.pad(slabs, [(0, 1), (0, 0)])
