"""One study for both tasks: tune on some cases, compare on others."""

import itertools
import json
import time
import zlib
from collections.abc import Container, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from benchmarks.cleann import figures
from benchmarks.cleann.cases import Cache, Case, Oracle
from benchmarks.cleann.methods import (
    BUDGETS,
    ORDERS_UP_TO,
    SEEDS,
    SUBSETS_UP_TO,
    Outcome,
    Setting,
    baselines,
    explain,
    graphs,
    smallest,
)
from benchmarks.cleann.training import say

PUBLISHED = Setting()
DEFAULT = "CLEANN, all heads, by attention, then larger sets"
SHORT_UP_TO = 3
RIVAL, BY_ATTENTION = "random subsets", "subsets by attention"
ATTENTION = "attention of the target, in order"

PROTOCOL = {
    "query": "one set of removed nodes that the model is asked about; all methods share answers, "
    "but each counts its own queries, a gradient as one, leave one out as one per node",
    "limits": f"{BUDGETS[-1]} queries; sets of up to {SUBSETS_UP_TO}, or, in orders of single "
    f"nodes, {ORDERS_UP_TO}",
    "random methods": f"mean of {SEEDS} keys",
    "size": "mean over what was explained",
    "then larger sets": f"{ORDERS_UP_TO} queries are kept for growing sets of the nodes of most "
    "attention, as jc.explain does",
    "further cases": "none of them was looked at while the methods were made",
    "intervals": f"95 %, bootstrap over cases, {figures.RESAMPLES} resamples",
    "CLEANN": "the setting with the largest area (mean share over the budgets) on the cases to "
    "tune on; the methods are compared on others",
}


T = TypeVar("T")


class Sizes(NamedTuple):
    """Cases for tuning, for the comparison, and further ones for a second comparison."""

    tune: int
    test: int
    further: int

    def parts(self, cases: Sequence[T]) -> tuple[Sequence[T], Sequence[T]]:
        """The cases of the comparison and of the second comparison."""
        return cases[: self.test], cases[self.test : self.test + self.further]


FULL, QUICK = Sizes(60, 300, 240), Sizes(6, 12, 6)


def needed(data: Path | None, name: str) -> Path:
    """A file of the data folder."""
    if data is None or not (data / name).exists():
        raise SystemExit(f"--data must name the folder with {name}")
    return data / name


