"""Lagged graphs as networkx graphs."""

from collections.abc import Sequence

import networkx as nx

from jaxcause.graph import LaggedGraph


def to_networkx(graph: LaggedGraph, *, names: Sequence[str] | None = None) -> nx.MultiDiGraph:
    """One node per variable, one edge per lag with the attributes ``lag`` and ``edge``.

    >>> import numpy as np
    >>> mask = np.zeros((2, 2, 3), bool); mask[0, 1, 2] = True
    >>> list(to_networkx(LaggedGraph.from_mask(mask)).edges(data=True))
    [('X0', 'X1', {'lag': 2, 'edge': '-->'})]
    """
    labels = list(names) if names is not None else [f"X{i}" for i in range(graph.n_vars)]
    result = nx.MultiDiGraph()
    result.add_nodes_from(labels)
    for source, lag, symbol, target in graph.edges(labels):
        result.add_edge(source, target, lag=lag, edge=symbol)
    return result
