"""Graphs named on the command line."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jaxcause._errors import InputError

if TYPE_CHECKING:
    from jaxcause.graph import CausalGraph, LaggedGraph

FILE = "graph.json"
SCORES = "scores.npz"


def read(
    path: Path, *, names: Sequence[str] | None = None, max_lag: int | None = None
) -> "tuple[LaggedGraph | CausalGraph, list[str]]":
    """A graph and the names of its variables; a folder stands for the ``graph.json`` in it."""
    from jaxcause.io import read_graph

    file = path / FILE if path.is_dir() else path
    graph, found = read_graph(file, names=names, max_lag=max_lag)
    return graph, list(found)


def numbers(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """``scores`` and ``strength`` of every candidate, where a folder of discover holds them."""
    file = path / SCORES
    if not file.is_file():
        return {}
    try:
        with np.load(file) as arrays:
            found = {name: np.asarray(arrays[name]) for name in ("scores", "strength")}
            own = arrays["names"].tolist()
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"cannot read {file}: {error}; discover the graph again") from None
    if own != list(names):
        raise InputError(f"{file} and {FILE} beside it have other variables; discover again")
    return found


def read_alike(
    path: Path, like: "LaggedGraph | CausalGraph", names: Sequence[str]
) -> "LaggedGraph | CausalGraph":
    """A graph of the same kind and variables as another, and in its order.

    Lags that one of two graphs does not reach hold no edges.
    """
    graph, own = read(path)
    if type(graph) is not type(like):
        raise InputError(
            f"{path} holds a {type(graph).__name__} and the other a {type(like).__name__}; "
            "compare graphs of one kind"
        )
    if sorted(own) != sorted(names):
        odd = sorted(set(own) ^ set(names))
        raise InputError(
            f"{path} has other variables than the other graph ({', '.join(odd[:5])} "
            "only in one of them); rename or leave them out"
        )
    order = np.array([own.index(name) for name in names])
    return type(graph)(np.asarray(graph.marks)[np.ix_(order, order)])


def n_edges(graph: "LaggedGraph | CausalGraph") -> int:
    """Number of edges, contemporaneous ones counted once."""
    return len(graph.edges())
