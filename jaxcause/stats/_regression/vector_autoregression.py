"""Linear vector autoregression: the baseline that every forecaster is measured against."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxcause._checks import InputError, checked_flags
from jaxcause._memory import check_memory
from jaxcause._stored import AnyRows
from jaxcause._typing import AnyArray
from jaxcause.stats._multiple_testing import lagged_q_values
from jaxcause.stats._tails import student_p_value

BLOCK = 4096
LEFT_OVER = 1e-6
"""Least share of its variance that a term is taken to have for itself."""
DETERMINED = 1e-11
"""Share of a variance up to which what is left of it counts as rounding."""


class VarFit(NamedTuple):
    """A fitted vector autoregression; tensors are ``[source, target, lag]``, lag 0 all zero.

    Args:
        coefficients: W.
        intercept: c.
        t_statistic: Of each coefficient.
        degrees: Degrees of freedom of the t-tests of each variable.
        tested: Which coefficients were estimated.
        chosen: Which terms forecasts are made of; None for all.
    """

    coefficients: Float[np.ndarray, "vars vars lags"]
    intercept: Float[np.ndarray, "vars"]
    t_statistic: Float[np.ndarray, "vars vars lags"]
    degrees: Int[np.ndarray, "vars"]
    tested: Bool[np.ndarray, "vars vars lags"]
    chosen: Bool[np.ndarray, "vars vars lags"] | None = None

    @property
    def model(self) -> Float[np.ndarray, "vars vars lags"]:
        """The coefficients that forecasts are made with."""
        chosen = self.tested if self.chosen is None else self.chosen
        return np.where(chosen, self.coefficients, 0.0)

    @property
    def n_parameters(self) -> int:
        """Parameters of the largest regression, with its mean and the term under test."""
        if self.chosen is None:
            return int(self.tested.sum(axis=(0, 2)).max(initial=0)) + 1
        return int(self.chosen.sum(axis=(0, 2)).max(initial=0)) + 2

    @property
    def p_value(self) -> Float[np.ndarray, "vars vars lags"]:
        """Two-sided p-values of the t-tests; 1 where nothing is tested, as at lag 0."""
        p_value = student_p_value(self.t_statistic, self.degrees[:, None])
        return np.where(self.tested, p_value, 1.0)

    @property
    def q_value(self) -> Float[np.ndarray, "vars vars lags"]:
        """q-values of the coefficients by `lagged_q_values`; 1 where nothing is tested."""
        q_value = lagged_q_values(np.where(self.tested, self.p_value, np.nan))
        return np.where(self.tested, q_value, 1.0)

    def predict(
        self, past: Float[np.ndarray, "windows time vars"]
    ) -> Float[np.ndarray, "windows vars"]:
        """Predict the row after each window (newest row last)."""
        newest_first = past[:, ::-1]
        return self.intercept + np.einsum("wlj,jil->wi", newest_first, self.model[:, :, 1:])

    def residuals(
        self, series: Float[np.ndarray, "time vars"], starts: Int[np.ndarray, "windows"]
    ) -> Float[np.ndarray, "windows vars"]:
        """Newest row of each window of ``max_lag + 1`` rows, less its forecast."""
        max_lag = self.coefficients.shape[2] - 1
        left, model = series[starts + max_lag] - self.intercept, self.model
        for lag in range(1, max_lag + 1):
            left = left - series[starts + max_lag - lag] @ model[:, :, lag]
        return left


@dataclass(frozen=True)
class VarMoments:
    r"""Sums over windows, of which every ridge autoregression is made; those of two sets add up.

    Args:
        gram: :math:`Z^\top Z`, where a row of Z holds the past, newest row first, and a one.
        cross: :math:`Z^\top Y`.
        total: Sum of squares of each column of Y.
        n_windows: Number of rows N.
    """

    gram: Float[np.ndarray, "terms terms"]
    cross: Float[np.ndarray, "terms vars"]
    total: Float[np.ndarray, "vars"]
    n_windows: int

    def __add__(self, other: "VarMoments") -> "VarMoments":
        return VarMoments(
            self.gram + other.gram,
            self.cross + other.cross,
            self.total + other.total,
            self.n_windows + other.n_windows,
        )

    def fit(
        self, *, ridge: float = 0.0, allowed: Bool[AnyArray, "vars vars lags"] | None = None
    ) -> VarFit:
        """The autoregression with penalty ``ridge`` per sample; see `fit_var`."""
        n_terms, n_vars = len(self.gram) - 1, len(self.total)
        terms = np.ones((n_terms + 1, n_vars), bool)
        if allowed is not None:
            terms[:-1] = checked_terms("allowed", allowed, n_vars, n_terms // n_vars)
        beta, t = np.zeros(terms.shape), np.zeros(terms.shape)
        degrees = self.n_windows - terms.sum(axis=0)
        if degrees.min() <= 0 and ridge == 0:
            raise InputError(
                f"{self.n_windows} complete windows cannot fit {terms.sum(axis=0).max()} "
                "coefficients per variable; give a longer series or a smaller max_lag"
            )
        degrees = np.maximum(degrees, 1)
        # Targets with the same terms share one inverse.
        groups, of_target = np.unique(terms.T, axis=0, return_inverse=True)
        for number, used in enumerate(groups):
            block = np.ix_(used, np.ravel(of_target) == number)
            beta[block], t[block] = self._fit_terms(used, block[1].ravel(), ridge, degrees)
        return VarFit(
            coefficients=as_scores(beta[:-1], n_vars),
            intercept=beta[-1],
            t_statistic=as_scores(t[:-1], n_vars),
            degrees=degrees,
            tested=as_scores(terms[:-1], n_vars),
        )

    def determined(
        self, allowed: Bool[AnyArray, "vars vars lags"] | None = None
    ) -> Bool[np.ndarray, "vars"]:
        """Which variables their past determines but for rounding: they have no noise to speak of.

        None is, where the windows are so few that any variable would seem to be.

        Args:
            allowed: ``[source, target, lag]``: the terms of the regressions, by default all.
        """
        n_vars, n_terms = len(self.total), len(self.gram) - 1
        spread = self.total - self.cross[-1] ** 2 / self.n_windows
        terms = np.ones((n_terms, n_vars), bool)
        if allowed is not None:
            terms = checked_terms("allowed", allowed, n_vars, n_terms // n_vars)
        if self.n_windows <= terms.sum(axis=0).max() + 1:
            return np.zeros(n_vars, bool)
        fit = self.fit(allowed=allowed)
        slopes = fit.coefficients[:, :, 1:].transpose(2, 0, 1).reshape(-1, n_vars)
        beta = np.concatenate([slopes, fit.intercept[None]])
        left = self.total - ((2 * self.cross - self.gram @ beta) * beta).sum(axis=0)
        return left <= DETERMINED * np.maximum(spread, 0)

    def conditional_variances(self) -> Float[np.ndarray, "vars lags"]:
        """Variance of each term that no linear function of the others explains; lag 0 is zero.

        A term that others determine keeps a millionth of its variance.
        """
        n_vars, n_terms = len(self.total), len(self.gram) - 1
        mean = self.gram[-1, :-1] / self.n_windows
        covariance = self.gram[:-1, :-1] / self.n_windows - np.outer(mean, mean)
        spread = np.sqrt(np.maximum(np.diag(covariance), 0))
        scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 0)
        corr = covariance * np.outer(scale, scale)
        inverse = np.linalg.inv(corr + LEFT_OVER * np.eye(n_terms))
        left = spread**2 / np.maximum(np.diag(inverse), 1.0)
        at_lags = left.reshape(-1, n_vars).T
        return np.concatenate([np.zeros((n_vars, 1)), at_lags], axis=1)

    def _fit_terms(
        self, used: np.ndarray, targets: np.ndarray, ridge: float, degrees: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients and t-statistics of some targets on some terms, the last a one."""
        gram, cross = self.gram[np.ix_(used, used)], self.cross[np.ix_(used, targets)]
        penalised = gram.copy()
        penalised[np.diag_indices(len(gram) - 1)] += ridge * self.n_windows
        inverse = _inverse(penalised)
        beta = inverse @ cross
        residual = self.total[targets] - ((2 * cross - gram @ beta) * beta).sum(axis=0)
        # Where the past determines a variable the residual is rounding, and so are t-values of it.
        spread = self.total[targets] - cross[-1] ** 2 / self.n_windows
        variance = np.maximum(residual, DETERMINED * spread) / degrees[targets]
        error = np.sqrt(np.maximum(np.diag(inverse), 0)[:, None] * variance)
        return beta, np.divide(beta, error, out=np.zeros_like(beta), where=error > 0)


