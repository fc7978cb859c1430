"""Stepwise tests beside regressions in a loop, and a shared own past beside a pooled regression."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxcause.stats import (
    fit_var,
    linear_evidence,
    linear_tests,
    ridge_path_evidence,
    shared_own_past,
    stepwise_var,
    var_moments,
)


def series(seed, n_rows, n_vars):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n_rows, n_vars))
    for t in range(1, n_rows):
        x[t] += 0.4 * x[t - 1] + 0.5 * np.roll(x[t - 1], 1) * (np.arange(n_vars) % 2)
    return x * rng.uniform(0.1, 10, n_vars) + rng.normal(size=n_vars)


def design(x, max_lag):
    past = np.stack([x[max_lag - lag : len(x) - lag] for lag in range(1, max_lag + 1)], 1)
    return past.reshape(len(x) - max_lag, -1), x[max_lag:]


def least_squares(z, y):
    """Coefficients without the mean, residual sum of squares, and unscaled variances."""
    full = np.column_stack([z, np.ones(len(z))])
    beta = np.linalg.lstsq(full, y, rcond=None)[0]
    inverse = np.linalg.inv(full.T @ full)
    return beta[:-1], ((y - full @ beta) ** 2).sum(), inverse.diagonal()[:-1]


def chosen_in_a_loop(z, y, own, allowed):
    """The definition: the term that lowers the residuals most, while the criterion falls."""
    n, p = len(z), int(allowed.sum())
    order = [k for k in own if allowed[k]]
    while len(order) < n // 3:
        rest = [k for k in np.flatnonzero(allowed) if k not in order]
        if not rest:
            break
        left = [least_squares(z[:, [*order, k]], y)[1] for k in rest]
        before = least_squares(z[:, order], y)[1] if order else ((y - y.mean()) ** 2).sum()
        if n * np.log(before / min(left)) <= np.log(n) + 2 * np.log(p):
            break
        order.append(rest[int(np.argmin(left))])
    return order


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), n_vars=st.integers(2, 5), n_rows=st.integers(25, 60))
def test_terms_and_tests_are_those_of_regressions_in_a_loop(seed, n_vars, n_rows):
    max_lag, x = 2, series(seed, n_rows, n_vars)
    allowed = np.random.default_rng(seed).random((n_vars, n_vars, max_lag + 1)) < 0.8
    found = stepwise_var(var_moments(x, np.arange(n_rows - 2), max_lag=2), allowed=allowed)
    z, y = design(x, max_lag)
    for target in range(n_vars):
        may = np.concatenate([allowed[:, target, lag] for lag in (1, 2)])
        order = chosen_in_a_loop(z, y[:, target], [target, n_vars + target], may)
        chosen = np.concatenate([found.chosen[:, target, lag] for lag in (1, 2)])
        assert np.flatnonzero(chosen).tolist() == sorted(order)
        assert found.degrees[target] == len(z) - 2 - len(order)
        for k in np.flatnonzero(may):
            terms = order if k in order else [*order, k]
            beta, left, variance = least_squares(z[:, terms], y[:, target])
            at = terms.index(k)
            error = np.sqrt(left / found.degrees[target] * variance[at])
            where = k % n_vars, target, k // n_vars + 1
            np.testing.assert_allclose(found.coefficients[where], beta[at], rtol=1e-6)
            np.testing.assert_allclose(found.t_statistic[where], beta[at] / error, rtol=1e-6)
    assert not found.tested[:, :, 1:][~allowed[:, :, 1:]].any()


def test_forecasts_are_made_of_the_chosen_terms():
    x, starts = series(3, 40, 12), np.arange(38)
    fit = stepwise_var(var_moments(x, starts, max_lag=2))
    plain = fit_var(x, starts, max_lag=2, allowed=fit.chosen)
    past = x[starts[:, None] + np.arange(2)]
    np.testing.assert_allclose(fit.predict(past), plain.predict(past), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(fit.residuals(x, starts), x[2:] - fit.predict(past), atol=1e-9)
    assert fit.n_parameters == fit.chosen.sum(axis=(0, 2)).max() + 2
    assert plain.n_parameters == fit.n_parameters - 1


@pytest.mark.parametrize("n_rows", [60, 120])
def test_few_true_effects_of_many_candidates_are_found(n_rows):
    """Beside all inputs no test has power here, or there are more inputs than windows."""
    shares, recalls = [], []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        x, n = rng.normal(size=(n_rows, 30)), 30
        for t in range(1, n_rows):
            x[t, 1::2] += 0.8 * x[t - 1, ::2]
        edges = np.asarray(linear_tests(var_moments(x, np.arange(n_rows - 2), max_lag=2)).q_value)
        edges = (edges <= 0.1).any(axis=2) & ~np.eye(n, dtype=bool)
        true = np.zeros((n, n), bool)
        true[np.arange(0, n, 2), np.arange(1, n, 2)] = True
        shares.append((edges & ~true).sum() / max(1, edges.sum()))
        recalls.append((edges & true).sum() / true.sum())
    assert np.mean(recalls) > 0.95
    assert np.mean(shares) < 0.2


def test_the_choice_of_tests_turns_at_ten_windows_for_each_term():
    x = series(1, 300, 5)
    many, few = (var_moments(x, np.arange(n), max_lag=2) for n in (100, 99))
    assert linear_tests(many).chosen is None
    assert linear_tests(few).chosen is not None


def test_only_allowed_terms_are_counted():
    x = series(1, 60, 12)
    allowed = np.zeros((12, 12, 3), bool)
    allowed[:2, :, 1:] = True
    moments = var_moments(x, np.arange(58), max_lag=2)
    assert linear_tests(moments, allowed=allowed).chosen is None
    assert linear_tests(moments).chosen is not None


@pytest.mark.parametrize("shape", ["copy", "constant", "determined"])
def test_degenerate_columns_end_in_finite_numbers(shape):
    x = series(2, 60, 6)
    if shape == "copy":
        x[:, 3] = x[:, 2]
    elif shape == "constant":
        x[:, 3] = 1.0
    else:
        x[1:, 3] = x[:-1, 0]
    moments = var_moments(x, np.arange(58), max_lag=2)
    for fit in (stepwise_var(moments), shared_own_past(moments)):
        assert np.isfinite(fit.coefficients).all()
        assert np.isfinite(fit.t_statistic).all()
        assert np.isfinite(fit.intercept).all()
    assert np.isfinite(linear_evidence(moments)).all()


def test_the_unit_of_a_column_changes_nothing():
    x = series(4, 50, 8)
    unit = 10.0 ** np.arange(-4, 4)
    one, other = (stepwise_var(var_moments(v, np.arange(48), max_lag=2)) for v in (x, x * unit))
    np.testing.assert_allclose(one.t_statistic, other.t_statistic, rtol=1e-5, atol=1e-8)
    np.testing.assert_array_equal(one.chosen, other.chosen)


def test_evidence_is_that_of_the_path_where_no_cause_helps():
    x = np.random.default_rng(0).normal(size=(80, 6))
    moments = var_moments(x, np.arange(79), max_lag=1)
    assert not (stepwise_var(moments).chosen & ~np.eye(6, dtype=bool)[:, :, None]).any()
    np.testing.assert_allclose(linear_evidence(moments), ridge_path_evidence(moments))


def test_evidence_is_mostly_that_of_the_tests_where_causes_help():
    x = series(5, 40, 12)
    moments = var_moments(x, np.arange(38), max_lag=2)
    path, t = ridge_path_evidence(moments), np.abs(stepwise_var(moments).t_statistic)
    np.testing.assert_allclose(linear_evidence(moments), path**0.2 * t**0.8)


def test_the_shared_past_is_a_pooled_regression():
    x, n_vars = series(6, 50, 7), 7
    found = shared_own_past(var_moments(x, np.arange(48), max_lag=2))
    z, y = design(x, 2)
    z, spread, target_spread = (z - z.mean(0)) / z.std(0), z.std(0), y.std(0)
    pooled = np.concatenate([z[:, [k, n_vars + k]] for k in range(n_vars)])
    shared = np.linalg.lstsq(pooled, ((y - y.mean(0)) / target_spread).T.ravel(), rcond=None)[0]
    for k in range(n_vars):
        for lag in (1, 2):
            unit = target_spread[k] / spread[(lag - 1) * n_vars + k]
            np.testing.assert_allclose(found.coefficients[k, k, lag], shared[lag - 1] * unit)
    cross = ~np.eye(n_vars, dtype=bool)
    assert not found.coefficients[cross].any()
