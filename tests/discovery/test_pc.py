import itertools
from typing import NamedTuple

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxcause import (
    BackgroundKnowledge,
    CausalGraph,
    InputError,
    LaggedGraph,
    oracle_test,
    partial_correlation_test,
    partial_correlation_test_from_data,
    pc,
)
from jaxcause.graph import dag_to_cpdag
from jaxcause.simulate import linear_sem, random_dag


def dag_of(seed, n, degree=2.0):
    return np.asarray(random_dag(jax.random.key(seed), n, degree=degree))


def gaussian_test(dag, seed=0, n_samples=500):
    return partial_correlation_test_from_data(
        np.asarray(linear_sem(jax.random.key(seed), dag, n_samples=n_samples))
    )


def plain_skeleton(test, alpha):
    """Brute force: PC-stable as the paper states it, one test at a time."""
    n = test.n_nodes
    call = jax.jit(test)
    adjacent = ~np.eye(n, dtype=bool)
    for level in itertools.count():
        frozen = adjacent.copy()
        looked = False
        for i, j in itertools.combinations(range(n), 2):
            if not frozen[i, j]:
                continue
            sides = [[k for k in np.flatnonzero(frozen[a]) if k != b] for a, b in ((i, j), (j, i))]
            sets = [s for side in sides for s in itertools.combinations(side, level)]
            looked |= bool(sets)
            for s in sets:
                if float(call(np.int32(i), np.int32(j), np.array(s, np.int32)).p_value) > alpha:
                    adjacent[i, j] = adjacent[j, i] = False
                    break
        if not looked:
            return adjacent


def test_reference_cases_without_latents(fixtures):
    cases = 0
    for path in sorted(fixtures.glob("oracle_*.npz")):
        case = np.load(path)
        if "cpdag" in case:
            found = pc(oracle_test(case["dag"], case["observed"]), alpha=0.5)
            assert (found.graph.marks == case["cpdag"]).all(), path.name
            assert int(found.info.n_conflicts) == 0
            cases += 1
    assert cases == 15


@pytest.mark.parametrize("seed", range(12))
def test_oracle_gives_the_cpdag_of_random_dags(seed):
    dag = dag_of(seed, 8, degree=3)
    assert (pc(oracle_test(dag), alpha=0.5).graph.marks == dag_to_cpdag(dag).marks).all()


@pytest.mark.parametrize("seed", range(3))
def test_skeleton_on_data_equals_brute_force(seed):
    test = gaussian_test(dag_of(seed, 8, degree=3), seed)
    found = pc(test, alpha=0.05)
    assert (np.asarray(found.graph.adjacency) == plain_skeleton(test, 0.05)).all()


def test_sepsets_separate_and_edges_do_not():
    test = gaussian_test(dag_of(1, 9, degree=3))
    found = pc(test, alpha=0.01)
    for i, j in itertools.combinations(range(9), 2):
        members = found.sepsets.get(i, j)
        assert (members is None) == bool(found.graph.adjacency[i, j])
        p = float(found.p_values[i, j])
        if members is not None:
            cond = np.array(sorted(members), np.int32)
            assert float(test(i, j, cond).p_value) == pytest.approx(p, rel=1e-5)
            assert p > 0.01
        else:
            assert p <= 0.01


@settings(max_examples=10, deadline=None)
@given(st.permutations(range(6)))
def test_relabelling_the_nodes_relabels_the_graph(order):
    dag = dag_of(3, 6, degree=2.5)
    found = pc(oracle_test(dag), alpha=0.5).graph.marks
    order = np.array(order)
    relabelled = pc(oracle_test(dag[np.ix_(order, order)]), alpha=0.5).graph.marks
    assert (relabelled == found[np.ix_(order, order)]).all()


def test_a_batch_equals_its_graphs_one_by_one(engine):
    tests = [gaussian_test(dag_of(s, 6), s) for s in range(3)]
    corr = np.stack([t.corr for t in tests])
    together = pc(partial_correlation_test(corr, 500), alpha=0.05)
    assert together.graph.marks.shape == (3, 6, 6)
    for g, test in enumerate(tests):
        alone = pc(test, alpha=0.05)
        assert (together.graph.marks[g] == alone.graph.marks).all()
        assert (together.sepsets.found[g] == alone.sepsets.found).all()
        assert together.info.n_tests[g].sum() == alone.info.n_tests.sum()


