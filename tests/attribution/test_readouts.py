import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from jax.tree_util import Partial
from typechecker import tolerance

from jaxcause import InputError
from jaxcause.attribution import (
    _gradients,
    attention_rollout,
    gradient_energy,
    input_x_gradient,
    rank_mean_over_std,
    relevance,
    score_energy,
)
from jaxcause.attribution import _stream as stream
from jaxcause.attribution._block_sizes import MEMORY, MOST_WINDOWS, block_sizes
from jaxcause.nn import ATTN_LRP, CP_LRP, STANDARD

TIME, VARS, WINDOWS = 4, 3, 11
RNG = np.random.default_rng(0)
WEIGHTS = (RNG.normal(size=(TIME * VARS, 8)), RNG.normal(size=(8, 2 * VARS)))
X = RNG.normal(size=(WINDOWS, TIME, VARS))
SIZES = [{}, {"batch_size": 4, "target_block": 2}]


def perceptron(weights, window, ops=STANDARD):
    hidden = ops.activation(jnp.tanh, window.reshape(1, -1) @ weights[0])
    return (hidden @ weights[1])[0]


def forecast(weights, window):
    return perceptron(weights, window)[:VARS]


def density(weights, window):
    mean, log_variance = jnp.split(perceptron(weights, window), 2)
    return mean, jnp.exp(0.3 * log_variance)


MEAN = Partial(forecast, tuple(map(jnp.asarray, WEIGHTS)))
DENSITY = Partial(density, tuple(map(jnp.asarray, WEIGHTS)))


@functools.cache
def jacobians():
    """[windows, target, time, source], by forward mode; the readouts use reverse mode."""
    return np.asarray(jax.vmap(jax.jacfwd(MEAN))(jnp.asarray(X)))


def as_scores(terms):
    """[windows, target, time, source] averaged to [source, target, lag]."""
    lagged = terms.mean(axis=0)[:, ::-1].transpose(2, 0, 1)
    return np.concatenate([np.zeros_like(lagged[:, :, :1]), lagged], axis=2)


def close(a, b, scale=1.0):
    np.testing.assert_allclose(a, b, rtol=tolerance(1e-9, 1e-3), atol=scale * tolerance(1e-9, 1e-4))


@pytest.mark.parametrize("sizes", [*SIZES, {"batch_size": 1}, {"target_block": 1}])
def test_energies_do_not_depend_on_the_size_of_blocks(sizes):
    close(gradient_energy(MEAN, X, **sizes), as_scores(jacobians() ** 2))


def test_every_average_equals_its_formula():
    g, x, sizes = jacobians(), X[:, None], SIZES[1]
    close(gradient_energy(MEAN, X, mean_of="magnitude", **sizes), as_scores(np.abs(g)))
    close(input_x_gradient(MEAN, X, **sizes), as_scores(np.abs(x * g)))
    close(input_x_gradient(MEAN, X, mean_of="square", **sizes), as_scores((x * g) ** 2))


@pytest.mark.parametrize("targets", [[1], [2, 0], [0, 0, 2, 1]])
def test_targets_choose_and_order_the_forecasts(targets):
    expected = as_scores(jacobians() ** 2)[:, targets]
    close(gradient_energy(MEAN, X, targets=np.array(targets), target_block=3), expected)


def test_score_energy_equals_the_mean_squared_score_of_simulated_outcomes():
    window = jnp.asarray(X[0])
    mean, variance = DENSITY(window)
    normal = jnp.asarray(np.random.default_rng(1).normal(size=(20_000, VARS)))
    outcomes = mean[None] + jnp.sqrt(variance)[None] * normal

    def log_density(window):
        mean, variance = (part[None] for part in DENSITY(window))
        return -((outcomes - mean) ** 2) / (2 * variance) - jnp.log(variance) / 2

    simulated = as_scores(np.asarray(jax.jacfwd(log_density)(window)) ** 2)
    found = score_energy(DENSITY, X[:1])
    np.testing.assert_allclose(found.total, simulated, rtol=0.05)
    for part in (found.mean_part, found.variance_part):  # neither would do alone
        assert (np.asarray(part) < 0.5 * simulated).any()


