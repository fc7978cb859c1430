"""The strongest links that are no edges, where no edge joins two variables."""

import csv

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxcause as jc
from jaxcause.graph import LaggedGraph
from jaxcause.workflows import Discovery, write_discovery
from jaxcause.workflows._discover.candidates import candidates_of, link_tests

NAMES = ("rain", "gauge", "demand", "snow")
STRICT = {
    "var": {"q": 1e-6},
    "pcmci": {"q": 1e-6, "contemporaneous": True},
    "pcmci+": {"q": 1e-6},
    "pc": {"alpha": 1e-6, "contemporaneous": True},
}


def noise(seed=0, n_rows=300):
    x = np.random.default_rng(seed).normal(size=(n_rows, 4))
    for t in range(1, n_rows):
        x[t, 0] += 0.8 * x[t - 1, 0]
    return x


@pytest.fixture(scope="module", params=STRICT)
def found(request):
    return jc.discover(noise(), 3, method=request.param, names=NAMES, **STRICT[request.param])


def test_candidates_are_cross_links_in_the_order_of_their_p_values(found):
    table = found.candidates
    assert len(table) == 10
    assert (table["source"] != table["target"]).all()
    assert (np.diff(table["p_value"]) >= 0).all()
    p_value = np.asarray(found.info.p_value)
    at = {name: i for i, name in enumerate(NAMES)}
    cells = [(at[a], at[b], lag) for a, b, lag, *_ in table.tolist()]
    assert len({(*sorted(c[:2]), 0) if c[2] == 0 else c for c in cells}) == 10
    for cell, row in zip(cells, table, strict=True):
        assert row["p_value"] == p_value[cell]
        assert row["score"] == np.asarray(found.scores)[cell]
        assert 0 <= row["p_value"] <= row["q_value"] <= 1


def test_how_many_to_expect_false_is_said_everywhere(found, tmp_path):
    shown = found.shown_candidates()
    assert 5 < shown.n_false <= 10
    assert "expect" in shown.note
    assert shown.note in found.summary()
    assert shown.note in found.to_html()
    assert found.to_dict()["candidates"]["note"] == shown.note
    write_discovery(found, tmp_path)
    with (tmp_path / "candidates.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["source"] for row in rows] == found.candidates["source"].tolist()


def test_candidates_are_the_same_after_a_file(found):
    again = Discovery.from_json(found.to_json())
    assert str(again.candidates.tolist()) == str(found.candidates.tolist())
    assert again.summary() == found.summary()
    assert again.to_html() == found.to_html()


def test_nothing_is_shown_beside_an_edge_between_two_variables():
    x = noise()
    x[1:, 1] += x[:-1, 0]
    found = jc.discover(x, 3, method="var", names=NAMES, q=0.001)
    assert found.shown_candidates() is None
    assert "candidates" not in found.to_dict()
    assert "candidate" not in found.summary()
    assert "Candidates, no edges" not in found.to_html()
    assert len(found.candidates) == 10
    assert ("rain", "gauge", 1) not in {row[:3] for row in found.candidates.tolist()}


def test_forbidden_links_are_no_candidates(found):
    method = found.info.method
    barred = jc.discover(
        noise(), 3, method=method, names=NAMES, forbidden=[("rain", "gauge")], **STRICT[method]
    )
    pairs = {(a, b) for a, b, lag, *_ in barred.candidates.tolist() if lag}
    assert ("rain", "gauge") not in pairs


def test_pictures_show_them_dashed(found):
    for kind in ("time", "summary"):
        ax = found.plot(kind)
        dashed = [p for p in ax.patches if p.get_linestyle() in ("--", "dashed")]
        assert len(dashed) >= (10 if kind == "time" else 5)
        assert "dashed: strongest candidates, no edges" in ax.get_xlabel()


def test_without_p_values_scores_give_the_order():
    rng = np.random.default_rng(0)
    scores = rng.random((3, 3, 3))
    empty = LaggedGraph.from_mask(np.zeros((3, 3, 3), bool))
    found = candidates_of(empty, scores, scores, (None, None), NAMES[:3])
    assert (np.diff(found.table["score"]) <= 0).all()
    assert np.isnan(found.n_false)
    assert "how many of them are false is not known" in found.note
    nothing = candidates_of(empty, 0 * scores, scores, (None, None), NAMES[:3])
    assert len(nothing.table) == 0
    assert nothing.lines() == []
    assert "nothing speaks for a link" in nothing.note


@given(st.integers(0, 10_000), st.integers(2, 6), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_under_chance_alone_all_are_expected_false(seed, n_vars, max_lag):
    p_value = np.random.default_rng(seed).random((n_vars, n_vars, max_lag + 1))
    p_value[:, :, 0] = np.nan
    names = tuple(f"v{k}" for k in range(n_vars))
    tests = link_tests(p_value)
    empty = LaggedGraph.from_mask(np.zeros(p_value.shape, bool))
    found = candidates_of(empty, 1 - p_value, p_value, tests, names)
    n, n_tests = len(found.table), n_vars * (n_vars - 1) * max_lag
    assert n == min(10, n_tests)
    assert found.n_false == pytest.approx(min(n, n_tests * found.table["p_value"].max()))
    order = np.random.default_rng(seed + 1).permutation(n_vars)
    moved = candidates_of(
        empty, 1 - p_value[order][:, order], p_value[order][:, order],
        link_tests(p_value[order][:, order]), tuple(names[k] for k in order),
    )  # fmt: skip
    np.testing.assert_array_equal(moved.table, found.table)


def test_the_number_of_false_candidates_is_right_on_average():
    counts = []
    for seed in range(40):
        x = noise(seed)
        found = jc.discover(x, 3, method="var", names=NAMES, q=1e-9)
        if (shown := found.shown_candidates()) is not None:
            counts.append(shown.n_false)
    # All ten are false here; the estimate is capped at ten.
    assert 8 < np.mean(counts) <= 10


@pytest.mark.parametrize("select", [None, "given"])
def test_the_gradient_method_says_its_p_values(select):
    from jaxcause.training import TrainingConfig

    rule = {} if select is None else {"select": lambda s: jc.attribution.select_global_top_k(s, 0)}
    found = jc.discover(
        np.random.default_rng(0).normal(size=(300, 3)), 2, q=1e-9, progress=False,
        model="small", training=TrainingConfig(n_steps=4), **rule,
    )  # fmt: skip
    shown = found.shown_candidates()
    assert len(shown.table) == 10
    assert np.isnan(shown.n_false) == (select is not None)
    again = Discovery.from_json(found.to_json())
    assert str(again.candidates.tolist()) == str(found.candidates.tolist())
