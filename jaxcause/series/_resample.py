"""Coarser series: each row the mean of a block of rows."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from jaxcause._checks import InputError, check_at_least
from jaxcause.series._durations import as_seconds, in_words
from jaxcause.series._table import SeriesTable, Times
from jaxcause.series._time import workdays

EVEN = 0.01
"""Times are regular if no step differs from the median step by more than this share of it."""
LONGEST_HOLE = 50
"""Empty cells in a row that a grid keeps as missing rows; a longer run ends the stretch."""


class Blocks(NamedTuple):
    """Which rows of a series are one row of a coarser one.

    Args:
        of_row: Block of each row, in ascending order; -1 for a row that is left out.
        segment: Which unbroken stretch each block belongs to.
        times: When each block begins, if times are known.
        factor: Rows of each block; None where blocks are the cells of a grid of time.
        seconds: Length of a block in time, if known.
        notes: How the blocks were made, in plain sentences.
    """

    of_row: Int[np.ndarray, "time"]
    segment: Int[np.ndarray, "blocks"]
    times: Times | None
    factor: int | None
    seconds: float | None
    notes: tuple[str, ...]

    @property
    def rows_per_block(self) -> float:
        """Rows of a block that has any, on average."""
        sizes = self._sizes()
        return float(sizes[sizes > 0].mean())

    @property
    def length(self) -> str:
        """The length of a block in words, such as ``"12 rows, 3 hours"``."""
        rows = [] if self.factor is None else [f"{self.factor} row{'s' * (self.factor != 1)}"]
        time = [] if self.seconds is None else [in_words(self.seconds)]
        return ", ".join(rows + time)

    def means(self, table: SeriesTable) -> SeriesTable:
        """The coarser series.

        A value is the mean of those that its block holds, and missing if more than half of them
        are. A row is a target if every row of its block is one.

        Raises:
            InputError: No block is a target.
        """
        sizes = self._sizes()
        kept = self.of_row >= 0
        blocks, values = self.of_row[kept], table.values[kept]
        known = ~np.isnan(values)
        columns = zip(np.where(known, values, 0.0).T, known.T, strict=True)
        sums = [(self._sums(blocks, x), self._sums(blocks, have)) for x, have in columns]
        total, count = (np.stack(part, axis=1) for part in zip(*sums, strict=True))
        enough = (2 * count >= sizes[:, None]) & (count > 0)
        means = np.where(enough, total / np.maximum(count, 1), np.nan)
        return table._replace(
            values=means,
            segment=self.segment,
            times=self.times,
            targets=self._targets(table.targets, sizes),
            notes=(*table.notes, *self.notes),
        )

    def most_frequent(self, name: str, labels: Any) -> Int[np.ndarray, "blocks"]:
        """The label of most rows of each block; an empty block has that of the block before.

        Args:
            name: The argument that holds the labels, for errors.
            labels: A whole number from 0 on for each row; of several as frequent, the smallest.

        Raises:
            InputError: They are something else.
        """
        given = np.asarray(labels)
        if given.shape != self.of_row.shape:
            raise InputError(
                f"{name} has shape {given.shape}, but the series has {len(self.of_row)} rows; give "
                "one whole number to each row"
            )
        if not np.issubdtype(given.dtype, np.integer) or given.min() < 0:
            raise InputError(f"{name} must hold whole numbers 0, 1, … for each row")
        kept = self.of_row >= 0
        counts = np.zeros((len(self.segment), int(given.max()) + 1), int)
        np.add.at(counts, (self.of_row[kept], given[kept]), 1)
        filled = np.where(counts.any(axis=1), np.arange(len(counts)), 0)
        return counts.argmax(axis=1)[np.maximum.accumulate(filled)]

    def n_mixed(self, labels: Int[np.ndarray, "time"]) -> int:
        """Blocks whose rows have several labels."""
        kept = self.of_row >= 0
        pairs = np.unique(np.stack([self.of_row[kept], np.asarray(labels)[kept]]), axis=1)
        return int((np.bincount(pairs[0]) > 1).sum())

    def _sizes(self) -> Int[np.ndarray, "blocks"]:
        return np.bincount(self.of_row[self.of_row >= 0], minlength=len(self.segment))

    def _sums(self, blocks: np.ndarray, values: np.ndarray) -> np.ndarray:
        return np.bincount(blocks, weights=values, minlength=len(self.segment))

    def _targets(self, targets: np.ndarray | None, sizes: np.ndarray) -> np.ndarray | None:
        if targets is None:
            return None
        kept = self.of_row >= 0
        found = (self._sums(self.of_row[kept], ~targets[kept]) == 0) & (sizes > 0)
        if not found.any():
            raise InputError(
                f"mask leaves no block of {self.length} whose rows may all be predicted; widen it, "
                "or resample less"
            )
        return found


def resampled(table: SeriesTable, resample: Any) -> SeriesTable:
    """A coarser series, each row the mean of a block of rows: see `blocks_of`.

    Args:
        table: The series.
        resample: Rows of a block, or its duration, such as ``"3h"``.

    Raises:
        InputError: See `blocks_of`.

    >>> from jaxcause.series import as_series_table
    >>> table = as_series_table(np.arange(14.0).reshape(7, 2), names=["a", "b"])
    >>> resampled(table, 3).values.tolist()
    [[2.0, 3.0], [8.0, 9.0]]
    """
    blocks = blocks_of(table, resample)
    return table if blocks is None else blocks.means(table)


def blocks_of(table: SeriesTable, resample: Any) -> Blocks | None:
    """Blocks of consecutive rows, or the cells of a grid of time; None if each row is a block.

    A number of rows makes blocks of so many rows from the beginning of each unbroken stretch on;
    rows that are left at its end are left out, and no block crosses a gap or the border of two
    series. A duration of regular times is a number of rows. Irregular times, and those with gaps,
    are put on a grid of that duration, whose cells begin at its multiples (of dates, since 1970, in
    UTC). A cell without a row is missing, and one with less than half of its rows if times are
    regular but for gaps. A stretch ends where more than 50 cells in a row are missing.

    Args:
        table: The series.
        resample: A number of rows, text such as ``"3h"`` or ``"15min"``, or a timedelta.

    Raises:
        InputError: It is neither, the times are not known, they are regular and the duration is no
            multiple of their step, or no block is left.
    """
    # A timedelta64 is an integer of numpy, too.
    if isinstance(resample, int | np.integer) and not isinstance(resample, bool | np.timedelta64):
        check_at_least("resample", resample, 1)
        return _blocks_of_rows(table, int(resample))
    length = as_seconds("resample", resample)
    if table.times is None or not table.times.in_seconds:
        raise InputError(
            f"resample={resample!r} needs a column of dates or durations, which the series does "
            "not have; give a number of rows"
        )
    step = row_seconds(table)
    if step is None:
        return _cells(table.times, length, 1)
    factor = round(length / step)
    if factor < 1 or abs(length / step - factor) > EVEN * factor:
        least = max(1, int(length / step))
        raise InputError(
            f"resample={resample!r} is no multiple of the time between rows, {in_words(step)}; "
            f"give {in_words(least * step)} or {in_words((least + 1) * step)}, or a number of rows"
        )
    if (np.diff(table.segment)[np.diff(table.times.series) == 0] != 0).any():
        return _cells(table.times, length, (factor + 1) // 2)
    return _blocks_of_rows(table, factor)


def row_seconds(table: SeriesTable) -> float | None:
    """The time from row to row, in seconds; None if it is not known or not regular."""
    if table.times is None or not table.times.in_seconds:
        return None
    steps = np.diff(table.times.seconds)[np.diff(table.segment) == 0]
    median = float(np.median(steps)) if len(steps) else 0.0
    regular = median > 0 and (np.abs(steps - median) <= EVEN * median).all()
    return median if regular else None


def _blocks_of_rows(table: SeriesTable, factor: int) -> Blocks | None:
    if factor == 1:
        return None
    n_rows = len(table.segment)
    first = np.flatnonzero(np.diff(table.segment, prepend=table.segment[0] - 1))
    lengths = np.diff(first, append=n_rows)
    n_blocks = lengths // factor
    if not n_blocks.sum():
        raise InputError(
            f"resample={factor} leaves no row: the longest unbroken stretch of the series has "
            f"{lengths.max()} rows; give a smaller number"
        )
    within = np.arange(n_rows) - np.repeat(first, lengths)
    before = np.cumsum(n_blocks) - n_blocks
    block = np.repeat(before, lengths) + within // factor
    kept = within < np.repeat(n_blocks * factor, lengths)
    begins = np.flatnonzero(kept & (within % factor == 0))
    step = row_seconds(table)
    seconds = None if step is None else factor * step
    times = None if table.times is None else table.times.of(begins)
    said = f"{factor} rows" + (f", {in_words(seconds)}" if seconds is not None else "")
    left = f", and {n_rows - kept.sum():,} at ends of stretches were left out"
    note = (
        f"One row is now the mean of {factor} rows, so one lag is {said}: {n_rows:,} rows became "
        f"{len(begins):,}{left * bool(n_rows - kept.sum())}."
    )
    segment = table.segment[begins]
    return Blocks(np.where(kept, block, -1), segment, times, factor, seconds, (note,))


def _cells(times: Times, length: float, fewest: int) -> Blocks:
    """The cells of a grid that hold at least the fewest rows; long runs of others are left out."""
    n_rows = len(times.column)
    cell = np.floor(times.seconds / length + 1e-9).astype(np.int64)
    first = np.diff(cell, prepend=cell[0] - 1) != 0
    first[1:] |= np.diff(times.series) != 0
    number = np.cumsum(first) - 1
    kept = np.bincount(number)[number] >= fewest
    if not kept.any():
        raise InputError(
            f"resample: no cell of {in_words(length)} holds half of its rows; give a longer one"
        )
    rest = _note_on_rest(times, length)
    times, cell = times.of(kept), cell[kept]
    same = np.diff(times.series) == 0
    jump = np.diff(cell)
    broken = ~same | (jump > LONGEST_HOLE + 1)
    block = np.concatenate([[0], np.cumsum(np.where(broken, 1, jump))])
    n_blocks = int(block[-1]) + 1
    # Cells between two rows belong to the stretch of the earlier one.
    known = np.searchsorted(block, np.arange(n_blocks), side="right") - 1
    stretch = np.concatenate([[0], np.cumsum(broken)])
    offset = np.arange(n_blocks) - block[known]
    nanoseconds = np.round((cell[known] + offset) * length * 1e9).astype(np.int64)
    begins = Times(nanoseconds.astype(f"{times.column.dtype.kind}8[ns]"), times.series[known])
    n_empty = n_blocks - len(np.unique(block))
    note = (
        f"Times are irregular or have gaps, so rows were averaged on a grid of {in_words(length)}, "
        f"and one lag is {in_words(length)}: {n_rows:,} rows became {n_blocks:,} cells, of which "
        f"{n_empty:,} ({100 * n_empty / n_blocks:.3g} %) hold too few rows. They are missing; "
        "nothing is interpolated."
    )
    of_row = np.full(n_rows, -1)
    of_row[kept] = block
    notes = (note,) if rest is None else (note, rest)
    return Blocks(of_row, stretch[known], begins, None, length, notes)


def _note_on_rest(times: Times, length: float) -> str | None:
    """That days of rest are missing cells, if they are."""
    days = workdays(times.column[times.series == times.series[0]])
    if days is None or length > (1 + len(days.rest)) * 86_400:
        return None
    return (
        f"There are no rows on {' and '.join(f'{day}s' for day in days.rest)}, which are missing "
        "cells; without resample, a lag counts days with a row."
    )
