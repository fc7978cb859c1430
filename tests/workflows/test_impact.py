"""Edges where most links may be: forecasts of held-out windows without each input."""

from types import SimpleNamespace

import jax
import numpy as np
import pytest

import jaxcause as jc
from jaxcause.attribution import PredictiveImpact, evidence_null
from jaxcause.attribution._select import STANDS_APART
from jaxcause.workflows._discover.choice import ChosenEdges, with_impact
from jaxcause.workflows._discover.impact import _pooled
from jaxcause.workflows._discover.training import LONG

QUICK = {"key": jax.random.key(0), "progress": False}


def bent(n_vars, n_steps, links, seed=0):
    """Each link is a cosine, or a product with the target's own past, at lag 1."""
    rng = np.random.default_rng(seed)
    x = np.zeros((n_steps + 50, n_vars))
    noise = rng.normal(size=x.shape)
    for t in range(1, len(x)):
        near = np.clip(x[t - 1], -2, 2)
        x[t] = 0.4 * x[t - 1] + noise[t]
        for source, target, size, kind in links:
            other = near[target] if kind == "product" else 1.0
            shape = near[source] if kind == "product" else np.cos(2 * near[source])
            x[t, target] += size * shape * other
    return x[50:]


def edges_of(found):
    mask = np.asarray(found.graph.directed).any(axis=2)
    return {tuple(pair) for pair in np.argwhere(mask & ~np.eye(len(mask), dtype=bool)).tolist()}


@pytest.mark.parametrize("n_steps", [1_000, 26_000])
def test_edges_are_found_where_all_links_are_edges(n_steps):
    links = [(i, j, 1.2, "cosine") for i in range(3) for j in range(3) if i != j]
    found = jc.discover(bent(3, n_steps, links), 1, **QUICK)
    assert len(edges_of(found)) >= 5
    # The evidence of a short series has a scale of its own, and needs no bulk.
    told = any("held-out windows get worse" in note for note in found.info.notes)
    assert told == (n_steps > LONG)
    assert not told or found.info.impact_windows > 0.15 * n_steps


def test_forecasts_add_no_edges_to_links_that_the_null_finds():
    """A ring of Hénon maps, nearly deterministic: forecasts without an input err on false ones."""
    rng = np.random.default_rng(0)
    x = np.zeros((1_000, 5, 2))
    x[0] = 0.1 * rng.normal(size=(5, 2))
    for t in range(1, len(x)):
        driver = x[t - 1, [0, 0, 1, 2, 3], 0]
        own = x[t - 1, :, 0]
        mixed = (0.3 * driver + 0.7 * own) * own
        x[t, :, 0] = 1.4 - mixed + 0.3 * x[t - 1, :, 1] + 1e-3 * rng.normal(size=5)
        x[t, :, 1] = own
    found = jc.discover(x[200:, :, 0], 2, **QUICK)
    assert edges_of(found) == {(0, 1), (1, 2), (2, 3), (3, 4)}
    assert found.info.impact_windows is None


def test_nothing_is_found_where_nothing_is_there():
    falsely = [edges_of(jc.discover(bent(3, 1_000, (), seed), 1, **QUICK)) for seed in range(8)]
    assert sum(map(bool, falsely)) <= 2


def test_an_edge_that_no_line_shows_is_read_from_the_forecasts():
    """One weak product among four variables counts for little of the errors of all."""
    found = jc.discover(bent(4, 1_500, [(0, 3, 0.35, "product")], seed=1), 2, **QUICK)
    assert edges_of(found) == {(0, 3)}
    assert found.info.gain["targets"] == []
    assert found.info.selection == "both"
    assert float(np.asarray(found.info.p_value)[0, 3, 1]) < 1e-3


def test_a_rule_of_the_callers_is_asked_alone():
    from jaxcause.attribution import select_top_k

    found = jc.discover(
        bent(3, 600, [(0, 1, 1.2, "cosine")]), 1, select=lambda s: select_top_k(s, 1), **QUICK
    )
    assert found.info.impact_windows is None


def test_regimes_are_pooled_by_their_windows():
    rng = np.random.default_rng(0)
    lost = rng.normal(size=(40, 2, 2, 2)), rng.normal(size=(10, 2, 2, 2)) + 1

    def of(part):
        n = np.full(2, float(len(part)))
        return PredictiveImpact(part.mean(axis=0), part.std(axis=0) / np.sqrt(len(part)), n)

    pooled = _pooled([of(part) for part in lost])
    every = np.concatenate(lost)
    np.testing.assert_allclose(pooled.impact, every.mean(axis=0))
    within = sum(len(part) * part.var(axis=0) for part in lost) / len(every)
    np.testing.assert_allclose(pooled.standard_error, np.sqrt(within / len(every)))
    assert pooled.n_windows.tolist() == [50, 50]


@pytest.mark.usefixtures("untyped")
def test_where_own_pasts_stand_apart_forecasts_add_edges_and_take_none_away():
    """Of twelve slow variables, the null knows their own pasts and one strong edge."""
    n, rng = 12, np.random.default_rng(0)
    own = np.eye(n, dtype=bool)
    evidence = np.zeros((n, n, 2))
    evidence[:, :, 1] = np.where(own, 100.0, np.abs(rng.normal(size=(n, n))))
    evidence[0, 1, 1] = 90.0
    null = evidence_null(evidence)
    assert null.separation > STANDS_APART
    everywhere = np.ones((n, n, 2), bool)
    everywhere[:, :, 0] = False
    data = SimpleNamespace(
        candidates=everywhere, known=SimpleNamespace(lagged=SimpleNamespace(allowed=everywhere))
    )
    chosen = ChosenEdges(
        np.asarray(null.edges(0.1).directed), "empirical null", 1.0, null.p_value, null.q_value
    )
    t_statistic = np.zeros((n, n, 2))
    t_statistic[2, 3, 1] = 9.0
    impact = PredictiveImpact(t_statistic, np.ones((n, n, 2)), np.full(n, 500.0))
    both = with_impact(data, chosen, null, impact, np.zeros(n, bool), q=0.1)
    cross = np.argwhere(both.supported[:, :, 1] & ~own).tolist()
    assert cross == [[0, 1], [2, 3]]
    assert both.supported[own, 1].all()
    assert both.q_value[0, 1, 1] == chosen.q_value[0, 1, 1]
