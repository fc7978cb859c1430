"""Graphs as objects of causal-learn."""

import importlib
from collections.abc import Sequence
from typing import Any

from jaxcause._checks import InputError
from jaxcause.graph import CausalGraph
from jaxcause.io._named import NamedGraph, checked_names
from jaxcause.io._pcalg import from_causallearn_codes, to_causallearn_codes


def to_causallearn(graph: CausalGraph, *, names: Sequence[str] | None = None) -> Any:
    """A ``causallearn.graph.GeneralGraph.GeneralGraph``, for its metrics and pictures.

    Args:
        graph: One graph over nodes.
        names: One per node; by default X0, X1, ….

    Raises:
        InputError: causal-learn is not installed, the graph is lagged or a batch or has edges in
            conflict (``x-x``), or the names do not fit.
    """
    codes = to_causallearn_codes(graph)
    labels = checked_names(len(codes), names)
    try:
        general_graph = importlib.import_module("causallearn.graph.GeneralGraph").GeneralGraph
        node = importlib.import_module("causallearn.graph.GraphNode").GraphNode
    except ModuleNotFoundError as error:
        raise InputError(
            f"to_causallearn needs causal-learn, and {error.name} is missing: "
            "pip install causal-learn, or use to_causallearn_codes"
        ) from None
    built = general_graph([node(label) for label in labels])
    # add_edge cannot represent a tail opposite a circle; the matrix can represent every edge.
    built.graph = codes
    built.reconstitute_dpath(built.get_graph_edges())
    return built


def from_causallearn(graph: Any) -> NamedGraph:
    """The graph and its names, from a ``GeneralGraph``, or a ``CausalGraph`` of causal-learn's PC.

    Raises:
        InputError: The object is of another kind, or joins two nodes by two edges.
    """
    inner = getattr(graph, "G", graph)
    if not hasattr(inner, "graph") or not hasattr(inner, "get_nodes"):
        raise InputError(
            f"graph is a {type(graph).__name__}; pass a causal-learn GeneralGraph, or its matrix "
            "to from_causallearn_codes"
        )
    read = from_causallearn_codes(inner.graph)
    names = [node.get_name() for node in inner.get_nodes()]
    return NamedGraph(read, checked_names(read.n_nodes, names))
