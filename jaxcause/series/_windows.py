"""Windows of a series that cross neither a gap nor the border between two series."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxcause._checks import InputError, check_mask
from jaxcause._stored import AnyRows, StoredRows, column_facts, held_rows
from jaxcause.series._table import SeriesTable
from jaxcause.series._time import workdays

BLOCK = 1 << 22
"""Values of the windows that are held at a time."""


class Split(NamedTuple):
    """First rows of the windows to train on, and of the later ones held out."""

    train: Int[np.ndarray, "train_windows"]
    held_out: Int[np.ndarray, "held_out_windows"]


def window_starts(
    complete: Bool[np.ndarray, "time"], segment: Int[np.ndarray, "time"], *, length: int
) -> Int[np.ndarray, "windows"]:
    """First rows of all windows of ``length`` complete rows of one segment.

    Args:
        complete: Whether a row has every value.
        segment: Which unbroken stretch of which series a row belongs to; rises along time.
        length: Rows per window.

    >>> window_starts(np.array([1, 1, 1, 0, 1, 1], bool), np.zeros(6, int), length=2).tolist()
    [0, 1, 4]
    """
    if len(complete) < length:
        return np.zeros(0, np.int64)
    missing = np.concatenate([[0], np.cumsum(~complete)])
    whole = missing[length:] == missing[:-length]
    unbroken = segment[: len(segment) - length + 1] == segment[length - 1 :]
    return np.flatnonzero(whole & unbroken)


def usable_windows(table: SeriesTable, max_lag: int, *, mask_missing: bool) -> np.ndarray:
    """First rows of the windows that cross no border and, unless masked, no missing value.

    The newest row of each is a target of the table.
    """
    usable = np.ones(len(table.values), bool) if mask_missing else table.complete
    starts = window_starts(usable, table.segment, length=max_lag + 1)
    if mask_missing:
        starts = starts[held_rows(table.values).some[starts + max_lag]]
    return starts if table.targets is None else starts[table.targets[starts + max_lag]]


def why_no_window(table: SeriesTable, length: int) -> str:
    """Why no window of ``length`` complete rows lies in an unbroken stretch, and what to do.

    Args:
        table: The series.
        length: Rows per window.
    """
    n_rows, complete = len(table.values), table.complete
    longest, n_stretches = _longest(table.segment), len(np.unique(table.segment))
    if longest < length:
        return (
            f"gaps in time leave no window of {length} rows: the {n_rows} rows are {n_stretches} "
            f"stretches of at most {longest} row{'s' * (longest != 1)}; give a smaller max_lag, "
            "average rows over a longer time by resample, or, if a lag may count rows, leave the "
            "column of the time out"
        )
    begins = np.diff(table.segment, prepend=table.segment[0]) != 0
    alone = _longest(np.cumsum(begins | ~complete)[complete])
    said = (
        f"series has no {length} complete rows in a row: {int(complete.sum())} of {n_rows} rows "
        f"are complete, at most {alone} in a row"
    )
    if table.times is not None and workdays(table.times.column[complete]) is not None:
        return f"{said}, since days of rest have no rows; leave resample out"
    worst = int(np.argmin([fact.n_known for fact in column_facts(table.values)]))
    return (
        f"{said}; fill missing values, leave out a column with many of them such as "
        f"{table.names[worst]!r}, or give a smaller max_lag"
    )


def _longest(labels: np.ndarray) -> int:
    """The longest run of equal labels."""
    ends = np.flatnonzero(np.diff(labels, prepend=-1, append=-2))
    return int(np.diff(ends).max()) if len(labels) else 0


def used_values(
    table: SeriesTable, starts: Int[np.ndarray, "windows"], length: int
) -> Float[AnyRows, "time vars"]:
    """The values to fit transforms to: if there is a mask of targets, those of the windows alone.

    Args:
        table: The series.
        starts: First rows of the windows.
        length: Rows per window.

    Returns:
        The values, NaN where they are left out.
    """
    values = table.values
    if table.targets is None:
        return values
    used = rows_of_windows(starts, length, len(values))
    if not isinstance(values, StoredRows):
        return np.where(used[:, None], values, np.nan)
    return StoredRows(values.shape, lambda a, b: np.where(used[a:b, None], values[a:b], np.nan))


def rows_of_windows(
    starts: Int[np.ndarray, "windows"], length: int, n_rows: int
) -> Bool[np.ndarray, "time"]:
    """Which rows lie in any of the windows.

    >>> rows_of_windows(np.array([0, 3]), 2, 6).tolist()
    [True, True, False, True, True, False]
    """
    used = np.zeros(n_rows, bool)
    for k in range(length):
        used[starts + k] = True
    return used


def blocks_of_windows(
    values: Float[AnyRows, "time vars"], starts: Int[np.ndarray, "windows"], length: int
) -> Iterator[Float[np.ndarray, "windows time vars"]]:
    """All windows in order, block by block."""
    per_block = max(1, BLOCK // (length * max(1, values.shape[1])))
    for first in range(0, len(starts), per_block):
        yield values[starts[first : first + per_block, None] + np.arange(length)]


def split_by_time(starts: Int[np.ndarray, "windows"], *, length: int, held_out: float) -> Split:
    """Hold out the later part: no held-out row is in any window that is trained on.

    Args:
        starts: First rows of all windows, ascending.
        length: Rows per window.
        held_out: Share of the windows to hold out.

    Raises:
        InputError: Too few windows are left on either side.
    """
    boundary = starts[int(len(starts) * (1 - held_out))] if len(starts) else 0
    split = Split(train=starts[starts + length <= boundary], held_out=starts[starts >= boundary])
    n_train, n_held_out = len(split.train), len(split.held_out)
    if min(n_train, n_held_out) < 2:
        share = "smaller" if n_train < n_held_out else "larger"
        raise InputError(
            f"held_out={held_out:g} of {len(starts)} complete windows of {length} rows leaves "
            f"{n_train} to train on and {n_held_out} to hold out, but both need 2; give a {share} "
            "held_out, a longer series or a smaller max_lag"
        )
    return split


def unrolled(
    values: Any, n_vars: int, n_slices: int, segment: Any, targets: Any = None
) -> Float[np.ndarray, "windows nodes"]:
    """All windows of complete rows: column ``lag * vars + var``, lag 0 first.

    Args:
        values: ``[time, vars]``.
        n_vars: Number of variables that it must have.
        n_slices: Time steps of a window.
        segment: Which unbroken stretch each row belongs to; one for all if None.
        targets: Which rows may be the newest of a window; all if None.

    Raises:
        InputError: A shape does not fit.
    """
    rows = np.asarray(values, np.float64)
    if rows.ndim != 2 or rows.shape[1] != n_vars:
        raise InputError(f"values has shape {rows.shape}, but must be [time, {n_vars}]")
    stretch = np.zeros(len(rows), np.int64) if segment is None else np.asarray(segment)
    if stretch.shape != (len(rows),):
        raise InputError(f"segment has shape {stretch.shape}, but must be ({len(rows)},)")
    complete = np.asarray(np.isfinite(rows).all(axis=1))
    starts = window_starts(complete, stretch, length=n_slices)
    if targets is not None:
        if np.shape(targets) != (len(rows),):
            raise InputError(f"targets has shape {np.shape(targets)}, but must be ({len(rows)},)")
        check_mask("targets", targets, len(rows), "row that may be predicted")
        starts = starts[np.asarray(targets, bool)[starts + n_slices - 1]]
    return np.concatenate([rows[starts + n_slices - 1 - lag] for lag in range(n_slices)], axis=1)
