"""Graphs in the way of causalnex: a networkx graph over ``name_lag0``, ``name_lag1``, …."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from jaxcause._checks import InputError
from jaxcause._typing import AnyArray
from jaxcause.graph import LaggedGraph
from jaxcause.io._files import check_cells
from jaxcause.io._lingam import directed_only
from jaxcause.io._named import (
    AnyGraph,
    NamedGraph,
    checked_names,
    checked_values,
    graph_from_rows,
    n_variables,
)

if TYPE_CHECKING:
    import networkx as nx

_LAGGED = re.compile(r"(.*)_lag(0|[1-9][0-9]{0,8})", re.DOTALL)


def to_causalnex(
    graph: AnyGraph,
    *,
    names: Sequence[str] | None = None,
    weights: Float[AnyArray, "vars vars *lags"] | None = None,
) -> "nx.DiGraph":
    """A networkx graph that causalnex's ``StructureModel`` takes as its argument.

    A variable ``x`` of a lagged graph becomes one node per lag, ``x_lag0``, ``x_lag1``, …, and
    edges end at lag 0. A graph over nodes keeps its names.

    Args:
        graph: One graph; every edge must be ``-->``.
        names: One per variable; by default X0, X1, ….
        weights: The attribute ``weight``, ``[source, target, lag]`` or ``[source, target]``; by
            default 1.

    Raises:
        InputError: An edge is not directed, or the names of a graph over nodes end like lags.

    >>> mask = np.zeros((2, 2, 2), bool); mask[0, 1, 1] = True
    >>> list(to_causalnex(LaggedGraph.from_mask(mask), names=["rain", "river"]).edges)
    [('rain_lag1', 'river_lag0')]
    """
    import networkx as nx

    labels = checked_names(n_variables(graph), names)
    directed = directed_only(graph, "a StructureModel")
    given = {} if weights is None else {"weights": weights}
    weight = checked_values(graph, given).get("weights", directed.astype(np.float64))
    result = nx.DiGraph()
    if not isinstance(graph, LaggedGraph):
        if labels and all(_LAGGED.fullmatch(label) for label in labels):
            raise InputError(
                f"names={labels[0]!r} reads as a lag, but the graph has none; rename it"
            )
        result.add_nodes_from(labels)
        for i, j in np.argwhere(directed).tolist():
            result.add_edge(labels[i], labels[j], weight=float(weight[i, j]), origin="learned")
        return result
    lags = range(graph.max_lag + 1)
    result.add_nodes_from(f"{label}_lag{lag}" for label in labels for lag in lags)
    for i, j, lag in np.argwhere(directed).tolist():
        source, target = f"{labels[i]}_lag{lag}", f"{labels[j]}_lag0"
        result.add_edge(source, target, weight=float(weight[i, j, lag]), origin="learned")
    return result


def from_causalnex(model: "nx.DiGraph") -> NamedGraph:
    """The graph and its names, from a causalnex ``StructureModel`` or `to_causalnex`.

    If all nodes are called ``name_lag0``, ``name_lag1``, …, the graph is a `LaggedGraph`.

    Raises:
        InputError: An edge does not end at lag 0, or two variables cause each other at lag 0.

    >>> import networkx as nx
    >>> from_causalnex(nx.DiGraph([("rain_lag2", "river_lag0")])).graph.max_lag
    2
    """
    nodes = [str(node) for node in model.nodes]
    parts = {node: _LAGGED.fullmatch(node) for node in nodes}
    if not nodes or not all(parts.values()):
        rows = [{"source": str(u), "edge": "-->", "target": str(v)} for u, v in model.edges]
        return graph_from_rows(rows, nodes, None, what="model")
    split = {node: (part[1], int(part[2])) for node, part in parts.items() if part is not None}
    names = list(dict.fromkeys(name for name, _ in split.values()))
    max_lag = max(lag for _, lag in split.values())
    check_cells("model", len(names), max_lag)
    rows = []
    for u, v in model.edges:
        (source, lag), (target, end) = split[str(u)], split[str(v)]
        if end != 0:
            raise InputError(f"model has the edge {u} to {v}, which must end at lag 0; shift it")
        rows.append({"source": source, "lag": lag, "edge": "-->", "target": target})
    return graph_from_rows(rows, names, max_lag, what="model")
