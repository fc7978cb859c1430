"""Tables as they come: right columns, times, gaps and graphs, or an error that names the place."""

import csv
import functools
import io
import re

import numpy as np
import pytest
from hostile_tables import DAYS, GAP, NAMES, X, cases
from hostile_tables import written as times_written

import jaxcause as jc
from jaxcause import InputError
from jaxcause.io import read_series
from jaxcause.series import SeriesTable, as_series_table

CASES = cases()


def written(folder, case):
    path = folder / f"table{case.suffix}"
    path.write_bytes(case.text if isinstance(case.text, bytes) else case.text.encode())
    return path


@functools.cache
def graph_of(values, segment):
    """The graph of a table; of equal tables it is one computation."""
    values = np.frombuffer(values).reshape(-1, len(NAMES))
    table = SeriesTable(values, NAMES, np.frombuffer(segment, np.int64))
    return np.asarray(jc.discover(table, 1, method="var", progress=False).graph.marks)


def test_there_are_enough():
    assert len(CASES) >= 60


@pytest.mark.parametrize("name", CASES)
def test_each_is_read_as_its_clean_twin_or_refused_in_a_line(name, tmp_path):
    case = CASES[name]
    path = written(tmp_path, case)
    if case.error:
        with pytest.raises(InputError, match=case.error) as caught:
            read_series(path, **case.options)
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)
        return
    table = read_series(path, **case.options)
    notes = " ".join(table.notes)
    assert not case.note or re.search(case.note, notes), notes
    values = X.copy()
    for row, column in case.holes:
        values[row, column] = np.nan
    if "-9999" in case.note:
        values[[9, 30, 80], 1] = -9999
    values = values[case.rows]
    if name == "constant":
        assert table.names == NAMES
    assert table.names == case.names
    np.testing.assert_array_equal(table.values, values)
    segment = np.zeros(len(values), int)
    if case.times is not None:
        times = np.array(case.times, "datetime64[us]")
        assert table.times is not None
        assert set((table.times.column.astype("M8[us]") - times).tolist()) <= {
            table.times.column[0].astype("M8[us]").item() - times[0].item()
        }
        segment = np.concatenate([[0], np.cumsum(np.diff(times) > 1.5 * np.median(np.diff(times)))])
    np.testing.assert_array_equal(table.segment, segment)
    if len(values) > GAP:
        # What was read is compared by its own bytes, so that no twin stands in for it.
        found = graph_of(table.values.tobytes(), table.segment.tobytes())
        clean = graph_of(values.tobytes(), segment.astype(np.int64).tobytes())
        np.testing.assert_array_equal(found, clean)


def as_columns(case):
    """The cells of a table as text, as data frames hold them."""
    header, *rows = csv.reader(io.StringIO(case.text))
    return {name: [row[k] for row in rows] for k, name in enumerate(header)}


def plain(case):
    """Whether a data frame can hold the table."""
    rows = list(csv.reader(io.StringIO(str(case.text))))
    regular = len({len(row) for row in rows}) == 1 and "" not in rows[0]
    return not case.error and not case.options and case.suffix == ".csv" and regular


FRAMES = [name for name, case in CASES.items() if isinstance(case.text, str) and plain(case)]


@pytest.mark.parametrize(("part", "library"), [*enumerate(["pandas", "polars", "pyarrow", "dict"])])
def test_data_frames_of_text_are_read_as_files_are(part, library, tmp_path):
    assert len(FRAMES) > 40
    for name in FRAMES[part::4]:
        case = CASES[name]
        columns = as_columns(case)
        if library == "dict":
            frame = {name: np.array(cells, object) for name, cells in columns.items()}
        elif library == "pyarrow":
            frame = pytest.importorskip("pyarrow").table(columns)
        else:
            frame = pytest.importorskip(library).DataFrame(columns)
        of_file, of_frame = read_series(written(tmp_path, case)), as_series_table(frame)
        assert of_file.names == of_frame.names, name
        np.testing.assert_array_equal(of_file.values, of_frame.values)
        np.testing.assert_array_equal(of_file.segment, of_frame.segment)
        if of_file.times is not None:
            assert of_frame.times is not None
            np.testing.assert_array_equal(of_file.times.column, of_frame.times.column)
        if "header" not in case.note:
            assert of_file.notes == of_frame.notes, name


