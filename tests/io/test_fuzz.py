"""A few hundred damaged files of every kind: each is read, or refused in one line."""

import json
import random
import resource
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hostile_tables import HOURS, X, german, table, written

from jaxcause import InputError
from jaxcause.graph import CausalGraph, LaggedGraph
from jaxcause.io import read_graph, read_series, write_graph
from jaxcause.models import load_pretrained

GOLDENS = Path(__file__).parent.parent / "models" / "goldens"
SECONDS, BYTES = 5.0, 2**30
LINUX = sys.platform.startswith("linux")
TEXTS = (
    *(
        b"",
        b"\0",
        b"\xff\xfe",
        b"\xed\xa0\x80",
        b"NaN",
        b"1e999",
        b"-9999",
        b"9" * 400,
        b'"',
        b"\\",
    ),
    *(
        b",,,,",
        b"\n",
        b"[" * 4000,
        b"{" * 4000,
        b'{"a": 1}',
        b"[[]]",
        b"null",
        b"true",
        b"-1",
        b"0.5",
    ),
    *(b"1e9", b"21000000", b"=cmd|' /C calc'!A0", b"../../etc/passwd", b"x" * 5000, "−٣²".encode()),
    *(b"24:00", b"31.02.2020", b"1/2/3", b"2020-W53-7", b"0000-00-00", b"99999999", b"1.234.567,8"),
)
"""What is written into a file in the place of something else."""


def damaged(rng, data):
    """One of several kinds of damage."""
    data = bytearray(data)
    at, end = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    kind = rng.randrange(7)
    if kind == 0:
        return bytes(data[:at])
    if kind == 1:
        del data[at : min(end, at + 40)]
    elif kind == 2:
        data[at:at] = data[at : at + 200]
    elif kind == 3:
        for _ in range(rng.randrange(1, 8)):
            data[rng.randrange(len(data))] = rng.randrange(256)
    elif kind == 4:
        data[at : at + rng.randrange(20)] = rng.choice(TEXTS)
    else:
        # A word or a number is what programs interpret.
        return _word_replaced(rng, bytes(data))
    return bytes(data)


def _word_replaced(rng, data):
    spans = [(0, 0)]
    begin = None
    for k, byte in enumerate(data + b" "):
        inside = chr(byte).isalnum() or byte in b"-._"
        if inside and begin is None:
            begin = k
        if not inside and begin is not None:
            spans.append((begin, k))
            begin = None
    begin, end = rng.choice(spans)
    return data[:begin] + rng.choice(TEXTS) + data[end:]


