"""Stretches of a series for training: values, what is observed, regimes, and what is predicted."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Int


class SeriesRows(NamedTuple):
    """A batch of stretches, each of ``max_lag`` rows followed by the rows that they predict.

    Args:
        values: The values; a missing one is replaced by any finite number.
        observed: Which values are observed.
        domain: Regime of each row.
        weight: Weight of the error in predicting a value. It is 0 where the value is missing, where
            its history crosses a gap, and in rows that are not used for training.
    """

    values: Float[Array, "*batch time vars"]
    observed: Bool[Array, "*batch time vars"]
    domain: Int[Array, "*batch time"]
    weight: Float[Array, "*batch time vars"]


def rows_of(
    values: Float[np.ndarray, "time vars"],
    starts: Int[np.ndarray, "windows"],
    *,
    length: int,
    stretch: int,
    domain: Int[np.ndarray, "time"] | None = None,
) -> SeriesRows:
    """Turn a series into `SeriesRows` in which the newest row of every given window is predicted.

    Rows are added at the end, so that ``stretch`` rows follow the history of every window.

    Args:
        values: The series; NaN where a value is missing.
        starts: First rows of the windows whose newest row is to be predicted.
        length: Rows per window.
        stretch: Largest number of rows predicted in one stretch.
        domain: Regime of each row; 0 by default.

    >>> rows_of(np.ones((4, 1)), np.array([0, 1]), length=3, stretch=1).weight[:, 0].tolist()
    [0.0, 0.0, 1.0, 1.0]
    """
    observed = ~np.isnan(values)
    predicted = np.zeros(len(values), bool)
    predicted[starts + length - 1] = True
    regime = np.zeros(len(values), np.int32) if domain is None else domain
    behind = stretch - 1
    return SeriesRows(
        jnp.asarray(np.pad(np.nan_to_num(values), [(0, behind), (0, 0)]), jnp.float32),
        jnp.asarray(np.pad(observed, [(0, behind), (0, 0)])),
        jnp.asarray(np.pad(regime, (0, behind)), jnp.int32),
        jnp.asarray(np.pad(observed & predicted[:, None], [(0, behind), (0, 0)]), jnp.float32),
    )


def gather(rows: SeriesRows, starts: Int[Array, "batch"], length: int) -> SeriesRows:
    """The stretches of ``length`` rows that begin at ``starts``."""
    at = starts[:, None] + jnp.arange(length, dtype=starts.dtype)[None, :]
    return SeriesRows(*(field[at] for field in rows))
