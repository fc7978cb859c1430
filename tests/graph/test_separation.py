import itertools

import jax
import networkx as nx
import numpy as np
import pytest

from jaxcause import InputError, Mark, oracle_test
from jaxcause._typing import CITest
from jaxcause.graph import ancestor_matrix, dag_to_cpdag, dag_to_mag, mag_oracle_test


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


def all_queries(n):
    """Every pair with every set of the others: x, y, and the sets padded with -1."""
    x, y, given = [], [], []
    for pair in itertools.combinations(range(n), 2):
        rest = [k for k in range(n) if k not in pair]
        for members in itertools.product((False, True), repeat=n - 2):
            given.append([k if is_in else -1 for k, is_in in zip(rest, members, strict=True)])
            x.append(pair[0])
            y.append(pair[1])
    return tuple(np.array(part, np.int32) for part in (x, y, given))


@jax.jit
def separated(test, x, y, given):
    return jax.vmap(lambda *query: test(*query).p_value)(x, y, given)


def random_ancestral_graph(n, seed):
    """Undirected edges among the first nodes, and below them arrows and what they allow."""
    rng = np.random.default_rng(seed)
    n_undirected = rng.integers(0, n)
    order = np.argsort(rng.permutation(n))
    kinds = np.triu(rng.choice(3, (n, n), p=[0.5, 0.3, 0.2]), 1)
    undirected = (kinds > 0) & (np.arange(n) < n_undirected)
    directed = (kinds == 1) & (np.arange(n) >= n_undirected)
    reach = ancestor_matrix(directed)
    free = np.arange(n)[:, None] >= n_undirected
    bidirected = (kinds == 2) & (np.arange(n) >= n_undirected) & free & ~reach
    arrow = directed | bidirected | bidirected.T
    tail = directed.T | undirected | undirected.T
    marks = arrow * np.int8(Mark.ARROW) + tail * np.int8(Mark.TAIL)
    return marks[np.ix_(order, order)]


def m_separated_by_paths(marks, x, y, given):
    """Brute force: walk every simple path, and ask of each whether it is open."""
    arrow = marks == Mark.ARROW
    reach = ancestor_matrix(arrow & (marks.T == Mark.TAIL))
    for path in nx.all_simple_paths(nx.from_numpy_array(marks > 0), x, y):
        is_open = True
        for before, node, after in zip(path, path[1:], path[2:], strict=False):
            collider = arrow[before, node] and arrow[after, node]
            is_open &= any(reach[node, z] for z in given) if collider else node not in given
        if is_open:
            return False
    return True


@pytest.mark.parametrize("seed", range(12))
def test_mag_oracle_agrees_with_all_paths(seed):
    marks = random_ancestral_graph(5, seed)
    queries = all_queries(5)
    answers = np.asarray(separated(mag_oracle_test(marks), *queries))
    for x, y, given, answer in zip(*queries, answers, strict=True):
        assert answer == m_separated_by_paths(marks, x, y, set(given.tolist()) - {-1})


@pytest.mark.parametrize("n_selected", [0, 1, 2])
def test_a_mag_has_the_independences_of_its_dag(n_selected):
    n, n_observed = 9, 5
    queries = all_queries(n_observed)
    for seed in range(12):
        dag = random_dag(n, 0.35, seed)
        names = np.random.default_rng(seed).permutation(n)
        observed, selected = names[:n_observed], names[n_observed : n_observed + n_selected]
        marks = np.asarray(dag_to_mag(dag, observed, selected).marks)
        answers = np.asarray(separated(oracle_test(dag, observed, selected), *queries))
        assert (answers == np.asarray(separated(mag_oracle_test(marks), *queries))).all()
        ever = np.zeros(marks.shape, bool)
        np.logical_or.at(ever, queries[:2], answers > 0.5)
        assert (ever == np.triu(marks == Mark.NONE, 1)).all()
        graph = nx.from_numpy_array(dag, create_using=nx.DiGraph)
        for x, y, given, answer in list(zip(*queries, answers, strict=True))[::5]:
            conditions = {int(observed[k]) for k in given if k >= 0} | set(selected.tolist())
            assert answer == nx.is_d_separator(graph, {observed[x]}, {observed[y]}, conditions)


def test_mag_oracle_is_a_test_and_ignores_the_order_of_the_set():
    test = mag_oracle_test(random_ancestral_graph(6, 3))
    assert isinstance(test, CITest)
    assert test.n_nodes == 6
    for x, y, given in [(0, 1, [2, 3, -1]), (4, 2, [-1, 0, 5]), (5, 3, [1, -1, -1])]:
        orders = np.array(list(itertools.permutations(given)), np.int32)
        ends = (np.full(len(orders), end, np.int32) for end in (x, y))
        answers = np.asarray(separated(test, *ends, orders))
        alone = test(x, y, np.array(given, np.int32))
        assert (answers == float(alone.p_value)).all()
        assert float(alone.statistic) == 1 - float(alone.p_value)


def test_a_selection_variable_is_always_given():
    # 0 → 2 ← 1: selection by 2 makes its causes depend, though 2 is no node.
    collider = np.array([[0, 0, 1], [0, 0, 1], [0, 0, 0]], bool)
    test = oracle_test(collider, selected=np.array([2]))
    assert test.n_nodes == 2
    assert float(test(0, 1, np.array([-1])).p_value) == 0.0
    assert float(oracle_test(collider)(0, 1, np.array([-1])).p_value) == 1.0


@pytest.mark.parametrize(
    ("marks", "message"),
    [
        ([[0, 1], [2, 0]], "marks has circles"),
        ([[0, 4], [4, 0]], "marks has conflicts"),
        ([[0, 2, 2], [3, 0, 2], [2, 3, 0]], "marks is not ancestral"),
        ([[0, 2], [0, 0]], "one end only"),
    ],
)
def test_graphs_that_are_not_ancestral_are_refused(marks, message):
    with pytest.raises(InputError, match=message):
        mag_oracle_test(np.array(marks))


def test_variables_that_do_not_fit_are_refused():
    dag = np.zeros((3, 3), bool)
    with pytest.raises(InputError, match="observed names variable 3, but dag has 0 … 2"):
        oracle_test(dag, np.array([0, 3]))
    with pytest.raises(InputError, match="variable 1 twice"):
        oracle_test(dag, np.array([0, 1]), np.array([1]))


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