@pytest.mark.parametrize("sizes", SIZES)
def test_score_energy_of_a_case_worked_out_by_hand(sizes):
    """Mean 2 x_0(t-1); variance exp(3 x_1(t-2)): a parent that no gradient of the mean sees."""

    def model(window):
        variance = jnp.exp(3 * window[-2, 1])
        return jnp.stack([2 * window[-1, 0], window[-1, 1]]), jnp.stack(
            [variance, 0 * variance + 4]
        )

    x = X[:, :3, :2]
    found = score_energy(model, x, **sizes)
    mean_part, variance_part = np.zeros((2, 2, 2, 4))
    mean_part[0, 0, 1] = 4 * np.exp(-3 * x[:, -2, 1]).mean()
    mean_part[1, 1, 1] = 1 / 4
    variance_part[1, 0, 2] = 9 / 2
    close(found.mean_part, mean_part)
    close(found.variance_part, variance_part)
    close(found.total, mean_part + variance_part)
    assert gradient_energy(lambda w: model(w)[0], x)[1, 0, 2] == 0


def test_a_variance_that_is_not_positive_gives_no_number():
    found = score_energy(lambda w: (w[-1], w[-1] * 0 - 1), X)
    assert np.isnan(found.total[:, :, 1:]).all()


@pytest.mark.parametrize(("of", "sizes"), [("gradient", SIZES[0]), ("input_x_gradient", SIZES[1])])
def test_ranks_equal_those_of_scipy(of, sizes):
    size = np.abs(jacobians() * (X[:, None] if of == "input_x_gradient" else 1))
    flat = size.reshape(WINDOWS, VARS, -1)
    ranks = scipy.stats.rankdata(flat, axis=2).reshape(size.shape)
    found = rank_mean_over_std(MEAN, X, of=of, **sizes)
    std = as_scores(np.broadcast_to(ranks.std(axis=0), ranks.shape))
    close(found.mean, as_scores(ranks))
    close(found.std, std)
    close(found.score, as_scores(ranks) / np.sqrt(std**2 + 1 / 12))


def test_ties_share_a_rank_and_a_linear_model_keeps_its_order():
    linear = jnp.asarray([[3.0, 0.0], [1.0, 0.0]])
    found = rank_mean_over_std(lambda w: w[-1] @ linear, X[:, :2, :2])
    np.testing.assert_array_equal(found.mean[:, :, 1], [[4, 2.5], [3, 2.5]])
    np.testing.assert_array_equal(found.mean[:, :, 2], [[1.5, 2.5], [1.5, 2.5]])
    assert (found.std == 0).all()
    assert np.isfinite(found.score).all()


def test_the_spread_of_many_large_ranks_is_exact_in_one_pass():
    """Ranks near 400 that hardly change: a sum of squares in float32 would lose their spread."""
    weights = np.linspace(0.01, 1, 400)
    window = np.random.default_rng(2).normal(size=(300, 1, 400)).astype(np.float32)
    slope = jnp.asarray(weights, jnp.float32)

    def model(window):
        # Inputs 398 and 399 change places with the sign of input 0.
        swap = (window[0, 0] > 0).astype(window.dtype) * 0.004
        first = slope.at[398].add(swap) @ window[0]
        return jnp.zeros(400, window.dtype).at[0].set(first)

    found = rank_mean_over_std(model, window, targets=np.array([0]), batch_size=7)
    share = (window[:, 0, 0] > 0).mean()
    np.testing.assert_allclose(found.std[398, 0, 1], np.sqrt(share * (1 - share)), rtol=1e-4)
    np.testing.assert_allclose(found.std[399, 0, 1], np.sqrt(share * (1 - share)), rtol=1e-4)
    assert found.std[397, 0, 1] < 1e-3


@pytest.mark.parametrize("ops", [ATTN_LRP, CP_LRP])
def test_relevance_of_a_perceptron_equals_its_shares(ops):
    """R_i = x_i Σ_h w_ih a_h / z_h · v_ht: each input's share of what reaches the target."""

    def model(weights, window):
        return perceptron(weights, window, ops)[:VARS]

    z = X.reshape(WINDOWS, -1) @ WEIGHTS[0]
    shares = X.reshape(WINDOWS, -1, 1) * WEIGHTS[0] * (np.tanh(z) / z)[:, None]
    expected = np.einsum("wih,ht->wti", shares, WEIGHTS[1][:, :VARS])
    close(expected.sum(axis=2), jax.vmap(MEAN)(X))
    expected = as_scores(np.abs(expected).reshape(WINDOWS, VARS, TIME, VARS))
    found = relevance(Partial(model, MEAN.args[0]), X)
    close(found, expected)
    assert np.abs(np.asarray(input_x_gradient(MEAN, X)) - expected).max() > 0.01


