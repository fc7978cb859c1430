"""Stacking the Transformer with the linear model, and which of the two chooses edges."""

import dataclasses

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxcause as jc
from jaxcause import metrics
from jaxcause.attribution._empirical_null import HALF_NORMAL_MEDIAN
from jaxcause.models.forecaster import ForecasterConfig, init_params, predictor
from jaxcause.stats import fit_var
from jaxcause.training import TrainingConfig
from jaxcause.workflows._discover.choice import widened_tests
from jaxcause.workflows._discover.forecaster import TrainedForecaster
from jaxcause.workflows._discover.stacking import gain_over_linear, stacked, without_linear_part

QUICK = {"model": "small", "progress": False, "training": TrainingConfig(300, batch_size=16)}


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(4, 60),
    n_vars=st.integers(1, 4),
    mix=st.floats(0, 1),
)
def test_stacking_never_forecasts_worse_than_the_linear_model(seed, n, n_vars, mix):
    rng = np.random.default_rng(seed)
    linear = rng.normal(size=(n, n_vars))
    other = mix * linear + rng.normal(size=(n, n_vars))
    weight = gain_over_linear(linear, other).weight
    errors = [((linear * (1 - w) + other * w) ** 2).sum() for w in np.linspace(0, 1, 101)]
    best = ((linear * (1 - weight) + other * weight) ** 2).sum()
    assert 0 <= weight <= 1
    assert best <= min(errors) + 1e-9


@pytest.mark.parametrize("noise", [0.1, 0.5, 2.0])
def test_a_noisier_copy_of_the_linear_forecast_rarely_adds_anything(noise):
    rng = np.random.default_rng(0)
    false = 0
    for n in rng.integers(40, 200, 400):
        linear = rng.standard_t(4, size=(n, 5))
        gain = gain_over_linear(linear, linear + noise * rng.normal(size=(n, 5)))
        false += bool(gain.targets.any())
    assert false <= 2


@pytest.mark.parametrize(
    ("noise", "bend", "counts"), [(0.88, 0.02, True), (0.7, 0.005, False), (0.97, 0.001, False)]
)
def test_a_sure_gain_counts_by_what_the_linear_model_explains(noise, bend, counts):
    """Of variance 1, nobody forecasts ``noise``, and the Transformer alone ``bend``."""
    rng = np.random.default_rng(1)
    missed, bent = rng.normal(size=(2, 4000, 10))
    rest = np.sqrt(noise) * missed
    gain = gain_over_linear(rest + np.sqrt(bend) * bent, rest)
    assert gain.share < 0.04
    assert gain.explained == pytest.approx(bend / (1 - noise - bend), rel=0.3)
    assert gain.counts == counts
    # Values that are missing are neither error nor explained.
    holes = rng.random(rest.shape) < 0.4
    missing = (np.where(holes, np.nan, r) for r in (rest + np.sqrt(bend) * bent, rest))
    found = gain_over_linear(*missing).explained
    assert found == pytest.approx(gain.explained, rel=0.2, abs=0.02)
    # As large a share of the explained, but of few windows and so not sure.
    few = gain_over_linear((rest + np.sqrt(bend) * bent)[:25], rest[:25])
    assert few.z < gain.z


def test_a_bent_system_beneath_much_noise_is_read_by_gradients():
    """2,000 rows of piecewise-linear effects: t-tests miss more, and find more that is false."""
    made = jc.simulate.lagged_system(
        jax.random.key(11), n_vars=10, max_lag=5, n_steps=2000, n_parents=3, function="pl+m"
    )
    found = jc.discover(np.asarray(made.series), 5, key=jax.random.key(0), progress=False)
    assert found.info.selection == "empirical null"
    # Edges stand apart from the others, so that forecasts without each input are not asked.
    assert found.info.impact_windows is None
    right = np.asarray(found.graph.directed) & np.asarray(made.truth.directed)
    n_found, n_true = (int(np.asarray(g.directed).sum()) for g in (found.graph, made.truth))
    assert 2 * int(right.sum()) / (n_found + n_true) > 0.85


