import dataclasses
import os
import signal

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.stats

from jaxcause import InputError
from jaxcause.training import (
    Split,
    TrainingConfig,
    TrainingInterrupted,
    fit,
    fit_transform,
    split_by_time,
    window_starts,
)


def test_windows_cross_neither_gaps_nor_borders():
    rng = np.random.default_rng(0)
    complete, segment = rng.random(80) > 0.1, np.cumsum(rng.random(80) > 0.93)
    for length in (1, 2, 5):
        expected = [
            s
            for s in range(80 - length + 1)
            if complete[s : s + length].all() and len(set(segment[s : s + length])) == 1
        ]
        assert window_starts(complete, segment, length=length).tolist() == expected
    assert window_starts(complete, segment, length=81).size == 0


def test_no_held_out_row_is_trained_on():
    starts = np.r_[0:40, 50:90]
    split = split_by_time(starts, length=4, held_out=0.25)
    trained = {s + k for s in split.train for k in range(4)}
    held_out = {s + k for s in split.held_out for k in range(4)}
    assert not trained & held_out
    assert max(trained) < min(held_out)
    assert len(split.held_out) == 20
    with pytest.raises(InputError, match="too few"):
        split_by_time(np.arange(5), length=4, held_out=0.25)


def linear_problem(n_steps=400, seed=0):
    """x(t) = 0.8 x(t-1) + e, so that the best weight is 0.8."""
    rng = np.random.default_rng(seed)
    x = np.zeros((n_steps, 1))
    for t in range(1, n_steps):
        x[t] = 0.8 * x[t - 1] + rng.normal(size=1)
    starts = np.arange(n_steps - 1)
    return x, split_by_time(starts, length=2, held_out=0.25)


def squared_error(params, windows):
    return jnp.mean((windows[:, 1] - params["w"][None] * windows[:, 0]) ** 2)


def train(config, **options):
    x, split = linear_problem()
    arguments = {"length": 2, "config": config, "key": jax.random.key(0)} | options
    params = {"w": jnp.zeros(1, jnp.float32)}
    return fit(squared_error, squared_error, params, x, split, **arguments)


CONFIG = TrainingConfig(400, learning_rate=0.05, steps_per_call=20, patience=100)


def test_training_finds_the_best_weight_and_keeps_the_best_step():
    result = train(CONFIG)
    assert result.status == "finished"
    assert float(result.params["w"][0]) == pytest.approx(0.8, abs=0.1)
    assert result.held_out == min(p.held_out for p in result.history)
    assert result.history[-1].step == 400


def test_the_path_of_training_does_not_depend_on_how_steps_are_grouped():
    grouped = dataclasses.replace(CONFIG, steps_per_call=5, n_evaluations=20)
    a, b = train(dataclasses.replace(CONFIG, n_evaluations=20)), train(grouped)
    np.testing.assert_allclose(a.params["w"], b.params["w"], rtol=1e-5)


def test_the_same_key_trains_the_same_model():
    a, b = train(CONFIG), train(CONFIG)
    assert a.params["w"] == b.params["w"]
    assert [p.loss for p in a.history] == [p.loss for p in b.history]


def test_steps_are_compiled_once():
    chex.clear_trace_counter()
    counted = chex.assert_max_traces(lambda p, w: squared_error(p, w), n=2)
    x, split = linear_problem()
    params = {"w": jnp.zeros(1, jnp.float32)}
    # Once in the training step (whose gradient is one trace), and once in the held-out error.
    fit(counted, squared_error, params, x, split, length=2, config=CONFIG, key=jax.random.key(0))


def test_training_stops_when_patience_is_spent():
    impatient = dataclasses.replace(CONFIG, n_steps=4000, patience=3)
    result = train(impatient)
    assert result.status == "stopped early"
    assert result.history[-1].step < 4000


def test_a_start_that_nothing_beats_is_kept():
    x, split = linear_problem()
    best = {"w": jnp.full(1, 0.8, jnp.float32)}

    def distance(params, windows):
        return (params["w"][0] - 0.8) ** 2

    result = fit(
        squared_error, distance, best, x, split, length=2, config=CONFIG, key=jax.random.key(0)
    )
    assert result.best_step == 0
    assert float(result.params["w"][0]) == pytest.approx(0.8)


def test_divergence_is_reported_with_the_last_good_state():
    def exploding(params, windows):
        return jnp.where(
            jnp.abs(params["w"][0]) > 0.5, jnp.float32(jnp.nan), squared_error(params, windows)
        )

    x, split = linear_problem()
    params = {"w": jnp.zeros(1, jnp.float32)}
    result = fit(
        exploding, squared_error, params, x, split, length=2, config=CONFIG, key=jax.random.key(0)
    )
    assert result.status == "diverged"
    assert np.isfinite(result.params["w"]).all()


