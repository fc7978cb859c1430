"""What forecasts lose without an input: closed forms, loops, and tests that hold their level."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial

from jaxcause import InputError
from jaxcause.attribution import predictive_impact
from jaxcause.attribution._changed_inputs import residuals_of_inputs
from jaxcause.stats._tails import student_p_value

KEY = jax.random.key(0)
TIME, VARS = 2, 3


def drawn(n_windows, seed=0, rho=0.6):
    """Correlated windows, and a next row of squares, products and noise."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(n_windows, 1, 1))
    x = np.sqrt(rho) * common + np.sqrt(1 - rho) * rng.normal(size=(n_windows, TIME, VARS))
    newest = np.asarray(jax.vmap(mechanism)(jnp.asarray(x)))
    return x, newest + rng.normal(size=newest.shape)


def mechanism(window):
    """Variable 0 follows the square of 1, variable 1 follows 0 at lag 2, and nothing follows 2."""
    square, product = window[-1, 1] ** 2, window[-1, 0] * window[-2, 2]
    return jnp.stack([square, 0.5 * window[-2, 0], product])


CAUSES = {(1, 0, 1), (0, 1, 2), (0, 2, 1), (2, 2, 2)}


def test_it_finds_the_causes_and_nothing_else():
    x, newest = drawn(3000)
    found = predictive_impact(mechanism, x, newest, key=KEY)
    assert {tuple(link) for link in np.argwhere(found.p_value < 1e-4).tolist()} == CAUSES
    unused = np.ones(found.p_value.shape, bool)
    unused[tuple(np.array(sorted(CAUSES)).T)] = False
    assert (found.p_value[unused] >= 0.5).all()
    assert (found.p_value[:, :, 0] == 1).all()


def test_of_a_linear_mechanism_it_is_twice_the_explained_variance():
    """The new value has twice the conditional variance of the old one, as a difference."""
    x, _ = drawn(40_000)
    newest = np.einsum("wtv,tv->w", x, [[0.3, -0.6, 0.9], [0.0, 0.5, 1.0]])[:, None]
    newest = newest + np.random.default_rng(1).normal(size=(len(x), VARS))

    def linear(window):
        weights = jnp.asarray([[0.3, -0.6, 0.9], [0.0, 0.5, 1.0]], window.dtype)
        return jnp.broadcast_to((window * weights).sum(), (VARS,))

    found = predictive_impact(linear, x, newest, key=KEY)
    corr = np.corrcoef(x.reshape(len(x), -1), rowvar=False)
    left = (1 / np.diag(np.linalg.inv(corr))).reshape(TIME, VARS)[::-1].T
    weights = np.array([[0.0, 0.3], [0.5, -0.6], [1.0, 0.9]])
    expected = 2 * weights**2 * left
    for target in range(VARS):
        np.testing.assert_allclose(found.impact[:, target, 1:], expected, rtol=0.08, atol=0.01)


def weighted(weights, window):
    return jnp.einsum("itv,tv->i", weights.astype(window.dtype), window)


def test_a_forecaster_of_noise_finds_no_more_than_chance():
    """Weights that were learned of noise make forecasts of unseen windows worse, not better."""
    p_values = []
    for seed in range(40):
        x, newest = drawn(200, seed=seed)
        weights = jnp.asarray(np.random.default_rng(seed + 1000).normal(size=(VARS, TIME, VARS)))
        noise = Partial(weighted, 0.2 * weights)
        newest = np.random.default_rng(seed + 500).normal(size=newest.shape)
        p_values.append(predictive_impact(noise, x, newest, key=KEY).p_value[:, :, 1:].ravel())
    for level in (0.01, 0.05, 0.1):
        assert (np.concatenate(p_values) <= level).mean() <= 1.2 * level


