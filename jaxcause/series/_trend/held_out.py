"""Whether terms of the clock help to forecast what curves of the past do not."""

import numpy as np
from jaxtyping import Float, Int

from jaxcause.series._bent_lines import bent_lines
from jaxcause.series._table import SeriesTable
from jaxcause.series._windows import split_by_time, usable_windows

MOST_CUBED, MOST_PRODUCTS, MOST_BENT = 10, 30, 250
"""Inputs up to which products of three, and of two, are terms, and up to which each is bent."""
PENALTIES = (1e-6, 1e-4, 1e-2, 1e-1, 1.0)
"""Penalties per window; each variable takes the one that forecasts it best."""
HELD_OUT = 0.2
HELPS = 0.01
"""Least fall of the held-out error, as a mean of logarithms over the variables."""


def helps_to_forecast(
    table: SeriesTable,
    max_lag: int,
    terms: Float[np.ndarray, "time terms"],
    beside: Float[np.ndarray, "time others"],
) -> bool:
    """Whether terms of the clock lower the error of held-out forecasts by curves of all lags.

    A system that swings by itself has a sharp spectrum, too, and a line through its past leaves
    much for sines to explain. Curves of its past (squares and products) leave nothing, and over the
    windows held out, the last fifth, its phase is no longer that of the sines.

    Args:
        table: The series.
        max_lag: Longest lag.
        terms: Terms of the clock that are in question.
        beside: Those that are in the regressions anyway.
    """
    scale = np.nanstd(table.values, axis=0)
    values = (table.values - np.nanmean(table.values, axis=0)) / np.where(scale > 0, scale, 1.0)
    values = np.nan_to_num(values)
    starts = usable_windows(table, max_lag, mask_missing=True)
    split = split_by_time(starts, length=max_lag + 1, held_out=HELD_OUT)
    curves = [_curves(values, part, max_lag) for part in split]
    targets = [values[part + max_lag] for part in split]
    with_beside = [
        np.concatenate([curve, beside[part + max_lag]], axis=1)
        for curve, part in zip(curves, split, strict=True)
    ]
    with_terms = [
        np.concatenate([curve, terms[part + max_lag]], axis=1)
        for curve, part in zip(with_beside, split, strict=True)
    ]
    without, with_them = _errors(with_beside, targets), _errors(with_terms, targets)
    return bool(np.log(with_them / without).mean() <= -HELPS)


def _curves(
    values: Float[np.ndarray, "time vars"], starts: Int[np.ndarray, "windows"], max_lag: int
) -> Float[np.ndarray, "windows terms"]:
    """The lags of all variables with their products, or bent, or as they are if they are many."""
    past = values[starts[:, None] + np.arange(max_lag)].reshape(len(starts), -1)
    if past.shape[1] > MOST_BENT:
        return past
    if past.shape[1] > MOST_PRODUCTS:
        return bent_lines(past)
    terms = [past]
    for _ in range(2 if past.shape[1] <= MOST_CUBED else 1):
        # The product of the inputs i ≤ j stands at place i or later, so none of three is missing.
        first, second = np.triu_indices(past.shape[1], m=terms[-1].shape[1])
        terms.append(past[:, first] * terms[-1][:, second])
    return np.concatenate(terms, axis=1)


def _errors(
    designs: list[Float[np.ndarray, "_ terms"]], targets: list[Float[np.ndarray, "_ vars"]]
) -> Float[np.ndarray, "vars"]:
    """The held-out error of the ridge regression that forecasts each variable best."""
    mean, scale = designs[0].mean(axis=0), designs[0].std(axis=0)
    seen, unseen = ((part - mean) / np.where(scale > 0, scale, 1.0) for part in designs)
    level = targets[0].mean(axis=0)
    gram, cross = seen.T @ seen / len(seen), seen.T @ (targets[0] - level) / len(seen)
    errors = []
    for penalty in PENALTIES:
        slopes = np.linalg.solve(gram + penalty * np.eye(len(gram)), cross)
        errors.append(((targets[1] - level - unseen @ slopes) ** 2).mean(axis=0))
    return np.maximum(np.min(errors, axis=0), np.finfo(float).tiny)
