"""Times as seconds, and the unbroken stretches of a series."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped

from jaxcause.series._reading.order import GAP as GAP

_WEEK = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_FEWEST_DAYS, _MOST_REST = 10, 2
_LONGEST_HOLIDAY, _MOST_HOLIDAYS = 2, 0.06


class Workdays(NamedTuple):
    """A daily series that leaves out certain days of every week.

    Args:
        number: Of each row: days after the first row, without days of rest and holidays.
        rest: Names of the days that are left out.
        n_holidays: Single days, or two in a row, that are left out as well.
    """

    number: Int[np.ndarray, "time"]
    rest: tuple[str, ...]
    n_holidays: int


def seconds(column: Shaped[np.ndarray, "time"]) -> Float[np.ndarray, "time"]:
    """Dates since 1970, or durations, in seconds; numbers as they are.

    >>> seconds(np.array(["1970-01-02"], "M8[D]")).tolist()
    [86400.0]
    """
    if column.dtype.kind not in "mM":
        return column.astype(np.float64)
    # Nanoseconds span 584 years only, so dates keep their own unit.
    unit, count = np.datetime_data(column.dtype)
    if unit in "YMWD" or unit == "generic":
        column, unit, count = column.astype(f"{column.dtype.kind}8[s]"), "s", 1
    per_second = {"h": 1 / 3600, "m": 1 / 60, "s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}
    if unit not in per_second:
        return column.astype(f"{column.dtype.kind}8[ns]").astype(np.int64) / 1e9
    counted = column.astype(np.int64) * (count / per_second[unit])
    return np.where(np.isnat(column), np.nan, counted)


def stretches(
    times: Shaped[np.ndarray, "time"],
) -> tuple[Int[np.ndarray, "time"], tuple[str, ...]]:
    """Number of the unbroken stretch of each row, and notes on gaps and days of rest.

    >>> days = np.arange("2024-01-01", "2024-02-01", dtype="M8[D]")
    >>> segment, notes = stretches(days[np.is_busday(days)])
    >>> segment.max(), len(notes)
    (np.int64(0), 1)
    """
    days = workdays(times)
    segment = segments(seconds(times) if days is None else days.number.astype(np.float64))
    n_gaps = int(segment[-1] - segment[0]) if len(segment) else 0
    notes = () if days is None else (_note_on_rest(days),)
    if n_gaps:
        plural = "s" * (n_gaps != 1)
        notes = (*notes, f"Time has {n_gaps} gap{plural}; no window crosses one.")
    return segment, notes


def segments(time: Float[np.ndarray, "time"]) -> Int[np.ndarray, "time"]:
    """Number of the unbroken stretch of each row."""
    steps = np.diff(time)
    ahead = steps[steps > 0]
    if not ahead.size:
        return np.zeros(len(time), np.int64)
    return np.concatenate([[0], np.cumsum(steps > GAP * np.median(ahead))])


def workdays(times: Shaped[np.ndarray, "time"]) -> Workdays | None:
    """The days of a series with at most a row a day and none on one or two days of every week.

    >>> days = np.array(["2024-01-05", "2024-01-08"], "M8[D]") + np.arange(0, 28, 7)[:, None]
    >>> print(workdays(days.ravel()))
    None
    """
    if times.dtype.kind != "M" or len(times) < _FEWEST_DAYS or np.isnat(times).any():
        return None
    days = times.astype("datetime64[D]")
    steps = np.diff(days).astype(np.int64)
    # Day 0, the first of January of 1970, was a Thursday.
    present = np.bincount((days.astype(np.int64) + 3) % 7, minlength=7) > 0
    every = 7 - _MOST_REST <= present.sum() < 7
    if not every or (steps <= 0).any() or np.median(steps) != 1:
        return None
    if (days[-1] - days[0]).astype(np.int64) < 14:
        return None
    number = np.busday_count(days[0], days, weekmask=present.tolist()).astype(np.int64)
    missing = np.diff(number) - 1
    single = (missing > 0) & (missing <= _LONGEST_HOLIDAY)
    n_holidays = int(missing[single].sum())
    if n_holidays > _MOST_HOLIDAYS * (len(days) + n_holidays):
        single[:], n_holidays = False, 0
    number[1:] -= np.cumsum(np.where(single, missing, 0))
    rest = tuple(name for name, have in zip(_WEEK, present, strict=True) if not have)
    return Workdays(number, rest, n_holidays)


def _note_on_rest(days: Workdays) -> str:
    weekend = days.rest == _WEEK[5:]
    which = "weekends" if weekend else " and ".join(f"{day}s" for day in days.rest)
    also = ""
    if days.n_holidays:
        one = days.n_holidays == 1
        also = (
            f" {days.n_holidays} further day{'s' * (not one)} without a row "
            f"{'was' if one else 'were'} taken for {'a holiday' if one else 'holidays'}; if rows "
            "are missing there, put in empty ones."
        )
    counted = "business days" if weekend else "days with a row"
    return f"{which[:1].upper()}{which[1:]} are left out: a lag counts {counted}.{also}"
