"""What the gradient method trains on: a transformed series, its windows, its linear baseline."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxcause.io import SeriesTable
from jaxcause.stats import VarFit, fit_var
from jaxcause.training import (
    TRANSFORMS,
    Split,
    Transform,
    can_log,
    fit_transform,
    split_by_time,
    window_starts,
)

RIDGES = (1e-3, 1e-2, 1e-1)
"""Penalties per sample to choose from for the linear autoregression."""
TRANSFORM_GAIN = 0.05
"""How much better, relatively, another transform must forecast than plain standardising."""


class Prepared(NamedTuple):
    """A transformed series, its windows, and the linear baseline on them."""

    transform: Transform
    values: Float[np.ndarray, "time vars"]
    split: Split
    max_lag: int
    linear: VarFit
    linear_error: float
    rank_error: float


def choose_transform(
    table: SeriesTable, max_lag: int, *, transform: str, held_out: float
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
        kind: prepare(table, max_lag, fit_transform(table.values, kind=kind), held_out)
        for kind in kinds
    }
    best = min(prepared, key=lambda kind: prepared[kind].rank_error)
    plain = prepared.get("standardise", prepared[best])
    if prepared[best].rank_error > (1 - TRANSFORM_GAIN) * plain.rank_error:
        best = plain.transform.kind
    return prepared[best], {kind: data.rank_error for kind, data in prepared.items()}


def prepare(table: SeriesTable, max_lag: int, transform: Transform, held_out: float) -> Prepared:
    """Transformed values, windows, and the ridge autoregression with its held-out error."""
    values = transform(table.values)
    length = max_lag + 1
    starts = window_starts(table.complete, table.segment, length=length)
    split = split_by_time(starts, length=length, held_out=held_out)
    windows = values[split.held_out[:, None] + np.arange(length)]
    fits = [fit_var(values, split.train, max_lag=max_lag, ridge=ridge) for ridge in RIDGES]
    forecasts = [linear.predict(windows[:, :-1]) for linear in fits]
    errors = [float(np.mean((forecast - windows[:, -1]) ** 2)) for forecast in forecasts]
    best = int(np.argmin(errors))
    ranks = fit_transform(table.values, kind="copula")
    truth = ranks(table.values[split.held_out + max_lag])
    rank_error = float(np.mean((ranks(transform.inverse(forecasts[best])) - truth) ** 2))
    return Prepared(transform, values, split, max_lag, fits[best], errors[best], rank_error)


def spread_windows(data: Prepared, n_windows: int) -> Float[np.ndarray, "windows time vars"]:
    """At most ``n_windows`` windows, spread evenly over the series."""
    starts = np.concatenate(data.split)
    chosen = np.unique(np.linspace(0, len(starts) - 1, min(n_windows, len(starts))).astype(int))
    return data.values[starts[chosen, None] + np.arange(data.max_lag)].astype(np.float32)
