"""``python -m benchmarks lagged``: lagged graphs of known systems, by jaxcause and by peers."""

import argparse
from pathlib import Path

from benchmarks.lagged import settings, study, tables
from benchmarks.lagged.generated import GENERATED
from benchmarks.lagged.methods import METHODS, ON_PUBLISHED
from benchmarks.lagged.published import PUBLISHED
from benchmarks.lagged.published_table import published_rows


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this study."""
    group = parser.add_argument_group("lagged")
    group.add_argument("--preset", choices=settings.PRESETS, default="reduced")
    group.add_argument("--settings", help='such as "n=10,pl+m"; all by default')
    group.add_argument("--methods", help='such as "var,pcmci"; all by default')
    group.add_argument("--seeds", default="0,1,2")
    group.add_argument("--budget-seconds", type=float, help="start no run after this time")
    group.add_argument("--limit-seconds", type=float, default=3600.0, help="stop a run after this")
    group.add_argument("--limit-cpu-seconds", type=float, help="the same by its processor time")
    group.add_argument(
        "--in-process",
        action="store_true",
        help="start no process for each run: quick for small ones, but with no limit or memory",
    )


def run(given: argparse.Namespace) -> list[dict]:
    """Run what is missing, and report all results."""
    names = _chosen("settings", given.settings, settings.names_of_study())
    methods = _chosen("methods", given.methods, list(METHODS))
    return _study(given, names, methods, f"lagged_{given.preset}.jsonl")


def run_published(given: argparse.Namespace) -> list[dict]:
    """The same on series that others made, or that their generators make, beside guessing."""
    names = _chosen("settings", given.settings, [*PUBLISHED, *GENERATED])
    methods = _chosen("methods", given.methods, list(ON_PUBLISHED))
    return _study(given, names, methods, "published.jsonl")


def _study(
    given: argparse.Namespace, names: list[str], methods: list[str], file: str
) -> list[dict]:
    seeds, path = tuple(int(seed) for seed in given.seeds.split(",")), Path(given.out) / file
    limits = study.Limits(
        given.limit_seconds, given.limit_cpu_seconds, given.budget_seconds, given.in_process
    )
    wanted = study.runs(names, methods, seeds, given.preset)
    study.execute(wanted, path, limits, preset=given.preset, data=given.data)
    if file == "published.jsonl":
        return published_rows(study.read(path))
    made = tables.rows(study.read(path), given.preset)
    tables.scaling_plots(made, path.parent, path.stem)
    return made


def _chosen(what: str, asked: str | None, known: list[str]) -> list[str]:
    """The selected names. Some contain commas, so the longest known name is matched first."""
    if not asked:
        return known
    found, rest = [], asked
    while rest:
        fits = [n for n in known if rest == n or rest.startswith(n + ",")]
        if not fits:
            raise SystemExit(f"--{what} {rest!r} is not known; choose from {', '.join(known)}")
        found.append(max(fits, key=len))
        rest = rest[len(found[-1]) + 1 :]
    return found
