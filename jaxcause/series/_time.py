"""Which column is the time, and where it has gaps."""

import datetime
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from jaxcause._checks import InputError

TIME_NAMES = frozenset(
    ("", "date", "datetime", "datum", "index", "t", "time", "timestamp", "unnamed: 0", "zeit")
)
"""Names under which a rising numeric column is taken for the time."""

GAP = 1.5
"""A step longer than this many median steps is a gap."""


def find_time(columns: dict[str, np.ndarray]) -> str | None:
    """The first column of dates or rising durations, or a first one named so that rises."""
    for name, column in columns.items():
        if np.issubdtype(column.dtype, np.datetime64) or is_dates(column):
            return name
        if column.dtype.kind == "m" and (np.diff(column) > np.timedelta64(0)).all():
            return name
    first = next(iter(columns), None)
    if first is None or first.strip().lower() not in TIME_NAMES or columns[first].dtype == object:
        return None
    try:
        rises = (np.diff(columns[first].astype(np.float64)) > 0).all()
    except ValueError:
        return None
    return first if rises else None


def is_dates(column: np.ndarray) -> bool:
    """Whether every cell is a date."""
    if column.dtype != object and column.dtype.kind != "U":
        return False
    return len(column) > 0 and all(_parse_date(cell) is not None for cell in column)


def seconds(name: str, column: np.ndarray) -> Float[np.ndarray, "time"]:
    """The time column as numbers that never fall."""
    if column.dtype.kind in "mM":
        time = column.astype(f"{column.dtype.kind}8[ns]").astype(np.int64) / 1e9
        time = np.where(np.isnat(column), np.nan, time)
    elif is_dates(column):
        time = np.array([_parse_date(cell) for cell in column], np.float64)
    else:
        time = numbers(name, column)
    back = np.flatnonzero(~(np.diff(time) >= 0))
    if back.size:
        raise InputError(
            f"time column {name!r} runs backwards or is empty at row {back[0] + 2}; sort the rows, "
            "and give several series as several inputs"
        )
    return time


def as_times(column: np.ndarray, time: Float[np.ndarray, "time"]) -> Shaped[np.ndarray, "time"]:
    """A time column as dates or durations of numpy (dates in UTC), or as numbers.

    Args:
        column: The column as it was given.
        time: Its `seconds`.
    """
    if column.dtype.kind in "mM":
        return column
    return (time * 1e9).astype("datetime64[ns]") if is_dates(column) else time


def segments(time: np.ndarray) -> Int[np.ndarray, "time"]:
    """Number of the unbroken stretch of each row."""
    steps = np.diff(time)
    if steps.size == 0:
        return np.zeros(len(time), np.int64)
    return np.concatenate([[0], np.cumsum(steps > GAP * np.median(steps))])


def numbers(name: str, column: np.ndarray) -> Float[np.ndarray, "time"]:
    """A column as float64; empty cells are NaN."""
    if column.dtype.kind == "c":
        raise InputError(f"column {name!r} holds complex numbers; pass real ones, such as np.abs")
    try:
        return column.astype(np.float64)
    except (TypeError, ValueError):
        for row, cell in enumerate(column.tolist()):
            if not is_number(cell):
                raise InputError(
                    f"column {name!r} holds text in row {row + 1}: {str(cell)[:40]!r}; "
                    "leave the column out or turn it into numbers"
                ) from None
        raise


def is_text(column: np.ndarray) -> bool:
    """Whether there are remarks in a column and no number, not even with a decimal comma."""
    if column.dtype != object and column.dtype.kind != "U":
        return False
    cells = [cell for cell in column.tolist() if not _is_nan(cell)]
    return bool(cells) and all(
        isinstance(cell, str) and not is_number(cell.replace(",", ".")) for cell in cells
    )


def _is_nan(cell: Any) -> bool:
    return cell == "nan" if isinstance(cell, str) else isinstance(cell, float) and cell != cell


def is_number(cell: Any) -> bool:
    """Whether ``float`` takes it."""
    try:
        float(cell)
    except (TypeError, ValueError):
        return False
    return True


def _parse_date(cell: Any) -> float | None:
    """Seconds since 1970 of an ISO date or a date object, or None."""
    if isinstance(cell, datetime.date) and not isinstance(cell, datetime.datetime):
        cell = datetime.datetime(cell.year, cell.month, cell.day)
    if isinstance(cell, str) and len(cell.strip()) >= 8:
        try:
            cell = datetime.datetime.fromisoformat(cell.strip())
        except ValueError:
            return None
    if not isinstance(cell, datetime.datetime):
        return None
    return (cell if cell.tzinfo else cell.replace(tzinfo=datetime.UTC)).timestamp()
