"""Copies of a column, exact or rounded apart, say the same to every search in any order."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxcause as jc
from jaxcause.discovery import refine
from jaxcause.graph import Mark
from jaxcause.stats import (
    partial_correlation_test,
    partial_correlation_test_from_data,
    rank_correlation_test_from_data,
)

SEARCHES = {"pc": jc.pc, "fci": jc.fci, "icd": jc.icd}
COPIES = {
    "copy": lambda y: y,
    "rescaled": lambda y: 1.8 * y + 32,
    "negated": lambda y: -y,
    "kelvin in single precision": lambda y: (
        (10 + 5 * y).astype(np.float32) + np.float32(273.15)
    ).astype(np.float64),
}


def chain(seed, make, n_rows=500):
    """X → Y → Z, and a copy of Y."""
    rng = np.random.default_rng(seed)
    x, noise = rng.normal(size=n_rows), rng.normal(size=(n_rows, 2))
    y = 0.8 * x + noise[:, 0]
    if "single" in make:
        y = ((10 + 5 * y).astype(np.float32).astype(np.float64) - 10) / 5
    return np.column_stack([x, y, COPIES[make](y), 0.8 * y + noise[:, 1]])


@pytest.mark.parametrize("caps", [None, jc.Caps(3, 2)], ids=["host", "caps"])
@pytest.mark.parametrize("make", COPIES)
@pytest.mark.parametrize("search", SEARCHES)
def test_a_copy_is_adjacent_to_what_its_original_is_and_makes_no_collider(search, make, caps):
    for seed in range(3):
        found = SEARCHES[search](partial_correlation_test_from_data(chain(seed, make)), caps=caps)
        marks = np.asarray(found.graph.marks)
        adjacent = np.argwhere(np.triu(marks != 0)).tolist()
        assert adjacent == [[0, 1], [0, 2], [1, 2], [1, 3], [2, 3]]
        assert (marks != jc.graph.Mark.ARROW).all()
        assert np.asarray(found.info.indistinct)[1, 2]


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n_copies=st.integers(1, 3),
    search=st.sampled_from(sorted(SEARCHES)),
)
def test_the_order_of_columns_with_copies_does_not_matter(seed, n_copies, search):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(300, 4))
    for k in range(1, 4):
        x[:, k] += x[:, :k] @ rng.choice([0, 0.7, -0.7], k)
    more = [rng.uniform(0.5, 3) * x[:, rng.integers(4)] for _ in range(n_copies)]
    x = np.column_stack([x, *more])
    order = rng.permutation(x.shape[1])
    one, other = (
        np.asarray(SEARCHES[search](partial_correlation_test_from_data(columns)).graph.marks)
        for columns in (x, x[:, order])
    )
    np.testing.assert_array_equal(other, one[np.ix_(order, order)])


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6), n_copies=st.integers(2, 4))
def test_correlations_of_copies_are_equal(seed, n_copies):
    """In whatever order they stand, and whatever rounding did to each."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(40, 3))
    signs = rng.choice([-1.0, 1.0], n_copies)
    copies = signs * x[:, :1] * (1 + 1e-8 * rng.normal(size=(40, n_copies)))
    columns = np.column_stack([copies, x[:, 1:]])
    corr = np.corrcoef(columns.T)
    equal = np.asarray(partial_correlation_test(corr, 40).corr)
    for a, b in itertools.combinations(range(n_copies), 2):
        np.testing.assert_array_equal(equal[a], signs[a] * signs[b] * equal[b])
    np.testing.assert_allclose(equal, corr, atol=1e-6)
    order = rng.permutation(len(corr))
    again = np.asarray(partial_correlation_test(corr[np.ix_(order, order)], 40).corr)
    np.testing.assert_array_equal(again, equal[np.ix_(order, order)])


TESTS = {
    "testwise": lambda x: partial_correlation_test_from_data(x, missing="testwise"),
    "pairwise": lambda x: partial_correlation_test_from_data(x, missing="pairwise"),
    "pairwise, shrunk": lambda x: partial_correlation_test_from_data(
        x, missing="pairwise", shrinkage=0.1
    ),
    "shrunk": lambda x: partial_correlation_test_from_data(x, shrinkage=0.02),
    "shrunk by itself": lambda x: partial_correlation_test_from_data(x, shrinkage="auto"),
    "shrunk ranks": lambda x: rank_correlation_test_from_data(x, method="spearman", shrinkage=0.02),
}
TAKES_HOLES = ("testwise", "pairwise", "pairwise, shrunk")


