"""The kernels of small work: all tests of some rows at a time, in numpy."""

from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Float, Int

from jaxcause.discovery._kernel.conditioning_sets import SetRange
from jaxcause.discovery._kernel.rows import NEVER, Found, KernelRows, RowBatch

TestValues = Callable[[KernelRows, Int[np.ndarray, "k tests"]], Float[np.ndarray, "tests"]]
"""Maps tests and the positions of their sets to the values of the tests.

The tests come as rows, whose last two fields, of no use here, have one entry for each row.
"""


def first_separating_in_numpy(
    values: TestValues, batch: RowBatch, sets: SetRange, *, best: bool, at_a_time: int
) -> Found:
    """The first (or best) separating set of each row.

    Args:
        values: The values of tests.
        batch: The rows.
        sets: Which sets they look at.
        best: Whether the set with the smallest value is wanted.
        at_a_time: Tests that stay in the cache together.
    """
    n_tests, table = sets.n_within(batch.n_sets), sets.table()[:, : sets.size]
    parts = []
    for rows in _runs(n_tests, at_a_time):
        here, counts = batch.at(rows), n_tests[rows]
        start = np.cumsum(counts) - counts
        row = np.repeat(np.arange(counts.size, dtype=np.int32), counts)
        of_rows = (here.graph, here.x, here.y, here.start, here.skip)
        of_tests = (np.repeat(field.astype(np.int32), counts) for field in of_rows)
        tests = KernelRows(*of_tests, n_valid=counts, limit=here.limit)
        positions = table[np.arange(row.size) - start[row]].T
        parts.append(first_of_each(values(tests, positions), row, start, here.limit, best))
    first, value = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
    return Found(first, value, None)


def first_of_each(
    value: Float[np.ndarray, "tests"],
    row: Int[np.ndarray, "tests"],
    start: Int[np.ndarray, "rows"],
    limit: Float[np.ndarray, "rows"],
    best: bool,
) -> Found:
    """The first separating set of each row, from the values of all its sets."""
    smallest = np.minimum.reduceat(value, start)
    separates = value < limit[row]
    if best:
        separates &= value == smallest[row]
    test = np.flatnonzero(separates)[::-1]
    first = np.full(start.size, NEVER, np.int64)
    # ``test`` holds the separating tests from last to first. Where a row has several, numpy keeps
    # what it writes last: the smallest number.
    first[row[test]] = test - start[row[test]]
    found = np.flatnonzero(first < NEVER)
    smallest[found] = value[start[found] + first[found]]
    return Found(first, smallest, None)


def _runs(counts: Int[np.ndarray, "rows"], most: int) -> Iterator[slice]:
    """Runs of rows with at most ``most`` tests together, or one row."""
    ends, start = np.cumsum(counts), 0
    while start < counts.size:
        done = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + most, side="right")))
        yield slice(start, stop)
        start = stop
