"""A trend and seasons, fitted by least squares, and a series without them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxcause._checks import InputError
from jaxcause.series._resample import row_seconds
from jaxcause.series._table import SeriesTable
from jaxcause.series._transforms import Transform, fit_transform

HARMONICS = 3
"""Sines of a season: its period, and its half and third."""
HEAVY = 10.0
"""Kurtosis of heavy tails; that of a normal distribution is 3."""
ROUNDING = 1e-12
"""Share of a column's variance up to which what trend and seasons leave of it is rounding."""
CLOSE = 1e-6
"""Half-turns per row that count as a whole number."""


class Trend(NamedTuple):
    r"""What each column does by the clock.

    .. math:: b_0 \frac{t - c}{s} + \sum_P \sum_{h=1}^{3}
        a_{Ph} \cos\frac{2 \pi h t}{P} + b_{Ph} \sin\frac{2 \pi h t}{P} \;-\; \text{mean}

    Args:
        linear: Whether the line is part of it.
        periods: Lengths P of the seasons, in rows.
        centre: c, the middle row.
        scale: s, the number of rows.
        mean: Mean of each term over the rows of the fit.
        coefficients: One row for each term.
        shape: Columns with heavy tails are normal quantiles of their ranks while it is fitted and
            taken out; None if none has them.
    """

    linear: bool
    periods: tuple[float, ...]
    centre: float
    scale: float
    mean: Float[np.ndarray, "terms"]
    coefficients: Float[np.ndarray, "terms vars"]
    shape: Transform | None = None

    def at(self, rows: Float[np.ndarray, "rows"]) -> Float[np.ndarray, "rows vars"]:
        """The deviation from the mean of the series at these rows, counted from its first."""
        terms = terms_at(rows, self.linear, self.periods, self.centre, self.scale)
        return (terms - self.mean) @ self.coefficients

    def out_of(
        self, values: Float[np.ndarray, "rows vars"], rows: Float[np.ndarray, "rows"]
    ) -> Float[np.ndarray, "rows vars"]:
        """Values at these rows without it."""
        return self._moved(values, -self.at(rows))

    def back_in(
        self, values: Float[np.ndarray, "rows vars"], rows: Float[np.ndarray, "rows"]
    ) -> Float[np.ndarray, "rows vars"]:
        """Values at these rows with it."""
        return self._moved(values, self.at(rows))

    def _moved(self, values: np.ndarray, by: np.ndarray) -> Float[np.ndarray, "rows vars"]:
        if self.shape is None:
            return values + by
        moved = self.shape.inverse(self.shape(values) + by)
        return np.where(np.isnan(values), np.nan, moved)


def terms_at(
    rows: Float[np.ndarray, "rows"],
    linear: bool,
    periods: Sequence[float],
    centre: float,
    scale: float,
) -> Float[np.ndarray, "rows terms"]:
    """The line, and the sines of each season that vary from row to row."""
    columns = [(rows - centre) / scale] if linear else []
    for period in periods:
        for harmonic in range(1, HARMONICS + 1):
            turn, per_row = 2 * np.pi * harmonic * rows / period, harmonic / period
            if abs(per_row - round(per_row)) > CLOSE:  # Else the cosine is 1 in every row, …
                columns.append(np.cos(turn))
            if abs(2 * per_row - round(2 * per_row)) > CLOSE:  # … or the sine is 0.
                columns.append(np.sin(turn))
    return np.stack(columns, axis=1) if columns else np.zeros((len(rows), 0))


def clock(table: SeriesTable) -> Float[np.ndarray, "time"] | None:
    """When each row was, in rows after the first; None if that is not known for all rows.

    Rows with a time stand where their time says, so that gaps count. Several series have no common
    clock, and rows whose stretches have no times neither.
    """
    if table.times is not None and len(np.unique(table.times.series)) == 1:
        seconds, step = table.times.seconds, row_seconds(table)
        if step is not None:
            return (seconds - seconds[0]) / step
    one = len(np.unique(table.segment)) == 1
    return np.arange(len(table.values), dtype=float) if one else None


def detrended(
    table: SeriesTable, *, linear: bool, periods: Sequence[float] = ()
) -> tuple[SeriesTable, Trend]:
    """The series without a linear trend and without seasons; each column keeps its mean.

    A column that is nothing else, such as the day of the week, stays as it is: rounding is all that
    would be left of it.

    To leave trend and seasons out of every column is to add them as inputs to every regression of
    one column on the past of all (Frisch & Waugh 1933). If a column has heavy tails (kurtosis above
    10), all are normal quantiles of their ranks meanwhile, so that a few peaks do not decide.

    Args:
        table: The series, without several stretches unless it has times.
        linear: Whether to take out a line.
        periods: Lengths of the seasons, in rows. Each is taken out with its half and third.

    Returns:
        The series, and what was taken out.

    Raises:
        InputError: Rows have no common clock, or a column has too few values.

    >>> from jaxcause.series import as_series_table
    >>> t = np.arange(48.0)
    >>> noise = np.random.default_rng(0).normal(size=(48, 1))
    >>> x = np.stack([t / 10, np.sin(2 * np.pi * t / 12)], axis=1) + 0.01 * noise
    >>> rest, trend = detrended(as_series_table(x), linear=True, periods=(12,))
    >>> float(np.std(rest.values, axis=0).max().round(2)), trend.periods
    (0.01, (12.0,))
    """
    rows = clock(table)
    if rows is None:
        raise InputError(
            "detrend needs rows with a common clock, but this is several series; detrend each of "
            "them before, or leave detrend out"
        )
    lengths = tuple(float(period) for period in periods)
    centre, scale = float(rows[-1]) / 2, max(float(rows[-1]), 1.0)
    terms = terms_at(rows, linear, lengths, centre, scale)
    given = np.asarray(table.values)
    mean, shape = terms.mean(axis=0), without_heavy_tails(given)
    values = given if shape is None else shape(given)
    columns = zip(table.names, values.T, strict=True)
    coefficients = np.stack([_fitted(name, terms - mean, column) for name, column in columns], 1)
    rest = values - (terms - mean) @ coefficients
    coefficients[:, np.nanvar(rest, axis=0) <= ROUNDING * np.nanvar(values, axis=0)] = 0.0
    trend = Trend(linear, lengths, centre, scale, mean, coefficients, shape)
    return table._replace(values=trend.out_of(given, rows)), trend


def without_heavy_tails(values: Float[np.ndarray, "time vars"]) -> Transform | None:
    """Normal quantiles of ranks, if a column has heavy tails."""
    spread = np.nanstd(values, axis=0)
    standard = (values - np.nanmean(values, axis=0)) / np.where(spread > 0, spread, 1.0)
    heavy = np.nanmean(standard**4, axis=0) > HEAVY
    return fit_transform(values, kind="copula") if heavy.any() else None


def _fitted(name: str, terms: np.ndarray, column: np.ndarray) -> Float[np.ndarray, "terms"]:
    """Least squares on the rows that have a value, beside a constant."""
    known = ~np.isnan(column)
    if known.sum() <= terms.shape[1] + 1:
        raise InputError(
            f"column {name!r} has {int(known.sum())} values, too few for the {terms.shape[1]} "
            "terms of detrend; give fewer periods, or leave detrend out"
        )
    beside = np.concatenate([terms, np.ones((len(terms), 1))], axis=1)[known]
    return np.linalg.lstsq(beside, column[known], rcond=None)[0][:-1]
