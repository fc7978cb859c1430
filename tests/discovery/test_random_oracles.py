"""The searches against the PAG that follows from the graph itself, on random DAGs.

`mag_to_pag` asks for no separating set, so it shares nothing with the searches but the rules, which
it states one by one.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
from contracts.oracle_batches import SHAPE, stacked_oracles

from jaxcause import fci, icd
from jaxcause.graph import dag_to_mag, mag_to_pag

N_VARS, MOST_NODES = 12, 8
PLANTED = (None, "collider", "cycle")


class Case(NamedTuple):
    """A DAG, and which variables are nodes or decide what is sampled; the others are latent."""

    dag: np.ndarray
    nodes: np.ndarray
    selected: np.ndarray


def draw(random, n_nodes, planted):
    """A DAG of five to eight nodes; unused variables have no edge.

    Plain random graphs rarely have edges with two arrowheads or two tails in their PAG, so two
    thirds of them grow around a structure that has some.
    """
    free = random.permutation(np.arange(1, N_VARS - 2))
    nodes, unused = free[:n_nodes], free[n_nodes:MOST_NODES]
    selected = np.arange(N_VARS - random.integers(3), N_VARS)
    degree = random.uniform(2.0, 4.0)
    dag = np.zeros((N_VARS, N_VARS), bool)
    if planted == "collider":  # a → b ← 0 → c ← d, where 0 is latent, and so b ↔ c
        (a, b), (d, c) = np.sort(nodes[:2]), np.sort(nodes[2:4])
        dag[0, b] = dag[0, c] = dag[a, b] = dag[d, c] = True
        degree = random.uniform(0.5, 2.0)
    if planted == "cycle":  # a → b → c → s ← d ← a, where s is selected, and so a — b — c — d — a
        a, b, c, d = np.sort(nodes[:4])
        selected = np.arange(N_VARS - random.integers(1, 3), N_VARS)
        dag[a, b] = dag[b, c] = dag[a, d] = dag[c, N_VARS - 1] = dag[d, N_VARS - 1] = True
        degree = random.uniform(0.5, 1.5)
    later = np.triu(np.ones(dag.shape, bool), 1)
    dag |= later & (random.random(dag.shape) < degree / (N_VARS - 1))
    dag[unused] = dag[:, unused] = False
    return Case(dag, nodes, selected)


@cache
def cases():
    """Five hundred cases, each with its PAG."""
    random = np.random.default_rng(0)
    drawn = [draw(random, 5 + case % 4, PLANTED[case % 3]) for case in range(SHAPE[0])]
    return [(case, pag_of(case)) for case in drawn]


def pag_of(case):
    mag = dag_to_mag(case.dag, case.nodes, case.selected)
    pag = np.asarray(mag_to_pag(mag).marks)
    if not case.selected.size:
        assert (pag == mag_to_pag(mag, selection_bias=False).marks).all()
    return pag


@pytest.mark.parametrize("search", [fci, icd])
def test_five_hundred_random_dags(search):
    test, mask = stacked_oracles([case for case, _ in cases()])
    for selection_bias in (True, False):
        found = search(test, alpha=0.5, node_mask=mask, selection_bias=selection_bias)
        for marks, (case, pag) in zip(np.asarray(found.graph.marks), cases(), strict=True):
            n = len(case.nodes)
            assert not marks[n:].any()
            # Where nothing is selected, the rules for selection change nothing.
            if selection_bias or not case.selected.size:
                assert (marks[:n, :n] == pag).all(), case


def test_every_kind_of_edge_occurs():
    ends = {(int(pag[j, i]), int(pag[i, j])) for _, pag in cases() for i, j in np.argwhere(pag)}
    assert ends == {(a, b) for a in (1, 2, 3) for b in (1, 2, 3)}
