"""Rules that choose edges by scores."""

from collections.abc import Callable

import numpy as np
import scipy.stats

import jaxcause as jc
from jaxcause.attribution import empirical_null
from jaxcause.stats import benjamini_hochberg

Q = 0.1


def fitted_null(scores: np.ndarray) -> np.ndarray:
    """The rule of the library."""
    test = empirical_null(scores)
    return (np.asarray(test.q_value) <= Q) & (np.asarray(test.local_fdr) <= 0.5)


def without_local_rate(scores: np.ndarray) -> np.ndarray:
    """The null of the library with q-values alone."""
    return np.asarray(empirical_null(scores).q_value) <= Q


def median_null(scores: np.ndarray) -> np.ndarray:
    """A normal null, fitted by the median and by the median distance below it."""
    z = 0.5 * np.log(scores[:, :, 1:])
    centre = np.median(z)
    scale = scipy.stats.norm.ppf(0.75) ** -1 * np.median(centre - z[z <= centre])
    return _by_p_values(scipy.stats.norm.sf((z - centre) / scale))


RULES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "fitted null": fitted_null,
    "without local rate": without_local_rate,
    "median null": median_null,
}


def _by_p_values(p_value: np.ndarray) -> np.ndarray:
    kept = np.asarray(benjamini_hochberg(p_value)) <= Q
    return np.pad(kept, [(0, 0), (0, 0), (1, 0)])


def decoy_edges(series: np.ndarray, max_lag: int, options: dict) -> np.ndarray:
    """Decoys, variables shifted by half the series, cause nothing: their scores are the null.

    The decoys of all targets are pooled, and p = (1 + decoys that score as high) / (1 + decoys).
    """
    n_vars = series.shape[1]
    both = np.concatenate([series, np.roll(series, len(series) // 2, axis=0)], axis=1)
    scores = np.asarray(jc.discover(both, max_lag, **options).scores)[:, :n_vars, 1:]
    null = np.sort(scores[n_vars:].ravel())
    as_high = null.size - np.searchsorted(null, scores[:n_vars], side="left")
    return _by_p_values((1 + as_high) / (1 + null.size))
