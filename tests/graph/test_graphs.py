import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxcause import CausalGraph, InputError, LaggedGraph, Mark
from jaxcause.graph import BackgroundKnowledge, SepSets


def test_marks_are_at_the_far_end():
    graph = CausalGraph(np.array([[0, Mark.ARROW], [Mark.TAIL, 0]]))
    assert graph.directed.tolist() == [[False, True], [False, False]]
    assert graph.edges(["a", "b"]) == [("a", "-->", "b")]
    assert CausalGraph(graph.marks.T).edges(["a", "b"]) == [("b", "-->", "a")]


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize(
    ("marks", "message"),
    [
        (np.zeros((2, 3)), "must be"),
        (np.array([[0, 5], [5, 0]]), "other values"),
        (np.array([[0, 4], [2, 0]]), r"conflict \(4\) at one end only; set both"),
        (np.array([[0, 2], [0, 0]]), "one end only"),
        (np.array([[1, 0], [0, 0]]), "itself"),
    ],
)
def test_marks_that_are_no_graph_are_refused(marks, message):
    with pytest.raises(InputError, match=message):
        CausalGraph(marks)


def test_graphs_batch_under_vmap_and_pass_through_jit():
    dags = np.triu(np.random.default_rng(0).random((5, 4, 4)) < 0.5, 1)
    batched = jax.vmap(CausalGraph.from_dag)(jnp.asarray(dags))
    assert batched.marks.shape == (5, 4, 4)
    out = jax.jit(lambda g: g)(batched)
    assert (out.directed == dags).all()


def lagged(n_vars=3, max_lag=2, seed=0):
    mask = np.random.default_rng(seed).random((n_vars, n_vars, max_lag + 1)) < 0.3
    mask[:, :, 0] = False
    return mask


def test_lagged_graph_from_a_mask_gives_the_mask_back():
    mask = lagged()
    graph = LaggedGraph.from_mask(mask)
    assert (graph.directed == mask).all()
    assert (graph.summary() == mask.any(axis=2)).all()
    assert len(graph.edges()) == mask.sum()


def test_lagged_graph_folds_an_unrolled_one():
    n_vars, max_lag = 3, 2
    mask = lagged(n_vars, max_lag)
    n = n_vars * (max_lag + 1)
    dag = np.zeros((n, n), bool)
    for i, j, lag in np.argwhere(mask):
        for shift in range(max_lag + 1 - lag):
            dag[(lag + shift) * n_vars + i, shift * n_vars + j] = True
    folded = LaggedGraph.from_unrolled(CausalGraph.from_dag(dag), n_vars=n_vars)
    assert (folded.marks == LaggedGraph.from_mask(mask).marks).all()


def test_contemporaneous_edges_are_listed_once():
    marks = np.zeros((2, 2, 2, 2), np.int8)
    marks[0, 1, 0] = Mark.ARROW, Mark.TAIL
    marks[1, 0, 0] = Mark.TAIL, Mark.ARROW
    assert LaggedGraph(marks).edges(["a", "b"]) == [("b", 0, "-->", "a")]
    marks[0, 1, 0] = marks[1, 0, 0] = Mark.ARROW, Mark.ARROW
    assert LaggedGraph(marks).edges(["a", "b"]) == [("a", 0, "<->", "b")]


def test_an_edge_in_conflict_is_neither_an_arrow_nor_a_hidden_cause():
    graph = CausalGraph(np.array([[0, 4], [4, 0]]))
    assert graph.edges(["a", "b"]) == [("a", "x-x", "b")]
    assert graph.adjacency[0, 1]
    assert not graph.directed.any()
    marks = np.zeros((2, 2, 2, 2), np.int8)
    marks[0, 1, 0] = marks[1, 0, 0] = Mark.CONFLICT
    lagged = LaggedGraph(marks)
    assert lagged.edges(["a", "b"]) == [("a", 0, "x-x", "b")]
    assert not lagged.directed.any()
    assert not lagged.summary().any()


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m[..., :1], "must be"),
        (lambda m: m + 4, "other values"),
        (lambda m: _set(m, (0, 1, 1, 0), 0), "one end only"),
        (lambda m: _set(m, (0, 1, 1, 0), 4), "conflict .* at one end only"),
        (lambda m: _set(m, (1, 1, 0), 1), "itself"),
        (lambda m: _set(m, (0, 1, 0), (3, 2)), "disagree"),
    ],
)
def test_marks_that_are_no_lagged_graph_are_refused(change, message):
    marks = np.zeros((2, 2, 2, 2), np.int8)
    marks[0, 1, 1] = Mark.TAIL, Mark.ARROW
    with pytest.raises(InputError, match=message):
        LaggedGraph(change(marks))


def _set(array, index, value):
    array[index] = value
    return array


