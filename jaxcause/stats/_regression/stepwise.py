"""Stepwise regressions of every variable on its past, and tests beside what they chose."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from jaxcause._typing import AnyArray
from jaxcause.stats._regression.standardised import (
    correlations,
    in_units,
    intercept_of,
    own_terms,
    terms_of,
)
from jaxcause.stats._regression.vector_autoregression import (
    DETERMINED,
    LEFT_OVER,
    VarFit,
    VarMoments,
    as_scores,
)

WINDOWS_PER_CHOICE = 3
"""Windows that each chosen term needs."""


def stepwise_var(
    moments: VarMoments,
    *,
    allowed: Bool[AnyArray, "vars vars lags"] | None = None,
) -> VarFit:
    r"""Each lagged term tested beside the few that forecast its target, instead of beside all.

    The lags of the target itself come first. Other terms are chosen one by one: the next is the one
    that lowers the residual variance :math:`\hat\sigma^2` of the target most, as long as the
    extended Bayesian information criterion

    .. math:: N \ln \hat\sigma^2 + k \ln N + 2 k \ln p

    of k chosen terms among p falls. Then every term is tested in a regression on the chosen ones
    and itself. Where N windows are few for p terms, a regression on all of them leaves each
    t-test few degrees of freedom, or none; here it has N − 2 − k.

    The tests do not know that terms were chosen with the same windows, so that a few more of them
    reject than their level says: on simulated series of 2 to 6 windows for each term, .10 to .17 of
    the edges at a false-discovery rate of .1 were false (see ``benchmarks/results/short.md``).

    Args:
        moments: Moments of the windows.
        allowed: ``[source, target, lag]``: the terms that take part, by default all; lag 0 is
            ignored.

    Returns:
        The fit. ``chosen`` holds the terms that forecasts are made of; the coefficient of any other
        term is the one that it would have beside them.

    Source: the criterion is that of Chen & Chen (2008), "Extended Bayesian information criteria for
    model selection with large model spaces" (γ = 1); Luo & Chen (2014), "Sequential Lasso cum EBIC
    for feature selection with ultra-high dimensional feature space", choose with it step by step.

    >>> from jaxcause.stats import var_moments
    >>> x = np.random.default_rng(0).normal(size=(40, 25)); x[1:, 2] += x[:-1, 0]
    >>> fit = stepwise_var(var_moments(x, np.arange(38), max_lag=2))  # 38 windows, 50 terms
    >>> np.argwhere(fit.q_value < 0.1).tolist()
    [[0, 2, 1]]
    """
    n_vars, (gram, cross) = len(moments.total), correlations(moments)
    terms = terms_of(moments, allowed)
    first = terms & own_terms(moments)
    beta, t, chosen = np.zeros(terms.shape), np.zeros(terms.shape), np.zeros(terms.shape, bool)
    for target in range(n_vars):
        found = _choose(
            gram, cross[:, target], terms[:, target], first[:, target], moments.n_windows
        )
        chosen[found.order, target] = True
        beta[:, target], t[:, target] = _tests(gram, cross[:, target], found, moments.n_windows)
    beta = in_units(moments, beta)
    return VarFit(
        coefficients=as_scores(beta, n_vars),
        intercept=intercept_of(moments, np.where(chosen, beta, 0.0)),
        t_statistic=as_scores(t, n_vars),
        degrees=np.maximum(moments.n_windows - 2 - chosen.sum(axis=0), 1),
        tested=as_scores(terms, n_vars),
        chosen=as_scores(chosen, n_vars),
    )


class _Chosen(NamedTuple):
    """Terms in the order in which they were chosen, and what they leave of the others.

    Args:
        order: The chosen terms.
        usable: Which others have something that the chosen ones do not determine.
        cross: Covariance of each term with the target, beside the chosen ones.
        own: Variance of each term beside them.
        left: Variance of the target that they leave.
    """

    order: list[int]
    usable: Bool[np.ndarray, "terms"]
    cross: Float[np.ndarray, "terms"]
    own: Float[np.ndarray, "terms"]
    left: float


def _choose(
    gram: Float[np.ndarray, "terms terms"],
    cross: Float[np.ndarray, "terms"],
    terms: Bool[np.ndarray, "terms"],
    first: Bool[np.ndarray, "terms"],
    n_windows: int,
) -> _Chosen:
    """Choose the terms of one target, the ``first`` ones before the others."""
    price = np.log(n_windows) + 2 * np.log(max(1, terms.sum()))
    cross, own, left = cross.copy(), gram.diagonal().copy(), 1.0
    order: list[int] = []
    rows: list[np.ndarray] = []
    while True:
        usable = terms & (own > LEFT_OVER)
        usable[order] = False
        waiting = usable & first
        if len(order) >= n_windows // WINDOWS_PER_CHOICE or not usable.any():
            break
        gain = np.zeros(len(own))
        np.divide(cross**2, own, out=gain, where=waiting if waiting.any() else usable)
        best = int(waiting.argmax()) if waiting.any() else int(gain.argmax())
        rest = max(left - gain[best], DETERMINED)
        if not waiting.any() and n_windows * np.log(left / rest) <= price:
            break
        # What this term has beside the chosen ones is taken out of the target and of all others.
        row = gram[best] - sum((earlier[best] * earlier for earlier in rows), np.zeros(len(own)))
        row /= np.sqrt(own[best])
        cross, own, left = cross - cross[best] / row[best] * row, own - row**2, rest
        rows.append(row)
        order.append(best)
        if left <= DETERMINED:
            usable[best] = False
            usable &= own > LEFT_OVER
            break
    return _Chosen(order, usable, cross, own, left)


def _tests(
    gram: Float[np.ndarray, "terms terms"],
    cross: Float[np.ndarray, "terms"],
    found: _Chosen,
    n_windows: int,
) -> tuple[Float[np.ndarray, "terms"], Float[np.ndarray, "terms"]]:
    """Coefficient and t-statistic of every term beside the chosen ones."""
    beta, t = np.zeros(len(cross)), np.zeros(len(cross))
    # One for the mean, and one for the term under test. Without any, nothing can be told.
    degrees = max(n_windows - 2 - len(found.order), 0)
    np.divide(found.cross, found.own, out=beta, where=found.usable)
    left = np.maximum(found.left - beta * found.cross, DETERMINED)
    t[found.usable] = (beta * np.sqrt(degrees * np.maximum(found.own, 0) / left))[found.usable]
    inverse = np.linalg.pinv(gram[np.ix_(found.order, found.order)], hermitian=True)
    beta[found.order] = inverse @ cross[found.order]
    if degrees > 0:
        error = np.sqrt(np.maximum(inverse.diagonal(), LEFT_OVER) * found.left / degrees)
        t[found.order] = beta[found.order] / error
    return beta, t
