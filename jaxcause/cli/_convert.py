"""``jaxcause convert``: a graph from one format to another."""

import argparse
from pathlib import Path

from jaxcause._errors import InputError
from jaxcause.cli._output import report
from jaxcause.cli._parser import Commands, add_command, add_output, whole


def add(commands: Commands) -> None:
    """Add the command."""
    command = add_command(
        commands,
        "convert",
        _convert,
        brief="convert a graph from one file format to another",
        description="Read a graph in one format and write it in another; the suffixes say which: "
        ".json, .npz, .graphml, .dot, or .csv for a table of edges. Scores and strengths of a "
        "folder go along where the format holds numbers.",
        examples=(
            "jaxcause convert rivers-graph rivers.graphml",
            "jaxcause convert rivers.graphml rivers.dot",
            "jaxcause convert edges.csv graph.json --variables rain,river,sea --max-lag 3",
        ),
    )
    add = command.add_argument
    add("source", metavar="IN", type=Path, help="a file, or a folder of jaxcause discover")
    add("target", metavar="OUT", type=Path, help="the file to write")
    add(
        "--variables",
        metavar="NAMES",
        help="with commas: all variables, of which a table of edges may lack some",
    )
    add("--max-lag", type=whole(0), metavar="L", help="longest lag, which such a table may lack")
    add_output(command)


def _convert(arguments: argparse.Namespace) -> int:
    from jaxcause.cli._graphs import n_edges, numbers, read
    from jaxcause.io import write_graph

    names = None if arguments.variables is None else arguments.variables.split(",")
    graph, names = read(arguments.source, names=names, max_lag=arguments.max_lag)
    values = numbers(arguments.source, names)
    try:
        write_graph(
            arguments.target,
            graph,
            names=names,
            scores=values.get("scores"),
            strength=values.get("strength"),
        )
    except OSError as error:
        raise InputError(
            f"cannot write {arguments.target}: {error.strerror}; choose another place"
        ) from None
    size = n_edges(graph)
    document = {
        "command": "convert",
        "out": arguments.target,
        "variables": names,
        "edges": size,
    }
    line = f"Wrote {size} edges of {len(names)} variables to {arguments.target}"
    report(arguments, [line], document)
    return 0
