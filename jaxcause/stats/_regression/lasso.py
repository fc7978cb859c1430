"""Sparse linear vector autoregression."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Bool, Float, Int

from jaxcause._checks import InputError, check_at_least
from jaxcause._namespace import namespace, on_host, while_loop
from jaxcause._small_work import numpy_or_xla
from jaxcause._stored import AnyRows
from jaxcause._typing import AnyArray
from jaxcause.stats._regression.vector_autoregression import as_scores, checked_terms

BLOCK = 4096
"""Windows that are held at a time."""

SECONDS_PER_TERM = 4e-3
"""Of numpy for a path of 30 penalties, of which each takes some ten sweeps."""


class LassoFit(NamedTuple):
    """A sparse vector autoregression; ``coefficients`` are ``[source, target, lag]``, 0 at lag 0.

    Args:
        coefficients: Of the last fit, on all windows.
        intercept: One per variable.
        penalty: The penalty λ chosen for each variable.
        penalties: The grid for each variable, falling from the smallest λ that removes everything.
        error: Mean squared held-out error for each λ of the grid.
        n_sweeps: Coordinate sweeps that the last fit took.
        above_penalty: Terms whose pull on the target exceeds λ: those that the penalty keeps, or,
            of required ones, would keep.
    """

    coefficients: Float[np.ndarray, "vars vars lags"]
    intercept: Float[np.ndarray, "vars"]
    penalty: Float[np.ndarray, "vars"]
    penalties: Float[np.ndarray, "grid vars"]
    error: Float[np.ndarray, "grid vars"]
    n_sweeps: int
    above_penalty: Bool[np.ndarray, "vars vars lags"]


class _Moments(NamedTuple):
    """Means and centred second moments of lagged terms and targets, per window."""

    term_mean: Float[np.ndarray, "terms"]
    target_mean: Float[np.ndarray, "vars"]
    gram: Float[np.ndarray, "terms terms"]
    cross: Float[np.ndarray, "terms vars"]
    power: Float[np.ndarray, "vars"]


def fit_lasso_var(
    series: Float[AnyRows, "time vars"],
    train: Int[np.ndarray, "windows"],
    held_out: Int[np.ndarray, "later_windows"],
    *,
    max_lag: int,
    n_penalties: int = 30,
    ratio: float = 1e-3,
    tolerance: float = 1e-8,
    max_sweeps: int = 2000,
    allowed: Bool[AnyArray, "vars vars lags"] | None = None,
    required: Bool[AnyArray, "vars vars lags"] | None = None,
) -> LassoFit:
    r"""Fit a vector autoregression with an L1 penalty, chosen per variable on later windows.

    .. math:: \min_{c, W} \frac{1}{2N} \sum_t \Bigl(x_i(t) - c_i -
        \sum_{j,\ell} W_{ji\ell}\, x_j(t-\ell)\Bigr)^2 + \lambda_i \sum_{j,\ell} |W_{ji\ell}|

    Cyclic coordinate descent on the moments, all targets at once, along a grid of λ from
    :math:`\max |Z^\top y| / N` down to ``ratio`` times that, each started at the one before. The λ
    with the smallest error on ``held_out`` is used again on all windows. Terms are not scaled:
    standardise the series first.

    Args:
        series: Values; rows of a window must be complete.
        train: First row of each window of ``max_lag + 1`` rows to fit the grid on.
        held_out: First rows of the later windows that choose λ.
        max_lag: Number of lags L.
        n_penalties: Size of the grid.
        ratio: Smallest λ as a share of the largest.
        tolerance: A fit ends when a sweep moves no coefficient by more.
        max_sweeps: A fit ends after so many sweeps at the latest.
        allowed: ``[source, target, lag]``: the only terms that take part; lag 0 is ignored.
        required: ``[source, target, lag]``: terms without penalty; lag 0 is ignored.

    Raises:
        InputError: ``train`` or ``held_out`` has fewer than two windows, or ``allowed`` or
            ``required`` has another shape.

    Source: Tibshirani (1996), "Regression shrinkage and selection via the lasso"; Friedman, Hastie
    & Tibshirani (2010), "Regularization paths for generalized linear models via coordinate
    descent".

    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(500, 2)); x[1:, 1] += 0.9 * x[:-1, 0]
    >>> fit = fit_lasso_var(x, np.arange(400), np.arange(402, 498), max_lag=1)
    >>> bool(abs(fit.coefficients[0, 1, 1] - 0.9) < 0.15)
    True
    """
    check_at_least("n_penalties", n_penalties, 2)
    if min(len(train), len(held_out)) < 2:
        raise InputError(
            f"train has {len(train)} and held_out {len(held_out)} windows, but both need at least "
            "2; give a longer series or a smaller max_lag"
        )
    n_vars = series.shape[1]
    weight = _weights(allowed, required, n_vars, max_lag)
    fitted, held_out_moments = (_moments(series, starts, max_lag) for starts in (train, held_out))
    begin = _without_penalised(fitted, weight)
    pull = np.where(np.isfinite(weight) & (weight > 0), fitted.cross - fitted.gram @ begin, 0)
    largest = np.maximum(np.abs(pull).max(axis=0), np.finfo(np.float64).tiny)
    penalties = largest * np.geomspace(1, ratio, n_penalties)[:, None]
    with jax.enable_x64(True):
        path = _path(fitted.gram, fitted.cross, penalties, weight, begin, tolerance, max_sweeps)
        error = np.stack([_held_out_error(beta, fitted, held_out_moments) for beta in path])
        best = error.argmin(axis=0)
        penalty = penalties[best, np.arange(len(best))]
        everything = _moments(series, np.concatenate([train, held_out]), max_lag)
        start = np.ascontiguousarray(path[best, :, np.arange(len(best))].T)
        beta, n_sweeps = _coordinate_descent(
            everything.gram, everything.cross, penalty * weight, start, tolerance, max_sweeps
        )
    # What a coordinate step shrinks: of a required term more than λ only if λ would keep it.
    pulled = np.abs(np.diag(everything.gram)[:, None] * beta) > np.where(weight == 0, penalty, 0)
    return LassoFit(
        coefficients=as_scores(beta, n_vars),
        above_penalty=as_scores(pulled, n_vars),
        intercept=everything.target_mean - everything.term_mean @ beta,
        penalty=penalty,
        penalties=penalties,
        error=error,
        n_sweeps=int(n_sweeps),
    )


def _weights(
    allowed: Bool[AnyArray, "vars vars lags"] | None,
    required: Bool[AnyArray, "vars vars lags"] | None,
    n_vars: int,
    max_lag: int,
) -> Float[np.ndarray, "terms vars"]:
    """What λ is multiplied by: 0 of required terms, infinity of those that take no part, else 1."""
    weight = np.ones((n_vars * max_lag, n_vars))
    if required is not None:
        weight[checked_terms("required", required, n_vars, max_lag)] = 0.0
    if allowed is not None:
        weight[~checked_terms("allowed", allowed, n_vars, max_lag)] = np.inf
    return weight


def _without_penalised(
    fitted: _Moments, weight: Float[np.ndarray, "terms vars"]
) -> Float[np.ndarray, "terms vars"]:
    """The fit of each variable on its required terms alone, with which the path begins."""
    beta = np.zeros(weight.shape)
    for target in np.flatnonzero((weight == 0).any(axis=0)):
        free = weight[:, target] == 0
        gram, cross = fitted.gram[np.ix_(free, free)], fitted.cross[free, target]
        beta[free, target] = np.linalg.lstsq(gram, cross, rcond=None)[0]
    return beta


def _moments(series: AnyRows, starts: np.ndarray, max_lag: int) -> _Moments:
    blocks = [starts[first : first + BLOCK] for first in range(0, len(starts), BLOCK)]
    n_vars = series.shape[1]
    mean = np.zeros((max_lag + 1) * n_vars)
    for block in blocks:
        mean += _windows(series, block, max_lag).sum(axis=0) / len(starts)
    second = np.zeros((len(mean), len(mean)))
    for block in blocks:
        centred = _windows(series, block, max_lag) - mean
        second += centred.T @ centred
    second /= len(starts)
    now, past = slice(0, n_vars), slice(n_vars, None)
    return _Moments(
        mean[past], mean[now], second[past, past], second[past, now], np.diag(second[now, now])
    )


def _windows(series: AnyRows, starts: np.ndarray, max_lag: int) -> np.ndarray:
    rows = starts[:, None] + np.arange(max_lag, -1, -1)
    return np.asarray(series[rows], np.float64).reshape(len(starts), -1)


def _held_out_error(
    beta: np.ndarray, fitted: _Moments, held_out_moments: _Moments
) -> Float[np.ndarray, "vars"]:
    """Mean squared error on held-out windows, with the intercept of the fitted ones."""
    shift = (
        held_out_moments.target_mean
        - fitted.target_mean
        - (held_out_moments.term_mean - fitted.term_mean) @ beta
    )
    explained = ((held_out_moments.gram @ beta - 2 * held_out_moments.cross) * beta).sum(axis=0)
    return held_out_moments.power + explained + shift**2


@numpy_or_xla(lambda shape: SECONDS_PER_TERM * shape[0], price=0.5)
def _path(
    gram: Float[AnyArray, "terms terms"],
    cross: Float[AnyArray, "terms vars"],
    penalties: Float[AnyArray, "grid vars"],
    weight: Float[AnyArray, "terms vars"],
    start: Float[AnyArray, "terms vars"],
    tolerance: float | Float[Array, ""],
    max_sweeps: int | Int[Array, ""],
) -> Float[AnyArray, "grid terms vars"]:
    """The fit for each penalty of the grid, each started at the one before."""

    def one(beta: AnyArray, penalty: AnyArray) -> tuple[AnyArray, AnyArray]:
        beta = _coordinate_descent.formula(
            gram, cross, penalty[None] * weight, beta, tolerance, max_sweeps
        )[0]
        return beta, beta

    if not on_host(gram, cross, penalties):
        return lax.scan(one, start, penalties)[1]
    path = [start]
    for penalty in penalties:
        path.append(one(path[-1], penalty)[0])
    return np.stack(path[1:])


@numpy_or_xla(lambda shape: SECONDS_PER_TERM / 10 * shape[0], price=0.4)
def _coordinate_descent(
    gram: Float[AnyArray, "terms terms"],
    cross: Float[AnyArray, "terms vars"],
    penalty: Float[AnyArray, "terms vars"],
    start: Float[AnyArray, "terms vars"],
    tolerance: float | Float[Array, ""],
    max_sweeps: int | Int[Array, ""],
) -> tuple[Float[AnyArray, "terms vars"], Int[AnyArray, ""] | int]:
    """Cyclic coordinate descent from ``start``, all targets at once, a penalty for each term."""
    xp = namespace(gram, cross, penalty, start)
    curvature = xp.diagonal(gram)
    flat = curvature <= 0
    curvature = xp.where(flat, xp.ones_like(curvature), curvature)

    def coordinate(k: Any, beta: AnyArray) -> AnyArray:
        """The best coefficients of one term, given all others."""
        pull = cross[k] - gram[k] @ beta + gram[k, k] * beta[k]
        shrunk = xp.sign(pull) * xp.maximum(xp.abs(pull) - penalty[k], 0) / curvature[k]
        return xp.where(flat[k], xp.zeros_like(shrunk), shrunk)

    def sweep(carry: tuple[AnyArray, Any, Any]) -> tuple[AnyArray, Any, Any]:
        before, _, n_sweeps = carry
        if xp is np:
            beta = np.array(before)
            for k in range(len(gram)):
                beta[k] = coordinate(k, beta)
        else:
            beta = lax.fori_loop(
                0, len(gram), lambda k, b: b.at[k].set(coordinate(k, b)), jnp.asarray(before)
            )
        return beta, xp.abs(beta - before).max(initial=0), n_sweeps + 1

    def unfinished(carry: tuple[AnyArray, Any, Any]) -> Any:
        return (carry[1] > tolerance) & (carry[2] < max_sweeps)

    none = 0 if xp is np else jnp.zeros((), jnp.int32)
    first = (start, xp.asarray(xp.inf, start.dtype), none)
    beta, _, n_sweeps = while_loop(unfinished, sweep, first)
    return beta, n_sweeps
