"""Problems that fill a machine: what they hold, as planned before they begin and as measured.

Each row is made in a process of its own, from arrays to oriented graphs, with everything that it
compiles. Peaks are those of the whole process; its imports take some 250 MiB, and its data what the
column says. The plan is what a search reckons with before it begins, beyond its data.
"""

import importlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

import jaxcause as jc
from benchmarks.core.apart import answer, apart, peak_mebibytes
from benchmarks.core.problems import N_EMBEDDING, attention_corr
from jaxcause import _memory, metrics

DEGREE = 3
PUBLISHED_SIZES = {
    "NCI-60": (1190, 47),
    "MCC": (1380, 88),
    "BR-51": (1592, 50),
    "S. aureus": (2810, 160),
    "S. cerevisiae": (5361, 63),
}
"""Variables and samples of the gene expressions on which PC on accelerators was first measured."""
MIB = 2.0**20

CASES: list[tuple[str, str, list[Any]]] = [
    *(("sizes of gene expressions", "genes", [name]) for name in PUBLISHED_SIZES),
    ("one large graph", "star", [3_000]),
    ("one large graph", "complete", [5_000]),
    *(("one large graph", "sparse", [p]) for p in (5_000, 10_000)),
    *(("many heads", "heads", [2_000, 64, most]) for most in (1, 2, None)),
    *(("long series", "series", [method, 1_000_000]) for method in ("var", "pcmci", "pc")),
]
"""Table, function, and what it is given."""


def run(*, quick: bool, only: str = "") -> list[dict]:
    """A row for each case; ``only`` names functions."""
    cases = [case for case in CASES if not only or case[1] in only.split(",")]
    return [row for table, what, given in cases for row in _row(table, what, given, quick)]


