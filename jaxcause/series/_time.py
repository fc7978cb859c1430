"""Times as seconds, and the unbroken stretches of a series."""

import numpy as np
from jaxtyping import Float, Int, Shaped

from jaxcause.series._reading.order import GAP as GAP


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


def segments(time: Float[np.ndarray, "time"]) -> Int[np.ndarray, "time"]:
    """Number of the unbroken stretch of each row."""
    steps = np.diff(time)
    ahead = steps[steps > 0]
    if not ahead.size:
        return np.zeros(len(time), np.int64)
    return np.concatenate([[0], np.cumsum(steps > GAP * np.median(ahead))])
