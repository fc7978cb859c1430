"""Whether a series has a trend or seasons that a linear autoregression cannot do without."""

from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jaxcause.series._table import SeriesTable
from jaxcause.series._trend.held_out import helps_to_forecast
from jaxcause.series._trend.parts import clock, detrended, terms_at, without_heavy_tails
from jaxcause.series._windows import usable_windows

MOSTLY = 0.5
"""Share of the variance of every fourth column that a line must explain. A drift alone looks like a
line in one column of many."""
MATTERS = 0.05
"""Share of the variance of some column that a season must explain, of what the line leaves."""
SHARP = 0.5
"""Share of the power around the peak of the spectrum that must stand within the peak itself. The
phase of a season never drifts, that of a system's own cycles does, which widens their peak."""
NEAR, AROUND = 2, 12
"""Half the width of a peak, and of its surroundings, in cycles over the whole series."""
SLOWEST, FASTEST = 3, 2.5
"""Least number of seasons in the series, and least number of rows in a season."""
MOST_SEASONS = 2
STEPS = 16
"""Places between two frequencies of the Fourier transform at which a peak is looked for."""
WHOLE = 0.25
"""Cycles over the whole series by which a season may miss a whole number of rows, and be one."""
FEWEST_ROWS, PER_TERM = 100, 2
"""Rows, and windows per term of the autoregression, below which nothing is looked for."""
MOST_EMPTY = 4
"""Cells of an even grid of time for each row, above which times count as irregular."""
SURE = NormalDist().inv_cdf(1 - 1e-3)
"""Level .001, as a normal quantile, of the F-test of one target for a season; half of the targets
must pass it."""
ALPHA_LINE = 1e-2
"""Level of the F-tests of all targets for a line, corrected for their number."""


class FoundTrend(NamedTuple):
    """Whether there is a line, and the lengths of the seasons in rows."""

    linear: bool
    periods: tuple[float, ...]


def find_trend(table: SeriesTable, max_lag: int) -> FoundTrend:
    r"""Look for a linear trend and for seasons.

    A **season** is a sharp peak of the spectrum, averaged over the columns without their lines:
    half of the power around it must stand within it, and it must explain 5 % of the variance of
    some column. A **line** counts if it explains half of the variance of every fourth column.
    Either must also lower the error of a linear autoregression of all columns, by an F-test of its
    terms beside ``max_lag`` lags: many a drift and cycle is a system's own doing, which its own
    past foretells. A season must lower the error of held-out forecasts by curves of the past as
    well (`helps_to_forecast`), since the cycles of many a system are no lines of its past.

    Args:
        table: The series. Short ones, and several without a common clock, have none.
        max_lag: Longest lag.

    Source: the thresholds were chosen on the published series (``benchmarks/results/published.md``)
    and on the first seeds of CausalCompass.

    >>> from jaxcause.series import as_series_table
    >>> noise = np.random.default_rng(0).normal(size=(400, 2))
    >>> season = 3 * np.sin(2 * np.pi * np.arange(400) / 24)
    >>> find_trend(as_series_table(noise + season[:, None]), 2)
    FoundTrend(linear=False, periods=(24.0,))
    >>> find_trend(as_series_table(noise), 2)
    FoundTrend(linear=False, periods=())
    """
    rows, none = clock(table), FoundTrend(False, ())
    n_rows, n_vars = table.values.shape
    if rows is None or n_rows < max(FEWEST_ROWS, PER_TERM * n_vars * max_lag):
        return none
    shape = without_heavy_tails(np.asarray(table.values))
    if shape is not None:
        table = table._replace(values=shape(np.asarray(table.values)))
    periods = _seasons(table, max_lag, rows)
    level, _ = detrended(table, linear=False, periods=periods)
    if np.quantile(_explained(level, detrended(level, linear=True)[0]), 0.75) < MOSTLY:
        return FoundTrend(False, periods)
    tests = _tests_beside_lags(level, max_lag, _terms(rows, True, ()))
    linear = tests.max() > NormalDist().inv_cdf(1 - ALPHA_LINE / n_vars)
    return FoundTrend(bool(linear), periods)


def _seasons(
    table: SeriesTable, max_lag: int, rows: Float[np.ndarray, "time"]
) -> tuple[float, ...]:
    """The sharp seasons that matter, the strongest first."""
    periods: tuple[float, ...] = ()
    grid = _even_grid(rows)
    while grid is not None and len(periods) < MOST_SEASONS:
        rest, _ = detrended(table, linear=True, periods=periods)
        period = _sharp_season(np.asarray(rest.values), grid)
        if period is None:
            break
        terms = _terms(rows, False, (period,))
        without, _ = detrended(rest, linear=False, periods=(period,))
        sure = np.mean(_tests_beside_lags(table, max_lag, terms) > SURE) >= MOSTLY
        if not sure or _explained(rest, without).max() < MATTERS:
            break
        if not helps_to_forecast(table, max_lag, terms, _terms(rows, True, periods)):
            break
        periods += (period,)
    return periods


def _explained(table: SeriesTable, rest: SeriesTable) -> Float[np.ndarray, "vars"]:
    """The share of each column's variance that the rest lacks."""
    before, after = (np.nanvar(t.values, axis=0) for t in (table, rest))
    return 1 - after / np.maximum(before, np.finfo(float).tiny)


