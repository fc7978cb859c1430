"""Autoregressions whose noise is louder at some times than at others."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxcause._typing import AnyArray
from jaxcause.stats._regression.ridge_path import blocks_in_time, ridge_path
from jaxcause.stats._regression.vector_autoregression import (
    VarFit,
    VarMoments,
    fit_var,
    var_moments,
)

BANDWIDTH = 20.0
"""Standard deviation of the kernel that averages squared residuals over time, in rows."""
REACH = 4
"""Standard deviations after which the kernel ends."""
FLOOR = 0.02
"""Smallest variance of the noise, as a share of its mean, so that no row counts for too much."""
WORTH = 1.5
"""Relative efficiency of weighted least squares from which on the rows of a target are weighted."""
PERMUTATIONS = 3
"""Orders in which residuals are shuffled, to see what steady noise would look like."""
MOST_EFFORT = 3e10
"""Multiplications that weights of their own for each target are worth; beyond, all share some."""


class NoiseWeights(NamedTuple):
    """How much each window counts for each target.

    Args:
        weights: One over the standard deviation of the noise, with mean 1; all 1 where the noise
            is steady.
        efficiency: Variance of ordinary over that of weighted least squares, by target, as a
            multiple of what steady noise of the same distribution would seem to give.
    """

    weights: Float[np.ndarray, "windows vars"]
    efficiency: Float[np.ndarray, "vars"]

    @property
    def changes(self) -> Bool[np.ndarray, "vars"]:
        """The targets whose noise changes so much that windows are weighted."""
        return self.efficiency >= WORTH

    @property
    def by_variance(self) -> Float[np.ndarray, "windows vars"]:
        """One over the variance, with mean 1: to rank, and for tests without robust errors."""
        squared = self.weights**2
        return squared / squared.mean(axis=0)

    def groups(
        self, weights: Float[np.ndarray, "windows vars"]
    ) -> Iterator[tuple[Float[np.ndarray, "windows"], list[int]]]:
        """The targets whose noise changes, those with the same weights together."""
        found: dict[bytes, list[int]] = {}
        for target in np.flatnonzero(self.changes).tolist():
            found.setdefault(weights[:, target].tobytes(), []).append(target)
        for targets in found.values():
            yield weights[:, targets[0]], targets

    def contrast(self) -> Float[np.ndarray, "vars"]:
        """Standard deviation of the noise of the 95th percentile of windows over the 5th's."""
        loud, calm = np.quantile(self.weights, (0.05, 0.95), axis=0)
        return calm / loud


def noise_weights(
    series: Float[np.ndarray, "time vars"],
    starts: Int[np.ndarray, "windows"],
    *,
    max_lag: int,
    allowed: Bool[AnyArray, "vars vars lags"] | None = None,
) -> NoiseWeights:
    r"""Find the targets of an autoregression whose noise changes over time, and by how much.

    The variance of the noise of a target at time t is the mean of the squared residuals around t,

    .. math:: v_t = \sum_{s \ne t} K(s - t)\, e_s^2 / \sum_{s \ne t} K(s - t),

    with a Gaussian kernel K whose standard deviation is 20 rows. By weights :math:`1 / v_t` the
    variance of a coefficient falls by about :math:`\overline{v}\;\overline{1/v}`. If that is half
    as much again as after shuffling the residuals, which keeps their distribution and makes them
    steady, the windows are weighted, by :math:`1 / \sqrt{v_t}`: most of the gain, without leaving
    out what happens in loud stretches. The residuals are then taken of the weighted fit once more.
    Where a fit for each target would take too long, all of them share the mean of :math:`\log v_t`.

    Where the noise of a cause and of its target is loud at the same times, ordinary t-tests reject
    far too often, since loud windows decide both the estimate and its error.

    Args:
        series: Values; rows of a window must be complete.
        starts: First row of each window of ``max_lag + 1`` rows.
        max_lag: Number of lags.
        allowed: ``[source, target, lag]``: the terms of the regressions, by default all.

    Source: weighted least squares with estimated variances, as in Robinson (1987), "Asymptotically
    efficient estimation in the presence of heteroskedasticity of unknown form". Bandwidth, root and
    threshold are ours, chosen on published series (see ``benchmarks/results/published.md``).

    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(600, 2)); x[300:, 0] *= 10
    >>> noise_weights(x, np.arange(599), max_lag=1).changes.tolist()
    [True, False]
    """
    newest = starts + max_lag
    moments = var_moments(series, starts, max_lag=max_lag)
    residual = moments.fit(ridge=1e-3, allowed=allowed).residuals(series, starts)
    level = _levels(residual**2, newest)
    rng = np.random.default_rng(0)
    steady = [
        _efficiency(_levels(rng.permutation(residual**2), newest)) for _ in range(PERMUTATIONS)
    ]
    efficiency = _efficiency(level) / np.mean(steady, axis=0)
    # What is left of a target that its past determines is rounding, whose size says nothing.
    efficiency[moments.determined(allowed)] = 1.0
    weights = np.ones(residual.shape)
    changes = np.flatnonzero(efficiency >= WORTH)
    n_terms = max_lag * residual.shape[1]
    if len(changes) * len(starts) * float(n_terms) ** 2 > MOST_EFFORT:
        shared = np.exp(np.log(level[:, changes] / level[:, changes].mean(axis=0)).mean(axis=1))
        weights[:, changes] = _weights(shared)[:, None]
        return NoiseWeights(weights, efficiency)
    for target in changes:
        first = _weights(level[:, target])
        again = var_moments(series, starts, max_lag=max_lag, weights=first)
        fit = again.fit(ridge=1e-3, allowed=allowed)
        left = fit.residuals(series, starts)[:, [target]]
        weights[:, target] = _weights(_levels(left**2, newest)[:, 0])
    return NoiseWeights(weights, efficiency)