def test_sepsets_tell_the_empty_set_from_none():
    sepsets = SepSets.empty(4).record(np.array([1]), np.array([0]), np.zeros((1, 0), int))
    sepsets = sepsets.record(np.array([2]), np.array([3]), np.array([[1, 0]]))
    assert sepsets.get(0, 1) == frozenset()
    assert sepsets.get(3, 2) == frozenset((0, 1))
    assert sepsets.get(0, 2) is None
    members = sepsets.membership()
    assert members[2, 3].tolist() == [True, True, False, False]
    assert members.sum() == 4


@pytest.mark.usefixtures("untyped")
def test_knowledge_refuses_contradictions():
    required = np.zeros((3, 3), bool)
    required[0, 1] = True
    with pytest.raises(InputError, match="forbidden or runs against tiers"):
        BackgroundKnowledge(required=required, forbidden=required)
    with pytest.raises(InputError, match="against tiers"):
        BackgroundKnowledge(required=required, tiers=np.array([1, 0, 0]))
    required[1, 2] = required[2, 0] = True
    with pytest.raises(InputError, match="cycle"):
        BackgroundKnowledge(required=required)
    with pytest.raises(InputError, match="needs tiers"):
        BackgroundKnowledge()
    with pytest.raises(InputError, match="forbidden has shape"):
        BackgroundKnowledge(forbidden=required, tiers=np.zeros(4, int))


def test_temporal_knowledge_points_forward_and_repeats():
    knowledge = BackgroundKnowledge.temporal(2, 2, contemporaneous=True)
    assert knowledge.tiers.tolist() == [2, 2, 1, 1, 0, 0]
    # Variable 0 two steps back and variable 1 one step back: the same edge one step later.
    assert knowledge.stationary[4, 3] == 2 * 6 + 1
    assert knowledge.cannot_cause[0, 2]
    assert not knowledge.cannot_cause[0, 1]
    assert BackgroundKnowledge.temporal(2, 2).cannot_cause[0, 1]
    # A pair stands for itself iff its later end is the newest slice.
    newest = np.arange(6) < 2
    assert (knowledge.stands_for_itself == (newest[:, None] | newest)).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 12), st.lists(st.integers(1, 3), max_size=2), st.integers(0, 10**6))
def test_every_graph_shows_itself_in_one_short_line(n, batch, seed):
    rng = np.random.default_rng(seed)
    dag = np.triu(rng.random((*batch, n, n)) < 0.5, 1)
    graph = CausalGraph.from_dag(dag)
    lagged = LaggedGraph.from_mask(rng.random((max(n, 1), max(n, 1), 3)) < [0, 0.3, 0.3])
    for shown in (repr(graph), repr(lagged)):
        assert "\n" not in shown
        assert "array" not in shown
        assert len(shown) < 300
    if batch:
        first = graph[(0,) * len(batch)]
        assert np.array_equal(first.marks, graph.marks[(0,) * len(batch)])
        assert len(list(graph)) == batch[0]
        with pytest.raises(InputError, match=r"batch of shape .*graph\[0.*\]\.edges\(\)"):
            graph.edges()
        with pytest.raises(IndexError):
            graph[batch[0]]
        with pytest.raises(IndexError):
            CausalGraph(jnp.asarray(graph.marks))[batch[0]]
    else:
        assert f"{len(graph.edges()) or 'no'} edge" in repr(graph)
        with pytest.raises(InputError, match="one graph, not a batch"):
            graph[0]


def test_batches_of_lagged_graphs_are_indexed_and_placeholders_shown():
    mask = np.zeros((2, 2, 3), bool)
    mask[0, 1, 2] = True
    one = LaggedGraph.from_mask(mask)
    many = jax.tree.map(lambda m: np.stack([m, m]), one)
    assert many[1].edges() == one.edges()
    assert repr(many) == "<LaggedGraph: a batch of 2 graphs, 2 variables, lags up to 2; " \
        "graph[0] is one>"  # fmt: skip
    with pytest.raises(InputError, match=r"graph\[0\]\.edges\(\)"):
        many.edges()
    for graph in (one, CausalGraph(np.zeros((2, 2), int))):
        assert "placeholder" in repr(jax.tree.map(lambda _: object(), graph))
        seen = []
        jax.jit(lambda g, seen=seen: seen.append(repr(g)) or g)(graph)
        assert "traced" in seen[0]


def test_graphs_become_networks():
    assert list(CausalGraph(np.array([[0, 2], [3, 0]])).to_networkx(names=["a", "b"]).edges) == [
        ("a", "b")
    ]
    mask = np.zeros((2, 2, 3), bool)
    mask[0, 1, 2] = True
    (edge,) = LaggedGraph.from_mask(mask).to_networkx().edges(data=True)
    assert edge == ("X0", "X1", {"lag": 2, "edge": "-->"})
