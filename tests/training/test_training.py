import dataclasses
import os
import signal
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.stats

from jaxcause import InputError
from jaxcause.series import fit_transform, split_by_time, window_starts
from jaxcause.training import (
    LossParts,
    TrainingConfig,
    TrainingInterrupted,
    fit,
    fit_members,
    gather,
    rows_of,
)
from jaxcause.training._program import Program
from jaxcause.training._rows import stretches_over
from jaxcause.training._step import TrainState, VectorLayout, adamw


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
    for n, share, better in ((5, 0.25, "smaller"), (60, 0.99, "smaller"), (60, 0.01, "larger")):
        with pytest.raises(InputError, match=f"held_out={share:g} of {n} .* {better} held_out"):
            split_by_time(np.arange(n), length=4, held_out=share)


def linear_problem(n_steps=400, seed=0):
    """x(t) = 0.8 x(t-1) + e, so that the best weight is 0.8."""
    rng = np.random.default_rng(seed)
    x = np.zeros((n_steps, 1))
    for t in range(1, n_steps):
        x[t] = 0.8 * x[t - 1] + rng.normal(size=1)
    starts = np.arange(n_steps - 1)
    return x, split_by_time(starts, length=2, held_out=0.25)


def squared_error(params, rows):
    residuals = rows.values[:, 1:] - params["w"][None, None] * rows.values[:, :-1]
    weight = rows.weight[:, 1:]
    loss = (weight * residuals**2).sum() / jnp.maximum(weight.sum(), 1)
    return loss, LossParts(weight.sum(), residuals)


def train(config, *, loss=squared_error, start=0.0, members=0, **given):
    x, split = linear_problem()
    rows = rows_of(x, split.train, split.held_out, length=2, stretch=config.stretch)
    options: dict[str, Any] = {"length": 1, "config": config} | given
    params = {"w": jnp.full(1, start, jnp.float32)}
    if members:
        stacked = jax.tree.map(lambda leaf: jnp.repeat(leaf[None], members, 0), params)
        seeds = [(m,) for m in range(members)]
        starts = np.repeat(split.train[None], members, 0)
        return fit_members(loss, stacked, rows, starts, split.held_out, seeds=seeds, **options)
    options = {"seed": (0,)} | options
    return fit(loss, params, rows, split.train, split.held_out, **options)


CONFIG = TrainingConfig(
    400, batch_size=16, stretch=4, learning_rate=0.05, steps_per_call=20, patience=100
)


