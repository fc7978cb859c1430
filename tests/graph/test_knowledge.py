import hypothesis
import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

from jaxcause import (
    BackgroundKnowledge,
    InputError,
    LaggedGraph,
    icd,
    oracle_test,
    partial_correlation_test_from_data,
    pc,
)

N_VARS, MAX_LAG = 3, 2
SHAPE = (N_VARS, N_VARS, MAX_LAG + 1)


def link(*links):
    mask = np.zeros(SHAPE, bool)
    for one in links:
        mask[one] = True
    return mask


def unroll(mask, n_slices):
    """Entry [a, b]: a link leads from the earlier node a to the later node b."""
    n_vars, _, n_lags = mask.shape
    nodes = np.zeros((n_slices * n_vars,) * 2, bool)
    for i, j, lag in np.argwhere(mask):
        for end in range(n_slices - lag):
            nodes[(end + lag) * n_vars + i, end * n_vars + j] = True
    return nodes


def noise(n_slices, seed=0):
    x = np.random.default_rng(seed).normal(size=(300, n_slices * N_VARS))
    return partial_correlation_test_from_data(x)


@pytest.mark.parametrize("n_slices", [3, 5])
@pytest.mark.parametrize("contemporaneous", [False, True])
def test_links_become_edges_of_the_window_and_come_back(n_slices, contemporaneous):
    rng = np.random.default_rng(0)
    forbidden, required = rng.random(SHAPE) < 0.4, rng.random(SHAPE) < 0.1
    required &= ~forbidden
    required[:, :, 0] = False
    knowledge = BackgroundKnowledge.temporal(
        N_VARS,
        MAX_LAG,
        contemporaneous,
        forbidden_links=forbidden,
        required_links=required,
        n_slices=n_slices,
    )
    possible = ~forbidden
    possible[:, :, 0] &= contemporaneous
    forward = knowledge.tiers[:, None] <= knowledge.tiers
    own = np.eye(n_slices * N_VARS, dtype=bool)
    may_be = ~knowledge.cannot_cause & forward & ~own
    assert (may_be == unroll(possible, n_slices) & ~own).all()
    assert (knowledge.required == unroll(required, n_slices)).all()
    links = knowledge.links(N_VARS)
    possible[np.arange(N_VARS), np.arange(N_VARS), 0] = False
    assert links.possible.shape == (N_VARS, N_VARS, n_slices)
    assert (links.possible[:, :, : MAX_LAG + 1] == possible).all()
    assert not links.possible[:, :, MAX_LAG + 1 :].any()
    assert (links.required[:, :, : MAX_LAG + 1] == required).all()


@pytest.mark.parametrize("n_slices", [3, 5])
def test_constraints_hold_at_every_time(n_slices):
    # What is known of a pair is known of the pair that stands for it.
    knowledge = BackgroundKnowledge.temporal(
        N_VARS,
        MAX_LAG,
        contemporaneous=True,
        allowed=link((0, 1, 1), (1, 2, 2)),
        required_links=link((0, 1, 1)),
        n_slices=n_slices,
    )
    for mask in (knowledge.forbidden, knowledge.required, knowledge.cannot_cause):
        assert (knowledge.repeat(mask) == mask).all()


def test_without_links_nothing_changes():
    plain = BackgroundKnowledge.temporal(2, 2, contemporaneous=True)
    assert plain.tiers.tolist() == [2, 2, 1, 1, 0, 0]
    assert not plain.forbidden[plain.tiers[:, None] <= plain.tiers].any()
    assert BackgroundKnowledge.temporal(2, 2).links(2).possible[:, :, 1:].all()


def test_allowed_edges_of_a_graph_count_whatever_their_marks():
    marks = np.zeros((*SHAPE, 2), np.int8)
    marks[0, 1, 2] = [1, 2]
    marks[2, 1, 1] = [2, 2]
    by_graph = BackgroundKnowledge.temporal(N_VARS, MAX_LAG, allowed=LaggedGraph(marks))
    by_mask = BackgroundKnowledge.temporal(
        N_VARS, MAX_LAG, allowed=link((0, 1, 2), (2, 1, 1), (0, 0, 0))
    )
    assert (by_graph.forbidden == by_mask.forbidden).all()
    assert np.argwhere(by_graph.links(N_VARS).possible).tolist() == [[0, 1, 2], [2, 1, 1]]


def test_lag_limits():
    limits = np.full((N_VARS, N_VARS), MAX_LAG)
    limits[0, 1], limits[1, 2], limits[2, 0] = 1, 0, -1
    links = BackgroundKnowledge.temporal(N_VARS, MAX_LAG, True, lag_limits=limits).links(N_VARS)
    assert links.possible[0, 1].tolist() == [True, True, False]
    assert links.possible[1, 2].tolist() == [True, False, False]
    assert links.possible[2, 0].tolist() == [False, False, False]
    assert links.possible[0, 2].all()


