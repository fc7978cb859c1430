import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from attention_cases import softmax_attention

from jaxcause import CausalGraph, InputError
from jaxcause.attention import _queries as queries
from jaxcause.attention import abcd, cleann, explain_exhaustively


def star(n):
    """Node 0 in the middle."""
    marks = np.zeros((n, n), int)
    marks[0, 1:] = marks[1:, 0] = 1
    return CausalGraph(marks)


def chain(n):
    """0 → 1 ← 2 → 3 ← 4 …, but with both ends of every edge an arrowhead, so paths go on."""
    marks = np.zeros((n, n), int)
    for i in range(n - 1):
        marks[i, i + 1] = marks[i + 1, i] = 2
    return CausalGraph(marks)


class Model:
    """Changes its output when one of some sets is removed; remembers what it was asked."""

    def __init__(self, *explanations):
        self.explanations = [frozenset(e) for e in explanations]
        self.asked, self.shapes = [], []

    def __call__(self, removed):
        self.shapes.append(removed.shape)
        sets = [frozenset(np.flatnonzero(row).tolist()) for row in removed]
        self.asked += sets
        return np.array([any(e <= s for e in self.explanations) for s in sets], bool)


def test_smaller_sets_first_then_nearer_ones():
    model = Model({9})
    found = cleann(chain(5), 0, model, max_size=2, batch_size=1)
    expected = [{1}, {2}, {3}, {4}, {1, 2}, {1, 3}, {1, 4}, {2, 3}, {2, 4}, {3, 4}]
    assert model.asked == [frozenset(s) for s in expected]
    assert found == ((), 10, "not found")


def test_an_explanation_knows_its_distances_and_queries():
    found = cleann(chain(5), 0, Model({4, 2}), batch_size=3)
    assert found.found == (((2, 4), (2, 4), 9),)
    assert found.status == "explained"
    assert found.n_queries == 9


@pytest.mark.parametrize("batch_size", [1, 2, 7, 64])
@pytest.mark.parametrize("every", [False, True])
def test_the_size_of_batches_changes_no_explanation(batch_size, every):
    model = Model({3}, {1, 2}, {2, 4, 5})
    found = cleann(star(6), 0, model, every=every, batch_size=batch_size)
    expected = [{3}, {1, 2}, {2, 4, 5}][: 3 if every else 1]
    assert [set(e.nodes) for e in found.found] == expected
    assert found.status == "explained"
    assert set(model.shapes) == {(batch_size, 6)}
    singles = [{1}, {2}, {3}]
    assert model.asked[:3] == [frozenset(s) for s in singles] or batch_size < 3
    assert found.found[0].n_queries == 3


def test_every_asks_about_no_set_that_holds_an_explanation():
    model = Model({1})
    found = cleann(star(5), 0, model, every=True, batch_size=1)
    assert len(found.found) == 1
    assert sum(1 in s for s in model.asked) == 1
    assert found.n_queries == 1 + 2**3 - 1


def test_every_against_all_subsets_of_a_random_model():
    graph = abcd(softmax_attention(0, 8), 384).graph
    rng = np.random.default_rng(0)
    for _ in range(5):
        targets = [set(rng.choice(np.arange(1, 8), size, replace=False)) for size in (1, 2, 3)]
        found = cleann(graph, 0, Model(*targets), every=True)
        reachable = cleann(graph, 0, Model(), every=True)
        nodes = {v for v in range(1, 8) if cleann(graph, 0, Model({v}), max_size=1).found}
        assert reachable.n_queries == 2 ** len(nodes) - 1
        minimal = {
            frozenset(t) for t in targets if t <= nodes and not any(other < t for other in targets)
        }
        assert {frozenset(e.nodes) for e in found.found} == minimal


def test_nodes_outside_of_the_tree_are_no_candidates():
    marks = np.zeros((4, 4), int)
    marks[0, 1], marks[1, 0] = 2, 3  # 0 → 1 → 2: the walk does not go on behind 1
    marks[1, 2], marks[2, 1] = 2, 3
    model = Model({2}, {3})
    assert cleann(CausalGraph(marks), 0, model).status == "not found"
    assert [s for s in model.asked if s] == [frozenset({1})]


def test_range_and_removable_nodes_limit_the_candidates():
    model = Model()
    cleann(chain(5), 0, model, max_range=2)
    assert {v for s in model.asked for v in s} == {1, 2}
    model = Model()
    cleann(chain(5), 0, model, removable=np.array([1, 0, 1, 1, 0], bool))
    assert {v for s in model.asked for v in s} == {2, 3}


