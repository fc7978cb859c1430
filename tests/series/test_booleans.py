"""A column of True and False is a 0/1 variable, in whatever form it comes."""

import importlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxcause import InputError
from jaxcause.io import read_series
from jaxcause.series import as_series_table

TRUTH = np.array([True, False, False, True, True])
OTHER = np.array([0.1, 0.4, -0.3, 0.2, 0.5])


def frame(library, column):
    made = pytest.importorskip(library)
    return made.DataFrame({"open": column, "level": OTHER})


@pytest.mark.parametrize(
    "make",
    [
        lambda: {"open": TRUTH, "level": OTHER},
        lambda: {"open": TRUTH.astype(object), "level": OTHER},
        lambda: {"open": np.array(["True", "false", "FALSE", " true", "True"]), "level": OTHER},
        lambda: frame("pandas", TRUTH),
        lambda: frame("pandas", TRUTH.astype(object)),
        lambda: frame("polars", TRUTH),
    ],
)
def test_every_form(make):
    table = as_series_table(make())
    assert table.names == ("open", "level")
    np.testing.assert_array_equal(table.values[:, 0], TRUTH)
    assert "Column 'open': True was read as 1, False as 0." in table.notes


def test_missing_truths_are_missing_values():
    pandas = pytest.importorskip("pandas")
    column = pandas.array([True, None, False, None, True], dtype="boolean")
    table = as_series_table(pandas.DataFrame({"open": column, "level": OTHER}))
    np.testing.assert_array_equal(table.values[:, 0], [1, np.nan, 0, np.nan, 1])


def test_an_array_of_booleans():
    table = as_series_table(np.stack([TRUTH, TRUTH[::-1] ^ TRUTH], axis=1))
    assert table.values.dtype == np.float64
    assert table.notes == ("True was read as 1, False as 0.",)


@given(st.lists(st.sampled_from(["True", "False", "true", "FALSE", ""]), min_size=3, max_size=30))
def test_files(tmp_path_factory, cells):
    path = tmp_path_factory.mktemp("t") / "x.csv"
    path.write_text("\n".join(["open,level", *(f"{c},{k * k}.5" for k, c in enumerate(cells))]))
    known = [cell.lower() == "true" for cell in cells if cell]
    if len(set(known)) < 2:
        with pytest.raises(InputError, match="'open' (is constant|has no values)"):
            read_series(path)
        return
    column = read_series(path).values[:, 0]
    np.testing.assert_array_equal(column[~np.isnan(column)], known)


def test_what_was_left_out_is_named_where_too_little_is_left():
    with pytest.raises(InputError, match="has 1 variable besides .*'remark' holds text"):
        as_series_table({"remark": np.array(["a", "b", "c"]), "x": np.array([1.0, 2.0, 4.0])})


@pytest.mark.parametrize(
    ("header", "data", "fine"),
    [
        ("0,1,2,3", "1,2,4,4\n5,2,5,6\n7,1,1,1", True),
        ("1,2,3,4", "1,2,4,4\n5,2,5,6\n7,1,1,1", True),
        ("1,2", "1,2\n5,2\n7,1", False),
        ("10384,77", ".1,.2\n.3,.4\n.2,.3", True),
        ("10384,77", "1,.2\n3,.4\n2,.3", False),
        ("3,1", "1,2\n5,2\n7,1", False),
        ("0.5,1.5", ".1,.2\n.3,.4\n.2,.3", False),
        ("-1,2", ".1,.2\n.3,.4\n.2,.3", False),
    ],
)
def test_whole_numbers_as_names(tmp_path, header, data, fine):
    path = tmp_path / "x.csv"
    path.write_text(f"{header}\n{data}\n")
    if not fine:
        with pytest.raises(InputError, match="starts with numbers .* its first line must name"):
            read_series(path)
        return
    table = read_series(path)
    assert list(table.names) == header.split(",")
    assert len(table.values) == 3
    assert table.notes[0].startswith(f"The first line ({', '.join(header.split(',')[:3])}")


def test_whole_numbers_as_names_of_a_frame():
    pandas = importlib.import_module("pandas")
    table = as_series_table(pandas.DataFrame(np.stack([OTHER, OTHER**2], axis=1)))
    assert table.names == ("0", "1")
