"""Rows in the order of their times, whatever the times are and in whatever order rows stand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxcause import InputError
from jaxcause.io import read_series
from jaxcause.series import as_series_table

N = 40
X = np.round(np.random.default_rng(0).normal(size=(N, 2)), 4)
FRAME = pd.DataFrame(X, columns=["rain", "river"])
YEARS = np.arange(1700, 1700 + N)
MONTHS = (1950 + np.arange(N) // 12) * 100 + np.arange(N) % 12 + 1
DAYS = np.array(pd.date_range("2020-01-15", periods=N).strftime("%Y%m%d").astype(int))

TIMES = [
    ("year", YEARS),
    ("Jahr", YEARS),
    ("time", np.arange(N)),
    ("time", np.round(np.cumsum(np.random.default_rng(1).uniform(0.5, 2, N)), 3)),
    ("period", MONTHS),
    ("date", MONTHS),
    ("when", DAYS),
    ("yyyymm", MONTHS),
    ("", np.arange(N)),
    ("t", np.arange(N) * 0.25),
]
ORDERS = {"newest first": np.arange(N)[::-1], "shuffled": np.random.default_rng(2).permutation(N)}


@pytest.mark.parametrize(("name", "times"), TIMES)
@pytest.mark.parametrize("order", ORDERS)
def test_numbers_of_a_time_put_rows_in_order(name, times, order, tmp_path):
    frame = FRAME.copy()
    frame.insert(0, name, times)
    moved = frame.iloc[ORDERS[order]]
    moved.to_csv(tmp_path / "x.csv", index=False)
    index = moved.set_index(name).rename_axis(name or None)
    columns = {key: moved[key].to_numpy() for key in moved}
    for read in (read_series(tmp_path / "x.csv"), *map(as_series_table, (moved, index, columns))):
        assert read.names == ("rain", "river")
        np.testing.assert_array_equal(read.values, X)
        notes = " ".join(read.notes)
        assert "Rows were not in the order of time" in notes
        assert (order in notes) == (order == "newest first")


@settings(max_examples=40, deadline=None)
@given(st.permutations(range(24)), st.sets(st.integers(1, 22), max_size=5), st.booleans())
def test_any_order_and_any_holes_give_the_table_of_the_rows_in_order(order, holes, as_index):
    kept = [k for k in order if k not in holes]
    frame = FRAME.assign(year=YEARS).iloc[kept]
    frame = frame.set_index("year") if as_index else frame[["year", "rain", "river"]]
    sorted_ = as_series_table(frame.sort_index() if as_index else frame.sort_values("year"))
    read = as_series_table(frame)
    np.testing.assert_array_equal(read.values, sorted_.values)
    np.testing.assert_array_equal(read.segment, sorted_.segment)
    assert read.segment[-1] > 0 if holes else read.segment[-1] == 0


def test_a_default_index_with_holes_shows_the_gaps_that_a_file_of_it_shows(tmp_path):
    frame = FRAME.copy()
    frame.iloc[[3, 17, 18], 0] = np.nan
    left = frame.dropna()
    left.to_csv(tmp_path / "x.csv")
    left.to_parquet(tmp_path / "x.parquet")
    read = as_series_table(left)
    assert "The index was taken for the time and left out." in read.notes
    for file in ("x.csv", "x.parquet"):
        of_file = read_series(tmp_path / file)
        np.testing.assert_array_equal(read.segment, of_file.segment)
        assert of_file.notes[1:] == read.notes[1:]
    assert not as_series_table(FRAME).notes
    assert not as_series_table(FRAME.iloc[::2]).notes


def test_a_default_index_in_another_order_puts_rows_back():
    for frame in (FRAME.sort_values("rain"), FRAME.iloc[::-1]):
        np.testing.assert_array_equal(as_series_table(frame).values, X)
    with pytest.raises(InputError, match="mask and domain count rows as they are given"):
        as_series_table(FRAME.iloc[::-1], movable=False)


def test_an_index_that_begins_anew_or_counts_backwards_under_another_name_is_told_of():
    twice = pd.concat([FRAME, FRAME.iloc[:5]])
    assert any("The index numbers rows" in note for note in as_series_table(twice).notes)
    dated = twice.assign(date=pd.date_range("2020", periods=len(twice)))
    assert not any("index" in note for note in as_series_table(dated).notes)
    back = FRAME.rename_axis("site").iloc[::-1]
    assert any("The index 'site' falls" in note for note in as_series_table(back).notes)
    np.testing.assert_array_equal(as_series_table(back, time_column="site").values, X)


@pytest.mark.parametrize("swapped", [False, True])
def test_levels_of_an_index_that_tell_series_apart_are_an_error(swapped):
    dated = FRAME.set_index(pd.date_range("2020", periods=N))
    panel = pd.concat({"A": dated, "B": dated}, names=["station", "date"])
    one = panel.loc[["B"]]
    if swapped:
        panel, one = panel.swaplevel().sort_index(), one.swaplevel()
    with pytest.raises(InputError, match=r"part.droplevel\('station'\) for _, part in frame"):
        as_series_table(panel)
    parts = [part.droplevel("station") for _, part in panel.groupby(level="station")]
    assert as_series_table(parts).segment.tolist() == [0] * N + [1] * N
    read = as_series_table(one)
    assert read.times is not None
    assert read.names == ("rain", "river")
    levels = [np.arange(N) // 12 + 2000, np.arange(N) % 12 + 1]
    monthly = FRAME.set_index(pd.MultiIndex.from_arrays(levels, names=["year", "month"]))
    assert "Columns 'year', 'month' were taken for the time" in as_series_table(monthly).notes[0]


def test_numbers_of_a_time_that_begin_anew_are_an_error():
    stacked = pd.concat([FRAME.assign(time=np.arange(N))] * 2)
    with pytest.raises(InputError, match=r"'time' is called like a time and begins anew at row 41"):
        as_series_table(stacked)


@pytest.mark.parametrize("name", ["row_number", "id", "count", "x"])
def test_a_column_that_counts_rows_is_no_variable(name):
    table = as_series_table(FRAME.assign(**{name: np.arange(N) * 3 + 7}))
    assert table.names == ("rain", "river")
    assert any(f"Column '{name}' rises by 3" in note for note in table.notes)


@pytest.mark.parametrize("name", ["TIME", "year", "id"])
def test_a_time_is_known_by_its_name_wherever_it_stands(name):
    table = as_series_table(FRAME.assign(**{name: YEARS}).drop(index=[5, 6]))
    assert table.names == ("rain", "river")
    assert table.segment.tolist() == [0] * 5 + [1] * (N - 7)


def test_a_variable_under_a_vague_name_stays_one():
    table = as_series_table(pd.DataFrame({"t": X[:, 0], "river": X[:, 1], "index": X[:, 0] ** 2}))
    assert table.names == ("t", "river", "index")


def test_a_variable_that_is_called_like_a_time_or_counts_rows_is_told_of():
    years = pd.DataFrame({"year": YEARS // 4, "rain": X[:, 0], "river": X[:, 1]})
    read = as_series_table(years)
    assert read.names == ("year", "rain", "river")
    assert any("'year' is called like a time, but" in note for note in read.notes)
    array = as_series_table(np.column_stack([np.arange(N), X]))
    assert array.names == ("X0", "X1", "X2")
    assert any("Column 'X0' changes by the same step" in note for note in array.notes)