@pytest.mark.parametrize("search", [pc, icd])
@pytest.mark.parametrize("n_slices", [3, 5])
def test_required_links_survive_a_search_over_noise(search, n_slices):
    required = link((0, 1, 2), (2, 1, 0))
    knowledge = BackgroundKnowledge.temporal(
        N_VARS, MAX_LAG, contemporaneous=True, required_links=required, n_slices=n_slices
    )
    found = search(noise(n_slices), alpha=1e-4, knowledge=knowledge)
    graph = LaggedGraph.from_unrolled(found.graph, n_vars=N_VARS)
    assert (np.asarray(graph.directed)[:, :, : MAX_LAG + 1] == required).all()
    marks = np.asarray(found.graph.marks)
    assert (marks == knowledge.repeat(marks)).all()


@pytest.mark.parametrize("search", [pc, icd])
def test_forbidden_links_never_appear(search):
    # Every link is there but those that are forbidden.
    forbidden = link((0, 1, 1), (1, 1, 2), (0, 2, 0), (2, 0, 0))
    knowledge = BackgroundKnowledge.temporal(
        N_VARS, MAX_LAG, contemporaneous=True, forbidden_links=forbidden
    )
    dag = unroll(~forbidden & ~np.eye(N_VARS, dtype=bool)[:, :, None], 3)
    found = search(oracle_test(np.tril(dag)), alpha=0.5, max_cond_size=0, knowledge=knowledge)
    there = np.asarray(LaggedGraph.from_unrolled(found.graph, n_vars=N_VARS).adjacency)
    assert not there[forbidden].any()
    assert there.sum() > 10


def test_one_forbidden_direction_decides_a_contemporaneous_edge():
    dag = np.zeros((4, 4), bool)
    dag[0, 1] = dag[2, 3] = True
    never = np.zeros((2, 2, 2), bool)
    never[1, 0, 0] = True
    knowledge = BackgroundKnowledge.temporal(2, 1, contemporaneous=True, forbidden_links=never)
    found = pc(oracle_test(dag), alpha=0.5, knowledge=knowledge)
    assert LaggedGraph.from_unrolled(found.graph, n_vars=2).edges() == [("X0", 0, "-->", "X1")]


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_slices": 2}, "n_slices=2 must be a whole number of at least 3"),
        ({"allowed": np.ones((3, 3, 2), bool)}, "allowed has shape"),
        ({"forbidden_links": np.ones((2, 2, 3), bool)}, "forbidden_links has shape"),
        ({"required_links": np.ones((3, 3), bool)}, "required_links has shape"),
        ({"lag_limits": np.ones(3, int)}, "lag_limits has shape"),
        ({"required_links": link((0, 1, 0))}, "required link 0 → 1 at lag 0 is not possible"),
        (
            {"required_links": link((1, 1, 0)), "contemporaneous": True},
            "required link 1 → 1 at lag 0 is not possible",
        ),
        (
            {"required_links": link((0, 2, 1)), "allowed": link((0, 1, 1))},
            "required link 0 → 2 at lag 1 is not possible",
        ),
        (
            {"required_links": link((0, 2, 0), (2, 0, 0)), "contemporaneous": True},
            "cycle",
        ),
    ],
)
def test_bad_links_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        BackgroundKnowledge.temporal(N_VARS, MAX_LAG, **arguments)


def test_links_need_whole_slices():
    with pytest.raises(InputError, match="not a multiple of n_vars=2"):
        BackgroundKnowledge.temporal(3, 2).links(2)


@pytest.mark.usefixtures("untyped")
@hypothesis.given(st.lists(st.integers(-(2**70), 2**70), min_size=1, max_size=6))
def test_tiers_of_any_size_keep_their_order(tiers):
    expected = [[a > b for b in tiers] for a in tiers]
    assert BackgroundKnowledge(tiers=tiers).cannot_cause.tolist() == expected


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize("dtype", [np.uint64, np.int64, np.float64])
def test_tiers_beyond_int32_keep_their_order(dtype):
    tiers = np.array([2**33, 0, 2**31], dtype)
    knowledge = BackgroundKnowledge(tiers=tiers)
    assert knowledge.tiers.tolist() == [2, 0, 1]


@pytest.mark.usefixtures("untyped")
def test_pairs_may_be_any_iterable():
    pairs = [(0, 1), (2, 1)]
    cause, effect = zip(*pairs, strict=True)
    expected = BackgroundKnowledge.named(3, forbidden=pairs).forbidden
    assert np.argwhere(expected).tolist() == [[0, 1], [2, 1]]
    for given in (
        set(pairs),
        iter(pairs),
        zip(cause, effect, strict=True),
        tuple(pairs),
        np.array(pairs),
    ):
        knowledge = BackgroundKnowledge(tiers=np.zeros(3, int), forbidden=given)
        assert (knowledge.forbidden == expected).all()
    for given in (set(pairs), iter(pairs), dict.fromkeys(pairs).keys()):
        assert (BackgroundKnowledge.named(3, forbidden=given).forbidden == expected).all()
    nothing = BackgroundKnowledge.named(np.int64(3), forbidden=None, required=None)
    assert not nothing.cannot_cause.any()
    assert BackgroundKnowledge.named(0).n_nodes == 0


