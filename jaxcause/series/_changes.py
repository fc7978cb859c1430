"""Changes from row to row, as a stage before a transform, and the way back to levels."""

import numpy as np
from jaxtyping import Bool, Float

from jaxcause._checks import InputError
from jaxcause._stored import StoredRows
from jaxcause.series._table import SeriesTable
from jaxcause.series._transforms import Transform, can_log, fit_transform

CHANGES = {"difference": "standardise", "log_difference": "log"}
"""Transforms of changes, each with the transform of the levels that change."""


def fit_level(table: SeriesTable, transform: str) -> Transform | None:
    """What changes are of, for a transform among `CHANGES`; None for one of the values themselves.

    Args:
        table: The series.
        transform: ``"difference"`` of the values, ``"log_difference"`` of their logarithms, or any
            other.

    Raises:
        InputError: A logarithm is asked of negative values.
    """
    if transform not in CHANGES:
        return None
    if transform == "log_difference" and not can_log(table.values):
        raise InputError(
            "transform='log_difference' needs non-negative values; use 'difference' or 'copula'"
        )
    level = fit_transform(table.values, kind=CHANGES[transform])
    return level._replace(mean=np.zeros_like(level.mean), scale=np.ones_like(level.scale))


def changes(table: SeriesTable, level: Transform | None) -> SeriesTable:
    """The changes of a series from row to row, as a series with the same rows.

    The first row of each unbroken stretch has no change. Its values are missing, and it is a
    stretch of its own, so that no window holds it.

    Args:
        table: The series.
        level: What changes are of; the series is returned as it is if None.

    >>> from jaxcause.series import as_series_table
    >>> table = as_series_table(np.array([[1.0, 5.0], [2.0, 4.0], [4.0, 4.0]]))
    >>> moved = changes(table, fit_level(table, "difference"))
    >>> moved.values.tolist(), moved.segment.tolist()
    ([[nan, nan], [1.0, -1.0], [2.0, 0.0]], [0, 1, 1])
    """
    if level is None:
        return table
    first = np.diff(table.segment, prepend=table.segment[0] - 1) != 0
    levels = level(table.values)
    if isinstance(levels, StoredRows):
        moved = _stored_changes(levels, first)
    else:
        moved = np.diff(levels, axis=0, prepend=levels[:1])
        moved[first] = np.nan
    return table._replace(values=moved, segment=2 * table.segment + ~first)


def _stored_changes(levels: StoredRows, first: Bool[np.ndarray, "time"]) -> StoredRows:
    """The changes of rows that stay on disk, made as they are read."""

    def read(begin: int, end: int) -> Float[np.ndarray, "rows vars"]:
        rows = levels[max(begin - 1, 0) : end]
        moved = np.diff(rows, axis=0) if begin else np.diff(rows, axis=0, prepend=rows[:1])
        moved[first[begin:end]] = np.nan
        return moved

    return StoredRows(levels.shape, read)


def after_change(
    level: Transform | None,
    change: Float[np.ndarray, "rows vars"],
    last: Float[np.ndarray, "rows vars"],
) -> Float[np.ndarray, "rows vars"]:
    """Values in the units of the data after a change from the row before.

    Args:
        level: What changes are of; the change is taken for the values themselves if None.
        change: The changes.
        last: The rows before, in the units of the data.

    >>> from jaxcause.series import as_series_table
    >>> table = as_series_table(np.array([[1.0, 5.0], [2.0, 4.0], [4.0, 3.0]]))
    >>> level = fit_level(table, "log_difference")
    >>> moved = changes(table, level).values[2:]
    >>> after_change(level, moved, table.values[1:2]).round(9).tolist()
    [[4.0, 3.0]]
    """
    return change if level is None else level.inverse(level(last) + change)
