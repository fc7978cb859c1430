"""The autoregression of every variable on its own past alone, with coefficients that all share."""

import numpy as np
from jaxtyping import Bool

from jaxcause._typing import AnyArray
from jaxcause.stats._regression.standardised import (
    correlations,
    in_units,
    intercept_of,
    own_terms,
    terms_of,
)
from jaxcause.stats._regression.vector_autoregression import VarFit, VarMoments, as_scores


def shared_own_past(
    moments: VarMoments, *, allowed: Bool[AnyArray, "vars vars lags"] | None = None
) -> VarFit:
    r"""Each standardised variable forecast from its own lags, by coefficients that all share.

    .. math:: x_i(t) = \sum_{\ell=1}^{L} a_\ell\, x_i(t-\ell) + e_i(t)

    With few windows for many variables this forecasts better than coefficients of their own. A
    network, whose weights all variables share, should be measured against it: what it forecasts
    better than this is more than persistence.

    Args:
        moments: Moments of the windows.
        allowed: ``[source, target, lag]``: the terms that take part, by default all.

    Returns:
        The fit; it has no t-statistics.

    >>> from jaxcause.stats import var_moments
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(400, 20))
    >>> for t in range(1, 400): x[t] += 0.5 * x[t - 1]
    >>> fit = shared_own_past(var_moments(x, np.arange(399), max_lag=1))
    >>> bool(abs(fit.coefficients[3, 3, 1] - 0.5) < 0.05), float(fit.coefficients[0, 1, 1])
    (True, 0.0)
    """
    n_vars, (gram, cross) = len(moments.total), correlations(moments)
    max_lag = (len(moments.gram) - 1) // n_vars
    own = own_terms(moments) & terms_of(moments, allowed)
    products, with_target = np.zeros((max_lag, max_lag)), np.zeros(max_lag)
    for target, used in enumerate(own.T):
        lags = np.arange(max_lag) * n_vars + target
        here = used[lags]
        products += gram[np.ix_(lags, lags)] * np.outer(here, here)
        with_target += cross[lags, target] * here
    shared = np.linalg.pinv(products, hermitian=True) @ with_target
    beta = in_units(moments, np.repeat(shared, n_vars)[:, None] * own)
    return VarFit(
        coefficients=as_scores(beta, n_vars),
        intercept=intercept_of(moments, beta),
        t_statistic=as_scores(np.zeros(own.shape), n_vars),
        degrees=np.full(n_vars, max(moments.n_windows - 1 - max_lag, 1)),
        tested=as_scores(own, n_vars),
    )
