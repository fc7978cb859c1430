"""The kernels of Gaussian tests: squared partial correlations of rows given sets of candidates.

`gaussian_first` loops over sets, each of which all rows of a block look at together.
`gaussian_each` looks at every set of every row at once, which is faster where there are few.

Rows are the lanes: each operation runs over all of them at once. The factor of S is a Cholesky
decomposition, unrolled over the positions of a set, with no square root, no logarithm and no
distribution function.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Int

from jaxcause._namespace import barrier, namespace, rsqrt, take
from jaxcause._typing import AnyArray
from jaxcause.discovery._kernel import sizes
from jaxcause.discovery._kernel.first_separating_set import Values, first_separating_sets
from jaxcause.discovery._kernel.rows import (
    NULL,
    Found,
    KernelRows,
    PackedRows,
    candidates_at,
    unpacked,
)
from jaxcause.stats._definite import SINGULAR

GUARD = 64
"""Rounding errors, in units of the last place, within which a decision counts as uncertain."""


class Correlations(NamedTuple):
    """The correlations and candidates that rows and sets refer to by position.

    Args:
        flat: Correlation matrices of all graphs, one after the other, and any padding.
        n_nodes: Nodes per graph.
        lists: Lists of candidates, one after the other.
    """

    flat: Float[AnyArray, "entries"]
    n_nodes: Int[AnyArray, ""]
    lists: Int[AnyArray, "candidates"]


@partial(jax.jit, static_argnames=("one_sided", "best", "guarded", "lanes", "width", "at_once"))
def gaussian_first(
    correlations: Correlations,
    rows: KernelRows | PackedRows,
    subsets: Int[Array, "sets k"],
    n_subsets: Int[Array, "blocks"],
    *,
    one_sided: bool,
    best: bool,
    guarded: bool,
    lanes: int,
    width: int,
    at_once: int,
) -> Found:
    r"""The first set of each row with :math:`r^2_{xy\cdot S}` below its limit.

    Args:
        correlations: Correlations and candidates; nodes per graph may differ from call to call
            without a new compilation.
        rows: The pairs.
        subsets: Conditioning sets as positions among the candidates.
        n_subsets: How many of them each block of rows has.
        one_sided: Negative partial correlations count as zero.
        best: Look at all sets for the smallest value, not for the first below the limit.
        guarded: Whether to say what is uncertain.
        lanes: Rows per block.
        width: See `squared_correlations`; 0 where ``at_once`` is not 1.
        at_once: Sets that a block looks at in one turn of the loop.
    """

    def values_of(block: KernelRows) -> Values:
        return squared_correlations(correlations, block, one_sided=one_sided, width=width)

    return first_separating_sets(
        values_of,
        unpacked(rows),
        subsets,
        n_subsets,
        best=best,
        guarded=guarded,
        lanes=lanes,
        at_once=at_once,
    )


@partial(jax.jit, static_argnames=("one_sided",))
def gaussian_each(
    correlations: Correlations,
    rows: PackedRows,
    row: Int[Array, "tests"],
    subsets: Int[Array, "sets k"],
    *,
    one_sided: bool,
) -> Float[Array, "tests"]:
    """Squared partial correlations of all tests of all rows.

    Args:
        correlations: Correlations and candidates.
        rows: The pairs; in the place of ``n_valid``, the number of the row's first test.
        row: Row of each test; those of a row are the first sets of the table.
        subsets: Conditioning sets as positions among the candidates.
        one_sided: Negative partial correlations count as zero.
    """
    tests = unpacked(PackedRows(rows.fields[:, row], rows.limit[row]))
    number = jnp.arange(row.size, dtype=jnp.int32) - tests.n_valid
    sets = subsets.at[number].get(mode="clip").T
    square, _ = squared_correlations(correlations, tests, one_sided=one_sided)(sets)
    return jnp.asarray(square)


def squared_correlations(
    correlations: Correlations, rows: KernelRows, *, one_sided: bool, width: int = 0
) -> Values:
    """Squared partial correlation of each row given a set of its candidates.

    Args:
        correlations: Correlations and candidates.
        rows: The pairs.
        one_sided: Negative partial correlations count as zero.
        width: Length of the lists up to which the correlations among candidates are gathered once
            per row; with 0 they are looked up set by set, which is less work where sets are few.
    """
    dtype, xp = correlations.flat.dtype, namespace(correlations, rows)
    infinite = np.asarray(np.inf, dtype)
    chex.assert_rank([correlations.flat, correlations.lists, rows.x], 1)
    chex.assert_equal_shape([rows.graph, rows.x, rows.y, rows.start, rows.skip])
    n = correlations.n_nodes
    at_x, at_y = ((rows.graph * n + end) * n for end in (rows.x, rows.y))
    r_xy = correlations.flat[at_x + rows.y]
    look_up = (_tile if width else _direct)(correlations, rows, (at_x, at_y), width)
    tolerance = np.asarray(SINGULAR * np.finfo(dtype).eps, dtype)
    rounding = np.asarray(GUARD * np.finfo(dtype).eps, dtype)

    def values(sets: AnyArray) -> tuple[AnyArray, AnyArray]:
        left = _eliminated(r_xy, sets, look_up(sets), tolerance)
        square = left.covariance * left.covariance / (left.v_x * left.v_y)
        square = xp.where(left.regular, square, infinite)
        if one_sided:
            negative = left.regular & (left.covariance <= 0) & (square < 1)
            square = xp.where(negative, np.zeros((), dtype), square)
        amplified = xp.maximum(left.smallest_pivot * xp.minimum(left.v_x, left.v_y), tolerance)
        error = xp.where(left.regular, rounding / amplified, infinite)
        return xp.broadcast_to(square, rows.x.shape), xp.broadcast_to(error, rows.x.shape)

    return values


class _Eliminated(NamedTuple):
    """What is left of the correlations of x and y given S; ``regular`` where all can be trusted."""

    covariance: AnyArray
    v_x: AnyArray
    v_y: AnyArray
    smallest_pivot: AnyArray
    regular: AnyArray


def _eliminated(
    r_xy: Float[AnyArray, "rows"],
    sets: Int[AnyArray, "k #rows"],
    look_up: tuple[
        Callable[[int], AnyArray], Callable[[int], AnyArray], Callable[[int, int], AnyArray]
    ],
    tolerance: Float[AnyArray, ""],
) -> _Eliminated:
    """Push the Cholesky decomposition of S through the two columns of x and y at once."""
    to_x, to_y, between = look_up
    xp, one, zero = namespace(r_xy, sets), np.ones((), r_xy.dtype), np.zeros((), r_xy.dtype)
    real = [members != NULL for members in sets]
    padded = xp is not np or not all(members.all() for members in real)

    def unless_null(a: int, r: AnyArray) -> AnyArray:
        return xp.where(real[a], r, zero) if padded else r

    covariance, v_x, v_y = r_xy, one, one
    regular, smallest = np.ones((), bool), one
    factor: list[list[AnyArray]] = []
    columns: list[tuple[AnyArray, AnyArray]] = []
    for a in range(len(sets)):
        c_x, c_y, pivot = unless_null(a, to_x(a)), unless_null(a, to_y(a)), one
        entries: list[AnyArray] = []
        for b in range(a):
            entry = unless_null(a, between(a, b))
            for c in range(b):
                entry = entry - entries[c] * factor[b][c]
            entry = entry * factor[b][b]
            entries.append(entry)
            c_x = c_x - entry * columns[b][0]
            c_y = c_y - entry * columns[b][1]
            pivot = pivot - entry * entry
        if a:
            regular = regular & (pivot > tolerance)
            smallest = xp.minimum(smallest, pivot)
        inverse = rsqrt(xp.maximum(pivot, tolerance))
        factor.append([*entries, inverse])
        columns.append((c_x * inverse, c_y * inverse))
        covariance = covariance - columns[a][0] * columns[a][1]
        v_x, v_y = v_x - columns[a][0] ** 2, v_y - columns[a][1] ** 2
    regular = regular & (v_x > tolerance) & (v_y > tolerance)
    return _Eliminated(covariance, v_x, v_y, smallest, regular)


LookUp = Callable[
    [Int[AnyArray, "k #rows"]],
    tuple[Callable[[int], AnyArray], Callable[[int], AnyArray], Callable[[int, int], AnyArray]],
]
"""Maps sets to functions: correlations of the a-th member with x, with y, and with the b-th."""


def _direct(
    correlations: Correlations, rows: KernelRows, ends: tuple[AnyArray, AnyArray], _: int
) -> LookUp:
    """Look the correlations of each set up in the whole matrices."""
    # On a CPU few gathers of many members each: every operation in a loop costs a few microseconds.
    # An accelerator makes one kernel of all look-ups and the arithmetic after them.
    hold = (lambda array: array) if sizes.on_accelerator() else barrier

    def of_sets(sets: AnyArray) -> tuple[Callable, Callable, Callable]:
        members = hold(candidates_at(correlations.lists, rows, sets))
        starts = (rows.graph[None] * correlations.n_nodes + members) * correlations.n_nodes

        def entries(start: AnyArray, first: int) -> AnyArray:
            return hold(take(correlations.flat, start[None] + members[first:]))

        to_x, to_y = (entries(end, 0) for end in ends)
        between = [entries(start, b + 1) for b, start in enumerate(starts[:-1])]
        return to_x.__getitem__, to_y.__getitem__, lambda a, b: between[b][a - b - 1]

    return of_sets


def _tile(
    correlations: Correlations, rows: KernelRows, ends: tuple[AnyArray, AnyArray], width: int
) -> LookUp:
    """Gather the correlations among all candidates of each row once; a set picks slabs of them."""
    nodes = candidates_at(correlations.lists, rows, np.arange(width, dtype=np.int32)[:, None])
    r_x, r_y = (take(correlations.flat, end[None] + nodes) for end in ends)
    start = (rows.graph[None] * correlations.n_nodes + nodes) * correlations.n_nodes
    tile = take(correlations.flat, start[:, None] + nodes[None])

    def of_sets(sets: AnyArray) -> tuple[Callable, Callable, Callable]:
        return (
            lambda a: take(r_x, sets[a, 0]),
            lambda a: take(r_y, sets[a, 0]),
            lambda a, b: jnp.asarray(tile).at[sets[b, 0], sets[a, 0]].get(mode="clip"),
        )

    return of_sets
