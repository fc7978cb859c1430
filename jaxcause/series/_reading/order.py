"""Which reading of a time column is the likely one, by the order and steps of its rows."""

import datetime

import numpy as np
from jaxtyping import Shaped

from jaxcause.series._reading.dates import Dates

GAP = 1.5
"""A step longer than this many median steps is a gap."""

_CENTURY = np.timedelta64(36_525, "D").astype("timedelta64[us]")


def faults(times: Shaped[np.ndarray, "time"]) -> tuple[int, int, int]:
    """Steps back, gaps, and further lengths of steps; fewer of each are likelier.

    >>> days = np.array(["2020-01-01", "2020-01-02", "2020-01-03", "2020-01-06"], "M8[D]")
    >>> faults(days), faults(days[::-1])
    ((0, 1, 1), (3, 0, 1))
    """
    known = times[~np.isnat(times)].astype("datetime64[us]").astype(np.int64)
    steps = np.diff(known)
    ahead = steps[steps > 0]
    gaps = int((ahead > GAP * np.median(ahead)).sum()) if ahead.size else 0
    return int((steps < 0).sum()), gaps, max(0, len(np.unique(steps)) - 1)


def likeliest(name: str, dates: Dates) -> tuple[Dates, tuple[str, ...]]:
    """One of the readings of a column, and a note if another order of its parts fits as well."""
    several = [unwrapped(d) for d in (dates, *dates.others)]
    if len(several) == 1:
        return several[0], ()
    scores = [faults(d.times) for d in several]
    best = min(scores)
    fitting = [d for d, score in zip(several, scores, strict=True) if score == best]
    # Of equal readings, slashes are read as they are where most files of that kind come from.
    month_first = [d for d in fitting if d.form.startswith("%m/%d")]
    chosen = (month_first or fitting)[0]
    # A reading that runs backwards where this one does not is no rival.
    rivals = [
        d.form
        for d, score in zip(several, scores, strict=True)
        if d is not chosen and (score[0] <= best[0]) and (d.times != chosen.times).any()
    ]
    if not rivals:
        return chosen, ()
    return chosen, (
        f"The order of day and month in column {name!r} is ambiguous: it was read as "
        f"{chosen.form!r}, which leaves the fewest gaps; if it is {rivals[0]!r}, pass "
        f"time_format={rivals[0]!r}.",
    )


def unwrapped(dates: Dates) -> Dates:
    """Dates with years of two digits that do not fall by a century from 68 to 69."""
    if "%y" not in dates.form:
        return dates
    known = ~np.isnat(dates.times)
    times = dates.times[known]
    if times.size < 2:
        return dates
    half = _CENTURY / 2
    steps = np.diff(times)
    centuries = np.concatenate([[0], np.cumsum((steps < -half).astype(int) - (steps > half))])
    moved = dates.times.copy()
    moved[known] = [
        _moved(t, int(c - centuries[-1])) for t, c in zip(times, centuries, strict=True)
    ]
    return dates._replace(times=moved)


def _moved(time: np.datetime64, centuries: int) -> np.datetime64:
    if centuries == 0:
        return time
    date: datetime.datetime = time.astype(datetime.datetime)
    return np.datetime64(date.replace(year=date.year + 100 * centuries), "us")
