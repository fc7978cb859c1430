import jax
import numpy as np
import pytest

from jaxcause import BackgroundKnowledge, Mark, fci, oracle_test
from jaxcause.graph import ancestor_matrix
from jaxcause.simulate import random_dag


def check_case(path):
    case = np.load(path)
    expected = case["pag"]
    found = fci(oracle_test(case["dag"], case["observed"]), alpha=0.5)
    assert (np.asarray(found.graph.marks) == expected).all(), path.name


def test_small_reference_cases(fixtures):
    paths = [p for p in sorted(fixtures.glob("oracle_*.npz")) if len(np.load(p)["observed"]) <= 7]
    assert len(paths) >= 8
    for path in paths:
        check_case(path)


@pytest.mark.slow
def test_all_reference_cases(fixtures):
    paths = sorted(fixtures.glob("oracle_*.npz"))
    assert len(paths) == 40
    for path in paths:
        check_case(path)


@pytest.mark.parametrize("seed", range(4))
def test_marks_are_true_of_the_dag_behind(seed):
    n_all, n = 8, 6
    dag = np.asarray(random_dag(jax.random.key(seed), n_all, degree=2.5))
    marks = np.asarray(fci(oracle_test(dag, np.arange(n)), alpha=0.5).graph.marks)
    ancestor = ancestor_matrix(dag)
    for i, j in zip(*np.nonzero(marks), strict=True):
        if marks[i, j] == Mark.ARROW:
            assert not ancestor[j, i]
        if marks[i, j] == Mark.TAIL:
            assert ancestor[j, i]


def test_without_latents_or_selection_adjacencies_are_those_of_the_dag():
    dag = np.asarray(random_dag(jax.random.key(3), 6, degree=2.5))
    found = fci(oracle_test(dag), alpha=0.5, selection_bias=False)
    assert (np.asarray(found.graph.adjacency) == (dag | dag.T)).all()


def test_selection_bias_makes_the_edges_of_a_chordless_cycle_undirected():
    # A cycle of four without chords and without colliders comes from no DAG but from selection.
    test = _CycleOfFour(np.zeros(1, np.float32))
    selected = fci(test, alpha=0.5)
    assert [edge[1] for edge in selected.graph.edges()] == ["---"] * 4
    plain = fci(test, alpha=0.5, selection_bias=False)
    assert [edge[1] for edge in plain.graph.edges()] == ["o-o"] * 4


class _CycleOfFour(tuple):
    """0 — 1 — 2 — 3 — 0, where opposite nodes are separated by the two others."""

    n_nodes = 4

    def __new__(cls, unused):
        return super().__new__(cls, (unused,))

    def __call__(self, x, y, cond):
        from jaxcause._typing import CIResult

        opposite = (abs(x - y) == 2) & ((cond >= 0).sum() == 2)
        p_value = opposite.astype("float32")
        return CIResult(p_value, p_value)


jax.tree_util.register_pytree_node(
    _CycleOfFour, lambda test: (tuple(test), None), lambda _, leaves: _CycleOfFour(*leaves)
)


def test_tiers_put_arrowheads_at_what_comes_later():
    dag = np.zeros((3, 3), bool)
    dag[0, 1] = dag[1, 2] = True
    knowledge = BackgroundKnowledge(tiers=np.array([0, 1, 2]))
    found = fci(oracle_test(dag), alpha=0.5, knowledge=knowledge)
    assert found.graph.edges() == [("0", "o->", "1"), ("1", "-->", "2")]
