"""Evidence of a linear effect, averaged over a path of penalties."""

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
from jaxcause.stats._regression.vector_autoregression import VarFit, VarMoments, as_scores

PENALTIES = (1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3)
"""Penalties per sample of standardised terms: from almost none, to one that leaves each term alone
with what the target does by itself."""
OWN_SHARE = 0.5
"""Share of its variance that a variable's own past must explain, in the median over variables, for
that past to be left out of the penalty."""
SMALLEST = 1e-12
"""Smallest |t| and smallest share of a variance, so that logarithms and quotients are finite."""
SMALLEST_SHARE_LEFT = 1e-3
"""Smallest share of the windows that a fit leaves free, in cross-validation."""


def ridge_path_evidence(
    moments: VarMoments, *, allowed: Bool[AnyArray, "vars vars lags"] | None = None
) -> Float[np.ndarray, "vars vars lags"]:
    r"""How strongly each lagged term speaks for itself, under light and heavy penalties alike.

    Terms and targets are standardised, and for each penalty λ the ridge autoregression

    .. math:: \hat\beta_i = (G + \lambda D_i)^{-1} c_i, \qquad
        t_{ki}(\lambda) = \frac{|\hat\beta_{ki}|}
        {\hat\sigma_i \sqrt{[(G + \lambda D_i)^{-1}]_{kk}}}

    is fitted, with the correlations G of the terms and :math:`c_i` with the target. The evidence is
    the geometric mean of :math:`t_{ki}(\lambda)` over λ from the one of 0.01, 0.1, … 1,000 that
    forecasts best, by generalised cross-validation, to 1,000. A light penalty asks what a term adds
    to all others, which decides where windows are many and terms differ; where windows are few, t
    under a penalty that is too light to forecast with is chance. A heavy one asks what a term says
    alone, which is all that short or smooth series can tell. A term that stands out under both
    comes first.

    :math:`D_i` is the identity. If the own past of the variables explains more than half of their
    variance (in the median), the own lags of the target are left out of it: otherwise a heavy
    penalty would give every other variable the credit for the persistence of the target.

    Args:
        moments: Moments of the windows.
        allowed: ``[source, target, lag]``: the terms that take part, by default all; lag 0 is
            ignored.

    Returns:
        The evidence ``[source, target, lag]``; zero at lag 0, of terms that are not allowed, and of
        constant columns.

    Source: the t-statistic is that of Bayesian ridge regression, the cross-validation that of
    Golub, Heath & Wahba (1979), "Generalized cross-validation as a method for choosing a good ridge
    parameter"; the mean over penalties and the free own past are ours, chosen on published series
    (see ``benchmarks/results/published.md``).

    >>> from jaxcause.stats import var_moments
    >>> x = np.random.default_rng(0).normal(size=(300, 3)); x[1:, 2] += x[:-1, 0]
    >>> evidence = ridge_path_evidence(var_moments(x, np.arange(299), max_lag=1))
    >>> [int(k) for k in np.unravel_index(evidence.argmax(), evidence.shape)]
    [0, 2, 1]
    """
    n_vars, (gram, cross) = len(moments.total), correlations(moments)
    terms, own = terms_of(moments, allowed), own_terms(moments)
    free = own & (np.median(_explained_by_own(gram, cross, own & terms)) > OWN_SHARE)
    # Targets with the same terms share the inverses.
    groups, of_target = np.unique(terms.T, axis=0, return_inverse=True)
    least, total, evidence = np.inf, np.zeros(terms.shape), np.zeros(terms.shape)
    for n_penalties, penalty in enumerate(reversed(PENALTIES), start=1):
        error = np.zeros(n_vars)
        for number, used in enumerate(groups):
            targets = np.flatnonzero(np.ravel(of_target) == number)
            block = np.ix_(used, targets)
            parts = gram[np.ix_(used, used)], cross[block], free[block]
            t, error[targets] = _t_statistics(*parts, moments.n_windows, penalty)
            total[block] += np.log(np.maximum(t, SMALLEST))
        if np.mean(error) < least:
            least = float(np.mean(error))
            evidence = np.where(terms, np.exp(total / n_penalties), 0.0)
    return as_scores(np.where((cross == 0).all(axis=1)[:, None], 0.0, evidence), n_vars)


