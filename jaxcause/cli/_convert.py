"""``jaxcause convert``: a graph from one format to another."""

import argparse
from pathlib import Path

from jaxcause._errors import InputError
from jaxcause.cli._output import report
from jaxcause.cli._parser import Commands, add_command, add_output


def add(commands: Commands) -> None:
    """Add the command."""
    command = add_command(
        commands,
        "convert",
        _convert,
        brief="convert a graph from one file format to another",
        description="Read a graph in one format and write it in another; the suffixes say which.",
        examples=(
            "jaxcause convert rivers-graph rivers.graphml",
            "jaxcause convert rivers.graphml rivers.dot",
        ),
    )
    command.add_argument(
        "source", metavar="IN", type=Path, help="a file, or a folder of jaxcause discover"
    )
    command.add_argument("target", metavar="OUT", type=Path, help="the file to write")
    add_output(command)


def _convert(arguments: argparse.Namespace) -> int:
    from jaxcause.cli._graphs import n_edges, read
    from jaxcause.io import write_graph

    graph, names = read(arguments.source)
    try:
        write_graph(arguments.target, graph, names=names)
    except OSError as error:
        raise InputError(
            f"cannot write {arguments.target}: {error.strerror}; choose another place"
        ) from None
    document = {
        "command": "convert",
        "out": arguments.target,
        "variables": names,
        "edges": n_edges(graph),
    }
    report(
        arguments,
        [f"Wrote {document['edges']} edges of {len(names)} variables to {arguments.target}"],
        document,
    )
    return 0