def protocol(**task: str) -> list[dict]:
    """How the figures were made."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("flax", "optax", "transformers"))
    given = task | PROTOCOL | {"versions": versions}
    return [{"table": "Protocol", "what": what, "how": how} for what, how in given.items()]


def cache_folder(out: Path, quick: bool) -> Path:
    """The folder of models and answers, which git ignores."""
    folder = out / "cache" / ("quick" if quick else "full")
    folder.mkdir(parents=True, exist_ok=True)
    (out / "cache" / ".gitignore").write_text("*\n")
    return folder


def settings(
    n_layers: int, n_heads: int, samples: tuple[int, ...]
) -> list[tuple[str, str, Setting]]:
    """The ablation: factor, value, setting. One factor at a time, then some together."""
    few = tuple(range(0, n_heads, max(1, n_heads // 3)))[:3]
    layers = {"last": -1, "second last": -2, "first": -n_layers, "all": None}
    if n_layers < 3:
        del layers["second last"]
    rows = [("layer", name, PUBLISHED._replace(layer=layer)) for name, layer in layers.items()]
    rows += [("heads", f"{h}", PUBLISHED._replace(heads=(h,))) for h in range(n_heads)]
    rows += [("heads", f"{few}", PUBLISHED._replace(heads=few))] if n_heads > 3 else []
    rows += [("heads", "all", PUBLISHED._replace(heads="all"))]
    rows += [("rule", "one-sided", PUBLISHED._replace(one_sided=True))]
    rows += [("alpha", f"{a}", PUBLISHED._replace(alpha=a)) for a in (0.001, 0.05, 0.1)]
    rows += [("N", f"{n}", PUBLISHED._replace(n_samples=n)) for n in samples]
    ties = ("attention", "attention received", "rollout", "correlation", "partial")
    rows += [("order", f"distance, {o}", PUBLISHED._replace(order=o)) for o in ties]
    orders = (*ties, "consensus", "mean distance", "mean distance, attention")
    orders += (
        "mean distance, everywhere",
        "mean distance, attention, everywhere",
        "attention × closeness",
    )
    heads = {"all heads": PUBLISHED._replace(heads="all")}
    heads["all heads, one-sided"] = PUBLISHED._replace(heads="all", one_sided=True)
    heads["all heads, alpha 0.1"] = PUBLISHED._replace(heads="all", alpha=0.1)
    heads["mean heads of all layers"] = PUBLISHED._replace(layer=None)
    for (name, base), order in itertools.product(heads.items(), orders):
        rows.append(("together", f"{name}; {order}", base._replace(order=order)))
    return rows


def compare(
    tune: list[Case],
    test: list[Case],
    further: list[Case],
    path: Path,
    *,
    n_samples: int,
    n_layers: int,
    n_heads: int,
    short: set[str],
    samples: tuple[int, ...],
    quick: bool = False,
) -> list[dict]:
    """Ablation on ``tune``, then the chosen setting and all methods on ``test``.

    Args:
        tune: Cases to choose a setting on.
        test: Cases to compare on.
        further: Cases to compare on once more.
        path: Cache of answers about ``tune``; those about ``test`` lie beside it.
        n_samples: N of the test by default.
        n_layers: Layers of the model.
        n_heads: Heads of a layer.
        short: Names of the cases in which the smallest explanation is looked for.
        samples: Values of N to try.
        quick: Try the settings that search no more than two sets of graphs.
    """
    tried = settings(n_layers, n_heads, samples)
    if quick:
        searched = (PUBLISHED, PUBLISHED._replace(heads="all"))
        tried = [(f, v, s) for f, v, s in tried if s._replace(order=PUBLISHED.order) in searched]
    rows, best = ablation(
        tune, Cache(path), tried, n_samples, path.with_stem(f"{path.stem}_ablation")
    )
    ours = {
        "CLEANN": best,
        DEFAULT: PUBLISHED._replace(heads="all", order="attention", n_larger=ORDERS_UP_TO),
        "CLEANN, all heads, by attention": PUBLISHED._replace(heads="all", order="attention"),
        "CLEANN, all heads": PUBLISHED._replace(heads="all"),
        "CLEANN, mean over heads": PUBLISHED,
    }
    asked = Cache(path.with_stem(f"{path.stem}_test"))
    rows += comparison(test, asked, ours, n_samples, short)
    again = comparison(further, Cache(path.with_stem(f"{path.stem}_further")), ours, n_samples)
    return rows + [r | {"table": f"Further cases: {r['table']}"} for r in again if "n" in r]


def ablation(
    cases: list[Case],
    cache: Cache,
    tried: list[tuple[str, str, Setting]],
    n_samples: int,
    path: Path,
) -> tuple[list[dict], Setting]:
    """Every setting, random subsets, subsets by attention, and the setting with the largest area.

    Rows are kept in ``path``, so that a killed run goes on where it was.
    """
    oracles = [cache.oracle(case) for case in cases]
    kept = _kept(path, cases)
    rows, searched = [], {}
    for name in (RIVAL, BY_ATTENTION):
        method = baselines()[name]
        found = [method(case, oracle) for case, oracle in zip(cases, oracles, strict=True)]
        rows.append(_ablation_row("", name, found))
    for at, (factor, value, setting) in enumerate(tried):
        began = time.monotonic()
        row = kept.get((factor, value, str(setting)))
        if row is None:
            found = explained(cases, oracles, setting, n_samples, searched)
            row = _ablation_row(factor, value, found)
            with path.open("a") as file:
                line = {"setting": str(setting), "cases": _names(cases), "row": row}
                file.write(json.dumps(line) + "\n")
        for oracle in oracles:
            cache.keep(oracle)
        rows.append(row)
        say(
            f"{at + 1}/{len(tried)} {factor} {value}: area {row['area']:.3f}, "
            f"{time.monotonic() - began:.1f} s"
        )
    areas = [row["area"] for row in rows[2:]]
    best = tried[int(np.argmax(areas))][2]
    rows.append({"table": "Chosen", **{k: str(v) for k, v in best._asdict().items()}})
    return rows, best


def _kept(path: Path, cases: list[Case]) -> dict[tuple[str, str, str], dict]:
    """Rows of the same cases from an earlier run."""
    kept = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            continue  # The line that was being written when the run was killed.
        if entry["cases"] == _names(cases):
            row = entry["row"]
            kept[row["factor"], row["value"], entry["setting"]] = row
    return kept


def _names(cases: list[Case]) -> int:
    return zlib.crc32(" ".join(case.name for case in cases).encode())


def explained(
    cases: list[Case],
    oracles: list[Oracle],
    setting: Setting,
    n_samples: int,
    done: dict[Setting, list[np.ndarray]],
) -> list[list[Outcome]]:
    """The outcome of CLEANN for every case; graphs are searched once for all orders."""
    some = isinstance(setting.heads, tuple)
    key = setting._replace(order="", heads="all" if some else setting.heads)
    if key not in done:
        done[key] = graphs(cases, key, n_samples)
    chosen = list(setting.heads) if some else slice(None)
    return [
        [explain(case, oracle, marks[chosen], setting)]
        for case, oracle, marks in zip(cases, oracles, done[key], strict=True)
    ]


def comparison(
    cases: list[Case],
    cache: Cache,
    ours: dict[str, Setting],
    n_samples: int,
    short: Container[str] = (),
) -> list[dict]:
    """All methods on the cases: tables of figures, curves and differences."""
    oracles = [cache.oracle(case) for case in cases]
    of_graph = {name: s._replace(order="", n_larger=0) for name, s in ours.items()}
    searched = {key: graphs(cases, key, n_samples) for key in dict.fromkeys(of_graph.values())}
    marks = {name: searched[key] for name, key in of_graph.items()}
    found: dict[str, list[list[Outcome]]] = {name: [] for name in (*ours, *baselines())}
    least = []
    began = time.monotonic()
    for at, (case, oracle) in enumerate(zip(cases, oracles, strict=True)):
        for name, setting in ours.items():
            found[name].append([explain(case, oracle, marks[name][at], setting)])
        for name, method in baselines().items():
            found[name].append(method(case, oracle))
        least.append(smallest(case, oracle, SHORT_UP_TO) if case.name in short else 0)
        cache.keep(oracle)
        if at % 10 == 9 or at + 1 == len(cases):
            passes = sum(o.n_passes for o in oracles)
            say(f"case {at + 1}/{len(cases)}, {passes} sets, {time.monotonic() - began:.0f} s")
    return tables(cases, found, least)


def tables(
    cases: list[Case], found: dict[str, list[list[Outcome]]], least: list[int]
) -> list[dict]:
    """Rows of all tables about the test."""
    before = np.array([case.probability for case in cases])
    rows: list[dict] = []
    for name, outcomes in found.items():
        row = {"table": f"Methods, up to {BUDGETS[-1]} queries", "method": name, "n": len(cases)}
        row |= figures.summary(outcomes, before) | figures.above_smallest(outcomes, least)
        rows.append(row)
    for kind, value in (
        ("Share explained", lambda o, b: float(figures.share(o, b).mean())),
        ("Mean size", figures.mean_size),
    ):
        for name, outcomes in found.items():
            row = {"table": f"{kind} within so many queries", "method": name}
            rows.append(row | {str(b): value(outcomes, b) for b in BUDGETS})
    for name, rival in itertools.product(found, (RIVAL, BY_ATTENTION)):
        if name.startswith("CLEANN"):
            gaps = [figures.difference(found[name], found[rival], b) for b in BUDGETS]
            row = {"table": f"Share explained less that of {rival}", "method": name}
            rows.append(row | {str(b): gap for b, gap in zip(BUDGETS, gaps, strict=True)})
    for name in [name for name in found if name.startswith("CLEANN")]:
        gap = figures.size_difference(found[name], found[ATTENTION])
        rows.append({"table": f"Size less that of {ATTENTION}", "method": name} | gap)
    return [_known(row) for row in rows]


def _ablation_row(factor: str, value: str, found: list[list[Outcome]]) -> dict:
    budgets = {f"share at {b}": float(figures.share(found, b).mean()) for b in (10, 20, 50, 100)}
    row = {
        "table": "Ablation",
        "factor": factor,
        "value": value,
        "area": figures.area(found),
        **budgets,
        "share": float(figures.share(found).mean()),
        "size": figures.mean_size(found),
        "queries": float(np.mean([min(o.queries, BUDGETS[-1]) for c in found for o in c])),
    }
    return _known(row)


def _known(row: dict) -> dict:
    """A row without NaN, which JSON does not have."""
    return {k: v for k, v in row.items() if not (isinstance(v, float) and np.isnan(v))}
