"""Lagged graphs as JSON."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from jaxcause._checks import InputError
from jaxcause._typing import AnyArray
from jaxcause.graph import LaggedGraph, edge_marks

FORMAT = "jaxcause.lagged_graph"
VERSION = 1


def graph_to_json(
    graph: LaggedGraph,
    *,
    names: Sequence[str] | None = None,
    scores: Float[AnyArray, "vars vars lags"] | None = None,
    strength: Float[AnyArray, "vars vars lags"] | None = None,
) -> dict[str, Any]:
    """A graph as a dictionary of plain values.

    The schema, version 1: ``format``, ``version``, ``max_lag``, ``variables`` (names), ``edges``: a
    list of ``source``, ``lag``, ``edge`` (such as ``-->``), ``target``, and where known ``score``
    and ``strength``. A contemporaneous edge has lag 0 and stands once.

    >>> mask = np.zeros((2, 2, 2), bool); mask[0, 1, 1] = True
    >>> graph_to_json(LaggedGraph.from_mask(mask), names=["a", "b"])["edges"]
    [{'source': 'a', 'lag': 1, 'edge': '-->', 'target': 'b'}]
    """
    labels = list(names) if names is not None else [f"X{i}" for i in range(graph.n_vars)]
    if len(set(labels)) != graph.n_vars:
        raise InputError(f"names must hold {graph.n_vars} different names, one per variable")
    at = {name: i for i, name in enumerate(labels)}
    edges = []
    for source, lag, symbol, target in graph.edges(labels):
        edge: dict[str, Any] = {"source": source, "lag": lag, "edge": symbol, "target": target}
        for field, value in (("score", scores), ("strength", strength)):
            if value is not None:
                edge[field] = float(value[at[source], at[target], lag])
        edges.append(edge)
    head = {"format": FORMAT, "version": VERSION, "max_lag": graph.max_lag}
    return {**head, "variables": labels, "edges": edges}


def graph_from_json(document: dict[str, Any]) -> tuple[LaggedGraph, list[str]]:
    """The graph and its variable names, from what `graph_to_json` wrote.

    Raises:
        InputError: The document is of another format or a newer version, or does not follow it.
    """
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise InputError(f"the document is no {FORMAT}; write it with graph_to_json")
    if document.get("version") != VERSION:
        raise InputError(
            f"version {document.get('version')} is not known; this reads version {VERSION}"
        )
    try:
        names = [str(name) for name in document["variables"]]
        at = {name: i for i, name in enumerate(names)}
        marks = np.zeros((len(names), len(names), int(document["max_lag"]) + 1, 2), np.int8)
        for edge in document["edges"]:
            i, j, lag = at[edge["source"]], at[edge["target"]], int(edge["lag"])
            marks[i, j, lag] = edge_marks(edge["edge"])
            if lag == 0:
                marks[j, i, 0] = marks[i, j, 0, ::-1]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise InputError(
            f"the document does not follow {FORMAT} version {VERSION}: {error!r}"
        ) from None
    return LaggedGraph(marks), names


def write_graph(path: str | Path, graph: LaggedGraph, **details: Any) -> None:
    """Write `graph_to_json` to a file."""
    Path(path).write_text(
        json.dumps(graph_to_json(graph, **details), indent=2) + "\n", encoding="utf-8"
    )


def read_graph(path: str | Path) -> tuple[LaggedGraph, list[str]]:
    """Read the graph and its variable names from a file that `write_graph` wrote.

    Raises:
        InputError: The file cannot be read, is no JSON, or see `graph_from_json`.
    """
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; check the path") from None
    except ValueError as error:
        raise InputError(f"{path} is not valid JSON: {error}") from None
    return graph_from_json(document)
