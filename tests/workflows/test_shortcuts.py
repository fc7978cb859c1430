"""Edges beside a path of two stronger ones, and what is said of them."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm

import jaxcause as jc
from jaxcause.graph import LaggedGraph
from jaxcause.workflows._discover.shortcuts import shortcuts

SAID = "weaker than both edges of a path beside them"


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), n_vars=st.integers(2, 7), density=st.floats(0, 1))
def test_shortcuts_are_those_of_every_path_of_two(seed, n_vars, density):
    rng = np.random.default_rng(seed)
    mask = rng.random((n_vars, n_vars, 3)) < density
    mask[:, :, 0] = False
    scores = np.where(rng.random(mask.shape) < 0.1, np.nan, rng.random(mask.shape))
    strength = np.where(mask, np.nan_to_num(scores), 0).max(axis=2)
    expected = {
        (u, w)
        for u, v, w in itertools.permutations(range(n_vars), 3)
        if 0 < strength[u, w] < min(strength[u, v], strength[v, w])
    }
    found = shortcuts(LaggedGraph.from_mask(mask), scores)
    assert {(s.source, s.target) for s in found} == expected
    for s in found:
        assert strength[s.source, s.target] < strength[s.source, s.via]
        assert strength[s.source, s.target] < strength[s.via, s.target]


def chain(step, n_rows=3000, n_vars=6):
    """A chain in continuous time, dx = A x dt + noise, seen every ``step``: exactly a VAR(1)."""
    drift = -0.6 * np.eye(n_vars) + np.eye(n_vars, k=-1)
    move = expm(step * drift)
    rng = np.random.default_rng(0)
    x = np.zeros((n_rows, n_vars))
    for t in range(1, n_rows):
        x[t] = move @ x[t - 1] + np.sqrt(step) * rng.normal(size=n_vars)
    return x


@pytest.mark.parametrize("method", ["var", "pcmci"])
def test_indirect_effects_between_rows_are_named(method):
    found = jc.discover(chain(0.5), 1, method=method)
    (note,) = [note for note in found.info.notes if SAID in note]
    edges = np.asarray(found.graph.directed)[:, :, 1]
    skipped = np.argwhere(edges & ~np.eye(6, dtype=bool) & ~np.eye(6, k=1, dtype=bool))
    assert len(skipped) >= 4
    assert f"{len(skipped)} of the {len(skipped) + 5} edges" in note


def test_nothing_is_said_of_steps_or_of_a_right_graph():
    # A shortcut of discrete steps is an effect, and a finely sampled chain has no shortcuts.
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3000, 6))
    for t in range(1, 3000):
        x[t, 1:] += 0.6 * x[t - 1, :-1]
        x[t, 2:] += 0.2 * x[t - 1, :-2]
    for series in (x, chain(0.02)):
        assert not any(SAID in note for note in jc.discover(series, 1, method="var").info.notes)
