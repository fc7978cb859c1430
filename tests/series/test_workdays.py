"""Daily series without weekends: a lag counts business days, and longer holes are gaps."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxcause as jc
from jaxcause import InputError
from jaxcause.series import as_series_table, resampled

N = 260


def series(days):
    x = np.random.default_rng(0).normal(size=(len(days), 3))
    x[2:, 1] += 0.8 * x[:-2, 0]
    return pd.DataFrame(x, columns=["rain", "river", "snow"]).assign(date=days)


WEEKDAYS = pd.bdate_range("2021-01-04", periods=N)


def test_lags_count_business_days():
    found = jc.discover(series(WEEKDAYS), 2, method="var", progress=False)
    assert ("rain", 2, "-->", "river") in found.graph.edges(found.names)
    assert "Weekends are left out: a lag counts business days." in found.info.notes


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize("hour", [0, 16])
def test_hours_and_zones_make_no_difference(zone, hour):
    local = (WEEKDAYS + pd.Timedelta(hours=hour)).tz_localize(zone)
    table = as_series_table(series(local.strftime("%Y-%m-%dT%H:%M:%S%z")))
    assert table.segment.max() == 0
    assert any("left out: a lag counts" in note for note in table.notes)


@settings(max_examples=60, deadline=None)
@given(
    st.sets(st.integers(0, 6), min_size=1, max_size=2),
    st.sets(st.integers(1, 200), max_size=6),
    st.integers(0, 1),
)
def test_days_of_rest_are_no_gaps_and_a_long_hole_is_one(rest, holidays, hole):
    every = np.arange("2020-01-01", "2021-01-01", dtype="M8[D]")
    days = every[[(day.astype(int) + 3) % 7 not in rest for day in every]]
    lone = {k for k in holidays if not {k - 1, k - 2, k + 1, k + 2} & holidays}
    left = np.setdiff1d(np.arange(len(days)), [*lone, *(range(210, 214) if hole else ())])
    table = as_series_table(series(days[left]))
    assert table.segment.max() == hole
    notes = " ".join(table.notes)
    assert "are left out: a lag counts" in notes
    assert (f"{len(lone)} further day" in notes) == bool(lone)
    assert ("Time has 1 gap;" in notes) == bool(hole)


def test_many_single_holes_are_gaps():
    left = WEEKDAYS.delete(np.arange(3, 250, 9))
    assert as_series_table(series(left)).segment.max() == 28
    daily = pd.date_range("2021-01-01", periods=100).delete([20, 55])
    assert as_series_table(series(daily)).segment.max() == 2


def test_days_of_the_calendar_are_asked_for_by_resample():
    table = resampled(as_series_table(series(WEEKDAYS)), "1d")
    assert any("no rows on Saturdays and Sundays" in note for note in table.notes)
    with pytest.raises(InputError, match="since days of rest have no rows; leave resample out"):
        jc.discover(series(WEEKDAYS), 5, method="var", resample="1d", progress=False)
    found = jc.discover(series(WEEKDAYS), 2, method="var", resample="1d", progress=False)
    assert any("no rows on Saturdays" in note for note in found.info.notes)


def test_an_error_for_want_of_windows_names_the_reason():
    frame = series(pd.date_range("2021-01-01", periods=N))
    holed = frame.iloc[[k for k in range(N) if k % 5]]
    message = r"gaps in time leave no window of 6 rows: the 208 rows are 52 stretches of at most 4"
    with pytest.raises(InputError, match=message):
        jc.discover(holed, 5, method="var", progress=False)
    frame.loc[::4, "snow"] = np.nan
    with pytest.raises(InputError, match=r"195 of 260 rows are complete, at most 3 in a row; fill"):
        jc.discover(frame, 5, method="var", progress=False)
