import dataclasses

import jax
import numpy as np
import pytest

import jaxcause as jc
from jaxcause.series import as_series_table, link_knowledge
from jaxcause.training import TrainingConfig
from jaxcause.workflows._discover import prepare, screen

SMALL = {
    "training": TrainingConfig(20, batch_size=4, n_evaluations=1),
    "model": {"width": 8, "n_heads": 2, "depth": 1},
    "transform": "standardise",
    "domain": None,
    "n_windows": 32,
    "progress": False,
}


def prepared(series, max_lag, **known):
    table = as_series_table(series)
    return prepare.prepare(
        table,
        max_lag,
        known=link_knowledge(table.names, max_lag, **known),
        transform="standardise",
        options=prepare.WindowOptions(0.2),
    )


def system(n_vars, seed, effect):
    """Each variable follows two others."""
    rng = np.random.default_rng(seed)
    x, true = rng.normal(size=(1500, n_vars)), np.zeros((n_vars, n_vars, 3), bool)
    parents = np.stack([rng.choice(n_vars - 1, 2, replace=False) for _ in range(n_vars)])
    parents += parents >= np.arange(n_vars)[:, None]
    for t in range(2, len(x)):
        x[t] = 0.6 * effect(x[t - 1, parents[:, 0]], x[t - 2, parents[:, 1]]) + 0.8 * x[t]
    for k in (0, 1):
        true[parents[:, k], np.arange(n_vars), k + 1] = True
    return x, true


@pytest.mark.parametrize("seed", range(5))
def test_the_candidates_hold_the_true_parents_of_linear_systems(seed):
    series, true = system(20, seed, lambda a, b: (a - b) / 2**0.5)
    found = screen.with_screen(prepared(series, 3), 8)
    assert found.candidates[:, :, :3][true].all()
    cross = ~np.eye(20, dtype=bool)[:, :, None]
    assert ((found.candidates & cross).sum(axis=(0, 2)) == 8).all()
    assert found.candidates[np.eye(20, dtype=bool)][:, 1:].all()


def even(a, b):
    return np.minimum(np.abs(a), 2) + np.minimum(np.abs(b), 2) - 1.56


def product(a, b):
    return np.clip(a, -2, 2) * np.clip(b, -2, 2)


@pytest.mark.parametrize("effect", [even, product])
def test_the_curved_half_holds_parents_that_no_line_shows(effect):
    series, true = system(12, 0, effect)
    found = screen.with_screen(prepared(series, 2), 8)
    linear = found.linear_evidence(of_training=True)
    alone = screen.candidate_links(linear, linear, found.known, kept=8)
    assert found.candidates[true].mean() > 0.9 > alone[true].mean()


def test_knowledge_goes_before_the_screen():
    series = np.random.default_rng(0).normal(size=(400, 5))
    names = [f"X{k}" for k in range(5)]
    data = prepared(series, 2, forbidden=[(names[0], names[1])], required=[(names[2], names[3], 2)])
    found = screen.with_screen(data, 2)
    assert found.candidates[2, 3, 2]
    assert not found.candidates[0, 1].any()


def test_what_has_few_inputs_or_a_large_bound_is_not_screened():
    data = prepared(np.random.default_rng(0).normal(size=(300, 4)), 2)
    assert screen.with_screen(data, None) is data
    assert screen.with_screen(data, 8) is data


def test_a_screen_that_keeps_all_changes_nothing():
    series, _ = system(6, 1, even)
    plain, wide = (
        jc.discover(series, 2, key=jax.random.key(0), screen=kept, **SMALL) for kept in (None, 12)
    )
    np.testing.assert_array_equal(plain.scores, wide.scores)
    assert plain.graph.edges() == wide.graph.edges()
    assert plain.info.notes == wide.info.notes


def test_the_default_screens_many_inputs_and_says_so(monkeypatch):
    monkeypatch.setattr(screen, "FROM", 10)
    monkeypatch.setattr(screen, "KEPT", 4)
    series, _ = system(6, 1, even)
    options = SMALL | {"select": lambda scores: jc.LaggedGraph.from_mask(scores > 0)}
    found = jc.discover(series, 2, key=jax.random.key(0), skip=False, **options)
    assert found.info.screen == 4
    assert any("Each target has 12 inputs" in note for note in found.info.notes)
    assert (np.asarray(found.scores) > 0)[:, :, 1:].sum() == 6 * (4 + 2)
    again = jc.discover(series, 2, forecaster=found.forecaster, domain=None, progress=False)
    assert again.info.screen == 4


def test_a_screen_is_refused_where_it_would_do_nothing():
    with pytest.raises(jc.InputError, match="screen=3 is not for attention by content"):
        jc.methods.Gradient(screen=3, model="content")
    assert jc.methods.Gradient(screen=3).settings["screen"] == 3
    assert dataclasses.replace(jc.methods.Gradient(), model={"width": 8}).is_positional
