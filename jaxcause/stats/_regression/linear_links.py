"""How every lagged link is tested and ranked by linear models, by how many windows there are."""

import numpy as np
from jaxtyping import Bool, Float

from jaxcause._typing import AnyArray
from jaxcause.stats._regression.ridge_path import ridge_path_evidence
from jaxcause.stats._regression.stepwise import stepwise_var
from jaxcause.stats._regression.vector_autoregression import VarFit, VarMoments

FEW_TO_TEST = 10
"""Windows per term below which links are tested beside terms that were chosen, not beside all."""
MOST_STEPWISE = 0.8
"""Largest weight of such tests in the ranking."""


def few_windows(moments: VarMoments) -> bool:
    """Whether there are fewer than 10 windows for each term of a regression on all of them."""
    return moments.n_windows < FEW_TO_TEST * (len(moments.gram) - 1)


def linear_tests(
    moments: VarMoments, *, allowed: Bool[AnyArray, "vars vars lags"] | None = None
) -> VarFit:
    """Tests of every lagged link: `fit_var`, or `stepwise_var` with few windows.

    From 10 windows per term on, each term is tested beside all others, below that beside those that
    forecast the target.

    Args:
        moments: Moments of the windows.
        allowed: ``[source, target, lag]``: the terms that take part, by default all.

    Source: the number of windows was chosen on simulated series, DREAM3 and NetSim; see
    ``benchmarks/results/short.md``.

    >>> from jaxcause.stats import var_moments
    >>> x = np.random.default_rng(0).normal(size=(40, 25)); x[1:, 2] += x[:-1, 0]
    >>> fit = linear_tests(var_moments(x, np.arange(39), max_lag=1))
    >>> np.argwhere(fit.q_value < 0.1).tolist()
    [[0, 2, 1]]
    """
    if few_windows(moments):
        return stepwise_var(moments, allowed=allowed)
    return moments.fit(allowed=allowed)


def linear_evidence(
    moments: VarMoments, *, allowed: Bool[AnyArray, "vars vars lags"] | None = None
) -> Float[np.ndarray, "vars vars lags"]:
    r"""How strongly each lagged term speaks for itself in linear models.

    .. math:: e^{1-w}\, |t|^w, \qquad w = 0.8 \min\left(1,\ 10\, c\, p / N\right)

    with `ridge_path_evidence` e and the t-statistics of `stepwise_var`, which chose c causes per
    variable (besides its own past) for N windows of p terms. t is worth more where few windows
    leave e vague, and nothing where no cause helps to forecast.

    Args:
        moments: Moments of the windows.
        allowed: ``[source, target, lag]``: the terms that take part, by default all.

    Source: w was chosen on simulated series, two of DREAM3, NetSim and CDML; see
    ``benchmarks/results/published.md``.

    >>> from jaxcause.stats import var_moments
    >>> x = np.random.default_rng(0).normal(size=(40, 25)); x[1:, 2] += x[:-1, 0]
    >>> evidence = linear_evidence(var_moments(x, np.arange(39), max_lag=1))
    >>> [int(k) for k in np.unravel_index(evidence.argmax(), evidence.shape)]
    [0, 2, 1]
    """
    evidence = ridge_path_evidence(moments, allowed=allowed)
    stepwise = stepwise_var(moments, allowed=allowed)
    n_vars, n_terms = len(moments.total), len(moments.gram) - 1
    others = np.asarray(stepwise.chosen) & ~np.eye(n_vars, dtype=bool)[:, :, None]
    causes = others.sum() / max(1, n_vars)
    weight = MOST_STEPWISE * min(1.0, FEW_TO_TEST * causes * n_terms / moments.n_windows)
    return evidence ** (1 - weight) * np.abs(stepwise.t_statistic) ** weight
