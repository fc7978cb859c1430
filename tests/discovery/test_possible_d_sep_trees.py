"""Possible-d-sep trees against a plain search, and against those of the search with caps."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jaxcause.discovery import possible_d_sep_distances
from jaxcause.discovery._host import possible_d_sep_trees
from jaxcause.discovery._host.possible_d_sep_trees import (
    first_of_each_value,
    grow_trees,
    members,
)
from jaxcause.discovery._kernel.bits import unpack
from jaxcause.discovery._traced.icd_sep import grow_tree


def tree_by_hand(marks, root):
    """Breadth first over branches, with a set of used edges, as the paper describes it."""
    n = len(marks)
    depth = dict.fromkeys((v for v in range(n) if marks[root, v]), 1)
    used = {frozenset((root, v)) for v in depth}
    layer = [(root, v) for v in sorted(depth)]
    distance = 1
    # A branch uses each edge once, but may come back to a node: it can be longer than n.
    while layer:
        distance, following = distance + 1, []
        for a, b in layer:
            for c in range(n):
                if c == a or not marks[b, c] or frozenset((b, c)) in used:
                    continue
                collider = marks[a, b] == 2 and marks[c, b] == 2
                if marks[a, c] or collider:
                    used.add(frozenset((b, c)))
                    following.append((b, c))
                    depth.setdefault(c, distance)
        layer = following
    depth.pop(root, None)
    return [depth.get(v, 0) for v in range(n)]


def random_marks(rng, n_graphs, n, density):
    edge = np.triu(rng.random((n_graphs, n, n)) < density, 1)
    return np.where(edge | np.swapaxes(edge, 1, 2), rng.integers(1, 4, (n_graphs, n, n)), 0)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 9), st.floats(0.1, 0.9))
@example(109, 8, 0.5)  # a node that only a branch of nine edges reaches
def test_trees_against_a_plain_search(seed, n, density):
    graphs = random_marks(np.random.default_rng(seed), 3, n, density)
    for root in range(n):
        expected = [tree_by_hand(marks, root) for marks in graphs]
        assert possible_d_sep_distances(graphs, root).tolist() == expected
        cut = np.where(np.array(expected) <= 2, expected, 0)
        assert (possible_d_sep_distances(graphs, root, 2) == cut).all()


@pytest.mark.parametrize("n", [9, 70])
def test_trees_of_one_root_are_those_of_all_roots(n):
    marks = random_marks(np.random.default_rng(n), 4, n, 0.25)
    every = grow_trees(marks, depth=n).distance.reshape(4, n, n)
    for root in range(0, n, 7):
        assert (possible_d_sep_distances(marks, root) == every[:, root]).all()
    assert every.max() >= 2


@pytest.mark.parametrize(("n", "density"), [(9, 0.3), (9, 0.8), (40, 0.1)])
@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_both_searches_grow_the_same_trees(n, density, depth):
    marks = random_marks(np.random.default_rng(n), 3, n, density).astype(np.int8)
    found = grow_trees(marks, depth=depth)
    expected = grow_tree(jnp.asarray(marks), depth=depth)
    np.testing.assert_array_equal(found.distance, np.asarray(expected.distance).reshape(-1, n))
    # The search with caps knows a branch by its last step b, c: it ends in c, and goes through b.
    step = np.asarray(expected.branch).reshape(-1, n, n)
    before = np.asarray(unpack(expected.before, n)).reshape(-1, n, n, n)
    for tree in range(3 * n):
        some = slice(found.starts[tree], found.starts[tree + 1])
        branches = zip(found.head[some].tolist(), sets(found.before[some], n), strict=True)
        there = {
            (c, frozenset(np.flatnonzero(before[tree, b, c]))) for b, c in np.argwhere(step[tree])
        }
        assert set(branches) == there
        assert step[tree].sum() == found.starts[tree + 1] - found.starts[tree]


def sets(words, n):
    """Sets of nodes as Python's."""
    row, node = members(words, n)
    return [frozenset(node[row == k].tolist()) for k in range(len(words))]


def test_a_tree_drawn_by_hand():
    # 0 → 1 ← 2 ← 3, and 4 alone: 1 is a collider, so the tree goes on to 2; 2 is none, and ends it.
    marks = np.zeros((5, 5), int)
    for cause, effect in [(0, 1), (2, 1), (3, 2)]:
        marks[cause, effect], marks[effect, cause] = 2, 3
    assert possible_d_sep_distances(marks[None], 0).tolist() == [[0, 1, 2, 0, 0]]
    assert possible_d_sep_distances(marks[None], 2).tolist() == [[2, 1, 0, 1, 0]]
    assert possible_d_sep_distances(marks[None], 4).tolist() == [[0] * 5]


@given(st.lists(st.integers(0, 8), max_size=40))
def test_the_first_of_each_value_is_found_by_table_and_by_sorting(values):
    value = np.array(values, np.int64)
    expected = sorted({v: k for k, v in reversed(list(enumerate(values)))}.values())
    with pytest.MonkeyPatch.context() as patched:
        for most in (possible_d_sep_trees.MOST_SLOTS, 1):
            patched.setattr(possible_d_sep_trees, "MOST_SLOTS", most)
            assert first_of_each_value(value, 9).tolist() == expected
