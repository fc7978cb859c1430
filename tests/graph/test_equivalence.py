import itertools

import jax
import networkx as nx
import numpy as np
import pytest

from jaxcause import CausalGraph, InputError, Mark
from jaxcause.graph import ancestor_matrix, dag_to_mag, edge_marks, mag_oracle_test, mag_to_pag

MARKS = np.array([edge_marks(symbol) for symbol in ("-->", "<--", "<->", "---")], np.int8)


def graph_of(*edges):
    """A graph from edges such as ``"0 --> 1"``."""
    parsed = [(int(edge[0]), edge_marks(edge[2:5]), int(edge[6])) for edge in edges]
    n = 1 + max(max(i, j) for i, _, j in parsed)
    marks = np.zeros((n, n), np.int8)
    for i, ends, j in parsed:
        marks[j, i], marks[i, j] = ends
    return CausalGraph(marks)


def ancestral(marks):
    """Which of the graphs ``[graphs, n, n]`` are ancestral."""
    arrow, tail = marks == Mark.ARROW, marks == Mark.TAIL
    reach = arrow & tail.transpose(0, 2, 1)
    for _ in range(3):
        reach = reach | (reach.astype(np.float32) @ reach.astype(np.float32) > 0)
    undirected = (tail & tail.transpose(0, 2, 1)).any(axis=1)
    return ~(arrow & (reach.transpose(0, 2, 1) | undirected[:, None, :])).any(axis=(1, 2))


def all_ancestral_graphs(n, pairs, like=None):
    """Every ancestral graph in which just these pairs are adjacent, ``[graphs, n, n]``.

    They grow edge by edge, for a part of an ancestral graph is ancestral too. Where a graph is
    given that they shall be ``like``, its unshielded colliders are theirs, and no others.
    """
    marks = np.zeros((1, n, n), np.int8)
    for i, j in pairs:
        marks = np.repeat(marks, len(MARKS), axis=0)
        marks[:, j, i], marks[:, i, j] = np.resize(MARKS, (len(marks), 2)).T
        marks = marks[ancestral(marks)]
        for b, c in ((i, j), (j, i)) if like is not None else ():
            for a in np.nonzero((like[b] > 0) & (like[c] == 0) & (np.arange(n) != c))[0]:
                collider = (like[a, b] == Mark.ARROW) & (like[c, b] == Mark.ARROW)
                here = (marks[:, a, b] == Mark.ARROW) & (marks[:, c, b] == Mark.ARROW)
                marks = marks[(here == collider) | (marks[:, a, b] == Mark.NONE)]
    return marks


def separations(marks, paths):
    """All (x, y, Z) that are m-separated, by asking of every simple path whether it is open.

    Sets are numbers whose bits are the members.
    """
    n = len(marks)
    reach = ancestor_matrix((marks == Mark.ARROW) & (marks.T == Mark.TAIL))
    descendants = [sum(1 << int(d) for d in np.nonzero(row)[0]) for row in reach]
    arrow = (marks == Mark.ARROW).tolist()
    separated = []
    for (x, y), between in paths.items():
        guards = []
        for path in between:
            closing, openers = 0, []
            for before, node, after in zip(path, path[1:], path[2:], strict=False):
                if arrow[before][node] and arrow[after][node]:
                    openers.append(descendants[node])
                else:
                    closing |= 1 << node
            guards.append((closing, openers))
        for given in range(1 << n):
            if not given & (1 << x | 1 << y):
                is_open = (not (given & c) and all(given & o for o in os) for c, os in guards)
                if not any(is_open):
                    separated.append((x, y, given))
    return tuple(separated)


def equivalence_classes(n, pairs):
    """All MAGs in which just these pairs are adjacent, grouped by what is m-separated in them."""
    skeleton = nx.Graph(pairs)
    skeleton.add_nodes_from(range(n))
    ends = list(itertools.combinations(range(n), 2))
    paths = {(x, y): list(nx.all_simple_paths(skeleton, x, y)) for x, y in ends}
    classes = {}
    for marks in all_ancestral_graphs(n, pairs):
        model = separations(marks, paths)
        if len({(x, y) for x, y, _ in model}) == len(ends) - len(pairs):
            classes.setdefault(model, []).append(marks)
    return list(classes.values())


def common_marks(members):
    """The mark that all members have; circles where they differ."""
    members = np.array(members)
    return np.where((members == members[0]).all(axis=0), members[0], np.int8(Mark.CIRCLE))


def without_undirected_edges(members):
    return [m for m in members if not ((m == Mark.TAIL) & (m.T == Mark.TAIL)).any()]


def check_class(members):
    """Each member alone must lead to what all members share."""
    expected, plain = common_marks(members), without_undirected_edges(members)
    for marks in members:
        mag = CausalGraph(marks)
        assert (np.asarray(mag_to_pag(mag).marks) == expected).all(), mag.edges()
        if plain:
            found = np.asarray(mag_to_pag(mag, selection_bias=False).marks)
            assert (found == common_marks(plain)).all(), mag.edges()
        else:
            with pytest.raises(InputError, match="only to graphs with undirected edges"):
                mag_to_pag(mag, selection_bias=False)


