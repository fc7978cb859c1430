"""Small work in numpy and the compiled programs are one search: same graphs, same p-values."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxcause import BackgroundKnowledge, _small_work, fci, icd, partial_correlation_test, pc
from jaxcause.discovery._host import edge_lists
from jaxcause.discovery._host.cpdag import orient_by_edges
from jaxcause.discovery._orientation import pag
from jaxcause.discovery._orientation.against_knowledge import colliders_against
from jaxcause.discovery._orientation.cpdag import orient_cpdag
from jaxcause.discovery.fci import _possible_d_sep
from jaxcause.graph import Mark, SepSets, oracle_test
from jaxcause.stats._partial_correlation import partial_correlation

NODES = 7


def in_both(call):
    """What a call returns with all small work in numpy, and with all of it compiled."""
    found = []
    before = _small_work.PATIENCE, _small_work._spent
    try:
        for patience in (float("inf"), 0.0):
            _small_work.PATIENCE, _small_work._spent = patience, {}
            found.append(call())
    finally:
        _small_work.PATIENCE, _small_work._spent = before
    return found


def assert_same(first, second):
    for name in ("graph", "sepsets", "info"):
        for a, b in zip(
            jax.tree.leaves(getattr(first, name)),
            jax.tree.leaves(getattr(second, name)),
            strict=True,
        ):
            np.testing.assert_array_equal(a, b, err_msg=name)
    np.testing.assert_allclose(first.p_values, second.p_values, rtol=1e-9, atol=1e-300)


def problem(seed):
    """Correlations of some graphs, knowledge of any kind, and nodes that are left out."""
    rng = np.random.default_rng(seed)
    n_graphs = int(rng.choice([0, 1, 3]))
    shape = (n_graphs,) if n_graphs else ()
    mixing = rng.normal(size=(*shape, NODES, 3)) @ rng.normal(size=(3, 200))
    x = mixing + rng.choice([0.3, 1.0]) * rng.normal(size=mixing.shape)
    if rng.random() < 0.3:
        x[..., 1, :] = x[..., 0, :]  # a copy
    unit = x / np.linalg.norm(x, axis=-1, keepdims=True)
    corr = unit @ np.swapaxes(unit, -1, -2)
    double = rng.random() < 0.6
    knowledge = None
    if rng.random() < 0.5:
        pairs = np.triu(rng.random((NODES, NODES)) < 0.1, 1)
        knowledge = BackgroundKnowledge(
            tiers=rng.integers(0, 3, NODES) * int(rng.random() < 0.5),
            forbidden=pairs | (pairs.T & (rng.random((NODES, NODES)) < 0.5)),
        )
    mask = rng.random((*shape, NODES)) < 0.85
    test = partial_correlation_test(
        corr.astype(np.float64 if double else np.float32), 200, one_sided=double and seed % 2 == 0
    )
    sepset = str(rng.choice(["max_p", "first"]))
    return test, {"knowledge": knowledge, "node_mask": mask, "sepset": sepset, "alpha": 0.05}


SEEDS = st.integers(0, 2**32 - 1)


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.sampled_from(["sepset", "conservative", "majority"]))
def test_pc_is_the_same_search_in_both_engines(seed, colliders):
    test, options = problem(seed)
    assert_same(*in_both(lambda: pc(test, colliders=colliders, **options)))


@pytest.mark.parametrize("search", [fci, icd])
@settings(max_examples=15, deadline=None)
@given(seed=SEEDS)
def test_searches_with_hidden_causes_are_the_same_in_both_engines(search, seed):
    test, options = problem(seed)
    assert_same(*in_both(lambda: search(test, max_cond_size=2, **options)))


def skeletons(seed, n_graphs, n, degree):
    """Random skeletons, and separating sets for most pairs without an edge."""
    rng = np.random.default_rng(seed)
    upper = np.triu(rng.random((n_graphs, n, n)) < degree / (n - 1), 1)
    found = np.triu(~upper & (rng.random(upper.shape) < 0.9), 1)
    sets = np.where(rng.random((*upper.shape, 2)) < 0.4, rng.integers(0, n, (*upper.shape, 2)), -1)
    sets = np.where(found[..., None], sets, -1).astype(np.int32)
    nodes = np.maximum(sets, np.swapaxes(np.where(found[..., None], sets, -1), 1, 2))
    adjacency = upper | np.swapaxes(upper, 1, 2)
    return adjacency, SepSets(nodes, found | np.swapaxes(found, 1, 2))


RULES = {
    "R0-R4": (pag.orient_r0_to_r4, {}),
    "all rules": (pag.orient_pag, {"selection_bias": True, "with_knowledge": False}),
    "rules with knowledge": (pag.complete, {"selection_bias": False, "with_knowledge": True}),
    "possible-d-sep": (_possible_d_sep, {}),
}


@pytest.mark.parametrize("name", RULES)
def test_rules_are_the_same_bit_for_bit(name):
    rules, options = RULES[name]
    for seed in range(20):
        adjacency, sepsets = skeletons(seed, 6, 8, 2 + seed % 3)
        first = adjacency.astype(np.int8)
        on_host = rules.formula(first, sepsets, **options)
        compiled = rules.compiled(jnp.asarray(first), jax.tree.map(jnp.asarray, sepsets), **options)
        assert on_host.dtype == compiled.dtype
        np.testing.assert_array_equal(on_host, compiled)


@pytest.mark.parametrize("at_a_time", [5, edge_lists.TRIPLES_PER_BLOCK])
def test_lists_of_edges_give_the_marks_of_the_traced_rules(at_a_time, monkeypatch):
    monkeypatch.setattr(edge_lists, "TRIPLES_PER_BLOCK", at_a_time)
    traced = jax.jit(orient_cpdag, static_argnames="width")
    against = jax.jit(colliders_against, static_argnames="width")
    rng, n, seen = np.random.default_rng(0), 9, set()
    for seed in range(60):
        adjacency, sepsets = skeletons(seed, 4, n, 1 + seed % 8)
        forbidden = rng.random((n, n)) < 0.2
        for cannot_cause in (None, forbidden):
            found = orient_by_edges(adjacency, sepsets, cannot_cause=cannot_cause)
            expected = traced(adjacency, sepsets, cannot_cause=cannot_cause, width=n)
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found, expected)
            seen |= set(np.unique(found).tolist())
        np.testing.assert_array_equal(
            edge_lists.count_colliders_against(adjacency, sepsets, forbidden),
            against(adjacency, sepsets, no_arrowhead=forbidden, width=n).sum(axis=(1, 2)),
        )
    assert seen == {Mark.NONE, Mark.ARROW, Mark.TAIL, Mark.CONFLICT}


def test_many_rows_are_the_single_tests():
    rng = np.random.default_rng(0)
    dag = np.triu(rng.random((8, 8)) < 0.3, 1)
    x = rng.normal(size=(100, 8))
    x[:, 3] = x[:, 1] + x[:, 2]
    corr = np.corrcoef(x.T)
    ends = np.array([rng.permutation(8)[:2] for _ in range(60)])
    cond = np.array([[v if v not in pair else -1 for v in rng.integers(-1, 8, 3)] for pair in ends])
    for test in (oracle_test(dag, np.arange(8)), partial_correlation_test(corr, 100)):
        assert test.takes_rows
        rows = test(ends[:, 0], ends[:, 1], cond)
        for k, (pair, given_nodes) in enumerate(zip(ends, cond, strict=True)):
            one = test(*(jnp.int32(node) for node in pair), jnp.asarray(given_nodes, jnp.int32))
            assert float(rows.p_value[k]) == pytest.approx(float(one.p_value), rel=1e-9)
    with jax.enable_x64(True):
        single = jax.vmap(lambda a, b, c: partial_correlation(jnp.asarray(corr), a, b, c))(
            *map(jnp.asarray, (ends[:, 0], ends[:, 1], cond))
        )
    np.testing.assert_allclose(
        partial_correlation(corr, ends[:, 0], ends[:, 1], cond), single, atol=1e-12
    )


def test_work_that_adds_up_is_compiled():
    seconds, price = 0.3, 1.0
    answers = [_small_work.pays_to_compile(test_work_that_adds_up_is_compiled, seconds, price)]
    answers += [
        _small_work.pays_to_compile(test_work_that_adds_up_is_compiled, seconds, price)
        for _ in range(4)
    ]
    assert answers == [False, False, False, True, True]
    with _small_work.compiling_at_once():
        assert _small_work.pays_to_compile("never seen before", 1e-9, 1e9)
    assert _small_work.PATIENCE == 1.0
