"""Whether forecast errors depend on their own past: a sign of lags, or of curves, left out."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxcause._stored import StoredRows
from jaxcause.series import SeriesTable
from jaxcause.stats import VarMoments, var_moments
from jaxcause.workflows._discover.listing import first_of
from jaxcause.workflows._discover.prepare import transformed_windows

FELT = 0.2
"""Correlation of errors from which on it is told."""
SURE = 4.5
"""Standard errors that it must be of."""
FARTHEST, SHARE = 60, 10
"""Rows back that are looked at: so many, or a tenth of all."""
FEWEST = 100
"""Windows below which nothing is told."""
PER_TERM = 3
"""Windows for each term of the regression, below which its errors say nothing."""
NEGLIGIBLE = 1e-8
"""Share of its variance that a regression on the past leaves of a variable which it determines."""
MOST_WINDOWS = 100_000
"""Windows that are looked at, the first ones."""
MOST_EFFORT = 2e11
"""Multiplications of a regression that a note is worth."""
Leftover = Mapping[str, Mapping[str, Any]]
"""For each variable whose errors depend on their past: the ``lag`` at which they do most, and the
``correlation``."""


def leftover_of(
    errors: Float[np.ndarray, "windows vars"],
    names: tuple[str, ...],
    rows: Int[np.ndarray, "windows"],
    segment: Int[np.ndarray, "windows"],
) -> Leftover:
    """The largest correlation of each variable's errors with their own past, where it is felt.

    Args:
        errors: Forecast errors; NaN where there is none.
        names: Names of the variables.
        rows: The rows that were forecast, in rising order.
        segment: Which unbroken stretch each is in.

    >>> e = np.random.default_rng(0).normal(size=(400, 2)); e[3:, 1] += e[:-3, 1]
    >>> found = leftover_of(e, ("a", "b"), np.arange(400), np.zeros(400, int))
    >>> list(found), found["b"]["lag"]
    (['b'], 3)
    """
    errors, rows, segment = (part[:MOST_WINDOWS] for part in (errors, rows, segment))
    if len(errors) < FEWEST or not names:
        return {}
    farthest = min(FARTHEST, len(errors) // SHARE)
    # Stretches are set so far apart that no pair of rows is of two of them.
    place = rows - rows[0] + (np.unique(segment, return_inverse=True)[1] * (farthest + 1))
    known = ~np.isnan(errors)
    centred = np.where(known, errors - np.nanmean(errors, axis=0), 0.0)
    line = np.zeros((place[-1] + 1, 2, errors.shape[1]))
    line[place, 0], line[place, 1] = centred, known
    square = (centred**2).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    correlation = np.zeros((farthest, errors.shape[1]))
    for back in range(1, farthest + 1):
        products = (line[back:] * line[:-back]).sum(axis=0)
        number = np.maximum(products[1], 1)
        r = products[0] / number / np.maximum(square, np.finfo(float).tiny)
        correlation[back - 1] = np.where(np.abs(r) * np.sqrt(number) >= SURE, r, 0.0)
    found = {}
    for k, name in enumerate(names):
        most = int(np.abs(correlation[:, k]).argmax())
        if abs(correlation[most, k]) >= FELT:
            found[name] = {"lag": most + 1, "correlation": float(correlation[most, k])}
    return found


def leftover_of_line(table: SeriesTable, max_lag: int, transform: str) -> Leftover:
    """The same of a linear autoregression on all lags; nothing where that costs too much."""
    n_terms = max_lag * len(table.names)
    if isinstance(table.values, StoredRows):
        return {}
    values, starts, moved = transformed_windows(table, max_lag + 1, transform)
    if len(starts) < max(FEWEST, PER_TERM * n_terms) or len(starts) * n_terms**2 > MOST_EFFORT:
        return {}
    values, newest = np.asarray(values), starts + max_lag
    moments = var_moments(values, starts, max_lag=max_lag)
    errors = moments.fit().residuals(values, starts)
    return leftover_of(
        *where_undetermined(errors, table.names, moments), newest, moved.segment[newest]
    )


def where_undetermined(
    errors: Float[np.ndarray, "windows vars"],
    names: tuple[str, ...],
    moments: VarMoments,
    allowed: Bool[np.ndarray, "vars vars lags"] | None = None,
) -> tuple[Float[np.ndarray, "windows some"], tuple[str, ...]]:
    """The errors, and names, of the variables that the past does not determine linearly.

    What a penalised regression or a forecaster misses of the others is due to itself alone.
    """
    n_terms, n_vars = len(moments.gram) - 1, len(moments.total)
    if moments.n_windows < PER_TERM * n_terms:
        return errors, names
    fit = moments.fit(allowed=allowed)
    slopes = fit.coefficients[:, :, 1:].transpose(2, 0, 1).reshape(n_terms, n_vars)
    beta = np.concatenate([slopes, fit.intercept[None]])
    left = moments.total - ((2 * moments.cross - moments.gram @ beta) * beta).sum(axis=0)
    spread = moments.total - moments.cross[-1] ** 2 / moments.n_windows
    kept = left > NEGLIGIBLE * spread
    return errors[:, kept], tuple(name for name, some in zip(names, kept, strict=True) if some)


def notes_on_leftover(found: Leftover, max_lag: int) -> tuple[str, ...]:
    """Whose errors depend on their past, what that does to edges, and what to try."""
    if not found:
        return ()
    order = sorted(found, key=lambda name: -abs(found[name]["correlation"]))
    first, lags = found[order[0]], [found[name]["lag"] for name in order]
    farthest = max(lags)
    remedy = (
        f"Give max_lag={farthest} or 'auto' (--max-lag)"
        if farthest > max_lag
        else "Try a larger max_lag, or 'auto' (--max-lag), and another transform"
    )
    return (
        f"Forecast errors of {first_of(order)} depend on their own past (those of {order[0]} "
        f"correlate by r = {first['correlation']:.2f} with those {_rows(first['lag'])} before). "
        "What max_lag, or straight lines, leave out can then look like effects of other "
        f"variables, and edges can be false. {remedy}.",
    )


def _rows(lag: int) -> str:
    return "a row" if lag == 1 else f"{lag} rows"