def weighted_tests(
    series: Float[np.ndarray, "time vars"],
    starts: Int[np.ndarray, "windows"],
    noise: NoiseWeights,
    *,
    max_lag: int,
    allowed: Bool[AnyArray, "vars vars lags"] | None = None,
) -> VarFit:
    r"""`fit_var`, but weighted for the targets whose noise changes, with errors that allow for it.

    .. math:: \hat\beta = G^{-1} Z^\top W y,\quad G = Z^\top W Z,\qquad
        \mathrm{var}(\hat\beta) = G^{-1} \left(\sum_t \frac{w_t^2 e_t^2}{(1 - h_t)^2}
        z_t z_t^\top\right) G^{-1}

    with the leverage :math:`h_t = w_t z_t^\top G^{-1} z_t`: errors that stay right where weights do
    not say all about the noise (HC3; MacKinnon & White 1985, "Some heteroskedasticity-consistent
    covariance matrix estimators with improved finite sample properties").

    Args:
        series: Values; rows of a window must be complete.
        starts: First row of each window of ``max_lag + 1`` rows.
        noise: What `noise_weights` found of the same windows.
        max_lag: Number of lags.
        allowed: ``[source, target, lag]``: the terms that are estimated, by default all.

    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(600, 2)) * np.where(np.arange(600) < 300, 1, 10)[:, None]
    >>> at = np.arange(599)
    >>> fit = weighted_tests(x, at, noise_weights(x, at, max_lag=1), max_lag=1)
    >>> bool((fit.p_value[:, :, 1] > 0.01).all())
    True
    """
    plain = fit_var(series, starts, max_lag=max_lag, allowed=allowed)
    coefficients, t = plain.coefficients.copy(), plain.t_statistic.copy()
    intercept = plain.intercept.copy()
    for weights, targets in noise.groups(noise.weights):
        fit = var_moments(series, starts, max_lag=max_lag, weights=weights).fit(allowed=allowed)
        error = _robust_errors(fit, series, starts, targets, weights)
        beta = fit.coefficients[:, targets]
        coefficients[:, targets], intercept[targets] = beta, fit.intercept[targets]
        t[:, targets] = np.divide(beta, error, out=np.zeros_like(beta), where=error > 0)
    return plain._replace(coefficients=coefficients, intercept=intercept, t_statistic=t)


