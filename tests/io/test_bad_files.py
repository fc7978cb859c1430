"""Damaged, foreign and hostile files: one line that names file and remedy, in bounded memory."""

import bz2
import io
import json
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from jaxcause import CausalGraph, InputError, LaggedGraph
from jaxcause.io import (
    from_dot,
    read_causeme,
    read_graph,
    read_series,
    to_dot,
    write_causeme,
    write_graph,
)

GIB = 2**30
MASK = np.zeros((2, 2, 3), bool)
MASK[0, 1, 2] = MASK[1, 1, 1] = True
GRAPH = LaggedGraph.from_mask(MASK)
SUFFIXES = [".json", ".npz", ".graphml", ".dot", ".csv"]


def refused(read, path, *parts, limit=200 * 2**20):
    """The message, once it is one line, names the file, and took little memory."""
    tracemalloc.start()
    try:
        with pytest.raises(InputError) as caught:
            read(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    assert any(sign in message for sign in ";,"), message
    for part in parts:
        assert part in message, message
    assert peak < limit, f"{peak:,} bytes"
    return message


def assert_input_or_fine(path):
    """It is read, or refused in one line; nothing else is raised."""
    message = ""
    try:
        read_graph(path)
    except InputError as error:
        message = str(error)
    assert "\n" not in message
    assert not message or str(path) in message


def good(folder, suffix):
    path = folder / f"good{suffix}"
    write_graph(path, GRAPH, names=["rain", "river"])
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_graphs_missing_empty_and_of_the_wrong_kind(tmp_path, suffix):
    refused(read_graph, tmp_path / f"none{suffix}", "No such file")
    (tmp_path / f"folder{suffix}").mkdir()
    refused(read_graph, tmp_path / f"folder{suffix}", "Is a directory")
    path = tmp_path / f"bad{suffix}"
    for content in (b"", b" \n ", b"\x89PNG\r\n\x1a\n\0\0", "ä".encode("utf-16"), b"\xff\xfe\xfa"):
        path.write_bytes(content)
        refused(read_graph, path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_graphs_cut_off_anywhere(tmp_path, suffix):
    whole = good(tmp_path, suffix).read_bytes()
    path = tmp_path / f"cut{suffix}"
    for length in range(1, len(whole) - 1, max(1, len(whole) // 40)):
        path.write_bytes(whole[:length])
        if suffix != ".csv":
            refused(read_graph, path)
            continue
        # A table cut off at the end of a row is a table.
        assert_input_or_fine(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_graphs_with_any_byte_changed_fail_only_as_input(tmp_path, suffix):
    rng = np.random.default_rng(0)
    whole = good(tmp_path, suffix).read_bytes()
    path = tmp_path / f"noisy{suffix}"
    for _ in range(60):
        noisy = bytearray(whole)
        noisy[rng.integers(len(whole))] = rng.integers(256)
        path.write_bytes(noisy)
        assert_input_or_fine(path)


@pytest.mark.parametrize("suffix", [".json", ".graphml", ".dot"])
def test_graphs_of_a_newer_version(tmp_path, suffix):
    path = good(tmp_path, suffix)
    text = path.read_text()
    for old, new in [('"version": 1', '"version": 2'), ("version=1", "version=2")]:
        text = text.replace(old, new)
    if suffix == ".graphml":
        key = text.split('attr.name="version"')[0].rsplit('id="', 1)[1].split('"')[0]
        assert f'<data key="{key}">1<' in text
        text = text.replace(f'<data key="{key}">1<', f'<data key="{key}">2<')
    path.write_text(text)
    refused(read_graph, path, "version 2 is not known", "update jaxcause")


def test_an_npz_of_a_newer_version(tmp_path):
    path = tmp_path / "new.npz"
    np.savez(path, version=2, marks=np.asarray(GRAPH.marks))
    refused(read_graph, path, "version 2 is not known", "update jaxcause")


@pytest.mark.parametrize("suffix", [".json", ".graphml", ".dot"])
def test_graphs_that_claim_to_be_huge(tmp_path, suffix):
    path = good(tmp_path, suffix)
    text = path.read_text()
    huge = str(GIB)
    for old, new in [('"max_lag": 2', f'"max_lag": {huge}'), ("max_lag=2", f"max_lag={huge}")]:
        text = text.replace(old, new)
    if suffix == ".graphml":
        key = text.split('attr.name="max_lag"')[0].rsplit('id="', 1)[1].split('"')[0]
        text = text.replace(f'<data key="{key}">2<', f'<data key="{key}">{huge}<')
    path.write_text(text)
    refused(read_graph, path, "max_lag=1073741824")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_of_one_gibibyte_of_nothing(tmp_path, suffix):
    path = tmp_path / f"sparse{suffix}"
    with path.open("wb") as file:
        file.truncate(GIB)
    refused(read_graph, path)


@pytest.mark.parametrize(
    "prologue",
    [
        '<!DOCTYPE g [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        '<!DOCTYPE g [<!ENTITY x SYSTEM "file:///etc/hostname">]>',
        '<!DOCTYPE g SYSTEM "http://127.0.0.1:9/g.dtd">',
    ],
)
def test_entities_are_refused(tmp_path, prologue):
    path = tmp_path / "bomb.graphml"
    path.write_text(f'<?xml version="1.0"?>{prologue}<graphml><graph id="&b;"/></graphml>')
    refused(read_graph, path, "declares a document type or entities", "remove the DOCTYPE")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("<a/>", "0 graphs"),
        ('<?xml version="1.0" encoding="klingon"?><a/>', "no GraphML"),
        (
            '<graphml xmlns="http://graphml.graphdrawing.org/xmlns"><graph edgedefault="directed">'
            '<node id="a"/><edge source="a" target="a"/></graph></graphml>',
            "joins 'a' to itself",
        ),
    ],
)
def test_other_graphml(tmp_path, text, part):
    path = tmp_path / "x.graphml"
    path.write_text(text)
    refused(read_graph, path, part)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("digraph { subgraph a { x } }", "'subgraph' stands where"),
        ("digraph { a -> b [label=<b>] }", "line 1 has '<b>"),
        ("digraph { a -> b [arrowhead=crow] }", "only none, normal, odot and obox"),
        ("digraph { a -> b [lag=1]; b -> c }", "with and without"),
        ("digraph { a -> b [lag=-1] }", "must be a whole number"),
        ("digraph { a -> b; b -> a }", "again"),
        ('digraph { a [label="x"]; b [label="x"] }', "twice"),
        ("digraph { a -> b", "stands where"),
        ("digraph { a -> b } x", "stands where"),
    ],
)
def test_other_dot(tmp_path, text, part):
    path = tmp_path / "x.dot"
    path.write_text(text)
    refused(read_graph, path, part)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"max_lag": -1}, "at least 0"),
        ({"max_lag": 1.5}, "whole number"),
        ({"max_lag": True}, "whole number"),
        ({"variables": "ab"}, "list of names"),
        ({"variables": ["a", "a"]}, "twice"),
        ({"version": True}, "version True"),
        ({"version": None}, "version None"),
        ({"edges": [{"source": "a", "target": "b", "lag": 1.5, "edge": "-->"}]}, "1.5"),
        ({"edges": [{"source": "a", "target": "b", "lag": 3, "edge": "-->"}]}, "lag 3"),
        ({"edges": [{"source": "a", "target": "c", "lag": 1, "edge": "-->"}]}, "'c'"),
        ({"edges": [{"source": "a", "target": "a", "lag": 0, "edge": "-->"}]}, "itself"),
        ({"edges": [{"source": "a", "target": "b", "lag": 1, "edge": "x->"}]}, "x->"),
        ({"edges": [{"source": "a", "target": "b", "lag": 1, "edge": 3}]}, "no edge"),
        ({"edges": [{"source": "a", "target": "b", "lag": 1, "edge": "-->"}] * 2}, "again"),
        ({"edges": [{"source": [], "target": "b", "lag": 1, "edge": "-->"}] * 2}, "no edge"),
        ({"edges": [[]]}, "list of objects"),
    ],
)
def test_json_of_another_schema(tmp_path, change, part):
    path = tmp_path / "x.json"
    head = {"format": "jaxcause.lagged_graph", "version": 1, "max_lag": 2}
    path.write_text(json.dumps({**head, "variables": ["a", "b"], "edges": [], **change}))
    refused(read_graph, path, part)


