"""Evidence over a path of penalties, beside regressions in a loop."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxcause.stats import blocks_in_time, fit_var, ridge_path_evidence, var_moments
from jaxcause.stats._regression import ridge_path
from jaxcause.stats._regression.ridge_path import OWN_SHARE, PENALTIES, WORSE


def series(seed, n_vars, *, persistence=0.0, n_rows=200):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n_rows, n_vars))
    for t in range(1, n_rows):
        x[t] += persistence * x[t - 1]
    return x * rng.uniform(0.1, 10, n_vars) + rng.normal(size=n_vars)


def forecast_errors(z, y, penalised, penalty, blocks):
    """Squared errors of blocks of rows, each forecast from the others, in a loop."""
    missed = 0.0
    for rows in blocks:
        others = np.setdiff1d(np.arange(len(z)), rows)
        mean, spread = z[others].mean(0), z[others].std(0)
        design = (z[others] - mean) / spread
        centred = y[others] - y[others].mean()
        gram = design.T @ design / len(others) + penalty * np.diag(penalised)
        beta = np.linalg.solve(gram, design.T @ centred / len(others))
        forecast = (z[rows] - mean) / spread @ beta + y[others].mean()
        missed += ((y[rows] - forecast) ** 2).sum()
    return missed


def in_a_loop(x, max_lag, allowed, n_blocks):
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
            error = residual / n / (1 - n_used / n) ** 2
            if n_blocks > 1:
                parts = np.array_split(np.arange(n), n_blocks)
                error = forecast_errors(z[:, used], y[:, i], ~free, penalty, parts) / n
            errors[-1].append(np.log(error))
    error = np.mean(errors, axis=0)
    best = int(np.argmin(error))
    weights = np.exp(-n * (error[best:] - error[best]) / WORSE)
    mean = (weights[:, None, None, None] * logs[best:]).sum(axis=0) / weights.sum()
    return np.where(logs.any(axis=0), np.exp(mean), 0.0)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n_vars=st.integers(2, 4),
    max_lag=st.integers(1, 3),
    persistence=st.sampled_from([0.0, 0.5, 0.95]),
    share_allowed=st.sampled_from([1.0, 0.6]),
    n_blocks=st.sampled_from([0, 4]),
)
def test_evidence_is_that_of_the_definition(
    seed, n_vars, max_lag, persistence, share_allowed, n_blocks
):
    x = series(seed, n_vars, persistence=persistence)
    allowed = np.random.default_rng(seed).random((n_vars, n_vars, max_lag + 1)) < share_allowed
    allowed[np.arange(n_vars), np.arange(n_vars), 1] = True
    starts = np.arange(len(x) - max_lag)
    moments = var_moments(x, starts, max_lag=max_lag)
    blocks = blocks_in_time(x, starts[::-1], max_lag=max_lag)[:n_blocks]
    found = ridge_path_evidence(moments, allowed=allowed, blocks=blocks)
    truth = in_a_loop(x, max_lag, allowed, n_blocks)
    np.testing.assert_allclose(found, truth, rtol=1e-5, atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), n_windows=st.integers(1, 40), weighted=st.booleans())
def test_blocks_add_up_and_follow_one_another(seed, n_windows, weighted):
    x, starts = series(seed, 3, n_rows=n_windows + 2), np.arange(n_windows)
    rng = np.random.default_rng(seed)
    order = rng.permutation(n_windows)
    weights = rng.uniform(0.1, 2, n_windows)
    options = {"weights": weights / weights.mean()} if weighted else {}
    moved = {name: value[order] for name, value in options.items()}
    blocks = blocks_in_time(x, starts[order], max_lag=2, **moved)
    assert [b.n_windows for b in blocks] == [
        len(part) for part in np.array_split(starts, max(1, min(4, n_windows // 2)))
    ]
    whole = var_moments(x, starts, max_lag=2, **options)
    total = sum(blocks[1:], blocks[0])
    np.testing.assert_allclose(total.gram, whole.gram, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(total.cross, whole.cross, rtol=1e-9, atol=1e-9)
    first = {name: value[: blocks[0].n_windows] for name, value in options.items()}
    alone = var_moments(x, starts[: blocks[0].n_windows], max_lag=2, **first)
    np.testing.assert_allclose(blocks[0].gram, alone.gram, rtol=1e-9)


def test_heavy_penalties_count_as_far_as_they_forecast(monkeypatch):
    # Nearly a copy of the cause: alone it says nearly as much, and beside the cause nothing.
    rng = np.random.default_rng(1)
    x = rng.normal(size=(4_000, 3))
    x[:, 1] = 0.95 * x[:, 0] + 0.3 * x[:, 1]
    x[1:, 2] += 3 * x[:-1, 0]
    starts = np.arange(3_999)
    moments, blocks = var_moments(x, starts, max_lag=1), blocks_in_time(x, starts, max_lag=1)
    counted = ridge_path_evidence(moments, blocks=blocks)[:, 2, 1]
    monkeypatch.setattr(ridge_path, "WORSE", np.inf)
    alike = ridge_path_evidence(moments, blocks=blocks)[:, 2, 1]
    assert counted[1] / counted[0] < 0.5 * alike[1] / alike[0]


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
