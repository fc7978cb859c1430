"""Copies of a column, exact or rounded apart, say the same to every search in any order."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxcause as jc
from jaxcause.stats import partial_correlation_test, partial_correlation_test_from_data

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
