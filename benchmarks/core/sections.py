"""The sections of the study; each yields rows."""

import math
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import jaxcause as jc
from benchmarks.core import baselines, problems, searches
from benchmarks.core.problems import ALPHA, N_EMBEDDING, N_SAMPLES
from benchmarks.core.rows import must_equal, n_different, row
from benchmarks.core.timing import best_of, fresh, say, seconds_of
from jaxcause.discovery._host.candidates import CandidateLists
from jaxcause.discovery._host.rows import Pairs, Rows
from jaxcause.discovery._host.skeleton import Skeleton
from jaxcause.discovery._kernel.conditioning_sets import SetRange
from jaxcause.discovery._kernel.engine import engine_of
from jaxcause.discovery._kernel.rows import RowBatch
from jaxcause.discovery._kernel.sizes import next_power
from jaxcause.stats import colex_subsets

PRECISIONS = ("float32", "float64")
Table = Iterator[dict]


# ------------------------------------------------------------------ tests per second


def tests_per_second() -> Table:
    """Kernel calls in which no set separates, so that every test is made."""
    data = np.random.default_rng(0).normal(size=(N_SAMPLES, 500))
    corr = np.corrcoef(data.T)
    for size, degree in ((1, 64), (2, 32), (3, 24)):
        others = _other_tests(data, corr, size)
        for precision in PRECISIONS:
            test = problems.gaussian_test(corr, N_SAMPLES, precision)
            seconds, n_rows, n_sets = _kernel_seconds(test, size, degree)
            n_tests = n_rows * n_sets
            for name, other in others.items():
                yield row(
                    "a million tests in the kernel",
                    f"{size} given",
                    precision=str(test.corr.dtype),
                    seconds=seconds / n_tests * 1e6,
                    against=name,
                    note=f"{n_rows} rows × {n_sets} sets; the other in float64",
                    **{"per second": n_tests / seconds, "other seconds": other},
                )


