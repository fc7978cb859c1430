"""Regimes that are found, on systems whose regimes are known."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jaxcause._errors import InputError
from jaxcause.series import bent_lines, find_regimes
from jaxcause.series._regimes.find import choose_number, held_out_gains
from jaxcause.series._regimes.inputs import blocks_of, choose_inputs, choose_windows, standardised
from jaxcause.series._regimes.moments import RegimeMoments, residuals_of
from jaxcause.series._regimes.search import best_path, in_order

NEAR = 8
"""Rows by which a boundary may be off."""


def switching(seed, lengths, regimes, n_vars=4, function=lambda x: x, noise=None):
    """Each variable has two parents; the signs of one or both differ between any two regimes."""
    rng = np.random.default_rng(seed)
    n_regimes, domain = max(regimes) + 1, np.repeat(regimes, lengths)
    flipped = np.stack([np.arange(n_regimes) % 2, np.arange(n_regimes) // 2], axis=1)
    sign = rng.choice([-1.0, 1.0], (n_vars, 2)) * (1.0 - 2.0 * flipped[:, None])
    parents = np.stack([rng.permutation(n_vars), rng.permutation(n_vars)], axis=1)
    e = rng.normal(size=(len(domain), n_vars)) if noise is None else noise(rng, len(domain), n_vars)
    x = np.zeros_like(e)
    for t in range(2, len(x)):
        past = np.stack([x[t - 1, parents[:, 0]], x[t - 2, parents[:, 1]]], axis=1)
        x[t] = (0.45 * sign[domain[t]] * function(past)).sum(axis=1) + 0.7 * e[t]
    return x, domain


def share_wrong(true, found):
    """Rows outside the best match of regimes, for regimes numbered in order of appearance."""
    return float((true != found).mean())


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 10**6),
    lengths=st.lists(st.integers(250, 500), min_size=4, max_size=6),
)
def test_regimes_that_come_back_are_found_to_the_row(seed, lengths):
    x, domain = switching(seed, lengths, [number % 2 for number in range(len(lengths))])
    found = find_regimes(x, max_lag=2)
    assert found.n_regimes == 2
    assert share_wrong(domain, found.domain) < 0.03
    assert np.abs(found.starts - np.cumsum([0, *lengths[:-1]])).max() < 20
    assert found.gain > 0.05


@pytest.mark.parametrize("order", [[0, 1, 2, 0, 1, 2], [0, 1, 2, 3, 1, 0, 3, 2], [0, 1]])
def test_any_number_of_regimes_is_found(order):
    for seed in range(2):
        x, domain = switching(seed, [400] * len(order), order)
        found = find_regimes(x, max_lag=2)
        assert found.n_regimes == max(order) + 1
        assert share_wrong(domain, found.domain) < 0.03


@pytest.mark.parametrize("function", [np.abs, lambda x: np.tanh(3 * x), lambda x: x**2 / 2])
def test_regimes_of_nonlinear_mechanisms(function):
    x, domain = switching(
        3, [1200] * 4, [0, 1, 0, 1], function=lambda past: np.clip(function(past), -1.5, 1.5)
    )
    found = find_regimes(x, max_lag=2)
    assert found.n_regimes == 2
    assert share_wrong(domain, found.domain) < 0.02


def volatile(rng, n_rows, n_vars):
    level = np.repeat(np.exp(rng.normal(size=-(-n_rows // 150))), 150)[:n_rows]
    return level[:, None] * rng.normal(size=(n_rows, n_vars))


ONE_REGIME = {
    "linear": lambda seed: switching(seed, [1500], [0])[0],
    "magnitudes": lambda seed: switching(seed, [1500], [0], function=np.abs)[0],
    "waves": lambda seed: switching(seed, [1500], [0], function=lambda x: np.sin(3 * x))[0],
    "outliers": lambda seed: switching(
        seed, [1500], [0], noise=lambda g, t, n: g.standard_t(1.5, size=(t, n))
    )[0],
    "changing variance": lambda seed: switching(seed, [1500], [0], noise=volatile)[0],
    "changing level": lambda seed: (
        switching(seed, [1500], [0])[0] + np.repeat([0.0, 4.0, -3.0], 500)[:, None]
    ),
    "trend": lambda seed: switching(seed, [1500], [0])[0] + np.linspace(0, 6, 1500)[:, None],
    "random walks": lambda seed: np.cumsum(
        np.random.default_rng(seed).normal(size=(1500, 4)), axis=0
    ),
    "noise": lambda seed: np.random.default_rng(seed).normal(size=(1500, 4)),
}


@pytest.mark.parametrize("kind", ONE_REGIME)
def test_a_stationary_mechanism_has_one_regime(kind):
    for seed in range(4):
        found = find_regimes(ONE_REGIME[kind](seed), max_lag=2)
        assert found.n_regimes == 1
        assert found.starts.tolist() == [0]
        assert found.gain == 0
        assert not found.domain.any()


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_order_and_units_of_columns_change_nothing(seed):
    x, _ = switching(seed, [400] * 3, [0, 1, 0])
    rng = np.random.default_rng(seed)
    order = rng.permutation(4)
    other = 10.0 ** rng.integers(-3, 4, 4) * rng.choice([-1, 1], 4) * x[:, order] + 5
    np.testing.assert_array_equal(
        find_regimes(x, max_lag=2).domain, find_regimes(other, max_lag=2).domain
    )


def test_missing_values_gaps_and_masks():
    x, domain = switching(1, [500] * 4, [0, 1, 0, 1])
    holed = x.copy()
    holed[::61, 2] = np.nan
    assert share_wrong(domain, find_regimes(holed, max_lag=2).domain) < 0.03
    # Two series, one after the other, that were recorded in different regimes.
    segment = np.repeat([0, 1], 1000)
    joined = np.concatenate([x[domain == 0], x[domain == 1]])
    found = find_regimes(joined, max_lag=2, segment=segment)
    assert np.abs(found.starts - [0, 1000]).max() < NEAR
    targets = np.arange(len(x)) % 3 > 0
    assert share_wrong(domain, find_regimes(x, max_lag=2, targets=targets).domain) < 0.03


def test_short_and_redundant_series():
    x, _ = switching(0, [150, 150], [0, 1])
    assert find_regimes(x, max_lag=2).n_regimes == 1
    x, domain = switching(0, [500] * 3, [0, 1, 0])
    twice = np.concatenate([x, 2 * x[:, :2] + 1, x[:, :1] > 0], axis=1)
    found = find_regimes(twice, max_lag=2)
    assert share_wrong(domain, found.domain) < 0.03


def test_too_many_lagged_values_are_sifted():
    x, domain = switching(2, [500] * 4, [0, 1, 0, 1], n_vars=30)
    found = find_regimes(x, max_lag=6)
    assert share_wrong(domain, found.domain) < 0.03


def test_what_does_not_fit_is_told(untyped):
    x = np.zeros((300, 2))
    for wrong, says in (
        ({"max_lag": 0}, "max_lag=0"),
        ({"max_lag": 1, "segment": np.zeros(4, int)}, "segment has shape"),
        ({"max_lag": 1, "targets": np.zeros(4, bool)}, "targets has shape"),
    ):
        with pytest.raises(InputError, match=says):
            find_regimes(x, **wrong)
    with pytest.raises(InputError, match="must be \\[time, vars\\]"):
        find_regimes(np.zeros(300), max_lag=1)


def test_the_path_of_most_gain_is_that_of_all_paths():
    rng = np.random.default_rng(0)
    for _ in range(20):
        gain = rng.normal(size=(6, 3))
        price = float(rng.uniform(0, 2))
        paths = np.stack(np.meshgrid(*[range(3)] * 6, indexing="ij"), axis=-1).reshape(-1, 6)
        worth = gain[np.arange(6), paths].sum(axis=1) - price * (np.diff(paths) != 0).sum(axis=1)
        found = best_path(gain, price)
        kept = gain[np.arange(6), found].sum() - price * (np.diff(found) != 0).sum()
        np.testing.assert_allclose(kept, worth.max())


def test_labels_are_numbered_as_they_appear():
    assert in_order(np.array([2, 2, 0, 5, 0])).tolist() == [0, 0, 1, 2, 1]


def test_the_evidence_is_the_marginal_likelihood_of_normal_coefficients():
    rng = np.random.default_rng(1)
    x, r = rng.normal(size=(30, 2)), rng.normal(size=30)
    moments = RegimeMoments((x.T @ x)[None], (r @ x)[None])
    own = np.eye(30) + 0.1 * x @ x.T
    log_ratio = -0.5 * (r @ np.linalg.solve(own, r) + np.linalg.slogdet(own)[1]) + 0.5 * r @ r
    np.testing.assert_allclose(moments.evidence(), np.log(0.9 + 0.1 * np.exp(log_ratio)))


def test_one_regime_is_kept_if_more_do_not_forecast_better():
    rng = np.random.default_rng(0)
    nothing = {1: np.zeros(50), 2: rng.normal(0.1, 1, 50), 3: rng.normal(-1, 1, 50)}
    assert choose_number(nothing) == 1
    better = {1: np.zeros(50), 2: rng.normal(5, 1, 50), 3: rng.normal(5, 1, 50)}
    assert choose_number(better) == 2


def test_held_out_gains_of_one_regime_are_nearly_none():
    x = ONE_REGIME["linear"](0)
    windows = choose_windows(standardised(x), np.arange(2, len(x)), 2, 20)
    inputs = choose_inputs(windows, blocks_of(len(x) - 2, 20))
    halves = blocks_of(len(x) - 2, 40)
    moments, total = residuals_of(windows, inputs, halves).moments(halves)
    held = held_out_gains(moments)
    assert min(held) == 1
    assert abs(held[1].sum()) < 1e-3 * total


def test_bent_lines_are_the_functions_with_three_bends():
    x = np.linspace(-3, 3, 61)
    for bend in (-1.0, 0.0, 1.0):
        terms = np.column_stack([bent_lines(x[:, None]), np.ones(61)])
        hinge = np.maximum(x - bend, 0)
        fit = terms @ np.linalg.lstsq(terms, hinge, rcond=None)[0]
        np.testing.assert_allclose(fit, hinge, atol=1e-10)