def test_masked_nodes_stay_alone_and_change_nothing():
    test = gaussian_test(dag_of(4, 6, degree=3))
    padded = np.eye(8)
    padded[:6, :6] = test.corr
    mask = np.arange(8) < 6
    found = pc(partial_correlation_test(padded, 500), alpha=0.05, node_mask=mask)
    assert (found.graph.marks[:6, :6] == pc(test, alpha=0.05).graph.marks).all()
    assert not found.graph.adjacency[6:].any()


def test_max_cond_size_stops_and_says_so():
    test = oracle_test(dag_of(2, 7, degree=4))
    capped = pc(test, alpha=0.5, max_cond_size=1)
    assert bool(capped.info.truncated)
    assert len(capped.info.n_tests) == 2
    assert not bool(pc(test, alpha=0.5).info.truncated)


@pytest.mark.parametrize("n", [1, 2])
def test_the_smallest_graphs(n):
    found = pc(partial_correlation_test(np.eye(n), 100))
    assert found.graph.marks.shape == (n, n)
    assert not found.graph.adjacency.any()


def test_too_few_samples_keep_every_edge():
    found = pc(partial_correlation_test(np.eye(4), 3))
    assert int(found.graph.adjacency.sum()) == 12


def test_float32_gives_the_same_graph():
    test = gaussian_test(dag_of(5, 8, degree=3))
    single = partial_correlation_test(test.corr.astype(np.float32), 500)
    assert single.corr.dtype == np.float32
    assert (pc(single).graph.marks == pc(test).graph.marks).all()


def test_tiers_orient_and_keep_the_future_out_of_the_conditions():
    # 0 → 1 → 2 is undirected for the oracle; tiers direct it.
    dag = np.zeros((3, 3), bool)
    dag[0, 1] = dag[1, 2] = True
    knowledge = BackgroundKnowledge(tiers=np.array([0, 1, 2]))
    found = pc(oracle_test(dag), alpha=0.5, knowledge=knowledge)
    assert found.graph.edges() == [("0", "-->", "1"), ("1", "-->", "2")]
    tested = []
    pc(
        _Recording(oracle_test(dag), jax.tree_util.Partial(tested.append)),
        alpha=0.5,
        knowledge=knowledge,
    )
    jax.effects_barrier()
    assert (0, 1, 2) not in tested
    assert (0, 2, 1) in tested


class _Recording(NamedTuple):
    """A user's own test: a pytree with a callable inside."""

    test: object
    see: object

    n_nodes = 3

    def __call__(self, x, y, cond):
        if cond.shape[0] == 1:
            jax.debug.callback(lambda *q: self.see(tuple(int(v) for v in q)), x, y, cond[0])
        return self.test(x, y, cond)


def test_required_and_forbidden_edges():
    dag = np.zeros((3, 3), bool)
    dag[0, 1] = dag[1, 2] = True
    required = np.zeros((3, 3), bool)
    required[2, 0] = True
    found = pc(oracle_test(dag), alpha=0.5, knowledge=BackgroundKnowledge(required=required))
    assert ("2", "-->", "0") in found.graph.edges()
    forbidden = np.zeros((3, 3), bool)
    forbidden[0, 1] = forbidden[1, 0] = True
    found = pc(oracle_test(dag), alpha=0.5, knowledge=BackgroundKnowledge(forbidden=forbidden))
    assert not found.graph.adjacency[0, 1]
    forbidden[1, 0] = False
    found = pc(oracle_test(dag), alpha=0.5, knowledge=BackgroundKnowledge(forbidden=forbidden))
    assert found.graph.edges() == [("1", "-->", "0"), ("1", "---", "2")]


