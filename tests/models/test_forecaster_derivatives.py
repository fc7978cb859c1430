import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcause.attribution import gradient_energy
from jaxcause.attribution._responses import changed_forecasts, row_forecast
from jaxcause.models.forecaster import (
    ForecasterConfig,
    changed_inputs,
    density_predictor,
    init_params,
    mixtures,
    predictor,
    screened_of,
    with_screened,
)
from jaxcause.nn import ATTN_LRP

CONFIG = ForecasterConfig(n_vars=4, max_lag=3, width=8, n_heads=2)
KINDS = {
    "mean": {"skip": True, "depth": 3, "n_domains": 2},
    "gaussian": {"head": "gaussian", "depth": 1},
}


def model(kind):
    """A configuration and parameters none of which is zero."""
    config, rng = dataclasses.replace(CONFIG, **KINDS[kind]), np.random.default_rng(0)
    params = init_params(jax.random.key(0), config)
    return config, {
        name: np.where(leaf == 0, 0.3 * rng.normal(size=leaf.shape), leaf).astype(np.float32)
        for name, leaf in params.items()
    }


def windows(n=37):
    return np.random.default_rng(1).normal(size=(n, 3, 4)).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_derivatives_by_target_are_those_of_the_backward_pass(kind):
    config, params = model(kind)
    gaussian = config.head == "gaussian"
    build = density_predictor if gaussian else predictor
    forecast = build(config, params, domain=config.n_domains - 1)
    x, targets = windows(), jnp.array([2, 0], jnp.int32)

    @jax.jit
    def both(params, x):
        outputs, of_targets = forecast.func.with_derivatives(params, x)
        one = partial(forecast.func, params)
        as_pair = one if gaussian else lambda window: (one(window),)
        found, expected = of_targets(targets), jax.vmap(jax.jacrev(as_pair))(x)
        expected = tuple(of[:, targets].swapaxes(0, 1) for of in expected)
        return (outputs, found), (jax.vmap(as_pair)(x), expected)

    jax.tree.map(partial(np.testing.assert_allclose, rtol=2e-5, atol=2e-6), *both(params, x))


def test_scores_are_the_same_however_the_work_is_cut():
    config, params = model("mean")
    forecast, x = predictor(config, params), windows()
    expected = gradient_energy(forecast, x)
    found = gradient_energy(forecast, x, targets=np.array([3, 1, 0]), batch_size=7, target_block=2)
    np.testing.assert_allclose(found, expected[:, [3, 1, 0]], rtol=1e-5, atol=1e-8)


def test_rules_that_are_no_derivatives_keep_their_backward_pass():
    content = dataclasses.replace(CONFIG, attention="content")
    for forecast in (
        predictor(CONFIG, {}, ops=ATTN_LRP),
        predictor(content, {}),
        density_predictor(CONFIG, {}),
    ):
        assert forecast.func.with_derivatives({}, jnp.asarray(windows())) is None


def test_changed_inputs_give_the_forecasts_of_changed_windows():
    config, params = model("mean")
    x, domain = windows(), config.n_domains - 1
    edges = np.array([[0, 1, 1], [3, 2, 3], [2, 2, 2]], np.int32)
    values = np.random.default_rng(2).normal(size=(3, len(x), 5)).astype(np.float32)
    seen = x[:, 3 - edges[:, 2], edges[:, 0]].T
    mixed = mixtures(params, x, config=config)
    found = changed_inputs(params, mixed, edges, seen, values, config=config, domain=domain)
    whole = row_forecast(predictor(config, params, domain=domain), 64)
    expected = changed_forecasts(whole, x, edges, values.swapaxes(0, 1))
    np.testing.assert_allclose(np.swapaxes(found, 0, 1), expected, atol=2e-5)


def test_a_screen_blinds_the_attention_and_not_the_linear_part():
    config, params = model("mean")
    seen = np.zeros((4, 4, 4), bool)
    seen[0, 1, 2] = seen[2, 3, 1] = True
    screened = with_screened(params, seen)
    np.testing.assert_array_equal(screened_of(screened), seen)
    energy = np.asarray(gradient_energy(predictor(config, screened), windows()))
    skip = np.zeros((4, 4, 4))
    skip[:, :, 1:] = params["skip"].transpose(1, 2, 0)
    np.testing.assert_allclose(energy[~seen], skip[~seen] ** 2, rtol=1e-5, atol=1e-9)
    assert (np.abs(energy - skip**2)[seen] > 1e-4).all()