def test_one_target_among_many_is_seen():
    rng = np.random.default_rng(0)
    linear = rng.normal(size=(300, 20))
    other = linear + 0.3 * rng.normal(size=linear.shape)
    other[:, 7] = 0.5 * linear[:, 7]
    assert np.flatnonzero(gain_over_linear(linear, other).targets).tolist() == [7]


@pytest.mark.parametrize("attention", ["positional", "content"])
@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_the_stacked_forecaster_is_the_weighted_mean(attention, weight):
    rng = np.random.default_rng(0)
    config = ForecasterConfig(3, 2, attention=attention, width=8, n_heads=2, depth=1)
    params = init_params(jax.random.key(1), config)
    params["bias"] = np.asarray(params["bias"]) + 0.7
    x = rng.normal(size=(100, 3)) + 1
    fit = fit_var(x, np.arange(98), max_lag=2)
    window = jax.numpy.asarray(x[:2], "float32")
    both = dataclasses.replace(config, skip=True)
    changed = stacked(params, fit, weight)
    alone, linear = predictor(config, params)(window), fit.predict(x[None, :2])[0]
    expected = weight * np.asarray(alone) + (1 - weight) * linear
    np.testing.assert_allclose(predictor(both, changed)(window), expected, rtol=2e-4, atol=1e-5)
    gradient = jax.jacobian(predictor(both, without_linear_part(changed)))(window)
    np.testing.assert_allclose(
        gradient, weight * jax.jacobian(predictor(config, params))(window), atol=1e-5
    )


def partly_nonlinear(n_rows=1500):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(n_rows, 5))
    for t in range(2, n_rows):
        x[t, 1] += 0.5 * x[t - 1, 0]
        x[t, 3] = 0.3 * x[t, 3] + 1.5 * np.tanh(2 * x[t - 1, 2]) * x[t - 2, 4]
    return x


def test_gradients_choose_where_they_forecast_better_and_t_tests_elsewhere():
    found = jc.discover(partly_nonlinear(), 2, key=jax.random.key(0), **QUICK)
    truth = np.zeros((5, 5, 3), bool)
    truth[0, 1, 1] = truth[2, 3, 1] = truth[4, 3, 2] = True
    assert "X3" in found.info.gain["targets"]
    assert (np.asarray(found.graph.directed) & truth).sum() == 3
    assert float(metrics.auroc(found.scores, truth)) > 0.98


def test_a_forecaster_that_was_stacked_is_read_as_it_was(tmp_path):
    x = partly_nonlinear()
    found = jc.discover(x, 2, key=jax.random.key(0), **QUICK)
    found.forecaster.save(tmp_path / "f.safetensors")
    kept = TrainedForecaster.load(tmp_path / "f.safetensors")
    assert 0 < kept.weight < 1
    again = jc.discover(x, 2, forecaster=kept, progress=False)
    assert again.info.gain["targets"] == found.info.gain["targets"]
    np.testing.assert_allclose(again.scores, found.scores, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(again.graph.marks, found.graph.marks)


def test_tests_are_widened_only_where_edges_cannot_explain_their_bulk():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 9))
    x[1:, 1:4] += x[:-1, :1]
    fit = fit_var(x, np.arange(397), max_lag=3)
    assert widened_tests(fit)[1] == 1.0
    many = fit._replace(t_statistic=2 * fit.t_statistic)
    wide, factor = widened_tests(many)
    assert 1.8 < factor < 2.3
    cross = ~np.eye(9, dtype=bool)
    assert np.isclose(np.median(np.abs(wide.t_statistic[cross][:, 1:])), HALF_NORMAL_MEDIAN)
    few = fit_var(x[:, :4], np.arange(397), max_lag=3)
    assert widened_tests(few._replace(t_statistic=9 * few.t_statistic))[1] == 1.0


def test_the_note_says_that_tests_were_widened():
    rng = np.random.default_rng(1)
    hidden = np.cumsum(rng.normal(size=1200)) / 10
    x = rng.normal(size=(1200, 9)) + hidden[:, None] * rng.uniform(1, 2, 9)
    found = jc.discover(x, 3, key=jax.random.key(0), transform="standardise", **QUICK)
    assert found.info.widened is None or any("were widened" in n for n in found.info.notes)