def test_json_too_deep(tmp_path):
    path = tmp_path / "deep.json"
    path.write_text("[" * 200_000)
    refused(read_graph, path, "not valid JSON")


def npz(path, members, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return path


def header(shape, dtype="|i1"):
    text = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape}, }}"
    text += " " * ((64 - (len(text) + 11) % 64) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


@pytest.mark.parametrize("read", [read_graph, read_series])
def test_npz_files_that_lie(tmp_path, read):
    path = tmp_path / "x.npz"
    npz(path, {"marks": header((GIB,)) + b"\0" * 64})
    refused(read, path, "claims 1,073,741,824 bytes")
    npz(path, {"marks": header((-1, 3)) + b"\0" * 64})
    refused(read, path)
    npz(path, {"marks": header((2, 2), "|O") + b"\0" * 64})
    refused(read, path, "holds Python objects")
    npz(path, {"marks": b"\x93NUMPY\x09\x00"})
    refused(read, path, "npy version (9, 0)")
    for shape in ("(3,3999999", "(" * 5000, "\x84", "(True, 'a')"):
        npz(path, {"marks": header(shape) + b"\0" * 64})
        refused(read, path, "is damaged")
    npz(path, {"marks": b"nothing"})
    refused(read, path, "is damaged")
    npz(path, {})
    refused(read, path)
    np.savez(path, marks=np.zeros((3, 3)), other=np.array("x"))
    data = path.read_bytes()
    path.write_bytes(data[:60] + bytes([data[60] ^ 255]) + data[61:])
    refused(read, path, "is damaged")


@pytest.fixture(scope="module")
def bomb(tmp_path_factory):
    """A mebibyte that unfolds into a gibibyte."""
    path = tmp_path_factory.mktemp("bomb") / "bomb.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("marks.npy", "w", force_zip64=True) as member,
    ):
        member.write(header((GIB,)))
        block = b"\0" * 2**24
        for _ in range(GIB // len(block)):
            member.write(block)
    return path


@pytest.mark.parametrize("read", [read_graph, read_series])
def test_a_zip_bomb_is_not_unfolded(bomb, read):
    refused(read, bomb, "claims to hold 1,073,741,952", limit=2**24)


def test_npz_that_holds_no_graph(tmp_path):
    path = tmp_path / "x.npz"
    for arrays, part in [
        ({"x": np.zeros(3)}, "no array 'marks', but 'x'"),
        ({"marks": np.zeros((2, 2))}, "holds float64"),
        ({"marks": np.full((2, 2), 7)}, "other values"),
        ({"marks": np.zeros((2, 2), int), "names": np.array(["a"])}, "2 different names"),
        ({"graph": np.array([[["", "x->"]]])}, "graph[0, 0, 1] is 'x->'"),
    ]:
        np.savez(path, **arrays)
        refused(read_graph, path, part)


@pytest.mark.parametrize("suffix", [".csv", ".npz", ".npy", ".parquet"])
def test_series_missing_empty_foreign_and_sparse(tmp_path, suffix):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"x{suffix}"
    refused(read_series, path, "No such file")
    for content in (b"", b"\x89PNG\r\n\x1a\n\0\0", b"PK\x03\x04", "ä,b\n1,2".encode("utf-16")):
        path.write_bytes(content)
        refused(read_series, path)
    with path.open("wb") as file:
        file.truncate(GIB)
    refused(read_series, path)


def test_series_cut_off(tmp_path):
    values = np.random.default_rng(0).normal(size=(20, 3))
    buffer = io.BytesIO()
    np.savez_compressed(buffer, values=values)
    whole = {".npz": buffer.getvalue(), ".npy": b""}
    np.save(tmp_path / "a.npy", values)
    whole[".npy"] = (tmp_path / "a.npy").read_bytes()
    for suffix, data in whole.items():
        path = tmp_path / f"cut{suffix}"
        for length in range(1, len(data) - 1, len(data) // 20):
            path.write_bytes(data[:length])
            refused(read_series, path)


def test_a_line_without_an_end(tmp_path):
    path = tmp_path / "x.csv"
    with path.open("w") as file:
        file.write("a,b\n")
        for _ in range(40):
            file.write("1" * 2**20)
    refused(read_series, path, "a line of over 16,777,216 characters", limit=2**28)


def test_parquet_that_unfolds(tmp_path):
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "x.parquet"
    table = pa.table({"a": np.zeros(2**20), "b": np.zeros(2**20)})
    with parquet.ParquetWriter(path, table.schema, compression="zstd") as writer:
        for _ in range(64):
            writer.write_table(table)
    assert path.stat().st_size < 2**20
    refused(read_series, path, "claims to hold 1,073,7")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    refused(read_series, path)


def test_causeme_files(tmp_path, monkeypatch):
    monkeypatch.setattr("jaxcause.io._causeme._MAX_UNPACKED", 2**20)
    path = tmp_path / "x.json.bz2"
    write_causeme(path, [np.ones((2, 2))], method_sha="0", model="m", experiment="e")
    whole = path.read_bytes()
    for content, part in [
        (b"", "is empty"),
        (whole[:-8], "cut off"),
        (b"{}", "no result file"),
        (bz2.compress(b"{}"), "scores"),
        (bz2.compress(b'{"scores": [[1, 2, 3]]}'), "no result file"),
        (bz2.compress(b'{"scores": [[1], [1, 2]]}'), "no result file"),
        (bz2.compress(b"[1]"), "no result file"),
    ]:
        path.write_bytes(content)
        refused(read_causeme, path, part)
    path.write_bytes(bz2.compress(b"\0" * 2**21))
    refused(read_causeme, path, "unfolds into more than")


def test_files_that_cannot_be_written_leave_the_old_one(tmp_path):
    path = good(tmp_path, ".json")
    before = path.read_bytes()
    with pytest.raises(InputError, match="2 different names"):
        write_graph(path, GRAPH, names=["a"])
    with pytest.raises(InputError, match="cannot write"):
        write_graph(tmp_path / "none" / "x.json", GRAPH)
    with pytest.raises(InputError, match="no suffix that is known; use .json"):
        write_graph(tmp_path / "x.doc", GRAPH)
    with pytest.raises(InputError, match="cannot hold"):
        write_graph(tmp_path / "x.graphml", GRAPH, names=["a\0", "b"])
    batch = CausalGraph(np.zeros((3, 2, 2), np.int8))
    with pytest.raises(InputError, match=r"batch of shape \(3,\); index it first"):
        write_graph(path, batch)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["good.json"]


def test_dot_holds_no_control_characters():
    graph = CausalGraph(np.zeros((2, 2), int))
    for name in ("a\x00", "\x1b[31m", "b\x7f"):
        with pytest.raises(InputError, match="control character"):
            to_dot(graph, names=["x", name])
    assert from_dot(to_dot(graph, names=["two\nlines", "tab\t"])).names == [
        "two\nlines",
        "tab\t",
    ]
