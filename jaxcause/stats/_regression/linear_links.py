"""How every lagged link is tested and ranked by linear models, by how many windows there are."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from jaxcause._typing import AnyArray
from jaxcause.stats._regression.ridge_path import ridge_path_evidence
from jaxcause.stats._regression.standardised import terms_of
from jaxcause.stats._regression.stepwise import stepwise_var
from jaxcause.stats._regression.vector_autoregression import VarFit, VarMoments

FEW_TO_TEST = 10
"""Windows per term below which links are tested beside terms that were chosen, not beside all."""
MOST_STEPWISE = 0.8
"""Largest weight of such tests in the ranking."""


def windows_per_term(
    moments: VarMoments, allowed: Bool[AnyArray, "vars vars lags"] | None = None
) -> float:
    """Windows for each term of the largest regression on all ``allowed`` terms, by default all."""
    return moments.n_windows / max(1, int(terms_of(moments, allowed).sum(axis=0).max(initial=0)))


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
    if windows_per_term(moments, allowed) < FEW_TO_TEST:
        return stepwise_var(moments, allowed=allowed)
    return moments.fit(allowed=allowed)


def linear_evidence(
    moments: VarMoments,
    *,
    allowed: Bool[AnyArray, "vars vars lags"] | None = None,
    blocks: Sequence[VarMoments] = (),
) -> Float[np.ndarray, "vars vars lags"]:
    r"""How strongly each lagged term speaks for itself in linear models.

    .. math:: e^{1-w}\, |t|^w, \qquad w = 0.8 \min\left(1,\ 10\, c\, p / N\right)

    with `ridge_path_evidence` e and the t-statistics of `stepwise_var`, which chose c causes per
    variable (besides its own past) for N windows and p terms of a target. t is worth more where few
    windows leave e vague, and nothing where no cause helps to forecast.

    Args:
        moments: Moments of the windows.
        allowed: ``[source, target, lag]``: the terms that take part, by default all.
        blocks: Moments of parts of the windows; see `ridge_path_evidence`.

    Source: w was chosen on simulated series, two of DREAM3, NetSim and CDML; see
    ``benchmarks/results/published.md``.

    >>> from jaxcause.stats import var_moments
    >>> x = np.random.default_rng(0).normal(size=(40, 25)); x[1:, 2] += x[:-1, 0]
    >>> evidence = linear_evidence(var_moments(x, np.arange(39), max_lag=1))
    >>> [int(k) for k in np.unravel_index(evidence.argmax(), evidence.shape)]
    [0, 2, 1]
    """
    evidence = ridge_path_evidence(moments, allowed=allowed, blocks=blocks)
    stepwise = stepwise_var(moments, allowed=allowed)
    others = ~np.eye(len(moments.total), dtype=bool)[:, :, None]
    causes = (np.asarray(stepwise.chosen) & others).sum()
    per_variable = causes / max(1, len(moments.total))
    few = FEW_TO_TEST / windows_per_term(moments, allowed)
    weight = MOST_STEPWISE * min(1.0, per_variable * few)
    return evidence ** (1 - weight) * np.abs(stepwise.t_statistic) ** weight