@pytest.mark.usefixtures("untyped")
def test_two_pairs_of_two_nodes_and_a_matrix_of_integers_are_told_apart():
    tiers = np.zeros(2, int)
    with pytest.raises(InputError, match="may be a matrix or two pairs; give a matrix with dtype"):
        BackgroundKnowledge(tiers=tiers, required=np.array([[0, 1], [0, 0]]))
    matrix = np.array([[0, 1], [0, 0]], bool)
    assert BackgroundKnowledge(required=matrix).required.tolist() == matrix.tolist()
    both = BackgroundKnowledge(tiers=tiers, forbidden=[(0, 1), (1, 0)]).forbidden
    assert both.tolist() == [[False, True], [True, False]]
    of_three = BackgroundKnowledge(tiers=np.zeros(3, int), forbidden=np.array([[0, 1], [0, 0]]))
    assert np.argwhere(of_three.forbidden).tolist() == [[0, 0], [0, 1]]


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tiers": 3}, "tiers=3 must hold one whole number per node"),
        ({"tiers": [[0, 1], [2]]}, r"tiers holds \[0, 1\]; a tier is a whole number"),
        ({"tiers": {"a": 0, "b": 1}}, "BackgroundKnowledge.named"),
        ({"tiers": pd.Series([0, 1], index=["b", "a"])}, "BackgroundKnowledge.named"),
        ({"forbidden": [(0, 1), (1,)]}, r"forbidden holds \(1,\); write pairs"),
        ({"forbidden": 5}, "forbidden=5 must be pairs"),
        ({"forbidden": [5]}, "forbidden holds 5; write pairs"),
        ({"forbidden": [("a", "b")]}, r"names 'a'.*BackgroundKnowledge.named\(names, forbidden=…"),
        ({"forbidden": [(True, False)]}, "forbidden names True"),
        ({"forbidden": {(0, 1): 2}}, "must be pairs"),
        ({"stationary": np.full((3, 3), -1)}, "stationary must hold whole numbers"),
        ({"stationary": np.full((3, 3), 9)}, "between 0 and 8"),
        ({"stationary": np.full((3, 3), 0.5)}, "stationary must hold whole numbers"),
        ({"stationary": np.full((3, 3), np.nan)}, "stationary must hold whole numbers"),
        ({"stationary": np.arange(4).reshape(2, 2)}, "stationary has shape"),
        ({"stationary": np.array([[0, 5, 2], [3, 4, 5], [6, 7, 8]])}, "must be symmetric"),
        ({"stationary": np.array([[0, 2, 5], [6, 4, 5], [7, 7, 8]])}, "not stand for itself"),
    ],
)
def test_knowledge_that_is_written_wrongly_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        BackgroundKnowledge(**{"tiers": np.zeros(3, int), **arguments})


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize(
    ("names", "arguments", "message"),
    [
        (["a", "a", "b"], {}, "names holds 'a' twice"),
        (3.0, {}, "names=3.0 must be a list of names"),
        (-1, {}, "names=-1 must be a whole number"),
        ("abc", {}, "names='abc' must be a list"),
        (["a", "b"], {"tiers": [0, 1]}, r"tiers=dict\(zip\(names, tiers\)\)"),
        (["a", "b"], {"tiers": {"a": 0, "b": 1, 0: 2}}, "gives 'a' the tiers 0 and 2"),
        (["a", "b"], {"forbidden": [5]}, "forbidden holds 5"),
        (["a", "b"], {"forbidden": 5}, "forbidden=5 must be pairs"),
        (["a", "b"], {"required": [("a", "b"), ("b", "a")]}, "cycle, b → a → b; drop"),
        (["a", "b"], {"required": [(0, 1)], "forbidden": [(0, 1)]}, "required edge a → b is"),
        (["a", "b"], {"required": [(0, 1)], "tiers": {"a": 1, "b": 0}}, "required edge a → b is"),
    ],
)
def test_named_knowledge_that_is_written_wrongly_is_refused(names, arguments, message):
    with pytest.raises(InputError, match=message):
        BackgroundKnowledge.named(names, **arguments)


@hypothesis.given(st.permutations(range(4)), st.booleans())
def test_numbers_that_are_names_are_names(names, as_text):
    nodes = [str(name) for name in names] if as_text else names
    knowledge = BackgroundKnowledge.named(nodes, forbidden=[(2, 1)], tiers={k: k for k in names})
    assert np.argwhere(knowledge.forbidden).tolist() == [[names.index(2), names.index(1)]]
    assert knowledge.tiers.tolist() == names


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lag_limits": np.full((3, 3), np.nan)}, "lag_limits must hold a whole number"),
        ({"lag_limits": np.full((3, 3), 0.5)}, "lag_limits must hold a whole number"),
        ({"forbidden_links": np.full(SHAPE, np.nan)}, "forbidden_links holds values other than"),
        ({"allowed": np.full(SHAPE, 2)}, "allowed holds values other than"),
        ({"required_links": np.full(SHAPE, -1)}, "required_links holds values other than"),
    ],
)
def test_links_are_not_read_from_other_values(arguments, message):
    with pytest.raises(InputError, match=message):
        BackgroundKnowledge.temporal(N_VARS, MAX_LAG, **arguments)
