"""A history that is too short leaves errors that depend on their past, and false edges: a note."""

import json

import numpy as np
import pytest

import jaxcause as jc
from jaxcause.training import TrainingConfig
from jaxcause.workflows._discover.leftover import leftover_of

METHODS = ("var", "lasso", "pc", "pcmci", "pcmci+", "gradient")
QUICK = {"training": TrainingConfig(20), "model": "small", "progress": False, "domain": None}


def season(seed, n_rows=600):
    """Five variables, each of which depends on itself eight rows before, and on nothing else."""
    noise = np.random.default_rng(seed).normal(size=(n_rows, 5))
    x = noise.copy()
    for t in range(8, n_rows):
        x[t] = 0.9 * x[t - 8] + 0.3 * noise[t]
    return x


def found_in(method, x, max_lag):
    options = QUICK if method == "gradient" else {}
    return jc.discover(x, max_lag, method=method, detrend=None, **options)


def told(found):
    return [note for note in found.info.notes if "depend on their own past" in note]


@pytest.mark.parametrize("method", METHODS)
def test_a_season_beyond_the_longest_lag_is_told(method):
    found = found_in(method, season(0), 1)
    (note,) = told(found)
    assert "8 rows before" in note
    assert "Give max_lag=8 or 'auto'" in note
    left = found.info.residual_autocorrelation
    assert {entry["lag"] for entry in left.values()} == {8}
    assert min(entry["correlation"] for entry in left.values()) > 0.7
    json.dumps(found.info.to_dict()["residual_autocorrelation"])


@pytest.mark.parametrize("method", ["var", "pcmci"])
def test_what_the_note_says_helps(method):
    def n_false(found):
        edges = np.asarray(found.graph.adjacency)[:, :, 1:].any(axis=2)
        return int((edges & ~np.eye(5, dtype=bool)).sum())

    short, long = (
        [n_false(found_in(method, season(seed), lag)) for seed in range(3)] for lag in (1, 8)
    )
    assert sum(short) > 20
    assert sum(long) < 10
    by_auto = found_in(method, season(0), "auto")
    assert by_auto.graph.max_lag == 8
    assert not told(by_auto)


@pytest.mark.parametrize("method", METHODS)
def test_a_history_that_is_long_enough_needs_no_note(method):
    for seed in range(3):
        x = np.random.default_rng(seed).normal(size=(500, 5))
        for t in range(2, 500):
            x[t] += 0.5 * x[t - 1]
            x[t, 1:] += 0.4 * x[t - 2, :-1]
        found = found_in(method, x, 2)
        assert not told(found)
        assert found.info.residual_autocorrelation is None


def test_moving_averages_are_told_without_a_lag_to_give():
    noise = np.random.default_rng(0).normal(size=(600, 3))
    x = noise.copy()
    for t in range(1, 600):
        x[t] = 0.9 * x[t - 1] + noise[t] + 0.8 * noise[t - 1]
    (note,) = told(found_in("var", x, 1))
    assert "Try a larger max_lag" in note


ALTERNATING, SINE = np.arange(400) % 2, np.sin(2 * np.pi * np.arange(400) / 7)


@pytest.mark.parametrize(
    ("method", "column"),
    [("var", ALTERNATING), ("pcmci", ALTERNATING), ("var", SINE), ("gradient", SINE)],
    ids=["var 0/1", "pcmci 0/1", "var sine", "gradient sine"],
)
def test_columns_that_their_own_past_determines_are_not_told(method, column):
    x = np.column_stack([np.random.default_rng(0).normal(size=(400, 2)), column])
    found = found_in(method, x, 2)
    assert not told(found)
    assert "X2" not in (found.info.residual_autocorrelation or {})


def test_stretches_and_gaps_are_no_past():
    """Rows that follow one another only in the table are not compared."""
    rng = np.random.default_rng(0)
    first = rng.normal(size=(200, 1))
    # Every second row repeats the one before, in another stretch.
    errors = np.repeat(first, 2, axis=0)
    rows, names = np.arange(400), ("a",)
    assert leftover_of(errors, names, rows, np.zeros(400, int))["a"]["lag"] == 1
    assert not leftover_of(errors, names, rows, rows)
    assert not leftover_of(errors, names, rows * 100, np.zeros(400, int))
    # A missing error is in no pair.
    errors[1::2] = np.nan
    assert not leftover_of(errors, names, rows, np.zeros(400, int))


def test_chance_is_not_told():
    rng, names = np.random.default_rng(0), tuple(f"X{k}" for k in range(20))
    rows = np.arange(150)
    seen = [
        leftover_of(rng.standard_t(3, size=(150, 20)), names, rows, np.zeros(150, int))
        for _ in range(50)
    ]
    assert sum(map(len, seen)) <= 1