def var_moments(
    series: Float[AnyRows, "time vars"],
    starts: Int[np.ndarray, "windows"],
    *,
    max_lag: int,
    weights: Float[np.ndarray, "windows"] | None = None,
) -> VarMoments:
    """Sums over the windows of ``max_lag + 1`` complete rows from ``starts``, streamed, in float64.

    Args:
        series: Values; rows of a window must be complete.
        starts: First row of each window.
        max_lag: Number of lags.
        weights: How often each window counts; their mean is 1. By default all count once.

    >>> x = np.random.default_rng(0).normal(size=(50, 2))
    >>> parts = [var_moments(x, s, max_lag=1) for s in (np.arange(20), np.arange(20, 49))]
    >>> whole = fit_var(x, np.arange(49), max_lag=1)
    >>> bool(np.allclose((parts[0] + parts[1]).fit().coefficients, whole.coefficients))
    True
    """
    n_vars = series.shape[1]
    n_terms = n_vars * max_lag
    check_memory(
        f"a regression on {n_terms:,} terms ({n_vars:,} variables, max_lag={max_lag})",
        # Products of terms, some inverses of them, and a block of windows.
        8.0 * (6 * n_terms**2 + 4 * n_terms * n_vars + 2 * min(len(starts), BLOCK) * n_terms),
        "give fewer variables or a smaller max_lag",
    )
    gram = np.zeros((n_terms + 1, n_terms + 1))
    cross = np.zeros((n_terms + 1, n_vars))
    total = np.zeros(n_vars)
    for first in range(0, len(starts), BLOCK):
        rows = starts[first : first + BLOCK, None] + np.arange(max_lag + 1)
        windows = np.asarray(series[rows], np.float64)
        past = windows[:, :-1][:, ::-1]
        design = np.concatenate([past.reshape(len(rows), n_terms), np.ones((len(rows), 1))], axis=1)
        newest = windows[:, -1]
        if weights is not None:
            root = np.sqrt(weights[first : first + BLOCK, None])
            design, newest = design * root, newest * root
        gram += design.T @ design
        cross += design.T @ newest
        total += (newest**2).sum(axis=0)
    return VarMoments(gram, cross, total, len(starts))


