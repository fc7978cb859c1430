"""The older past as instruments: which edges are effects, and when hidden causes are assumed."""

import jax
import numpy as np
import pytest

from jaxcause import LaggedGraph, Mark, discover
from jaxcause.discovery import refine
from jaxcause.discovery._refine.instruments import (
    EffectVerdicts,
    apply_verdicts,
    instrument_verdicts,
)
from jaxcause.stats import fit_var
from jaxcause.training import TrainingConfig
from jaxcause.workflows._discover.hidden import SearchedEdges, allow_for, differing_effects
from jaxcause.workflows._discover.notes import notes_on_hidden_causes

MAX_LAG = 2
EFFECTS = ((0, 0, 1, 0.8), (1, 1, 1, 0.7), (2, 2, 1, -0.7), (0, 2, 2, 0.4), (1, 0, 2, 0.3))
SHARED = (0, 1, 1)
"""The hidden cause of X0(t-1) and X1(t): an edge 0 → 1 of lag 1 that is none."""


def series(n_steps=4000, *, seed=0, hidden=1.0, memory=0.0, now=0.0):
    """Three variables; ``memory`` of the hidden cause, ``now`` the effect of X2 on X1 at once."""
    rng = np.random.default_rng(seed)
    x, u = rng.normal(size=(n_steps, 3)), rng.normal(size=n_steps)
    for t in range(1, n_steps):
        u[t] = memory * u[t - 1] + np.sqrt(1 - memory**2) * u[t]
    x[:, 0] += hidden * u
    x[1:, 1] += hidden * u[:-1]
    for t in range(MAX_LAG, n_steps):
        for i, j, lag, size in EFFECTS:
            x[t, j] += size * x[t - lag, i]
        x[t, 1] += now * x[t, 2]
    return x


def true_edges():
    mask = np.zeros((3, 3, MAX_LAG + 1), bool)
    for i, j, lag, _ in EFFECTS:
        mask[i, j, lag] = True
    return mask


def selected(x):
    return LaggedGraph.from_mask(fit_var(x, np.arange(len(x) - MAX_LAG), max_lag=2).q_value < 0.1)


def test_effects_and_a_hidden_cause_are_distinguished():
    x = series()
    given = selected(x)
    assert bool(given.adjacency[SHARED])
    found = refine(given, x, latents=True)
    marks = np.asarray(found.graph.marks)
    certain = (marks[..., 0] == Mark.TAIL) & (marks[..., 1] == Mark.ARROW)
    np.testing.assert_array_equal(certain, true_edges())
    assert marks[SHARED].tolist() == [Mark.ARROW, Mark.ARROW]
    said = found.info.instruments
    assert said["n_causes"] >= 5
    assert (said["doubted"], said["q"]) == ([], 0.1)
    assert said["p_value"][SHARED] > 0.05
    without = refine(given, x, latents=True, q=None)
    assert without.info.instruments is None
    assert (np.asarray(without.graph.marks)[..., 0] == Mark.TAIL).sum() < 5


def test_effects_are_right_in_size():
    """A long series: p-values of true effects vanish, that of the shared cause does not."""
    found = instrument_verdicts(series(50_000), true_edges() | shared(), q=0.1)
    np.testing.assert_array_equal(found.effect, true_edges())
    np.testing.assert_array_equal(found.hidden_cause, shared())
    assert np.isnan(found.p_value[:, :, 0]).all()
    assert found.difference_p_value[SHARED] < 1e-6


def shared():
    mask = np.zeros((3, 3, MAX_LAG + 1), bool)
    mask[SHARED] = True
    return mask


def test_a_rate_is_held_where_nothing_is_an_effect():
    """Series of noise: at q = 0.1, a false effect in at most about one of ten."""
    rng = np.random.default_rng(0)
    everything = np.ones((3, 3, MAX_LAG + 1), bool)
    found = [instrument_verdicts(rng.normal(size=(300, 3)), everything, q=0.1) for _ in range(60)]
    assert np.mean([f.effect.any() for f in found]) <= 0.2
    assert not any(f.hidden_cause.sum() > 3 for f in found)


