"""``jaxcause convert``: a graph from one format to another."""

import argparse
import csv
from pathlib import Path

from jaxcause._errors import InputError
from jaxcause.cli._output import report
from jaxcause.cli._parser import Commands, add_command, add_mutual, add_output, whole


def add(commands: Commands) -> None:
    """Add the command."""
    command = add_command(
        commands,
        "convert",
        _convert,
        brief="convert a graph from one file format to another",
        description="Read a graph in one format and write it in another. The suffixes determine "
        "the formats: .json, .npz, .graphml, .dot, or .csv for a table of edges. Scores and other "
        "numbers of the edges are kept if the format can hold them.",
        examples=(
            "jaxcause convert rivers-graph rivers.graphml",
            "jaxcause convert rivers.graphml rivers.dot",
            "jaxcause convert edges.csv graph.json --variables rain,river,sea --max-lag 3",
            """jaxcause convert edges.csv graph.json --variables 'rain,"wind, at sea"'""",
        ),
    )
    add = command.add_argument
    add(
        "source",
        metavar="IN",
        type=Path,
        help="a file, or a folder of jaxcause discover or explain",
    )
    add("target", metavar="OUT", type=Path, help="the file to write")
    add(
        "--variables",
        metavar="NAMES",
        help="all variables, with commas, for a table of edges, which may lack some; quote a name "
        "that holds a comma: 'rain,\"wind, at sea\"'",
    )
    add("--max-lag", type=whole(0), metavar="L", help="longest lag, for a table of edges")
    add_mutual(command)
    add_output(command)


def _convert(arguments: argparse.Namespace) -> int:
    from jaxcause.cli._graphs import n_edges, numbers, read_named
    from jaxcause.io import SUFFIXES_WITHOUT_NUMBERS, write_graph

    names = None if arguments.variables is None else _listed(arguments.variables)
    found = read_named(
        arguments.source, names=names, max_lag=arguments.max_lag, mutual=arguments.mutual
    )
    graph, names = found
    every = numbers(arguments.source, graph, names)
    values = {**found.values, **{name.removesuffix("s"): a for name, a in every.items()}}
    try:
        write_graph(arguments.target, graph, names=names, values=values)
    except OSError as error:
        raise InputError(
            f"cannot write {arguments.target}: {error.strerror}; choose another place"
        ) from None
    size = n_edges(graph)
    lost = list(values) if arguments.target.suffix.lower() in SUFFIXES_WITHOUT_NUMBERS else []
    document = {
        "command": "convert",
        "out": arguments.target,
        "variables": names,
        "edges": size,
        "left out": lost,
    }
    lines = [f"Wrote {size} edges of {len(names)} variables to {arguments.target}"]
    if lost:
        lines.append(f"- This format cannot hold numbers: {', '.join(lost)} left out")
    report(arguments, lines, document)
    return 0


def _listed(text: str) -> list[str]:
    """Names between commas; one that holds a comma is in double quotes."""
    try:
        return next(csv.reader([text], strict=True), [])
    except csv.Error as error:
        raise InputError(
            f"--variables {text!r} cannot be read: {error}; quote a name that holds a comma whole, "
            'such as rain,"wind, at sea"'
        ) from None
