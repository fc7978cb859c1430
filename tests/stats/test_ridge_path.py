"""Evidence over a path of penalties, beside regressions in a loop."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxcause.stats import fit_var, ridge_path_evidence, var_moments
from jaxcause.stats._regression.ridge_path import OWN_SHARE, PENALTIES


def series(seed, n_vars, *, persistence=0.0, n_rows=200):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n_rows, n_vars))
    for t in range(1, n_rows):
        x[t] += persistence * x[t - 1]
    return x * rng.uniform(0.1, 10, n_vars) + rng.normal(size=n_vars)


def in_a_loop(x, max_lag, allowed):
    """The definition, one target and one penalty at a time, by dense inverses."""
    n_vars, n = x.shape[1], len(x) - max_lag
    z = np.stack([x[max_lag - lag : len(x) - lag] for lag in range(1, max_lag + 1)], 1)
    z, y = z.reshape(n, -1), x[max_lag:]
    z, y = ((v - v.mean(0)) / v.std(0) for v in (z, y))
    source, lag = np.arange(z.shape[1]) % n_vars, np.arange(z.shape[1]) // n_vars + 1
    shares = []
    for i in range(n_vars):
        own = z[:, (source == i) & allowed[source, i, lag]]
        fitted = own @ np.linalg.lstsq(own, y[:, i], rcond=None)[0]
        shares.append((fitted**2).mean())
    logs, errors = np.zeros((len(PENALTIES), n_vars, n_vars, max_lag + 1)), []
    for i in range(n_vars):
        used = np.flatnonzero(allowed[source, i, lag])
        gram, cross = z[:, used].T @ z[:, used] / n, z[:, used].T @ y[:, i] / n
        free = (source[used] == i) & (np.median(shares) > OWN_SHARE)
        errors.append([])
        for k, penalty in enumerate(PENALTIES):
            inverse = np.linalg.inv(gram + penalty * np.diag(~free))
            beta = inverse @ cross
            residual = ((y[:, i] - z[:, used] @ beta) ** 2).sum()
            n_used = np.trace(inverse @ gram)
            variance = residual / (n - 1 - n_used)
            t = np.abs(beta) / np.sqrt(variance * np.diag(inverse) / n)
            logs[k, source[used], i, lag[used]] = np.log(t)
            errors[-1].append(np.log(residual / n / (1 - n_used / n) ** 2))
    best = int(np.argmin(np.mean(errors, axis=0)))
    return np.where(logs.any(axis=0), np.exp(logs[best:].mean(axis=0)), 0.0)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n_vars=st.integers(2, 4),
    max_lag=st.integers(1, 3),
    persistence=st.sampled_from([0.0, 0.5, 0.95]),
    share_allowed=st.sampled_from([1.0, 0.6]),
)
def test_evidence_is_that_of_the_definition(seed, n_vars, max_lag, persistence, share_allowed):
    x = series(seed, n_vars, persistence=persistence)
    allowed = np.random.default_rng(seed).random((n_vars, n_vars, max_lag + 1)) < share_allowed
    allowed[np.arange(n_vars), np.arange(n_vars), 1] = True
    moments = var_moments(x, np.arange(len(x) - max_lag), max_lag=max_lag)
    found = ridge_path_evidence(moments, allowed=allowed)
    np.testing.assert_allclose(found, in_a_loop(x, max_lag, allowed), rtol=1e-5, atol=1e-9)


def test_units_and_the_order_of_columns_do_not_matter():
    x, starts = series(3, 4, persistence=0.9), np.arange(198)
    plain = ridge_path_evidence(var_moments(x, starts, max_lag=2))
    other = x[:, ::-1] * np.array([0.01, 1.0, 1e5, -2.0]) + 1
    found = ridge_path_evidence(var_moments(other, starts, max_lag=2))
    np.testing.assert_allclose(found, plain[::-1, ::-1], rtol=1e-4)


def test_a_constant_or_copied_column_spoils_no_other():
    x = series(4, 3)
    copied = np.concatenate([x, x[:, :1], np.full((len(x), 1), 3.0)], axis=1)
    found = ridge_path_evidence(var_moments(copied, np.arange(198), max_lag=2))
    assert np.isfinite(found).all()
    assert not found[4].any()
    np.testing.assert_allclose(found[0], found[3], rtol=1e-6)


def test_heavy_penalties_do_not_credit_others_with_persistence():
    # Both follow a slow wave of their own; only x acts on y.
    rng = np.random.default_rng(0)
    x = np.cumsum(rng.normal(size=(600, 3)), axis=0)
    x[1:, 1] += 0.3 * np.cumsum(x[:-1, 0]) / 10
    found = ridge_path_evidence(var_moments(x, np.arange(598), max_lag=2)).max(axis=2)
    np.fill_diagonal(found, 0)
    assert np.unravel_index(found.argmax(), found.shape) == (0, 1)


def test_conditional_variances_make_t_statistics_of_coefficients():
    x, starts = series(5, 3), np.arange(198)
    moments = var_moments(x, starts, max_lag=2)
    left = moments.conditional_variances()
    fit = fit_var(x, starts, max_lag=2)
    windows = x[starts[:, None] + np.arange(3)]
    residual = windows[:, -1] - fit.predict(windows[:, :-1])
    variance = (residual**2).sum(axis=0) / fit.degrees
    size = np.abs(fit.coefficients) * np.sqrt(len(starts) * left[:, None] / variance[:, None])
    np.testing.assert_allclose(size[:, :, 1:], np.abs(fit.t_statistic)[:, :, 1:], rtol=1e-4)
    assert not left[:, 0].any()
