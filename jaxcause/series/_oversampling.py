"""Whether rows are nearly copies of the row before, and at which resolution they are not."""

from functools import lru_cache
from statistics import NormalDist

import numpy as np
from jaxtyping import Float

from jaxcause.series._table import SeriesTable
from jaxcause.series._transforms import mid_ranks

COPIES = 0.995
"""Median correlation of a row with the row before, above which rows count as copies."""
FRESH = 0.95
"""The suggested rows are so far apart that the median correlation falls below this."""
SMOOTH = 1.05
"""Up to that distance, the mean squared change must grow as a power of the distance larger than
this. The power is 1 for a random walk, whose steps are new at every resolution, and 2 for a smooth
curve."""
FEWEST_ROWS = 100
"""Rows that must be left …"""
PER_INPUT = 1.2
"""… and rows for each input of a target, ``vars * max_lag``."""
N_QUANTILES = 4096
MOST_ROWS = 20_000
"""Rows that are looked at, those in the middle of the series."""


def suggested_factor(table: SeriesTable, max_lag: int) -> int:
    """Rows to average so that a row is no copy of the row before; 1 if it is none.

    Such a series is sampled far more finely than it changes, and its effects take longer than
    ``max_lag`` rows. The smallest factor 1, 2, 3, 4, 6, 8, 12, … is suggested at which the median
    correlation of ranks with those so many rows before falls below 0.95, if enough rows are left.

    Args:
        table: The series.
        max_lag: Longest lag, in rows of the coarser series.

    >>> from jaxcause.series import as_series_table
    >>> noise = np.random.default_rng(0).normal(size=(3000, 2))
    >>> suggested_factor(as_series_table(noise), 5)
    1
    """
    n_rows, n_vars = table.values.shape
    needed = max(FEWEST_ROWS, PER_INPUT * n_vars * max_lag) + max_lag
    factors = [k for k in _factors(n_rows) if n_rows / k >= needed]
    first = max(0, (n_rows - MOST_ROWS) // 2)
    values, segment = (part[first : first + MOST_ROWS] for part in (table.values, table.segment))
    ranks = np.stack([_scores(column) for column in values.T], axis=1)

    def change(distance: int) -> Float[np.ndarray, "vars"]:
        """Mean squared change, in units of twice the variance: 1 less the correlation."""
        same = segment[distance:] == segment[:-distance]
        steps = (ranks[distance:] - ranks[:-distance])[same]
        known = ~np.isnan(steps)
        squares = np.where(known, steps, 0.0) ** 2
        return squares.sum(axis=0) / np.maximum(known.sum(axis=0), 1) / 2

    if not factors or np.median(change(1)) > 1 - COPIES:
        return 1
    factor = next((k for k in factors if np.median(change(k)) > 1 - FRESH), factors[-1])
    if factor == 1:
        return 1
    growth = np.maximum(change(factor), 1e-12) / np.maximum(change(1), 1e-12)
    return factor if np.median(np.log(growth)) > SMOOTH * np.log(factor) else 1


def _scores(column: Float[np.ndarray, "time"]) -> Float[np.ndarray, "time"]:
    """Normal quantiles of the mid-ranks, with variance 1; NaN stays NaN."""
    known = ~np.isnan(column)
    scores = np.full(column.shape, np.nan)
    values, share = mid_ranks(column[known])
    if len(values):
        found = np.interp(column[known], values, np.interp(share, *_normal_quantiles()))
        spread = found.std()
        scores[known] = (found - found.mean()) / (spread if spread > 0 else 1.0)
    return scores


@lru_cache
def _normal_quantiles() -> tuple[Float[np.ndarray, "grid"], Float[np.ndarray, "grid"]]:
    """Probabilities and quantiles to interpolate between: far cheaper than one by one."""
    share = (np.arange(N_QUANTILES) + 0.5) / N_QUANTILES
    return share, np.array([NormalDist().inv_cdf(p) for p in share.tolist()])


def _factors(largest: int) -> list[int]:
    """1, 2, 3, 4, 6, 8, 12, …, ascending."""
    powers = [2**k for k in range(max(1, largest).bit_length())]
    return sorted({k for p in powers for k in (p, 3 * p // 2) if k <= largest})
