"""How every lagged link is tested and ranked by linear models, by how many windows there are."""

import numpy as np
from jaxtyping import Bool, Float

from jaxcause._typing import AnyArray
from jaxcause.stats._regression.ridge_path import ridge_path_evidence
from jaxcause.stats._regression.stepwise import stepwise_var
from jaxcause.stats._regression.vector_autoregression import VarFit, VarMoments

FEW_TO_TEST = 10
"""Windows per term below which links are tested beside terms that were chosen, not beside all."""
FEW_TO_RANK = 5
"""Windows per term below which such tests count in the ranking, too."""


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
    if moments.n_windows < FEW_TO_TEST * (len(moments.gram) - 1):
        return stepwise_var(moments, allowed=allowed)
    return moments.fit(allowed=allowed)


def linear_evidence(
    moments: VarMoments, *, allowed: Bool[AnyArray, "vars vars lags"] | None = None
) -> Float[np.ndarray, "vars vars lags"]:
    r"""How strongly each lagged term speaks for itself in linear models.

    It is `ridge_path_evidence` e. With fewer than 5 windows per term it is
    :math:`(e\, |t|^2)^{1/3}` with the t-statistics of `stepwise_var`.

    Args:
        moments: Moments of the windows.
        allowed: ``[source, target, lag]``: the terms that take part, by default all.

    Source: weights and number of windows were chosen on simulated series, two of DREAM3 and NetSim;
    see ``benchmarks/results/short.md``.

    >>> from jaxcause.stats import var_moments
    >>> x = np.random.default_rng(0).normal(size=(40, 25)); x[1:, 2] += x[:-1, 0]
    >>> evidence = linear_evidence(var_moments(x, np.arange(39), max_lag=1))
    >>> [int(k) for k in np.unravel_index(evidence.argmax(), evidence.shape)]
    [0, 2, 1]
    """
    evidence = ridge_path_evidence(moments, allowed=allowed)
    if moments.n_windows >= FEW_TO_RANK * (len(moments.gram) - 1):
        return evidence
    beside = stepwise_var(moments, allowed=allowed, own_past="auto").t_statistic
    return np.cbrt(evidence * beside**2)
