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
from jaxcause.discovery._kernel.rows import NEVER, NULL, Found, RowBatch
from jaxcause.stats._definite import least_variance

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
    for rows in _with_one_list(batch):
        here = batch.at(rows)
        n_listed = int((here.n_candidates + (here.skip < NULL)).max())
        positions = np.arange(sets.start, min(n_listed, sets.stop + 1))
        columns = _Columns.of(sweep, here, lists, positions)
        step = max(1, TESTS_IN_CACHE // columns.r_x.size)
        for start in range(0, rows.size, step):
            part = slice(start, start + step)
            found = _best(sweep, columns, here.at(part), sets)
            first[rows[part]], value[rows[part]] = found.first, found.value
    return Found(first, value, None)


def _with_one_list(batch: RowBatch) -> Iterator[Int[np.ndarray, "some"]]:
    """Rows that share a list and the node x."""
    order = np.lexsort((batch.y, batch.x, batch.graph, batch.start))
    keys = np.stack([batch.start[order], batch.graph[order], batch.x[order]])
    yield from np.split(order, np.flatnonzero((np.diff(keys) != 0).any(axis=0)) + 1)


class _Columns(NamedTuple):
    """Candidates of some rows as columns of the correlations.

    Args:
        nodes: The candidates; or all nodes, where only x is none.
        is_all: Whether ``nodes`` are all nodes.
        start: Position of the first of them in the list.
        r_x: Their correlations with x.
        weight_x: Their weights with x.
    """

    nodes: Int[np.ndarray, "columns"]
    is_all: bool
    start: int
    r_x: Float[np.ndarray, "columns"]
    weight_x: Float[np.ndarray, "columns"]

    @classmethod
    def of(
        cls,
        sweep: Sweep,
        rows: RowBatch,
        lists: Int[np.ndarray, "candidates"],
        positions: Int[np.ndarray, "columns"],
    ) -> "_Columns":
        graph, x = int(rows.graph[0]), int(rows.x[0])
        nodes, n = lists[int(rows.start[0]) + positions], sweep.r.shape[-1]
        is_all = nodes.size == n - 1 and not (nodes == x).any()
        if is_all:
            nodes = np.arange(n)
        r_x, weight_x = (each[graph, x, nodes] for each in (sweep.r, sweep.weight))
        return cls(nodes, is_all, int(positions[0]), r_x, weight_x)

    def of_far_ends(
        self, matrix: Float[np.ndarray, "nodes nodes"], y: Int[np.ndarray, "rows"]
    ) -> Float[np.ndarray, "rows columns"]:
        """Entries of the matrix between nodes y and the candidates; rows are copied as a whole."""
        return matrix[y] if self.is_all else matrix[y[:, None], self.nodes]

    def column_of(self, x: int, position: Int[np.ndarray, "some"]) -> Int[np.ndarray, "some"]:
        """Where the candidates at some positions of the list stand."""
        return position + (position >= x) if self.is_all else position - self.start

    def position_of(self, x: int, column: Int[np.ndarray, "some"]) -> Int[np.ndarray, "some"]:
        """Position in the list of the candidates at some columns."""
        return column - (column > x) if self.is_all else column + self.start


def _best(sweep: Sweep, columns: _Columns, rows: RowBatch, sets: SetRange) -> Found:
    """The best candidate of rows with one list."""
    graph, x, every = int(rows.graph[0]), int(rows.x[0]), np.arange(rows.y.size)
    r = sweep.r[graph]
    rho = columns.of_far_ends(r, rows.y) * columns.r_x
    rho -= r[x, rows.y, None]
    rho *= columns.of_far_ends(sweep.weight[graph], rows.y)
    rho *= columns.weight_x
    np.abs(rho, out=rho)
    _leave_out(rho, columns, rows, sets)
    column = rho.argmin(axis=1)
    least = rho[every, column]
    rho[every, column] = np.inf
    doubtful = np.flatnonzero(rho.min(axis=1) <= least + 2 * sweep.error)
    again, others = np.nonzero(rho[doubtful] <= (least + 2 * sweep.error)[doubtful, None])
    row, column = np.append(every, doubtful[again]), np.append(column, others)
    order = np.lexsort((column, row))
    row, column = row[order], column[order]
    square = _squares(sweep.exact[graph], x, rows.y[row], columns.nodes[column])
    square[np.isinf(least[row])] = np.inf  # no candidate is in the range
    begin = np.searchsorted(row, every)
    found = first_of_each(square, row, begin, rows.limit, True)
    at = np.minimum(begin + found.first, row.size - 1)
    position = columns.position_of(x, column[at])
    number = position - (position > rows.skip) - sets.start
    return Found(np.where(found.first < NEVER, number, NEVER), found.value, None)


def _leave_out(
    rho: Float[np.ndarray, "rows columns"], columns: _Columns, rows: RowBatch, sets: SetRange
) -> None:
    """Make what is no candidate of a row, or beyond the range, infinite."""
    x = int(rows.x[0])
    if columns.is_all:
        rho[:, x] = np.inf
    last = columns.start + len(columns.nodes) - columns.is_all
    has_skip = (rows.skip >= columns.start) & (rows.skip < last)
    at = np.flatnonzero(has_skip)
    rho[at, columns.column_of(x, rows.skip[at])] = np.inf
    # Positions behind the one that is left out have numbers that are smaller by one.
    rho[rows.skip < sets.start, columns.column_of(x, np.array(columns.start))] = np.inf
    if last > sets.stop:
        rho[rows.skip > sets.stop, columns.column_of(x, np.array(sets.stop))] = np.inf


def _squares(
    r: Float[np.ndarray, "nodes nodes"],
    x: int,
    y: Int[np.ndarray, "tests"],
    given: Int[np.ndarray, "tests"],
) -> Float[np.ndarray, "tests"]:
    """Squared partial correlations given one node."""
    r_x, r_y = r[x, given], r[y, given]
    covariance = r[x, y] - r_x * r_y
    v_x, v_y = 1 - r_x**2, 1 - r_y**2
    tolerance = least_variance(r.dtype)
    regular = (v_x > tolerance) & (v_y > tolerance)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(regular, covariance * covariance / (v_x * v_y), np.inf)