def test_an_index_of_text_and_coordinates_of_text_are_times():
    pandas, xarray = pytest.importorskip("pandas"), pytest.importorskip("xarray")
    days = times_written("%d.%m.%Y")
    frame = pandas.DataFrame(X, columns=NAMES, index=pandas.Index(days, name="Datum"))
    array = xarray.DataArray(X, dims=("time", "site"), coords={"time": days, "site": list(NAMES)})
    for table_ in (as_series_table(frame), as_series_table(array)):
        assert table_.names == NAMES
        assert table_.segment.max() == 1


def test_an_excel_sheet_is_read_like_a_file(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["Gauge 17"])
    sheet.append(["Date", *NAMES, None])
    for day, row in zip(DAYS, X.tolist(), strict=True):
        sheet.append([day, *row])
    sheet.append(["Total", *X.sum(axis=0).tolist()])
    book.create_sheet("notes").append(["none"])
    book.save(tmp_path / "x.xlsx")
    read = read_series(tmp_path / "x.xlsx", skip_rows=1)
    assert read.names == NAMES
    np.testing.assert_array_equal(read.values, X)
    assert read.segment.max() == 1
    assert any("Sheet 'Sheet' of 2" in note for note in read.notes)
    assert any("sums up" in note for note in read.notes)
    with pytest.raises(InputError, match="has no sheet 'x'; there are Sheet, notes"):
        read_series(tmp_path / "x.xlsx", array="x")


def test_rows_stay_where_they_are_if_a_mask_counts_them():
    frame = {"day": np.array(times_written("%d.%m.%Y")[::-1]), "a": X[:, 0], "b": X[:, 1]}
    mask = np.arange(len(X)) > 5
    with pytest.raises(InputError, match="mask and domain count rows as they are given, but: Rows"):
        jc.discover(frame, 1, method="var", mask=mask, progress=False)
    assert jc.discover(frame, 1, method="var", progress=False).info is not None


def test_arguments_of_discover_read_as_files_are_read():
    frame = {"when": np.array(times_written("%d%m%Y")), "a": X[:, 0].astype(str), "b": X[:, 1]}
    frame["a"] = frame["a"].astype(object)
    frame["a"][3] = "kaputt"
    found = jc.discover(
        frame,
        1,
        method="var",
        time_column="when",
        time_format="%d%m%Y",
        missing_value=["kaputt", -9999],
        progress=False,
    )
    assert found.series is not None
    assert found.series.segment.max() == 1
    assert np.isnan(found.series.values[3, 0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0,1,0\n1,2,3\n2,1,4\n", "starts with numbers, '0' among them twice"),
        ("a,b\n1265.5,x\n1,y\n", "has 1 variable"),
        ('a;b\n"1,265";1\n"2,300";4\n"1,111";2\n', "if ',' stands between thousands, pass"),
        ("t,a,b\n2020-01-01,1,5\n2020-01-02,2,inf\n", "infinite value in row 2"),
    ],
)
def test_further_errors(tmp_path, text, message):
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_series(path, delimiter=";" if ";" in text else ",")


def test_thousands_that_are_told(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text('a;b\n"1,265";1\n"2,300";4\n"1,111";2\n')
    read = read_series(path, delimiter=";", thousands=",")
    assert read.values[:, 0].tolist() == [1265, 2300, 1111]
    path.write_text("a;b\n1.265;1,5\n2.300;4\n1.111;2\n")
    read = read_series(path, delimiter=";", decimal=",", thousands=".")
    assert read.values[:, 0].tolist() == [1265, 2300, 1111]


def test_labels_of_rows_are_text(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(",a,b\nrow1,1,5\nrow2,2,4\nrow3,5,6\n")
    assert read_series(path).names == ("a", "b")


def test_several_files_may_differ_in_what_is_constant(tmp_path):
    rows = ["2020-01-01,1,5,7", "2020-01-02,2,4,7", "2020-01-03,5,6,7"]
    for name, last in (("a.csv", "7"), ("b.csv", "8")):
        (tmp_path / name).write_text("\n".join(["t,a,b,c", *rows, f"2020-01-04,3,3,{last}"]))
    assert read_series(tmp_path / "a.csv").names == ("a", "b")
    both = read_series([tmp_path / "a.csv", tmp_path / "b.csv"])
    assert both.names == ("a", "b", "c")
    assert both.segment.tolist() == [0] * 4 + [1] * 4


def test_doubles_with_other_values_are_noted():
    days = ["2020-01-01", "2020-01-02", "2020-01-02", "2020-01-03"]
    frame = {"day": np.array(days, "datetime64[D]"), "a": X[:4, 0], "b": X[:4, 1]}
    read = as_series_table(frame)
    assert any("1 time of column 'day' occurs more than once" in note for note in read.notes)
    assert len(read.values) == 4
