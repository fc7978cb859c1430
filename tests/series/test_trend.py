"""Trends and seasons: taken out exactly, found where they are, and not where they are not."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxcause import InputError
from jaxcause.series import as_series_table, detrended, find_trend


def by_the_clock(t, periods, n_vars, seed=0):
    """A line and seasons of random size and phase for each column."""
    rng = np.random.default_rng(seed)
    x = np.outer(t, rng.uniform(0.03, 0.1, n_vars))
    for period in periods:
        for harmonic in (1, 2):
            turn = 2 * np.pi * harmonic * t[:, None] / period + rng.uniform(0, 6, n_vars)
            x += rng.uniform(1, 3, n_vars) / harmonic * np.sin(turn)
    return x


def own_dynamics(kind, n_rows, n_vars, seed):
    """Noise, persistence, and cycles whose phase drifts: nothing of it goes by the clock."""
    rng = np.random.default_rng(seed)
    noise, x = rng.normal(size=(n_rows, n_vars)), np.zeros((n_rows, n_vars))
    rho, turn = rng.uniform(0.5, 0.95, n_vars), 2 * np.pi / rng.uniform(5, 40)
    for t in range(2, n_rows):
        if kind == "persistent":
            x[t] = rho * x[t - 1] + noise[t]
        elif kind == "cycles":
            x[t] = 2 * 0.98 * np.cos(turn) * x[t - 1] - 0.96 * x[t - 2] + noise[t]
        else:
            x[t] = noise[t]
    return x


@given(
    seed=st.integers(0, 10**6),
    periods=st.lists(st.floats(3.0, 60.0), max_size=2, unique=True),
    missing=st.floats(0, 0.3),
)
@settings(max_examples=30, deadline=None)
def test_what_goes_by_the_clock_goes_and_means_stay(seed, periods, missing):
    t = np.arange(400.0)
    noise = 1e-3 * np.random.default_rng(seed).normal(size=(400, 3))
    x = by_the_clock(t, periods, 3, seed) + 7 + noise
    x[np.random.default_rng(seed).random(x.shape) < missing] = np.nan
    rest, trend = detrended(as_series_table(x), linear=True, periods=periods)
    np.testing.assert_array_equal(np.isnan(rest.values), np.isnan(x))
    assert np.nanstd(rest.values, axis=0).max() < 1.2e-3
    np.testing.assert_allclose(rest.values + trend.at(t), x, atol=1e-8)


@pytest.mark.parametrize("kind", ["noise", "persistent", "cycles"])
def test_nothing_is_found_in_what_a_system_does_by_itself(kind):
    for seed in range(12):
        n_rows = int(np.random.default_rng(seed).integers(150, 900))
        table = as_series_table(own_dynamics(kind, n_rows, 4, seed))
        assert find_trend(table, 3) == (False, ())


@given(seed=st.integers(0, 10**6), period=st.integers(4, 24))
@settings(max_examples=20, deadline=None)
def test_a_season_is_found_beside_dynamics_and_a_line_beside_noise(seed, period):
    clock = 3 * by_the_clock(np.arange(700.0), [period], 4, seed)
    for kind in ("noise", "persistent"):
        table = as_series_table(clock + own_dynamics(kind, 700, 4, seed))
        linear, periods = find_trend(table, 2)
        assert float(period) in periods or any(abs(p - period / 2) < 0.01 for p in periods)
        # Beside strong persistence the past itself can foretell a line.
        assert linear or kind == "persistent"


def test_units_do_not_matter():
    t = np.arange(500.0)
    x = by_the_clock(t, [12], 3) + own_dynamics("noise", 500, 3, 0)
    assert find_trend(as_series_table(x * [1e-9, 1e6, 1.0]), 2) == find_trend(as_series_table(x), 2)


def test_gaps_count_by_their_time():
    t = np.delete(np.arange(600.0), np.s_[200:230])
    frame = pd.DataFrame(by_the_clock(t, [24], 2), columns=["a", "b"])
    frame += own_dynamics("noise", len(t), 2, 0)
    frame.insert(0, "date", pd.Timestamp("2024-01-01") + pd.to_timedelta(t, unit="h"))
    table = as_series_table(frame)
    assert len(np.unique(table.segment)) == 2
    assert find_trend(table, 2) == (True, (24.0,))


def test_several_series_have_no_common_clock():
    table = as_series_table([own_dynamics("noise", 200, 2, seed) for seed in (0, 1)])
    assert find_trend(table, 2) == (False, ())
    with pytest.raises(InputError, match="several series"):
        detrended(table, linear=True)


def test_too_few_values_are_named():
    x = np.full((120, 2), np.nan)
    x[:, 0] = np.arange(120)
    x[:4, 1] = [1, 2, 1, 2]
    with pytest.raises(InputError, match=r"'X1' has 4 values, too few for the 7 terms"):
        detrended(as_series_table(x), linear=True, periods=(12,))


def swinging(seed, n_rows=1000):
    """Two coupled van der Pol oscillators, and Lorenz-96 of five: nobody's clock."""
    rng, rows = np.random.default_rng(seed), []
    u, w = rng.normal(size=4), 8 + rng.normal(size=5)

    def of_oscillators(u):
        a, b = (1 - u[0] ** 2) * u[1] - u[0], (1 - u[2] ** 2) * u[3] - 1.3 * u[2] + 0.3 * u[0]
        return np.array([u[1], a, u[3], b])

    def of_lorenz(w):
        return (np.roll(w, -1) - np.roll(w, 2)) * np.roll(w, 1) - w + 8

    for row in range(n_rows + 300):
        for _ in range(5):
            middle = u + 0.04 * of_oscillators(u)
            u = u + 0.08 * of_oscillators(middle) + 0.03 * rng.normal(size=4) * [0, 1, 0, 1]
            middle = w + 0.005 * of_lorenz(w)
            w = w + 0.01 * of_lorenz(middle)
        if row >= 300:
            rows.append(np.concatenate([u, w]))
    return np.array(rows)


@pytest.mark.parametrize("seed", range(3))
def test_a_system_that_swings_by_itself_has_no_season(seed):
    x = swinging(seed)
    for system in (x[:, :4], x[:, 4:]):
        assert find_trend(as_series_table(system), 2).periods == ()
