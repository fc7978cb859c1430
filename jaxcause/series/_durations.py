"""Durations: what people write, and how they read."""

import datetime
import re
from typing import Any

import numpy as np

from jaxcause._checks import InputError

_UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_NAMES = {"week": 604_800.0, "day": 86_400.0, "hour": 3600.0, "minute": 60.0, "second": 1.0}
_WRITTEN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(s|min|h|d|w)\s*", re.IGNORECASE)


def as_seconds(name: str, duration: Any) -> float:
    """A duration in seconds.

    Args:
        name: The argument that holds it, for errors.
        duration: Text such as ``"3h"`` (``s``, ``min``, ``h``, ``d``, ``w``), or a timedelta.

    Raises:
        InputError: It is no duration, or not longer than 0.

    >>> as_seconds("resample", "1.5h"), as_seconds("resample", datetime.timedelta(minutes=15))
    (5400.0, 900.0)
    """
    found = None
    if isinstance(duration, np.timedelta64) and np.datetime_data(duration)[0] not in "YM":
        found = float(duration / np.timedelta64(1, "ns")) / 1e9
    elif isinstance(duration, datetime.timedelta):
        found = duration.total_seconds()
    elif isinstance(duration, str) and (match := _WRITTEN.fullmatch(duration)):
        found = float(match[1]) * _UNITS[match[2].lower()]
    if found is None or not found > 0:
        raise InputError(
            f"{name}={duration!r} must be a number of rows such as 12, a duration such as '3h' "
            "(units s, min, h, d, w), or 'auto'"
        )
    return found


def in_words(seconds: float) -> str:
    """A duration in the largest unit that leaves a short number.

    >>> in_words(10_800), in_words(86_400), in_words(5400), in_words(0.25)
    ('3 hours', '1 day', '90 minutes', '0.25 seconds')
    """
    for name, unit in _NAMES.items():
        count = seconds / unit
        if count >= 1 and abs(count - round(count)) < 1e-6 * count and name != "week":
            return _counted(round(count), name)
    name, unit = next(((n, u) for n, u in _NAMES.items() if seconds >= u), ("second", 1.0))
    return _counted(float(f"{seconds / unit:.3g}"), name)


def _counted(count: float, name: str) -> str:
    return f"{count:g} {name}{'s' * (count != 1)}"
