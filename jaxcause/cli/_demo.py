"""``jaxcause demo``: the graph of a simulated system."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from jaxcause.cli._discover import as_document, as_lines, keep
from jaxcause.cli._output import report, silent, table
from jaxcause.cli._parser import Commands, add_command, add_folder, add_output, whole

if TYPE_CHECKING:
    from jaxcause.workflows import Demo


def add(commands: Commands) -> None:
    """Add the command."""
    command = add_command(
        commands,
        "demo",
        _demo,
        brief="discover the graph of a simulated nonlinear system and compare it with the truth",
        description="Simulate six variables with nonlinear effects on each other, discover their "
        "graph, and compare it with the known graph and with the graph of a linear method.",
        examples=("jaxcause demo", "jaxcause demo --seed 1 --out second"),
    )
    add_folder(command, "jaxcause-demo")
    command.add_argument("--seed", type=whole(0), default=0, help="random seed (default: 0)")
    add_output(command)


def _demo(arguments: argparse.Namespace) -> int:
    from jaxcause.io import check_writable

    check_writable(arguments.out)
    from jaxcause.workflows import run_demo, write_discovery

    try:
        demo = run_demo(seed=arguments.seed, progress=not silent(arguments))
    except KeyboardInterrupt as interrupt:
        return keep(interrupt, arguments.out, "discover ")
    files = write_discovery(demo.found, arguments.out)
    document = {
        "command": "demo",
        **as_document(demo.found, arguments.out, files),
        "against the known graph": {n: s._asdict() for n, s in demo.comparison.items()},
        "seconds": demo.seconds,
    }
    report(arguments, _lines(demo, arguments.out, files), document)
    return 0


def _lines(demo: "Demo", folder: Path, files: list[str]) -> Iterator[str]:
    yield from as_lines(demo.found, folder, files)
    yield ""
    rows = [
        (name, *(f"{float(value):.3f}" for value in scores))
        for name, scores in demo.comparison.items()
    ]
    yield from table(("against the known graph", "precision", "recall", "F1"), rows)
    yield f"Done in {demo.seconds:.0f} s altogether"
