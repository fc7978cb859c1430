"""Edges on directed and almost directed cycles, beside an enumeration of all simple paths."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcause import CausalGraph, InputError, LaggedGraph
from jaxcause.discovery._traced.search import _n_cyclic
from jaxcause.graph import cyclic_edges, dag_to_cpdag, dag_to_mag, edge_marks, mag_to_pag

EDGES = [
    *[(a, b) for a in (1, 2, 3) for b in (1, 2, 3)],
    *[(3, 2), (2, 3)] * 4,
    *[(2, 2), (4, 4), (0, 0)] * 2,
]


def random_marks(rng, n):
    marks = np.zeros((n, n), np.int8)
    for i, j in itertools.combinations(range(n), 2):
        marks[j, i], marks[i, j] = EDGES[rng.integers(len(EDGES))]
    return marks


def by_enumeration(marks):
    n, found = len(marks), np.zeros(marks.shape, bool)
    for size in range(3, n + 1):
        for path in itertools.permutations(range(n), size):
            steps = list(itertools.pairwise(path))
            directed = all(marks[i, j] == 2 and marks[j, i] == 3 for i, j in steps)
            if directed and marks[path[-1], path[0]] == 2:
                for i, j in [*steps, (path[-1], path[0])]:
                    found[i, j] = found[j, i] = True
    return found


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6])
def test_the_same_as_by_enumeration(n):
    rng = np.random.default_rng(n)
    batch = np.stack([random_marks(rng, n) for _ in range(60)])
    expected = np.stack([by_enumeration(marks) for marks in batch])
    assert n < 3 or 0 < expected.any(axis=(1, 2)).sum() < len(batch)
    np.testing.assert_array_equal(cyclic_edges(batch), expected)
    np.testing.assert_array_equal(cyclic_edges(batch.reshape(6, 10, n, n))[2, 3], expected[23])
    np.testing.assert_array_equal(cyclic_edges(jnp.asarray(batch[0])), expected[0])


def graph_of(*edges):
    marks = np.zeros((4, 4), np.int8)
    for edge in edges:
        i, symbol, j = edge.split()
        marks[int(j), int(i)], marks[int(i), int(j)] = edge_marks(symbol)
    return marks


@pytest.mark.parametrize(
    ("edges", "flagged"),
    [
        (("0 --> 1", "1 --> 2", "2 --> 0", "2 --> 3"), {(0, 1), (1, 2), (0, 2)}),
        (("0 --> 1", "1 --> 2", "0 <-> 2", "3 --> 0"), {(0, 1), (1, 2), (0, 2)}),
        (("0 --> 1", "1 --> 2", "2 o-> 0"), {(0, 1), (1, 2), (0, 2)}),
        (("0 --> 1", "1 --> 2", "0 o-> 2"), set()),
        (("0 --> 1", "1 --> 2", "0 x-x 2"), set()),
        (("0 --> 1", "1 --> 2", "0 --- 2"), set()),
        (("0 --> 1", "1 x-x 2", "2 --> 0"), set()),
        (("0 <-> 1", "1 <-> 2", "2 <-> 0"), set()),
    ],
)
def test_what_counts(edges, flagged):
    found = cyclic_edges(graph_of(*edges))
    assert {tuple(pair) for pair in np.argwhere(np.triu(found)).tolist()} == flagged


def test_true_graphs_have_none():
    rng = np.random.default_rng(0)
    for _ in range(30):
        order = rng.permutation(6)
        dag = np.triu(rng.random((6, 6)) < 0.4, 1)[np.ix_(order, order)]
        mag = dag_to_mag(dag, rng.permutation(6)[:4])
        for graph in (CausalGraph.from_dag(dag), dag_to_cpdag(dag), mag, mag_to_pag(mag)):
            assert not cyclic_edges(graph.marks).any()


def test_a_chain_of_thousands_is_no_work():
    marks = np.zeros((2000, 2000), np.int8)
    at = np.arange(1999)
    marks[at, at + 1], marks[at + 1, at] = 2, 3
    assert not cyclic_edges(marks).any()


def test_lag_0_of_a_lagged_graph():
    marks = np.zeros((4, 4, 2, 2), np.int8)
    marks[:, :, 0, 1] = graph_of("0 --> 1", "1 --> 2", "2 --> 0")
    marks[:, :, 0, 0] = marks[:, :, 0, 1].T
    graph = LaggedGraph(marks)
    assert cyclic_edges(graph.marks[:, :, 0, 1]).sum() == 6


@pytest.mark.usefixtures("untyped")
def test_what_cannot_be_inspected_is_refused():
    with pytest.raises(InputError, match="traced"):
        jax.jit(cyclic_edges)(np.zeros((3, 3), np.int8))
    with pytest.raises(InputError, match="one end only"):
        cyclic_edges(np.array([[0, 2], [0, 0]]))


@pytest.mark.parametrize("n", [3, 6])
def test_a_traced_search_counts_the_same_edges(n):
    rng = np.random.default_rng(n)
    marks = np.array([random_marks(rng, n) for _ in range(100)])
    expected = cyclic_edges(marks).sum(axis=(1, 2)) // 2
    assert expected.any()
    assert (np.asarray(_n_cyclic(jnp.asarray(marks))) == expected).all()