def memory():
    """The most bytes that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1024 if LINUX else 1)


def outcome(read, path, *parts):
    """The error, if there is one, after checking its form and what it took."""
    began, before, message = time.process_time(), memory(), ""
    try:
        read(path, *parts)
    except InputError as error:
        message = str(error)
    assert time.process_time() - began < SECONDS
    assert memory() - before < BYTES
    assert "\n" not in message
    assert len(message) < 3200
    message.encode()
    return message


def series_files(folder):
    """Good tables of every kind of file, and how they are read."""
    text = {
        "iso.csv": (table(written("%Y-%m-%d")), {}),
        "american.csv": (table(written("%m/%d/%Y %I:%M %p", HOURS)), {}),
        "parts.csv": (table(written("%Y,%m,%d"), head="year,month,day"), {}),
        "german.csv": (
            table(written("%d.%m.%Y %H:%M", HOURS), mark=";", cells=german),
            {"delimiter": ";", "decimal": ","},
        ),
    }
    files = []
    for name, (content, options) in text.items():
        (folder / name).write_text(content)
        files.append((folder / name, options))
    np.save(folder / "x.npy", X[:30])
    np.savez_compressed(folder / "x.npz", values=X[:30], names=np.array(["a", "b", "c"]))
    return [*files, (folder / "x.npy", {}), (folder / "x.npz", {})]


@pytest.mark.parametrize("kind", range(6))
def test_series(tmp_path, kind):
    path, options = series_files(tmp_path)[kind]
    rng, whole = random.Random(kind), path.read_bytes()
    for _ in range(24):
        path.write_bytes(damaged(rng, whole))
        message = outcome(lambda path: read_series(path, **options), path)
        assert not message or str(path) in message, message


def test_parquet(tmp_path):
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "x.parquet"
    parquet.write_table(pyarrow.table({n: X[:30, k] for k, n in enumerate("abc")}), path)
    rng, whole = random.Random(0), path.read_bytes()
    for _ in range(40):
        path.write_bytes(damaged(rng, whole))
        outcome(read_series, path)
    wide = {f"c{k}": [0.0] for k in range(6000)}
    parquet.write_table(pyarrow.table(wide), path)
    assert "6,000 columns" in outcome(read_series, path)


def graph_files(folder):
    mask = np.zeros((3, 3, 3), bool)
    mask[0, 1, 2] = mask[1, 1, 1] = mask[2, 0, 1] = True
    lagged, marks = LaggedGraph.from_mask(mask), np.zeros((3, 3), np.int8)
    marks[0, 1], marks[1, 0], marks[1, 2], marks[2, 1] = 2, 3, 1, 2
    for suffix in (".json", ".npz", ".graphml", ".dot", ".csv"):
        for name, graph in (("lagged", lagged), ("causal", CausalGraph(marks))):
            path = folder / f"{name}{suffix}"
            write_graph(path, graph, names=["rain", "river", "snow"])
            yield path


@pytest.mark.parametrize("suffix", [".json", ".npz", ".graphml", ".dot", ".csv"])
def test_graphs(tmp_path, suffix):
    for k, path in enumerate(p for p in graph_files(tmp_path) if p.suffix == suffix):
        rng, whole = random.Random(k), path.read_bytes()
        for _ in range(25):
            path.write_bytes(damaged(rng, whole))
            message = outcome(read_graph, path)
            assert not message or path.name in message, message


@pytest.fixture(scope="module")
def loaded_once():
    """Imports, which are no part of the time of a file."""
    load_pretrained(GOLDENS / "bert_none")


@pytest.mark.usefixtures("loaded_once")
@pytest.mark.parametrize(
    ("golden", "file"),
    [
        ("bert_none", "config.json"),
        ("gpt2_none", "config.json"),
        ("bert_none", "model.safetensors"),
        ("bert_bin", "pytorch_model.bin"),
    ],
)
def test_models(tmp_path, golden, file):
    folder = tmp_path / "model"
    shutil.copytree(GOLDENS / golden, folder)
    rng, whole = random.Random(file), (folder / file).read_bytes()
    for _ in range(20):
        (folder / file).write_bytes(damaged(rng, whole))
        outcome(load_pretrained, folder)


@pytest.mark.usefixtures("loaded_once")
@pytest.mark.parametrize(
    "change",
    [
        {"model_type": ["bert"]},
        {"model_type": {}},
        {"architectures": {"a": 1}},
        {"architectures": [["BertModel"]]},
        {"architectures": [{}]},
        {"num_hidden_layers": 10**5},
        {"num_hidden_layers": 1e300},
        {"num_labels": 10**9},
        {"num_hidden_layers": "two"},
        {"id2label": []},
        {"hidden_size": -1},
        {"hidden_act": {}},
        {"auto_map": 3},
        {"quantization_config": [1]},
    ],
)
def test_options_of_models_that_cannot_be(tmp_path, change):
    folder = tmp_path / "model"
    shutil.copytree(GOLDENS / "bert_sequence_classification", folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | change))
    message = outcome(load_pretrained, folder)
    assert message or "id2label" in change or "auto_map" in change


@pytest.mark.usefixtures("loaded_once")
@pytest.mark.parametrize(
    "index",
    [
        b"[" * 100_000,
        b'{"weight_map": {"a": "' + b"x" * 5000 + b'"}}',
        b'{"weight_map": {"a": {}}}',
        b'{"weight_map": [1]}',
        b'{"weight_map": {"a": 3, "b": "c"}}',
        b"[]",
    ],
)
def test_indexes_that_cannot_be(tmp_path, index):
    folder = tmp_path / "model"
    shutil.copytree(GOLDENS / "bert_none", folder)
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_bytes(index)
    assert outcome(load_pretrained, folder)
