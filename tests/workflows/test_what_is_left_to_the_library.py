"""Longest lags, transforms and windows that `discover` decides on itself."""

import numpy as np
import pytest

import jaxcause as jc
from jaxcause import InputError
from jaxcause.series import as_series_table, link_knowledge
from jaxcause.stats import noise_weights, stepwise_var, var_moments
from jaxcause.workflows._discover.auto import choose_max_lag
from jaxcause.workflows._discover.prepare import WindowOptions, prepare


def one_cause(seed, lag, n_rows=500, n_vars=8):
    x = np.random.default_rng(seed).normal(size=(n_rows, n_vars))
    x[lag:, 1] += 0.6 * x[:-lag, 0]
    return x


@pytest.mark.parametrize("lag", [2, 3, 7, 12])
def test_the_longest_lag_reaches_the_one_cause_of_one_variable(lag):
    for seed in range(10):
        chosen = choose_max_lag(as_series_table(one_cause(seed, lag)))
        assert chosen.value == lag
        assert lag == 2 or f"X0 acts on X1 after {lag} rows" in chosen.reason


def test_noise_needs_one_lag():
    lags = [
        choose_max_lag(as_series_table(np.random.default_rng(s).normal(size=(300, 6)))).value
        for s in range(20)
    ]
    assert lags.count(1) >= 19


def growing(seed, n_rows=203, n_vars=6):
    steps = np.random.default_rng(seed).normal(size=(n_rows, n_vars))
    return 100 * np.exp(np.cumsum(0.008 + 0.01 * steps, axis=0))


def test_ranks_are_no_transform_of_series_that_drift():
    """Ranks of all rows know where a walk goes; held-out errors of such ranks mean nothing."""
    n_edges = 0
    for seed in range(12):
        found = jc.discover(growing(seed), 2, method="var")
        assert found.info.transform in ("standardise", "log")
        n_edges += sum(source != target for source, _, _, target in found.graph.edges())
    assert n_edges <= 20  # of 720 pairs; ranks made 102


def test_ranks_stay_the_transform_of_steady_series_with_long_tails():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 3))
    for t in range(1, 400):
        x[t] += 0.7 * x[t - 1]
    table, known = as_series_table(x**3), link_knowledge(["a", "b", "c"], 1)
    data = prepare(table, 1, known=known, transform="auto", options=WindowOptions(0.2))
    assert data.kind == "copula"


@pytest.mark.parametrize("method", ["auto", "var", "pc", "pcmci", "pcmci+", "lasso"])
def test_too_few_windows_for_any_test_are_an_error(method):
    x = np.random.default_rng(0).normal(size=(5, 3))
    with pytest.raises(InputError, match="max_lag"):
        jc.discover(x, 2, method=method)


@pytest.mark.parametrize("n_windows", [1, 2, 3, 4])
def test_without_degrees_of_freedom_stepwise_tests_say_nothing(n_windows):
    x = np.random.default_rng(0).normal(size=(n_windows + 2, 3))
    fit = stepwise_var(var_moments(x, np.arange(n_windows), max_lag=2))
    degrees = n_windows - 2 - fit.chosen.sum(axis=(0, 2))
    assert (fit.p_value[:, degrees < 1] == 1).all()


CLOCKS = {
    "counter": lambda t: t + 1e6,
    "weekday": lambda t: t % 7,
    "alternating": lambda t: t % 2,
    "square": lambda t: t**2,
    "sine": lambda t: np.sin(2 * np.pi * t / 7),
}


@pytest.mark.parametrize("clock", CLOCKS)
def test_rounding_is_no_noise_that_changes(clock):
    """A variable that its past determines has residuals of rounding, whatever their size."""
    t = np.arange(300.0)
    for seed in range(5):
        x = np.column_stack([np.random.default_rng(seed).normal(size=(300, 3)), CLOCKS[clock](t)])
        x = (x - x.mean(axis=0)) / x.std(axis=0)
        noise = noise_weights(x, np.arange(298), max_lag=2)
        determined = var_moments(x, np.arange(298), max_lag=2).determined()
        assert determined.tolist() == [False] * 3 + [clock != "weekday"]
        assert not (noise.changes & determined).any()


def test_a_column_that_is_nothing_but_season_stays():
    rng, t = np.random.default_rng(0), np.arange(600)
    season = 5 * np.sin(2 * np.pi * t / 7)
    x = np.column_stack([rng.normal(size=(600, 3)) + season[:, None], np.sin(2 * np.pi * t / 7)])
    found = jc.discover(x, 2, names=["a", "b", "c", "clock"], method="var", detrend=7)
    (note,) = [n for n in found.info.notes if "taken out of every column" in n]
    assert "Nothing would be left of clock, which stayed as before" in note
    edges = found.graph.edges(["a", "b", "c", "clock"])
    assert not [e for e in edges if (e[0] == "clock") != (e[3] == "clock")]
