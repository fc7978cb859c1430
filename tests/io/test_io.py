import json

import jax.numpy as jnp
import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxcause import InputError, LaggedGraph, Mark
from jaxcause.io import (
    check_writable,
    filled_at_once,
    graph_from_json,
    graph_to_json,
    read_csv,
    read_graph,
    to_networkx,
    write_graph,
)
from jaxcause.series import as_series_table


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


GOOD = "date,a,b\n2020-01-01,1,2\n2020-01-02,2,4\n2020-01-03,3,5\n"


def test_a_csv_with_dates(tmp_path):
    table = read_csv(write(tmp_path / "x.csv", GOOD))
    assert table.names == ("a", "b")
    assert table.values.tolist() == [[1, 2], [2, 4], [3, 5]]
    assert table.segment.tolist() == [0, 0, 0]
    assert "'date'" in table.notes[0]


def test_a_gap_in_time_breaks_the_series(tmp_path):
    text = GOOD + "2020-01-07,4,6\n2020-01-08,5,6\n"
    table = read_csv(write(tmp_path / "x.csv", text))
    assert table.segment.tolist() == [0, 0, 0, 1, 1]
    assert "1 gap" in table.notes[-1]


def test_months_are_no_gaps(tmp_path):
    rows = [f"2020-{m:02d}-01,{m},{m * m}" for m in range(1, 13)]
    table = read_csv(write(tmp_path / "x.csv", "date,a,b\n" + "\n".join(rows)))
    assert table.segment.max() == 0


@pytest.mark.parametrize(
    ("header", "first", "found"),
    [
        ("timestamp", ["1638884583", "1638884584", "1638884585"], True),
        ("time", ["2021-10-23 22:00:00", "2021-10-23 22:05:00", "2021-10-23 22:10:00"], True),
        ("", ["0", "1", "2"], True),
        ("t", ["1", "3", "2"], False),
        ("level", ["1", "2", "3"], False),
    ],
)
def test_which_first_columns_are_times(tmp_path, header, first, found):
    rows = [f"{t},{k},{k**2 % 3}" for k, t in enumerate(first)]
    table = read_csv(write(tmp_path / "x.csv", f"{header},a,b\n" + "\n".join(rows)))
    assert len(table.names) == (2 if found else 3)


def test_missing_cells_are_masked_and_told(tmp_path):
    table = read_csv(write(tmp_path / "x.csv", "a,b\n1,2\n,3\n3,NA\n4,5\n"))
    assert table.complete.tolist() == [True, False, False, True]
    assert "2 of 4 rows have a missing value" in table.notes[0]


