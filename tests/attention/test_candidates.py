"""The order of candidates, against all subsets sorted by a key that is written out here."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxcause.attention._candidates import subsets_by_cost, subsets_of_trees, whole_numbers


def all_sorted(distances, weights, max_size):
    """Sets that lie in one tree; weights are multiples of 1/8, so their sums are exact."""
    n = distances.shape[1]
    near = [min((row[v] for row in distances if row[v] > 0), default=0) for v in range(n)]
    ranked = sorted((v for v in range(n) if near[v]), key=lambda v: (near[v], -weights[v], v))
    keyed = []
    for size in range(1, len(ranked) + 1 if max_size is None else max_size + 1):
        for ranks in itertools.combinations(range(len(ranked)), size):
            members = [ranked[rank] for rank in ranks]
            sums = [sum(row[v] for v in members) for row in distances if all(row[members] > 0)]
            if sums:
                weight = sum(weights[v] for v in members)
                keyed.append(((size, min(sums), -len(sums), -weight, ranks), tuple(members)))
    return [members for _, members in sorted(keyed)]


trees = st.integers(1, 4).flatmap(
    lambda heads: st.lists(
        st.tuples(
            st.lists(st.integers(0, 3), min_size=heads, max_size=heads),
            st.integers(0, 8).map(lambda eighths: eighths / 8),
        ),
        min_size=1,
        max_size=7,
    )
)


@settings(max_examples=150, deadline=None)
@given(trees, st.one_of(st.none(), st.integers(1, 4)))
def test_the_lazy_order_is_the_sorted_order(nodes, max_size):
    distances = np.array([d for d, _ in nodes]).T
    weights = np.array([w for _, w in nodes])
    # The largest weight is a power of two, so that no weight is rounded.
    weights[0] = 1.0
    given_order = list(subsets_of_trees(distances, weights, max_size))
    assert given_order == all_sorted(distances, weights, max_size)
    assert len({frozenset(s) for s in given_order}) == len(given_order)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 7), st.integers(1, 4))
def test_one_tree_twice_is_one_tree(seed, n, max_size):
    rng = np.random.default_rng(seed)
    tree, weights = rng.integers(0, 4, (1, n)), rng.normal(size=n)
    once = list(subsets_of_trees(tree, weights, max_size))
    assert once == list(subsets_of_trees(np.repeat(tree, 3, axis=0), weights, max_size))


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.integers(-3, 3), min_size=0, max_size=8), st.one_of(st.none(), st.integers(1, 9))
)
def test_subsets_by_cost_are_all_subsets_sorted(costs, max_size):
    nodes = [10 * i for i in range(len(costs))]
    rank = sorted(range(len(costs)), key=lambda i: costs[i])
    keyed = []
    for size in range(1, len(costs) + 1 if max_size is None else max_size + 1):
        for ranks in itertools.combinations(range(len(costs)), size):
            members = [rank[r] for r in ranks]
            keyed.append((size, sum(costs[i] for i in members), ranks, [nodes[i] for i in members]))
    expected = [tuple(members) for *_, members in sorted(keyed)]
    assert list(subsets_by_cost(nodes, costs, max_size)) == expected


@pytest.mark.parametrize("heads", [1, 12])
def test_few_of_very_many_sets_are_made(heads):
    # C(60, 8) = 2.6e9 sets: whoever makes them all does not come back.
    rng = np.random.default_rng(heads)
    distances = rng.integers(1, 4, (heads, 60))
    for first, last in [(0, 60), (60, 60 + 1770), (60 + 1770, 60 + 1770 + 1000)]:
        some = itertools.islice(subsets_of_trees(distances, rng.random(60), 8), first, last)
        assert len(list(some)) == last - first
    zeros = subsets_by_cost(range(60), [0] * 60, 8)
    assert list(itertools.islice(zeros, 3)) == [(0,), (1,), (2,)]


def test_whole_numbers_keep_order_and_twelve_digits():
    values = np.array([0.5, -1e-3, 0.0, 3.0])
    whole = whole_numbers(values)
    np.testing.assert_allclose(whole / whole.max() * 3.0, values, atol=1e-11)
    assert whole_numbers(np.zeros(3)).tolist() == [0, 0, 0]
