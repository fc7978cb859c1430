"""Moments of windows in standard units, which penalties and choices of terms are about."""

import numpy as np
from jaxtyping import Bool, Float

from jaxcause._typing import AnyArray
from jaxcause.stats._regression.vector_autoregression import VarMoments, checked_terms

SMALLEST = 1e-12
"""Standard deviation up to which a column is constant."""


def terms_of(
    moments: VarMoments, allowed: Bool[AnyArray, "vars vars lags"] | None
) -> Bool[np.ndarray, "terms vars"]:
    """The terms of each target: the ``allowed`` links, by default all."""
    n_vars, n_terms = len(moments.total), len(moments.gram) - 1
    if allowed is None:
        return np.ones((n_terms, n_vars), bool)
    return checked_terms("allowed", allowed, n_vars, n_terms // n_vars)


def own_terms(moments: VarMoments) -> Bool[np.ndarray, "terms vars"]:
    """Which terms are lags of the target itself."""
    n_vars, n_terms = len(moments.total), len(moments.gram) - 1
    return np.arange(n_terms)[:, None] % n_vars == np.arange(n_vars)


def correlations(
    moments: VarMoments,
) -> tuple[Float[np.ndarray, "terms terms"], Float[np.ndarray, "terms vars"]]:
    """Correlations among the terms, and of the terms with the targets; 0 of a constant column."""
    n = moments.gram[-1, -1]
    mean, target_mean = moments.gram[-1, :-1] / n, moments.cross[-1] / n
    gram = moments.gram[:-1, :-1] / n - np.outer(mean, mean)
    cross = moments.cross[:-1] / n - np.outer(mean, target_mean)
    inverse, target_inverse = (_inverse(spread) for spread in _spreads(moments))
    return gram * np.outer(inverse, inverse), cross * np.outer(inverse, target_inverse)


def in_units(
    moments: VarMoments, beta: Float[np.ndarray, "terms vars"]
) -> Float[np.ndarray, "terms vars"]:
    """Coefficients of standardised terms and targets, in the units of the windows."""
    spread, target_spread = _spreads(moments)
    return beta * _inverse(spread)[:, None] * target_spread


def intercept_of(
    moments: VarMoments, beta: Float[np.ndarray, "terms vars"]
) -> Float[np.ndarray, "vars"]:
    """The intercept beside coefficients in the units of the windows."""
    return (moments.cross[-1] - moments.gram[-1, :-1] @ beta) / moments.gram[-1, -1]


def _spreads(
    moments: VarMoments,
) -> tuple[Float[np.ndarray, "terms"], Float[np.ndarray, "vars"]]:
    """Standard deviations of the terms and of the targets."""
    n = moments.gram[-1, -1]
    of_terms = np.diag(moments.gram)[:-1] / n - (moments.gram[-1, :-1] / n) ** 2
    of_targets = moments.total / n - (moments.cross[-1] / n) ** 2
    return np.sqrt(np.maximum(of_terms, 0)), np.sqrt(np.maximum(of_targets, 0))


def _inverse(spread: Float[np.ndarray, "columns"]) -> Float[np.ndarray, "columns"]:
    """One over each standard deviation; 0 of a constant column."""
    return np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > SMALLEST)
