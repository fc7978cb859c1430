"""Times that are spread over several columns: year, month and day, or date and hour."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Shaped

from jaxcause.series._reading.coded import from_parts
from jaxcause.series._reading.dates import read_clock
from jaxcause.series._reading.words import CLOCK_NAMES, PARTS

_DAY = np.timedelta64(1, "D").astype("timedelta64[us]")


def dates_in_parts(
    columns: Mapping[str, np.ndarray],
) -> tuple[tuple[str, ...], Shaped[np.ndarray, "time"]] | None:
    """The columns that hold year, month, day and so on, and the dates that they make.

    >>> columns = {"Year": np.array([2020, 2020]), "month": np.array([1, 2]), "x": np.zeros(2)}
    >>> names, times = dates_in_parts(columns)
    >>> names, times.astype("M8[D]").astype(str).tolist()
    (('Year', 'month'), ['2020-01-01', '2020-02-01'])
    """
    by_part: dict[str, str] = {}
    for name in columns:
        part = PARTS.get(name.strip().lower())
        if part is not None and part not in by_part and _whole(columns[name]) is not None:
            by_part[part] = name
    if "year" not in by_part:
        return None
    if "month" in by_part:
        chain = ("year", "month", "day", "hour", "minute", "second")
    elif "quarter" in by_part:
        chain = ("year", "quarter")
    elif "day of year" in by_part or "day" in by_part:
        by_part.setdefault("day of year", by_part.get("day", ""))
        chain = ("year", "day of year", "hour", "minute", "second")
    else:
        return None
    used = []
    for part in chain:
        if part not in by_part:
            break
        used.append(by_part[part])
    values = [_whole(columns[name]) for name in used]
    whole = [value for value in values if value is not None]
    make = _of_quarter if "quarter" in chain else _of_day_of_year
    times = from_parts(*whole) if "month" in by_part else make(*whole)
    return None if times is None else (tuple(used), times)


def _of_quarter(year: np.ndarray, quarter: np.ndarray) -> np.ndarray | None:
    if ((quarter < 1) | (quarter > 4)).any():
        return None
    return from_parts(year, 3 * quarter - 2)


def _of_day_of_year(year: np.ndarray, day: np.ndarray, *clock: np.ndarray) -> np.ndarray | None:
    if ((day < 1) | (day > 366)).any():
        return None
    first = from_parts(year, np.ones_like(year), np.ones_like(year), *clock)
    return None if first is None else first + (day - 1) * _DAY


def with_clock(
    date: str, times: Shaped[np.ndarray, "time"], columns: Mapping[str, np.ndarray]
) -> tuple[str, Shaped[np.ndarray, "time"]] | None:
    """The column of the time of day, and whole times, where dates alone repeat."""
    if times.dtype.kind != "M" or np.isnat(times).all():
        return None
    known = ~np.isnat(times)
    days = times.astype("datetime64[us]")
    midnight = days[known].astype("datetime64[D]").astype("datetime64[us]") == days[known]
    if not midnight.all() or len(np.unique(days[known])) == known.sum():
        return None
    for name, column in columns.items():
        if name == date or name.strip().lower() not in CLOCK_NAMES:
            continue
        clock = _clock(column, known)
        if clock is not None:
            return name, days + clock.astype("timedelta64[us]")
    return None


def _clock(column: np.ndarray, known: np.ndarray) -> np.ndarray | None:
    """Microseconds since midnight, of text such as 13:00, or of hours from 0 to 24."""
    if column.dtype == object:
        found = read_clock(column[known].tolist())
        if found is not None:
            clock = np.zeros(len(column), np.int64)
            clock[known] = found
            return clock
    hours = _whole(column)
    if hours is None or (hours < 0).any():
        return None
    if hours.max() > 24 and (hours % 100 < 60).all() and hours.max() <= 2400:
        return (hours // 100 * 60 + hours % 100) * 60_000_000
    return hours * 3_600_000_000 if hours.max() <= 24 else None


def _whole(column: np.ndarray) -> np.ndarray | None:
    """A column as whole numbers, if it is one."""
    if column.dtype.kind in "iu":
        return column.astype(np.int64)
    if column.dtype == object:
        try:
            column = column.astype(np.float64)
        except (TypeError, ValueError):
            return None
    if column.dtype.kind != "f" or not np.isfinite(column).all() or not len(column):
        return None
    return column.astype(np.int64) if (column == np.round(column)).all() else None
