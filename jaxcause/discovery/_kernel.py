"""The kernel of every search: which of a list of conditioning sets separates each row's pair.

A row is a pair of nodes in some graph of a batch, with a list of candidates; a conditioning set is
a tuple of *positions* in that list, so all rows share one table of sets. Rows are the lanes: each
operation runs over all rows of a block at once. Tests are reduced to ``value < limit``, with no
square root, no logarithm and no distribution function.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Bool, Float, Int

from jaxcause._typing import AnyArray
from jaxcause.stats._definite import SINGULAR

NEVER = 2**31 - 1
"""Number of the separating set of a row that no set separates."""

NULL = 2**20
"""Position of a variable that is correlated with nothing, which pads small conditioning sets."""

CHUNK = 1
"""Sets evaluated in one step of the loop: on a CPU more of them only spill the cache."""

GUARD = 64
"""Rounding errors, in units of the last place, within which a decision counts as uncertain."""


class DeviceRows(NamedTuple):
    """Rows as the kernel takes them.

    Args:
        graph: Which graph.
        x: First node of the pair.
        y: Second node.
        owner: Which list of candidates.
        skip: Position that is left out of the list; the positions behind it move up.
        n_valid: How many sets of the table this row has.
        limit: A value below it means independent.
    """

    graph: Int[Array, "rows"]
    x: Int[Array, "rows"]
    y: Int[Array, "rows"]
    owner: Int[Array, "rows"]
    skip: Int[Array, "rows"]
    n_valid: Int[Array, "rows"]
    limit: Float[Array, "rows"]


def as_rows(fields: Int[Array, "6 rows"], limit: Float[Array, "rows"]) -> DeviceRows:
    """Rows from one array: graph, x, y, owner, skip, n_valid."""
    return DeviceRows(*fields, limit=limit)


class Lists(NamedTuple):
    """Lists of candidates, one after the other, each ``stride`` long."""

    nodes: Int[AnyArray, "entries"]
    stride: Int[AnyArray, ""]

    def at(self, rows: DeviceRows, positions: Int[Array, "chunk"]) -> Int[Array, "chunk rows"]:
        """The candidates of each row at the positions; garbage where it has none there."""
        moved = positions[:, None] + (positions[:, None] >= rows.skip[None]).astype(jnp.int32)
        return jnp.asarray(self.nodes).at[rows.owner[None] * self.stride + moved].get(mode="clip")


class Found(NamedTuple):
    """First separating set of each row (or `NEVER`), and the smallest value up to there."""

    first: Int[AnyArray, "rows"]
    value: Float[AnyArray, "rows"]
    uncertain: Bool[AnyArray, "rows"]


Values = Callable[[Int[Array, "chunk k"]], tuple[Float[Array, "chunk rows"], Array]]
"""Maps sets of positions to the value of each set and row, and how far rounding may move it."""


@partial(jax.jit, static_argnames=("one_sided", "best", "lanes", "chunk", "width"))
def gaussian_first(
    flat: Float[Array, "entries"],
    n_nodes: Int[Array, ""],
    lists: Lists,
    rows: DeviceRows | tuple[Int[Array, "6 rows"], Float[Array, "rows"]],
    subsets: Int[Array, "sets k"],
    n_subsets: Int[Array, "blocks"],
    *,
    one_sided: bool,
    best: bool,
    lanes: int,
    chunk: int,
    width: int,
) -> Found:
    r"""Squared partial correlations :math:`r^2_{xy\cdot S} < \tanh^2(z_{1-α/2}/\sqrt{N-|S|-3})`.

    Args:
        flat: Correlation matrices of all graphs, one after the other, and any padding.
        n_nodes: Nodes per graph, which may differ from call to call without a new compilation.
        lists: Candidates.
        rows: The pairs; the limit is the right-hand side. Few arrays cost less on the way in.
        subsets: Conditioning sets as positions among the candidates.
        n_subsets: How many of them each block of rows has.
        one_sided: Negative partial correlations count as zero.
        best: Look at all sets for the smallest value, not for the first below the limit.
        lanes: Rows per block.
        chunk: Sets per step.
        width: Length of the lists up to which the correlations among candidates are gathered once
            per row; with 0 they are looked up set by set, which is less work where sets are few.
    """
    rows = rows if isinstance(rows, DeviceRows) else as_rows(*rows)

    def values(block: DeviceRows) -> Values:
        return _squared_correlations(
            flat, n_nodes, lists, block, subsets.shape[1], one_sided, width
        )

    return _over_blocks(values, rows, subsets, n_subsets, best, (lanes, chunk))


@partial(jax.jit, static_argnames=("batch", "best", "lanes", "chunk"))
def general_first(
    test: Any,
    lists: Lists,
    rows: DeviceRows | tuple[Int[Array, "6 rows"], Float[Array, "rows"]],
    subsets: Int[Array, "sets k"],
    n_subsets: Int[Array, "blocks"],
    *,
    batch: tuple[int, ...],
    best: bool,
    lanes: int,
    chunk: int,
) -> Found:
    """The same for any test: the value is -p, and the limit is -α."""
    rows = rows if isinstance(rows, DeviceRows) else as_rows(*rows)

    def minus_p(graph: Array, x: Array, y: Array, cond: Array) -> Array:
        one = test[jnp.unravel_index(graph, batch)] if batch else test
        return -one(x, y, cond).p_value

    over_rows = jax.vmap(minus_p, in_axes=(0, 0, 0, 1))
    over_sets = jax.vmap(over_rows, in_axes=(None, None, None, 0))

    def values(block: DeviceRows) -> Values:
        def of(sets: Array) -> tuple[Array, Array]:
            conds = jnp.zeros((sets.shape[0], 0, block.x.shape[0]), jnp.int32)
            if sets.shape[1]:
                members = [lists.at(block, sets[:, a]) for a in range(sets.shape[1])]
                missing = (sets == NULL)[:, :, None]
                conds = jnp.where(missing, jnp.int32(-1), jnp.stack(members, axis=1))
            value = over_sets(block.graph, block.x, block.y, conds)
            return value.astype(block.limit.dtype), jnp.zeros((), block.limit.dtype)

        return of

    return _over_blocks(values, rows, subsets, n_subsets, best, (lanes, chunk))


def _over_blocks(
    values: Callable[[DeviceRows], Values],
    rows: DeviceRows,
    subsets: Int[Array, "sets k"],
    n_subsets: Int[Array, "blocks"],
    best: bool,
    shape: tuple[int, int],
) -> Found:
    """Scan the rows block by block: a block is short enough to stay in the cache."""

    def scan(block: tuple[DeviceRows, Array]) -> Found:
        return _scan(values(block[0]), block[0], subsets, block[1], best, shape[1])

    blocks = jax.tree.map(lambda field: field.reshape(-1, shape[0]), rows)
    # What is padded lies at the end, and costs nothing.
    last = jnp.arange(1, n_subsets.shape[0] + 1, dtype=jnp.int32)
    n_blocks = jnp.where(n_subsets > 0, last, 0).max()

    def step(i: Array, found: Found) -> Found:
        part = scan((jax.tree.map(lambda field: field[i], blocks), n_subsets[i]))
        return jax.tree.map(lambda whole, piece: whole.at[i].set(piece), found, part)

    start = Found(
        jnp.full(blocks.x.shape, NEVER, jnp.int32),
        jnp.full(blocks.x.shape, jnp.inf, blocks.limit.dtype),
        jnp.zeros(blocks.x.shape, bool),
    )
    found = lax.fori_loop(jnp.int32(0), n_blocks, step, start)
    return jax.tree.map(lambda field: field.reshape(-1), found)


def _scan(
    values: Values,
    rows: DeviceRows,
    subsets: Int[Array, "sets k"],
    n_subsets: Int[Array, ""],
    best: bool,
    chunk: int,
) -> Found:
    """Loop over chunks of sets; the number of chunks is a run-time value."""
    infinite = jnp.full_like(rows.limit, jnp.inf)

    def step(c: Array, found: Found) -> Found:
        start = c * jnp.asarray(chunk, c.dtype)
        # The barrier keeps XLA from computing all values again for each use below; and one set
        # after the other, since reductions over sets would take ten times as long as the tests.
        value, error = lax.optimization_barrier(
            values(lax.dynamic_slice_in_dim(subsets, start, chunk))
        )
        error = jnp.broadcast_to(error, value.shape)
        for m in range(chunk):
            number = start.astype(jnp.int32) + m
            valid = number < rows.n_valid
            close = valid & (jnp.abs(value[m] - rows.limit) <= error[m])
            if best:
                better = valid & (value[m] < found.value)
                found = Found(
                    jnp.where(better, number, found.first),
                    jnp.where(better, value[m], found.value),
                    found.uncertain | close,
                )
            else:
                asked = valid & (found.first == NEVER)
                found = Found(
                    jnp.where(asked & (value[m] < rows.limit), number, found.first),
                    jnp.where(asked, jnp.minimum(found.value, value[m]), found.value),
                    found.uncertain | (asked & close),
                )
        return found

    start = Found(jnp.full(rows.x.shape, NEVER, jnp.int32), infinite, jnp.zeros(rows.x.shape, bool))
    n_chunks = (n_subsets + chunk - 1) // chunk
    found = lax.fori_loop(jnp.zeros_like(n_chunks), n_chunks, step, start)
    if best:
        found = found._replace(first=jnp.where(found.value < rows.limit, found.first, NEVER))
    return found


def _squared_correlations(
    flat: Array,
    n_nodes: Array,
    lists: Lists,
    rows: DeviceRows,
    size: int,
    one_sided: bool,
    width: int,
) -> Values:
    """Squared partial correlation of each row given sets of its candidates.

    The factor of S is a Cholesky decomposition, unrolled over the ``size`` positions of a set, and
    pushed through the two columns of x and y at once.
    """
    dtype = flat.dtype
    tolerance = jnp.asarray(SINGULAR * jnp.finfo(dtype).eps, dtype)
    rounding = jnp.asarray(GUARD * jnp.finfo(dtype).eps, dtype)
    one = jnp.ones((), dtype)
    at_x, at_y = ((rows.graph * n_nodes + end) * n_nodes for end in (rows.x, rows.y))
    r_xy = flat[at_x + rows.y][None]
    look_up = _tile if width else _direct
    among = look_up(flat, n_nodes, lists, rows, (at_x, at_y), width)

    def values(sets: Array) -> tuple[Array, Array]:
        real = [(sets[:, a] != NULL)[:, None] for a in range(size)]
        to_x, to_y, between = among(sets)
        covariance, v_x, v_y = r_xy, one, one
        regular, smallest = jnp.ones((), bool), one
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
        return jnp.broadcast_to(square, (sets.shape[0], rows.x.shape[0])), error

    return values


Among = Callable[
    [Int[Array, "chunk k"]],
    tuple[Callable[[int], Array], Callable[[int], Array], Callable[[int, int], Array]],
]
"""Maps sets to functions: correlations of the a-th member with x, with y, and with the b-th."""


def _direct(
    flat: Array, n_nodes: Array, lists: Lists, rows: DeviceRows, ends: tuple[Array, Array], _: int
) -> Among:
    """Look the correlations of each set up in the whole matrices."""

    def among(sets: Array) -> Any:
        n_sets, size = sets.shape
        # Few gathers of many members each: every operation in the loop costs a few microseconds.
        members = lists.at(rows, sets.reshape(-1)).reshape(n_sets, size, rows.x.shape[0])
        members = lax.optimization_barrier(members)
        starts = (rows.graph[None, None] * n_nodes + members) * n_nodes

        def entries(start: Array, first: int) -> Array:
            return lax.optimization_barrier(flat.at[start + members[:, first:]].get(mode="clip"))

        to_x, to_y = (entries(end[None, None], 0) for end in ends)
        between = [entries(starts[:, b : b + 1], b + 1) for b in range(size - 1)]
        return (
            lambda a: to_x[:, a],
            lambda a: to_y[:, a],
            lambda a, b: between[b][:, a - b - 1],
        )

    return among


def _tile(
    flat: Array,
    n_nodes: Array,
    lists: Lists,
    rows: DeviceRows,
    ends: tuple[Array, Array],
    width: int,
) -> Among:
    """Gather the correlations among all candidates of each row once; a set picks slabs of them."""
    nodes = lists.at(rows, jnp.arange(width, dtype=jnp.int32))
    r_x, r_y = (flat.at[end[None] + nodes].get(mode="clip") for end in ends)
    start = (rows.graph[None] * n_nodes + nodes) * n_nodes
    tile = flat.at[start[:, None] + nodes[None]].get(mode="clip")

    def among(sets: Array) -> Any:
        return (
            lambda a: r_x.at[sets[:, a]].get(mode="clip"),
            lambda a: r_y.at[sets[:, a]].get(mode="clip"),
            lambda a, b: tile.at[sets[:, b], sets[:, a]].get(mode="clip"),
        )

    return among
