"""A last row that sums up the others is left out, and no other is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxcause.series._reading.rows import total_row


@settings(max_examples=300, deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(2, 5),
    st.integers(20, 200),
    st.integers(-15, 12),
    st.sampled_from([0.0, 1.0, 1e3, 1e6, 1e12]),
    st.sampled_from([None, 0, 2]),
)
def test_an_ordinary_row_is_kept_at_any_scale(seed, n_vars, n, exponent, level, places):
    x = np.random.default_rng(seed).normal(size=(n, n_vars))
    x = x.round(places) if places is not None else x
    assert not total_row((x + level) * 10.0**exponent)


@pytest.mark.parametrize("unit", [1e-20, 1e-3, 0.25, 1.0, 1e3, 1e30])
def test_whole_numbers_of_a_unit_agree_by_chance(unit):
    # Few values are possible, so that the sum of all others is often one of them.
    rng = np.random.default_rng(0)
    for _ in range(300):
        assert not total_row(rng.normal(size=(20, 2)).round() * unit)


@pytest.mark.parametrize("scale", [1e-13, 1.0, 1e9])
@pytest.mark.parametrize("word", ["sum", "mean"])
@pytest.mark.parametrize("places", [None, 2])
def test_totals_are_found_at_any_scale(scale, word, places):
    x = np.random.default_rng(0).normal(size=(100, 3)) * 20 + 5
    x = x if places is None else x.round(places)
    total = getattr(x, word)(axis=0)
    table = np.vstack([x, total if places is None else total.round(places)]) * scale
    if places is None or scale == 1.0:
        assert total_row(table) == word


def test_counts_of_rare_events_are_no_totals():
    x = np.zeros((50, 2))
    x[[3, 9], [0, 1]] = 1
    assert not total_row(np.vstack([x, [1, 1]]))
    assert not total_row(np.vstack([np.full((20, 2), 3.0), [3, 3]]))
