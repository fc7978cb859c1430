"""Faults of disks, files and processes: one line, and nothing that was there is lost."""

import contextlib
import itertools
import json
import resource
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np
import pytest
from kills import dies
from safetensors import safe_open
from safetensors.numpy import save_file
from text_models import saved_model

from jaxcause import InputError, discover
from jaxcause._checkpoint import as_tree, load_checkpoint, save_checkpoint
from jaxcause._replacing import replace_file
from jaxcause.cli import main
from jaxcause.io import filled_at_once, locked
from jaxcause.io._folder import LOCK, SCRATCH
from jaxcause.training import TrainingConfig
from jaxcause.workflows._discover import members
from jaxcause.workflows._discover.forecaster import TrainedForecaster

SHORT = TrainingConfig(12, batch_size=4, steps_per_call=4, stretch=1)


@pytest.fixture(scope="module")
def series():
    x = np.random.default_rng(0).normal(size=(120, 2))
    x[1:, 1] += 0.8 * x[:-1, 0]
    return x


@pytest.fixture(scope="module")
def csv_file(series, tmp_path_factory):
    path = tmp_path_factory.mktemp("series") / "s.csv"
    path.write_text("a,b\n" + "".join(f"{p:.6f},{q:.6f}\n" for p, q in series))
    return path


@pytest.fixture(scope="module")
def trained(series):
    return discover(series, 2, model="small", training=SHORT, progress=False).forecaster


# Forecasters -------------------------------------------------------------------------------------


def changed(path, target, *, keep_checksum, **metadata):
    """A copy of a forecaster whose metadata differ."""
    with safe_open(path, framework="numpy") as file:
        old = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if not keep_checksum:
        del old["checksum"]
    save_file(tensors, target, metadata=old | metadata)


def test_a_forecaster_that_was_damaged_anywhere_is_refused_in_one_line(trained, tmp_path):
    path, bad = tmp_path / "f.safetensors", tmp_path / "bad.safetensors"
    trained.save(path)
    whole = path.read_bytes()
    assert TrainedForecaster.load(path).names == trained.names
    rng = np.random.default_rng(0)
    damaged = [whole[: int(cut)] for cut in rng.integers(0, len(whole), 20)]
    for at, bit in zip(rng.integers(0, len(whole), 60), rng.integers(0, 8, 60), strict=True):
        flipped = bytearray(whole)
        flipped[at] ^= 1 << bit
        damaged.append(bytes(flipped))
    for content in damaged:
        bad.write_bytes(content)
        with pytest.raises(InputError) as error:
            TrainedForecaster.load(bad)
        assert str(bad) in str(error.value)
        assert "\n" not in str(error.value)


def test_a_forecaster_with_a_damaged_key_is_refused(trained, tmp_path):
    """The order of the keys in the file differs from run to run, so each bit of each is tried."""
    path, bad = tmp_path / "f.safetensors", tmp_path / "bad.safetensors"
    trained.save(path)
    whole = path.read_bytes()
    with safe_open(path, framework="numpy") as file:
        keys = list(file.metadata())
    assert "checksum" in keys
    for key in keys:
        start = whole.index(f'"{key}":'.encode()) + 1
        for at, bit in itertools.product(range(start, start + len(key)), range(8)):
            flipped = bytearray(whole)
            flipped[at] ^= 1 << bit
            bad.write_bytes(bytes(flipped))
            with pytest.raises(InputError, match="damaged|cannot read|holds no"):
                TrainedForecaster.load(bad)