def with_copies(rng, make, *, own_holes):
    """A random system of four variables, up to three copies, and holes if the test takes them."""
    x = rng.normal(size=(200, 4))
    for k in range(1, 4):
        x[:, k] += x[:, :k] @ rng.choice([0, 0.7, -0.7], k)
    original = rng.integers(4, size=int(rng.integers(1, 4)))
    slope = rng.uniform(0.5, 3, original.size) * rng.choice([-1, 1], original.size)
    of = np.concatenate([np.arange(4), original])
    whole = np.column_stack([x, slope * x[:, original] + rng.normal(size=original.size)])
    if make in TAKES_HOLES:
        hole = rng.random(whole.shape) < 0.1
        whole[hole if own_holes else hole[:, of]] = np.nan
    return whole, of[:, None] == of


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    make=st.sampled_from(sorted(TESTS)),
    search=st.sampled_from(sorted(SEARCHES)),
    own_holes=st.booleans(),
)
def test_copies_are_known_and_treated_alike_whatever_is_tested(seed, make, search, own_holes):
    rng = np.random.default_rng(seed)
    x, same = with_copies(rng, make, own_holes=own_holes)
    order = rng.permutation(x.shape[1])
    one, other = (SEARCHES[search](TESTS[make](columns)) for columns in (x, x[:, order]))
    np.testing.assert_array_equal(one.info.indistinct, same & ~np.eye(len(same), dtype=bool))
    assert bool(one.info.singular)
    marks, permuted = np.asarray(one.graph.marks), np.asarray(other.graph.marks)
    np.testing.assert_array_equal(permuted, marks[np.ix_(order, order)])
    for i, j in np.argwhere(np.triu(same, 1)):
        assert marks[i, j] != 0
        rest = np.flatnonzero(~same[i])
        np.testing.assert_array_equal(marks[i, rest], marks[j, rest])
        np.testing.assert_array_equal(marks[rest, i], marks[rest, j])


@pytest.mark.parametrize("make", TESTS)
def test_no_copy_is_seen_where_there_is_none(make):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4)) + rng.normal(size=(60, 1))
    if make in TAKES_HOLES:
        x[rng.random(x.shape) < 0.2] = np.nan
    info = jc.pc(TESTS[make](x)).info
    assert not np.asarray(info.indistinct).any()
    assert not bool(info.singular)


def test_a_sum_is_singular_under_testwise_deletion():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 3))
    x[:, 2] = x[:, 0] - x[:, 1]
    x[rng.random(x.shape) < 0.1] = np.nan
    info = jc.pc(TESTS["testwise"](x)).info
    assert bool(info.singular)
    assert not np.asarray(info.indistinct).any()


def test_columns_that_agree_on_few_rows_are_not_filled_from_one_another():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 3))
    x[:, 1] = x[:, 0]
    x[:15, 0] = x[25:, 1] = np.nan  # they agree on 10 rows, and 15 would be filled
    test = TESTS["testwise"](x)
    assert int(test.samples.n_common[0, 0]) == 25
    x[:8, 0] = x[:8, 1]  # now they agree on 18 rows
    assert int(TESTS["testwise"](x).samples.n_common[0, 0]) == 40


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), latents=st.booleans())
def test_refine_of_a_series_with_copies(seed, latents):
    """A chain of effects at lag 0 has no collider at a copy of its middle, in any order."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(600, 3))
    x[:, 1] += 0.8 * x[:, 0]
    x[:, 2] += 0.8 * x[:, 1]
    columns = np.column_stack([x, rng.uniform(-3, 3) * x[:, 1] + 1])
    none = jc.LaggedGraph.from_mask(np.zeros((4, 4, 2), bool))
    options = {"latents": latents, "contemporaneous": True, "q": None}
    order = rng.permutation(4)
    one, other = (
        np.asarray(refine(none, values, **options).graph.marks)
        for values in (columns, columns[:, order])
    )
    np.testing.assert_array_equal(other, one[order][:, order])
    middle = one[:, [1, 3], 0, 1]
    assert not (middle == Mark.ARROW).any()


@pytest.mark.parametrize("caps", [None, jc.Caps(3, 2)], ids=["host", "caps"])
@pytest.mark.parametrize("make", [*TESTS, "complete"])
def test_near_copies_are_told_apart_from_copies(make, caps):
    rng = np.random.default_rng(0)
    x = chain(0, "copy")
    x[:, 2] += 0.01 * rng.normal(size=len(x))
    columns = np.column_stack([x, 3 * x[:, 0]])
    if make in TAKES_HOLES:
        columns[rng.random(columns.shape) < 0.02] = np.nan
    tests = TESTS | {"complete": partial_correlation_test_from_data}
    info = jc.pc(tests[make](columns), caps=caps, max_cond_size=2).info
    assert np.argwhere(np.triu(np.asarray(info.indistinct))).tolist() == [[0, 4]]
    # What was shrunk no longer shows them.
    near = [] if "shrunk" in make else [[1, 2]]
    assert np.argwhere(np.triu(np.asarray(info.nearly_indistinct))).tolist() == near
