"""Graphs as JSON."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxtyping import Float

from jaxcause._checks import InputError
from jaxcause._typing import AnyArray
from jaxcause.graph import LaggedGraph
from jaxcause.io._files import read_text, write_whole
from jaxcause.io._named import (
    CAUSAL_FORMAT,
    LAGGED_FORMAT,
    VERSION,
    AnyGraph,
    NamedGraph,
    Values,
    check_version,
    checked_names,
    edge_rows,
    graph_from_rows,
    n_variables,
    whole_number,
)


def graph_to_json(
    graph: AnyGraph,
    *,
    names: Sequence[str] | None = None,
    scores: Float[AnyArray, "vars vars *lags"] | None = None,
    strength: Float[AnyArray, "vars vars *lags"] | None = None,
    values: Values | None = None,
) -> dict[str, Any]:
    """A graph as a dictionary of plain values.

    The schema, version 1: ``format``, ``version``, ``max_lag`` (of a `LaggedGraph` only),
    ``variables`` (names), and ``edges``: a list of ``source``, ``lag`` (of a `LaggedGraph` only),
    ``edge`` (such as ``-->``), ``target``, and if known ``score``, ``strength`` and further
    numbers. NaN and infinities become None. An edge at lag 0 is listed once.

    Args:
        graph: One graph.
        names: One per variable; by default X0, X1, ….
        scores: The scores by which edges were selected, ``[source, target, lag]`` or
            ``[source, target]``.
        strength: The size of each effect, shaped like ``scores``.
        values: Further numbers of the edges by name, shaped like ``scores``.

    Raises:
        InputError: The names do not fit, a shape is wrong, or the graph is a batch.

    >>> import numpy as np
    >>> mask = np.zeros((2, 2, 2), bool); mask[0, 1, 1] = True
    >>> graph_to_json(LaggedGraph.from_mask(mask), names=["a", "b"])["edges"]
    [{'source': 'a', 'lag': 1, 'edge': '-->', 'target': 'b'}]
    """
    labels = checked_names(n_variables(graph), names)
    named = {"score": scores, "strength": strength, **(values or {})}
    rows = edge_rows(graph, labels, {name: v for name, v in named.items() if v is not None})
    head: dict[str, Any] = {"format": CAUSAL_FORMAT, "version": VERSION}
    if isinstance(graph, LaggedGraph):
        head = {"format": LAGGED_FORMAT, "version": VERSION, "max_lag": graph.max_lag}
    return {**head, "variables": labels, "edges": [_plain(row) for row in rows]}


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row without NaN and infinities, which JSON cannot hold."""
    return {
        name: None if isinstance(cell, float) and not math.isfinite(cell) else cell
        for name, cell in row.items()
    }


def graph_from_json(document: Mapping[str, Any]) -> NamedGraph:
    """The graph and its variable names, from what `graph_to_json` wrote.

    Raises:
        InputError: The document has another format or a newer version, or breaks the schema.
    """
    return _from_document(document, "the document")


def write_json(path: str | Path, graph: AnyGraph, **details: Any) -> None:
    """Write `graph_to_json` to a file."""
    text = json.dumps(graph_to_json(graph, **details), indent=2, allow_nan=False)
    write_whole(path, (text + "\n").encode())


def read_json(path: str | Path) -> NamedGraph:
    """The graph and its variable names, from a file that `write_json` wrote.

    Raises:
        InputError: The file cannot be read or is not JSON; or see `graph_from_json`.
    """
    text = read_text(path)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not valid JSON: {error}; write it again") from None
    return _from_document(document, path)


def _from_document(document: Any, what: str | Path) -> NamedGraph:
    kind = document.get("format") if isinstance(document, Mapping) else None
    schema = document.get("schema") if isinstance(document, Mapping) else None
    if isinstance(schema, str) and schema.startswith("jaxcause.explanation/"):
        raise InputError(
            f"{what} is an explanation; workflows.TextExplanation.from_json reads it, and its "
            ".graph is a graph; jaxcause convert makes a file of it"
        )
    if kind not in (LAGGED_FORMAT, CAUSAL_FORMAT):
        raise InputError(
            f"{what} is no {LAGGED_FORMAT} or {CAUSAL_FORMAT}; write it with graph_to_json"
        )
    check_version(document.get("version"), what)
    names, edges = document.get("variables"), document.get("edges")
    max_lag = document.get("max_lag") if kind == LAGGED_FORMAT else None
    try:
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise InputError("variables must be a list of names; give one per variable")
        if not isinstance(edges, list) or not all(isinstance(edge, Mapping) for edge in edges):
            raise InputError("edges must be a list of objects; give one per edge")
        if kind == LAGGED_FORMAT and (max_lag := whole_number(max_lag, "max_lag")) < 0:
            raise InputError(f"max_lag is {max_lag}; it must be at least 0")
        return graph_from_rows(edges, names, max_lag, what=what)
    except InputError as error:
        raise InputError(f"{what} does not follow {kind} version {VERSION}: {error}") from None
