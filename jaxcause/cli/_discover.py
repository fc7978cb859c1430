"""``jaxcause discover``: a series to its lagged causal graph."""

import argparse
import contextlib
import importlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxcause._errors import InputError
from jaxcause.cli._devices import add_processes, joined, mesh_of
from jaxcause.cli._discover_options import (
    add_listing,
    add_methods,
    add_reading,
    check_options,
    chosen,
    every_option,
    lags,
    reading,
    resolution,
    trend,
)
from jaxcause.cli._output import complain, report, silent
from jaxcause.cli._parser import Commands, add_command, add_folder, add_output

if TYPE_CHECKING:
    import numpy as np

    from jaxcause.series import SeriesTable
    from jaxcause.workflows import Discovery

EXIT_INTERRUPTED = 130

CHECKPOINT = "checkpoint"
REGIMES = {"auto": "auto", "none": None}
"""Words of ``--domain``, where no column has the name."""


def add(commands: Commands) -> None:
    """Add the command."""
    command = add_command(
        commands,
        "discover",
        _discover,
        brief="learn the lagged causal graph of a series",
        description="Learn which column of a series drives which, at which lag.",
        examples=(
            "jaxcause discover rivers.csv --max-lag 3 --out rivers-graph",
            "jaxcause discover german.csv --delimiter ';' --decimal , --skip-rows 10",
            "jaxcause discover monday.csv tuesday.csv --method pc --alpha 0.001 --json",
            "jaxcause discover rivers.csv --forbid 'river->rain' --lag-limit 'rain->river:3'",
        ),
    )
    command.add_argument(
        "series",
        metavar="SERIES",
        type=Path,
        nargs="+",
        help="CSV or Excel file with one header line and one row per time step, Parquet or npz; "
        "several files are several series of the same columns",
    )
    command.add_argument(
        "--max-lag",
        type=lags,
        default=5,
        metavar="L",
        help="longest lag, in rows, or auto (default: 5)",
    )
    command.add_argument(
        "--resample",
        type=resolution,
        metavar="K",
        help="average blocks of K rows first, or of a duration such as 3h; lags then count blocks. "
        "auto: only if rows are nearly copies of the row before (default: rows as they are)",
    )
    command.add_argument(
        "--detrend",
        type=trend,
        default="auto",
        metavar="WHAT",
        help="take a trend and seasons out of every column first: linear, or the length of a "
        "season in rows or as a duration such as 1d, several with commas; auto: what a linear "
        "model of the past cannot do without; none (default: auto)",
    )
    add_folder(command, "jaxcause-out")
    add_methods(command)
    add_processes(command)
    add_reading(command)
    add_listing(command)
    add_output(command)


def _discover(arguments: argparse.Namespace) -> int:
    if arguments.method != "auto":
        check_options(arguments, arguments.method)
    with joined(arguments) as first:
        from jaxcause.io import locked, read_series

        series = _prepared(read_series(arguments.series, **reading(arguments)), arguments)
        series, regimes = _without_domain(series, arguments.domain)
        from jaxcause.workflows._cache import kept_programs

        with locked(arguments.out) if first else contextlib.nullcontext(), kept_programs():
            return _searched(series, regimes, arguments, first=first)


def _searched(
    series: "SeriesTable",
    regimes: "dict[str, Any]",
    arguments: argparse.Namespace,
    *,
    first: bool,
) -> int:
    """Search; the first process writes what was found and prints it."""
    import jax

    from jaxcause.workflows import at_resolution, discover, resolve_auto, without_trend

    method, max_lag = arguments.method, arguments.max_lag
    if method == "auto":
        table = at_resolution(series, arguments.resample, max_lag, method).table
        table = without_trend(table, arguments.detrend, max_lag, method).table
        max_lag, method, reasons = resolve_auto(table, max_lag, method)
        series = series._replace(notes=(*series.notes, *reasons))
        check_options(arguments, method)
    options = chosen(arguments, method, series.names)
    if arguments.resample is not None:
        options["resample"] = arguments.resample
    if method in every_option()["checkpoint"] and arguments.forecaster is None:
        options["checkpoint"] = arguments.out / CHECKPOINT
    if arguments.detrend != "auto":
        options["detrend"] = arguments.detrend
    options |= regimes
    if (mesh := mesh_of(arguments)) is not None:
        options["mesh"] = mesh
    _load_beside("jaxcause.plot")

    def search() -> "Discovery":
        return discover(
            series,
            max_lag,
            method=method,
            key=jax.random.key(arguments.seed),
            progress=not silent(arguments),
            **options,
        )

    try:
        resumed = "checkpoint" in options
        found = _resumed(search, arguments, first=first) if resumed else search()
    except KeyboardInterrupt as interrupt:
        if not first:
            return EXIT_INTERRUPTED
        return keep(interrupt, arguments.out, "the same command goes on, or ")
    if first:
        _write(found, arguments, resumable="checkpoint" in options)
    return 0


def _write(found: "Discovery", arguments: argparse.Namespace, *, resumable: bool) -> None:
    """Write what was found, forget what an unfinished run left, and print."""
    from jaxcause.workflows import write_discovery

    files = write_discovery(found, arguments.out)
    if resumable:
        _forget(arguments.out)
    document = as_document(found, arguments.out, files)
    shown = {"sort": arguments.sort, "self_edges": arguments.self_edges}
    lines = as_lines(found, arguments.out, files, **shown)
    report(arguments, lines, {"command": "discover", **document})


