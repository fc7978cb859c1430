"""A graph with the names of its variables, and the edges as rows."""

import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Shaped

from jaxcause._checks import InputError, check_choice
from jaxcause._typing import AnyArray
from jaxcause.graph import CausalGraph, LaggedGraph, Mark, edge_marks
from jaxcause.io._files import check_cells

AnyGraph = CausalGraph | LaggedGraph
"""The graphs that can be written and read."""

Values = Mapping[str, Shaped[AnyArray, "..."]]
"""Numbers of edges by name, such as scores or p-values."""

CAUSAL_FORMAT = "jaxcause.causal_graph"
LAGGED_FORMAT = "jaxcause.lagged_graph"
VERSION = 1
"""Version of the formats JSON, npz, GraphML and DOT."""

MUTUAL = ("refuse", "undirected")
"""What two arrows between one pair can be: an error, or the undirected edge that they stand for in
gCastle, pgmpy and other libraries whose graphs have arrows alone."""

_FIELDS = ("source", "lag", "edge", "target")
_FORTH, _BACK = (Mark.TAIL, Mark.ARROW), (Mark.ARROW, Mark.TAIL)
_ON_MUTUAL = (
    ", in the other direction; pass mutual='undirected' (--mutual undirected) if two arrows stand "
    "for an undirected edge, as in a CPDAG of gCastle or pgmpy; feedback needs lags"
)


class _GraphAndNames(NamedTuple):
    graph: AnyGraph
    names: list[str]


class NamedGraph(_GraphAndNames):
    """A graph and the names of its variables; unpacks as ``graph, names``."""

    _numbers: Callable[[], Values] = dict

    @classmethod
    def with_numbers(
        cls, graph: AnyGraph, names: list[str], numbers: Callable[[], Values]
    ) -> "NamedGraph":
        """A named graph whose `values` are computed by ``numbers`` on first use."""
        found = cls(graph, names)
        found._numbers = numbers
        return found

    @property
    def values(self) -> Values:
        """Numbers of the edges by name, ``[source, target, lag]`` or ``[source, target]``.

        These numbers were read together with the graph, such as ``score``; NaN marks missing ones.
        They can be passed to `write_graph`.
        """
        return self._numbers()


def n_variables(graph: AnyGraph) -> int:
    """Number of nodes, or of variables of a lagged graph."""
    if isinstance(graph, LaggedGraph):
        return graph.n_vars
    if np.ndim(graph.marks) != 2:
        raise InputError(f"graph is a batch of shape {np.shape(graph.marks)[:-2]}; index it first")
    return graph.n_nodes


def checked_names(n: int, names: Sequence[str] | None) -> list[str]:
    """The names of ``n`` variables; by default X0, X1, ….

    Raises:
        InputError: The number of names is wrong, or two names are equal.
    """
    labels = [f"X{i}" for i in range(n)] if names is None else [str(name) for name in names]
    if len(labels) != n or len(set(labels)) != n:
        raise InputError(
            f"names={labels[:5]!r}{'…' if len(labels) > 5 else ''} must hold {n} different names, "
            "one per variable"
        )
    return labels


def checked_values(graph: AnyGraph, values: Values | None) -> dict[str, np.ndarray]:
    """The values as arrays, each with the shape of the graph's adjacency."""
    shape = graph.marks.shape[:-1] if isinstance(graph, LaggedGraph) else graph.marks.shape
    arrays = {name: np.asarray(value) for name, value in (values or {}).items()}
    for name, array in arrays.items():
        if name in _FIELDS:
            raise InputError(f"values={name!r} is a column of its own; rename it")
        if array.shape != shape:
            raise InputError(f"{name} has shape {array.shape}, but must be {shape} like the graph")
    return arrays


def edge_rows(
    graph: AnyGraph, names: Sequence[str], values: Values | None = None
) -> list[dict[str, Any]]:
    """Edges as ``source, [lag,] edge, target`` and their values."""
    arrays = checked_values(graph, values)
    at = {name: i for i, name in enumerate(names)}
    rows: list[dict[str, Any]] = []
    if isinstance(graph, LaggedGraph):
        for source, lag, symbol, target in graph.edges(names):
            cell = at[source], at[target], lag
            row = {"source": source, "lag": lag, "edge": symbol, "target": target}
            rows.append(row | {name: array[cell].item() for name, array in arrays.items()})
        return rows
    for source, symbol, target in graph.edges(names):
        row = {"source": source, "edge": symbol, "target": target}
        cell = at[source], at[target]
        rows.append(row | {name: array[cell].item() for name, array in arrays.items()})
    return rows


