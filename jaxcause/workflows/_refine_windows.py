"""A series unrolled into its windows."""

from typing import Any

import numpy as np
from jaxtyping import Float

from jaxcause._checks import InputError
from jaxcause.training import window_starts


def unrolled(
    values: Any, n_vars: int, n_slices: int, segment: Any
) -> Float[np.ndarray, "windows nodes"]:
    """All windows of complete rows: column ``lag * vars + var``, lag 0 first.

    Args:
        values: ``[time, vars]``.
        n_vars: Number of variables that it must have.
        n_slices: Time steps of a window.
        segment: Which unbroken stretch each row belongs to; one for all if None.

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
    return np.concatenate([rows[starts + n_slices - 1 - lag] for lag in range(n_slices)], axis=1)