def _terms(rows: np.ndarray, linear: bool, periods: tuple[float, ...]) -> np.ndarray:
    last = max(float(rows[-1]), 1.0)
    return terms_at(rows, linear, periods, last / 2, last)


def _even_grid(rows: Float[np.ndarray, "time"]) -> Int[np.ndarray, "time"] | None:
    """The cell of each row on an even grid; None if most cells would stay empty."""
    cells = np.round(rows).astype(np.int64)
    return cells if cells[-1] < MOST_EMPTY * len(rows) else None


def _sharp_season(
    values: Float[np.ndarray, "time vars"], cells: Int[np.ndarray, "time"]
) -> float | None:
    """The period of the highest peak of the mean spectrum, in rows; None if it is not sharp."""
    n_cells = int(cells[-1]) + 1
    window = np.hanning(n_cells)
    columns = [_standard(column, cells, n_cells) * window for column in values.T]
    power = np.mean([_normed(np.abs(np.fft.rfft(column)) ** 2) for column in columns], axis=0)
    frequency = np.arange(len(power))
    allowed = (frequency > SLOWEST) & (frequency <= n_cells / FASTEST)
    if not allowed.any():
        return None
    peak = int(np.argmax(np.where(allowed, power, -1.0)))
    apart = np.abs(frequency - peak)
    if power[apart <= NEAR].sum() < SHARP * power[apart <= AROUND].sum():
        return None
    return _refined(columns, peak, n_cells)


def _refined(columns: list[np.ndarray], peak: int, n_cells: int) -> float:
    """The period between two frequencies of the transform, or the whole number close to it."""
    cycles = peak + np.arange(-STEPS, STEPS + 1) / STEPS
    time = np.arange(n_cells) / n_cells
    power = np.zeros(len(cycles))
    for column in columns:
        turned = [abs(np.exp(-2j * np.pi * c * time) @ column) ** 2 for c in cycles]
        power += np.array(turned) / max(float(column @ column), 1e-300)
    period = n_cells / float(cycles[np.argmax(power)])
    whole = float(round(period))
    return whole if abs(n_cells / whole - n_cells / period) < WHOLE else period


def _standard(column: np.ndarray, cells: np.ndarray, n_cells: int) -> Float[np.ndarray, "cells"]:
    """A column on the grid with mean 0 and variance 1; 0 where there is no value."""
    scale = np.nanstd(column)
    on_grid = np.zeros(n_cells)
    on_grid[cells] = np.nan_to_num((column - np.nanmean(column)) / (scale if scale > 0 else 1.0))
    return on_grid


def _normed(power: np.ndarray) -> np.ndarray:
    return power / max(float(power.sum()), 1e-300)


def _tests_beside_lags(
    table: SeriesTable, max_lag: int, terms: Float[np.ndarray, "time terms"]
) -> Float[np.ndarray, "vars"]:
    """The F-test of the terms beside all lags, for each target, as a normal quantile."""
    starts = usable_windows(table, max_lag, mask_missing=True)
    scale = np.nanstd(table.values, axis=0)
    standard = (table.values - np.nanmean(table.values, axis=0)) / np.where(scale > 0, scale, 1.0)
    moments, n_lagged = _moments_beside(np.nan_to_num(standard), terms, starts, max_lag)
    n_terms = terms.shape[1]
    lagged, rest = moments[:n_lagged, :n_lagged], moments[n_lagged:, :n_lagged]
    left = moments[n_lagged:, n_lagged:] - rest @ np.linalg.pinv(lagged, hermitian=True) @ rest.T
    of_terms, with_targets = left[:n_terms, :n_terms], left[:n_terms, n_terms:]
    explained = (with_targets * (np.linalg.pinv(of_terms, hermitian=True) @ with_targets)).sum(0)
    unexplained = np.maximum(np.diag(left)[n_terms:] - explained, 1e-12)
    degrees = max(len(starts) - n_lagged - n_terms, 1)
    return _as_normal((explained / n_terms) / (unexplained / degrees), n_terms, degrees)


def _as_normal(f: Float[np.ndarray, "tests"], above: int, below: int) -> Float[np.ndarray, "tests"]:
    """The normal quantile of the same probability, nearly: Paulson's approximation (1942)."""
    root, a, b = np.cbrt(np.maximum(f, 0.0)), 2 / (9 * above), 2 / (9 * below)
    return ((1 - b) * root - (1 - a)) / np.sqrt(b * root**2 + a)


def _moments_beside(
    values: np.ndarray, terms: np.ndarray, starts: np.ndarray, max_lag: int, at_once: int = 4096
) -> tuple[Float[np.ndarray, "all all"], int]:
    """Second moments of a constant and the lags, the terms, and the targets, block by block."""
    n_lagged, total = 1 + max_lag * values.shape[1], None
    for first in range(0, len(starts), at_once):
        chosen = starts[first : first + at_once]
        past = values[chosen[:, None] + np.arange(max_lag)].reshape(len(chosen), -1)
        newest = chosen + max_lag
        one = np.ones((len(chosen), 1))
        block = np.concatenate([one, past, terms[newest], values[newest]], axis=1)
        total = block.T @ block if total is None else total + block.T @ block
    assert total is not None
    return total, n_lagged