def test_heavier_nodes_come_first_among_equally_near_ones():
    model = Model()
    weights = np.array([9.0, 0.1, 0.4, 0.2, 0.3])
    cleann(star(5), 0, model, weights=weights, max_size=2, batch_size=1)
    order = [{2}, {4}, {3}, {1}, {2, 4}, {2, 3}, {3, 4}, {1, 2}, {1, 4}, {1, 3}]
    sums = [sum(weights[list(s)]) for s in order]
    assert sums[:4] == sorted(sums[:4], reverse=True)
    assert sums[4:] == sorted(sums[4:], reverse=True)
    got = [set(s) for s in model.asked]
    assert got[:4] == order[:4]
    np.testing.assert_allclose([sum(weights[list(s)]) for s in got], sums)


def test_heads_together_ask_about_each_set_once():
    # 1 is next to the target in two heads, 2 in one; 3 is two steps away in one.
    marks = np.zeros((3, 4, 4), int)
    for head, (i, j) in [(0, (0, 2)), (1, (0, 1)), (2, (0, 1)), (2, (1, 3))]:
        marks[head, i, j] = marks[head, j, i] = 2
    model = Model()
    found = cleann(CausalGraph(marks), 0, model, batch_size=1)
    assert model.asked == [frozenset(s) for s in [{1}, {2}, {3}, {1, 3}]]
    assert found.status == "not found"
    alone = cleann(CausalGraph(marks), 0, Model({3}))
    assert alone.found[0].distances == (2,)


def test_a_batch_of_one_graph_is_that_graph():
    graph = abcd(softmax_attention(1, 7), 384).graph
    one, batch = Model(), Model()
    cleann(graph, 2, one, max_size=3)
    cleann(CausalGraph(np.asarray(graph.marks)[None, None]), 2, batch, max_size=3)
    assert one.asked == batch.asked


def test_heads_together_find_what_any_head_finds():
    graphs = abcd(softmax_attention(2, 8, graphs=(6,)), 384).graph
    for explanation in itertools.combinations(range(1, 8), 2):
        together = cleann(graphs, 0, Model(explanation), max_size=2)
        each = [
            cleann(CausalGraph(marks), 0, Model(explanation), max_size=2)
            for marks in np.asarray(graphs.marks)
        ]
        assert bool(together.found) == any(e.found for e in each)
        if together.found:
            sums = [sum(e.found[0].distances) for e in each if e.found]
            assert sum(together.found[0].distances) <= min(sums)


@pytest.mark.parametrize("max_queries", [1, 5, 6, 14, 15, 16])
@pytest.mark.parametrize("batch_size", [1, 4, 64])
def test_a_budget_is_kept_to_the_query(max_queries, batch_size):
    model = Model()
    found = cleann(star(5), 0, model, max_queries=max_queries, batch_size=batch_size)
    assert sum(bool(s) for s in model.asked) == found.n_queries == min(15, max_queries)
    assert found.status == ("not found" if max_queries >= 15 else "budget")


def test_growing_sets_come_last_and_nothing_is_asked_twice():
    """Sets of one or two of the star's nodes, then the heaviest together, node 5 out of reach."""
    marks = np.zeros((6, 6), int)
    marks[:5, :5] = np.asarray(star(5).marks)
    weights = np.array([9.0, 0.1, 0.4, 0.2, 0.3, 0.9])
    model = Model({1, 2, 3})
    options = {"weights": weights, "max_size": 2, "batch_size": 3}
    found = cleann(CausalGraph(marks), 0, model, n_larger=5, **options)
    asked = [s for s in model.asked if s]
    assert len(asked) == len(set(asked)) == found.n_queries == 15
    assert asked[10:] == [{5}, {2, 5}, {2, 4, 5}, {2, 3, 4, 5}, {1, 2, 3, 4, 5}]
    assert found.found == (((1, 2, 3, 4, 5), (1, 1, 1, 1, 0), 15),)
    assert found.status == "explained"
    without = cleann(CausalGraph(marks), 0, Model({1, 2, 3}), **options)
    assert without == ((), 10, "not found")
    near = cleann(CausalGraph(marks), 0, Model({2, 4}), n_larger=5, **options)
    assert near == cleann(CausalGraph(marks), 0, Model({2, 4}), **options)


@pytest.mark.parametrize("batch_size", [1, 4, 64])
@pytest.mark.parametrize(
    ("max_queries", "n_queries", "largest"),
    [(1, 1, 1), (2, 2, 2), (7, 7, 4), (12, 11, 6), (20, 18, 6), (40, 25, 6)],
)
def test_growing_sets_share_the_budget(max_queries, n_queries, largest, batch_size):
    model = Model()
    options = {"max_size": 2, "n_larger": 6, "max_queries": max_queries, "batch_size": batch_size}
    found = cleann(star(7), 0, model, **options)
    asked = [s for s in model.asked if s]
    assert len(asked) == len(set(asked)) == found.n_queries == n_queries
    assert max(map(len, asked)) == largest
    # The star has 21 sets of one or two nodes, and four larger ones grow.
    assert found.status == ("not found" if max_queries >= 27 else "budget")


