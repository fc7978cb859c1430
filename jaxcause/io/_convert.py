"""Graphs in files, whose suffix determines the format."""

import csv
import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jaxtyping import Float

from jaxcause._checks import InputError, check_choice
from jaxcause._typing import AnyArray
from jaxcause.graph import LaggedGraph
from jaxcause.io._dot import read_dot, write_dot
from jaxcause.io._files import read_text, write_whole
from jaxcause.io._frame import from_edge_list
from jaxcause.io._graphml import read_graphml, write_graphml
from jaxcause.io._json import read_json, write_json
from jaxcause.io._named import (
    MUTUAL,
    AnyGraph,
    NamedGraph,
    Values,
    checked_names,
    edge_rows,
    n_variables,
    whole_number,
)
from jaxcause.io._npz import read_npz, write_npz

GRAPH_SUFFIXES = (".json", ".npz", ".graphml", ".xml", ".dot", ".gv", ".csv")
"""Suffixes that `write_graph` and `read_graph` support."""
SUFFIXES_WITHOUT_NUMBERS = (".dot", ".gv")
"""Suffixes of formats that keep only the edges."""


def write_graph(
    path: str | Path,
    graph: AnyGraph,
    *,
    names: Sequence[str] | None = None,
    scores: Float[AnyArray, "vars vars *lags"] | None = None,
    strength: Float[AnyArray, "vars vars *lags"] | None = None,
    values: Values | None = None,
) -> None:
    """Write a graph in the format of the file's suffix.

    ``.json`` (see `graph_to_json`), ``.npz``, ``.graphml`` or ``.xml``, ``.dot`` or ``.gv`` (which
    keeps no numbers), and ``.csv``, a table of the edges alone.

    Args:
        path: The file.
        graph: One graph.
        names: One per variable; by default X0, X1, ….
        scores: The scores by which edges were selected, ``[source, target, lag]`` or
            ``[source, target]``.
        strength: The size of each effect, shaped like ``scores``.
        values: Further numbers of the edges by name, shaped like ``scores``.

    Raises:
        InputError: The suffix is unknown, the file cannot be written, or the graph or its names do
            not fit the format.
    """
    suffix = _known_suffix(path)
    if suffix == ".json":
        write_json(path, graph, names=names, scores=scores, strength=strength, values=values)
        return
    given = {"score": scores, "strength": strength, **(values or {})}
    numbers = {name: value for name, value in given.items() if value is not None}
    if suffix in SUFFIXES_WITHOUT_NUMBERS:
        write_dot(path, graph, names=names)
        return
    write: Callable[..., None] = {".npz": write_npz, ".csv": _write_edges}.get(
        suffix, write_graphml
    )
    write(path, graph, names=names, values=numbers)


def read_graph(
    path: str | Path,
    *,
    names: Sequence[str] | None = None,
    max_lag: int | None = None,
    mutual: str = "refuse",
) -> NamedGraph:
    """Read the graph and its variable names from a file, whose suffix determines the format.

    If the file holds numbers of the edges, they are the ``values`` of the result.

    Args:
        path: The file.
        names: All variables in order, for a table of edges (``.csv``), which may lack some.
        max_lag: The longest lag, for a table of edges, which may lack it.
        mutual: ``"undirected"`` takes ``a → b`` beside ``b → a`` for the edge ``a --- b``,
            as gCastle and pgmpy mean it; ``"refuse"`` raises, because it may as well be feedback.
            It is for GraphML, DOT and tables of edges; in other formats it cannot occur.

    Raises:
        InputError: The suffix is unknown, or the file cannot be read, is damaged, of a newer
            version or of another format.
    """
    if not Path(path).exists():
        raise InputError(f"cannot read {path}: No such file or directory; check the path")
    found = _read_graph(path, names, max_lag, mutual)
    if not n_variables(found.graph):
        raise InputError(f"{path} holds a graph without variables; write it again")
    for name in found.names:
        if _SURROGATE.search(name):
            raise InputError(
                f"{path} has a name that is no text in Unicode: {name!r}; rename that variable"
            )
    return found


def _read_graph(
    path: str | Path, names: Sequence[str] | None, max_lag: int | None, mutual: str
) -> NamedGraph:
    suffix = _known_suffix(path)
    if suffix == ".csv":
        return _read_edges(path, names, max_lag, mutual)
    if names is not None or max_lag is not None:
        raise InputError(f"names and max_lag are for tables of edges, not {path}; leave them out")
    if suffix in (".json", ".npz"):
        check_choice("mutual", mutual, MUTUAL)
        return read_json(path) if suffix == ".json" else read_npz(path)
    read: Callable[..., NamedGraph] = read_dot if suffix in (".dot", ".gv") else read_graphml
    return read(path, mutual=mutual)


def _known_suffix(path: str | Path) -> str:
    suffix = Path(path).suffix.lower()
    if suffix not in GRAPH_SUFFIXES:
        raise InputError(f"{path} has no suffix that is known; use {', '.join(GRAPH_SUFFIXES)}")
    return suffix


_SURROGATE = re.compile("[\ud800-\udfff]")


def _write_edges(
    path: str | Path, graph: AnyGraph, *, names: Sequence[str] | None, values: Values
) -> None:
    rows = edge_rows(graph, checked_names(n_variables(graph), names), values)
    lag = ["lag"] if isinstance(graph, LaggedGraph) else []
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, ["source", *lag, "edge", "target", *values])
    writer.writeheader()
    writer.writerows(rows)
    write_whole(path, buffer.getvalue().encode())


def _read_edges(
    path: str | Path, names: Sequence[str] | None, max_lag: int | None, mutual: str
) -> NamedGraph:
    rows: list[dict[str, Any]] = []
    try:
        reader = csv.DictReader(io.StringIO(read_text(path), newline=""), strict=True)
        columns = reader.fieldnames or []
        if "source" not in columns or "target" not in columns:
            found = ", ".join(map(str, columns))[:80]
            raise InputError(f"{path} needs the columns source and target, but has {found}")
        for row in reader:
            if None in row or None in row.values():
                raise InputError(f"{path} has a broken row in line {reader.line_num}; complete it")
            if "lag" in row:
                row["lag"] = _lag(row["lag"], f"the lag in line {reader.line_num} of {path}")
            _check_ends(row, names, f"line {reader.line_num} of {path}")
            rows.append(row)
    except csv.Error as error:
        raise InputError(f"{path} is no CSV: {error}; write it again") from None
    if not rows and "lag" in columns and max_lag is None:
        raise InputError(f"{path} has no edges; pass names and max_lag")
    for column in columns:
        if column not in ("source", "lag", "edge", "target"):
            _read_numbers(rows, column)
    return from_edge_list(rows, names=names, max_lag=max_lag, what=str(path), mutual=mutual)


def _check_ends(row: dict[str, Any], names: Sequence[str] | None, what: str) -> None:
    """Raise if an edge lacks a source or a target, as in a truncated row."""
    for end in ("source", "target"):
        if not row[end] and "" not in (names or ()):
            raise InputError(f"{what} has no {end}; complete it, or leave the row out")


def _read_numbers(rows: list[dict[str, Any]], column: str) -> None:
    """Convert a column to numbers if all its cells are numbers or empty; an empty cell is None."""
    try:
        numbers = [float(row[column]) if row[column] else None for row in rows]
    except ValueError:
        return
    for row, number in zip(rows, numbers, strict=True):
        row[column] = number


def _lag(text: str, what: str) -> int:
    try:
        return whole_number(float(text), what)
    except (OverflowError, ValueError):
        raise InputError(f"{what} is {text!r}; it must be a whole number") from None
