"""``jaxcause plot``: a picture of a graph."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxcause._errors import InputError
from jaxcause.cli._output import report
from jaxcause.cli._parser import Commands, add_command, add_output, whole

if TYPE_CHECKING:
    from jaxcause.graph import CausalGraph, LaggedGraph

KINDS = ("time", "summary")


def add(commands: Commands) -> None:
    """Add the command."""
    command = add_command(
        commands,
        "plot",
        _plot,
        brief="draw a graph",
        description="Draw a graph that discover or another program wrote.",
        examples=(
            "jaxcause plot rivers-graph --out rivers.png",
            "jaxcause plot rivers.graphml --kind summary --out rivers.svg",
        ),
    )
    add = command.add_argument
    add(
        "graph",
        metavar="GRAPH",
        type=Path,
        help="a file, or a folder of jaxcause discover",
    )
    add(
        "--out",
        type=Path,
        required=True,
        metavar="FILE",
        help="the picture; its suffix says the format, such as .png, .svg or .pdf",
    )
    add("--kind", choices=KINDS, help="of a graph with lags: edges in time (default), or summary")
    add("--dpi", type=whole(20), default=150, help="dots per inch of a .png (default: 150)")
    add_output(command)


def _plot(arguments: argparse.Namespace) -> int:
    from jaxcause.cli._graphs import read

    graph, names = read(arguments.graph)
    figure = _draw(graph, names, arguments.kind).get_figure(root=True)
    known = sorted(figure.canvas.get_supported_filetypes())
    if arguments.out.suffix.lstrip(".").lower() not in known:
        raise InputError(
            f"--out {arguments.out} has no suffix of a picture; choose one of {', '.join(known)}"
        )
    try:
        figure.savefig(arguments.out, dpi=arguments.dpi, bbox_inches="tight")
    except OSError as error:
        raise InputError(
            f"cannot write {arguments.out}: {error.strerror}; choose another place"
        ) from None
    report(arguments, [f"Wrote {arguments.out}"], {"command": "plot", "out": arguments.out})
    return 0


def _draw(graph: "LaggedGraph | CausalGraph", names: list[str], kind: str | None) -> Any:
    import matplotlib as mpl

    mpl.use("agg")
    from jaxcause import plot
    from jaxcause.graph import LaggedGraph

    if isinstance(graph, LaggedGraph):
        draw = plot.summary_graph if kind == "summary" else plot.time_series_graph
        return draw(graph, names=names)
    if kind is not None:
        raise InputError(f"--kind {kind} is for graphs with lags; leave it out")
    return plot.causal_graph(graph, names=names)
