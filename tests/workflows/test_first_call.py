"""The first `discover` of a process: few programs, one training, and words on stderr at once."""

import contextlib
import io
import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from jaxcause import discover
from jaxcause.training import TrainingConfig
from jaxcause.workflows._discover import forecast, training
from jaxcause.workflows._discover.random_keys import keys_from, words_of

COUNTED = """
import jax, numpy as np
compiled = []

def listen(event, duration, **about):
    if event == "/jax/core/compile/backend_compile_duration":
        compiled.append(about.get("fun_name"))

jax.monitoring.register_event_duration_secs_listener(listen)
import jaxcause as jc

def series(n_rows, n_vars, nonlinear):
    x = np.random.default_rng(1).normal(size=(n_rows, n_vars))
    for t in range(2, n_rows):
        x[t, 1] += 0.7 * x[t - 1, 0] + nonlinear * x[t - 1, 0] * x[t - 2, 2]
    return x

def count(x, most):
    compiled.clear()
    found = jc.discover(x, 2, model="small", progress=False)
    assert len(compiled) <= most, compiled
    return found.info.selection

assert count(series(500, 4, 0.0), 9) == "t-tests"
# A series of about the same length shares the training, whatever is tried.
assert count(series(485, 4, 0.0), 0) == "t-tests"
# What is read from the forecaster, and its forecasts without each input.
assert count(series(490, 4, 2.0), 7) == "empirical null"
# One more variable: the training, and the tests of the linear model.
assert count(series(500, 5, 0.0), 6) == "t-tests"
print("as few as promised")
"""


def test_a_fresh_process_compiles_no_more_than_promised():
    done = subprocess.run(
        [sys.executable, "-c", COUNTED],
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "JAX_ENABLE_X64": "0", "OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert "as few as promised" in done.stdout


def linear_series(n_rows=500, n_vars=4):
    x = np.random.default_rng(1).normal(size=(n_rows, n_vars))
    for t in range(1, n_rows):
        x[t, 1] += 0.7 * x[t - 1, 0]
    return x


@pytest.fixture
def trainings(monkeypatch):
    """What is trained: whether with a linear part, and the settings."""
    seen = []
    real = forecast.train

    def recorded(config, data, settings, key, **options):
        seen.append((config.skip, settings))
        return real(config, data, settings, key, **options)

    monkeypatch.setattr(forecast, "train", recorded)
    return seen


def test_a_linear_series_says_what_was_not_found_and_what_to_do(trainings):
    found = discover(linear_series(), 2, model="small", progress=False)
    assert [skip for skip, _ in trainings] == [False]
    assert found.info.selection == "t-tests"
    assert (found.info.steps or 0) < 200
    (note,) = [n for n in found.info.notes if "adds nothing that counts" in n]
    assert "t-tests of the linear model chose the edges" in note
    assert "nothing nonlinear was in sight" in note
    assert "--steps" in note
    assert ("X0", 1, "-->", "X1") in found.graph.edges()


def test_where_the_transformer_is_better_nothing_else_is_trained(trainings):
    x = np.random.default_rng(0).normal(size=(1500, 3))
    x[2:, 2] = 1.5 * np.tanh(2 * x[1:-1, 0]) * x[:-2, 1] + 0.3 * x[2:, 2]
    found = discover(x, 2, model="small", progress=False)
    assert [skip for skip, _ in trainings] == [False]
    assert found.info.skip is True
    assert (found.info.gain or {})["targets"] == ["X0", "X1", "X2"]
    assert found.info.selection == "empirical null"
    assert not any("adds nothing" in note for note in found.info.notes)


@pytest.mark.parametrize("skip", [False, True])
def test_the_callers_choice_of_a_linear_part_is_all_that_is_trained(trainings, skip):
    found = discover(linear_series(), 2, model="small", progress=False, skip=skip)
    assert [tried for tried, _ in trainings] == [skip]
    assert found.info.skip is skip


def test_the_callers_training_is_obeyed(trainings):
    settings = TrainingConfig(40, batch_size=4, patience=40)
    found = discover(linear_series(), 2, model="small", progress=False, training=settings)
    assert {given for _, given in trainings} == {settings}
    assert found.info.status == "finished"
    assert found.info.steps == 40
    assert not any("in sight" in note for note in found.info.notes)


def test_words_come_before_the_first_step(monkeypatch):
    said = io.StringIO()
    seen = []
    real = training.fit

    def spied(*arguments, **options):
        seen.append(said.getvalue())
        return real(*arguments, **options)

    monkeypatch.setattr(training, "fit", spied)
    with contextlib.redirect_stderr(said):
        discover(linear_series(), 2, model="small", training=TrainingConfig(2))
    assert "Fitting linear models" in seen[0]
    assert "compiling" in seen[0]


def test_keys_are_spread_without_compiling():
    keys = keys_from(jax.random.key(3), 4)
    words = {words_of(key) for key in [*keys, jax.random.key(3)]}
    assert len(words) == 5
    again = keys_from(jax.random.key(3), 4)
    assert [words_of(k) for k in keys] == [words_of(k) for k in again]
