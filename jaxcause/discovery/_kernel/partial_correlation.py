"""Squared partial correlations of rows given sets of their candidates.

A row is a pair of nodes in some graph of a batch, with a list of candidates; a conditioning set is
a tuple of *positions* in that list, so all rows can share one table of sets. Rows are the lanes:
each operation runs over all of them at once. The factor of S is a Cholesky decomposition, unrolled
over the positions of a set, with no square root, no logarithm and no distribution function.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Float, Int

from jaxcause._typing import AnyArray
from jaxcause.stats._definite import SINGULAR

NULL = 2**20
"""Position of a variable that is correlated with nothing, which pads small conditioning sets."""

GUARD = 64
"""Rounding errors, in units of the last place, within which a decision counts as uncertain."""


class DeviceRows(NamedTuple):
    """Rows as the kernel takes them.

    Args:
        graph: Which graph.
        x: First node of the pair.
        y: Second node.
        start: Where its list of candidates begins.
        skip: Position that is left out of the list; the positions behind it move up.
        n_valid: How many sets of the table this row has.
        limit: A value below it means independent.
    """

    graph: Int[Array, "rows"]
    x: Int[Array, "rows"]
    y: Int[Array, "rows"]
    start: Int[Array, "rows"]
    skip: Int[Array, "rows"]
    n_valid: Int[Array, "rows"]
    limit: Float[Array, "rows"]


def as_rows(fields: Int[Array, "6 rows"], limit: Float[Array, "rows"]) -> DeviceRows:
    """Rows from one array: graph, x, y, start, skip, n_valid."""
    return DeviceRows(*fields, limit=limit)


def candidates_at(
    lists: Int[AnyArray, "candidates"], rows: DeviceRows, positions: Int[Array, "k #rows"]
) -> Int[Array, "k rows"]:
    """The candidates of each row at the positions; garbage where it has none there."""
    moved = positions + (positions >= rows.skip[None]).astype(jnp.int32)
    return jnp.asarray(lists).at[rows.start[None] + moved].get(mode="clip")


class Correlations(NamedTuple):
    """What rows and sets refer to.

    Args:
        flat: Correlation matrices of all graphs, one after the other, and any padding.
        n_nodes: Nodes per graph.
        lists: Lists of candidates, one after the other.
    """

    flat: Float[Array, "entries"]
    n_nodes: Int[AnyArray, ""]
    lists: Int[AnyArray, "candidates"]


Values = Callable[[Int[Array, "k #rows"]], tuple[Float[Array, "rows"], Array]]
"""Maps a set, or one of each row, to the value of each row, and how far rounding may move it."""


def squared_correlations(
    of: Correlations, rows: DeviceRows, size: int, *, one_sided: bool, width: int = 0
) -> Values:
    """Squared partial correlation of each row given sets of ``size`` of its candidates.

    Args:
        of: Correlations and candidates.
        rows: The pairs.
        size: Positions in a set.
        one_sided: Negative partial correlations count as zero.
        width: Length of the lists up to which the correlations among candidates are gathered once
            per row; with 0 they are looked up set by set, which is less work where sets are few.
    """
    dtype = of.flat.dtype
    tolerance = jnp.asarray(SINGULAR * jnp.finfo(dtype).eps, dtype)
    rounding = jnp.asarray(GUARD * jnp.finfo(dtype).eps, dtype)
    one = jnp.ones((), dtype)
    at_x, at_y = ((rows.graph * of.n_nodes + end) * of.n_nodes for end in (rows.x, rows.y))
    r_xy = of.flat[at_x + rows.y]
    look_up = _tile if width else _direct
    among = look_up(of, rows, (at_x, at_y), width)

    def values(sets: Array) -> tuple[Array, Array]:
        real = [members != NULL for members in sets]
        to_x, to_y, between = among(sets)
        covariance, v_x, v_y = r_xy, one, one
        regular, smallest = jnp.ones((), bool), one
        # The decomposition is pushed through the two columns of x and y at once.
        factor: list[list[Array]] = []
        columns: list[tuple[Array, Array]] = []
        for a in range(size):
            c_x, c_y, pivot = jnp.where(real[a], to_x(a), 0), jnp.where(real[a], to_y(a), 0), one
            entries: list[Array] = []
            for b in range(a):
                entry = jnp.where(real[a], between(a, b), 0)
                for c in range(b):
                    entry = entry - entries[c] * factor[b][c]
                entry = entry * factor[b][b]
                entries.append(entry)
                c_x = c_x - entry * columns[b][0]
                c_y = c_y - entry * columns[b][1]
                pivot = pivot - entry * entry
            if a:
                regular &= pivot > tolerance
                smallest = jnp.minimum(smallest, pivot)
            inverse = lax.rsqrt(jnp.maximum(pivot, tolerance))
            factor.append([*entries, inverse])
            columns.append((c_x * inverse, c_y * inverse))
            covariance = covariance - columns[a][0] * columns[a][1]
            v_x, v_y = v_x - columns[a][0] ** 2, v_y - columns[a][1] ** 2
        regular &= (v_x > tolerance) & (v_y > tolerance)
        square = jnp.where(regular, covariance * covariance / (v_x * v_y), jnp.inf)
        if one_sided:
            negative = regular & (covariance <= 0) & (square < 1)
            square = jnp.where(negative, jnp.zeros((), dtype), square)
        amplified = jnp.maximum(smallest * jnp.minimum(v_x, v_y), tolerance)
        error = jnp.where(regular, rounding / amplified, jnp.inf)
        return jnp.broadcast_to(square, rows.x.shape), jnp.broadcast_to(error, rows.x.shape)

    return values


Among = Callable[
    [Int[Array, "k #rows"]],
    tuple[Callable[[int], Array], Callable[[int], Array], Callable[[int, int], Array]],
]
"""Maps sets to functions: correlations of the a-th member with x, with y, and with the b-th."""


def _direct(of: Correlations, rows: DeviceRows, ends: tuple[Array, Array], _: int) -> Among:
    """Look the correlations of each set up in the whole matrices."""

    def among(sets: Array) -> tuple[Callable, Callable, Callable]:
        # Few gathers of many members each: every operation in a loop costs a few microseconds.
        members = lax.optimization_barrier(candidates_at(of.lists, rows, sets))
        starts = (rows.graph[None] * of.n_nodes + members) * of.n_nodes

        def entries(start: Array, first: int) -> Array:
            found = of.flat.at[start[None] + members[first:]].get(mode="clip")
            return lax.optimization_barrier(found)

        to_x, to_y = (entries(end, 0) for end in ends)
        between = [entries(start, b + 1) for b, start in enumerate(starts[:-1])]
        return to_x.__getitem__, to_y.__getitem__, lambda a, b: between[b][a - b - 1]

    return among


def _tile(of: Correlations, rows: DeviceRows, ends: tuple[Array, Array], width: int) -> Among:
    """Gather the correlations among all candidates of each row once; a set picks slabs of them."""
    nodes = candidates_at(of.lists, rows, jnp.arange(width, dtype=jnp.int32)[:, None])
    r_x, r_y = (of.flat.at[end[None] + nodes].get(mode="clip") for end in ends)
    start = (rows.graph[None] * of.n_nodes + nodes) * of.n_nodes
    tile = of.flat.at[start[:, None] + nodes[None]].get(mode="clip")

    def among(sets: Array) -> tuple[Callable, Callable, Callable]:
        return (
            lambda a: r_x.at[sets[a, 0]].get(mode="clip"),
            lambda a: r_y.at[sets[a, 0]].get(mode="clip"),
            lambda a, b: tile.at[sets[b, 0], sets[a, 0]].get(mode="clip"),
        )

    return among