# Checking the annotation of each small step would take ten times as long as the steps.
@pytest.mark.usefixtures("untyped")
def test_pags_are_what_the_equivalent_mags_share_for_all_mags_of_four_nodes():
    pairs = list(itertools.combinations(range(4), 2))
    skeletons = [s for size in range(7) for s in itertools.combinations(pairs, size)]
    classes = [members for s in skeletons for members in equivalence_classes(4, s)]
    assert (len(classes), sum(map(len, classes))) == (251, 3045)
    for members in classes:
        check_class(members)


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize(
    "skeleton",
    [
        "01 02 13 24 34",  # R9 along a path of four edges
        "01 02 03 04 12 13 24",  # R2, and R4 along a path of four edges
        "01 02 03 04 12 13 24 34",  # R7, R10
        "01 02 03 04 12 15 35 45",  # that R5, R7, R9 and R10 ask which nodes are not adjacent
    ],
)
def test_pags_are_what_the_equivalent_mags_share_for_all_mags_of_a_skeleton(skeleton):
    pairs = [(int(i), int(j)) for i, j in skeleton.split()]
    classes = equivalence_classes(int(max(skeleton)) + 1, pairs)
    assert sum(map(len, classes)) > 200
    for members in classes:
        check_class(members)


@jax.jit
def answers(test, x, y, given):
    return jax.vmap(lambda *query: test(*query).p_value)(x, y, given)


def model(marks):
    """What is m-separated, as answered by the test that knows the graph."""
    n = len(marks)
    subsets = (np.arange(2 ** (n - 2))[:, None] >> np.arange(n - 2)) & 1
    x, y, given = [], [], []
    for pair in itertools.combinations(range(n), 2):
        rest = np.array([k for k in range(n) if k not in pair])
        given.append(np.where(subsets, rest, -1))
        for ends, end in zip((x, y), pair, strict=True):
            ends.append(np.full(len(subsets), end))
    queries = [np.concatenate(part).astype(np.int32) for part in (x, y, given)]
    return np.asarray(answers(mag_oracle_test(marks), *queries)) > 0.5


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize(
    ("edges", "n_members"),
    [
        # Only R8 gives 0 → 4 its tail.
        (
            "1 --> 0,0 --> 4,1 --> 3,1 --> 4,5 --> 1,2 --> 3,2 --> 4,2 --> 5,4 --> 3,5 --> 3,"
            "6 --> 3,6 --> 4,6 --> 5",
            8,
        ),
        # R10 must ask whether m and n are adjacent.
        (
            "0 --> 1,2 --> 0,0 --> 3,5 --> 0,2 --> 1,3 --> 1,5 --> 1,2 --> 5,4 --> 3,5 --> 3",
            96,
        ),
        # R10 along a path of two edges.
        (
            "1 --> 0,3 --> 0,4 --> 0,5 --> 0,6 --> 0,3 --> 1,5 --> 1,7 --> 1,6 --> 2,7 --> 2,"
            "4 --> 3,4 --> 6,6 --> 5",
            42,
        ),
    ],
    ids=["R8", "R10 adjacent", "R10 path"],
)
def test_pags_are_what_the_equivalent_mags_share_for_larger_graphs(edges, n_members):
    mag = np.asarray(graph_of(*edges.split(",")).marks)
    pairs = np.argwhere(np.triu(mag)).tolist()
    candidates = all_ancestral_graphs(len(mag), pairs, like=mag)
    members = [m for m in candidates if (model(m) == model(mag)).all()]
    assert len(members) == n_members
    check_class(members)


def test_pags_of_the_reference_cases(fixtures):
    paths = sorted(fixtures.glob("oracle_*.npz"))
    assert len(paths) == 40
    for path in paths:
        case = np.load(path)
        expected = case["pag"]
        found = mag_to_pag(dag_to_mag(case["dag"], case["observed"]))
        assert (np.asarray(found.marks) == expected).all(), path.name


def test_discriminating_paths_tell_colliders_from_others():
    # Both graphs have one skeleton and one unshielded collider: only 0 *→ 1 ↔ 2 *–* 3 tells them
    # apart, where 1 → 3.
    collider = graph_of("0 --> 1", "1 <-> 2", "2 <-> 3", "1 --> 3")
    other = graph_of("0 --> 1", "1 <-> 2", "2 --> 3", "1 --> 3")
    assert ("2", "<->", "3") in mag_to_pag(collider).edges()
    assert ("2", "-->", "3") in mag_to_pag(other).edges()


