"""Evidence of a linear effect, averaged over a path of penalties."""

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxcause._typing import AnyArray
from jaxcause.stats._regression.standardised import (
    correlations,
    in_units,
    intercept_of,
    own_terms,
    terms_of,
)
from jaxcause.stats._regression.vector_autoregression import (
    VarFit,
    VarMoments,
    as_scores,
    var_moments,
)

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3)
"""Penalties per sample of standardised terms: from almost none, to one that leaves each term alone
with what the target does by itself."""
WORSE = 300.0
"""How much worse a penalty must forecast to count 1/e as much: N times the difference of the mean
log squared errors. With normal noise that is twice a difference of log-likelihoods."""
N_BLOCKS = 4
"""Blocks of windows, one after the other in time, for cross-validation."""
OWN_SHARE = 0.5
"""Share of its variance that a variable's own past must explain, in the median over variables, for
that past to be left out of the penalty."""
SMALLEST = 1e-12
"""Smallest |t| and smallest share of a variance, so that logarithms and quotients are finite."""
SMALLEST_SHARE_LEFT = 1e-3
"""Smallest share of the windows that a fit leaves free, in cross-validation."""


def blocks_in_time(
    series: Float[np.ndarray, "time vars"],
    starts: Int[np.ndarray, "windows"],
    *,
    max_lag: int,
    weights: Float[np.ndarray, "windows"] | None = None,
) -> list[VarMoments]:
    """Moments of four blocks of windows, one after the other in time; of fewer if windows are few.

    Args:
        series: Values; rows of a window must be complete.
        starts: First row of each window of ``max_lag + 1`` rows, in any order.
        max_lag: Number of lags.
        weights: How often each window counts; their mean is 1. By default all count once.

    >>> x = np.random.default_rng(0).normal(size=(42, 2))
    >>> [block.n_windows for block in blocks_in_time(x, np.arange(41), max_lag=1)]
    [11, 10, 10, 10]
    """

    def moments_of(block: Int[np.ndarray, "windows"]) -> VarMoments:
        counts = None if weights is None else weights[block]
        return var_moments(series, starts[block], max_lag=max_lag, weights=counts)

    n_blocks = max(1, min(N_BLOCKS, len(starts) // 2))
    in_time = np.argsort(starts, kind="stable")
    return [moments_of(block) for block in np.array_split(in_time, n_blocks)]


def ridge_path_evidence(
    moments: VarMoments,
    *,
    allowed: Bool[AnyArray, "vars vars lags"] | None = None,
    blocks: Sequence[VarMoments] = (),
) -> Float[np.ndarray, "vars vars lags"]:
    r"""How strongly each lagged term speaks for itself, under light and heavy penalties alike.

    Terms and targets are standardised, and for each penalty λ the ridge autoregression

    .. math:: \hat\beta_i = (G + \lambda D_i)^{-1} c_i, \qquad
        t_{ki}(\lambda) = \frac{|\hat\beta_{ki}|}
        {\hat\sigma_i \sqrt{[(G + \lambda D_i)^{-1}]_{kk}}}

    is fitted, with the correlations G of the terms and :math:`c_i` with the target. The evidence is
    the weighted geometric mean of :math:`t_{ki}(\lambda)` over λ from the best one
    :math:`\lambda^*` of 0.0001, 0.001, … 1,000 to 1,000, with weights

    .. math:: w(\lambda) = \exp(-N [\bar e(\lambda) - \bar e(\lambda^*)] / 300),

    where :math:`\bar e` is the mean over targets of the logarithm of the cross-validated squared
    error. A light penalty asks what a term adds to all others, which decides where windows are many
    and terms differ; where windows are few, t under a penalty that is too light to forecast with is
    chance. A heavy one asks what a term says alone, which is all that short or smooth series can
    tell, and it counts as far as it still forecasts. A term that stands out under both comes first.

    The error is that of ``blocks`` of windows, each forecast from the others. Without blocks it is
    that of generalised cross-validation, which takes the errors of different windows to be
    independent, and so prefers penalties that are too light for smooth series.

    :math:`D_i` is the identity. If the own past of the variables explains more than half of their
    variance (in the median), the own lags of the target are left out of it: otherwise a heavy
    penalty would give every other variable the credit for the persistence of the target.

    Args:
        moments: Moments of the windows.
        allowed: ``[source, target, lag]``: the terms that take part, by default all; lag 0 is
            ignored.
        blocks: Moments of parts of the windows, such as `blocks_in_time`; their sum is ``moments``.

    Returns:
        The evidence ``[source, target, lag]``; zero at lag 0, of terms that are not allowed, and of
        constant columns.

    Source: the t-statistic is that of Bayesian ridge regression, cross-validation by blocks that of
    Burman, Chow & Nolan (1994), "A cross-validatory method for dependent data", without blocks that
    of Golub, Heath & Wahba (1979), "Generalized cross-validation as a method for choosing a good
    ridge parameter"; the mean over penalties and the free own past are ours, chosen on published
    series (see ``benchmarks/results/published.md``).

    >>> from jaxcause.stats import var_moments
    >>> x = np.random.default_rng(0).normal(size=(300, 3)); x[1:, 2] += x[:-1, 0]
    >>> evidence = ridge_path_evidence(var_moments(x, np.arange(299), max_lag=1))
    >>> [int(k) for k in np.unravel_index(evidence.argmax(), evidence.shape)]
    [0, 2, 1]
    """
    return ridge_path(moments, allowed=allowed, blocks=blocks).evidence


class RidgePath(NamedTuple):
    """Ridge regressions of all targets under each of the `PENALTIES`.

    Args:
        logs: Logarithms of |t|.
        errors: Logarithms of the cross-validated squared errors.
        used: The terms of each target, but for constant ones.
        n_windows: Number of windows.
    """

    logs: Float[np.ndarray, "penalties terms vars"]
    errors: Float[np.ndarray, "penalties vars"]
    used: Bool[np.ndarray, "terms vars"]
    n_windows: int

    def with_targets(self, other: "RidgePath", targets: list[int]) -> "RidgePath":
        """The path in which some targets are those of another path."""
        logs, errors = self.logs.copy(), self.errors.copy()
        logs[:, :, targets] = other.logs[:, :, targets]
        errors[:, targets] = other.errors[:, targets]
        return self._replace(logs=logs, errors=errors)

    @property
    def evidence(self) -> Float[np.ndarray, "vars vars lags"]:
        """The weighted mean over penalties, with the same weights for all targets."""
        errors = self.errors.mean(axis=1)
        best = len(errors) - 1 - int(np.argmin(errors[::-1]))
        weights = np.exp(-(errors[best:] - errors[best]) * self.n_windows / WORSE)
        mean = np.tensordot(weights / weights.sum(), self.logs[best:], axes=1)
        return as_scores(np.where(self.used, np.exp(mean), 0.0), self.used.shape[1])


def ridge_path(
    moments: VarMoments,
    *,
    allowed: Bool[AnyArray, "vars vars lags"] | None = None,
    blocks: Sequence[VarMoments] = (),
) -> RidgePath:
    """The regressions of `ridge_path_evidence`, whose arguments these are."""
    gram, cross = correlations(moments)
    terms, own = terms_of(moments, allowed), own_terms(moments)
    free = own & (np.median(_explained_by_own(gram, cross, own & terms)) > OWN_SHARE)
    logs = np.zeros((len(PENALTIES), *terms.shape))
    errors = np.zeros((len(PENALTIES), terms.shape[1]))
    for number, penalty in enumerate(PENALTIES):
        fitted = _ridge_of_all(moments, terms, free, penalty)
        logs[number] = np.log(np.maximum(fitted.t, SMALLEST))
        apart = _error_of_blocks(moments, blocks, terms, free, penalty)
        errors[number] = fitted.error if apart is None else apart
    varies = (cross != 0).any(axis=1)[:, None]
    return RidgePath(logs, errors, terms & varies, moments.n_windows)


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
    n_vars, terms = len(moments.total), terms_of(moments, allowed)
    beta = _ridge_of_all(moments, terms, own_terms(moments), penalty).beta
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


class _Ridge(NamedTuple):
    """Ridge regressions of all targets under one penalty, of standardised terms and targets.

    Args:
        beta: Coefficients; 0 of terms that a target does not have.
        t: Their size over their standard error.
        error: Logarithm of the squared error, by generalised cross-validation.
    """

    beta: Float[np.ndarray, "terms vars"]
    t: Float[np.ndarray, "terms vars"]
    error: Float[np.ndarray, "vars"]


def _ridge_of_all(
    moments: VarMoments,
    terms: Bool[np.ndarray, "terms vars"],
    free: Bool[np.ndarray, "terms vars"],
    penalty: float,
) -> _Ridge:
    """Regress every target on its ``terms``, of which the ``free`` ones are not penalised."""
    (gram, cross), n = correlations(moments), moments.n_windows
    beta, t, error = np.zeros(terms.shape), np.zeros(terms.shape), np.zeros(terms.shape[1])
    # Targets with the same terms share the inverses.
    groups, of_target = np.unique(terms.T, axis=0, return_inverse=True)
    for number, used in enumerate(groups):
        targets = np.flatnonzero(np.ravel(of_target) == number)
        block, products = np.ix_(used, targets), gram[np.ix_(used, used)]
        solved = _solved(products, cross[block], free[block], penalty)
        explained = ((2 * cross[block] - products @ solved.beta) * solved.beta).sum(axis=0)
        missed = np.maximum(1 - explained, SMALLEST)
        variance = missed * n / np.maximum(n - 1 - solved.used, 1.0)
        spread = np.sqrt(np.maximum(solved.diagonal, SMALLEST) * variance / n)
        beta[block], t[block] = solved.beta, np.abs(solved.beta) / spread
        left = np.maximum(1 - solved.used / n, SMALLEST_SHARE_LEFT)
        error[targets] = np.log(missed) - 2 * np.log(left)
    return _Ridge(beta, t, error)


def _error_of_blocks(
    moments: VarMoments,
    blocks: Sequence[VarMoments],
    terms: Bool[np.ndarray, "terms vars"],
    free: Bool[np.ndarray, "terms vars"],
    penalty: float,
) -> Float[np.ndarray, "vars"] | None:
    """Logarithm of the squared error of each target, every block forecast from the others.

    As a share of the variance of the target. None if there are not two blocks.
    """
    if len(blocks) < 2:
        return None
    missed = np.zeros(terms.shape[1])
    for number, block in enumerate(blocks):
        others = reduce(add, [b for k, b in enumerate(blocks) if k != number])
        beta = in_units(others, _ridge_of_all(others, terms, free, penalty).beta)
        beta = np.vstack([beta, intercept_of(others, beta)])
        missed += block.total + ((block.gram @ beta - 2 * block.cross) * beta).sum(axis=0)
    count = moments.gram[-1, -1]
    variance = moments.total - moments.cross[-1] ** 2 / count
    share = np.divide(missed, variance, out=np.ones_like(missed), where=variance > SMALLEST * count)
    return np.log(np.maximum(share, SMALLEST))


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
