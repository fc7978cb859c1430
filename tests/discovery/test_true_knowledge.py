"""Whatever is known and true leaves every search sound; what is false is counted."""

import numpy as np
import pytest
from discovery.true_knowledge import (
    ancestors_of,
    ancestral_graphs,
    dags_that_fit,
    random_system,
    table_test,
    true_knowledge,
)

from jaxcause import BackgroundKnowledge, Caps, InputError, fci, icd, oracle_test, pc
from jaxcause.graph import Mark, mag_oracle_test

CAPS = Caps(max_degree=6, max_cond_size=4)
"""No bound for the systems of this file, of up to six variables."""

FEW = Caps(max_degree=3, max_cond_size=2)
"""No bound for four variables; the program is compiled in half the time."""

FEWEST = Caps(max_degree=2, max_cond_size=1)
"""No bound for three variables."""


def case_of(seed):
    rng = np.random.default_rng(seed)
    system = random_system(rng, latents=seed % 3 == 0)
    return system, true_knowledge(rng, system), table_test(system)


def check_pag(found, system):
    marks = np.asarray(found.graph.marks)
    assert ((marks != Mark.NONE) == (system.mag != Mark.NONE)).all()
    decided = marks > Mark.CIRCLE
    assert (marks == system.mag)[decided].all()
    assert int(found.info.n_conflicts) == 0


def check_cpdag(found, system, knowledge):
    marks = np.asarray(found.graph.marks)
    assert ((marks != Mark.NONE) == (system.mag != Mark.NONE)).all()
    # All fitting DAGs share an arrow iff the result holds it: nothing false, and nothing missing.
    shared = np.all(list(dags_that_fit(system, knowledge)), axis=0)
    assert (np.asarray(found.graph.directed) == shared).all()
    assert int(found.info.n_conflicts) == 0


def check(seeds, caps=None):
    for seed in seeds:
        system, knowledge, test = case_of(seed)
        for search in (fci, icd):
            check_pag(search(test, alpha=0.5, knowledge=knowledge, caps=caps), system)
        if system.is_dag:
            found = pc(test, alpha=0.5, knowledge=knowledge, caps=caps)
            check_cpdag(found, system, knowledge)


def test_true_knowledge_of_all_kinds_leaves_every_search_sound_and_pc_complete():
    check(range(150))


@pytest.mark.slow
def test_true_knowledge_leaves_2000_searches_sound():
    check(range(2000))


@pytest.mark.slow
def test_true_knowledge_leaves_2000_searches_with_caps_sound():
    check(range(2000), CAPS)


def test_with_caps_the_answers_are_those_of_the_search_on_the_host():
    cases = map(case_of, range(40))
    system, knowledge, test = next(case for case in cases if case[0].n == 4 and case[0].is_dag)
    for search in (pc, fci, icd):
        free = search(test, alpha=0.5, knowledge=knowledge)
        capped = search(test, alpha=0.5, knowledge=knowledge, caps=FEW)
        assert (np.asarray(free.graph.marks) == np.asarray(capped.graph.marks)).all()
        assert int(capped.info.n_conflicts) == 0


def test_a_pair_that_knowledge_keeps_apart_orients_nothing_by_itself():
    # 0 → 1 ← 2: that no edge joins 0 and 2 does not make 1 a non-collider.
    dag = np.zeros((3, 3), bool)
    dag[0, 1] = dag[2, 1] = True
    knowledge = BackgroundKnowledge.named(3, required=[(0, 1)], forbidden=[(0, 2), (2, 0)])
    for caps in (None, FEWEST):
        found = pc(oracle_test(dag), alpha=0.5, knowledge=knowledge, caps=caps)
        assert (np.asarray(found.graph.directed) == dag).all()


@pytest.mark.parametrize("search", [fci, icd])
@pytest.mark.parametrize("caps", [None, FEW])
def test_an_edge_forbidden_one_way_has_an_arrowhead_at_its_source(search, caps):
    dag = np.zeros((4, 4), bool)
    dag[0, 2] = dag[1, 2] = dag[2, 3] = True
    knowledge = BackgroundKnowledge.named(4, forbidden=[(2, 3)])
    found = search(oracle_test(dag), alpha=0.5, knowledge=knowledge, caps=caps)
    assert int(found.graph.marks[3, 2]) == Mark.ARROW


@pytest.mark.parametrize("search", [fci, icd])
@pytest.mark.parametrize("caps", [None, FEWEST])
def test_tiers_and_an_edge_forbidden_one_way_leave_a_hidden_cause(search, caps):
    # 0 <-> 1: neither causes the other, which either statement alone says of one direction.
    dag = np.zeros((3, 3), bool)
    dag[2, 0] = dag[2, 1] = True
    known = {"tiers": np.array([0, 1]), "forbidden": np.array([[0, 1], [0, 0]], bool)}
    test, knowledge = oracle_test(dag, np.arange(2, dtype=np.int32)), BackgroundKnowledge(**known)
    found = search(test, alpha=0.5, knowledge=knowledge, caps=caps)
    assert found.graph.edges() == [("0", "<->", "1")]
    assert int(found.info.n_conflicts) == 0
    with pytest.raises(InputError, match="selection_bias=True does not go with tiers"):
        search(test, alpha=0.5, knowledge=knowledge, caps=caps, selection_bias=True)
    # Without hidden causes no edge is left, and the tests say the contrary.
    found = pc(test, alpha=0.5, knowledge=knowledge, caps=caps)
    assert not np.asarray(found.graph.adjacency).any()
    assert int(found.info.n_conflicts) == 1