def _row(table: str, what: str, given: list[Any], quick: bool) -> Iterator[dict]:
    """The row of a case, made in a process of its own; a tenth of the size if ``quick``."""
    if quick:
        given = [max(200, part // 10) if isinstance(part, int) else part for part in given]
    try:
        yield {"table": table} | apart("benchmarks.large", what, given)
    except RuntimeError as error:
        print(error, file=sys.stderr, flush=True)


def genes(name: str) -> dict[str, Any]:
    """`jc.pc` on data of the size of a published problem, until its graph is oriented."""
    p, n_samples = PUBLISHED_SIZES[name]
    x, true = sparse_system(p, n_samples)
    return _searched(f"{name}: {n_samples} samples of {p:,} variables", x, true)


def sparse(p: int) -> dict[str, Any]:
    """`jc.pc` on one large sparse graph."""
    x, true = sparse_system(p, 1_000)
    return _searched(
        f"`jc.pc`, 1,000 samples of {p:,} variables, {DEGREE} neighbours each", x, true
    )


def star(p: int) -> dict[str, Any]:
    """`jc.pc` on a hub with many leaves, whose level 1 makes a test for each two of them and it."""
    random = np.random.default_rng(0)
    x = random.normal(size=(2_000, p))
    x[:, 1:] += 0.8 * x[:, :1]
    what = f"`jc.pc`, a star of {p:,} variables, sets of up to 1"
    return _searched(what, x, None, alpha=1e-8, max_cond_size=1)


def complete(p: int) -> dict[str, Any]:
    """`jc.pc` at level 0, where everything depends on everything."""
    random = np.random.default_rng(0)
    x = random.normal(size=(2_000, 1)) + random.normal(size=(2_000, p))
    return _searched(f"`jc.pc`, {p:,} variables, `max_cond_size=0`", x, None, max_cond_size=0)


def heads(n_heads: int, n: int, most: int | None) -> dict[str, Any]:
    """`jc.icd` on many attention heads at once."""
    test = jc.partial_correlation_test(attention_corr(n_heads, n, 2.0), N_EMBEDDING)
    what = f"`jc.icd`, {n_heads:,} heads of {n} tokens"
    what += ", sets of any size" if most is None else f", sets of up to {most}"
    options: dict[str, Any] = {} if most is None else {"max_cond_size": most}
    plan, found, row = _measured(lambda: jc.icd(test, **options))
    n_tests = np.asarray(found.info.n_tests)
    return {
        "problem": what,
        "data MiB": np.asarray(test.corr).nbytes / MIB,
        "planned MiB": plan,
    } | (row | {"levels": n_tests.shape[-1], "tests": int(n_tests.sum())})


def series(method: str, n_rows: int) -> dict[str, Any]:
    """`jc.discover` on a memory map of 20 variables and three lags."""
    n_vars, max_lag = 20, 3
    random = np.random.default_rng(0)
    true = np.zeros((n_vars, n_vars, max_lag + 1), bool)
    with tempfile.TemporaryDirectory() as folder:
        x = np.lib.format.open_memmap(
            Path(folder) / "x.npy", "w+", shape=(n_rows, n_vars), dtype=np.float64
        )
        x[:] = random.normal(size=x.shape)
        source = random.integers(n_vars, size=(n_vars, 2))
        for target in range(n_vars):
            for lag, cause in enumerate(source[target], start=1):
                true[cause, target, lag] = True
        for t in range(max_lag, n_rows):
            x[t] += 0.3 * x[t - 1, source[:, 0]] + 0.3 * x[t - 2, source[:, 1]]
        stored = np.load(Path(folder) / "x.npy", mmap_mode="r")
        options: dict[str, Any] = {"alpha": 1e-4} if method == "pc" else {}
        call = lambda: jc.discover(stored, max_lag, method=method, **options)  # noqa: E731
        plan, found, row = _measured(call)
    f1 = float(metrics.precision_recall(np.asarray(found.graph.directed), true).f1)
    what = f"`jc.discover`, `{method}`, {n_rows:,} rows of {n_vars} variables, {max_lag} lags"
    return {"problem": what, "data MiB": x.nbytes / MIB, "planned MiB": plan} | row | {"F1": f1}


def sparse_system(p: int, n_samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Samples of a linear system of few effects, its columns shuffled, and its adjacency."""
    random = np.random.default_rng(0)
    x, adjacency = random.normal(size=(n_samples, p)), np.zeros((p, p), bool)
    for j in range(1, p):
        parents = random.choice(j, min(j, random.poisson(DEGREE / 2)), replace=False)
        x[:, j] += x[:, parents] @ (random.uniform(0.3, 1, len(parents)) * random.choice([-1, 1]))
        adjacency[parents, j] = adjacency[j, parents] = True
    order = random.permutation(p)
    return x[:, order], adjacency[np.ix_(order, order)]


def _searched(what: str, x: np.ndarray, true: np.ndarray | None, **options: Any) -> dict[str, Any]:
    """What `jc.pc` takes on some samples, and how right its skeleton is."""
    plan, found, row = _measured(lambda: jc.pc(x, **options))
    adjacency, n_tests = np.asarray(found.graph.adjacency), np.asarray(found.info.n_tests)
    row |= {"levels": len(n_tests), "tests": int(n_tests.sum()), "edges": int(adjacency.sum()) // 2}
    if true is not None:
        right = int((adjacency & true).sum())
        row |= {"precision": right / adjacency.sum(), "recall": right / true.sum()}
    return {"problem": what, "data MiB": x.nbytes / MIB, "planned MiB": plan} | row


def _measured(call: Callable[[], Any]) -> tuple[float, Any, dict[str, Any]]:
    """What a call planned to hold (MiB), its result, and what it took."""
    planned, check = [0.0], _memory.check_memory
    for package in ("jaxcause.discovery", "jaxcause.workflows"):
        importlib.import_module(package)

    def noted(what: str, n_bytes: float, remedy: str) -> None:
        planned.append(n_bytes)
        check(what, n_bytes, remedy)

    for module in list(sys.modules.values()):
        if getattr(module, "check_memory", None) is check and module is not _memory:
            module.check_memory = noted  # pyright: ignore[reportAttributeAccessIssue]
    before = peak_mebibytes()
    began, cpu = time.perf_counter(), time.process_time()
    found = call()
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    row = {"before MiB": before, "peak MiB": peak_mebibytes(), "seconds": seconds, "CPU s": cpu}
    return max(planned) / MIB, found, row


if __name__ == "__main__":
    work = {"genes": genes, "sparse": sparse, "star": star, "complete": complete}
    work |= {"heads": heads, "series": series}
    answer(work)