def weighted_evidence(
    moments: VarMoments,
    series: Float[np.ndarray, "time vars"],
    starts: Int[np.ndarray, "windows"],
    noise: NoiseWeights,
    *,
    max_lag: int,
    allowed: Bool[AnyArray, "vars vars lags"] | None = None,
) -> Float[np.ndarray, "vars vars lags"]:
    """`ridge_path_evidence`, weighted by variance for the targets whose noise changes.

    As in `weighted_tests`, terms are not chosen first, since the choice would differ by weights.
    Penalties count alike for all targets, so that their evidence compares.

    Args:
        moments: Moments of all windows, not weighted.
        series: Values; rows of a window must be complete.
        starts: First row of each window of ``max_lag + 1`` rows.
        noise: What `noise_weights` found of the same windows.
        max_lag: Number of lags.
        allowed: ``[source, target, lag]``: the terms that take part, by default all.
    """
    blocks = blocks_in_time(series, starts, max_lag=max_lag)
    path = ridge_path(moments, allowed=allowed, blocks=blocks)
    for weights, targets in noise.groups(noise.by_variance):
        weighted = var_moments(series, starts, max_lag=max_lag, weights=weights)
        blocks = blocks_in_time(series, starts, max_lag=max_lag, weights=weights)
        path = path.with_targets(ridge_path(weighted, allowed=allowed, blocks=blocks), targets)
    return path.evidence


def _robust_errors(
    fit: VarFit,
    series: Float[np.ndarray, "time vars"],
    starts: Int[np.ndarray, "windows"],
    targets: list[int],
    weights: Float[np.ndarray, "windows"],
) -> Float[np.ndarray, "vars targets lags"]:
    """Standard errors of the coefficients of some targets; zero where none was estimated."""
    n_vars, max_lag = len(fit.intercept), fit.coefficients.shape[2] - 1
    error = np.zeros((n_vars, len(targets), max_lag + 1))
    residual = weights[:, None] * fit.residuals(series, starts)[:, targets]
    estimated = (fit.coefficients[:, targets] != 0).transpose(1, 0, 2)[:, :, 1:]
    # Targets with the same terms share their inverse.
    groups, of_target = np.unique(estimated.reshape(len(targets), -1), axis=0, return_inverse=True)
    for number, used in enumerate(groups):
        here = np.flatnonzero(np.ravel(of_target) == number)
        source, lag = np.nonzero(used.reshape(n_vars, max_lag))
        columns = [
            series[starts + max_lag - 1 - back, of] for of, back in zip(source, lag, strict=True)
        ]
        design = np.stack([*columns, np.ones(len(starts))], axis=1)
        inverse = np.linalg.pinv(design.T @ (design * weights[:, None]), hermitian=True)
        solved = design @ inverse
        leverage = np.minimum(weights * (solved * design).sum(axis=1), 1 - 1e-6)
        left = residual[:, here] / (1 - leverage)[:, None]
        variance = ((solved**2).T @ left**2)[:-1]
        for k, target in enumerate(here):
            error[source, target, lag + 1] = np.sqrt(variance[:, k])
    return error


def _levels(
    squares: Float[np.ndarray, "windows vars"], rows: Int[np.ndarray, "windows"]
) -> Float[np.ndarray, "windows vars"]:
    """Mean of the squares around each row but for its own, at least `FLOOR` of their mean."""
    reach = int(REACH * BANDWIDTH)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / BANDWIDTH) ** 2)
    kernel[reach] = 0
    first, n_rows = int(rows.min()), int(np.ptp(rows)) + 1
    length = 1 << (n_rows + 2 * reach).bit_length()
    of_kernel = np.fft.rfft(kernel, length)

    def near(column: Float[np.ndarray, "windows"]) -> Float[np.ndarray, "windows"]:
        line = np.zeros(length)
        line[rows - first] = column
        return np.fft.irfft(np.fft.rfft(line) * of_kernel, length)[rows - first + reach]

    number = near(np.ones(len(rows)))
    # Where no other row is near, what is left is rounding.
    alone = number < 0.5 * kernel[0]
    mean = squares.mean(axis=0)
    level = np.stack([near(column) for column in squares.T], axis=1)
    level = np.where(alone[:, None], mean, level / np.where(alone, 1.0, number)[:, None])
    return np.maximum(level, FLOOR * np.maximum(mean, np.finfo(float).tiny))


def _efficiency(level: Float[np.ndarray, "windows vars"]) -> Float[np.ndarray, "vars"]:
    return level.mean(axis=0) * (1 / level).mean(axis=0)


def _weights(level: Float[np.ndarray, "windows"]) -> Float[np.ndarray, "windows"]:
    weights = level**-0.5
    return weights / weights.mean()