def test_columns_can_be_dropped_and_the_time_named(tmp_path):
    text = "a,when,b,note\n1,5,2,x\n2,6,4,y\n3,7,5,z\n4,9,5,z\n"
    table = read_csv(write(tmp_path / "x.csv", text), time_column="when", drop=["note"])
    assert table.names == ("a", "b")
    assert table.segment.tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("a,b\n", "no rows"),
        ("a\n1\n2\n", "one column"),
        ("date,a\n2020-01-01,1\n2020-01-02,2\n", "at least two"),
        ("a,b\n1,2\n3,abc\n", "column 'b' holds text in row 2: 'abc'"),
        ("a,b\n1,2\n1,3\n", "Column 'a' is constant"),
        ("a,a\n1,2\n2,3\n", "duplicate column names 'a'"),
        ("a,b\n1,2\n2,inf\n", "column 'b' holds an infinite value in row 2"),
        ("a,b\n1,\n2,nan\n", "Column 'b' has no values"),
        ("a,b\n1,2\n2,3,4\n", "3 cells in line 3, but 2 columns; quote cells"),
        ("a;b\n1;2\n", "separated by semicolons; save it with commas"),
        ("a\tb\n1\t2\n", "separated by tabs"),
        ("when;a,b\n2017;1,5;2,5\n", "separated by semicolons"),
        ("1,2\n3,4\n", "first line must name the columns"),
        ("date,a,b\n2020-01-02,1,2\n2020-01-01,2,3\n2020-01-02,3,3\n", "runs backwards"),
    ],
)
def test_bad_files_are_named(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_csv(write(tmp_path / "x.csv", text))


def test_unreadable_files_are_named(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        read_csv(tmp_path / "none.csv")
    with pytest.raises(InputError, match="UTF-8"):
        read_csv(write(tmp_path / "x.csv", "ä,b\n1,2\n", encoding="latin-1"))
    with pytest.raises(InputError, match="not a column"):
        read_csv(write(tmp_path / "y.csv", GOOD), drop=["c"])
    with pytest.raises(InputError, match="time_column='c'"):
        read_csv(write(tmp_path / "y.csv", GOOD), time_column="c")


def test_numpy_jax_pandas_and_lists_are_read_alike():
    x = np.random.default_rng(0).normal(size=(6, 2))
    for given_ in (x, jnp.asarray(x), pd.DataFrame(x, columns=["X0", "X1"])):
        table = as_series_table(given_)
        assert table.names == ("X0", "X1")
        np.testing.assert_allclose(table.values, x)
    pair = as_series_table([x, x[:4]], names=["a", "b"])
    assert pair.names == ("a", "b")
    assert pair.segment.tolist() == [0] * 6 + [1] * 4


def test_pandas_frames_keep_names_and_lose_their_time():
    x = np.random.default_rng(0).normal(size=(6, 2))
    days = pd.date_range("2020-01-01", periods=6)
    for frame in (
        pd.DataFrame(x, columns=["rain", "river"], index=days),
        pd.DataFrame({"day": days, "rain": x[:, 0], "river": x[:, 1]}),
    ):
        table = as_series_table(frame)
        assert table.names == ("rain", "river")
        assert "time" in table.notes[0]


@pytest.mark.parametrize(
    ("series", "message"),
    [
        (np.zeros(5), "must be"),
        (np.array([["a", "b"]]), "instead of numbers"),
        (pd.DataFrame({"a": [1, 2], "b": ["x", 2]}), "column 'b' holds text in row 1"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "duplicate column names 'a'"),
        (np.ones((5, 2)), "'X0' is constant"),
        ([], "empty list"),
    ],
)
def test_bad_series_are_named(series, message):
    with pytest.raises(InputError, match=message):
        as_series_table(series)


def test_names_must_fit():
    x = np.random.default_rng(0).normal(size=(6, 2))
    with pytest.raises(InputError, match="names has 3 entries for 2"):
        as_series_table(x, names=["a", "b", "c"])
    with pytest.raises(InputError, match="duplicate"):
        as_series_table(x, names=["a", "a"])


@st.composite
def lagged_graphs(draw):
    n, lags = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    codes = st.sampled_from([0, 1, 2, 3])
    marks = np.zeros((n, n, lags + 1, 2), np.int8)
    for i in range(n):
        for j in range(n):
            for lag in range(lags + 1):
                pair = draw(st.tuples(codes, codes))
                if 0 in pair or (lag == 0 and i >= j):
                    continue
                marks[i, j, lag] = pair
                if lag == 0:
                    marks[j, i, 0] = pair[::-1]
    return LaggedGraph(marks)


@settings(max_examples=60, deadline=None)
@given(lagged_graphs())
def test_json_gives_the_same_graph_back(graph):
    document = json.loads(json.dumps(graph_to_json(graph)))
    read, names = graph_from_json(document)
    assert (read.marks == graph.marks).all()
    assert names == [f"X{i}" for i in range(graph.n_vars)]
    n_lagged = int(np.asarray(graph.adjacency)[:, :, 1:].sum())
    assert len(document["edges"]) == n_lagged + int(np.asarray(graph.adjacency)[:, :, 0].sum()) // 2


def test_json_files_carry_names_and_scores(tmp_path):
    mask = np.zeros((2, 2, 3), bool)
    mask[0, 1, 2] = True
    scores = np.arange(12.0).reshape(2, 2, 3)
    write_graph(
        tmp_path / "g.json", LaggedGraph.from_mask(mask), names=["rain", "river"], scores=scores
    )
    document = json.loads((tmp_path / "g.json").read_text())
    assert document["edges"] == [
        {"source": "rain", "lag": 2, "edge": "-->", "target": "river", "score": 5.0}
    ]
    graph, names = read_graph(tmp_path / "g.json")
    assert names == ["rain", "river"]
    assert (graph.directed == mask).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "is no jaxcause.lagged_graph"),
        ({"version": 2}, "version 2 is not known"),
        ({"variables": None}, "does not follow"),
        ({"edges": [{"source": "a"}]}, "does not follow"),
        ({"edges": [{"source": "a", "target": "b", "lag": 1, "edge": "=>"}]}, "does not follow"),
    ],
)
def test_documents_that_are_no_graph_are_refused(change, message):
    mask = np.zeros((2, 2, 2), bool)
    document = graph_to_json(LaggedGraph.from_mask(mask), names=["a", "b"]) | change
    with pytest.raises(InputError, match=message):
        graph_from_json(document)


def test_broken_json_files_are_named(tmp_path):
    with pytest.raises(InputError, match="not valid JSON"):
        read_graph(write(tmp_path / "g.json", '{"format": '))
    with pytest.raises(InputError, match="cannot read"):
        read_graph(tmp_path / "none.json")


def test_networkx_gets_every_edge_with_its_lag():
    marks = np.zeros((2, 2, 2, 2), np.int8)
    marks[0, 1, 1] = Mark.TAIL, Mark.ARROW
    marks[0, 1, 0] = marks[1, 0, 0] = Mark.ARROW, Mark.ARROW
    graph = to_networkx(LaggedGraph(marks), names=["a", "b"])
    assert isinstance(graph, nx.MultiDiGraph)
    assert sorted((u, v, d["lag"], d["edge"]) for u, v, d in graph.edges(data=True)) == [
        ("a", "b", 0, "<->"),
        ("a", "b", 1, "-->"),
    ]


def test_a_folder_is_filled_whole_or_not_at_all(tmp_path):
    folder = tmp_path / "deep" / "out"
    with filled_at_once(folder) as scratch:
        (scratch / "a.txt").write_text("new")
    assert (folder / "a.txt").read_text() == "new"

    def fail_half_way():
        with filled_at_once(folder) as scratch:
            (scratch / "a.txt").write_text("half")
            (scratch / "b.txt").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert [p.name for p in folder.iterdir()] == ["a.txt"]
    assert (folder / "a.txt").read_text() == "new"


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot write to the folder"):
        check_writable(tmp_path / "file" / "out")