def fit_var(
    series: Float[AnyRows, "time vars"],
    starts: Int[np.ndarray, "windows"],
    *,
    max_lag: int,
    ridge: float = 0.0,
    allowed: Bool[AnyArray, "vars vars lags"] | None = None,
) -> VarFit:
    r"""Fit :math:`x_i(t) = c_i + \sum_{j,\ell} W_{ji\ell}\, x_j(t-\ell) + e_i(t)` by least squares.

    Solves :math:`(Z^\top Z + \lambda N I) W = Z^\top Y` in float64, streamed over windows; t-tests
    have N − k − 1 degrees of freedom, where a variable has k coefficients (they are the classical
    ones at ``ridge=0``), and q-values are Benjamini and Hochberg's over all coefficients. Of terms
    that determine one another, such as copies of a column, the first ones (shorter lags, earlier
    columns) are kept, and the others have no coefficient. For several penalties on the same
    windows, take `var_moments` once and fit those.

    Args:
        series: Values; rows of a window must be complete.
        starts: First row of each window of ``max_lag + 1`` rows.
        max_lag: Number of lags L.
        ridge: Penalty λ per sample, on everything but the intercept.
        allowed: ``[source, target, lag]``: which coefficients are estimated, by default all; the
            others are zero. Lag 0 is ignored.

    Raises:
        InputError: Without a ridge, there are too few windows for that many coefficients; or
            ``allowed`` has another shape.

    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(500, 2)); x[1:, 1] += 0.9 * x[:-1, 0]
    >>> fit = fit_var(x, np.arange(498), max_lag=1)
    >>> bool(fit.p_value[0, 1, 1] < 1e-6), bool(abs(fit.coefficients[0, 1, 1] - 0.9) < 0.15)
    (True, True)
    """
    return var_moments(series, starts, max_lag=max_lag).fit(ridge=ridge, allowed=allowed)


def checked_terms(
    name: str, links: Bool[AnyArray, "vars vars lags"], n_vars: int, max_lag: int
) -> Bool[np.ndarray, "terms vars"]:
    """Links ``[source, target, lag]`` as terms of a design, which are rows (lag, source).

    Raises:
        InputError: The shape does not fit.
    """
    given, shape = checked_flags(name, links), (n_vars, n_vars, max_lag + 1)
    if given.shape != shape:
        raise InputError(f"{name} has shape {given.shape}, but must be {shape}")
    return given[:, :, 1:].transpose(2, 0, 1).reshape(-1, n_vars)


def _inverse(gram: np.ndarray) -> np.ndarray:
    """Inverse of a positive semi-definite matrix whose last term is the constant.

    A term that the constant and the earlier terms determine has no coefficient of its own: its row
    and column are zero, which leaves it out.
    """
    order = np.roll(np.arange(len(gram)), 1)
    spread = np.diag(gram) - gram[-1] ** 2 / max(gram[-1, -1], 1.0)
    spread[-1] = gram[-1, -1]
    half = _cholesky(gram[np.ix_(order, order)], DETERMINED * spread[order])
    kept = order[np.flatnonzero(half.diagonal())]
    half = np.linalg.inv(half[np.ix_(half.diagonal() > 0, half.diagonal() > 0)])
    inverse = np.zeros_like(gram)
    inverse[np.ix_(kept, kept)] = half.T @ half
    return inverse


def _cholesky(matrix: np.ndarray, least: np.ndarray) -> np.ndarray:
    """Cholesky's lower factor; zero in the columns of terms of which at most ``least`` is left."""
    try:
        factor = np.linalg.cholesky(matrix)
        if (factor.diagonal() ** 2 > least).all():
            return factor
    except np.linalg.LinAlgError:
        pass
    factor = np.zeros_like(matrix)
    for k, column in enumerate(matrix.T):
        left = column[k:] - factor[k:, :k] @ factor[k, :k]
        if left[0] > least[k]:
            factor[k:, k] = left / np.sqrt(left[0])
    return factor


def as_scores(terms: np.ndarray, n_vars: int) -> np.ndarray:
    """Rows (lag, source) of a design → ``[source, target, lag]``."""
    lagged = terms.reshape(-1, n_vars, n_vars).transpose(1, 2, 0)
    return np.concatenate([np.zeros_like(lagged[:, :, :1]), lagged], axis=2)
