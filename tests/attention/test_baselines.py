import collections
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from attention_cases import softmax_attention

from jaxcause import InputError
from jaxcause.attention import _baselines as baselines
from jaxcause.attention import (
    attention_received,
    attention_rollout,
    explain_by_subsets,
    explain_exhaustively,
    explain_in_order,
    input_x_gradient,
    leave_one_out,
)


class Model:
    """Changes its output when a set is removed; remembers what it was asked."""

    def __init__(self, *explanation):
        self.explanation, self.asked = frozenset(explanation), []

    def __call__(self, removed):
        sets = [frozenset(np.flatnonzero(row).tolist()) for row in removed]
        self.asked += [s for s in sets if s]
        return np.array([bool(s) and self.explanation <= s for s in sets], bool)


def test_in_order_adds_the_best_until_the_output_changes():
    model = Model(1, 3)
    found = explain_in_order(np.array([0.1, 0.9, 0.5, 0.3]), model)
    assert found.found == (((1, 2, 3), (), 3),)
    assert model.asked[:3] == [{1}, {1, 2}, {1, 2, 3}]
    few = explain_in_order(np.array([0.1, 0.9, 0.5, 0.3]), Model(1, 3), max_size=2)
    assert few == ((), 2, "not found")
    allowed = np.array([True, True, False, True])
    some = explain_in_order(np.array([0.1, 0.9, 0.5, 0.3]), Model(1, 3), removable=allowed)
    assert some.found[0].nodes == (1, 3)


def test_in_order_takes_the_earlier_of_equal_scores():
    model = Model(9)
    explain_in_order(jnp.ones(3), model, max_queries=2)
    assert model.asked == [{0}, {0, 1}]


def test_subsets_by_score_against_sorting_them_all():
    scores = np.array([0.5, -1.0, 0.25, 1.0, 0.25])
    model = Model(9)
    found = explain_by_subsets(scores, model, max_size=3, batch_size=1)
    subsets = [s for size in (1, 2, 3) for s in itertools.combinations(range(5), size)]
    assert len(model.asked) == len(set(model.asked)) == found.n_queries == len(subsets)
    totals = [(len(s), -sum(scores[list(s)])) for s in model.asked]
    assert totals == sorted((len(s), -sum(scores[list(s)])) for s in subsets)


def test_random_subsets_are_all_subsets_in_an_order_of_the_key():
    orders = []
    for seed in (0, 0, 1):
        model = Model(99)
        found = explain_by_subsets(jax.random.key(seed), model, n_nodes=6, max_size=3)
        expected = [frozenset(s) for k in (1, 2, 3) for s in itertools.combinations(range(6), k)]
        assert found.n_queries == len(expected)
        assert sorted(map(sorted, model.asked)) == sorted(map(sorted, expected))
        sizes = [len(s) for s in model.asked]
        assert sizes == sorted(sizes)
        orders.append(model.asked)
    assert orders[0] == orders[1] != orders[2]


def test_random_subsets_are_uniform():
    first = collections.Counter()
    for seed in range(300):
        model = Model(99)
        key = jax.random.key(seed)
        removable = np.arange(6) != 2
        explain_by_subsets(key, model, n_nodes=6, removable=removable, max_queries=6, batch_size=6)
        first[model.asked[5]] += 1  # the first of the ten pairs
    assert len(first) == 10
    assert all(2 not in pair for pair in first)
    assert sum((count - 30) ** 2 / 30 for count in first.values()) < 27.9  # χ², 9 degrees, .001


def test_of_very_many_subsets_few_are_drawn(monkeypatch):
    monkeypatch.setattr(baselines, "_DRAWN", 4)
    model = Model(99)
    explain_by_subsets(jax.random.key(0), model, n_nodes=5)
    assert len(set(model.asked)) == len(model.asked) == 31
    monkeypatch.undo()
    model = Model(99)
    found = explain_by_subsets(jax.random.key(0), model, n_nodes=40, max_queries=11_000)
    assert found.n_queries == len(set(model.asked)) == 11_000  # C(40, 3) = 9,880, and 300 of four
    assert len(model.asked[-1]) == 4