def _kernel_seconds(test, size: int, degree: int) -> tuple[float, int, int]:
    """Seconds of one call as a search makes it, its rows, and the sets of each."""
    adjacency = problems.regular_graph(test.n_nodes, degree)[None]
    _, rows = CandidateLists(adjacency, None).rows(Pairs.where(np.triu(adjacency)), size)
    n_rows, n_sets = rows.x.size, math.comb(degree - 1, size)
    impossible = np.full(n_rows, -1.0)
    batch = RowBatch(
        rows.graph,
        rows.x,
        rows.y,
        rows.owner * rows.lists.shape[1],
        rows.skip,
        rows.n_candidates,
        np.full(n_rows, n_sets),
        impossible,
    )
    sets, lists = SetRange(size, 0, n_sets), np.zeros(next_power(rows.lists.size, 4), np.int32)
    lists[: rows.lists.size] = rows.lists.ravel()
    call = partial(engine_of(test).first_separating, batch, lists, sets, best=False)
    some = np.arange(n_rows)[:: n_rows // 8]
    _check_kernel(np.asarray(test.corr, np.float64), rows, size, some, call().value[some])
    return best_of(call), n_rows, n_sets


def _check_kernel(corr, rows: Rows, size: int, some: np.ndarray, smallest: np.ndarray) -> None:
    """The smallest squared correlation of some rows, compared with numpy."""
    sets = colex_subsets(size, np.arange(math.comb(int(rows.n_candidates[0]), size)))
    for at, square in zip(some, smallest, strict=True):
        given = rows.members(np.full(len(sets), at), sets)
        ends = np.tile([rows.x[at], rows.y[at]], (len(sets), 1))
        z = baselines.batched_inverse(corr, N_SAMPLES, np.concatenate([ends, given], axis=1))
        r = np.tanh(z / math.sqrt(N_SAMPLES - size - 3))
        np.testing.assert_allclose(np.sqrt(square), r.min(), atol=1e-5)


def _other_tests(data: np.ndarray, corr: np.ndarray, size: int) -> dict[str, float]:
    """Seconds of other libraries for a million tests."""
    rng = np.random.default_rng(2)
    nodes = rng.random((100_000, len(corr)), np.float32).argsort(axis=1)
    queries = nodes[:, : size + 2]
    some = queries[:5000]
    found = {
        "numpy, one by one": (baselines.one_by_one, some),
        "numpy, batched inverse": (baselines.batched_inverse, queries),
        "numpy, batched solve": (baselines.batched_solve, queries),
    }
    seconds = {
        name: best_of(partial(run, corr, N_SAMPLES, asked)) / len(asked) * 1e6
        for name, (run, asked) in found.items()
    }
    if baselines.HAS_CAUSAL_LEARN:
        clocked = baselines.ClockedTest(data)
        for x, y, *given in some:
            clocked(x, y, tuple(given))
        seconds[f"{baselines.CAUSAL_LEARN}, fisherz"] = clocked.seconds / len(some) * 1e6
    return seconds


# ------------------------------------------------------------------ one graph


def skeletons(sizes: tuple[int, ...], causal_learn: tuple[int, ...], prototype) -> Table:
    """Random sparse DAGs, skeleton and whole search."""
    for p in sizes:
        for precision in PRECISIONS:
            yield from _one_dag(p, precision, p in causal_learn, prototype)


def _one_dag(p: int, precision: str, causal_learn: bool, prototype: ModuleType | None) -> Table:
    test = problems.gaussian_test(problems.dag_corr(p), N_SAMPLES, precision)
    if test.corr.dtype != precision:
        say(f"  p={p}: {precision} is not enough for its condition number")
        return
    size = f"p={p}"
    say(f"PC, {size}, {precision}")
    found, common = _skeleton(test)
    cold = fresh("dag", search="skeleton", p=p, precision=precision)["first"]
    yield row("skeleton", size, **common, **{"first call": cold})
    if prototype is not None:
        yield _against_prototype(test, N_SAMPLES, found, prototype, size, common)
    if causal_learn and precision == "float64" and baselines.HAS_CAUSAL_LEARN:
        yield from _against_causal_learn(p, found, common)
    cold = fresh("dag", search="pc", p=p, precision=precision)["first"]
    yield row(
        "jc.pc",
        size,
        precision=precision,
        seconds=best_of(partial(jc.pc, test, alpha=ALPHA)),
        **{"first call": cold},
    )
    yield row(
        "orientation alone",
        size,
        precision=precision,
        seconds=best_of(searches.orientation(test, found)),
    )


def _skeleton(test) -> tuple[Skeleton, dict[str, Any]]:
    """A skeleton, and the columns that all rows about it share."""
    call = partial(searches.skeleton, test)
    found = call()
    n_tests = int(sum(level.n_tests.sum() for level in found.levels))
    return found, {
        "precision": str(test.corr.dtype),
        "seconds": best_of(call),
        "edges": int(found.adjacency.sum()) // 2,
        "note": f"{n_tests} tests, levels 0-{len(found.levels) - 1}",
    }


def _against_prototype(test, n_samples: int, found, prototype, size: str, common: dict) -> dict:
    other = partial(baselines.prototype_skeleton, prototype, test, n_samples)
    differ = n_different(found.adjacency, other())
    more = {"other seconds": best_of(other), "pairs that differ": differ}
    return row("skeleton", size, against="prototype", **(common | more))


def _against_causal_learn(p: int, found, common: dict) -> Table:
    say(f"  causal-learn, p={p}")
    other = baselines.causal_learn_skeleton(problems.dag_data(p))
    differ = must_equal(found.adjacency[0], other.adjacency, f"skeleton p={p}, causal-learn")
    for seconds, part in ((other.seconds, "all"), (other.in_tests, "its tests alone")):
        more = {
            "against": f"{baselines.CAUSAL_LEARN}, {part}",
            "other seconds": seconds,
            "pairs that differ": differ,
            "note": f"{other.n_tests} tests there",
        }
        yield row("skeleton", f"p={p}", **(common | more))


# ------------------------------------------------------------------ many graphs


def many_graphs(n_graphs: int, n: int, prototype: ModuleType | None) -> Table:
    """A batch of small DAGs, compared with a loop of causal-learn over ten of them."""
    size = f"{n_graphs} graphs, n={n}"
    say(f"{size}: data")
    data = problems.graphs_data(n_graphs, n)
    other = _loop_of_causal_learn(data[:10])
    for precision in PRECISIONS:
        test = problems.gaussian_test(problems.graphs_corr(data), N_SAMPLES, precision)
        if test.corr.dtype != precision:
            continue
        found = searches.skeleton(test)
        for work, call in (("skeleton", searches.skeleton), ("jc.pc", jc.pc)):
            seconds = best_of(partial(call, test, alpha=ALPHA))
            sizes = {"n_graphs": n_graphs, "n": n, "precision": precision}
            cold = fresh("graphs", search=work.removeprefix("jc."), **sizes)["first"]
            common: dict[str, Any] = {"precision": precision, "seconds": seconds}
            more = {"first call": cold, "per second": n_graphs / seconds}
            yield row(work, size, **common, **more)
            if work == "skeleton" and prototype is not None:
                yield _against_prototype(test, N_SAMPLES, found, prototype, size, common)
            for part, (adjacency, each) in other.items():
                more = {
                    "other seconds": each * n_graphs,
                    "pairs that differ": must_equal(found.adjacency[:10], adjacency, size),
                    "note": f"causal-learn (skeleton only) on 10 of them, times {n_graphs // 10}",
                }
                against = f"{baselines.CAUSAL_LEARN}, {part}"
                yield row(work, size, against=against, **common, **more)


def _loop_of_causal_learn(data: np.ndarray) -> dict[str, tuple[np.ndarray, float]]:
    """Skeletons and seconds per graph, all and in tests."""
    if not baselines.HAS_CAUSAL_LEARN:
        return {}
    found = [baselines.causal_learn_skeleton(one) for one in data]
    adjacency = np.stack([one.adjacency for one in found])
    return {
        "all": (adjacency, sum(one.seconds for one in found) / len(found)),
        "its tests alone": (adjacency, sum(one.in_tests for one in found) / len(found)),
    }


# ------------------------------------------------------------------ attention


def icd_on_attention(n_compared: int | None) -> Table:
    """`jc.icd` on a batch of heads, compared with the plain numpy ICD on them (or on a few)."""
    cases: list[dict[str, Any]] = [
        {"n_heads": 144, "n": 32, "sigma": 2.0},
        {"n_heads": 144, "n": 32, "sigma": 1.0},
        {"n_heads": 8, "n": 64, "sigma": 2.0},
        {"n_heads": 8, "n": 128, "sigma": 3.0, "causal": True},
    ]
    for case in cases:
        size = ", ".join(f"{name} {value}" for name, value in case.items())
        say(f"ICD: {size}")
        call = searches.on_attention("icd", **case)
        # The plain one keeps the first separating set that it finds.
        found: Any = searches.on_attention("icd", **case, sepset="first")()
        some = min(n_compared or case["n_heads"], case["n_heads"])
        other, pags = _numpy_icd(problems.attention_corr(**case)[:some])
        more = {
            "first call": fresh("attention", search="icd", **case)["first"],
            "other seconds": other * case["n_heads"] / some,
            "pairs that differ": must_equal(found.graph.marks[:some], pags, f"PAGs, {size}"),
            "edges": int((np.asarray(found.graph.marks) > 0).sum()) // 2,
            "note": f"numpy on {some} heads, times {case['n_heads'] / some:g}; "
            f"levels 0-{found.info.n_tests.shape[-1] - 1}",
        }
        call()
        seconds = best_of(call)
        against = "plain numpy, one by one"
        yield row("jc.icd", size, precision="float64", seconds=seconds, against=against, **more)


def _numpy_icd(corr: np.ndarray) -> tuple[float, np.ndarray]:
    icd = baselines.numpy_icd().numpy_icd
    seconds, pags = seconds_of(lambda: [icd(one, N_EMBEDDING, ALPHA)[0] for one in corr])
    return seconds, np.stack(pags)


# ------------------------------------------------------------------ the first call


def first_calls(p: int) -> Table:
    """`jc.pc` in new processes: nothing compiled before, then a filled compilation cache."""
    for precision in PRECISIONS:
        sizes = {"search": "pc", "p": p, "precision": precision}
        yield _first_call(p, precision, "no cache", fresh("dag", **sizes))
        with tempfile.TemporaryDirectory() as folder:
            for state in ("empty cache", "filled cache"):
                measured = fresh("dag", cache=Path(folder), **sizes)
                yield _first_call(p, precision, state, measured)
        if hasattr(jc, "warmup"):
            with tempfile.TemporaryDirectory() as folder:
                for state in ("empty cache", "filled cache"):
                    measured = fresh("dag", cache=Path(folder), warmup=True, **sizes)
                    state += f", after jc.warmup() of {measured['warmup']:.2f} s"
                    yield _first_call(p, precision, state, measured)


def _first_call(p: int, precision: str, state: str, measured: dict) -> dict:
    return row(
        "first jc.pc",
        f"p={p}",
        precision=precision,
        note=f"{state}; the second call takes {measured['second']:.3g} s",
        **{"first call": measured["first"]},
        **{name: measured[name] for name in ("imports", "set up")},
    )


# ------------------------------------------------------------------ memory


def memory(p: int, n_graphs: int) -> Table:
    """Peak memory of large problems, each in a process of its own."""
    for search in ("skeleton", "pc"):
        sizes = {"search": search, "p": p, "n_samples": 60, "max_cond_size": 3}
        measured = fresh("chains", **sizes)
        yield _memory(search, f"p={p}, 60 samples, sets up to 3", measured)
    for search in ("icd", "pc"):
        sizes = {"search": search, "n_heads": n_graphs, "n": 64, "sigma": 2.0, "max_cond_size": 2}
        measured = fresh("attention", **sizes)
        yield _memory(search, f"{n_graphs} attention graphs, n=64, sets up to 2", measured)


def _memory(search: str, size: str, measured: dict) -> dict:
    return row(
        search if search == "skeleton" else f"jc.{search}",
        size,
        precision="float64",
        seconds=measured.get("second"),
        note="peak after the first call; before: imports, data and test",
        **{"first call": measured["first"]},
        **{name: measured[name] for name in ("peak MiB", "before MiB", "set up")},
    )


# ------------------------------------------------------------------ genes


def genes(data: Path, prototype: ModuleType | None) -> Table:
    """A real matrix of many variables and few samples."""
    corr, n_samples = problems.gene_corr(data)
    test = problems.gaussian_test(corr, n_samples)
    size = f"{n_samples}x{len(corr)}"
    say(f"genes {size}")
    found, common = _skeleton(test)
    cold = fresh("genes", search="skeleton", data=str(data.resolve()))["first"]
    yield row("skeleton of genes", size, **common, **{"first call": cold})
    if prototype is not None:
        yield _against_prototype(test, n_samples, found, prototype, size, common)
    cold = fresh("genes", search="pc", data=str(data.resolve()))["first"]
    seconds = best_of(partial(jc.pc, test, alpha=ALPHA))
    yield row("jc.pc of genes", size, precision="float64", seconds=seconds, **{"first call": cold})
