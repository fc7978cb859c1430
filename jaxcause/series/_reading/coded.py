"""Dates written as numbers: YYYYMMDD and the like, serial numbers of Excel, seconds since 1970."""

import numpy as np
from jaxtyping import Float, Shaped

from jaxcause.series._reading.words import DATE_NAMES

_SERIAL = (20_000, 80_000)
_EPOCH = {"seconds": 1e6, "milliseconds": 1e3, "microseconds": 1.0}
_SECONDS = (3e8, 4e9)
_FEWEST_MONTHS = 24
"""Months from which on numbers YYYYMM need no name of a time."""


def coded_dates(
    name: str, column: Float[np.ndarray, "time"], *, is_time: bool
) -> tuple[Shaped[np.ndarray, "time"], str] | None:
    """Dates, and how they were written, if all numbers of a column are dates in one code.

    Args:
        name: Of the column.
        column: Numbers.
        is_time: Whether the column is known to be the time, so that codes that look like other
            numbers count, too.

    >>> times, form = coded_dates("day", np.array([20200131.0, 20200201.0]), is_time=False)
    >>> times.astype("M8[D]").tolist(), form
    ([datetime.date(2020, 1, 31), datetime.date(2020, 2, 1)], 'YYYYMMDD')
    """
    if len(column) < 2 or not np.isfinite(column).all() or (column <= 0).any():
        return None
    called = name.strip().lower() in DATE_NAMES
    if (column == np.round(column)).all() and column.max() < 1e15:
        found = _in_digits(column.astype(np.int64), is_time=is_time)
        if found is not None:
            return found
    if not (is_time and called):
        return None
    low, high = column.min(), column.max()
    exact = name.strip().lower() not in ("time", "zeit") or (column != np.round(column)).any()
    if exact and low >= _SERIAL[0] and high <= _SERIAL[1]:
        # Fractions of a day are rounded, so that steps are even.
        milliseconds = np.round(column * 86_400_000).astype("timedelta64[ms]")
        origin = np.datetime64("1899-12-30", "us")
        return origin + milliseconds, "days since 1899-12-30, as spreadsheets count"
    for unit, factor in _EPOCH.items():
        if low * factor >= 1e6 * _SECONDS[0] and high * factor <= 1e6 * _SECONDS[1]:
            times = np.round(column * factor).astype(np.int64).astype("datetime64[us]")
            return times, f"{unit} since 1970"
    return None


def _in_digits(
    column: np.ndarray, *, is_time: bool
) -> tuple[Shaped[np.ndarray, "time"], str] | None:
    """Dates whose digits are year, month and so on."""
    digits = len(str(column.max()))
    if len(str(column.min())) != digits or digits not in (6, 8, 10, 12, 14):
        return None
    steps = np.diff(column)
    in_order = (steps >= 0).all() or (steps <= 0).all() or len(np.unique(column)) == len(column)
    if not is_time and (not in_order or (digits == 6 and not _are_months_in_turn(column))):
        return None
    rest, parts = column, []
    for _ in range((digits - 4) // 2):
        rest, part = np.divmod(rest, 100)
        parts.append(part)
    times = from_parts(rest, *parts[::-1])
    return None if times is None else (times, "YYYYMMDDHHMMSS"[:digits])


def _are_months_in_turn(column: np.ndarray) -> bool:
    """Whether numbers YYYYMM, in any order, are so many months one after another."""
    year, month = np.divmod(column, 100)
    if len(column) < _FEWEST_MONTHS or (month < 1).any() or (month > 12).any():
        return False
    return bool((np.diff(np.sort(12 * year + month)) == 1).all())


def from_parts(
    year: np.ndarray,
    month: np.ndarray,
    day: np.ndarray | int = 1,
    hour: np.ndarray | int = 0,
    minute: np.ndarray | int = 0,
    second: np.ndarray | int = 0,
) -> Shaped[np.ndarray, "time"] | None:
    """Dates of whole numbers; None if one is no date. An hour 24 is the next midnight.

    >>> print(from_parts(np.array([2020]), np.array([2]), np.array([30])))
    None
    """
    if ((year < 1000) | (year > 2500) | (month < 1) | (month > 12)).any():
        return None
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + (np.asarray(day) - 1).astype("timedelta64[D]")
    same = days.astype("datetime64[M]") == months
    within = (np.asarray(hour) <= 24) & (np.asarray(minute) < 60) & (np.asarray(second) < 61)
    if not (same & (np.asarray(day) >= 1) & within & (np.asarray(hour) >= 0)).all():
        return None
    clock = (np.asarray(hour) * 60 + minute) * 60 + second
    return days.astype("datetime64[us]") + clock.astype("timedelta64[s]")
