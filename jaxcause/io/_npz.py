"""Graphs as npz files."""

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxcause._checks import InputError
from jaxcause.graph import CausalGraph, LaggedGraph
from jaxcause.io._archive import archive_of, read_arrays
from jaxcause.io._files import check_cells, write_whole
from jaxcause.io._named import (
    CAUSAL_FORMAT,
    LAGGED_FORMAT,
    VERSION,
    AnyGraph,
    NamedGraph,
    Values,
    check_version,
    checked_names,
    checked_values,
    n_variables,
)
from jaxcause.io._tigramite import from_tigramite

_OWN = ("format", "version", "marks", "names")


def write_npz(
    path: str | Path,
    graph: AnyGraph,
    *,
    names: Sequence[str] | None = None,
    values: Values | None = None,
) -> None:
    """Write ``marks``, ``names``, ``format``, ``version`` and further arrays.

    Args:
        path: The file.
        graph: One graph.
        names: One per variable; by default X0, X1, ….
        values: Further arrays by name, ``[source, target, lag]`` or ``[source, target]``.

    Raises:
        InputError: The file cannot be written, the names do not fit, or a shape is wrong.
    """
    labels = checked_names(n_variables(graph), names)
    arrays = checked_values(graph, values)
    for name in arrays:
        if name in _OWN:
            raise InputError(f"values={name!r} is an array of its own; rename it")
    for label in labels:
        # NumPy drops zero characters at the end of text.
        if label.endswith("\0"):
            raise InputError(f"names={label!r} ends with a zero character; rename it")
    head = {
        "format": np.array(LAGGED_FORMAT if isinstance(graph, LaggedGraph) else CAUSAL_FORMAT),
        "version": np.array(VERSION),
        "marks": np.asarray(graph.marks),
        "names": np.array(labels, np.str_),
    }
    write_whole(path, archive_of({**head, **arrays}))


def read_npz(path: str | Path) -> NamedGraph:
    """The graph and its names, from `write_npz` or from saved tigramite arrays (``graph``).

    Nothing is unpickled.

    Raises:
        InputError: The file cannot be read, is damaged or of a newer version, claims to be far
            larger than it is, or holds no graph.
    """
    arrays = read_arrays(path)
    if "version" in arrays:
        check_version(arrays["version"].tolist(), path)
    labels = None if "names" not in arrays else [str(name) for name in arrays["names"].ravel()]
    try:
        if "marks" in arrays:
            graph = _graph_of(arrays["marks"])
            found = NamedGraph(graph, checked_names(n_variables(graph), labels))
            return _with_numbers(found, arrays)
        if "graph" in arrays:
            return _with_numbers(from_tigramite(arrays["graph"], names=labels), arrays)
    except InputError as error:
        raise InputError(f"{path} holds no graph: {error}") from None
    found = ", ".join(map(repr, arrays)) or "nothing"
    raise InputError(f"{path} holds no array 'marks', but {found}; write it with write_npz")


def _with_numbers(found: NamedGraph, arrays: dict[str, np.ndarray]) -> NamedGraph:
    """Add the numeric arrays that have the shape of the graph."""
    marks = found.graph.marks
    shape = marks.shape[:-1] if isinstance(found.graph, LaggedGraph) else marks.shape
    numbers = {
        name: array
        for name, array in arrays.items()
        if name not in (*_OWN, "graph") and array.shape == shape and array.dtype.kind in "iuf"
    }
    return NamedGraph.with_numbers(*found, functools.partial(dict, numbers))


def _graph_of(marks: np.ndarray) -> AnyGraph:
    if not np.issubdtype(marks.dtype, np.integer):
        raise InputError(f"marks holds {marks.dtype}; it must hold whole numbers 0 to 4")
    if 0 in marks.shape:
        raise InputError(f"marks has shape {marks.shape}, without variables or lags")
    check_cells("marks", marks.shape[0], marks.shape[2] - 1 if marks.ndim == 4 else 0)
    return LaggedGraph(marks) if marks.ndim == 4 else CausalGraph(marks)
