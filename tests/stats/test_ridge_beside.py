"""The ridge autoregression beside the own past, and ordinary ridge as its bounds."""

import numpy as np

from jaxcause.stats import fit_var, ridge_beside_own_past, var_moments


def panel(seed=0, n_rows=80, n_vars=4):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n_rows, n_vars))
    for t in range(1, n_rows):
        x[t] += 0.8 * x[t - 1]
    return x * np.array([1.0, 5.0, 0.2, 30.0]) + 3


def test_no_penalty_is_least_squares():
    x, starts = panel(), np.arange(78)
    found = ridge_beside_own_past(var_moments(x, starts, max_lag=2), 1e-9)
    plain = fit_var(x, starts, max_lag=2)
    np.testing.assert_allclose(found.coefficients, plain.coefficients, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.intercept, plain.intercept, rtol=1e-4, atol=1e-5)


def test_a_heavy_penalty_leaves_each_variable_to_itself():
    x, starts = panel(1), np.arange(78)
    found = ridge_beside_own_past(var_moments(x, starts, max_lag=2), 1e9)
    allowed = np.broadcast_to(np.eye(4, dtype=bool)[:, :, None], (4, 4, 3))
    alone = fit_var(x, starts, max_lag=2, allowed=allowed)
    np.testing.assert_allclose(found.coefficients, alone.coefficients, atol=1e-6)
    windows = x[starts[:, None] + np.arange(2)]
    np.testing.assert_allclose(found.predict(windows), alone.predict(windows), rtol=1e-5)


def test_forbidden_terms_take_no_part():
    x = panel(2)
    allowed = np.ones((4, 4, 3), bool)
    allowed[0, 1] = False
    fit = ridge_beside_own_past(var_moments(x, np.arange(78), max_lag=2), 0.1, allowed=allowed)
    assert not fit.coefficients[0, 1].any()
    assert fit.coefficients[1, 0, 1:].all()
