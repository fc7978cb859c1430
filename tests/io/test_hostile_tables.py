"""Tables as they come: right columns, times, gaps and graphs, or an error that names the place."""

import re

import numpy as np
import pytest
from hostile_tables import GAP, NAMES, X, cases

import jaxcause as jc
from jaxcause import InputError
from jaxcause.io import read_series
from jaxcause.series import SeriesTable

CASES = cases()


def written(folder, case):
    path = folder / f"table{case.suffix}"
    path.write_bytes(case.text if isinstance(case.text, bytes) else case.text.encode())
    return path


def graph_of(values, segment):
    table = SeriesTable(values, NAMES, segment)
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
        found = jc.discover(table, 1, method="var", progress=False).graph.marks
        np.testing.assert_array_equal(found, graph_of(values, segment))
