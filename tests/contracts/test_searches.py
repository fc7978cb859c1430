"""What every search promises with every conditional independence test."""

import dataclasses
from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from contracts.oracle_batches import stacked_oracles
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.scipy.special import erfc
from scipy.stats import false_discovery_control

from jaxcause import (
    Caps,
    _small_work,
    fci,
    icd,
    partial_correlation_test,
    partial_correlation_test_from_data,
    pc,
    rank_correlation_test_from_data,
)
from jaxcause._typing import CIResult
from jaxcause.discovery import _entry
from jaxcause.discovery._host import blocks as orientation_blocks
from jaxcause.discovery._host import icd as host_icd
from jaxcause.discovery._host import icd_sep, rounds
from jaxcause.discovery._kernel import conditioning_sets, sizes
from jaxcause.stats import DeletionTest, HoledSamples, PartialCorrelationTest

SEARCHES = [pc, fci, icd]
GRAPHS, N, SAMPLES, ALPHA = 3, 8, 300, 0.1
OPTIONS = {"alpha": ALPHA, "max_cond_size": 4}
KEPT = np.array([0, 2, 3, 5, 6, 7])
"""Nodes of the smaller problem that a mask cuts out of a larger one."""


class RegressionTest(NamedTuple):
    """A user's own test of one graph: t-like z of a regression coefficient, given covariances."""

    covariance: np.ndarray

    @property
    def n_nodes(self):
        return self.covariance.shape[-1]

    def __call__(self, x, y, cond):
        covariance = jnp.asarray(self.covariance, jnp.float32)
        given = jnp.concatenate([jnp.asarray(y, jnp.int32)[None], cond])
        real = given >= 0
        both = real[:, None] & real[None, :]
        identity = jnp.eye(len(given), dtype=jnp.float32)
        inverse = jnp.linalg.inv(jnp.where(both, covariance[given[:, None], given], identity))
        to_x = jnp.where(real, covariance[x, given], 0)
        coefficients = inverse @ to_x
        left = covariance[x, x] - to_x @ coefficients
        z = coefficients[0] / jnp.sqrt(left * inverse[0, 0] / SAMPLES)
        return CIResult(z, erfc(jnp.abs(z) / jnp.sqrt(jnp.float32(2))))


@cache
def dags():
    random = np.random.default_rng(5)
    order = np.triu(np.ones((N, N), bool), 1)
    some = order & (random.random((GRAPHS, N, N)) < 4.5 / (N - 1))
    orders = [random.permutation(N) for _ in range(GRAPHS)]
    return np.array([dag[np.ix_(p, p)] for dag, p in zip(some, orders, strict=True)])


@cache
def samples():
    """Data of a linear SEM on each DAG: ``[graphs, samples, nodes]``."""
    random = np.random.default_rng(1)
    weights = dags() * random.uniform(0.2, 0.9, (GRAPHS, N, N))
    noise = random.normal(size=(GRAPHS, SAMPLES, N))
    return noise @ np.linalg.inv(np.eye(N) - weights)


def covariances():
    centred = samples() - samples().mean(axis=-2, keepdims=True)
    return np.swapaxes(centred, -1, -2) @ centred / SAMPLES


def gappy_samples():
    x = samples().copy()
    x[np.random.default_rng(2).random(x.shape) < 0.05] = np.nan
    return x


def small_oracles():
    cases = [(dag, np.arange(N), None) for dag in dags()]
    return stacked_oracles(cases, shape=(GRAPHS, N, N))[0]


TESTS = {
    "float64": lambda: partial_correlation_test(covariances(), SAMPLES),
    "float32": lambda: partial_correlation_test(covariances().astype(np.float32), SAMPLES),
    "one_sided": lambda: partial_correlation_test(covariances(), SAMPLES, one_sided=True),
    "pairwise": lambda: partial_correlation_test_from_data(gappy_samples(), missing="pairwise"),
    "shrunk": lambda: partial_correlation_test_from_data(samples()[:, :60], shrinkage="auto"),
    "normal_scores": lambda: rank_correlation_test_from_data(np.exp(samples())),
    "spearman": lambda: rank_correlation_test_from_data(np.exp(samples()), method="spearman"),
    "oracle": small_oracles,
    "testwise": lambda: partial_correlation_test_from_data(gappy_samples()[0], missing="testwise"),
    "own": lambda: RegressionTest(covariances()[0].astype(np.float32)),
}
BATCHED = [name for name in TESTS if name not in ("own", "testwise")]
every_search = pytest.mark.parametrize("search", SEARCHES)
every_test = pytest.mark.parametrize("name", TESTS)
every_batched_test = pytest.mark.parametrize("name", BATCHED)


