"""Sets of one node where lists of candidates are long, as those beside a hub: a sweep in numpy.

A level 1 among p nodes that all depend on one another makes p³ tests. Each row of the sweep is a
pair; all its tests are made in single precision, without a look-up for each of them, and those that
rounding cannot tell from the best are made again in double precision. The result is bit for bit
that of `jaxcause.discovery._kernel.partial_correlation` in numpy.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jaxcause.discovery._kernel.conditioning_sets import SetRange
from jaxcause.discovery._kernel.in_numpy import first_of_each
from jaxcause.discovery._kernel.partial_correlation import Correlations, squared_correlations
from jaxcause.discovery._kernel.rows import NEVER, NULL, Found, KernelRows, RowBatch

FEWEST_TESTS = 1 << 22
"""Fewer tests are made by the other kernels."""

FEWEST_CANDIDATES = 64
"""Shorter lists are looked up."""

TESTS_IN_CACHE = 1 << 16
"""Tests that are made together."""

MOST_AMPLIFIED = 1e4
"""Rounding errors of single precision may be multiplied by so much."""


class Sweep(NamedTuple):
    """Correlations as the sweep reads them.

    Args:
        exact: The correlations: ``[graphs, nodes, nodes]``.
        r: The same in single precision.
        weight: One over the standard deviation that is left of one node given another.
        error: How far rounding may move a partial correlation.
    """

    exact: Float[np.ndarray, "graphs nodes nodes"]
    r: Float[np.ndarray, "graphs nodes nodes"]
    weight: Float[np.ndarray, "graphs nodes nodes"]
    error: float

    @classmethod
    def of(cls, corr: Float[np.ndarray, "graphs nodes nodes"]) -> "Sweep | None":
        """Prepare them; None where some pair is so close that single precision tells nothing."""
        exact = np.asarray(corr, np.float64)
        left = 1 - exact * exact
        np.einsum("...ii->...i", left)[...] = 1
        amplified = 1 / left.min(initial=1.0) if left.min(initial=1.0) > 0 else np.inf
        if amplified > MOST_AMPLIFIED:
            return None
        weight = (1 / np.sqrt(left)).astype(np.float32)
        error = 16 * amplified * float(np.finfo(np.float32).eps)
        return cls(exact, exact.astype(np.float32), weight, error)


def is_worth_a_sweep(batch: RowBatch, sets: SetRange, n_tests: int) -> bool:
    """Whether rows have so many sets of one node that a sweep pays."""
    return (
        sets.size == 1
        and n_tests >= FEWEST_TESTS
        and n_tests >= FEWEST_CANDIDATES * batch.n_sets.size
    )


def best_single_conditions(
    sweep: Sweep, batch: RowBatch, lists: Int[np.ndarray, "candidates"], sets: SetRange
) -> Found:
    """The candidate of each row that leaves the smallest squared partial correlation.

    Args:
        sweep: The correlations.
        batch: The rows.
        lists: Lists of candidates, one after the other.
        sets: Which candidates to look at, by their numbers.
    """
    first, value = np.full(batch.x.size, NEVER, np.int64), np.full(batch.x.size, np.inf)
    batch = _from_owners(batch, lists)
    for rows in _with_one_list(batch):
        here = batch.at(rows)
        n_listed = int(here.n_listed.max())
        positions = np.arange(sets.start, min(n_listed, sets.stop + 1))
        columns = _Columns.of(sweep, here, lists, positions)
        parts = list(_closest(columns, here, sets, sweep.error))
        row, column = (np.concatenate(part) for part in zip(*parts, strict=True))
        found = _exactly(sweep, columns, here, row, column)
        first[rows], value[rows] = found.first - sets.start * (found.first < NEVER), found.value
    return Found(first, value, None)


def _from_owners(batch: RowBatch, lists: Int[np.ndarray, "candidates"]) -> RowBatch:
    """Rows with their ends exchanged where the list is that of y: all rows of a list share x then.

    What a list leaves out is the other end. Both ends have the same part in the formula of a
    squared partial correlation, so that its rounding stays the same, too.
    """
    left_out = batch.skip < NULL
    other = lists[np.where(left_out, batch.start + batch.skip, 0)]
    of_y = left_out & (other == batch.x)
    x, y = np.where(of_y, batch.y, batch.x), np.where(of_y, batch.x, batch.y)
    return batch._replace(x=x, y=y)


def _with_one_list(batch: RowBatch) -> Iterator[Int[np.ndarray, "some"]]:
    """Rows that share a list and the node x."""
    order = np.lexsort((batch.y, batch.x, batch.graph, batch.start))
    keys = np.stack([batch.start[order], batch.graph[order], batch.x[order]])
    yield from np.split(order, np.flatnonzero((np.diff(keys) != 0).any(axis=0)) + 1)


class _Columns(NamedTuple):
    """Candidates of some rows as columns of the correlations.

    Args:
        x: The node that the rows share.
        nodes: The candidates; or all nodes, where only x is none.
        is_all: Whether ``nodes`` are all nodes.
        start: Position of the first candidate in the list.
        stop: Position behind the last one.
        r: Correlations of the graph.
        weight: Their weights.
    """

    x: int
    nodes: Int[np.ndarray, "columns"]
    is_all: bool
    start: int
    stop: int
    r: Float[np.ndarray, "nodes nodes"]
    weight: Float[np.ndarray, "nodes nodes"]

    @classmethod
    def of(
        cls,
        sweep: Sweep,
        rows: RowBatch,
        lists: Int[np.ndarray, "candidates"],
        positions: Int[np.ndarray, "columns"],
    ) -> "_Columns":
        graph, x, n = int(rows.graph[0]), int(rows.x[0]), sweep.r.shape[-1]
        nodes = lists[int(rows.start[0]) + positions]
        is_all = nodes.size == n - 1 and not (nodes == x).any()
        start, stop = int(positions[0]), int(positions[-1]) + 1
        nodes = np.arange(n) if is_all else nodes
        return cls(x, nodes, is_all, start, stop, sweep.r[graph], sweep.weight[graph])

    def of_far_ends(
        self, matrix: Float[np.ndarray, "nodes nodes"], y: Int[np.ndarray, "rows"]
    ) -> Float[np.ndarray, "rows columns"]:
        """Entries of the matrix between nodes y, ascending, and the candidates."""
        if not self.is_all:
            return matrix[y[:, None], self.nodes]
        first, last = int(y[0]), int(y[-1])
        # A slice copies nothing.
        return matrix[first : last + 1] if last - first == y.size - 1 else matrix[y]

    def column_of(self, position: Int[np.ndarray, "some"] | int) -> Int[np.ndarray, "some"] | int:
        """Where the candidates at some positions of the list stand."""
        return position + (position >= self.x) if self.is_all else position - self.start

    def position_of(self, column: Int[np.ndarray, "some"]) -> Int[np.ndarray, "some"]:
        """Position in the list of the candidates at some columns."""
        return column - (column > self.x) if self.is_all else column + self.start


def _closest(
    columns: _Columns, rows: RowBatch, sets: SetRange, error: float
) -> Iterator[tuple[Int[np.ndarray, "tests"], Int[np.ndarray, "tests"]]]:
    """Rows, and the columns that may be the best of each; every row has at least one."""
    r_x, weight_x = columns.r[columns.x, columns.nodes], columns.weight[columns.x, columns.nodes]
    step = max(1, TESTS_IN_CACHE // r_x.size)
    for start in range(0, rows.y.size, step):
        y, skip = rows.y[start : start + step], rows.skip[start : start + step]
        rho = columns.of_far_ends(columns.r, y) * r_x
        rho -= columns.r[columns.x, y, None]
        rho *= columns.of_far_ends(columns.weight, y)
        rho *= weight_x
        np.abs(rho, out=rho)
        _leave_out(rho, columns, skip, sets)
        every, column = np.arange(y.size), rho.argmin(axis=1)
        yield every + start, column
        limit = rho[every, column] + 2 * np.float32(error)
        rho[every, column] = np.inf
        doubtful = np.flatnonzero(rho.min(axis=1) <= limit)
        if doubtful.size:
            row, column = np.nonzero(rho[doubtful] <= limit[doubtful, None])
            yield doubtful[row] + start, column


def _leave_out(
    rho: Float[np.ndarray, "rows columns"],
    columns: _Columns,
    skip: Int[np.ndarray, "rows"],
    sets: SetRange,
) -> None:
    """Make what is no candidate of a row, or beyond the range, infinite."""
    if columns.is_all:
        rho[:, columns.x] = np.inf
    at = np.flatnonzero((skip >= columns.start) & (skip < columns.stop))
    rho[at, columns.column_of(skip[at])] = np.inf
    # Positions behind the one that is left out have numbers that are smaller by one.
    if sets.start:
        rho[skip < sets.start, columns.column_of(sets.start)] = np.inf
    if columns.stop > sets.stop:
        rho[skip > sets.stop, columns.column_of(sets.stop)] = np.inf


def _exactly(
    sweep: Sweep,
    columns: _Columns,
    rows: RowBatch,
    row: Int[np.ndarray, "tests"],
    column: Int[np.ndarray, "tests"],
) -> Found:
    """The best of some tests of each row, in double precision."""
    position = columns.position_of(column)
    skip = rows.skip[row]
    number = position - (position > skip)
    order = np.lexsort((number, row))
    row, column, number = row[order], column[order], number[order]
    square = _squares(sweep.exact[rows.graph[0]], columns.x, rows.y[row], columns.nodes[column])
    begin = np.searchsorted(row, np.arange(rows.y.size))
    found = first_of_each(square, row, begin, rows.limit, True)
    at = np.minimum(begin + found.first, row.size - 1)
    return found._replace(first=np.where(found.first < NEVER, number[at], NEVER))


def _squares(
    r: Float[np.ndarray, "nodes nodes"],
    x: int,
    y: Int[np.ndarray, "tests"],
    given: Int[np.ndarray, "tests"],
) -> Float[np.ndarray, "tests"]:
    """Squared partial correlations given one node; infinite where that is x or y itself."""
    none = np.zeros(y.size, np.int64)
    # Each test is a row of its own, whose list is the one node that is given.
    rows = KernelRows(none, none + x, y, np.arange(y.size), none + NULL, none + 1, none + np.inf)
    correlations = Correlations(r.reshape(-1), np.array(len(r)), given)
    with np.errstate(divide="ignore", invalid="ignore"):
        square, _ = squared_correlations(correlations, rows, one_sided=False)(none[None])
    return np.asarray(square)
