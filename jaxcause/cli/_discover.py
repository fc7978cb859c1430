"""``jaxcause discover``: a series to its lagged causal graph."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxcause._errors import InputError
from jaxcause.cli._output import complain, report, silent, table
from jaxcause.cli._parser import (
    Commands,
    Parser,
    add_command,
    add_folder,
    add_output,
    share,
    whole,
)

if TYPE_CHECKING:
    from jaxcause.workflows import Discovery, DiscoveryInterrupted

EXIT_INTERRUPTED = 130
SHOWN_EDGES = 20

METHODS = ("gradient", "pc", "var")
READOUTS = ("gradient_energy", "input_x_gradient")
TRANSFORMS = ("auto", "standardise", "log", "copula")

BELONGS = {
    "q": ("gradient", "var"),
    "alpha": ("pc",),
    "top_k": ("gradient",),
    "readout": ("gradient",),
    "contemporaneous": ("pc",),
    "max_cond_size": ("pc",),
    "steps": ("gradient",),
    "forecaster": ("gradient",),
}
"""The methods that an option is for."""


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
            "jaxcause discover monday.csv tuesday.csv --method pc --alpha 0.001 --json",
        ),
    )
    command.add_argument(
        "series",
        metavar="SERIES",
        type=Path,
        nargs="+",
        help="CSV file with one header line and one row per time step, or Parquet or npz; "
        "several files are several series of the same columns",
    )
    command.add_argument(
        "--max-lag", type=whole(1), default=5, metavar="L", help="longest lag, in rows (default: 5)"
    )
    add_folder(command, "jaxcause-out")
    _add_method(command)
    _add_reading(command)
    add_output(command)


def _add_method(command: Parser) -> None:
    add = command.add_argument_group("how edges are found").add_argument
    add(
        "--method",
        choices=METHODS,
        default="gradient",
        help="gradient: a Transformer's input gradients (default); pc: partial correlations; "
        "var: t-tests of a linear autoregression",
    )
    add("--q", type=share, help=f"false-discovery rate (default: 0.1){_for('q')}")
    add("--alpha", type=share, help=f"significance level (default: 0.01){_for('alpha')}")
    add(
        "--top-k",
        type=whole(1),
        metavar="K",
        help=f"keep K parents per variable instead{_for('top_k')}",
    )
    add("--readout", choices=READOUTS, help=f"default: gradient_energy{_for('readout')}")
    add(
        "--contemporaneous",
        action="store_true",
        default=None,
        help=f"allow edges within a time step{_for('contemporaneous')}",
    )
    add(
        "--max-cond-size",
        type=whole(0),
        metavar="K",
        help=f"largest conditioning set{_for('max_cond_size')}",
    )
    add("--transform", choices=TRANSFORMS, help="of each column (default: auto)")
    add(
        "--steps",
        type=whole(1),
        help=f"training steps (default: from the length of the series){_for('steps')}",
    )
    add(
        "--forecaster",
        type=Path,
        metavar="FILE",
        help=f"use this trained forecaster instead of training{_for('forecaster')}",
    )
    add("--seed", type=whole(0), default=0, help="random seed (default: 0)")


def _add_reading(command: Parser) -> None:
    add = command.add_argument_group("how files are read").add_argument
    add("--time-column", metavar="NAME", help="the time column, if it is not recognised")
    add(
        "--drop",
        action="append",
        default=[],
        metavar="NAME",
        help="leave a column out (repeatable)",
    )


def _for(name: str) -> str:
    return f" [{', '.join(BELONGS[name])}]"


def _discover(arguments: argparse.Namespace) -> int:
    _check_method(arguments)
    from jaxcause.io import check_writable, read_csv

    series = [
        read_csv(path, time_column=arguments.time_column, drop=arguments.drop)
        for path in arguments.series
    ]
    check_writable(arguments.out)
    import jax

    from jaxcause.workflows import DiscoveryInterrupted, discover, write_discovery

    try:
        found = discover(
            series[0] if len(series) == 1 else series,
            arguments.max_lag,
            method=arguments.method,
            key=jax.random.key(arguments.seed),
            progress=not silent(arguments),
            **_chosen(arguments),
        )
    except DiscoveryInterrupted as interrupt:
        return keep(interrupt, arguments.out)
    files = write_discovery(found, arguments.out)
    document = as_document(found, arguments.out, files)
    report(arguments, as_lines(found, arguments.out, files), {"command": "discover", **document})
    return 0


def _check_method(arguments: argparse.Namespace) -> None:
    for name, methods in BELONGS.items():
        if getattr(arguments, name) is not None and arguments.method not in methods:
            raise InputError(
                f"--{name.replace('_', '-')} is not for --method {arguments.method}, but for "
                f"{' and '.join(methods)}; leave it out"
            )


def _chosen(arguments: argparse.Namespace) -> dict[str, Any]:
    """What was given; the rest is left to the defaults of ``discover``."""
    from jaxcause.attribution import select_top_k
    from jaxcause.training import TrainingConfig
    from jaxcause.workflows import TrainedForecaster

    same = ("q", "alpha", "readout", "contemporaneous", "max_cond_size", "transform")
    chosen = {name: getattr(arguments, name) for name in same}
    if (k := arguments.top_k) is not None:
        chosen["select"] = lambda scores: select_top_k(scores, k)
    if arguments.steps is not None:
        chosen["training"] = TrainingConfig(n_steps=arguments.steps)
    if arguments.forecaster is not None:
        chosen["forecaster"] = TrainedForecaster.load(arguments.forecaster)
    return {name: value for name, value in chosen.items() if value is not None}


def keep(interrupt: "DiscoveryInterrupted", folder: Path) -> int:
    """Save what was trained so far, and say so."""
    kept = folder / "forecaster.safetensors"
    interrupt.forecaster.save(kept)
    complain(f"{interrupt} in {kept}; --forecaster {kept} reads its graph")
    return EXIT_INTERRUPTED


def as_document(found: "Discovery", folder: Path, files: list[str]) -> dict[str, Any]:
    """A discovery for machines."""
    from jaxcause.io import graph_to_json

    graph = graph_to_json(
        found.graph, names=found.names, scores=found.scores, strength=found.strength
    )
    return {"out": folder, "files": files, "notes": found.info["notes"], "graph": graph}


def as_lines(found: "Discovery", folder: Path, files: list[str]) -> Iterator[str]:
    """A discovery for people."""
    rows = [
        (source, str(lag), edge, target, f"{strength:.3f}")
        for source, target, lag, edge, _, strength in found.table.tolist()
    ]
    yield from table(("source", "lag", "edge", "target", "strength"), rows[:SHOWN_EDGES])
    if len(rows) > SHOWN_EDGES:
        yield f"… and {len(rows) - SHOWN_EDGES} more in edges.csv"
    if not rows:
        yield "(no edge)"
    for note in found.info["notes"]:
        yield f"- {note}"
    yield f"Wrote {', '.join(files)} to {folder}"
