"""``jaxcause discover``: a series to its lagged causal graph."""

import argparse
import contextlib
import importlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxcause._errors import InputError
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
    add_folder(command, "jaxcause-out")
    add_methods(command)
    add_reading(command)
    add_listing(command)
    add_output(command)


def _discover(arguments: argparse.Namespace) -> int:
    if arguments.method != "auto":
        check_options(arguments, arguments.method)
    from jaxcause.io import locked, read_series

    series = _prepared(read_series(arguments.series, **reading(arguments)), arguments)
    series, regimes = _without_domain(series, arguments.domain)
    from jaxcause.workflows._cache import kept_programs

    with locked(arguments.out), kept_programs():
        return _searched(series, regimes, arguments)


def _searched(
    series: "SeriesTable", regimes: "dict[str, Any]", arguments: argparse.Namespace
) -> int:
    """Search, write what was found and print it."""
    import jax

    from jaxcause.workflows import at_resolution, discover, resolve_auto, write_discovery

    method, max_lag = arguments.method, arguments.max_lag
    if method == "auto":
        table = at_resolution(series, arguments.resample, max_lag, method).table
        max_lag, method, reasons = resolve_auto(table, max_lag, method)
        series = series._replace(notes=(*series.notes, *reasons))
        check_options(arguments, method)
    options = chosen(arguments, method)
    if arguments.resample is not None:
        options["resample"] = arguments.resample
    if method in every_option()["checkpoint"] and arguments.forecaster is None:
        options["checkpoint"] = arguments.out / CHECKPOINT
    options |= regimes
    if not arguments.checkpoint:
        _forget(arguments.out)
    elif not arguments.quiet and not any(_left(arguments.out)):
        complain(f"{arguments.out} holds no unfinished training to resume; it starts afresh")
    _load_beside("jaxcause.plot")
    try:
        found = discover(
            series,
            max_lag,
            method=method,
            key=jax.random.key(arguments.seed),
            progress=not silent(arguments),
            **options,
        )
    except KeyboardInterrupt as interrupt:
        return keep(interrupt, arguments.out, "--resume goes on, or ")
    files = write_discovery(found, arguments.out)
    _forget(arguments.out)
    document = as_document(found, arguments.out, files)
    shown = {"sort": arguments.sort, "self_edges": arguments.self_edges}
    lines = as_lines(found, arguments.out, files, **shown)
    report(arguments, lines, {"command": "discover", **document})
    return 0


def _load_beside(module: str) -> None:
    """Import a module while XLA compiles, which leaves Python idle; pictures need it at the end."""

    def load() -> None:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)

    threading.Thread(target=load, daemon=True).start()


def _forget(folder: Path) -> None:
    """Remove what an unfinished training left."""
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
    """Save what was trained so far, and say so; Ctrl-C outside of training is raised again."""
    forecaster = getattr(interrupt, "forecaster", None)
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
        yield f"- {note}"
    if "graph.png" not in files:
        from jaxcause.workflows import NO_PICTURES

        yield f"- {NO_PICTURES}"
    yield f"Wrote {', '.join(files)} to {folder}"