def test_an_interrupt_keeps_the_best_state():
    def interrupt(progress):
        if progress.step >= 200:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(
        TrainingInterrupted, match="step 200 of 400; kept the model of step"
    ) as caught:
        train(CONFIG, on_progress=interrupt)
    result = caught.value.result
    assert result.status == "interrupted"
    assert result.best_step > 0
    assert float(result.params["w"][0]) > 0.3


@pytest.mark.usefixtures("standard_promotion")
def test_decay_is_that_of_adamw_and_can_differ_between_parameters():
    config = TrainingConfig(10, weight_decay=0.1)
    params = {"a": jnp.ones(2, jnp.float32), "b": jnp.ones(2, jnp.float32)}
    gradient = {"a": jnp.array([0.1, -0.2], jnp.float32), "b": jnp.zeros(2, jnp.float32)}
    ours = config.optimizer(config.uniform_decay(params))
    schedule = optax.warmup_cosine_decay_schedule(0.0, 3e-3, 1, 11, 0.02 * 3e-3)
    theirs = optax.chain(
        optax.clip_by_global_norm(1.0), optax.adamw(schedule, b2=0.99, weight_decay=0.1)
    )
    for optimizer, expected in ((ours, theirs),):
        state, other = optimizer.init(params), expected.init(params)
        for _ in range(3):
            update, state = optimizer.update(gradient, state, params)
            reference, other = expected.update(gradient, other, params)
            chex.assert_trees_all_close(update, reference, rtol=1e-6)
    split_decay = config.optimizer({"a": 0.0, "b": 1.0})
    state = split_decay.init(params)
    for _ in range(2):
        update, state = split_decay.update(jax.tree.map(jnp.zeros_like, params), state, params)
    assert (update["a"] == 0).all()
    assert (update["b"] < 0).all()


def test_incomplete_rows_outside_all_windows_do_no_harm():
    x, split = linear_problem()
    x = np.vstack([x, [[np.nan]]])
    result = fit(
        squared_error,
        squared_error,
        {"w": jnp.zeros(1, jnp.float32)},
        x,
        Split(*split),
        length=2,
        config=CONFIG,
        key=jax.random.key(0),
    )
    assert result.status == "finished"


@pytest.fixture
def standard_promotion():
    """The promotion rules that optax needs when it is called outside of the training step."""
    with jax.numpy_dtype_promotion("standard"):
        yield


@pytest.mark.parametrize("kind", ["standardise", "log", "copula"])
def test_transforms_standardise_and_invert(kind):
    x = np.exp(np.random.default_rng(0).normal(size=(500, 3)) * [0.5, 1.0, 2.0])
    x[7] = np.nan
    transform = fit_transform(x, kind=kind)
    z = transform(x)
    np.testing.assert_allclose(np.nanmean(z, axis=0), 0, atol=0.02)
    np.testing.assert_allclose(np.nanstd(z, axis=0), 1, atol=0.02)
    assert np.isnan(z[7]).all()
    known = ~np.isnan(x).any(axis=1)
    np.testing.assert_allclose(transform.inverse(z)[known], x[known], rtol=1e-6)
    for before, after in zip(x[known].T, z[known].T, strict=True):
        assert (np.diff(after[np.argsort(before)]) >= 0).all()


def test_the_copula_transform_is_the_normal_quantile_of_the_mid_rank():
    x = np.random.default_rng(0).integers(0, 10, size=(200, 1)).astype(float)
    rank = scipy.stats.rankdata(x[:, 0])
    expected = scipy.stats.norm.ppf((rank - 0.5) / 200)
    expected = (expected - expected.mean()) / expected.std()
    np.testing.assert_allclose(fit_transform(x, kind="copula")(x)[:, 0], expected, atol=1e-9)


@pytest.mark.parametrize("size", [1e300, 1e-300])
def test_values_at_the_edge_of_the_numbers_are_standardised(size):
    x = np.random.default_rng(0).normal(size=(50, 2))
    x /= np.abs(x).max()
    z = fit_transform(x * size, kind="standardise")(x * size)
    np.testing.assert_allclose(z, fit_transform(x, kind="standardise")(x), rtol=1e-9)


def test_the_log_of_zeros_is_shifted_and_of_negatives_refused():
    x = np.array([[0.0], [0.5], [1.0], [4.0]])
    assert np.isfinite(fit_transform(x, kind="log")(x)).all()
    with pytest.raises(InputError, match="non-negative"):
        fit_transform(x - 1, kind="log")
    with pytest.raises(InputError, match="transform='cube'"):
        fit_transform(x, kind="cube")


def test_bad_settings_are_named():
    with pytest.raises(InputError, match="n_steps=0"):
        TrainingConfig(0)
    with pytest.raises(InputError, match="learning_rate=-1"):
        TrainingConfig(10, learning_rate=-1)
