"""Processes that are killed at random moments: what they end in when they are started again.

Each job runs once as a whole, in a process of its own. Then it is started 20 times, killed by
SIGKILL at a moment drawn evenly from the time that the whole one took, and started again with the
same arguments. The results must be equal, bit for bit. Processes are forks of one that has imported
the libraries and computed nothing.
"""

import importlib.util
import multiprocessing
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import jaxcause as jc
from jaxcause._checkpoint import load_checkpoint, save_checkpoint
from jaxcause.cli import main
from jaxcause.discovery import PcmciResult, lagged_correlation

N_KILLS = 20
ROOT = Path(__file__).parents[1]
TEXTS = 12
"""Texts of the corpus; its model is the tiny one of the tests."""


def run(*, quick: bool = False) -> list[dict]:
    """Of each job how often it was killed, and how often its result was that of the whole one."""
    os.environ["JAXCAUSE_CACHE"] = "off"
    for module in ("jaxcause.discovery", "jaxcause.workflows", "matplotlib.pyplot", "transformers"):
        importlib.import_module(module)
    rows = []
    for name, job in JOBS.items():
        with tempfile.TemporaryDirectory() as folder:
            rows.append(_killed(name, job.__doc__ or "", Path(folder), 3 if quick else N_KILLS))
        print(rows[-1], flush=True)
    return rows


def _killed(name: str, title: str, folder: Path, n_kills: int) -> dict:
    random = np.random.default_rng(0)
    seconds = _started(name, folder / "whole")
    whole = _result(folder / "whole")
    killed = kept = equal = 0
    while killed < n_kills:
        place = folder / "killed"
        shutil.rmtree(place, ignore_errors=True)
        if _started(name, place, float(random.uniform(0, seconds))) is not None:
            continue  # it was done before
        killed += 1
        kept += any(place.rglob("*checkpoint*"))
        _started(name, place)
        equal += _result(place) == whole
    return {
        "killed in": title.rstrip("."),
        "seconds of the whole": seconds,
        "kills": killed,
        "with something kept": kept,
        "results equal": equal,
    }


def _started(name: str, place: Path, seconds: float | None = None) -> float | None:
    """Run a job, and kill it some seconds after it began; how long it took, or None if killed."""
    place.mkdir(exist_ok=True)
    began = time.perf_counter()
    process = multiprocessing.get_context("fork").Process(target=JOBS[name], args=(place,))
    process.start()
    process.join(seconds)
    if process.exitcode is None:
        process.kill()
        process.join()
        if process.exitcode == -signal.SIGKILL:
            return None
    if process.exitcode:
        raise RuntimeError(f"{name} ended with exit code {process.exitcode}")
    return time.perf_counter() - began


def _result(place: Path) -> dict[str, bytes]:
    """The files that a job leaves, but for what names the time it took."""
    return {
        str(file.relative_to(place)): file.read_bytes()
        for file in sorted(place.rglob("*"))
        if file.is_file() and file.name != "report.html"
    }