def test_meek_rule_4_needs_knowledge():
    # Meek (1995), figure 1(d): a — b, a — c, a — d, c → d → b, c and b not adjacent: then a → b.
    a, b, c, d = range(4)
    dag = np.zeros((4, 4), bool)
    for i, j in ((a, b), (c, a), (a, d), (c, d), (d, b)):
        dag[i, j] = True
    required = np.zeros((4, 4), bool)
    required[c, d] = required[d, b] = True
    found = pc(oracle_test(dag), alpha=0.5, knowledge=BackgroundKnowledge(required=required))
    assert bool(found.graph.directed[a, b])


def test_contradicting_colliders_are_marked_and_counted():
    # 0 — 1 — 2 and 1 — 2 — 3, both "colliders": the edge 1 — 2 is oriented both ways.
    found = pc(_PathOfFour(np.zeros(1)), alpha=0.5)
    assert int(found.info.n_conflicts) == 1
    assert ("1", "x-x", "2") in found.graph.edges()


class _PathOfFour(NamedTuple):
    unused: np.ndarray

    n_nodes = 4

    def __call__(self, x, y, cond):
        from jaxcause._typing import CIResult

        non_adjacent = (abs(x - y) > 1).astype("float32")
        return CIResult(non_adjacent, non_adjacent)


def unrolled_oracle(mask, n_past):
    """A long stationary DAG; the nodes of the search are its newest slices."""
    n_vars, _, n_lags = mask.shape
    n = n_vars * n_past
    dag = np.zeros((n, n), bool)
    for i, j, lag in np.argwhere(mask):
        for shift in range(n_past - lag):
            dag[(lag + shift) * n_vars + i, shift * n_vars + j] = True
    return oracle_test(dag, np.arange(n_vars * n_lags))


@pytest.mark.parametrize("seed", range(3))
def test_a_series_is_the_same_core_with_temporal_knowledge(seed):
    n_vars, max_lag = 3, 2
    mask = np.random.default_rng(seed).random((n_vars, n_vars, max_lag + 1)) < 0.25
    mask[:, :, 0] = False
    knowledge = BackgroundKnowledge.temporal(n_vars, max_lag)
    found = pc(unrolled_oracle(mask, 3 * (max_lag + 1)), alpha=0.5, knowledge=knowledge)
    assert (LaggedGraph.from_unrolled(found.graph, n_vars=n_vars).directed == mask).all()
    # Stationarity repeats every edge along the window.
    marks = np.asarray(found.graph.marks)
    assert (marks == knowledge.repeat(marks)).all()


def test_contemporaneous_edges_are_found_and_oriented_by_the_past():
    # X0(t-1) → X0(t) → X1(t): the past of X0 directs the contemporaneous edge.
    n_vars, max_lag, n_past = 2, 1, 6
    dag = np.zeros((12, 12), bool)
    for slice_ in range(n_past):
        dag[slice_ * 2, slice_ * 2 + 1] = True
        if slice_:
            dag[slice_ * 2, (slice_ - 1) * 2] = True
    test = oracle_test(dag, np.arange(4))
    knowledge = BackgroundKnowledge.temporal(n_vars, max_lag, contemporaneous=True)
    graph = LaggedGraph.from_unrolled(pc(test, alpha=0.5, knowledge=knowledge).graph, n_vars=2)
    assert sorted(graph.edges()) == [("X0", 0, "-->", "X1"), ("X0", 1, "-->", "X0")]


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"alpha": 0.0}, "alpha=0"),
        ({"alpha": 1.5}, "alpha=1.5"),
        ({"max_cond_size": -1}, "max_cond_size=-1"),
        ({"knowledge": BackgroundKnowledge(tiers=np.zeros(4, int))}, "about 4 nodes"),
        ({"node_mask": np.ones(2, bool)}, "node_mask has shape"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        pc(partial_correlation_test(np.eye(3), 100), **arguments)


def test_results_are_pytrees():
    found = pc(partial_correlation_test(np.eye(3), 100))
    doubled = jax.tree.map(lambda leaf: np.stack([leaf, leaf]), found)
    assert isinstance(doubled.graph, CausalGraph)
    assert doubled.graph.marks.shape == (2, 3, 3)
