"""Graphs as networkx graphs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxcause._checks import InputError
from jaxcause.graph import LaggedGraph
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

if TYPE_CHECKING:
    import networkx as nx


def to_networkx(
    graph: AnyGraph, *, names: Sequence[str] | None = None, values: Values | None = None
) -> "nx.DiGraph":
    """A `networkx.MultiDiGraph` of a lagged graph, a `networkx.DiGraph` of a graph over nodes.

    There is one node per variable, in order, and one edge from source to target per edge. The
    attribute ``edge`` shows both marks (``-->``, ``o->``, ``<->``, ``x-x``, …), ``lag`` is the lag.
    The graph attributes ``format``, ``version`` and ``max_lag`` make `from_networkx` exact.

    Args:
        graph: One graph.
        names: One per variable; by default X0, X1, ….
        values: Further edge attributes by name, ``[source, target, lag]`` or ``[source, target]``.

    >>> mask = np.zeros((2, 2, 3), bool); mask[0, 1, 2] = True
    >>> list(to_networkx(LaggedGraph.from_mask(mask)).edges(data=True))
    [('X0', 'X1', {'lag': 2, 'edge': '-->'})]
    """
    import networkx as nx

    labels = checked_names(n_variables(graph), names)
    if isinstance(graph, LaggedGraph):
        result = nx.MultiDiGraph(format=LAGGED_FORMAT, version=VERSION, max_lag=graph.max_lag)
    else:
        result = nx.DiGraph(format=CAUSAL_FORMAT, version=VERSION)
    result.add_nodes_from(labels)
    for row in edge_rows(graph, labels, values):
        source, target = row.pop("source"), row.pop("target")
        result.add_edge(source, target, **row)
    return result


def to_summary_networkx(graph: LaggedGraph, *, names: Sequence[str] | None = None) -> "nx.DiGraph":
    """The summary graph: ``source → target`` at any lag, with the lags as text in ``lags``.

    It holds edges ``-->`` only, and cannot be converted back.

    >>> mask = np.zeros((2, 2, 3), bool); mask[0, 1, 1:] = True
    >>> list(to_summary_networkx(LaggedGraph.from_mask(mask)).edges(data=True))
    [('X0', 'X1', {'lags': '1, 2'})]
    """
    import networkx as nx

    labels = checked_names(n_variables(graph), names)
    result = nx.DiGraph()
    result.add_nodes_from(labels)
    directed = np.asarray(graph.directed)
    for i, j in np.argwhere(directed.any(axis=-1)).tolist():
        lags = ", ".join(map(str, np.flatnonzero(directed[i, j]).tolist()))
        result.add_edge(labels[i], labels[j], lags=lags)
    return result


def from_networkx(graph: "nx.Graph", *, mutual: str = "refuse") -> NamedGraph:
    """The graph and its names, from `to_networkx` or any networkx graph.

    Edges without the attribute ``edge`` are ``-->``, or ``---`` in an undirected graph. A graph
    whose edges have ``lag`` becomes a `LaggedGraph`; its longest lag is the graph attribute
    ``max_lag`` or the longest lag that occurs.

    Args:
        graph: The graph.
        mutual: ``"undirected"`` takes ``a → b`` beside ``b → a`` for the edge ``a --- b``,
            as gCastle and pgmpy mean it; ``"refuse"`` raises, because it may as well be feedback.

    Raises:
        InputError: Two nodes have one name, a lag is missing or not a whole number, a mark is
            unknown, a pair has two edges, or the graph is of a newer version.

    >>> import networkx as nx
    >>> from_networkx(nx.DiGraph([("rain", "river")])).graph.edges(["rain", "river"])
    [('rain', '-->', 'river')]
    """
    import networkx as nx

    if not isinstance(graph, nx.Graph):
        kind = type(graph).__name__
        raise InputError(f"graph is a {kind}; pass a networkx graph, or read a file by read_graph")
    return from_networkx_named(graph, "the networkx graph", mutual)


def from_networkx_named(graph: "nx.Graph", what: str | Path, mutual: str) -> NamedGraph:
    """`from_networkx` with the name of the graph in error messages."""
    head = graph.graph
    if head.get("format") in (LAGGED_FORMAT, CAUSAL_FORMAT):
        check_version(head.get("version"), what)
    names = [str(node) for node in graph.nodes]
    default = "-->" if graph.is_directed() else "---"
    rows = [
        {**data, "edge": data.get("edge", default), "source": str(u), "target": str(v)}
        for u, v, data in graph.edges(data=True)
    ]
    max_lag = _max_lag(head, rows, what)
    return graph_from_rows(rows, names, max_lag, what=what, mutual=mutual)


def _max_lag(head: dict[str, Any], rows: list[dict[str, Any]], what: str | Path) -> int | None:
    """The longest lag, or None for a graph without lags."""
    if head.get("format") == CAUSAL_FORMAT:
        return None
    if "max_lag" in head:
        max_lag = whole_number(head["max_lag"], f"max_lag of {what}")
        if max_lag < 0:
            raise InputError(f"max_lag of {what} is {max_lag}; it must be at least 0")
        return max_lag
    with_lag = [row for row in rows if "lag" in row]
    if not with_lag:
        return None
    if len(with_lag) < len(rows):
        raise InputError(f"{what} has edges with and without the attribute lag; give all of them")
    return max(whole_number(row["lag"], f"a lag of {what}") for row in rows)
