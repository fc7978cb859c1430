"""What graphs over nodes and graphs with lags share: indexing a batch, and one line to show."""

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from jax.core import Tracer

from jaxcause._checks import InputError

MOST_SHOWN = 8
"""Edges that a line shows."""


def batch_of(marks: Any, n_own: int) -> tuple[int, ...] | None:
    """The leading axes of marks; None for placeholders that have no shape.

    Args:
        marks: Of a graph or a batch of graphs.
        n_own: Number of axes of one graph.
    """
    shape = getattr(marks, "shape", None)
    return None if shape is None or len(shape) < n_own else tuple(shape[: len(shape) - n_own])


def at(marks: Any, index: Any, n_own: int) -> Any:
    """The marks of one graph, or of some graphs, of a batch.

    Raises:
        InputError: The marks are those of one graph.
        IndexError: There are fewer graphs.
    """
    batch = batch_of(marks, n_own)
    if not batch:
        raise InputError(
            "the graph is one graph, not a batch, and has no item; its edges are graph.edges()"
        )
    # JAX takes an index beyond the last graph for the last one.
    np.broadcast_to(np.int8(0), batch)[index]
    parts = index if isinstance(index, tuple) else (index,)
    if Ellipsis in parts:
        raise InputError("graph[...] is the whole batch; index it by numbers or slices")
    return marks[(*parts, ...)]


def check_one(marks: Any, n_own: int, call: str) -> None:
    """Raise unless the marks are those of one graph, whose values are known.

    Args:
        marks: Of a graph or a batch of graphs.
        n_own: Number of axes of one graph.
        call: What was called, such as ``edges()``.
    """
    batch = batch_of(marks, n_own)
    if batch:
        first = f"graph[{', '.join('0' * len(batch))}]"
        raise InputError(
            f"the graph is a batch of shape {batch}; write {first}.{call} for the first one"
        )
    if isinstance(marks, Tracer):
        raise InputError(f"{call} needs known marks, and jit or vmap traces them; call it outside")


def one_line(graph: Any, n_own: int, size: str, edges: Sequence[str] | None) -> str:
    """A graph in a line.

    Args:
        graph: The graph.
        n_own: Number of axes of its marks, if it is one graph.
        size: Its size in words.
        edges: Its edges as texts; None for a batch.
    """
    kind, batch = type(graph).__name__, batch_of(graph.marks, n_own)
    if batch is None:
        return f"<{kind}: placeholder>"
    if batch:
        first = f"graph[{', '.join('0' * len(batch))}]"
        return f"<{kind}: a batch of {' × '.join(map(str, batch))} graphs, {size}; {first} is one>"
    if edges is None:
        return f"<{kind}: {size}, traced>"
    told = ", ".join(edges[:MOST_SHOWN])
    more = f", and {len(edges) - MOST_SHOWN} more" if len(edges) > MOST_SHOWN else ""
    counted = f"{len(edges) or 'no'} edge{'s' * (len(edges) != 1)}"
    return f"<{kind}: {size}, {counted}{': ' * bool(edges)}{told}{more}>"


def as_networkx(graph: Any, names: Sequence[str] | None) -> Any:
    """`jaxcause.io.to_networkx`, which lies above this layer and is only looked up."""
    return importlib.import_module("jaxcause.io").to_networkx(graph, names=names)
