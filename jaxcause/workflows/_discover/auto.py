"""What is left to the library: the longest lag, and the method, each with its reason."""

from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jaxcause._checks import InputError
from jaxcause.series import (
    SeriesTable,
    fit_transform,
    split_by_time,
    usable_windows,
    used_values,
)
from jaxcause.stats import FEW_TO_TEST, fit_var, linear_tests, var_moments
from jaxcause.workflows._discover.stored import in_memory, note_on_lags

LAGS = (1, 2, 3, 5, 8, 12, 20, 30, 50)
"""Longest lags to choose from."""
MOST_INPUTS = 2000
"""Most inputs of the regressions that choose."""
ROWS_PER_LAG = 20
"""Rows that each further lag needs."""
RIDGE = 1e-2
SURE, MATTERS = 1e-3, 0.05
"""Level of the tests of long links, corrected for their number, and the least share that such a
link takes off the error of its target. Chosen on simulated series with one cause three rows back,
white noise, and the first published series of each kind."""
FEW_WINDOWS = 300
"""Windows below which no Transformer is trained: linear tests have more power there."""


class Choice(NamedTuple):
    """What was chosen, and why, in a plain sentence."""

    value: str | int
    reason: str


class Resolved(NamedTuple):
    """The longest lag and the method, and why those that were ``"auto"`` were chosen."""

    max_lag: int
    method: Any
    reasons: tuple[str, ...]


def resolve_auto(table: SeriesTable, max_lag: int | Literal["auto"], method: Any) -> Resolved:
    """Fill in the longest lag and the method that are ``"auto"``."""
    reasons = []
    if max_lag == "auto":
        choice = choose_max_lag(in_memory(table))
        max_lag = int(choice.value)
        reasons += [choice.reason, *note_on_lags(table)]
    if method == "auto":
        n_windows = len(usable_windows(table, max_lag, mask_missing=False))
        choice = choose_method(n_windows, len(table.names), max_lag)
        method = str(choice.value)
        reasons.append(choice.reason)
    return Resolved(max_lag, method, tuple(reasons))


def choose_max_lag(table: SeriesTable) -> Choice:
    """The shortest history that forecasts as well as the best one, and reaches every sure link.

    A ridge regression on all lags of every value and its magnitude is fitted for each candidate on
    the first 80 % of the windows; the shortest is taken whose held-out error is within a standard
    error (of the paired difference) of the smallest. One cause with a long delay is lost in such a
    mean over all variables, so the lag of the longest link that linear tests are sure of counts,
    too (`_longest_link`).

    Raises:
        InputError: The series is too short to hold anything out.
    """
    n_vars = len(table.names)
    longest = max(1, min(len(table.values) // ROWS_PER_LAG, MOST_INPUTS // (2 * n_vars)))
    lags = [lag for lag in LAGS if lag <= longest]
    starts: np.ndarray = np.zeros(0, int)
    while lags:
        starts = usable_windows(table, lags[-1], mask_missing=False)
        if len(starts) >= 10 * lags[-1]:
            break
        lags.pop()
    if not lags:
        raise InputError(
            "max_lag='auto' found too few complete rows in a row to try any lag; give a number"
        )
    used = used_values(table, starts, lags[-1] + 1)
    fitted = fit_transform(used, kind="standardise")
    values = fitted(table.values)
    magnitude = np.abs(values) - np.nanmean(np.abs(fitted(used)), axis=0)
    both = np.concatenate([values, magnitude], axis=1)
    split = split_by_time(starts, length=lags[-1] + 1, held_out=0.2)
    newest = values[split.held_out + lags[-1]]
    losses = []
    for lag in lags:
        offset = lags[-1] - lag
        fit = fit_var(both, split.train + offset, max_lag=lag, ridge=RIDGE)
        past = both[(split.held_out + offset)[:, None] + np.arange(lag)]
        losses.append(((fit.predict(past)[:, :n_vars] - newest) ** 2).mean(axis=1))
    errors = [float(loss.mean()) for loss in losses]
    best = int(np.argmin(errors))
    differences = [loss - losses[best] for loss in losses]
    number = next(k for k, d in enumerate(differences) if d.mean() <= d.std() / np.sqrt(len(d)))
    link = _longest_link(np.nan_to_num(both), starts, lags[-1], table.names)
    if link.lag > lags[number]:
        return Choice(
            link.lag,
            f"max_lag={link.lag} was chosen: {link.said}; linear tests of lags up to {lags[-1]} "
            "are sure of no longer link.",
        )
    reason = (
        f"max_lag={lags[number]} was chosen: more lags (up to {lags[-1]}) do not lower the "
        f"held-out error of a linear model ({errors[number]:.3g}) by more than chance, and linear "
        "tests are sure of no longer link."
    )
    return Choice(lags[number], reason)


class _Link(NamedTuple):
    """The lag of a link, 0 if there is none, and the link in words."""

    lag: int
    said: str


def _longest_link(
    both: Float[np.ndarray, "time columns"],
    starts: Int[np.ndarray, "windows"],
    max_lag: int,
    names: tuple[str, ...],
) -> _Link:
    """The link of the longest lag that linear tests of all lags are sure of, and that matters.

    Its p-value times the number of tests is at most .001, and it takes 5 % or more off what the
    other terms leave of its target.

    Args:
        both: Values, and their magnitudes.
        starts: First rows of the windows.
        max_lag: The longest lag to test.
        names: Names of the variables.
    """
    n, moments = len(names), var_moments(both, starts, max_lag=max_lag)
    allowed = np.zeros((both.shape[1], both.shape[1], max_lag + 1), bool)
    allowed[:, :n, 1:] = True
    fit = linear_tests(moments, allowed=allowed)
    share = fit.t_statistic**2 / (fit.t_statistic**2 + fit.degrees[:, None])
    sure = fit.tested & (fit.p_value * fit.tested.sum() <= SURE) & (share >= MATTERS)
    if not sure.any():
        return _Link(0, "")
    lag = int(np.nonzero(sure)[2].max())
    source, target = np.argwhere(sure[:, :, lag])[0] % n
    return _Link(lag, f"{names[source]} acts on {names[target]} after {lag} rows")


def choose_method(n_windows: int, n_vars: int, max_lag: int) -> Choice:
    """Linear tests where windows are too few to train on, the forecaster elsewhere."""
    if n_windows < FEW_WINDOWS:
        # Below this a stepwise regression stands in for that on all inputs.
        method = "var" if n_windows < FEW_TO_TEST * n_vars * max_lag else "pcmci"
        return Choice(
            method,
            f"method='{method}' was chosen: {n_windows} windows are too few to train a Transformer "
            f"on (from {FEW_WINDOWS} on it would be), and linear tests have more power there.",
        )
    return Choice(
        "gradient",
        f"method='gradient' was chosen: {n_windows} windows of {n_vars * max_lag} inputs are "
        "enough to train on. If a linear model forecasts equally well, its t-tests choose the "
        "edges.",
    )