def test_it_is_the_mean_over_windows_and_draws():
    """A loop over windows: zero where an input that the others determine is replaced."""
    x, newest = drawn(50)
    x[:, 1, 2] = x[:, 0, 0] + x[:, 1, 1]
    newest[3, 0] = np.nan
    found = predictive_impact(mechanism, x, newest, key=KEY, n_draws=2)
    np.testing.assert_allclose(found.impact[2, :, 1], 0, atol=1e-4)
    assert found.n_windows.tolist() == [49, 50, 50]
    link = (1, 0, 1)
    t = found.impact[link] / found.standard_error[link]
    assert found.t_statistic[link] == t
    one_sided = student_p_value(np.array(t), 48.0) / 2
    np.testing.assert_allclose(found.p_value[link], one_sided, rtol=1e-9)


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_every_batch_size_gives_the_same(batch_size):
    x, newest = drawn(33)
    whole = predictive_impact(mechanism, x, newest, key=KEY)
    parts = predictive_impact(mechanism, x, newest, key=KEY, batch_size=batch_size)
    np.testing.assert_allclose(parts.impact, whole.impact, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(parts.standard_error, whole.standard_error, rtol=1e-3, atol=1e-6)


def test_regressions_may_be_of_more_windows():
    x, newest = drawn(2000)
    with pytest.raises(InputError, match="7 windows, not 5; give more"):
        predictive_impact(mechanism, x[:5], newest[:5], key=KEY)
    found = predictive_impact(mechanism, x[:5], newest[:5], key=KEY, regressed_on=x)
    assert found.n_windows.tolist() == [5, 5, 5]


def test_a_next_row_of_another_shape_is_refused():
    x, newest = drawn(20)
    with pytest.raises(InputError, match=r"newest has shape \(19, 3\).*\(20, 3\)"):
        predictive_impact(mechanism, x, newest[1:], key=KEY)
    with pytest.raises(InputError, match=r"regressed_on has windows of shape \(1, 3\)"):
        predictive_impact(mechanism, x, newest, key=KEY, regressed_on=x[:, :1])


def test_it_is_the_same_within_a_compiled_program():
    x, newest = drawn(60)
    newest[3, 0] = np.nan

    @jax.jit
    def both(x, newest, key):
        found = predictive_impact(mechanism, x, newest, key=key)
        return found, found.p_value

    found, p_value = both(x, newest, KEY)
    expected = predictive_impact(mechanism, x, newest, key=KEY)
    np.testing.assert_allclose(found.impact, expected.impact, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(p_value, expected.p_value, rtol=1e-4, atol=1e-9)


def test_an_input_that_follows_the_square_of_another_is_no_cause():
    """A forecaster that mixes both up makes errors off the data, which are not held against it."""
    rng = np.random.default_rng(0)
    first = rng.uniform(-2, 2, size=2000)
    second = first**2 + 0.3 * rng.normal(size=2000)
    x = np.stack([first, second], axis=1)[:, None]
    newest = np.stack([first + 0.1 * rng.normal(size=2000), np.zeros(2000)], axis=1)

    def mixed_up(window):
        miss = window[-1, 1] - window[-1, 0] ** 2
        return jnp.stack([window[-1, 0] + 0.3 * miss**2, 0 * miss])

    few = predictive_impact(mixed_up, x[:100], newest[:100], key=KEY, regressed_on=x[:150])
    many = predictive_impact(mixed_up, x[:1000], newest[:1000], key=KEY)
    assert few.p_value[1, 0, 1] < 0.01
    assert many.p_value[1, 0, 1] > 0.1
    assert many.p_value[0, 0, 1] < 1e-9


def residuals_one_by_one(x, squares):
    """Least squares of each input on the others and on their capped squares."""
    flat = x.reshape(len(x), -1)
    unit = (flat - flat.mean(axis=0)) / flat.std(axis=0)
    found = np.empty_like(flat)
    for k in range(unit.shape[1]):
        others = np.delete(unit, k, axis=1)
        terms = [others, np.minimum(others**2, 9.0)] if squares else [others]
        design = np.column_stack([*terms, np.ones(len(x))])
        found[:, k] = unit[:, k] - design @ np.linalg.lstsq(design, unit[:, k], rcond=None)[0]
    return (found * flat.std(axis=0)).reshape(x.shape)


@pytest.mark.parametrize("squares", [False, True])
def test_residuals_are_those_of_least_squares(squares):
    x, _ = drawn(400)
    x[:, 0, 1] += x[:, 1, 2] ** 2
    found = residuals_of_inputs(jnp.asarray(x), jnp.asarray(x), squares=squares)
    n_terms = TIME * VARS * (1 + squares)
    expected = residuals_one_by_one(x, squares) * (400 / (400 - n_terms)) ** 0.5
    np.testing.assert_allclose(found, expected, atol=1e-4)
