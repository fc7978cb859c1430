"""Redundancy is not dependence: copies, sums and columns that the past determines."""

import numpy as np
import pytest
import scipy.stats

import jaxcause as jc
from benchmarks.collinear import KINDS, collinear_series
from jaxcause.discovery import lagged_correlation, pcmci, pcmci_plus
from jaxcause.stats import redundant_columns


def correlations(x, max_lag=2):
    return lagged_correlation(x, np.arange(len(x) - 2 * max_lag), max_lag=max_lag)


def false_edges(found, true):
    return np.asarray(found.graph.adjacency) & ~true


@pytest.mark.parametrize("kind", KINDS)
def test_redundant_columns_make_no_edge_that_redundancy_alone_explains(kind):
    """At most what 1 % tests err by chance; redundancy once made nearly all edges."""
    n_false = n_absent = 0
    for seed in range(3):
        x, true = collinear_series(kind, seed)
        corr, n = correlations(x)
        for search, options in ((pcmci, {"pc_alpha": 0.2, "alpha": 0.01}), (pcmci_plus, {})):
            if search is pcmci_plus:
                options = {"pc_alpha": 0.01}
            n_false += false_edges(search(corr, n, n_vars=x.shape[1], **options), true).sum()
            n_absent += (~true).sum()
    assert n_false <= 0.03 * n_absent


def test_effects_of_a_column_that_its_own_past_determines_are_tested_at_the_level_asked_for():
    """An alternating column is a cause where it is one; elsewhere 1 % of its pairs err."""
    n_pairs = n_false = 0
    for seed in range(100):
        x, true = collinear_series("alternating", seed)
        found = pcmci(*correlations(x), n_vars=4, pc_alpha=0.2, alpha=0.01)
        n_pairs += 3
        n_false += int(false_edges(found, true)[3, :3].any(axis=-1).sum())
    assert n_false <= scipy.stats.binom.ppf(0.999, n_pairs, 0.01)
    for seed in range(3):
        x, true = collinear_series("alternating cause", seed)
        for search, options in ((pcmci, {"pc_alpha": 0.2, "alpha": 0.01}), (pcmci_plus, {})):
            found = search(*correlations(x), n_vars=4, **options)
            assert np.asarray(found.graph.adjacency)[3, 2, 1:].all()


@pytest.mark.parametrize("kind", ["copy", "rescaled", "negated", "two copies", "nearly a copy"])
@pytest.mark.parametrize("method", ["pcmci", "pcmci+", "pc", "var", "lasso"])
def test_a_copy_costs_its_original_no_edge(kind, method):
    for seed in range(3):
        x, true = collinear_series(kind, seed)
        options = {"q": 0.05} if method in ("pcmci", "pcmci+", "var") else {}
        found = jc.discover(x, 2, method=method, progress=False, **options)
        adjacency = np.asarray(found.graph.adjacency)
        assert adjacency[:3, :3][[0, 1, 2], [0, 1, 2], 1].all() or method in ("var", "lasso")
        # Some column that says what X0 says drives some column that says what X1 says.
        like_0 = [j for j in range(x.shape[1]) if abs(np.corrcoef(x[:, 0], x[:, j])[0, 1]) > 0.999]
        like_1 = [j for j in range(x.shape[1]) if abs(np.corrcoef(x[:, 1], x[:, j])[0, 1]) > 0.999]
        assert adjacency[np.ix_(like_0, like_1, [1])].any()
        named = [note for note in found.info.notes if "copies of one another" in note]
        assert named and f"X{like_0[0]}" in named[0] or kind in ("negated", "nearly a copy")


@pytest.mark.parametrize(
    ("dtype", "caps"),
    [(np.float32, None), (np.float64, None), (np.float32, jc.Caps(max_degree=5, max_cond_size=1))],
)
@pytest.mark.parametrize("search", [jc.pc, jc.fci, jc.icd])
def test_a_copy_changes_nothing_between_the_others(search, dtype, caps):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1000, 5))
    x[:, 1] += x[:, 0]
    x[:, 2] += x[:, 1]
    x[:, 4] += x[:, 3] + x[:, 2]
    copied = np.column_stack([x, 2.5 * x[:, 1] - 7]).astype(dtype)
    plain = search(jc.partial_correlation_test_from_data(x.astype(dtype)))
    test = jc.partial_correlation_test_from_data(copied)
    found = search(test, caps=caps)
    adjacency = np.asarray(found.graph.adjacency)
    others = [0, 2, 3, 4]
    expected = np.asarray(plain.graph.adjacency)[np.ix_(others, others)]
    assert (adjacency[np.ix_(others, others)] == expected).all()
    assert np.argwhere(np.triu(np.asarray(found.info.indistinct))).tolist() == [[1, 5]]


def test_what_the_past_determines_has_no_further_cause():
    """The hour of the day drives the load; the load drives no hour."""
    rng = np.random.default_rng(0)
    hour = np.arange(600) * 2 * np.pi / 24
    load = 0.3 * rng.normal(size=600)
    load[1:] += np.sin(hour[:-1])
    x = np.column_stack([np.sin(hour), np.cos(hour), load])
    corr, n = correlations(x)
    found = np.asarray(pcmci(corr, n, n_vars=3, alpha=0.01).graph.adjacency)
    assert found[:2, 2, 1:].any()
    assert not found[2, :2, 1:].any()


def test_sums_and_one_hot_columns_are_found():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3))
    category = rng.integers(3, size=200)
    hot = [(category == k).astype(float) for k in range(3)]
    columns = np.column_stack([x, x[:, 0] - 2 * x[:, 2], *hot, np.full(200, 3.0)])
    found = redundant_columns(columns)
    assert found.copies == ()
    assert found.combinations == ((0, 2, 3), (4, 5, 6))
    assert redundant_columns(x) == ((), ())
