"""Sets of one node where lists of candidates are short: blocks of rows in numpy.

A level 1 has the most tests of a search in a sparse graph. Rows of a block look at their whole
lists as at the columns of a table, and not at one set after the other. The result is bit for bit
that of `jaxcause.discovery._kernel.partial_correlation` in numpy.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from numpy.lib.stride_tricks import sliding_window_view

from jaxcause.discovery._kernel.conditioning_sets import SetRange
from jaxcause.discovery._kernel.partial_correlation import Correlations
from jaxcause.discovery._kernel.rows import NEVER, NULL, Found, RowBatch
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
    parts, work = [], _Work.of(batch, sets)
    for rows in _blocks(batch, sets):
        here = batch.at(rows)
        with np.errstate(divide="ignore", invalid="ignore"):
            square = _squares(correlations, here, sets, one_sided, work)
        column, value = _chosen(square, here.limit, best)
        # Positions behind the one that is left out have numbers that are smaller by one.
        number = column - (column + sets.start > here.skip)
        parts.append((np.where(value < here.limit, number, NEVER), value))
    first, value = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Found(first, value, None)


class _Work(NamedTuple):
    """Memory that every block uses: new memory would cost more than the arithmetic."""

    numbers: tuple[Float[np.ndarray, "entries"], ...]
    places: Int[np.ndarray, "entries"]

    @classmethod
    def of(cls, batch: RowBatch, sets: SetRange) -> "_Work":
        """Enough for the widest row."""
        n_entries = max(TESTS_IN_CACHE, int(_widths(batch, sets)[-1]))
        return cls(tuple(np.empty((3, n_entries))), np.empty(n_entries, np.int64))


def _n_listed(batch: RowBatch) -> Int[np.ndarray, "rows"]:
    """Length of each row's list, with the candidate that is left out."""
    return batch.n_candidates + (batch.skip < NULL)


def _widths(batch: RowBatch, sets: SetRange) -> Int[np.ndarray, "rows"]:
    """Columns that a block needs whose last row this is."""
    return np.maximum.accumulate(np.minimum(_n_listed(batch), sets.stop + 1) - sets.start)


def _blocks(batch: RowBatch, sets: SetRange) -> Iterator[slice]:
    """Runs of rows that fit into the cache together, or one row."""
    width = _widths(batch, sets)
    start, n = 0, width.size
    while start < n:
        widest = min(n, start + max(1, TESTS_IN_CACHE // int(width[start]))) - 1
        stop = min(n, start + max(1, TESTS_IN_CACHE // int(width[widest])))
        yield slice(start, stop)
        start = stop


def _squares(
    correlations: Correlations, rows: RowBatch, sets: SetRange, one_sided: bool, work: _Work
) -> Float[np.ndarray, "rows columns"]:
    """Squared partial correlations given each node of a row's list; infinite for what is no set."""
    n, lists = int(correlations.n_nodes), correlations.lists
    n_listed = _n_listed(rows)
    n_columns = min(int(n_listed.max()), sets.stop + 1) - sets.start
    shape = (rows.x.size, n_columns)
    nodes = sliding_window_view(lists, n_columns)[rows.start + sets.start]
    at_x, at_y = ((rows.graph.astype(np.int64) * n + end) * n for end in (rows.x, rows.y))
    r_xy = correlations.flat.take(at_x + rows.y)[:, None]
    v_x, v_y, square = (part[: nodes.size].reshape(shape) for part in work.numbers)
    place = work.places[: nodes.size].reshape(shape)
    for at, r in ((at_x, v_x), (at_y, v_y)):
        np.add(at[:, None], nodes, out=place)
        # Entries beyond a list may lie outside of the matrices.
        np.take(correlations.flat, place, out=r, mode="clip")
    np.multiply(v_x, v_y, out=square)
    np.subtract(r_xy, square, out=square)
    negative = square <= 0 if one_sided else None
    square *= square
    for v in (v_x, v_y):
        np.multiply(v, v, out=v)
        np.subtract(1, v, out=v)
    none = _no_set(rows.skip - sets.start, n_listed - sets.start, sets.stop - sets.start, shape)
    for row, column in none:
        v_x[row, column] = v_y[row, column] = 1
    tolerance = SINGULAR * np.finfo(np.float64).eps
    singular = None
    if min(v_x.min(), v_y.min()) <= tolerance:
        singular = (v_x <= tolerance) | (v_y <= tolerance)
    v_x *= v_y
    square /= v_x
    if negative is not None:
        square[negative & (square < 1)] = 0
    if singular is not None:
        square[singular] = np.inf
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
