"""Hostile files end in one line and exit code 2, at once."""

import json
import os
import time

import numpy as np
import pytest

from jaxcause.cli import main


def document(n, edges, lag=None):
    kind = "causal" if lag is None else "lagged"
    head = {"format": f"jaxcause.{kind}_graph", "version": 1}
    names = {"variables": [f"v{k}" for k in range(n)], "edges": edges}
    return json.dumps(head | names | ({} if lag is None else {"max_lag": lag}))


def chain(n):
    return [{"source": f"v{k}", "target": f"v{k + 1}", "edge": "-->"} for k in range(n - 1)]


def complete(n):
    pairs = ((i, j) for i in range(n) for j in range(i + 1, n))
    return [{"source": f"v{i}", "target": f"v{j}", "edge": "-->"} for i, j in pairs]


GRAPHMLS = "http://graphml.graphdrawing.org/xmlns"
ONE_END = (
    f'<graphml xmlns="{GRAPHMLS}"><graph edgedefault="directed">'
    '<node id="a"/><edge source="a"/></graph></graphml>'
)
GRAPHS = {
    "no variables.json": (document(0, [], 1), "graph without variables"),
    "none.dot": ("digraph {}\n", "graph without variables"),
    "no lags.npz": ({"marks": np.zeros((2, 2, 0, 2), np.int8)}, "without variables or lags"),
    "empty.npz": ({"marks": np.zeros((0, 0), np.int8)}, "without variables or lags"),
    "long.json": (document(1, [], 21_000_000), "JAXCAUSE_MAX_MARKS"),
    "many.json": (document(9000, chain(9000)), "JAXCAUSE_MAX_MARKS"),
    "path.dot": ("digraph {" + "->".join(f"a{k}" for k in range(5000)) + "}", "JAXCAUSE_MAX_MARKS"),
    "attribute.graphml": ("<graphml a='" + "y" * 2**25 + "'/>", "JAXCAUSE_MAX_XML"),
    "one end.graphml": (ONE_END, "an edge without target"),
    "surrogate.json": (document(2, []).replace("v0", "\\ud800"), "no text in Unicode"),
}
DRAWN = {
    "edges.json": (document(60, complete(60)), "JAXCAUSE_MAX_DRAWN_EDGES"),
    "pairs.json": (document(600, chain(600)), "JAXCAUSE_MAX_DRAWN_PAIRS"),
    "control.json": (document(2, []).replace("v0", "a\\u0007"), "a control character"),
}


def refused(capsys, *arguments):
    """The one line with which a command is refused, within five seconds."""
    began = time.process_time()
    assert main([*map(str, arguments), "--quiet"]) == 2
    assert time.process_time() - began < 5
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    return said.err


def write(folder, name, content):
    path = folder / name
    if isinstance(content, dict):
        np.savez(path, **content)
    else:
        path.write_text(content)
    return path


@pytest.mark.parametrize("name", GRAPHS)
def test_graphs_that_are_compared_and_drawn(name, tmp_path, capsys):
    content, part = GRAPHS[name]
    path = write(tmp_path, name, content)
    assert part in refused(capsys, "compare", path, path)
    assert part in refused(capsys, "plot", path, "--out", tmp_path / "x.png")


@pytest.mark.parametrize("name", DRAWN)
def test_graphs_that_are_drawn(name, tmp_path, capsys):
    content, part = DRAWN[name]
    path = write(tmp_path, name, content)
    assert part in refused(capsys, "plot", path, "--out", tmp_path / "x.svg")


def test_limits_can_be_raised_and_lowered(tmp_path, capsys, monkeypatch):
    path = write(tmp_path, "x.json", document(4, complete(4)))
    monkeypatch.setenv("JAXCAUSE_MAX_COMPARED_EDGES", "5")
    assert "6 edges, but at most 5 are compared" in refused(capsys, "compare", path, path)
    monkeypatch.setenv("JAXCAUSE_MAX_COMPARED_EDGES", "6")
    assert main(["compare", str(path), str(path), "--quiet"]) == 0
    monkeypatch.setenv("JAXCAUSE_MAX_COMPARED_EDGES", "many")
    assert "JAXCAUSE_MAX_COMPARED_EDGES='many'" in refused(capsys, "compare", path, path)


@pytest.mark.parametrize("suffix", [".csv", ".npz", ".parquet", ".json", ".xlsx"])
def test_pipes_are_refused(suffix, tmp_path, capsys):
    if not hasattr(os, "mkfifo"):
        pytest.skip("no pipes here")
    if suffix in (".parquet", ".xlsx"):
        pytest.importorskip({".parquet": "pyarrow", ".xlsx": "openpyxl"}[suffix])
    os.mkfifo(tmp_path / f"x{suffix}")
    path = tmp_path / f"x{suffix}"
    command = (
        ("compare", path, path) if suffix == ".json" else ("discover", path, "--method", "var")
    )
    assert "is no regular file" in refused(capsys, *command)


def test_a_header_of_very_many_columns_is_refused(tmp_path, capsys):
    for n in (5001, 10**5):
        path = write(tmp_path, "x.csv", ",".join(f"c{k}" for k in range(n)) + "\n1,2\n")
        assert f"{n:,} columns" in refused(capsys, "discover", path, "--method", "var")


def test_a_header_of_many_columns_is_checked_at_once(tmp_path, capsys):
    path = write(tmp_path, "x.csv", ",".join(f"c{k}" for k in range(4999)) + ",c0\n1,2\n")
    assert "duplicate column names 'c0'" in refused(capsys, "discover", path, "--method", "var")
