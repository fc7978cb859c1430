"""Several series that stand in one table are refused, however their rows are sorted."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxcause import InputError
from jaxcause.io import read_series
from jaxcause.series import as_series_table

N = 30
DAYS = pd.date_range("2020-01-01", periods=N)


def part(label, seed, key="station"):
    x = np.random.default_rng(seed).normal(size=(N, 2))
    frame = pd.DataFrame(x, columns=["rain", "river"])
    return frame.assign(**{key: label, "date": DAYS, "year": np.arange(1970, 1970 + N)})


@settings(max_examples=30, deadline=None)
@given(
    st.integers(2, 5),
    st.booleans(),
    st.sampled_from(["date", "year"]),
    st.integers(0, 9),
    st.booleans(),
)
def test_a_column_that_tells_rows_of_one_time_apart(n_series, as_number, when, seed, alike):
    labels = range(3, 3 + n_series) if as_number and when == "date" else "ABCDE"[:n_series]
    parts = [part(label, 0 if alike else k) for k, label in enumerate(labels)]
    other = {"date": "year", "year": "date"}[when]
    panel = pd.concat(parts).drop(columns=other)
    shuffled = panel.sample(frac=1, random_state=seed)
    for frame in (panel, panel.sort_values(when), shuffled):
        frame = frame.reset_index(drop=True)
        told = f"'{when}' (occur up to {n_series} times.*'station'|is called .* begins anew)"
        with pytest.raises(InputError, match=told):
            as_series_table(frame)


def test_a_file_is_told_to_be_split_and_parts_are_read(tmp_path):
    panel = pd.concat([part("A", 1), part("B", 2)]).sort_values("date").drop(columns="year")
    panel.to_csv(tmp_path / "x.csv", index=False)
    with pytest.raises(InputError, match="save the rows of each 'station' as a file"):
        read_series(tmp_path / "x.csv")
    table = as_series_table([one for _, one in panel.groupby("station")])
    assert table.segment.tolist() == [0] * N + [1] * N


def test_text_and_counts_beside_one_series_are_none():
    rng = np.random.default_rng(0)
    frame = part("A", 1).assign(quality=["good", "bad"] * (N // 2), visits=rng.poisson(3, N))
    assert as_series_table(frame.drop(columns="year")).names == ("rain", "river", "visits")
    doubled = frame.iloc[[*range(5), 4, *range(5, N)]].drop(columns="year").reset_index(drop=True)
    assert len(as_series_table(doubled).values) == N