@cache
def made(name):
    return TESTS[name]()


def at_nodes(test, nodes):
    """The test of some of the nodes, or of all in another order."""
    if isinstance(test, DeletionTest):
        kept, samples = np.append(nodes, -1), test.samples
        products = samples.products[np.ix_(kept, kept)]
        return DeletionTest(HoledSamples(samples.values[kept], samples.present[kept], products))
    if isinstance(test, PartialCorrelationTest):
        return dataclasses.replace(test, corr=test.corr[..., nodes, :][..., nodes])
    return dataclasses.replace(test, observed=test.observed[nodes])


@cache
def made_for(name, graph):
    """The test of one graph."""
    if name in ("own", "testwise"):
        return made(name)
    if name == "oracle":
        return made(name)[(graph,)]
    return jax.tree.map(lambda leaf: np.asarray(leaf[graph] if np.ndim(leaf) else leaf), made(name))


def found(search, name, sepset="max_p"):
    """What a search finds, kept for each engine."""
    return kept(search, name, sepset, _small_work.PATIENCE)


@cache
def kept(search, name, sepset, _):
    """Result of the first graph."""
    return search(made_for(name, 0), **OPTIONS, sepset=sepset)


def found_together(search, name, sepset="max_p"):
    """The same of the whole batch."""
    return kept_together(search, name, sepset, _small_work.PATIENCE)


@cache
def kept_together(search, name, sepset, _):
    """Result of the whole batch."""
    return search(made(name), **OPTIONS, sepset=sepset)


def one_graph(result, graph):
    """Result of one graph of a batch."""
    return jax.tree.map(lambda leaf: leaf[graph], result)


def check_identical(one, other):
    assert jax.tree.structure(one) == jax.tree.structure(other)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype


def levels_with_tests(info):
    """A batch has the levels of its slowest graph, and FCI begins its second phase behind them."""
    n_tests = np.asarray(info.n_tests)
    return n_tests[n_tests > 0], np.asarray(info.n_edges)[n_tests > 0]


def check_same(one, other, places=None):
    """The same graph, sets, p-values and tests; ``places`` are the nodes of one in the other."""
    n = one.graph.n_nodes
    places = np.arange(n) if places is None else places
    at = np.ix_(places, places)
    np.testing.assert_array_equal(one.graph.marks, np.asarray(other.graph.marks)[at])
    np.testing.assert_array_equal(one.sepsets.found, np.asarray(other.sepsets.found)[at])
    members = np.asarray(other.sepsets.membership())
    np.testing.assert_array_equal(one.sepsets.membership(), members[np.ix_(places, places, places)])
    np.testing.assert_array_equal(one.p_values, np.asarray(other.p_values)[at])
    for mine, others in zip(*map(levels_with_tests, (one.info, other.info)), strict=True):
        np.testing.assert_array_equal(mine, others)
    for field in ("n_conflicts", "n_cyclic", "n_open", "truncated", "overflow"):
        assert getattr(one.info, field) == getattr(other.info, field)
    if one.levels is not None:
        a, b = np.asarray(one.levels.marks), np.asarray(other.levels.marks)[:, *at]
        n_levels = max(len(a), len(b))
        a, b = (np.pad(m, [(0, n_levels - len(m)), (0, 0), (0, 0)], mode="edge") for m in (a, b))
        np.testing.assert_array_equal(a, b)


# One result ---------------------------------------------------------------------------------------


@every_search
@every_test
def test_dtypes_and_shapes(search, name):
    result = found(search, name)
    assert result.graph.marks.dtype == np.int8
    assert result.graph.marks.shape == result.p_values.shape == (N, N)
    assert np.issubdtype(result.p_values.dtype, np.floating)
    assert np.issubdtype(result.sepsets.nodes.dtype, np.integer)
    assert result.sepsets.found.dtype == bool
    for field in ("n_tests", "n_edges", "n_conflicts", "n_cyclic", "n_open"):
        assert np.issubdtype(getattr(result.info, field).dtype, np.integer)
    for field in ("overflow", "singular"):
        assert not bool(getattr(result.info, field))
    assert (result.levels is not None) == (search is icd)