def ridge_beside_own_past(
    moments: VarMoments,
    penalty: float,
    *,
    allowed: Bool[AnyArray, "vars vars lags"] | None = None,
) -> VarFit:
    """The ridge autoregression whose penalty leaves out the own past of each target.

    For short panels: a heavy penalty is then a model of each variable by itself.

    Args:
        moments: Moments of the windows.
        penalty: Penalty per sample of standardised terms.
        allowed: ``[source, target, lag]``: the terms that take part, by default all.

    Returns:
        The fit; it has no t-statistics.

    >>> from jaxcause.stats import var_moments
    >>> x = np.random.default_rng(0).normal(size=(30, 3)); x[1:] += 0.8 * x[:-1]
    >>> fit = ridge_beside_own_past(var_moments(x, np.arange(29), max_lag=1), 1e6)
    >>> fit.coefficients[:, :, 1].round(3).astype(bool).tolist()
    [[True, False, False], [False, True, False], [False, False, True]]
    """
    n_vars, (gram, cross) = len(moments.total), correlations(moments)
    terms, own = terms_of(moments, allowed), own_terms(moments)
    beta = np.zeros(terms.shape)
    groups, of_target = np.unique(terms.T, axis=0, return_inverse=True)
    for number, used in enumerate(groups):
        targets = np.flatnonzero(np.ravel(of_target) == number)
        block = np.ix_(used, targets)
        if used.any():
            beta[block] = _solved(gram[np.ix_(used, used)], cross[block], own[block], penalty).beta
    beta = in_units(moments, beta)
    return VarFit(
        coefficients=as_scores(beta, n_vars),
        intercept=intercept_of(moments, beta),
        t_statistic=as_scores(np.zeros(terms.shape), n_vars),
        degrees=np.maximum(moments.n_windows - 1 - terms.sum(axis=0), 1),
        tested=as_scores(terms, n_vars),
    )


def _explained_by_own(
    gram: np.ndarray, cross: np.ndarray, own: Bool[np.ndarray, "terms vars"]
) -> Float[np.ndarray, "vars"]:
    """Share of the variance of each variable that its own lags explain."""
    share = np.zeros(own.shape[1])
    for target, lags in enumerate(own.T):
        c = cross[lags, target]
        share[target] = c @ np.linalg.pinv(gram[np.ix_(lags, lags)], hermitian=True) @ c
    return share


def _t_statistics(
    gram: Float[np.ndarray, "terms terms"],
    cross: Float[np.ndarray, "terms targets"],
    free: Bool[np.ndarray, "terms targets"],
    n_windows: int,
    penalty: float,
) -> tuple[Float[np.ndarray, "terms targets"], Float[np.ndarray, "targets"]]:
    """|t| under one penalty, of which the ``free`` terms are exempt; log cross-validated error."""
    beta, diagonal, used = _solved(gram, cross, free, penalty)
    explained = ((2 * cross - gram @ beta) * beta).sum(axis=0)
    degrees = np.maximum(n_windows - 1 - used, 1.0)
    variance = np.maximum(1 - explained, SMALLEST) * n_windows / degrees
    error = np.sqrt(np.maximum(diagonal, SMALLEST) * variance / n_windows)
    left = np.maximum(1 - used / n_windows, SMALLEST_SHARE_LEFT)
    return np.abs(beta) / error, np.log(np.maximum(1 - explained, SMALLEST)) - 2 * np.log(left)


class _Solution(NamedTuple):
    """Coefficients, the diagonal of the inverse for each target, and degrees of freedom used."""

    beta: Float[np.ndarray, "terms targets"]
    diagonal: Float[np.ndarray, "terms targets"]
    used: Float[np.ndarray, "targets"]


def _solved(
    gram: Float[np.ndarray, "terms terms"],
    cross: Float[np.ndarray, "terms targets"],
    free: Bool[np.ndarray, "terms targets"],
    penalty: float,
) -> _Solution:
    """The ridge regression of each target whose ``free`` terms are exempt from the penalty.

    The exemption changes the penalised matrix in a block of the free terms alone, so that
    Woodbury's identity corrects the common inverse.
    """
    inverse = np.linalg.inv(gram + penalty * np.eye(len(gram)))
    beta, diagonal = inverse @ cross, np.tile(np.diag(inverse)[:, None], cross.shape[1])
    used = np.full(cross.shape[1], np.sum(inverse * gram))
    for target, lags in enumerate(free.T):
        if not lags.any():
            continue
        columns, block = inverse[:, lags], inverse[np.ix_(lags, lags)]
        inner = np.linalg.pinv(np.eye(lags.sum()) / penalty - block, hermitian=True)
        step = columns @ inner
        beta[:, target] += step @ (columns.T @ cross[:, target])
        diagonal[:, target] += (step * columns).sum(axis=1)
        # gram @ inverse = identity - penalty * inverse
        used[target] += np.trace(inner @ (block - penalty * columns.T @ columns))
    return _Solution(beta, diagonal, used)
