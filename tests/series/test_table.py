"""Series from every kind of file and object."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jaxcause import InputError
from jaxcause.io import read_csv, read_series
from jaxcause.series import as_series_table

X = np.random.default_rng(0).normal(size=(8, 3))
NAMES = ("rain", "river", "snow")
DAYS = np.datetime64("2020-01-01") + np.array([0, 1, 2, 3, 4, 8, 9, 10])
SEGMENT = [0] * 5 + [1] * 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tables")


def assert_is_x(table, *, segment=None):
    assert table.names == NAMES
    np.testing.assert_array_equal(table.values, X)
    assert table.segment.tolist() == (SEGMENT if segment is None else segment)


def test_a_german_file_loads_with_three_flags(data):
    path = data / "rivers" / "kempten_raw_german.csv"
    table = read_series(path, delimiter=";", decimal=",", skip_rows=10)
    assert table.names == ("Mittelwert", "Maximum", "Minimum")
    assert table.values.shape == (1095, 3)
    assert table.values[0].tolist() == [12.2, 20.3, 10.6]
    assert table.segment.max() == 0
    assert table.notes[0] == "Column 'Prüfstatus' holds text and was left out."
    with pytest.raises(InputError, match=r"semicolons.*delimiter=';'"):
        read_series(path)
    with pytest.raises(InputError, match="line 4 .*|cells in line|one column"):
        read_series(path, delimiter=";", decimal=",")
    with pytest.raises(InputError, match=r"decimal commas, .*pass decimal=','"):
        read_series(path, delimiter=";", skip_rows=10)


@pytest.mark.parametrize("rows", [1, 9, 10, 11, 21])
def test_long_files_are_read_in_chunks(tmp_path, rows, monkeypatch):
    monkeypatch.setattr("jaxcause.io._csv._CHUNK", 10)
    path = tmp_path / "x.csv"
    values = np.arange(2.0 * rows + 2).reshape(-1, 2)
    lines = [f"{a!r},{b!r},late" for a, b in values.tolist()]
    lines[-1] = "7.0,8.0,"
    path.write_text("a,b,remark\n" + "\n".join(lines))
    table = read_csv(path)
    assert table.names == ("a", "b")
    np.testing.assert_array_equal(table.values[:-1], values[:-1])
    path.write_text("a,b,c\n" + "\n".join([*lines[:-1], "1,2,3"]))
    with pytest.raises(InputError, match="column 'c' holds text in row 1: 'late'"):
        read_csv(path)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("when\ta\tb\n2020-01-01\t1\t2\n2020-01-02\t2\t4\n", {"delimiter": "tab"}),
        ("when\ta\tb\n2020-01-01\t1\t2\n2020-01-02\t2\t4\n", {"delimiter": "\\t"}),
        ("x\n\ny\nwhen,a,b\n2020-01-01,1,2\n2020-01-02,2,4\n", {"skip_rows": 3}),
        ('when;a;b\n01.02.2020;"1,0";2e0\n02.02.2020;2,0;4,0\n', {"time_format": "%d.%m.%Y"}),
        ("zeit;a;b\n1,5;1;2\n2,5;2;4\n", {}),
    ],
)
def test_options_of_text_tables(tmp_path, text, options):
    path = tmp_path / "x.csv"
    path.write_text(text)
    german = {"delimiter": ";", "decimal": ","} if ";" in text else {}
    table = read_series(path, **german, **options)
    assert table.names == ("a", "b")
    assert table.values.tolist() == [[1, 2], [2, 4]]


@settings(max_examples=50, deadline=None, database=None)
@given(
    values=arrays(np.float64, (5, 2), elements=st.floats(-1e300, 1e300), unique=True),
    separators=st.sampled_from([(",", "."), (";", "."), (";", ","), ("tab", ","), ("|", ",")]),
    preamble=st.integers(0, 3),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "latin-1", "utf-16"]),
)
def test_numbers_are_read_as_they_were(folder, values, separators, preamble, encoding):
    delimiter, decimal = separators
    between = "\t" if delimiter == "tab" else delimiter
    rows = [
        ["höhe", '"a b"'],
        *([repr(x).replace(".", decimal) for x in r] for r in values.tolist()),
    ]
    text = "Quelle: ü;x,y\n" * preamble + "\n".join(between.join(row) for row in rows)
    path = folder / "x.csv"
    path.write_bytes(text.encode(encoding))
    encoding = "utf-8" if encoding == "utf-8-sig" else encoding
    options = {"delimiter": delimiter, "decimal": decimal, "encoding": encoding}
    table = read_series(path, skip_rows=preamble, **options)
    assert table.names == ("höhe", "a b")
    np.testing.assert_array_equal(table.values, values)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "cp1252", "utf-8"])
def test_other_encodings(tmp_path, encoding):
    path = tmp_path / "x.txt"
    path.write_bytes("höhe,tiefe\n1,2\n2,4\n".encode(encoding))
    assert read_series(path, encoding=encoding).names == ("höhe", "tiefe")
    if encoding != "utf-8":
        with pytest.raises(InputError, match=r"x.txt.*encoding='"):
            read_series(path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delimiter": ";;"}, "delimiter=';;' must be one character"),
        ({"delimiter": ","}, "both ','; try delimiter=';'"),
        ({"decimal": "'"}, 'decimal="\'" is not known'),
        ({"skip_rows": -1}, "skip_rows=-1"),
        ({"encoding": "klingon"}, "encoding='klingon' is not known"),
        ({"skip_rows": 99}, "is empty"),
        ({"time_column": "z"}, "time_column='z' is not a column"),
    ],
)
def test_options_that_cannot_be(tmp_path, options, message):
    path = tmp_path / "x.csv"
    path.write_text("a;b\n1;2\n2;4\n")
    with pytest.raises(InputError, match=message):
        read_series(path, **({"delimiter": ";", "decimal": ","} | options))


def test_a_time_in_another_form_is_not_dropped_in_silence(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("Datum,a,b\n2020/W01/2x,1,2\n2020/W01/3x,2,4\n")
    with pytest.raises(InputError, match=r"'2020/W01/2x' in no form .*; pass time_format"):
        read_csv(path)


def test_points_among_decimal_commas_are_no_numbers(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a;b\n1.500;2\n2,5;4\n")
    with pytest.raises(InputError, match=r"'a' holds '1.500' in row 1: .* pass thousands='.'"):
        read_csv(path, delimiter=";", decimal=",")


def test_several_files_are_several_series(tmp_path):
    for k in range(3):
        pd.DataFrame(X + k, columns=list(NAMES)).to_csv(tmp_path / f"{k}.csv", index=False)
    np.savez(tmp_path / "3.npz", values=X, names=np.array(NAMES))
    paths = [tmp_path / "0.csv", str(tmp_path / "1.csv"), tmp_path / "3.npz"]
    table = read_series(paths)
    assert table.names == NAMES
    assert table.segment.tolist() == [0] * 8 + [1] * 8 + [2] * 8
    np.savez(tmp_path / "4.npz", values=X)
    with pytest.raises(InputError, match=r"4.npz has other variables than .*0.csv \(X0, X1"):
        read_series([tmp_path / "0.csv", tmp_path / "4.npz"])
    with pytest.raises(InputError, match="paths is empty"):
        read_series([])


def test_numpy_files(tmp_path):
    np.save(tmp_path / "x.npy", np.asfortranarray(X))
    assert read_series(tmp_path / "x.npy").names == ("X0", "X1", "X2")
    np.savez_compressed(tmp_path / "x.npz", data=X, names=np.array(NAMES), truth=np.eye(3))
    assert_is_x(read_series(tmp_path / "x.npz", array="data"), segment=[0] * 8)
    assert read_series(tmp_path / "x.npz", array="data", drop=["snow"]).names == NAMES[:2]
    with pytest.raises(InputError, match="arrays data, names, truth; name the one"):
        read_series(tmp_path / "x.npz")
    np.savez(tmp_path / "y.npz", data=X.T, names=np.array(NAMES))
    with pytest.raises(InputError, match="names must hold 8"):
        read_series(tmp_path / "y.npz")
    np.save(tmp_path / "z.npy", np.ones((3, 2)))
    with pytest.raises(InputError, match="constant"):
        read_series(tmp_path / "z.npy")


def test_parquet(tmp_path):
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame(X, columns=list(NAMES), index=pd.DatetimeIndex(DAYS, name="day"))
    frame.to_parquet(tmp_path / "x.parquet")
    assert_is_x(read_series(tmp_path / "x.parquet"))
    assert read_series(tmp_path / "x.parquet", drop=["snow"]).names == NAMES[:2]
    with pytest.raises(InputError, match=r"x.parquet.*'c' is not|drop='c' is not"):
        read_series(tmp_path / "x.parquet", drop=["c"])


def test_polars():
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame({"day": DAYS} | dict(zip(NAMES, X.T, strict=True)))
    assert_is_x(as_series_table(frame))
    holes = pl.DataFrame({"a": [1, None, 3, 4], "b": [1.0, 2.0, None, 5.0]})
    assert as_series_table(holes).complete.tolist() == [True, False, False, True]
    with pytest.raises(InputError, match=r"pass series.collect\(\)"):
        as_series_table(frame.lazy())


def test_pyarrow():
    pa = pytest.importorskip("pyarrow")
    assert_is_x(as_series_table(pa.table({"day": DAYS} | dict(zip(NAMES, X.T, strict=True)))))


def test_pandas_with_missing_values_of_its_own():
    frame = pd.DataFrame({"a": [1, 2, None, 4], "b": [True, None, False, True]})
    frame = frame.astype({"a": "Int64", "b": "boolean"})
    table = as_series_table(frame)
    assert table.complete.tolist() == [True, False, False, True]
    assert table.values[[0, 3]].tolist() == [[1, 1], [4, 1]]


def test_columns_by_name():
    assert_is_x(as_series_table({"day": DAYS} | dict(zip(NAMES, X.T, strict=True))))
    with pytest.raises(InputError, match="lengths"):
        as_series_table({"a": np.arange(3.0), "b": np.arange(4.0)})


def test_xarray():
    xr = pytest.importorskip("xarray")
    array = xr.DataArray(X.T, dims=("site", "time"), coords={"site": list(NAMES), "time": DAYS})
    assert_is_x(as_series_table(array))
    columns = {name: ("time", x) for name, x in zip(NAMES, X.T, strict=True)}
    assert_is_x(as_series_table(xr.Dataset(columns, coords={"time": DAYS})))
    assert_is_x(as_series_table(xr.Dataset(columns)), segment=[0] * 8)
    grid = xr.Dataset({"t": (("time", "y", "x"), X[:, :, None])}, coords={"y": [1, 2, 3]})
    assert as_series_table(grid).names == ("t[1, 0]", "t[2, 0]", "t[3, 0]")
    steps = xr.DataArray(X, dims=("step", "site"))
    assert as_series_table(steps, time_column="step").names == ("X0", "X1", "X2")
    for series, message in [
        (steps, "dimensions step, site; tell which is the time"),
        (grid.assign(c=1.0), "variable 'c' has no dimension 'time'"),
        (xr.full_like(array, "x", dtype=object), "holds text"),
    ]:
        with pytest.raises(InputError, match=message):
            as_series_table(series)
    with pytest.raises(InputError, match="time_column='z' is no dimension"):
        as_series_table(array, time_column="z")


def test_a_file_of_another_kind(tmp_path):
    with pytest.raises(InputError, match=r"x.docx: unsupported file type .docx; save it as .csv"):
        read_series(tmp_path / "x.docx")