@every_search
@every_test
def test_edges_are_dependent_and_the_others_independent(search, name):
    result, test = found(search, name), made_for(name, 0)
    p = np.asarray(result.p_values)
    adjacent, separated = np.asarray(result.graph.adjacency), np.asarray(result.sepsets.found)
    off_diagonal = ~np.eye(N, dtype=bool)
    assert adjacent.any()
    assert separated.any()
    np.testing.assert_array_equal(adjacent, off_diagonal & ~separated)
    np.testing.assert_array_equal(np.isnan(p), ~off_diagonal)
    np.testing.assert_array_equal(p, p.T)
    assert (p[adjacent] <= ALPHA).all()
    assert (p[separated] > ALPHA).all()
    assert p[off_diagonal].max() <= 1
    call = jax.jit(lambda x, y, cond: test(x, y, cond).p_value)
    width = result.sepsets.nodes.shape[-1]
    for i, j in np.argwhere(np.triu(separated)).astype(np.int32):
        cond = np.asarray(result.sepsets.nodes[i, j], np.int32)
        assert cond.shape == (width,)
        assert float(call(i, j, cond)) == pytest.approx(p[i, j], rel=1e-3)


@every_search
@pytest.mark.parametrize("name", ["float64", "float32", "testwise", "own"])
@pytest.mark.parametrize("method", ["bh", "by"])
def test_q_values_are_those_of_scipy(search, name, method):
    result = found(search, name)
    upper = np.triu_indices(N, 1)
    p, q = np.asarray(result.p_values)[upper], np.asarray(result.q_values(method))
    np.testing.assert_allclose(q[upper], false_discovery_control(p, method=method), rtol=1e-5)
    np.testing.assert_array_equal(q, q.T)
    assert np.isnan(np.diagonal(q)).all()
    assert (q[upper] >= p * (1 - 1e-6)).all()


@every_search
@every_test
def test_results_are_pytrees(search, name):
    result = found(search, name)
    as_numpy = jax.tree.map(np.asarray, result)
    assert type(as_numpy) is type(result)
    with jax.enable_x64(True):
        back = jax.jit(lambda tree: tree)(as_numpy)
    check_identical(result, jax.tree.map(np.asarray, back))


# Repetition, batches, blocks ----------------------------------------------------------------------


@every_search
@every_test
@pytest.mark.usefixtures("engine")
def test_repeated_runs_are_identical(search, name):
    check_identical(found(search, name), search(made_for(name, 0), **OPTIONS))


@every_search
@every_batched_test
@pytest.mark.usefixtures("engine")
def test_a_batch_equals_its_graphs(search, name):
    together = found_together(search, name)
    assert together.graph.marks.shape == (GRAPHS, N, N)
    for graph in range(GRAPHS):
        alone = search(made_for(name, graph), **OPTIONS)
        check_same(alone, one_graph(together, graph))


def test_a_batch_keeps_fractional_numbers_of_samples():
    # 0.91 of a row counts for Spearman's correlation.
    test = made("spearman")
    assert float(test[(0,)].n_samples) == float(test.n_samples)


@every_search
@every_batched_test
@pytest.mark.usefixtures("engine")
def test_the_order_of_a_batch_does_not_matter(search, name):
    def reverse(tree):
        return jax.tree.map(lambda leaf: leaf[::-1] if np.ndim(leaf) else leaf, tree)

    together = found_together(search, name)
    check_identical(together, reverse(search(reverse(made(name)), **OPTIONS)))


BLOCKS = {
    "rounds": {
        (rounds, "TESTS_PER_ROUND"): 1,
        (rounds, "FIRST_ROUND"): 1,
        (host_icd, "SETS_PER_ROUND"): (1, 3),
    },
    "sets": {(sizes, "SETS_PER_CALL"): 7, (icd_sep, "SETS_PER_BLOCK"): 1},
    "rows": {(sizes, "ROWS_PER_CALL"): 5, (sizes, "TILE_ENTRIES"): 1 << 6},
    "lanes": {
        (sizes, "FEWEST_LANES"): 16,
        (sizes, "MOST_LANES"): 32,
        (orientation_blocks, "ENTRIES_PER_BLOCK"): 1,
    },
    "accelerator": {
        (sizes, "on_accelerator"): lambda: True,
        (sizes, "ACCELERATOR_LANES"): 64,
        (sizes, "ACCELERATOR_SETS"): 3,
    },
    "graphs": {(_entry, "PAIRS_PER_CHUNK"): 1},
}