def graph_from_rows(
    rows: Iterable[Mapping[str, Any]],
    names: Sequence[str],
    max_lag: int | None,
    *,
    what: str | Path,
    mutual: str | None = None,
) -> NamedGraph:
    """The graph whose edges are ``rows``.

    Args:
        rows: Rows like those of `edge_rows`; further columns with numbers become values.
        names: Names of all variables, in order.
        max_lag: Longest lag; None for a graph over nodes.
        what: Name of the source in error messages.
        mutual: What ``a --> b`` beside ``b --> a`` is, one of `MUTUAL`; None refuses it in formats
            where it has no meaning.

    Raises:
        InputError: An edge has an unknown variable or mark or a lag out of range, joins a variable
            to itself without a lag, or occurs twice.
    """
    if mutual is not None:
        check_choice("mutual", mutual, MUTUAL)
    lags = 0 if max_lag is None else max_lag
    check_cells(what, len(names), lags)
    at = {name: i for i, name in enumerate(names)}
    if len(at) < len(names):
        raise InputError(f"{what} names a variable twice; rename one of them")
    marks = np.zeros((len(names), len(names), lags + 1, 2), np.int8)
    rows = list(rows)
    for number, row in enumerate(rows, start=1):
        edge = f"edge {number} of {what}"
        try:
            i, j = at[row["source"]], at[row["target"]]
            lag = 0 if max_lag is None else row["lag"]
            if not isinstance(row["edge"], str) or not row["edge"]:
                raise TypeError(f"{row['edge']!r} is no mark such as '-->'")
            pair = edge_marks(row["edge"])
        except KeyError as error:
            shown = str(error)[:60]
            raise InputError(f"{edge} has no {shown}; variables are {_some(names)}") from None
        except (TypeError, ValueError) as error:
            raise InputError(f"{edge} is no edge: {str(error)[:200]}; write it again") from None
        lag = whole_number(lag, f"the lag of {edge}")
        if not 0 <= lag <= lags:
            raise InputError(f"{edge} has lag {lag}, but max_lag is {lags}; raise max_lag")
        if i == j and lag == 0:
            raise InputError(f"{edge} joins {names[i]!r} to itself without a lag; leave it out")
        if marks[i, j, lag].any():
            back = lag == 0 and {pair, tuple(marks[i, j, 0].tolist())} == {_FORTH, _BACK}
            if not back or mutual != "undirected":
                advice = _ON_MUTUAL if back and mutual is not None else "; leave one out"
                raise InputError(f"{edge} joins {names[i]!r} and {names[j]!r} again{advice}")
            pair = Mark.TAIL, Mark.TAIL
        marks[i, j, lag] = pair
        if lag == 0:
            marks[j, i, 0] = pair[::-1]
    graph = LaggedGraph(marks) if max_lag is not None else CausalGraph(marks[:, :, 0, 1])
    return NamedGraph.with_numbers(
        graph, list(names), functools.partial(_edge_values, graph, at, rows)
    )


def _edge_values(
    graph: AnyGraph, at: Mapping[str, int], rows: Sequence[Mapping[str, Any]]
) -> dict[str, np.ndarray]:
    """The numeric fields of the rows as arrays, in the form of `checked_values`."""
    lagged = isinstance(graph, LaggedGraph)
    shape = graph.marks.shape[:-1] if lagged else graph.marks.shape
    fields = dict.fromkeys(field for row in rows for field in row if field not in _FIELDS)
    arrays = {}
    for field in fields:
        cells = [row.get(field) for row in rows]
        if not all(cell is None or _is_number(cell) for cell in cells):
            continue
        array = arrays[field] = np.full(shape, np.nan)
        for row, cell in zip(rows, cells, strict=True):
            i, j, lag = at[row["source"]], at[row["target"]], int(row["lag"]) if lagged else 0
            number = math.nan if cell is None else float(cell)
            array[(i, j, lag) if lagged else (i, j)] = number
            back = (j, i, lag) if lagged else (j, i)
            # Two arrows that stand for an undirected edge keep a number each.
            if lag == 0 and np.isnan(array[back]):
                array[back] = number
    return arrays


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        return False
    try:
        float(value)
    except (OverflowError, TypeError):
        return False
    return True


def whole_number(value: Any, what: str) -> int:
    """``value`` as an int, if it is exactly a whole number."""
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return int(value)
    raise InputError(f"{what} is {value!r}; it must be a whole number")


def check_version(version: Any, what: str | Path) -> None:
    """Raise unless this release can read ``version``."""
    if version != VERSION or isinstance(version, bool):
        newer = isinstance(version, int) and version > VERSION
        remedy = "update jaxcause" if newer else "write it again"
        raise InputError(
            f"{what}: version {version!r} is not known; this reads version {VERSION}, so {remedy}"
        )


def _some(names: Sequence[str]) -> str:
    return ", ".join(repr(name)[:60] for name in names[:5]) + (" …" if len(names) > 5 else "")
