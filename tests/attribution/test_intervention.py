"""Forecasts with one input set to other values: closed forms, and loops over windows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcause import InputError
from jaxcause.attribution import gradient_energy, intervention

TIME, VARS = 3, 2
KEY = jax.random.key(0)


def drawn(n_windows, rho=0.0, seed=0):
    """Windows whose inputs all have the correlation rho, with variances 1, 2, …"""
    rng = np.random.default_rng(seed)
    n = TIME * VARS
    common = rng.normal(size=(n_windows, 1))
    flat = np.sqrt(rho) * common + np.sqrt(1 - rho) * rng.normal(size=(n_windows, n))
    x = flat * np.sqrt(np.arange(1, n + 1))
    return jnp.asarray(x.reshape(-1, TIME, VARS), jnp.result_type(float))


COEFFICIENTS = np.random.default_rng(1).normal(size=(VARS, TIME, VARS))


def linear(window):
    return jnp.einsum("ito,to->i", jnp.asarray(COEFFICIENTS, window.dtype), window)


def as_scores(per_input):
    """[target, time, source] to [source, target, lag]."""
    lagged = per_input[:, ::-1].transpose(2, 0, 1)
    return np.concatenate([np.zeros_like(lagged[:, :, :1]), lagged], axis=2)


def test_of_a_linear_forecast_it_is_coefficient_squared_times_variance():
    x = drawn(20_000, rho=0.7)
    expected = as_scores(COEFFICIENTS**2 * np.var(np.asarray(x), axis=0))
    found = intervention(linear, x, key=KEY)
    np.testing.assert_allclose(found, expected, rtol=0.05)
    energy = gradient_energy(linear, x)
    variance = np.asarray(as_scores(np.var(np.asarray(x), axis=0)[None]))
    np.testing.assert_allclose(found, energy * variance, rtol=0.05)


@pytest.mark.parametrize("rho", [0.0, 0.7, 0.95])
def test_conditional_draws_leave_the_variance_that_the_others_do_not_explain(rho):
    x = drawn(20_000, rho=rho)
    n = TIME * VARS
    corr = np.full((n, n), rho) + (1 - rho) * np.eye(n)
    left = np.arange(1, n + 1) / np.diag(np.linalg.inv(corr))
    expected = as_scores(COEFFICIENTS**2 * left.reshape(1, TIME, VARS))
    found = intervention(linear, x, key=KEY, values="conditional")
    np.testing.assert_allclose(found, expected, rtol=0.05)


def test_few_windows_do_not_bias_the_conditional_variance():
    found = [
        intervention(linear, drawn(12, 0.5, seed), key=KEY, values="conditional", n_draws=20)
        for seed in range(300)
    ]
    large = intervention(linear, drawn(20_000, 0.5), key=KEY, values="conditional")
    ratio = np.mean(found, axis=0)[:, :, 1:] / np.asarray(large)[:, :, 1:]
    # 6 of 12 degrees of freedom are spent; without a correction this would be one half.
    assert 0.85 < np.median(ratio) < 1.15


def test_a_step_without_a_slope_is_seen_and_a_slope_without_a_step_is_not():
    def forecast(window):
        step = jnp.where(window[-1, 0] > 0, 1.0, -1.0).astype(window.dtype)
        return jnp.stack([step, jnp.sin(1000 * window[-1, 1]) / 1000])

    x = drawn(4_000)
    energy = np.asarray(gradient_energy(forecast, x))
    found = np.asarray(intervention(forecast, x, key=KEY))
    assert energy[0, 0, 1] == 0
    np.testing.assert_allclose(found[0, 0, 1], 1.0, rtol=0.05)
    np.testing.assert_allclose(energy[1, 1, 1], 0.5, rtol=0.1)
    assert found[1, 1, 1] < 1e-6


def test_an_interaction_counts_for_both_of_its_inputs():
    x = drawn(20_000)
    found = np.asarray(intervention(lambda w: w[-1] * w[-2, ::-1], x, key=KEY))
    variance = np.var(x, axis=0)
    both = variance[-1, 0] * variance[-2, 1]
    np.testing.assert_allclose([found[0, 0, 1], found[1, 0, 2]], both, rtol=0.1)


@pytest.mark.parametrize("values", ["marginal", "conditional"])
@pytest.mark.parametrize("batch_size", [None, 1, 7, 64])
def test_every_batch_size_gives_the_same(values, batch_size):
    x = drawn(30, 0.4)
    given = {"key": KEY, "values": values}
    whole = intervention(linear, x, batch_size=30, **given)
    found = intervention(linear, x, batch_size=batch_size, **given)
    np.testing.assert_allclose(found, whole, rtol=1e-5)
    some = intervention(linear, x, targets=np.array([1]), **given)
    np.testing.assert_allclose(some, whole[:, [1]], rtol=1e-5)


def test_it_is_part_of_a_compiled_program_and_the_same_for_the_same_key():
    x = drawn(50)
    found = jax.jit(lambda x, key: intervention(linear, x, key=key))(x, KEY)
    np.testing.assert_allclose(found, intervention(linear, x, key=KEY), rtol=1e-5)
    other = intervention(linear, x, key=jax.random.key(1))
    assert not np.allclose(found, other, rtol=1e-3)


def test_an_input_that_the_others_determine_or_that_is_constant_adds_nothing():
    x = drawn(500)
    x = x.at[:, 0, 0].set(x[:, 1, 1]).at[:, 2, 0].set(3.0)  # the newest row is the last
    found = np.asarray(intervention(linear, x, key=KEY, values="conditional"))
    usual = np.asarray(intervention(linear, x, key=KEY))
    assert (found[0, :, 3] < 1e-4 * usual[0, :, 3]).all()
    assert (found[1, :, 2] < 1e-4 * usual[1, :, 2]).all()
    np.testing.assert_allclose(usual[0, :, 1], 0, atol=1e-9)
    assert np.isfinite(found).all()


def test_a_module_of_torch_needs_no_derivative():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")

    class Linear(torch.nn.Module):
        def forward(self, windows):
            return torch.einsum("ito,wto->wi", torch.tensor(COEFFICIENTS).to(windows), windows)

    from jaxcause.attribution import from_torch

    x = drawn(40)
    found = intervention(from_torch(Linear().eval()), x, key=KEY)
    np.testing.assert_allclose(found, intervention(linear, x, key=KEY), rtol=1e-4)


def test_refusals(untyped):
    x = drawn(6)
    with pytest.raises(InputError, match="values='joint' is not known"):
        intervention(linear, x, key=KEY, values="joint")
    with pytest.raises(InputError, match="regresses each of 6 inputs .* needs 7 windows, not 6"):
        intervention(linear, x, key=KEY, values="conditional")
    with pytest.raises(InputError, match="n_draws=0"):
        intervention(linear, x, key=KEY, n_draws=0)
    with pytest.raises(InputError, match="windows has shape"):
        intervention(linear, x[0], key=KEY)
    with pytest.raises(InputError, match="one value per variable"):
        intervention(lambda w: w, x, key=KEY)
