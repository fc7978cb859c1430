"""Local times whose clocks change: an hour occurs twice in autumn and is missing in spring."""

import datetime
import zoneinfo
from typing import NamedTuple

import numpy as np
from jaxtyping import Shaped

from jaxcause.series._reading.order import faults

ZONES = (
    *("Europe/Berlin", "America/New_York", "Europe/London", "Europe/Helsinki", "Europe/Lisbon"),
    *("Australia/Sydney", "Pacific/Auckland", "America/Santiago"),
)
"""One zone for each rule by which clocks change."""

_HOUR = np.timedelta64(3600, "s").astype("timedelta64[us]")
_SINCE = np.datetime64("1916-01-01", "us")


class _Change(NamedTuple):
    """The first local time with another offset, an hour after a double begins, and by how much."""

    wall: np.datetime64
    by: np.timedelta64


def in_utc(times: Shaped[np.ndarray, "time"]) -> tuple[Shaped[np.ndarray, "time"], str] | None:
    """Times in UTC and the name of a zone, if its changes of clocks explain doubles or gaps.

    Times without doubles, steps back and gaps are taken as they are, and so are those that no
    zone makes more regular.

    >>> wall = np.array(["2023-10-29T01", "2023-10-29T02", "2023-10-29T02", "2023-10-29T03"])
    >>> moved, zone = in_utc(wall.astype("M8[us]"))
    >>> zone, set(np.diff(moved).tolist())
    ('Europe/Berlin', {datetime.timedelta(seconds=3600)})
    """
    if len(times) < 3 or np.isnat(times).any():
        return None
    times = times.astype("datetime64[us]")
    steps = np.diff(times)
    ahead = steps[steps > np.timedelta64(0)]
    before = _problems(times)
    if before == 0 or not ahead.size or np.median(ahead) > 6 * _HOUR:
        return None
    if not (_SINCE < times.min() and times.max() - times.min() < 100 * 366 * 24 * _HOUR):
        return None
    found: list[tuple[int, np.ndarray, str]] = []
    for zone in ZONES:
        moved = _moved(times, zone)
        if moved is not None:
            found.append((_problems(moved), moved, zone))
    best = min(found, key=lambda one: one[0], default=None)
    return (best[1], best[2]) if best is not None and best[0] < before else None


def _problems(times: np.ndarray) -> int:
    """How many steps do not lead ahead, or are gaps."""
    back, gaps, _ = faults(times)
    return back + gaps + int((np.diff(times) == np.timedelta64(0)).sum())


def _moved(times: np.ndarray, zone: str) -> np.ndarray | None:
    """Local times of a zone in UTC; None if one does not exist there, or no clock changes."""
    changes = _changes(zone, times.min(), times.max())
    if not changes:
        return None
    utc = times.copy()
    for wall, by in changes:
        if by > np.timedelta64(0):
            if ((times >= wall - by) & (times < wall)).any():
                return None
            utc[times >= wall] -= by
            continue
        utc[times >= wall] -= by
        # The hour before clocks go back occurs twice; a step back tells the second from the first.
        twice = np.flatnonzero((times >= wall + by) & (times < wall))
        again = np.flatnonzero(np.diff(times[twice]) <= np.timedelta64(0))
        if again.size:
            utc[twice[again[0] + 1 :]] -= by
    return utc - _offset(zone, times.min())


def _changes(zone: str, first: np.datetime64, last: np.datetime64) -> list[_Change]:
    """Changes of clocks between two local times."""
    try:
        info = zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, OSError):
        return []
    begin = first.astype("datetime64[h]").astype(datetime.datetime) - datetime.timedelta(days=1)
    end = last.astype(datetime.datetime) + datetime.timedelta(days=1)
    found, day = [], begin
    while day < end:
        after = day + datetime.timedelta(days=1)
        change = _utc_offset(info, after) - _utc_offset(info, day)
        if change:
            hours = (day + datetime.timedelta(hours=h) for h in range(1, 25))
            wall = next(h for h in hours if _utc_offset(info, h) != _utc_offset(info, day))
            found.append(_Change(np.datetime64(wall, "us"), np.timedelta64(change, "us")))
        day = after
    return [c for c in found if first <= c.wall + abs(c.by) and c.wall - abs(c.by) <= last]


def _utc_offset(info: zoneinfo.ZoneInfo, time: datetime.datetime) -> datetime.timedelta:
    return time.replace(tzinfo=info).utcoffset() or datetime.timedelta(0)


def _offset(zone: str, time: np.datetime64) -> np.timedelta64:
    local = time.astype(datetime.datetime)
    return np.timedelta64(_utc_offset(zoneinfo.ZoneInfo(zone), local), "us")