def test_a_chordless_cycle_is_undirected():
    cycle = graph_of("0 --- 1", "1 --- 2", "2 --- 3", "3 --- 0")
    assert mag_to_pag(cycle).edges() == cycle.edges()
    with pytest.raises(InputError, match="selection_bias=True"):
        mag_to_pag(cycle, selection_bias=False)


def random_problem(seed, n_observed=5, n_latent=2, n_selected=1):
    """A DAG, and which of its variables are observed and selected."""
    rng = np.random.default_rng(seed)
    n = n_observed + n_latent + n_selected
    order = rng.permutation(n)
    dag = np.triu(rng.random((n, n)) < rng.choice([0.25, 0.45]), 1)[np.ix_(order, order)]
    names = rng.permutation(n)
    return dag, names[:n_observed], names[n_observed : n_observed + n_selected]


@pytest.mark.parametrize("seed", range(20))
def test_mags_have_an_edge_for_each_inducing_path_and_marks_of_ancestors(seed):
    dag, observed, selected = random_problem(seed)
    marks = np.asarray(dag_to_mag(dag, observed, selected).marks)
    graph = nx.from_numpy_array(dag, create_using=nx.DiGraph)
    above = [nx.ancestors(graph, v) | {v} for v in range(len(dag))]
    latent = set(range(len(dag))) - set(observed.tolist()) - set(selected.tolist())
    for (i, x), (j, y) in itertools.combinations(enumerate(observed.tolist()), 2):
        special = above[x].union(above[y], *(above[s] for s in selected))
        joined = any(
            all(
                node in special if dag[before, node] and dag[after, node] else node in latent
                for before, node, after in zip(path, path[1:], path[2:], strict=False)
            )
            for path in nx.all_simple_paths(graph.to_undirected(), x, y)
        )
        assert (marks[i, j] != Mark.NONE) == joined
        for a, b, at_a in ((x, y, marks[j, i]), (y, x, marks[i, j])) if joined else ():
            is_cause = a in above[b].union(*(above[s] for s in selected))
            assert at_a == (Mark.TAIL if is_cause else Mark.ARROW)


@pytest.mark.parametrize("seed", range(5))
def test_pags_repeat_their_mag_where_they_have_no_circle(seed):
    mag = dag_to_mag(*random_problem(seed, n_observed=10, n_latent=3, n_selected=2))
    marks, known = np.asarray(mag_to_pag(mag).marks), np.asarray(mag.marks)
    assert ((marks == known) | ((marks == Mark.CIRCLE) & (known > 0))).all()
    order = np.random.default_rng(seed).permutation(10)
    relabelled = mag_to_pag(CausalGraph(known[np.ix_(order, order)])).marks
    assert (np.asarray(relabelled) == marks[np.ix_(order, order)]).all()


def test_without_latents_a_mag_is_the_dag():
    dag, _, _ = random_problem(0)
    assert (dag_to_mag(dag).marks == CausalGraph.from_dag(dag).marks).all()


def test_selected_variables_are_not_observed_unless_it_is_said_what_is():
    dag = np.zeros((3, 3), bool)
    dag[0, 2] = dag[1, 2] = True
    assert dag_to_mag(dag, selected=np.array([2])).edges() == [("0", "---", "1")]


def test_graphs_without_edges_or_nodes():
    assert mag_to_pag(CausalGraph(np.zeros((3, 3), int))).edges() == []
    empty = dag_to_mag(np.zeros((2, 2), bool), np.zeros(0, int))
    assert mag_to_pag(empty).n_nodes == 0


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (graph_of("0 o-> 1"), "mag has circles"),
        (graph_of("0 --> 1", "1 --> 2", "2 --> 0"), "mag is not ancestral"),
        (graph_of("0 --> 1", "1 --> 2", "0 <-> 2"), "0 is an ancestor of 2"),
        (graph_of("0 --- 1", "2 --> 1"), "1 has an undirected edge"),
        (graph_of("0 <-> 1", "1 <-> 2", "2 <-> 3", "1 --> 3", "2 --> 0"), "separates 0 and 3"),
        (CausalGraph(np.zeros((2, 3, 3), int)), "index one graph"),
    ],
)
def test_graphs_that_are_no_mag_are_refused(graph, message):
    with pytest.raises(InputError, match=message):
        mag_to_pag(graph)


@pytest.mark.parametrize(
    ("observed", "selected", "message"),
    [
        ([0, 3], [], "observed names variable 3"),
        ([0], [-1], "selected names variable -1"),
        ([0, 1], [1], "variable 1 twice"),
        ([0, 0], [], "variable 0 twice"),
    ],
)
def test_variables_that_do_not_fit_are_refused(observed, selected, message):
    with pytest.raises(InputError, match=message):
        dag_to_mag(np.zeros((3, 3), bool), np.array(observed, int), np.array(selected, int))


def test_a_cyclic_dag_has_no_mag():
    with pytest.raises(InputError, match="cycle"):
        dag_to_mag(np.array([[0, 1], [1, 0]], bool))
