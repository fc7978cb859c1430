"""Time in any guise, text beside numbers, remarks above a table, several files."""

import numpy as np
import pandas as pd
import pytest

from jaxcause import InputError
from jaxcause.io import read_csv, read_series
from jaxcause.series import as_series_table

X = np.random.default_rng(0).normal(size=(8, 2))
STEPS = np.array([0, 1, 2, 3, 5, 6, 7, 8])
SEGMENT = [0] * 4 + [1] * 4
HOURS = pd.to_timedelta(STEPS, unit="h")
MONTHS = pd.PeriodIndex.from_ordinals(STEPS + 600, freq="M")
FRAME = pd.DataFrame(X, columns=["rain", "river"])


@pytest.mark.parametrize(
    "index",
    [
        HOURS,
        MONTHS,
        pd.Index(STEPS),
        pd.Index(STEPS, name="time"),
        pd.Index(MONTHS.to_timestamp().date, name="day"),
        pd.Index(HOURS, name="rain"),
    ],
)
def test_an_index_that_is_a_time_shows_its_gaps(index):
    table = as_series_table(FRAME.set_index(index))
    assert table.names == ("rain", "river")
    assert table.segment.tolist() == SEGMENT
    assert "Time has 1 gap; no window crosses one." in table.notes


def test_an_index_of_another_name_is_no_time():
    table = as_series_table(FRAME.set_index(pd.Index(STEPS, name="site")))
    assert table.names == ("rain", "river")
    assert table.segment.tolist() == [0] * 8


@pytest.mark.parametrize("times", [HOURS, MONTHS])
def test_a_column_of_durations_or_periods_is_the_time(times):
    for frame in (FRAME.assign(time=times), FRAME.assign(since=times)):
        table = as_series_table(frame)
        assert table.names == ("rain", "river")
        assert table.segment.tolist() == SEGMENT


def test_the_name_of_an_index_can_be_told():
    index = pd.Index(STEPS, name="t")
    assert as_series_table(FRAME.set_index(index), time_column="t").segment.tolist() == SEGMENT


def test_text_is_left_out_of_every_kind_of_table(tmp_path):
    frame = FRAME.assign(site="Kempten", state=pd.Categorical(["raw", None] * 4))
    frame.to_csv(tmp_path / "x.csv", index=False)
    tables = [read_csv(tmp_path / "x.csv"), as_series_table(frame)]
    tables.append(as_series_table({name: frame[name].to_numpy() for name in frame}))
    pl = pytest.importorskip("polars")
    text = {"site": ["Kempten"] * 8, "state": ["raw", None] * 4}
    tables.append(as_series_table(pl.DataFrame({"rain": X[:, 0], "river": X[:, 1]} | text)))
    for table in tables:
        assert table.names == ("rain", "river")
        assert table.notes[0] == "Column 'site' holds text and was left out."
    for column, message in [
        (["1,5"] * 8, "decimal commas, such as '1,5' in row 1; pass decimal=',' to series.as"),
        (["x", 1.0] * 4, "column 'c' holds text in row 1: 'x'"),
    ]:
        with pytest.raises(InputError, match=message):
            as_series_table(FRAME.assign(c=column))
    with pytest.raises(InputError, match=r"'Datum' holds times such as 'KW 5 x' in no form"):
        as_series_table(FRAME.assign(Datum="KW 5 x"))


def test_what_is_no_series_of_numbers(tmp_path):
    with pytest.raises(InputError, match="series holds complex numbers"):
        as_series_table(X + 1j)
    with pytest.raises(InputError, match="column 'rain' holds complex numbers"):
        as_series_table(FRAME.astype(complex))
    with pytest.raises(InputError, match=r"pass io.read_series\('series.csv'\)"):
        as_series_table("series.csv")


def test_a_format_of_times_that_fits_nothing(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("day,a,b\n2020-01-01,1,2\n2020-01-02,2,4\n")
    with pytest.raises(
        InputError, match=r"x.csv: time_format='%Y' fits no column \(column 'day' holds"
    ):
        read_csv(path, time_format="%Y")


def test_files_are_matched_by_the_names_of_their_columns(tmp_path):
    FRAME.to_csv(tmp_path / "a.csv", index=False)
    FRAME[["river", "rain"]].to_csv(tmp_path / "b.csv", index=False)
    table = read_series([tmp_path / "a.csv", tmp_path / "b.csv"])
    assert table.names == ("rain", "river")
    np.testing.assert_array_equal(table.values[:8], table.values[8:])
    FRAME.rename(columns={"rain": "snow"}).to_csv(tmp_path / "c.csv", index=False)
    with pytest.raises(InputError, match=r"c.csv has other variables than .*a.csv \(rain, snow"):
        read_series([tmp_path / "a.csv", tmp_path / "c.csv"])
    with pytest.raises(InputError, match="series 1 has other variables than series 0"):
        as_series_table([FRAME, FRAME.rename(columns={"rain": "snow"})])


ROWS = "".join(f"2020-01-0{k};{k},5;{k * k},25\n" for k in range(1, 8))
REMARKS = 'Quelle:;"Amt, Bayern"\nOrt:;Kempten\nOst:;598;Nord:;528;"UTM"\n\n"Abfluss, Tag"\n'


def complaint(path, **options):
    try:
        read_csv(path, **options)
    except InputError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("remarks", [REMARKS, "Abfluss, Tag\n", "Abfluss\n\n", "a;b\n", ""])
def test_advice_leads_to_the_table_and_in_no_circle(tmp_path, remarks):
    path = tmp_path / "x.csv"
    path.write_text(remarks + "Datum;a;b\n" + ROWS)
    options, given = {}, {"delimiter": ";", "decimal": ",", "skip_rows": remarks.count("\n")}
    while advice := complaint(path, **options):
        name = next(n for n in given if n not in options and f"pass {n}=" in advice)
        assert f"{name}={given[name]!r}" in advice
        options[name] = given[name]
    assert read_csv(path, **options).values[0].tolist() == [1.5, 1.25]


def test_a_row_too_long_in_a_table_is_not_taken_for_its_beginning(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2\n2,3,4\n3,4\n4,6\n5,9\n")
    with pytest.raises(InputError, match="3 cells in line 3, but 2 columns; quote cells"):
        read_csv(path)


def test_frames_hold_numbers_as_other_countries_write_them():
    numbers = {"a": ["1.265,50", "-24,1", "2.000,0", "0,5"], "b": [1.0, 2.0, 4.0, 3.0]}
    table = as_series_table(numbers, decimal=",", thousands=".")
    assert table.values[:, 0].tolist() == [1265.5, -24.1, 2000.0, 0.5]
    for marks, message in [({"decimal": ";"}, "decimal=';'"), ({"thousands": "."}, "both '.'")]:
        with pytest.raises(InputError, match=message):
            as_series_table(numbers, **marks)
