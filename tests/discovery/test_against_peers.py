"""PC and FCI against causal-learn, which shares no code with them.

Where causal-learn (0.1.4.8) differs it is wrong, and the cases are named in `WRONG_IN_THE_PEER`.
"""

import jax
import networkx as nx
import numpy as np
import pytest
from contracts.oracle_batches import stacked_oracles

from jaxcause import Mark, fci, partial_correlation_test, pc
from jaxcause.graph import dag_to_mag, mag_to_pag
from jaxcause.simulate import random_dag

pytest.importorskip("causallearn")
from causallearn.search.ConstraintBased.FCI import fci as peer_fci
from causallearn.search.ConstraintBased.PC import pc as peer_pc
from causallearn.utils.cit import CIT
from causallearn.utils.PCUtils.SkeletonDiscovery import skeleton_discovery

SAMPLES, ALPHA = 500, 0.01
WRONG_IN_THE_PEER = {41, 74}
"""Random cases in which causal-learn sets or misses tails; arrowheads and edges agree there too.

Its R10 (`existsSemiDirectedPath`) does not look whether paths are uncovered, as a TODO there says,
and so sets tails that are not invariant (41). Its R9 (`existsUncoveredPdPath`) visits each node
once, and so misses an uncovered path behind a covered one, and what follows from it (74).
"""
FIXTURES_WRONG_IN_THE_PEER = {"oracle_05"}
"""There R9 on the uncovered path 7 o-o 2 o-> 6 --> 1 gives 7 --> 1, which causal-learn misses."""

MARK_OF_CODE = {0: Mark.NONE, -1: Mark.TAIL, 1: Mark.ARROW, 2: Mark.CIRCLE}


def marks_of(peer):
    """causal-learn's ``graph[a, b]`` is the mark at a on the edge between a and b."""
    return np.vectorize(lambda code: int(MARK_OF_CODE[code]))(peer.graph).T


def as_networkx(dag, observed):
    """The DAG with the observed variables first, as causal-learn numbers them."""
    order = np.concatenate([observed, np.setdiff1d(np.arange(len(dag)), observed)])
    return nx.from_numpy_array(dag[np.ix_(order, order)].astype(int), create_using=nx.DiGraph)


def no_data(n):
    """causal-learn wants data even where the oracle does not."""
    return np.random.default_rng(0).normal(size=(n + 1, n))


def gaussian_data(random, p, degree):
    """Samples of a linear SEM on a random DAG."""
    weights = np.triu(random.random((p, p)) < degree / (p - 1), 1) * random.uniform(0.3, 1, (p, p))
    noise = random.normal(size=(SAMPLES, p))
    return (noise @ np.linalg.inv(np.eye(p) - weights))[:, random.permutation(p)]


def check_skeletons(sizes):
    """The skeletons of DAGs of several sizes, searched at once."""
    largest = max(p for p, _ in sizes)
    corr = np.tile(np.eye(largest), (len(sizes), 1, 1))
    mask = np.array([np.arange(largest) < p for p, _ in sizes])
    data = []
    for seed, (p, degree) in enumerate(sizes):
        data.append(gaussian_data(np.random.default_rng(seed), p, degree))
        corr[seed, :p, :p] = np.corrcoef(data[-1].T)
    found = pc(partial_correlation_test(corr, SAMPLES), alpha=ALPHA, node_mask=mask).graph
    for x, adjacency in zip(data, np.asarray(found.adjacency), strict=True):
        test, p = CIT(x, "fisherz"), x.shape[1]
        peer = skeleton_discovery(x, ALPHA, test, stable=True, show_progress=False)
        np.testing.assert_array_equal(adjacency[:p, :p], peer.G.graph != 0)


def test_skeletons_on_gaussian_data():
    small = [(p, degree) for p in range(10, 32, 2) for degree in (1.5, 2.0, 3.0, 4.0)]
    check_skeletons([*small, *((p, 2.0) for p in (35, 40, 45, 50, 55, 60)), (100, 1.5)])


@pytest.mark.slow
@pytest.mark.parametrize("degree", [2.0, 3.0])
def test_larger_and_denser_skeletons(degree):
    check_skeletons([(p, degree) for p in (40, 60, 80, 100) for _ in range(3)])


def test_cpdags_under_the_oracle():
    dags = [np.asarray(random_dag(jax.random.key(s), 8, degree=1.5 + s % 3)) for s in range(15)]
    everything = np.arange(8)
    test, mask = stacked_oracles([(dag, everything, None) for dag in dags])
    found = np.asarray(pc(test, alpha=0.5, node_mask=mask).graph.marks)
    for dag, marks in zip(dags, found, strict=False):
        peer = peer_pc(
            no_data(8),
            0.5,
            "d_separation",
            true_dag=as_networkx(dag, everything),
            show_progress=False,
        )
        np.testing.assert_array_equal(marks, marks_of(peer.G))


def peer_pag(dag, observed):
    peer, _ = peer_fci(
        no_data(len(observed)),
        "d_separation",
        0.5,
        true_dag=as_networkx(dag, observed),
        show_progress=False,
    )
    return marks_of(peer)


def check_pags(cases, wrong_in_the_peer):
    test, mask = stacked_oracles([(dag, observed, None) for dag, observed in cases.values()])
    found = np.asarray(fci(test, alpha=0.5, node_mask=mask).graph.marks)
    for (name, (dag, observed)), marks in zip(cases.items(), found, strict=False):
        marks = marks[: len(observed), : len(observed)]
        peer = peer_pag(dag, observed)
        np.testing.assert_array_equal(marks != Mark.NONE, peer != Mark.NONE, err_msg=name)
        np.testing.assert_array_equal(marks == Mark.ARROW, peer == Mark.ARROW, err_msg=name)
        if name in wrong_in_the_peer:
            known = mag_to_pag(dag_to_mag(dag, observed)).marks
            np.testing.assert_array_equal(marks, known, err_msg=name)
            assert (marks != peer).any(), f"causal-learn agrees on {name} now"
        else:
            np.testing.assert_array_equal(marks, peer, err_msg=name)


def test_pags_of_the_reference_cases(fixtures):
    cases = {}
    for path in sorted(fixtures.glob("oracle_*.npz")):
        case = np.load(path)
        if len(case["observed"]) <= 8:
            cases[path.stem] = case["dag"], case["observed"]
    assert len(cases) == 19
    check_pags(cases, FIXTURES_WRONG_IN_THE_PEER)


def test_pags_of_random_dags_with_latents():
    random = np.random.default_rng(0)
    cases = {}
    for number in range(100):
        dag = np.triu(random.random((10, 10)) < random.uniform(2.0, 5.0) / 9, 1)
        cases[number] = dag, random.permutation(10)[:7]
    check_pags(cases, WRONG_IN_THE_PEER)