@pytest.mark.parametrize("shape", [(2, 3), (2, 5, 3)])
def test_rollout_equals_the_product_of_the_layers(shape):
    n_vars, time = 2, 3
    attn = np.random.default_rng(0).dirichlet(np.ones(n_vars * time), (*shape, n_vars * time))
    expected = np.zeros((n_vars, n_vars, time + 1))
    layers = attn.reshape(2, -1, 3, n_vars * time, n_vars * time).mean(axis=2)
    for window in range(layers.shape[1]):
        rolled = np.eye(n_vars * time)
        for layer in layers[:, window]:
            rolled = (layer + np.eye(n_vars * time)) / 2 @ rolled
        for target in range(n_vars):
            for source in range(n_vars):
                for lag in range(1, time + 1):
                    at = rolled[(time - 1) * n_vars + target, (time - lag) * n_vars + source]
                    expected[source, target, lag] += at / layers.shape[1]
    found = attention_rollout(attn, n_vars)
    close(found, expected)
    close(found.sum(axis=(0, 2)), np.ones(n_vars))


def test_a_regime_is_a_further_input_beside_the_parameters():
    traces = []

    def model(scales, domain, window):
        traces.append(1)
        return scales[domain] * window[-1]

    scales = jnp.array([1.0, 3.0])
    for domain in (0, 1, 0):
        found = gradient_energy(Partial(model, scales, jnp.int32(domain)), X)
        np.testing.assert_allclose(found[0, 0, 1], [1.0, 9.0][domain])
        if len(traces) and domain == 0:
            first = len(traces)
    assert len(traces) == first


def wide_forecast(n_vars, time, width):
    shape = (n_vars * time, width)
    weights = (jnp.zeros(shape, jnp.float32), jnp.zeros((width, n_vars), jnp.float32))

    def model(weights, window):
        return (jnp.tanh(window.reshape(1, -1) @ weights[0]) @ weights[1])[0]

    return Partial(model, weights), np.zeros((128, time, n_vars), np.float32)


def test_a_hundred_variables_and_fifty_lags_stay_within_memory():
    """100 × 5,000 Jacobians of 64 windows would take 128 MiB for every copy."""
    model, x = wide_forecast(100, 50, 32)
    lowered = stream._streamed.lower(
        model,
        jnp.asarray(x),
        jnp.int32(128),
        jnp.arange(100, dtype=jnp.int32),
        terms=_gradients._squared,
        n_outputs=1,
        batch_size=None,
        target_block=None,
        mesh=None,
        spread=False,
    )
    most = MEMORY.get(jax.default_backend(), MEMORY["gpu"])
    assert lowered.compile().memory_analysis().temp_size_in_bytes < 4 * most


def test_blocks_shrink_with_the_memory_there_is():
    model, x = wide_forecast(20, 10, 64)
    previous = (MOST_WINDOWS + 1, 21)
    for memory in (2**40, 2**22, 2**20, 2**14, 1):
        sizes = block_sizes(model, x, 20, memory=memory)
        assert sizes.windows <= previous[0]
        assert sizes.targets <= previous[1]
        previous = sizes
    assert previous == (1, 1)
    assert block_sizes(model, x, 20, memory=2**40) == (MOST_WINDOWS, 20)


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gradient_energy(MEAN, X, targets=np.array([3])), "targets="),
        (lambda: gradient_energy(MEAN, X, targets=np.array([], int)), "targets="),
        (lambda: gradient_energy(MEAN, X, batch_size=0), "batch_size=0"),
        (lambda: gradient_energy(MEAN, X, target_block=-1), "target_block=-1"),
        (lambda: gradient_energy(MEAN, X, mean_of="cube"), "mean_of='cube'"),
        (lambda: gradient_energy(MEAN, X[:0]), "windows has shape"),
        (lambda: gradient_energy(MEAN, X[:, :0]), "windows has shape"),
        (lambda: gradient_energy(MEAN, X.astype(int)), "windows has dtype"),
        (lambda: gradient_energy(DENSITY, X), "one value per variable"),
        (lambda: score_energy(MEAN, X), "tuple"),
        (lambda: score_energy(lambda w: (w[-1], w[-1, :1]), X), "tuple"),
        (lambda: rank_mean_over_std(MEAN, X, of="luck"), "of='luck'"),
        (lambda: attention_rollout(np.ones((2, 3, 5, 5)), 2), "multiple of n_vars=2"),
        (lambda: attention_rollout(np.ones((3, 4, 4)), 2), "attn has shape"),
        (lambda: attention_rollout(np.ones((2, 3, 4, 5)), 2), "attn has shape"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