def test_exactly_the_rows_of_the_windows_are_predicted():
    x = np.arange(12.0)[:, None] * np.ones((1, 2))
    x[3, 1] = np.nan
    train, held_out = np.array([0, 1, 7]), np.array([5, 8])
    rows = rows_of(x, train, held_out, length=3, stretch=4, domain=np.arange(12) // 6)
    assert rows.values.shape == (512, 2)
    assert not rows.weight[12:].any()
    assert np.flatnonzero(rows.weight[:, 0, 0]).tolist() == [2, 3, 9]
    assert np.flatnonzero(rows.weight[:, 0, 1]).tolist() == [2, 9]
    assert np.flatnonzero(rows.weight[:, 1, 0]).tolist() == [7, 10]
    batch = gather(rows, jnp.asarray([0, 9], jnp.int32), 6)
    assert batch.values.shape == (2, 6, 2)
    np.testing.assert_array_equal(batch.domain[1], [1, 1, 1, 0, 0, 0])
    assert np.isfinite(rows.values).all()
    assert not rows.observed[3, 1]


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
    # Once in the training step, whose gradient is one trace.
    counted = chex.assert_max_traces(lambda p, w: squared_error(p, w), n=1)
    train(CONFIG, loss=counted)


def test_members_train_as_they_would_alone():
    together = train(CONFIG, members=3)
    alone = train(CONFIG, seed=(7,))
    assert together.params["w"].shape == (3, 1)
    assert len(set(np.asarray(together.params["w"])[:, 0].tolist())) == 3
    first = train(CONFIG)
    np.testing.assert_allclose(together.params["w"][0], first.params["w"], rtol=1e-5)
    assert float(together.params["w"].mean()) == pytest.approx(
        float(alone.params["w"][0]), abs=0.02
    )


def test_a_killed_training_ends_as_an_uninterrupted_one(tmp_path, monkeypatch):
    from jaxcause.training import _loop

    monkeypatch.setattr(_loop, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    whole = train(CONFIG)

    class Killed(Exception):
        pass

    def kill(progress):
        if progress.step >= 200:
            raise Killed

    path = tmp_path / "deep" / "training.ckpt"
    with pytest.raises(Killed):
        train(CONFIG, checkpoint=path, on_progress=kill)
    seen = []
    resumed = train(CONFIG, checkpoint=path, on_progress=lambda p: seen.append(p.step))
    assert min(seen) == 200
    assert resumed.params["w"] == whole.params["w"]
    assert resumed.history == whole.history
    assert resumed.best_step == whole.best_step
    again = train(CONFIG, checkpoint=path, on_progress=lambda p: pytest.fail("trained again"))
    assert again.params["w"] == whole.params["w"]
    with pytest.raises(InputError, match="other data or settings"):
        train(dataclasses.replace(CONFIG, learning_rate=0.04), checkpoint=path)
    written = path.read_bytes()
    path.write_bytes(written[:10])
    with pytest.raises(InputError, match="no checkpoint"):
        train(CONFIG, checkpoint=path)
    path.write_bytes(written[:40])
    with pytest.raises(InputError, match="its checksum differs"):
        train(CONFIG, checkpoint=path)


@pytest.mark.parametrize("where", ["_call", "learn", "on_progress", "evaluate", "save"])
def test_an_interrupted_training_goes_on_wherever_ctrl_c_reached_it(where, tmp_path, monkeypatch):
    """Ctrl-C falls mostly within a compiled call, whose state is neither the old nor the new."""
    from jaxcause.training import _loop

    monkeypatch.setattr(_loop, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    whole, path = train(CONFIG), tmp_path / "training.ckpt"

    def then_interrupted(function):
        n_calls = iter(range(1000))

        def wrapped(*args, **kwargs):
            found = function(*args, **kwargs)
            if next(n_calls) == 5:
                raise KeyboardInterrupt
            return found

        return wrapped

    with monkeypatch.context() as patched:
        owner = {"save": _loop._CheckpointFile, "evaluate": _loop.Run}.get(where, _loop.Program)
        hook = then_interrupted(lambda progress: None) if where == "on_progress" else None
        if hook is None:
            patched.setattr(owner, where, then_interrupted(getattr(owner, where)))
        with pytest.raises(TrainingInterrupted):
            train(CONFIG, checkpoint=path, on_progress=hook)
    resumed = train(CONFIG, checkpoint=path)
    assert resumed.params["w"] == whole.params["w"]
    assert resumed.history == whole.history


def test_training_stops_when_patience_is_spent():
    impatient = dataclasses.replace(CONFIG, n_steps=4000, patience=3)
    result = train(impatient)
    assert result.status == "stopped early"
    assert result.history[-1].step < 4000


def test_a_start_that_nothing_beats_is_kept():
    x, split = linear_problem()
    past, next_ = x[split.held_out, 0], x[split.held_out + 1, 0]
    best = float(past @ next_ / (past @ past))
    result = train(CONFIG, start=best)
    assert result.best_step == 0
    assert float(result.params["w"][0]) == pytest.approx(best)


def test_what_is_frozen_stays():
    result = train(CONFIG, start=0.3, frozen=("w",))
    assert float(result.params["w"][0]) == pytest.approx(0.3)
    assert result.best_step == 0


@pytest.mark.parametrize("stretch", [1, 3, 32])
def test_residuals_are_those_of_every_held_out_window(stretch):
    """Windows with gaps between them, more than fit one call, some of them without a value."""
    x = np.random.default_rng(0).normal(size=(300, 2))
    x[90, 1] = np.nan
    split = split_by_time(np.r_[0:120, 140:298], length=2, held_out=0.7)
    config = TrainingConfig(4, batch_size=2, stretch=stretch)
    rows = rows_of(x, split.train, split.held_out, length=2, stretch=stretch)
    params = {"w": np.array([0.5, 0.5], np.float32)}
    program = Program(squared_error, rows, split.held_out, 1, config, VectorLayout.of(params))
    found = program.residuals(program.layout.vector(params))
    filled = np.nan_to_num(x)
    expected = x[split.held_out + 1] - 0.5 * filled[split.held_out]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    error = program.evaluate(program.layout.vector(params)[None])
    if len(program.spread) * 2 * stretch >= len(split.held_out):
        np.testing.assert_allclose(error, np.nanmean(expected**2), rtol=1e-5)


def test_stretches_cover_every_window_once():
    rng = np.random.default_rng(0)
    for _ in range(50):
        starts = np.flatnonzero(rng.random(60) < rng.uniform(0.05, 1))
        for stretch in (1, 2, 5, 100):
            found = stretches_over(starts, stretch=stretch)
            covered = (found[:, None] + np.arange(stretch)).ravel()
            assert np.isin(starts, covered).all()
            assert len(set(covered)) == len(covered)
            assert np.isin(found, starts).all()


def test_parameters_fit_into_a_vector_and_back():
    tree = {"a": np.arange(6.0).reshape(2, 3), "b": {0: np.float32(7), 1: np.ones((0, 2))}}
    layout = VectorLayout.of(tree)
    vector = layout.vector(tree)
    assert vector.shape == (7,)
    jax.tree.map(np.testing.assert_array_equal, layout.params(vector), tree)
    stacked = layout.params(np.stack([vector, vector]))
    assert stacked["a"].shape == (2, 2, 3)
    assert layout.vector({"a": 2.0, "b": {0: 3.0, 1: 4.0}}).tolist() == [2.0] * 6 + [3.0]


def exploding(beyond):
    def loss(params, rows):
        far = jnp.abs(params["w"][0]) > beyond
        error, parts = squared_error(params, rows)
        return jnp.where(far, jnp.float32(jnp.nan), error), parts

    return loss


def test_divergence_is_reported_with_the_last_good_state():
    result = train(CONFIG, loss=exploding(0.5))
    assert result.status == "diverged"
    assert result.retried
    assert np.isfinite(result.params["w"]).all()


def test_what_diverges_is_started_again_more_slowly():
    # The first, fast attempt shoots over 1.1, the slower one does not.
    fast = dataclasses.replace(CONFIG, learning_rate=0.5)
    result = train(fast, loss=exploding(1.1))
    assert result.retried
    assert result.status == "finished"
    assert float(result.params["w"][0]) == pytest.approx(0.8, abs=0.15)


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


def test_steps_are_those_of_adamw():
    config = TrainingConfig(400, weight_decay=0.1)
    schedule = optax.warmup_cosine_decay_schedule(0.0, 3e-3, 40, 401, 0.02 * 3e-3)
    with jax.numpy_dtype_promotion("standard"):
        expected = np.array([float(jnp.asarray(schedule(k))) for k in range(400)])
        np.testing.assert_allclose(config.rates(), expected, rtol=1e-4)
    rng = np.random.default_rng(0)
    params, decay = rng.normal(size=(2, 5)).astype(np.float32)
    theirs = optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.scale_by_adam(b2=0.99),
        optax.stateless(lambda updates, params: updates + decay * params),
        optax.scale_by_learning_rate(schedule),
    )
    with jax.numpy_dtype_promotion("standard"):
        after: Any = jnp.asarray(params)
        other = theirs.init(after)
        state = jax.tree.map(lambda leaf: leaf[0], TrainState.of(params[None]))
        for step in range(60):
            gradient = rng.normal(size=5).astype(np.float32) * (5.0 if step % 2 else 0.1)
            update, other = theirs.update(jnp.asarray(gradient), other, after)
            after = optax.apply_updates(after, update)
            rate = np.asarray(config.rates()[step], np.float32)
            state = adamw(state, gradient, decay, rate)
    np.testing.assert_allclose(state.params, after, rtol=1e-4)


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