@every_search
@pytest.mark.parametrize(
    ("blocks", "sepset"),
    [
        ("rounds", "first"),
        ("sets", "first"),
        ("sets", "max_p"),
        ("rows", "first"),
        ("lanes", "first"),
        ("accelerator", "first"),
        ("accelerator", "max_p"),
        ("graphs", "first"),
    ],
)
@pytest.mark.usefixtures("engine")
def test_blocks_change_nothing(search, blocks, sepset, monkeypatch):
    expected = found_together(search, "float64", sepset)
    for (module, name), value in BLOCKS[blocks].items():
        assert type(getattr(module, name)) is type(value)
        monkeypatch.setattr(module, name, value)
    conditioning_sets._table.cache_clear()
    try:
        again = search(made("float64"), **OPTIONS, sepset=sepset)
    finally:
        conditioning_sets._table.cache_clear()
    if search is fci and blocks == "graphs":
        for graph in range(GRAPHS):
            check_same(one_graph(again, graph), one_graph(expected, graph))
    else:
        check_identical(expected, again)


# Names and masks ----------------------------------------------------------------------------------


@every_search
@settings(max_examples=5, deadline=None)
@given(order=st.permutations(range(N)))
def test_relabelling_the_nodes_relabels_what_the_oracle_gives(search, order):
    order = np.array(order)
    relabelled = search(at_nodes(made_for("oracle", 0), order), **OPTIONS)
    marks = np.asarray(found(search, "oracle").graph.marks)
    np.testing.assert_array_equal(relabelled.graph.marks, marks[np.ix_(order, order)])


@every_search
@pytest.mark.parametrize(
    "name", [name for name in TESTS if name not in ("oracle", "own", "one_sided")]
)
@settings(max_examples=3, deadline=None)
@given(order=st.permutations(range(N)))
def test_relabelling_the_nodes_relabels_the_graph(search, name, order):
    # The first set that separates depends on the order of the nodes; the best one does not.
    order = np.array(order)
    relabelled = search(at_nodes(made_for(name, 0), order), **OPTIONS, sepset="max_p")
    at = np.ix_(order, order)
    result = found(search, name, "max_p")
    np.testing.assert_array_equal(relabelled.graph.marks, np.asarray(result.graph.marks)[at])
    np.testing.assert_allclose(
        relabelled.p_values, np.asarray(result.p_values)[at], rtol=1e-3, atol=1e-12
    )


@settings(max_examples=5, deadline=None)
@given(order=st.permutations(range(N)))
def test_relabelling_keeps_the_skeleton_of_pc_whichever_set_is_kept(order):
    # One-sided, many sets are equally good: p = 1.
    order = np.array(order)
    relabelled = pc(at_nodes(made_for("one_sided", 0), order), **OPTIONS)
    adjacency = np.asarray(found(pc, "one_sided").graph.adjacency)
    np.testing.assert_array_equal(relabelled.graph.adjacency, adjacency[np.ix_(order, order)])


@every_search
@pytest.mark.parametrize("name", [name for name in TESTS if name not in ("oracle", "own")])
@pytest.mark.usefixtures("engine")
def test_masked_nodes_change_nothing(search, name):
    test = made_for(name, 0)
    mask = np.isin(np.arange(N), KEPT)
    masked = search(test, **OPTIONS, node_mask=mask)
    check_same(search(at_nodes(test, KEPT), **OPTIONS), masked, KEPT)
    assert not masked.graph.adjacency[~mask].any()
    assert not masked.sepsets.found[~mask].any()
    assert np.isnan(masked.p_values[~mask]).all()


@every_search
@pytest.mark.usefixtures("engine")
def test_each_graph_has_its_own_mask(search):
    masks = np.ones((GRAPHS, N), bool)
    masks[0, [1, 4]] = masks[2, 7] = False
    together = search(made("float64"), **OPTIONS, node_mask=masks)
    for graph in range(GRAPHS):
        alone = search(made_for("float64", graph), **OPTIONS, node_mask=masks[graph])
        check_same(alone, one_graph(together, graph))


# The smallest and the worst -----------------------------------------------------------------------


@every_search
@pytest.mark.parametrize("n", [1, 2, N])
def test_nodes_that_are_independent_of_all(search, n):
    result = search(partial_correlation_test(np.eye(n), SAMPLES))
    assert result.graph.marks.shape == (n, n)
    assert not result.graph.adjacency.any()
    assert (np.asarray(result.sepsets.found) == ~np.eye(n, dtype=bool)).all()
    assert (result.p_values[~np.eye(n, dtype=bool)] == 1).all()
    assert int(result.info.n_tests.sum()) == n * (n - 1) // 2


