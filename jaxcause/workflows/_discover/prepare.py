"""What the gradient method trains on: a transformed series, its windows, its linear baseline."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jaxcause.series import (
    TRANSFORMS,
    SeriesTable,
    Split,
    Transform,
    can_log,
    fit_transform,
    split_by_time,
    usable_windows,
)
from jaxcause.stats import VarFit, VarMoments, var_moments

RIDGES = (1e-3, 1e-2, 1e-1, 0.3, 1.0, 3.0)
"""Penalties per sample to choose from for the linear autoregression."""
TRANSFORM_GAIN = 0.05
"""How much better, relatively, another transform must forecast than plain standardising."""


class Prepared(NamedTuple):
    """A transformed series, its windows, and the linear baseline on them.

    ``values`` holds NaN where a value is missing; ``domain`` is the regime of each row; ``linear``
    is fitted to the training windows, with the penalty ``ridge`` per sample; ``moments`` are those
    of all windows.
    """

    names: tuple[str, ...]
    transform: Transform
    values: Float[np.ndarray, "time vars"]
    domain: Int[np.ndarray, "time"] | None
    split: Split
    max_lag: int
    moments: VarMoments
    linear: VarFit
    ridge: float
    linear_error: float
    rank_error: float

    @property
    def filled(self) -> Float[np.ndarray, "time vars"]:
        """The values, with the mean where one is missing."""
        return np.nan_to_num(self.values)

    def linear_on_all(self, *, ridge: float = 0.0) -> VarFit:
        """A linear autoregression on all windows, held out or not: what it says, not predicts."""
        return self.moments.fit(ridge=ridge)


class WindowOptions(NamedTuple):
    """How windows are made: held-out share, regimes, and whether missing values are masked."""

    held_out: float
    domain: Int[np.ndarray, "time"] | None = None
    mask_missing: bool = False


def choose_transform(
    table: SeriesTable, max_lag: int, *, transform: str, options: WindowOptions
) -> tuple[Prepared, dict[str, float]]:
    """The transform under which the ridge autoregression forecasts best, and the errors of all.

    Errors under different transforms are compared in one unit: forecasts are taken back to the data
    and mapped, as the truth is, to normal quantiles of their ranks. Plain standardising stays
    unless another transform is better by 5 %.
    """
    kinds = [transform]
    if transform == "auto":
        kinds = [k for k in TRANSFORMS if k != "log" or can_log(table.values)]
    prepared = {
        kind: prepare(table, max_lag, fit_transform(table.values, kind=kind), options)
        for kind in kinds
    }
    best = min(prepared, key=lambda kind: prepared[kind].rank_error)
    plain = prepared.get("standardise", prepared[best])
    if prepared[best].rank_error > (1 - TRANSFORM_GAIN) * plain.rank_error:
        best = plain.transform.kind
    return prepared[best], {kind: data.rank_error for kind, data in prepared.items()}


def prepare(
    table: SeriesTable, max_lag: int, transform: Transform, options: WindowOptions
) -> Prepared:
    """Transformed values, windows, and the ridge autoregression with its held-out error.

    Masked values are at their mean for the linear model, and count in no error.
    """
    values = transform(table.values)
    length = max_lag + 1
    starts = usable_windows(table, max_lag, mask_missing=options.mask_missing)
    split = split_by_time(starts, length=length, held_out=options.held_out)
    filled = np.nan_to_num(values)
    windows = filled[split.held_out[:, None] + np.arange(length)]
    newest = values[split.held_out + max_lag]
    seen, unseen = (var_moments(filled, part, max_lag=max_lag) for part in split)
    fits = [seen.fit(ridge=ridge) for ridge in RIDGES]
    forecasts = [linear.predict(windows[:, :-1]) for linear in fits]
    errors = [float(np.nanmean((forecast - newest) ** 2)) for forecast in forecasts]
    best = int(np.argmin(errors))
    ranks = fit_transform(table.values, kind="copula")
    truth = ranks(table.values[split.held_out + max_lag])
    rank_error = float(np.nanmean((ranks(transform.inverse(forecasts[best])) - truth) ** 2))
    return Prepared(
        table.names,
        transform,
        values,
        options.domain,
        split,
        max_lag,
        seen + unseen,
        fits[best],
        RIDGES[best],
        errors[best],
        rank_error,
    )


class ReadWindows(NamedTuple):
    """Windows to read gradients on, missing values at their mean; the regime of each next row."""

    windows: Float[np.ndarray, "windows time vars"]
    domain: Int[np.ndarray, "windows"]


def spread_windows(data: Prepared, n_windows: int) -> ReadWindows:
    """At most ``n_windows`` windows, spread evenly over the series."""
    starts = np.concatenate(data.split)
    chosen = np.unique(np.linspace(0, len(starts) - 1, min(n_windows, len(starts))).astype(int))
    at = starts[chosen]
    windows = data.filled[at[:, None] + np.arange(data.max_lag)]
    domain = np.zeros(len(at), np.int32)
    if data.domain is not None:
        domain = data.domain[at + data.max_lag].astype(np.int32)
    return ReadWindows(windows.astype(np.float32), domain)