CHANGES = [
    {"transform": "log"},
    {"transform": "copula"},
    {"transform": "banana"},
    {"config": {"head": "gaussian"}},
    {"config": {"n_vars": 3}},
    {"config": {"width": 64}},
    {"config": {"depth": 3}},
    {"config": {"max_lag": 5}},
    {"config": {"unknown": 1}},
    {"config": {"width": "wide"}},
    {"names": ["a"]},
    {"names": 3},
    {"weight": "many"},
    {"resample": {"every": 3}},
    {"resample": -2},
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_forecaster_that_contradicts_itself_is_refused(change, trained, tmp_path):
    path, bad = tmp_path / "f.safetensors", tmp_path / "bad.safetensors"
    trained.save(path)
    with safe_open(path, framework="numpy") as file:
        config = json.loads(file.metadata()["config"])
    metadata = {k: v if isinstance(v, str) else json.dumps(v) for k, v in change.items()}
    if "config" in change:
        metadata["config"] = json.dumps(config | change["config"])
    changed(path, bad, keep_checksum=True, **metadata)
    with pytest.raises(InputError, match="its checksum differs"):
        TrainedForecaster.load(bad)
    if change not in ({"transform": "log"},):
        # Without a checksum, as of older files, contradictions are still seen.
        changed(path, bad, keep_checksum=False, **metadata)
        with pytest.raises(InputError, match="is damaged or was changed"):
            TrainedForecaster.load(bad)


# Checkpoints -------------------------------------------------------------------------------------


def test_every_bit_of_a_checkpoint_counts(tmp_path):
    path, like = tmp_path / "c", {"w": np.zeros(50), "k": np.zeros(())}
    save_checkpoint(path, {"w": np.arange(50.0), "k": np.float64(3)}, of="me")
    whole = path.read_bytes()
    assert as_tree(load_checkpoint(path, of="me"), like)["w"][7] == 7
    rng = np.random.default_rng(0)
    for at, bit in zip(rng.integers(0, len(whole), 80), rng.integers(0, 8, 80), strict=True):
        flipped = bytearray(whole)
        flipped[at] ^= 1 << bit
        path.write_bytes(bytes(flipped))
        with pytest.raises(InputError, match="no checkpoint|checksum differs"):
            load_checkpoint(path, of="me")


WRITER = """
import sys, numpy as np
from pathlib import Path
from jaxcause._checkpoint import save_checkpoint
print("ready", flush=True)
k = 0
while True:
    k += 1
    save_checkpoint(Path(sys.argv[1]), {"w": np.full(200_000, float(k))}, of="me")
"""


def test_a_process_killed_while_it_writes_leaves_a_whole_checkpoint(tmp_path):
    path, rng = tmp_path / "c", np.random.default_rng(0)
    for _ in range(6):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout.readline() == "ready\n"
            time.sleep(0.02 + 0.1 * rng.random())
            writer.send_signal(signal.SIGKILL)
        found = load_checkpoint(path, of="me")
        if found is not None:
            assert len(set(found["w"].tolist())) == 1


def test_a_writer_killed_at_any_step_leaves_a_whole_file(tmp_path, monkeypatch):
    path = tmp_path / "c"
    for k in itertools.count():
        save_checkpoint(path, {"w": np.zeros(1000)}, of="me")
        killed = dies(lambda: save_checkpoint(path, {"w": np.ones(1000)}, of="me"), k, monkeypatch)
        found = load_checkpoint(path, of="me")["w"]
        assert set(found.tolist()) == {0.0 if killed else 1.0}
        # Nobody has to clear away what the killed one left: the next one writes over it.
        save_checkpoint(path, {"w": np.full(10, 2.0)}, of="me")
        assert load_checkpoint(path, of="me")["w"].tolist() == [2.0] * 10
        assert [file.name for file in tmp_path.iterdir()] == ["c"]
        if not killed:
            assert k == 7
            return


def test_two_writers_of_one_file_wait_for_each_other(tmp_path):
    path = tmp_path / "c"

    def write(k):
        for _ in range(20):
            replace_file(path, bytes([k]) * 5000, bytes([k]) * 5000)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert len(set(path.read_bytes())) == 1
    assert len(path.read_bytes()) == 10_000
    assert [file.name for file in tmp_path.iterdir()] == ["c"]


def test_members_resume(series, tmp_path, monkeypatch):
    def run(checkpoint):
        return discover(
            series,
            2,
            model="small",
            training=SHORT,
            members=4,
            progress=False,
            checkpoint=checkpoint,
            key=jax.random.key(3),
        )

    whole, path, n_fits = run(None), tmp_path / "checkpoint", 0
    fit = members.fit_members

    def killed_at_the_third(*args, **options):
        nonlocal n_fits
        n_fits += 1
        if n_fits == 3:
            raise RuntimeError("killed")
        return fit(*args, **options)

    monkeypatch.setattr(members, "fit_members", killed_at_the_third)
    with pytest.raises(RuntimeError):
        run(path)
    resumed = run(path)
    assert n_fits == 3 + 2
    np.testing.assert_array_equal(resumed.scores, whole.scores)


# Folders -----------------------------------------------------------------------------------------

HOLDER = """
import sys, time
from jaxcause.io import filled_at_once
with filled_at_once(sys.argv[1]) as scratch:
    (scratch / "half").write_text("written")
    print("ready", flush=True)
    time.sleep(60)
"""


def test_one_process_at_a_time_writes_to_a_folder_and_leftovers_go(tmp_path):
    out = tmp_path / "out"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(out)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "ready\n"
        for attempt in (locked, filled_at_once):
            with pytest.raises(InputError, match="another process is writing"), attempt(out):
                pass
        holder.send_signal(signal.SIGKILL)
    assert list(out.glob(f"{SCRATCH}*"))
    with filled_at_once(out) as scratch:
        (scratch / "whole").write_text("written")
    assert [file.name for file in out.iterdir()] == ["whole"]


def test_a_lock_leaves_nothing_and_is_taken_twice_by_one_process(tmp_path):
    out = tmp_path / "deep" / "out"
    with locked(out), locked(out):
        assert (out / LOCK).exists()
    assert not out.parent.exists()


def test_a_folder_that_vanishes_meanwhile_is_told_in_one_line(tmp_path):
    out = tmp_path / "out"

    def vanishing():
        with filled_at_once(out) as scratch:
            scratch.rmdir()

    with pytest.raises(InputError, match="cannot write to the folder"):
        vanishing()


# Full disks --------------------------------------------------------------------------------------

SIZES = [0, 20, 100, 500, 1_000, 5_000, 20_000, 40_000]
"""Bytes that a file may have: some files of a result fit, and others do not."""


@contextlib.contextmanager
def no_file_beyond(n_bytes):
    """A context in which no file may have more bytes, as on a disk that is nearly full."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.fixture(scope="module")
def written(csv_file, tmp_path_factory):
    """The folder that ``discover`` writes, the model of ``explain``, and its texts."""
    folder = tmp_path_factory.mktemp("written")
    call = ["discover", csv_file, "--method", "var", "--max-lag", "1", "--quiet"]
    assert main([*map(str, call), "--out", str(folder / "graph")]) == 0
    saved_model("bert_sequence_classification", folder)
    (folder / "texts.txt").write_text("the old bridge was closed\nfilm is good\n")
    return folder


def calls(csv_file, written, out):
    """Commands that write, and what is at the place to which they write."""
    explain = ["explain", "--model", written / "bert_sequence_classification"]
    explain += ["--file", written / "texts.txt", "--n-samples", 400, "--max-queries", 10]
    names = "graph.json report.html edges.csv explanation-1.json index.html graph.png"
    folder = {f"out/{name}": f"earlier {name}" for name in names.split()}
    return {
        "discover": (["discover", csv_file, "--method", "var", "--out", out / "out"], folder),
        "search": (["discover", csv_file, "--method", "pc", "--out", out / "out"], folder),
        "explain": ([*explain, "--out", out / "out"], folder),
        "plot": (["plot", written / "graph", "--out", out / "p.png"], {"p.png": "earlier"}),
        "convert": (["convert", written / "graph", out / "g.graphml"], {"g.graphml": "earlier"}),
    }


@pytest.mark.parametrize("command", ["discover", "search", "explain", "plot", "convert"])
def test_a_full_disk_is_one_line_and_earlier_results_stay(
    command, csv_file, written, tmp_path, capsys
):
    call, earlier = calls(csv_file, written, tmp_path)[command]
    for name, content in earlier.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    call = [*map(str, call), "--quiet"]
    codes = []
    for size in SIZES:
        capsys.readouterr()
        with no_file_beyond(size):
            codes.append(main(call))
        said = capsys.readouterr().err.splitlines()
        if codes[-1] == 0:
            # All files of the result are smaller.
            break
        assert codes[-1] == 2, said
        assert len(said) == 1
        assert said[0].startswith("jaxcause: error: cannot write")
        # What is kept of a search or of texts goes on where the disk was full.
        now = {
            str(file.relative_to(tmp_path)): file.read_text()
            for file in tmp_path.rglob("*")
            if file.is_file() and not file.name.startswith("checkpoint")
        }
        assert now == earlier
    assert codes.count(2) >= 4


def test_a_full_standard_output_is_one_line(written):
    code = "import sys; from jaxcause.cli import main; sys.exit(main(sys.argv[1:]))"
    graph = str(written / "graph")
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", code, "compare", graph, graph, "--json"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    said = done.stderr.splitlines()
    assert (done.returncode, len(said)) == (2, 1), said
    assert said[0].startswith("jaxcause: error: No space left on device")


def test_a_checkpoint_that_cannot_be_written_is_one_line_and_the_old_one_stays(tmp_path):
    path = tmp_path / "c"
    save_checkpoint(path, {"w": np.zeros(10)}, of="me")
    before = path.read_bytes()
    with (
        no_file_beyond(1000),
        pytest.raises(InputError, match="cannot write the checkpoint .*: File too large"),
    ):
        save_checkpoint(path, {"w": np.zeros(10_000)}, of="me")
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["c"]


def test_what_the_system_refuses_is_one_line(csv_file, capsys, monkeypatch):
    def fail(*_, **__):
        raise OSError(5, "Input/output error", "/a/disk")

    monkeypatch.setattr("jaxcause.io.read_series", fail)
    assert main(["discover", str(csv_file)]) == 2
    assert capsys.readouterr().err == (
        "jaxcause: error: Input/output error (/a/disk); check the disk and the paths\n"
    )
