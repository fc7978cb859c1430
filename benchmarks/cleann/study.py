"""One study for both tasks: tune on some cases, compare on others."""

import itertools
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.cleann import figures
from benchmarks.cleann.cases import Cache, Case, Oracle
from benchmarks.cleann.methods import (
    BUDGETS,
    Outcome,
    Setting,
    baselines,
    explain,
    graphs,
    smallest,
)
from benchmarks.cleann.training import say

PUBLISHED = Setting()
SHORT_UP_TO = 3
RIVAL, ATTENTION = "random subsets", "attention of the target, in order"


class Sizes(NamedTuple):
    """Cases to tune on, and to compare on."""

    tune: int
    test: int


FULL, QUICK = Sizes(60, 300), Sizes(6, 12)


def needed(data: Path | None, name: str) -> Path:
    """A file of the data folder."""
    if data is None or not (data / name).exists():
        raise SystemExit(f"--data must name the folder with {name}")
    return data / name


def cache_folder(out: Path, quick: bool) -> Path:
    """Where models and answers are kept; git leaves it alone."""
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
    heads = {"all heads": PUBLISHED._replace(heads="all")}
    heads["all heads, one-sided"] = PUBLISHED._replace(heads="all", one_sided=True)
    heads["all heads of all layers"] = PUBLISHED._replace(heads="all", layer=None)
    heads["mean heads of all layers"] = PUBLISHED._replace(layer=None)
    for (name, base), order in itertools.product(heads.items(), orders):
        rows.append(("together", f"{name}; {order}", base._replace(order=order)))
    return rows


def compare(
    tune: list[Case],
    test: list[Case],
    path: Path,
    *,
    n_samples: int,
    n_layers: int,
    n_heads: int,
    short: set[str],
    samples: tuple[int, ...],
) -> list[dict]:
    """Ablation on ``tune``, then the chosen setting and all methods on ``test``.

    Args:
        tune: Cases to choose a setting on.
        test: Cases to compare on.
        path: Cache of answers.
        n_samples: N of the test by default.
        n_layers: Layers of the model.
        n_heads: Heads of a layer.
        short: Names of the cases in which the smallest explanation is looked for.
        samples: Values of N to try.
    """
    cache = Cache(path)
    rows, best = ablation(tune, cache, settings(n_layers, n_heads, samples), n_samples)
    ours = {"CLEANN": best, "CLEANN as published": PUBLISHED}
    return rows + comparison(test, cache, ours, n_samples, short)


def ablation(
    cases: list[Case], cache: Cache, tried: list[tuple[str, str, Setting]], n_samples: int
) -> tuple[list[dict], Setting]:
    """Every setting, beside random subsets, and the one with the largest area."""
    oracles = [cache.oracle(case) for case in cases]
    rows, areas, done = [], [], {}
    rival = [baselines()[RIVAL](case, oracle) for case, oracle in zip(cases, oracles, strict=True)]
    for oracle in oracles:
        cache.keep(oracle)
    rows.append(_ablation_row("", RIVAL, rival))
    for at, (factor, value, setting) in enumerate(tried):
        began = time.monotonic()
        found = explained(cases, oracles, setting, n_samples, done)
        for oracle in oracles:
            cache.keep(oracle)
        areas.append(figures.area(found))
        rows.append(_ablation_row(factor, value, found))
        say(
            f"{at + 1}/{len(tried)} {factor} {value}: area {areas[-1]:.3f}, "
            f"{time.monotonic() - began:.1f} s"
        )
    best = tried[int(np.argmax(areas))][2]
    rows.append({"table": "Chosen", **{k: str(v) for k, v in best._asdict().items()}})
    return rows, best


def explained(
    cases: list[Case],
    oracles: list[Oracle],
    setting: Setting,
    n_samples: int,
    done: dict[Setting, list[np.ndarray]],
) -> list[list[Outcome]]:
    """CLEANN's outcome for every case; graphs are searched once for all orders."""
    key = setting._replace(order="")
    if key not in done:
        done[key] = graphs(cases, setting, n_samples)
    return [
        [explain(case, oracle, marks, setting)]
        for case, oracle, marks in zip(cases, oracles, done[key], strict=True)
    ]


def comparison(
    cases: list[Case],
    cache: Cache,
    ours: dict[str, Setting],
    n_samples: int,
    short: set[str],
) -> list[dict]:
    """All methods on the cases: tables of figures, curves and differences."""
    oracles = [cache.oracle(case) for case in cases]
    done: dict[Setting, list[np.ndarray]] = {}
    marks = {name: graphs(cases, setting, n_samples) for name, setting in ours.items()}
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
    del done
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
    for name in [name for name in found if name.startswith("CLEANN")]:
        for budget in BUDGETS:
            gap = figures.difference(found[name], found[RIVAL], budget)
            row = {"table": f"Share explained less that of {RIVAL}", "method": name}
            rows.append(row | {"queries": budget} | gap)
    for name in [name for name in found if name.startswith("CLEANN")]:
        gap = figures.size_difference(found[name], found[ATTENTION])
        rows.append({"table": f"Size less that of {ATTENTION}", "method": name} | gap)
    return rows


def _ablation_row(factor: str, value: str, found: list[list[Outcome]]) -> dict:
    budgets = {f"share at {b}": float(figures.share(found, b).mean()) for b in (10, 20, 50, 100)}
    return {
        "table": "Ablation",
        "factor": factor,
        "value": value,
        "area": figures.area(found),
        **budgets,
        "share": float(figures.share(found).mean()),
        "size": figures.mean_size(found),
        "queries": float(np.mean([min(o.queries, BUDGETS[-1]) for c in found for o in c])),
    }
