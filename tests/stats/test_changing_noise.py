"""Autoregressions whose noise is louder at some times: when it is seen, and what tests then say."""

import numpy as np
import pytest

from jaxcause.stats import (
    blocks_in_time,
    fit_var,
    noise_weights,
    ridge_path_evidence,
    var_moments,
    weighted_evidence,
    weighted_tests,
)
from jaxcause.stats._regression import changing_noise


def volatile(seed, n_rows=500, n_vars=4, steps=False):
    """Variables that remember themselves, all loud and calm at the same times."""
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.normal(size=n_rows)) / 12
    loudness = np.where(np.arange(n_rows) // 100 % 2, 8, 1) if steps else np.exp(walk)
    noise = rng.normal(size=(n_rows, n_vars)) * loudness[:, None]
    x = np.zeros((n_rows, n_vars))
    for t in range(1, n_rows):
        x[t] = 0.4 * x[t - 1] + noise[t]
    return x


def every_window(x, max_lag):
    return np.arange(len(x) - max_lag)


def test_the_level_of_the_tests_holds():
    """Of links that are not there a twentieth is found at level .05; plainly, several times that"""
    plain, weighted = [], []
    cross = ~np.eye(4, dtype=bool)
    for seed in range(60):
        x = volatile(seed)
        at = every_window(x, 2)
        noise = noise_weights(x, at, max_lag=2)
        plain += fit_var(x, at, max_lag=2).p_value[:, :, 1:][cross].ravel().tolist()
        fit = weighted_tests(x, at, noise, max_lag=2)
        weighted += fit.p_value[:, :, 1:][cross].ravel().tolist()
    assert np.mean(np.array(plain) < 0.05) > 0.12
    assert 0.03 < np.mean(np.array(weighted) < 0.05) < 0.075


def test_effects_are_found_that_loud_stretches_hide():
    hits = np.zeros(3)
    for seed in range(40):
        x = np.random.default_rng(seed).normal(size=(500, 2))
        x[:, 1] *= np.where(np.arange(500) // 100 % 2, 8, 1)
        x[1:, 1] += 0.3 * x[:-1, 0]
        at = every_window(x, 1)
        noise = noise_weights(x, at, max_lag=1)
        # The same robust errors with weights of one: right, but weak.
        no_weights = noise._replace(weights=np.ones_like(noise.weights))
        for k, weights in enumerate((no_weights, noise)):
            fit = weighted_tests(x, at, weights, max_lag=1)
            hits[k] += fit.p_value[0, 1, 1] < 0.05
        hits[2] += noise.changes[1]
    assert hits[1] > hits[0] + 15
    assert hits[2] == 40


@pytest.mark.parametrize("kind", ["normal", "heavy", "uniform", "loud input", "chaos"])
def test_steady_noise_is_left_alone(kind):
    n_seen = 0
    for seed in range(25):
        rng = np.random.default_rng(seed)
        noise = {
            "heavy": lambda rng=rng: rng.standard_t(3, size=(400, 4)),
            "uniform": lambda rng=rng: rng.uniform(size=(400, 4)),
        }.get(kind, lambda rng=rng: rng.normal(size=(400, 4)))()
        x = noise.copy()
        for t in range(1, len(x)):
            before = 3.9 * x[t - 1] * (1 - x[t - 1]) if kind == "chaos" else 0.5 * x[t - 1]
            x[t] = np.clip(before + 0.01 * noise[t], 0, 1) if kind == "chaos" else before + noise[t]
        if kind == "loud input":
            # A cause whose own noise changes leaves that of its effect as it is.
            x[200:, 0] *= 8
            x[1:, 1] += 0.5 * x[:-1, 0]
        changes = noise_weights(x, every_window(x, 1), max_lag=1).changes
        n_seen += changes[1:].sum()
    assert n_seen <= 2


def test_robust_errors_are_those_of_the_formula():
    x = volatile(3, n_rows=220, n_vars=3, steps=True)
    at = every_window(x, 2)
    noise = noise_weights(x, at, max_lag=2)
    assert noise.changes.any()
    allowed = np.ones((3, 3, 3), bool)
    allowed[2, :, 1] = False
    fit = weighted_tests(x, at, noise, max_lag=2, allowed=allowed)
    terms = [(v, lag) for v in range(3) for lag in (1, 2) if (v, lag) != (2, 1)]
    design = np.stack([*(x[at + 2 - lag, v] for v, lag in terms), np.ones(len(at))], axis=1)
    for target in np.flatnonzero(noise.changes):
        w, y = noise.weights[:, target], x[at + 2, target]
        inverse = np.linalg.inv(sum(c * np.outer(z, z) for c, z in zip(w, design, strict=True)))
        beta = inverse @ (design.T @ (w * y))
        meat = np.zeros_like(inverse)
        for c, z, value in zip(w, design, y, strict=True):
            left = c * (value - z @ beta) / (1 - c * z @ inverse @ z)
            meat += left**2 * np.outer(z, z)
        error = np.sqrt(np.diag(inverse @ meat @ inverse))
        for k, (v, lag) in enumerate(terms):
            assert fit.coefficients[v, target, lag] == pytest.approx(beta[k])
            assert fit.t_statistic[v, target, lag] == pytest.approx(beta[k] / error[k])
    assert (fit.coefficients[2, :, 1] == 0).all()
    assert (fit.p_value[2, :, 1] == 1).all()


def test_other_targets_keep_their_tests():
    x = volatile(0)
    x[:, 3] = np.random.default_rng(9).normal(size=len(x))
    at = every_window(x, 1)
    noise = noise_weights(x, at, max_lag=1)
    assert noise.changes.tolist() == [True, True, True, False]
    assert (noise.weights[:, 3] == 1).all()
    np.testing.assert_allclose(noise.weights.mean(axis=0), 1)
    np.testing.assert_allclose(noise.by_variance.mean(axis=0), 1)
    assert (noise.contrast()[:3] > 2).all()
    plain, found = fit_var(x, at, max_lag=1), weighted_tests(x, at, noise, max_lag=1)
    np.testing.assert_array_equal(found.t_statistic[:, 3], plain.t_statistic[:, 3])
    moments = var_moments(x, at, max_lag=1)
    evidence = weighted_evidence(moments, x, at, noise, max_lag=1)
    before = ridge_path_evidence(moments, blocks=blocks_in_time(x, at, max_lag=1))
    # Only what a penalty counts is shared with the other targets.
    np.testing.assert_allclose(evidence[:, 3], before[:, 3], rtol=0.01)
    assert not np.allclose(evidence[:, 0], before[:, 0])


def test_levels_are_means_of_what_is_near():
    rng = np.random.default_rng(0)
    squares = rng.normal(size=(150, 2)) ** 2
    rows = np.sort(rng.permutation(400)[:150])
    rows[-1] += 10_000
    found = changing_noise._levels(squares, rows)
    mean = squares.mean(axis=0)
    for k, row in enumerate(rows):
        near = np.abs(rows - row) <= 80
        near[k] = False
        kernel = np.exp(-0.5 * ((rows[near] - row) / 20) ** 2)
        expected = (kernel @ squares[near]) / kernel.sum() if near.any() else mean
        np.testing.assert_allclose(found[k], np.maximum(expected, 0.02 * mean), rtol=1e-9)


def test_targets_share_weights_where_their_own_take_too_long(monkeypatch):
    x = volatile(0)
    x[:, 3] = np.random.default_rng(9).normal(size=len(x))
    at = every_window(x, 2)
    own = noise_weights(x, at, max_lag=2)
    monkeypatch.setattr(changing_noise, "MOST_EFFORT", 1.0)
    shared = noise_weights(x, at, max_lag=2)
    assert [targets for _, targets in own.groups(own.weights)] == [[0], [1], [2]]
    assert [targets for _, targets in shared.groups(shared.weights)] == [[0, 1, 2]]
    assert (shared.weights[:, 3] == 1).all()
    assert np.corrcoef(np.log(own.weights[:, 0]), np.log(shared.weights[:, 0]))[0, 1] > 0.8
    fit = weighted_tests(x, at, shared, max_lag=2)
    assert (fit.p_value[:, :, 1:][~np.eye(4, dtype=bool)] > 0.001).all()
    # One target at a time gives the same.
    alone = shared._replace(efficiency=shared.efficiency * np.array([0, 1, 0, 0]))
    one = weighted_tests(x, at, alone, max_lag=2)
    np.testing.assert_allclose(one.t_statistic[:, 1], fit.t_statistic[:, 1])


def test_weights_count_windows():
    x = volatile(0, n_rows=60)
    at, weights = every_window(x, 1), np.zeros(59)
    weights[:30] = 2.0
    twice = np.concatenate([at[:30], at[:30]])
    weighed, doubled = (
        var_moments(x, at, max_lag=1, weights=weights),
        var_moments(x, twice, max_lag=1),
    )
    np.testing.assert_allclose(weighed.gram, doubled.gram)
    np.testing.assert_allclose(weighed.cross, doubled.cross)
    np.testing.assert_allclose(weighed.total, doubled.total)


def test_time_between_windows_counts():
    """Windows with a gap between them are not near one another."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4000, 2))
    x[2000:] *= 6
    near = np.r_[1900:2100]
    apart = np.r_[1000:1100, 3000:3100]
    found = [noise_weights(x, at, max_lag=1) for at in (near, apart)]
    assert all(one.changes.all() for one in found)
    # At the border the level is a mean of both sides; across the gap it is not.
    across = [np.log(one.weights[99] / one.weights[100]) for one in found]
    assert (across[0] < 0.2).all()
    assert (across[1] > 1.2).all()