@pytest.mark.parametrize("search", [fci, icd])
def test_every_ancestral_graph_of_three_nodes_with_tiers_and_one_way_edges(search):
    for mag in ancestral_graphs():
        test, joined = mag_oracle_test(mag), mag != Mark.NONE
        directed = (mag == Mark.ARROW) & (mag.T == Mark.TAIL)
        against = ancestors_of(directed)
        false = joined & ~directed
        for tiers in map(np.array, [(0, 1, 2), (2, 0, 1), (1, 2, 0), (0, 0, 1), (1, 0, 0)]):
            if (against & (tiers[:, None] > tiers)).any():
                continue
            # Of the two directions of <-> the one that tiers leave open.
            at_once = tiers[:, None] == tiers
            one_way = ~false.T | np.triu(false)
            forbidden = false & ((tiers[:, None] < tiers) | (at_once & one_way))
            knowledge = BackgroundKnowledge(tiers=tiers, forbidden=forbidden)
            found = search(test, alpha=0.5, knowledge=knowledge)
            marks = np.asarray(found.graph.marks)
            assert ((marks != Mark.NONE) == joined).all(), (mag, tiers)
            assert (marks == mag)[marks != Mark.CIRCLE].all(), (mag, tiers)
            known = forbidden | (tiers[:, None] > tiers)
            assert (marks.T == Mark.ARROW)[known & joined].all(), (mag, tiers)
            assert int(found.info.n_conflicts) == 0, (mag, tiers)


@pytest.mark.parametrize("search", [fci, icd])
def test_directions_and_selection_do_not_go_together(search):
    dag = np.zeros((3, 3), bool)
    dag[0, 2] = dag[1, 2] = True
    test = oracle_test(dag, selected=np.array([2]))
    tiers = BackgroundKnowledge(tiers=np.array([0, 1]))
    with pytest.raises(InputError, match="selection_bias=True does not go with tiers"):
        search(test, alpha=0.5, knowledge=tiers, selection_bias=True)
    apart = BackgroundKnowledge.named(2, forbidden=[(0, 1), (1, 0)])
    search(test, alpha=0.5, knowledge=apart, selection_bias=True)


@pytest.mark.parametrize("search", [pc, fci, icd])
@pytest.mark.parametrize("caps", [None, FEWEST])
def test_knowledge_that_the_tests_contradict_is_counted(search, caps):
    collider = np.zeros((3, 3), bool)
    collider[0, 1] = collider[2, 1] = True
    wrong = {
        "joins what is independent": BackgroundKnowledge.named(3, required=[(0, 2)]),
        "keeps apart what depends": BackgroundKnowledge.named(3, forbidden=[(0, 1), (1, 0)]),
        "rules out the collider": BackgroundKnowledge.named(3, required=[(1, 0)]),
    }
    for knowledge in wrong.values():
        found = search(oracle_test(collider), alpha=0.5, knowledge=knowledge, caps=caps)
        assert int(found.info.n_conflicts) >= 1
        marks = np.asarray(found.graph.marks)
        directed = (marks == Mark.ARROW) & (marks.T == Mark.TAIL)
        assert directed[np.asarray(knowledge.required)].all()
        assert not (marks != 0)[knowledge.cannot_cause & knowledge.cannot_cause.T].any()


def test_stationary_knowledge_leaves_a_series_sound():
    # Window of a stationary system whose older part is not observed; the knowledge is true.
    for seed in range(12):
        rng = np.random.default_rng(seed)
        n, max_lag, n_slices, older = 2, 1, 3, 4
        lagged = rng.random((n, n)) < 0.5
        now = np.triu(rng.random((n, n)) < 0.5, 1)
        total = n_slices + older
        dag = np.zeros((total * n, total * n), bool)
        for lag in range(total):
            here = slice(lag * n, lag * n + n)
            dag[here, here] = now
            if lag + 1 < total:
                dag[(lag + 1) * n : (lag + 2) * n, here] = lagged
        test = oracle_test(dag, np.arange(n_slices * n, dtype=np.int32))
        links = np.stack([now, lagged], axis=2)
        absent = ~links & (rng.random(links.shape) < 0.5)
        absent[:, :, 0] &= ~now.T | (rng.random((n, n)) < 0.5)
        knowledge = BackgroundKnowledge.temporal(
            n,
            max_lag,
            contemporaneous=True,
            forbidden_links=absent,
            required_links=links & (rng.random(links.shape) < 0.3),
            n_slices=n_slices,
        )
        reach = ancestors_of(dag)[: n_slices * n, : n_slices * n]
        for search in (pc, fci, icd):
            marks = np.asarray(search(test, alpha=0.5, knowledge=knowledge).graph.marks)
            newest = marks[: 2 * n, :n]
            assert ((newest != Mark.NONE) == (dag | dag.T)[: 2 * n, :n]).all(), (seed, search)
            tails = marks == Mark.TAIL
            arrows = marks == Mark.ARROW
            if search is pc:
                directed = arrows & tails.T
                assert not directed[:, :n][dag.T[: n_slices * n, :n]].any()
            else:
                assert reach.T[tails].all(), (seed, search)
                assert not reach.T[arrows].any(), (seed, search)


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize("search", [pc, fci, icd])
@pytest.mark.parametrize("caps", [None, FEWEST])
def test_what_is_no_knowledge_or_no_mask_is_refused(search, caps):
    test = oracle_test(np.zeros((3, 3), bool))
    for wrong in ({"forbidden": [(0, 1)]}, [(0, 1)], np.zeros((3, 3), bool)):
        with pytest.raises(InputError, match="must be BackgroundKnowledge"):
            search(test, alpha=0.5, knowledge=wrong, caps=caps)
    for wrong in (np.array([0, 1, 2]), [1, 1, 0], np.ones(3)):
        with pytest.raises(InputError, match="node_mask holds .*must be boolean.*np.isin"):
            search(test, alpha=0.5, node_mask=wrong, caps=caps)