def test_exhaustive_is_every_subset_in_lexicographic_order():
    model = Model(99)
    found = explain_exhaustively(5, model)
    subsets = [set(s) for size in range(1, 6) for s in itertools.combinations(range(5), size)]
    assert model.asked == subsets
    assert found == ((), 31, "not found")
    assert explain_exhaustively(0, Model(0)) == ((), 0, "not found")
    assert explain_exhaustively(5, Model(0, 4), max_queries=4).status == "budget"
    assert explain_exhaustively(5, Model(1, 4), batch_size=1).found[0].n_queries == 5 + 7


def test_attention_received_by_hand():
    attn = softmax_attention(0, 4, graphs=(2, 3))
    mean = attn.sum(axis=(0, 1)) / 6
    np.testing.assert_allclose(attention_received(attn, target=2), mean[2], atol=1e-15)
    np.testing.assert_allclose(
        attention_received(attn.astype(np.float32)), mean.mean(axis=0), atol=1e-7
    )


def test_rollout_is_the_sum_over_all_paths():
    attn = softmax_attention(1, 3, graphs=(3, 2))
    step = attn.mean(axis=1) / 2 + np.eye(3) / 2
    expected = np.zeros(3)
    for last, middle, first in itertools.product(range(3), repeat=3):
        # From the target at the last layer down to the input.
        expected[first] += step[2, 1, last] * step[1, last, middle] * step[0, middle, first]
    np.testing.assert_allclose(attention_rollout(attn, target=1), expected, atol=1e-15)
    assert math.isclose(attention_rollout(attn, target=0).sum(), 1.0)


def test_leave_one_out_asks_once_about_each_node():
    calls = []

    def probability(removed):
        calls.append(removed)
        return 0.8 - removed @ np.array([0.1, 0.0, 0.5, -0.1])

    np.testing.assert_allclose(leave_one_out(probability, 4), [0.1, 0, 0.5, -0.1], atol=1e-12)
    assert len(calls) == 1
    assert calls[0].sum() == 4


def test_input_x_gradient_against_differences():
    rng = np.random.default_rng(0)
    embeddings = rng.normal(size=(4, 3)).astype(np.float32)
    weights = jnp.asarray(rng.normal(size=(4, 3)), jnp.float32)

    def logit(e):
        return jnp.tanh((e * weights).sum(axis=1)).sum()

    got = input_x_gradient(logit, embeddings)
    h = 1e-2
    for token in range(4):
        scaled = [embeddings.copy() for _ in range(2)]
        scaled[0][token] *= 1 + h
        scaled[1][token] *= 1 - h
        slope = float(logit(jnp.asarray(scaled[0])) - logit(jnp.asarray(scaled[1]))) / (2 * h)
        assert abs(got[token] - abs(slope)) < 2e-3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: explain_in_order(np.array([1.0, np.nan]), Model()), "NaN"),
        (lambda: explain_in_order(np.ones((2, 2)), Model()), r"shape \(2, 2\)"),
        (lambda: explain_in_order(np.array([np.inf]), Model()), "1 NaN or infinite"),
        (lambda: explain_in_order(np.ones(3), Model(), removable=np.ones(2, bool)), "removable"),
        (lambda: explain_in_order(np.ones(3), Model(), max_size=0), "max_size=0"),
        (lambda: explain_by_subsets(np.ones(3), Model(), max_size=-1), "max_size=-1"),
        (lambda: explain_by_subsets(jax.random.key(0), Model()), "n_nodes is missing"),
        (lambda: explain_exhaustively(-1, Model()), "n_nodes=-1"),
        (lambda: explain_exhaustively(3, Model(), batch_size=0), "batch_size=0"),
        (lambda: explain_exhaustively(3, lambda removed: removed), "verify_fn returned"),
        (lambda: attention_received(np.ones((2, 3))), "attn has shape"),
        (lambda: attention_received(np.ones((2, 2)), target=2), "target=2"),
        (lambda: attention_rollout(np.ones((2, 2)), target=0), "layers, heads"),
        (lambda: attention_rollout(np.ones((1, 2, 2)), target=-1), "target=-1"),
    ],
)
def test_bad_arguments_are_refused(call, message, untyped):
    with pytest.raises(InputError, match=message):
        call()