def _resumed(
    search: Callable[[], "Discovery"], arguments: argparse.Namespace, *, first: bool
) -> "Discovery":
    """What a search finds that goes on with what was cut off in the folder, or starts anew.

    The first of several processes alone tidies the folder and speaks.
    """
    from jaxcause._checkpoint import CheckpointOfAnotherRun

    wanted, out = arguments.checkpoint, arguments.out
    say = (lambda _: None) if arguments.quiet or not first else complain
    if wanted is False and first:
        _forget(out)
    elif any(_left(out)):
        say(f"going on with what was cut off in {out}; --no-resume starts anew")
    elif wanted:
        say(f"{out} holds nothing unfinished to resume; it starts afresh")
    try:
        return search()
    except CheckpointOfAnotherRun:
        if wanted:
            raise
        say(f"what was cut off in {out} was another call, so this one starts afresh")
        if first:
            _forget(out)
        return search()


def _load_beside(module: str) -> None:
    """Import a module while XLA compiles, which leaves Python idle; pictures need it at the end."""

    def load() -> None:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)

    threading.Thread(target=load, daemon=True).start()


def _forget(folder: Path) -> None:
    """Remove what an unfinished run left."""
    for file in _left(folder):
        file.unlink()


def _left(folder: Path) -> list[Path]:
    return [*folder.glob(CHECKPOINT), *folder.glob(f"{CHECKPOINT}.*")]


def _without_domain(
    series: "SeriesTable", name: str | None
) -> "tuple[SeriesTable, dict[str, Any]]":
    """The series without the column that numbers regimes, and the option ``domain`` if given."""
    if name is None:
        return series, {}
    if name in REGIMES and name not in series.names:
        return series, {"domain": REGIMES[name]}
    import numpy as np

    regimes = _column(series, "--domain", name)
    if not (np.isfinite(regimes).all() and (regimes == np.round(regimes)).all()):
        raise InputError(f"--domain {name!r} must hold whole numbers 0, 1, …; number the regimes")
    return _without(series, "--domain", name), {"domain": regimes.astype(int)}


def _prepared(series: "SeriesTable", arguments: argparse.Namespace) -> "SeriesTable":
    """The series with the column that masks rows taken out."""
    from jaxcause.series import with_targets

    if (name := arguments.mask_column) is None:
        return series
    column = _column(series, "--mask-column", name)
    if not ((column == 0) | (column == 1)).all():
        raise InputError(f"--mask-column {name!r} must hold 0 and 1 only, 1 for rows to predict")
    return with_targets(_without(series, "--mask-column", name), column == 1)


def _column(series: "SeriesTable", flag: str, name: str) -> "np.ndarray":
    """The values of a column that a flag names."""
    if name not in series.names:
        if said := [n for n in series.notes if n.startswith(f"Column {name!r} ")]:
            remedy = ", such as 0, 1, …" if flag == "--domain" else ": 1 for rows to predict, and 0"
            raise InputError(f"{flag} {name!r}: {said[0]} It must hold whole numbers{remedy}")
        raise InputError(f"{flag} {name!r} is not a column; there are {', '.join(series.names)}")
    return series.values[:, series.names.index(name)]


def _without(series: "SeriesTable", flag: str, name: str) -> "SeriesTable":
    """The series without the column that a flag names."""
    others = tuple(other for other in series.names if other != name)
    if len(others) < 2:
        raise InputError(f"{flag} {name!r} leaves {len(others)} variables; give at least two")
    values = series.values[:, [series.names.index(other) for other in others]]
    return series._replace(values=values, names=others)


def keep(interrupt: KeyboardInterrupt, folder: Path, remedy: str = "") -> int:
    """Say what goes on from here, and save what was trained; another Ctrl-C is raised again."""
    forecaster = getattr(interrupt, "forecaster", None)
    if forecaster is None and any(_left(folder)):
        complain(f"interrupted; the same command goes on from {folder / CHECKPOINT}")
        return EXIT_INTERRUPTED
    if forecaster is None:
        raise interrupt
    kept = folder / "forecaster.safetensors"
    folder.mkdir(parents=True, exist_ok=True)
    forecaster.save(kept)
    complain(f"{interrupt} in {kept}; {remedy}--forecaster {kept} reads the graph so far")
    return EXIT_INTERRUPTED


def as_document(found: "Discovery", folder: Path, files: list[str]) -> dict[str, Any]:
    """A discovery for machines."""
    from jaxcause.io import graph_to_json

    graph = graph_to_json(
        found.graph,
        names=found.names,
        scores=found.scores,
        strength=found.strength,
        values=found.values,
    )
    told = {"out": folder, "files": files, "notes": [*found.info.notes], "graph": graph}
    shown = found.shown_candidates()
    return told if shown is None else told | {"candidates": shown.as_dict()}


def as_lines(
    found: "Discovery",
    folder: Path,
    files: list[str],
    *,
    sort: str = "strength",
    self_edges: bool | None = None,
) -> Iterator[str]:
    """A discovery for people."""
    from jaxcause.workflows._discover.printed import edge_lines

    table = found.table
    yield from edge_lines(table, sort=sort, self_edges=self_edges) if len(table) else ["(no edge)"]
    if (shown := found.shown_candidates()) is not None:
        yield shown.note
        yield from shown.lines()
    for note in found.info.notes:
        yield f"- {' '.join(note.split())}"
    if "graph.png" not in files:
        from jaxcause.workflows import NO_PICTURES

        yield f"- {NO_PICTURES}"
    yield f"Wrote {', '.join(files)} to {folder}"
