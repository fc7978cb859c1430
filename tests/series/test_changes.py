"""Changes from row to row, and the way back to levels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jaxcause import InputError
from jaxcause.series import (
    SeriesTable,
    after_change,
    as_series_table,
    changes,
    fit_level,
    window_starts,
)


@st.composite
def positive_tables(draw):
    """A series of some stretches without missing values."""
    lengths = draw(st.lists(st.integers(1, 8), min_size=1, max_size=4))
    values = draw(arrays(np.float64, (sum(lengths), 3), elements=st.floats(0, 1e4)))
    return SeriesTable(values, ("a", "b", "c"), np.repeat(np.arange(len(lengths)), lengths))


@given(positive_tables(), st.sampled_from(["difference", "log_difference"]))
@settings(max_examples=150, deadline=None)
def test_changes_and_their_sums_are_inverse(table, kind):
    if kind == "log_difference":
        table = table._replace(values=table.values + 0.1)
    level = fit_level(table, kind)
    moved = changes(table, level)
    assert moved.values.shape == table.values.shape
    for stretch in np.unique(table.segment):
        rows = np.flatnonzero(table.segment == stretch)
        assert np.isnan(moved.values[rows[0]]).all()
        assert not np.isnan(moved.values[rows[1:]]).any()
        level_now = table.values[rows[:1]]
        for row in rows[1:]:
            level_now = after_change(level, moved.values[row : row + 1], level_now)
            np.testing.assert_allclose(level_now[0], table.values[row], rtol=1e-6, atol=1e-5)


@given(positive_tables())
@settings(max_examples=100, deadline=None)
def test_no_window_holds_the_first_row_of_a_stretch(table):
    moved = changes(table, fit_level(table, "difference"))
    everywhere = np.ones(len(table.values), bool)
    starts = window_starts(everywhere, moved.segment, length=2)
    inside = window_starts(everywhere, table.segment, length=3) + 1
    assert starts.tolist() == inside.tolist()


def test_other_transforms_take_no_changes():
    table = as_series_table(np.random.default_rng(0).normal(size=(9, 2)))
    for kind in ("standardise", "copula", "auto"):
        assert fit_level(table, kind) is None
        assert changes(table, None) is table
    with pytest.raises(InputError, match="log_difference' needs non-negative values"):
        fit_level(table, "log_difference")


def test_a_missing_value_leaves_two_changes_missing():
    x = np.arange(12.0).reshape(6, 2) ** 2
    x[2, 1] = np.nan
    table = as_series_table(x)
    moved = changes(table, fit_level(table, "difference"))
    assert np.isnan(moved.values[:, 1]).tolist() == [True, False, True, True, False, False]
    assert np.isnan(moved.values[:, 0]).tolist() == [True] + [False] * 5