def test_a_time_limit_holds_for_growing_sets_too(monkeypatch):
    now = iter(range(100))
    monkeypatch.setattr(queries.time, "monotonic", lambda: float(next(now)))
    found = cleann(star(7), 0, Model(), max_size=1, n_larger=9, batch_size=2, time_limit=6.5)
    assert found.status == "time"
    assert 6 < found.n_queries < 11


def test_a_budget_returns_what_was_found():
    model = Model({2}, {3, 4})
    found = cleann(star(5), 0, model, every=True, max_queries=4, batch_size=1)
    assert [e.nodes for e in found.found] == [(2,)]
    assert found.status == "budget"
    whole = cleann(star(5), 0, Model({2}, {3, 4}), every=True)
    assert [e.nodes for e in whole.found] == [(2,), (3, 4)]


def test_a_time_limit_ends_between_batches(monkeypatch):
    now = iter(range(100))
    monkeypatch.setattr(queries.time, "monotonic", lambda: float(next(now)))
    model = Model({2, 3, 4})
    found = cleann(star(9), 0, model, batch_size=4, time_limit=2.5)
    assert found.status == "time"
    assert found.n_queries == 12
    assert len(model.shapes) == 3


def test_a_jitted_model_is_compiled_once():
    traces = []

    @jax.jit
    def verify(removed):
        traces.append(removed.shape)
        return removed[:, 3] & removed[:, 4]

    found = cleann(star(6), 0, verify, batch_size=8)
    assert found.found[0].nodes == (3, 4)
    assert traces == [(8, 6)]
    assert found.n_queries > 8


def test_what_the_model_raises_comes_through():
    def fails(removed):
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        cleann(star(3), 0, fails)


def test_a_node_alone_has_no_candidates():
    model = Model({1})
    assert cleann(CausalGraph(np.zeros((3, 3), int)), 0, model) == ((), 0, "not found")
    assert model.asked == []


def test_nothing_explains_better_than_all_subsets_say():
    graph = star(7)  # every node is a candidate
    rng = np.random.default_rng(3)
    for _ in range(10):
        sets = [set(rng.choice(np.arange(1, 7), 3, replace=False)) for _ in range(3)]
        best = explain_exhaustively(7, Model(*sets), removable=np.arange(7) > 0)
        found = cleann(graph, 0, Model(*sets))
        assert len(found.found[0].nodes) == len(best.found[0].nodes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": 4}, "target=4 is no node"),
        ({"target": -1}, "target=-1 is no node"),
        ({"target": 1.0}, "target=1.0 is no node"),
        ({"target": True}, "target=True is no node"),
        ({"max_size": 0}, "max_size=0"),
        ({"max_range": 0}, "max_range=0"),
        ({"n_larger": -1}, "n_larger=-1"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"max_queries": 0}, "max_queries=0"),
        ({"time_limit": 0.0}, "time_limit=0.0"),
        ({"time_limit": float("nan")}, "time_limit=nan"),
        ({"removable": np.ones(3, bool)}, "removable has shape"),
        ({"weights": np.ones(5)}, "weights has shape"),
        ({"weights": np.array([0, 1, np.nan, 1])}, "weights is nan at node 2"),
        ({"graph": CausalGraph(np.zeros((0, 0), int)), "target": 0}, "no node of the graph"),
        ({"graph": CausalGraph(np.zeros((0, 4, 4), int))}, "a batch of none"),
    ],
)
def test_bad_arguments_are_refused(change, message, untyped):
    arguments = {"graph": star(4), "target": 0, "verify_fn": Model(), **change}
    with pytest.raises(InputError, match=message):
        cleann(**arguments)


@pytest.mark.parametrize(
    "answer",
    [
        lambda removed: np.zeros(3, bool),
        lambda removed: np.zeros(removed.shape, bool),
        lambda removed: np.zeros(len(removed)),
        lambda removed: jnp.zeros(len(removed), jnp.int32),
        lambda removed: None,
        lambda removed: True,
    ],
)
def test_a_model_that_answers_something_else_is_refused(answer):
    with pytest.raises(InputError, match="verify_fn returned .* must return bool"):
        cleann(star(4), 0, answer)


@pytest.mark.parametrize("max_queries", [None, 500, *range(2, 13)])
@pytest.mark.parametrize("n_larger", [1, 3, 4, 5, 20])
def test_budget_means_that_the_number_of_queries_was_reached(n_larger, max_queries):
    found = cleann(
        star(6),
        0,
        lambda removed: np.zeros(len(removed), bool),
        max_size=1,
        n_larger=n_larger,
        max_queries=max_queries,
        batch_size=2,
    )
    # Each of five nodes; then growing sets of two to five, since that of one was asked for.
    n_candidates = 5 + min(n_larger, 4)
    reached = max_queries is not None and max_queries < n_candidates
    assert found.status == ("budget" if reached else "not found")
    assert found.n_queries == (max_queries if reached else n_candidates)