def _dense(n_graphs: int, n: int, seed: int) -> np.ndarray:
    """Samples of dense systems, whose searches go through many levels."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(n_graphs, 300, n))
    for k in range(1, n):
        weights = random.uniform(0.1, 0.4, (n_graphs, 1, k)) * (random.random((1, 1, k)) < 0.5)
        x[..., k] += (x[..., :k] * weights).sum(-1)
    return x


def pc(place: Path) -> None:
    """`jc.pc`, 200 graphs of 24 nodes."""
    _search(jc.pc, place, _dense(200, 24, 0))


def fci(place: Path) -> None:
    """`jc.fci`, 20 graphs of 14 nodes."""
    _search(jc.fci, place, _dense(20, 14, 1))


def icd(place: Path) -> None:
    """`jc.icd`, 100 graphs of 16 nodes."""
    _search(jc.icd, place, _dense(100, 16, 2))


def _search(search, place: Path, x: np.ndarray) -> None:
    found = search(x, alpha=0.1, checkpoint=place / "checkpoint")
    parts = {
        "marks": found.graph.marks,
        "p": found.p_values,
        "nodes": found.sepsets.nodes,
        "n_tests": found.info.n_tests,
    }
    np.savez(place / "found.npz", **{name: np.asarray(part) for name, part in parts.items()})
    (place / "checkpoint").unlink()


def pcmci(place: Path) -> None:
    """`jc.discovery.pcmci`, 60 variables, 4 lags."""
    _lagged(jc.discovery.pcmci, place, 60)


def pcmci_plus(place: Path) -> None:
    """`jc.discovery.pcmci_plus`, 12 variables, 4 lags."""
    _lagged(jc.discovery.pcmci_plus, place, 12)


def _lagged(search: Callable[..., PcmciResult], place: Path, n: int) -> None:
    x, max_lag = _lagged_system(n), 4
    corr, n_windows = lagged_correlation(x, np.arange(len(x) - 2 * max_lag), max_lag=max_lag)
    found = search(corr, n_windows, n_vars=n, checkpoint=place / "checkpoint")
    marks, n_tests = np.asarray(found.graph.marks), found.info.n_tests_mci
    np.savez(place / "found.npz", marks=marks, p=found.p_value, n_tests=n_tests)
    (place / "checkpoint").unlink()


def refine(place: Path) -> None:
    """`jc.discovery.refine`, 20 variables, 3 lags."""
    x = _lagged_system(20)
    selected = jc.discover(x, 3, method="var", q=0.5).graph
    options = {"latents": True, "contemporaneous": True, "checkpoint": place / "checkpoint"}
    found = jc.discovery.refine(selected, x, **options)
    marks, n_tests = np.asarray(found.graph.marks), np.array(found.info.n_tests)
    np.savez(place / "found.npz", marks=marks, n_tests=n_tests)
    for file in place.glob("checkpoint*"):
        file.unlink()


def discover_pc(place: Path) -> None:
    """`jaxcause discover --method pc`, 12 variables, 4 lags."""
    _command("discover", _series(place, 12), "--max-lag", "4", "--method", "pc", place=place)


def discover_gradient(place: Path) -> None:
    """`jaxcause discover`, training of 400 steps and 2 members."""
    options = ["--max-lag", "2", "--model", "small", "--steps", "400", "--members", "2"]
    _command("discover", _series(place, 4), *options, place=place)


def explain(place: Path) -> None:
    """`jaxcause explain --file`, 12 texts."""
    spec = importlib.util.spec_from_file_location(
        "text_models", ROOT / "tests" / "workflows" / "text_models.py"
    )
    assert spec is not None
    assert spec.loader is not None
    text_models = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(text_models)
    outside = place.with_name(place.name + "-model")
    shutil.rmtree(outside, ignore_errors=True)
    model = text_models.saved_model("bert_sequence_classification", outside)
    random, words = np.random.default_rng(0), text_models.WORDS.split()
    texts = outside / "texts.txt"
    texts.write_text("\n".join(" ".join(random.choice(words, 6)) for _ in range(TEXTS)))
    options = ["--n-samples", "400", "--max-queries", "30"]
    _command("explain", "--model", str(model), "--file", str(texts), *options, place=place)


def _series(place: Path, n: int) -> str:
    x = _lagged_system(n)
    path = place.with_name(place.name + ".csv")
    names = ",".join(f"v{k}" for k in range(n))
    np.savetxt(path, x, delimiter=",", header=names, comments="")
    return str(path)


def _lagged_system(n: int) -> np.ndarray:
    x = _dense(1, n, 3)[0]
    x[1:] += 0.5 * x[:-1, ::-1]
    return x


def _command(*arguments: str, place: Path) -> None:
    assert main([*arguments, "--quiet", "--out", str(place)]) == 0


def writing(place: Path) -> None:
    """Writing of checkpoints of 2 MB, each the state after a step."""
    path, state = place / "checkpoint", {"step": np.zeros((), int), "x": np.linspace(0, 1, 250_000)}
    state = load_checkpoint(path, of="") or state
    for step in range(int(state["step"]), 100):
        state = {"step": np.array(step + 1), "x": np.cos(state["x"] + step)}
        save_checkpoint(path, state, of="")
    np.save(place / "found.npy", state["x"])
    path.unlink()


JOBS = {
    job.__name__: job
    for job in (
        *(writing, pc, fci, icd, pcmci, pcmci_plus, refine),
        *(discover_pc, explain, discover_gradient),
    )
}
