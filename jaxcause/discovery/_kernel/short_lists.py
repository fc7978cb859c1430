"""Sets of one node where lists of candidates are short: blocks of rows in numpy.

A level 1 has the most tests of a search in a sparse graph. Rows of a block look at their whole
lists as at the columns of a table, and not at one set after the other. The result is bit for bit
that of `jaxcause.discovery._kernel.partial_correlation` in numpy.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int
from numpy.lib.stride_tricks import sliding_window_view

from jaxcause.discovery._kernel.conditioning_sets import SetRange
from jaxcause.discovery._kernel.partial_correlation import Correlations
from jaxcause.discovery._kernel.rows import NEVER, Found, RowBatch
from jaxcause.stats._definite import SINGULAR

TESTS_IN_CACHE = 1 << 15
"""Tests that are made together."""

SECONDS_PER_TEST = 1.5e-8
"""What a test costs here, on average."""


def first_single_conditions(
    correlations: Correlations,
    batch: RowBatch,
    sets: SetRange,
    *,
    one_sided: bool,
    best: bool,
) -> Found:
    """The first candidate of each row that separates it, or the best.

    Args:
        correlations: Correlations in double precision, and the candidates.
        batch: The rows.
        sets: Which candidates to look at, by their numbers.
        one_sided: Negative partial correlations count as zero.
        best: Whether the candidate with the smallest value is wanted.
    """
    parts = []
    for rows in _blocks(batch, sets):
        here = batch.at(rows)
        with np.errstate(divide="ignore", invalid="ignore"):
            square = _squares(correlations, here, sets, one_sided)
        column, value = _chosen(square, here.limit, best)
        # Positions behind the one that is left out have numbers that are smaller by one.
        number = column - (column + sets.start > here.skip)
        parts.append((np.where(value < here.limit, number, NEVER), value))
    first, value = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Found(first, value, None)


def _blocks(batch: RowBatch, sets: SetRange) -> Iterator[slice]:
    """Runs of rows that fit into the cache together, or one row."""
    # Columns that a block needs whose last row this is.
    width = np.maximum.accumulate(np.minimum(batch.n_listed, sets.stop + 1) - sets.start)
    start, n = 0, width.size
    while start < n:
        widest = min(n, start + max(1, TESTS_IN_CACHE // int(width[start]))) - 1
        stop = min(n, start + max(1, TESTS_IN_CACHE // int(width[widest])))
        yield slice(start, stop)
        start = stop


def _squares(
    correlations: Correlations, rows: RowBatch, sets: SetRange, one_sided: bool
) -> Float[np.ndarray, "rows columns"]:
    """Squared partial correlations given each node of a row's list; infinite for what is no set."""
    flat, n, lists = np.asarray(correlations.flat), int(correlations.n_nodes), correlations.lists
    n_listed = rows.n_listed
    n_columns = min(int(n_listed.max()), sets.stop + 1) - sets.start
    nodes = sliding_window_view(lists, n_columns)[rows.start + sets.start]
    at_x, at_y = ((rows.graph.astype(np.int64) * n + end) * n for end in (rows.x, rows.y))
    r_xy = flat.take(at_x + rows.y)[:, None]
    # Entries beyond a list may lie outside of the matrices.
    r_x, r_y = (flat.take(at[:, None] + nodes, mode="clip") for at in (at_x, at_y))
    covariance = r_xy - r_x * r_y
    v_x, v_y = 1 - r_x * r_x, 1 - r_y * r_y
    none = _no_set(rows.skip - sets.start, n_listed - sets.start, sets.stop - sets.start, v_x.shape)
    for row, column in none:
        v_x[row, column] = v_y[row, column] = 1
    square = covariance * covariance / (v_x * v_y)
    if one_sided:
        square[(covariance <= 0) & (square < 1)] = 0
    tolerance = SINGULAR * np.finfo(np.float64).eps
    if min(v_x.min(), v_y.min()) <= tolerance:
        square[(v_x <= tolerance) | (v_y <= tolerance)] = np.inf
    for row, column in none:
        square[row, column] = np.inf
    return square


def _no_set(
    skip: Int[np.ndarray, "rows"],
    n_listed: Int[np.ndarray, "rows"],
    n_sets: int,
    shape: tuple[int, ...],
) -> list[tuple[Int[np.ndarray, "some"], Int[np.ndarray, "some"]]]:
    """Rows and columns without a set: what is left out, and what lies beyond list or range.

    Args:
        skip: Column that is left out of each row.
        n_listed: Columns that each row's list reaches to.
        n_sets: Sets of the range.
        shape: Rows and columns.
    """
    left_out = np.flatnonzero((skip >= 0) & (skip < shape[1]))
    # Behind the node that is left out numbers are smaller by one. So where it lies before the
    # range, the first column is of the range before, and where not behind it, one more belongs to
    # this range.
    early = np.flatnonzero(skip < 0)
    end = np.minimum(n_listed, n_sets + (skip < n_sets))
    least = int(end.min(initial=shape[1]))
    row, column = np.nonzero(np.arange(least, shape[1]) >= end[:, None])
    return [(left_out, skip[left_out]), (early, np.zeros_like(early)), (row, column + least)]


def _chosen(
    square: Float[np.ndarray, "rows columns"], limit: Float[np.ndarray, "rows"], best: bool
) -> tuple[Int[np.ndarray, "rows"], Float[np.ndarray, "rows"]]:
    """The column that each row takes, and its value; the smallest where none separates."""
    every = np.arange(len(square))
    column = square.argmin(axis=1)
    if not best:
        separates = square < limit[:, None]
        first = separates.argmax(axis=1)
        column = np.where(separates[every, first], first, column)
    return column, square[every, column]