def test_a_hidden_cause_with_a_long_memory_is_doubted():
    x = series(20_000, memory=0.95, hidden=2.0)
    found = instrument_verdicts(x, true_edges() | shared(), q=0.1)
    assert found.doubted.any()
    doubted = np.flatnonzero(found.doubted)
    assert np.isnan(found.p_value[:, doubted]).all()
    assert not found.effect[:, doubted].any()
    info = refine(LaggedGraph.from_mask(true_edges() | shared()), x, latents=True).info
    assert info.instruments["doubted"] == doubted.tolist()


def test_short_series_and_gaps_are_left_to_the_search():
    x = series(300)
    assert instrument_verdicts(x[:60], true_edges(), q=0.1) is None
    assert instrument_verdicts(x, true_edges(), q=0.1) is not None
    assert instrument_verdicts(x, true_edges(), q=0.1, segment=np.arange(300) // 4) is None
    x[::4] = np.nan
    assert instrument_verdicts(x, true_edges(), q=0.1) is None


def test_what_was_required_or_separated_stays():
    marks = np.zeros((2, 2, 2, 2), np.int8)
    marks[:, :, 1] = Mark.CIRCLE, Mark.ARROW
    marks[1, 1, 1] = Mark.NONE
    mask = np.zeros((2, 2, 2), bool)
    effect, hidden_cause, required = mask.copy(), mask.copy(), mask.copy()
    effect[0, 0, 1] = effect[1, 1, 1] = True
    hidden_cause[0, 1, 1] = hidden_cause[1, 0, 1] = required[1, 0, 1] = True
    marks[0, 0, 1] = Mark.ARROW, Mark.ARROW
    p_value = np.full(mask.shape, 1e-5)
    given = EffectVerdicts(effect, hidden_cause, p_value, p_value / 10, mask[0, 0])
    found = apply_verdicts(marks, given, required, alpha=1e-4)
    assert found[0, 0, 1].tolist() == [Mark.TAIL, Mark.ARROW]
    assert found[0, 1, 1].tolist() == [Mark.ARROW, Mark.ARROW]
    assert found[1, 0, 1].tolist() == [Mark.CIRCLE, Mark.ARROW]
    assert not found[1, 1, 1].any()
    found = apply_verdicts(marks, given, required, alpha=1e-6)
    assert found[0, 0, 1].tolist() == [Mark.ARROW, Mark.ARROW]
    surer = given._replace(difference_p_value=np.ones(mask.shape))
    assert apply_verdicts(marks, surer, required, alpha=1e-6)[0, 0, 1].tolist() == [
        Mark.TAIL,
        Mark.ARROW,
    ]


def test_a_contemporaneous_effect_is_not_taken_for_an_effect_of_the_past():
    x = series(20_000, hidden=0.0, now=0.8)
    through = (2, 1, 1)
    given = selected(x)
    assert bool(given.adjacency[through])
    assert instrument_verdicts(x, np.asarray(given.adjacency), q=0.1).effect[through]
    found = refine(given, x, latents=True)
    assert not np.asarray(found.graph.adjacency)[through]


@pytest.mark.parametrize(("hidden", "differ"), [(1.0, True), (0.0, False)])
def test_differing_effects_are_a_sign_of_hidden_causes(hidden, differ):
    x = series(20_000, hidden=hidden)
    edges = np.asarray(selected(x).adjacency)
    assert (differing_effects(x, edges) > 0) == differ
    assert differing_effects(x, np.zeros_like(edges)) is None
    assert differing_effects(x[:60], edges) is None
    wide = np.zeros((300, 300, 3), bool)
    wide[0, 1, 1] = True
    assert differing_effects(np.zeros((9, 300)), wide) is None


def test_a_mechanism_that_changes_is_no_sign_of_hidden_causes():
    """Where the older past acts past the edges, nothing is searched unasked."""
    x = series(20_000, hidden=0.0)
    x[10_000:] = x[10_000:, [2, 0, 1]]
    edges = np.asarray(selected(x).adjacency)
    assert instrument_verdicts(x, edges, q=0.1).doubted.mean() > 0.2
    assert differing_effects(x, edges) is None


RELATED = {"correlation": 0.3, "pair": ["a", "b"], "n_pairs": 1, "n_tested": 3}


@pytest.mark.parametrize(
    ("asked", "seen", "expected", "said"),
    [
        ((None, False), (None, 0), (False, False), []),
        ((None, False), (RELATED, 0), (True, True), ["a and b", "latents=False"]),
        ((None, False), (None, 2), (True, True), ["For 2 edges", "latents=False"]),
        ((None, False), (RELATED, None), (False, False), ["To allow for it, pass latents=True"]),
        ((False, False), (RELATED, None), (False, False), ["To allow for it, pass latents=True"]),
        ((None, True), (RELATED, None), (False, True), []),
        ((True, False), (RELATED, None), (True, False), []),
    ],
)
def test_both_are_allowed_for_where_the_data_tell(asked, seen, expected, said):
    (latents, contemporaneous), (related, differing) = asked, seen
    allowed = allow_for(
        latents=latents,
        contemporaneous=contemporaneous,
        simultaneous=related,
        n_differing=differing,
    )
    assert (allowed.latents, allowed.contemporaneous) == expected
    notes = notes_on_hidden_causes(searched_edges(allowed, related, differing), ("a", "b"))
    text = " ".join(notes)
    assert all(part in text for part in said)
    assert bool(notes) == bool(said)


def searched_edges(allowed, related=None, differing=None, refined=None):
    """No edge among two variables, and what was allowed for."""
    graph = LaggedGraph.from_mask(np.zeros((2, 2, 2), bool))
    none = np.zeros((2, 2, 2))
    return SearchedEdges(
        graph, none, none, *allowed, simultaneous=related, n_differing=differing, refined=refined
    )


def test_doubts_are_told_by_name():
    x = series(memory=0.9)
    refined = refine(LaggedGraph.from_mask(true_edges() | shared()), x, latents=True)
    allowed = allow_for(latents=True, contemporaneous=False, simultaneous=None, n_differing=None)
    for doubted, words in (([], None), ([1], "Values older than max_lag affect b through paths")):
        info = refined.info._replace(instruments={"doubted": doubted})
        found = searched_edges(allowed, refined=refined._replace(info=info))
        notes = notes_on_hidden_causes(found, ("a", "b", "c"))
        assert [words in note for note in notes] == ([True] if words else [])
    without = refined._replace(info=refined.info._replace(instruments=None))
    assert notes_on_hidden_causes(searched_edges(allowed, refined=without), ("a", "b", "c")) == ()


def test_long_series_are_searched_again_unless_told_not_to():
    x = series(26_000)
    options = {
        "key": jax.random.key(0),
        "model": "small",
        "training": TrainingConfig(20, batch_size=64),
        "n_windows": 64,
        "progress": False,
        "skip": True,
    }
    found = discover(x, MAX_LAG, **options)
    assert found.info.latents
    assert found.info.contemporaneous
    assert np.asarray(found.graph.marks)[SHARED].tolist() == [Mark.ARROW, Mark.ARROW]
    assert any("latents=False" in note for note in found.info.notes)
    again = {"forecaster": found.forecaster, "progress": False}
    plain = discover(x, MAX_LAG, latents=False, **again)
    assert not plain.info.latents
    assert ("X0", 1, "-->", "X1") in plain.graph.edges()
    short = discover(x[:4000], MAX_LAG, **again)
    assert not short.info.latents
