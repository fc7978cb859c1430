"""Graphs as tidy data frames of pandas, polars or any other library that narwhals supports."""

import importlib
from collections.abc import Sequence
from typing import Any

from jaxcause._checks import InputError
from jaxcause.graph import LaggedGraph
from jaxcause.io._named import (
    AnyGraph,
    NamedGraph,
    Values,
    checked_names,
    edge_rows,
    graph_from_rows,
    n_variables,
    whole_number,
)


def to_frame(
    graph: AnyGraph,
    *,
    names: Sequence[str] | None = None,
    values: Values | None = None,
    backend: str = "pandas",
) -> Any:
    """One row per edge: ``source``, ``lag`` (of a lagged graph), ``edge``, ``target``, values.

    Args:
        graph: One graph.
        names: One per variable; by default X0, X1, ….
        values: Further columns by name, ``[source, target, lag]`` or ``[source, target]``.
        backend: The library by its name in narwhals: ``"pandas"``, ``"polars"``, ``"pyarrow"``, ….

    Raises:
        InputError: narwhals or the library is not installed, or the names or a shape do not fit.
    """
    rows = edge_rows(graph, checked_names(n_variables(graph), names), values)
    numbers = ["lag"] if isinstance(graph, LaggedGraph) else []
    columns = ["source", *numbers, "edge", "target", *(values or {})]
    nw = _narwhals()
    kinds = dict.fromkeys(columns, nw.Float64) | dict.fromkeys(
        ("source", "edge", "target"), nw.String
    )
    schema = kinds | dict.fromkeys(numbers, nw.Int64)
    table = {name: [row[name] for row in rows] for name in columns}
    for name in values or {}:
        table[name] = [float(value) for value in table[name]]
    try:
        return nw.from_dict(table, schema=schema, backend=backend).to_native()
    # Some versions of narwhals end in an AssertionError where they do not know the library.
    except (ImportError, ValueError, TypeError, NotImplementedError, AssertionError) as error:
        raise InputError(
            f"backend={backend!r} cannot be used: {error}; install it, or choose pandas or polars"
        ) from None


def from_frame(
    frame: Any,
    *,
    names: Sequence[str] | None = None,
    max_lag: int | None = None,
    mutual: str = "refuse",
) -> NamedGraph:
    """The graph and its names, from the columns ``source``, ``target``, and optional ones.

    Rows are edges, so a frame lacks variables without edges and lags without edges. With ``names``
    and ``max_lag``, a graph comes back unchanged.

    Args:
        frame: A data frame with ``source`` and ``target``; optionally ``edge`` (by default
            ``-->``) and ``lag``, which makes the graph lagged.
        names: All variables in order; by default those that occur.
        max_lag: Longest lag; by default the longest that occurs.
        mutual: ``"undirected"`` takes ``a → b`` beside ``b → a`` for the edge ``a --- b``.

    Raises:
        InputError: A column is missing, or a row is not an edge.
    """
    nw = _narwhals()
    try:
        table = nw.from_native(frame, eager_only=True)
    except TypeError:
        raise InputError(
            f"frame is a {type(frame).__name__}; pass a data frame of pandas, polars or pyarrow"
        ) from None
    missing = [name for name in ("source", "target") if name not in table.columns]
    if missing:
        raise InputError(
            f"frame has no column {missing[0]!r}; there are {', '.join(map(str, table.columns))}"
        )
    rows = table.rows(named=True)
    return from_edge_list(rows, names=names, max_lag=max_lag, what="frame", mutual=mutual)


def from_edge_list(
    rows: Sequence[dict[str, Any]],
    *,
    names: Sequence[str] | None,
    max_lag: int | None,
    what: str,
    mutual: str,
) -> NamedGraph:
    """The graph of rows with ``source`` and ``target``, and optionally ``edge`` and ``lag``."""
    filled = [
        {
            **row,
            "edge": row.get("edge", "-->"),
            "source": str(row["source"]),
            "target": str(row["target"]),
        }
        for row in rows
    ]
    met = dict.fromkeys(row[end] for row in filled for end in ("source", "target"))
    labels = list(met) if names is None else [str(name) for name in names]
    if max_lag is None and any("lag" in row for row in filled):
        max_lag = max(whole_number(row["lag"], f"a lag of {what}") for row in filled)
    return graph_from_rows(filled, labels, max_lag, what=what, mutual=mutual)


def _narwhals() -> Any:
    try:
        return importlib.import_module("narwhals")
    except ModuleNotFoundError:
        raise InputError('data frames need narwhals: pip install "jaxcause[data]"') from None
