import itertools

import jax
import networkx as nx
import numpy as np
import pytest

from jaxcause import InputError, oracle_test
from jaxcause.graph import ancestor_matrix, dag_to_cpdag


def random_dag(n, chance, seed):
    rng = np.random.default_rng(seed)
    order = rng.permutation(n)
    return np.triu(rng.random((n, n)) < chance, 1)[np.ix_(order, order)]


def separated_by_paths(dag, x, y, given):
    """Brute force: walk every simple path, and ask of each whether it is open."""
    n = len(dag)
    skeleton = nx.from_numpy_array(dag | dag.T)
    reach = ancestor_matrix(dag)
    for path in nx.all_simple_paths(skeleton, x, y):
        inner = range(1, len(path) - 1)
        is_open = True
        for k in inner:
            collider = dag[path[k - 1], path[k]] and dag[path[k + 1], path[k]]
            opened = any(reach[path[k], z] for z in given) if collider else path[k] not in given
            is_open &= opened
        if is_open:
            return False
    return n > 0


@pytest.mark.parametrize("seed", range(4))
def test_oracle_agrees_with_networkx_and_with_all_paths(seed):
    n = 6
    dag = random_dag(n, 0.4, seed)
    graph = nx.from_numpy_array(dag, create_using=nx.DiGraph)
    test = jax.jit(oracle_test(dag))
    queries = []
    for x, y in itertools.combinations(range(n), 2):
        rest = [k for k in range(n) if k not in (x, y)]
        queries += [(x, y, z) for size in range(4) for z in itertools.combinations(rest, size)]
    conditions = np.full((len(queries), 3), -1, np.int32)
    for row, (_, _, given) in enumerate(queries):
        conditions[row, : len(given)] = given
    xs, ys = (np.array([q[k] for q in queries], np.int32) for k in (0, 1))
    answers = np.asarray(jax.vmap(test)(xs, ys, conditions).p_value) > 0.5
    for (x, y, given), answer in zip(queries, answers, strict=True):
        assert answer == nx.is_d_separator(graph, {x}, {y}, set(given))
        assert answer == separated_by_paths(dag, x, y, given)


def test_latent_variables_are_left_out_of_the_nodes():
    # 1 ← 0 → 2 with 0 unobserved: the two others depend, whatever is given.
    dag = np.zeros((3, 3), bool)
    dag[0, 1:] = True
    test = oracle_test(dag, np.array([1, 2]))
    assert test.n_nodes == 2
    assert float(test(0, 1, np.array([-1])).p_value) == 0.0


def test_a_cycle_is_refused():
    with pytest.raises(InputError, match="cycle"):
        oracle_test(np.array([[0, 1], [1, 0]], bool))


def test_cpdags_of_the_reference_cases(fixtures):
    cases = 0
    for path in sorted(fixtures.glob("oracle_*.npz")):
        case = np.load(path)
        if "cpdag" in case:
            assert (dag_to_cpdag(case["dag"]).marks == case["cpdag"]).all(), path.name
            cases += 1
    assert cases == 15
