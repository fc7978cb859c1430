"""``jaxcause compare``: one graph compared with another."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jaxcause.cli._output import report, table
from jaxcause.cli._parser import Commands, add_command, add_mutual, add_output

SHOWN_EDGES = 10
MOST_PAIRS, MOST_EDGES = 10**7, 2 * 10**5
"""Size up to which graphs are compared; larger ones take long."""


def add(commands: Commands) -> None:
    """Add the command."""
    command = add_command(
        commands,
        "compare",
        _compare,
        brief="compare two graphs",
        description="Print precision, recall, F1 and structural Hamming distance of a graph with "
        "respect to a second one, the truth, and the edges in which they differ. Variables are "
        "matched by name.",
        examples=(
            "jaxcause compare rivers-graph truth.json",
            "jaxcause compare one.graphml two.graphml --json",
        ),
    )
    for name, what in (("found", "a graph"), ("truth", "the graph to compare with")):
        command.add_argument(
            name,
            metavar=name.upper(),
            type=Path,
            help=f"{what}: a file, or a folder of jaxcause discover or explain",
        )
    command.add_argument(
        "--marks",
        action="store_true",
        help="compare a CPDAG with a DAG by their marks; by default their equivalence classes are "
        "compared, so that --- is no error where the class of the DAG has it too",
    )
    add_mutual(command)
    add_output(command)


def _compare(arguments: argparse.Namespace) -> int:
    from jaxcause.cli._distance import differences, measures, same_form, same_lags
    from jaxcause.cli._graphs import check_size, n_edges, read, read_alike

    graph, names = read(arguments.found, mutual=arguments.mutual)
    check_size(graph, arguments.found, "compared", MOST_PAIRS, MOST_EDGES)
    truth = read_alike(arguments.truth, graph, names, mutual=arguments.mutual)
    graph, truth = same_lags(graph, truth)
    graph, truth, became = (graph, truth, None) if arguments.marks else same_form(graph, truth)
    document = {
        "command": "compare",
        "compared": "marks" if became is None else "equivalence classes",
        "as a class": became,
        "edges": {"found": n_edges(graph), "truth": n_edges(truth)},
        "measures": measures(graph, truth),
        **differences(graph, truth, names),
    }
    report(arguments, _lines(document), document)
    return 0


def _lines(document: dict[str, Any]) -> Iterator[str]:
    edges = document["edges"]
    yield f"{edges['found']} edges, {edges['truth']} in the truth"
    if document["as a class"] is not None:
        dag, cpdag = ("truth", "found") if document["as a class"] == "truth" else ("found", "truth")
        yield (
            f"- The {dag} graph is a DAG and the {cpdag} one a CPDAG, so their equivalence classes "
            "are compared; --marks compares the marks as they are"
        )
    rows = [
        (
            name,
            *("" if m[k] is None else f"{m[k]:.3g}" for k in ("precision", "recall", "f1", "shd")),
        )
        for name, m in document["measures"].items()
    ]
    yield from table(("", "precision", "recall", "F1", "SHD"), rows)
    pairs = [f"{d['found']}, in the truth {d['truth']}" for d in document["marked otherwise"]]
    for title, listed in (
        ("only found", document["only found"]),
        ("only in the truth", document["only in truth"]),
        ("marked otherwise", pairs),
    ):
        if listed:
            yield f"{title}:"
            yield from (f"  {line}" for line in listed[:SHOWN_EDGES])
        if len(listed) > SHOWN_EDGES:
            yield f"  … and {len(listed) - SHOWN_EDGES} more; --json lists them all"
