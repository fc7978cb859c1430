"""Linear vector autoregression: the baseline that every forecaster is measured against."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import betainc
from jaxtyping import Float, Int

from jaxcause._checks import InputError
from jaxcause.stats._multiple_testing import benjamini_hochberg

BLOCK = 4096


class VarFit(NamedTuple):
    """A fitted vector autoregression; tensors are ``[source, target, lag]``, lag 0 all zero."""

    coefficients: Float[np.ndarray, "vars vars lags"]
    intercept: Float[np.ndarray, "vars"]
    t_statistic: Float[np.ndarray, "vars vars lags"]
    p_value: Float[np.ndarray, "vars vars lags"]
    q_value: Float[np.ndarray, "vars vars lags"]

    def predict(
        self, past: Float[np.ndarray, "windows time vars"]
    ) -> Float[np.ndarray, "windows vars"]:
        """Predict the row after each window (newest row last)."""
        newest_first = past[:, ::-1]
        return self.intercept + np.einsum("wlj,jil->wi", newest_first, self.coefficients[:, :, 1:])


def fit_var(
    series: Float[np.ndarray, "time vars"],
    starts: Int[np.ndarray, "windows"],
    *,
    max_lag: int,
    ridge: float = 0.0,
) -> VarFit:
    r"""Fit :math:`x_i(t) = c_i + \sum_{j,\ell} W_{ji\ell}\, x_j(t-\ell) + e_i(t)` by least squares.

    Solves :math:`(Z^\top Z + \lambda N I) W = Z^\top Y` in float64, streamed over windows; t-tests
    have N − n·L − 1 degrees of freedom (they are the classical ones at ``ridge=0``), and q-values
    are Benjamini and Hochberg's over all coefficients.

    Args:
        series: Values; rows of a window must be complete.
        starts: First row of each window of ``max_lag + 1`` rows.
        max_lag: Number of lags L.
        ridge: Penalty λ per sample, on everything but the intercept.

    Raises:
        InputError: Without a ridge, there are too few windows for that many coefficients.

    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(500, 2)); x[1:, 1] += 0.9 * x[:-1, 0]
    >>> fit = fit_var(x, np.arange(498), max_lag=1)
    >>> bool(fit.p_value[0, 1, 1] < 1e-6), bool(abs(fit.coefficients[0, 1, 1] - 0.9) < 0.15)
    (True, True)
    """
    n_vars, n_windows = series.shape[1], len(starts)
    n_terms = n_vars * max_lag
    degrees = n_windows - n_terms - 1
    if degrees <= 0 and ridge == 0:
        raise InputError(
            f"{n_windows} complete windows cannot fit {n_terms + 1} coefficients per variable; "
            "give a longer series or a smaller max_lag"
        )
    gram = np.zeros((n_terms + 1, n_terms + 1))
    cross = np.zeros((n_terms + 1, n_vars))
    total = np.zeros(n_vars)
    for first in range(0, n_windows, BLOCK):
        rows = starts[first : first + BLOCK, None] + np.arange(max_lag + 1)
        windows = np.asarray(series[rows], np.float64)
        past = windows[:, max_lag - 1 :: -1] if max_lag > 1 else windows[:, :1]
        design = np.concatenate([past.reshape(len(rows), n_terms), np.ones((len(rows), 1))], axis=1)
        gram += design.T @ design
        cross += design.T @ windows[:, -1]
        total += (windows[:, -1] ** 2).sum(axis=0)
    penalty = np.full(n_terms + 1, ridge * n_windows)
    penalty[-1] = 0
    inverse = _inverse(gram + np.diag(penalty))
    beta = inverse @ cross
    residual = np.maximum(
        total - 2 * (beta * cross).sum(axis=0) + ((gram @ beta) * beta).sum(axis=0), 0
    )
    variance = residual / max(degrees, 1)
    error = np.sqrt(np.maximum(np.diag(inverse), 0)[:, None] * variance)
    t = np.divide(beta, error, out=np.zeros_like(beta), where=error > 0)
    p_value = _t_p_value(t[:-1], max(degrees, 1))
    with jax.enable_x64(True):
        q_value = np.asarray(benjamini_hochberg(p_value))
    return VarFit(
        coefficients=_as_scores(beta[:-1], n_vars, max_lag),
        intercept=beta[-1],
        t_statistic=_as_scores(t[:-1], n_vars, max_lag),
        p_value=_as_scores(p_value, n_vars, max_lag, at_lag_0=1.0),
        q_value=_as_scores(q_value, n_vars, max_lag, at_lag_0=1.0),
    )


def _inverse(gram: np.ndarray) -> np.ndarray:
    """Inverse of a positive semi-definite matrix; its pseudo-inverse if columns are collinear."""
    try:
        half = np.linalg.inv(np.linalg.cholesky(gram))
    except np.linalg.LinAlgError:
        return np.linalg.pinv(gram, hermitian=True)
    return half.T @ half


def _t_p_value(t: np.ndarray, degrees: int) -> np.ndarray:
    """Two-sided p-value of Student's t, by the regularised incomplete beta function."""
    with jax.enable_x64(True):
        half = jnp.full(t.shape, degrees / 2, jnp.float64)
        return np.asarray(
            betainc(half, jnp.full(t.shape, 0.5), degrees / (degrees + jnp.asarray(t) ** 2))
        )


def _as_scores(terms: np.ndarray, n_vars: int, max_lag: int, at_lag_0: float = 0.0) -> np.ndarray:
    """Rows (lag, source) of a design → ``[source, target, lag]``."""
    scores = np.full((n_vars, n_vars, max_lag + 1), at_lag_0)
    scores[:, :, 1:] = terms.reshape(max_lag, n_vars, n_vars).transpose(1, 2, 0)
    return scores
