"""Stretches of a series for training: values, what is observed, regimes, and what is predicted."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Int

from jaxcause._typing import AnyArray

BLOCK = 512
"""The rows of a series are filled up to a multiple of it, so that series of about the same length
share a compiled program."""


class SeriesRows(NamedTuple):
    """A series, or a batch of stretches of ``max_lag`` rows followed by the rows they predict.

    Args:
        values: The values; a missing one is replaced by any finite number.
        observed: Which values are observed.
        domain: Regime of each row.
        weight: Weight of the error in predicting a value. It is 0 where the value is missing, where
            its history crosses a gap, and in rows that are not used. A whole series has weights for
            learning and for the held-out error, ``[time, use, vars]``.
    """

    values: Float[AnyArray, "*batch time vars"]
    observed: Bool[AnyArray, "*batch time vars"]
    domain: Int[AnyArray, "*batch time"]
    weight: Float[AnyArray, "*batch time _ vars"]


def rows_of(
    values: Float[np.ndarray, "time vars"],
    train: Int[np.ndarray, "windows"],
    held_out: Int[np.ndarray, "others"],
    *,
    length: int,
    stretch: int,
    domain: Int[np.ndarray, "time"] | None = None,
) -> SeriesRows:
    """Turn a series into `SeriesRows` in which the newest row of every given window is predicted.

    Rows without weight are added at the end: at least as many as a stretch has that begins there.

    Args:
        values: The series; NaN where a value is missing.
        train: First rows of the windows whose newest row is learned.
        held_out: First rows of the windows whose newest row is judged.
        length: Rows per window.
        stretch: Largest number of rows predicted in one stretch.
        domain: Regime of each row; 0 by default.

    >>> rows = rows_of(np.ones((4, 1)), np.array([0]), np.array([1]), length=3, stretch=1)
    >>> rows.weight[:4, :, 0].tolist()
    [[0.0, 0.0], [0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
    """
    observed = ~np.isnan(values)
    predicted = np.zeros((len(values), 2, 1), bool)
    for use, starts in enumerate((train, held_out)):
        predicted[starts + length - 1, use] = True
    regime = np.zeros(len(values), np.int32) if domain is None else domain

    behind = length - 1 + stretch
    behind += -(len(values) + behind) % BLOCK

    def padded(field: np.ndarray, dtype: type) -> np.ndarray:
        behind_rows = [(0, behind)] + [(0, 0)] * (field.ndim - 1)
        return np.pad(field, behind_rows).astype(dtype)

    return SeriesRows(
        padded(np.nan_to_num(values), np.float32),
        padded(observed, bool),
        padded(regime, np.int32),
        padded(observed[:, None] & predicted, np.float32),
    )


def stretches_over(
    starts: Int[np.ndarray, "windows"], *, stretch: int
) -> Int[np.ndarray, "stretches"]:
    """First rows of the fewest stretches that predict the newest rows of all windows.

    >>> stretches_over(np.array([0, 1, 2, 3, 9]), stretch=3).tolist()
    [0, 3, 9]
    """
    if stretch == 1:
        return starts
    found, at = [], 0
    while at < len(starts):
        found.append(starts[at])
        at = int(np.searchsorted(starts, starts[at] + stretch))
    return np.array(found, starts.dtype)


def gather(rows: SeriesRows, starts: Int[Array, "batch"], length: int) -> SeriesRows:
    """The stretches of ``length`` rows that begin at ``starts``."""
    at = starts[:, None] + jnp.arange(length, dtype=starts.dtype)[None, :]
    return SeriesRows(*(jnp.asarray(field)[at] for field in rows))