@every_search
def test_two_nodes_that_depend_on_each_other(search):
    result = search(partial_correlation_test(np.array([[1.0, -0.5], [-0.5, 1.0]]), SAMPLES))
    assert [edge[1] for edge in result.graph.edges()] == ["---" if search is pc else "o-o"]


@every_search
@pytest.mark.parametrize("shape", [(0, 0), (2, 0, 0), (0, 3, 3)])
@pytest.mark.parametrize("caps", [None, Caps(2, 1)])
def test_nothing_to_search_is_an_empty_result(search, shape, caps):
    result = search(partial_correlation_test(np.zeros(shape), SAMPLES), caps=caps)
    assert result.graph.marks.shape == result.p_values.shape == shape
    assert result.info.truncated.shape == shape[:-2]


@every_search
@pytest.mark.parametrize("n_samples", [1, 3, 4, 5])
def test_without_degrees_of_freedom_all_is_dependent(search, n_samples):
    corr = 0.9 * np.eye(N) + 0.1
    result = search(partial_correlation_test(corr, n_samples), max_cond_size=2)
    p = np.asarray(result.p_values)[~np.eye(N, dtype=bool)]
    assert not np.isnan(p).any()
    if n_samples <= 3:
        assert result.graph.adjacency.sum() == N * (N - 1)
        assert (p == 0).all()
    else:
        assert not result.graph.adjacency.any()


@every_search
def test_sets_too_large_for_the_samples_separate_nothing(search):
    # Correlations of 0.999 are dependent given nothing at N = 5, and |S| = 2 leaves no freedom.
    corr = 0.001 * np.eye(N) + 0.999
    result = search(partial_correlation_test(corr, 5), alpha=0.9999, max_cond_size=3)
    assert result.graph.adjacency.sum() == N * (N - 1)
    assert not np.isnan(result.p_values[~np.eye(N, dtype=bool)]).any()


def copied():
    """Node 1 is a copy of node 0."""
    corr = np.array(made_for("float64", 0).corr)
    corr[1], corr[:, 1] = corr[0], corr[:, 0]
    corr[1, 1] = 1
    return corr


def deficient(dtype):
    rows = np.random.default_rng(0).normal(size=(N, 3)).astype(dtype)
    return rows @ rows.T


SINGULAR = {
    "copy": copied,
    "opposite": lambda: copied() * np.outer([-1, *[1] * (N - 1)], [-1, *[1] * (N - 1)]),
    "deficient": lambda: deficient(np.float64),
    "float32": lambda: deficient(np.float32),
    "all_equal": lambda: np.ones((N, N)),
}


@every_search
@pytest.mark.parametrize("one_sided", [False, True])
@pytest.mark.parametrize("matrix", SINGULAR)
def test_singular_matrices_are_reported_and_give_no_nan(search, matrix, one_sided):
    test = partial_correlation_test(SINGULAR[matrix](), SAMPLES, one_sided=one_sided)
    result = search(test, **OPTIONS)
    p, adjacent = np.asarray(result.p_values), np.asarray(result.graph.adjacency)
    assert bool(result.info.singular)
    assert not np.isnan(p[~np.eye(N, dtype=bool)]).any()
    assert (p[adjacent] <= ALPHA).all()
    assert (p[np.asarray(result.sepsets.found)] > ALPHA).all()
    if matrix in ("copy", "all_equal"):
        assert adjacent[0, 1]
    if matrix == "all_equal":
        assert adjacent.sum() == N * (N - 1)


@every_search
@pytest.mark.parametrize("matrix", ["copy", "opposite"])
@pytest.mark.usefixtures("engine")
def test_singular_matrices_in_a_batch_leave_the_others_alone(search, matrix):
    corr = np.array(made("float64").corr)
    corr[1] = SINGULAR[matrix]()
    result = search(partial_correlation_test(corr, SAMPLES), **OPTIONS)
    assert np.asarray(result.info.singular).tolist() == [False, True, False]
    check_same(found(search, "float64"), one_graph(result, 0))


@every_search
@pytest.mark.parametrize(
    ("r", "one_sided"),
    [
        (1.0, False),
        (1.0, True),
        (-1.0, False),
        (-1.0, True),
    ],
)
def test_the_search_agrees_with_its_test_on_perfect_correlations(search, r, one_sided):
    test = partial_correlation_test(np.array([[1, r], [r, 1]]), SAMPLES, one_sided=one_sided)
    p = float(test(0, 1, np.array([-1])).p_value)
    result = search(test)
    assert float(result.p_values[0, 1]) == p
    assert bool(result.graph.adjacency[0, 1]) == (p <= 0.01)
