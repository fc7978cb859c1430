"""Graphs as DOT, the language of Graphviz."""

import unicodedata
from collections.abc import Sequence
from pathlib import Path

from jaxcause._checks import InputError
from jaxcause.graph import LaggedGraph
from jaxcause.io._dot_reader import parse_dot
from jaxcause.io._files import read_text, write_whole
from jaxcause.io._named import (
    CAUSAL_FORMAT,
    LAGGED_FORMAT,
    VERSION,
    AnyGraph,
    NamedGraph,
    check_version,
    checked_names,
    edge_rows,
    graph_from_rows,
    n_variables,
)

_LEFT = {"o": "odot", "<": "normal", "-": "none", "x": "obox"}
_RIGHT = {"o": "odot", ">": "normal", "-": "none", "x": "obox"}


def to_dot(graph: AnyGraph, *, names: Sequence[str] | None = None) -> str:
    """A graph as DOT: the ends of an edge show its marks, its label shows its lag.

    Graphviz has no cross: an edge in conflict, ``x-x``, ends in hollow boxes.

    Nodes are ``n0``, ``n1``, … with the names as labels. Graphviz ignores the attributes
    ``format``, ``version``, ``max_lag``, ``marks`` and ``lag``, which `from_dot` reads.

    Args:
        graph: One graph.
        names: One per variable; by default X0, X1, ….

    Raises:
        InputError: The names do not fit, or hold a control character.

    >>> import numpy as np
    >>> from jaxcause.graph import CausalGraph
    >>> print(to_dot(CausalGraph(np.array([[0, 2], [1, 0]])), names=["rain", "river"]))
    digraph {
      format="jaxcause.causal_graph"; version=1;
      n0 [label="rain"];
      n1 [label="river"];
      n0 -> n1 [marks="o->", dir=both, arrowtail=odot, arrowhead=normal];
    }
    <BLANKLINE>
    """
    labels = checked_names(n_variables(graph), names)
    lagged = isinstance(graph, LaggedGraph)
    lines = ["digraph {", f'  format="{CAUSAL_FORMAT}"; version={VERSION};']
    if lagged:
        lines[1] = f'  format="{LAGGED_FORMAT}"; version={VERSION}; max_lag={graph.max_lag};'
    lines += [f"  n{i} [label={_quoted(label)}];" for i, label in enumerate(labels)]
    at = {label: i for i, label in enumerate(labels)}
    for row in edge_rows(graph, labels):
        symbol = row["edge"]
        ends = f"dir=both, arrowtail={_LEFT[symbol[0]]}, arrowhead={_RIGHT[symbol[2]]}"
        lag = f', lag={row["lag"]}, label="{row["lag"]}"' if lagged else ""
        joined = f"n{at[row['source']]} -> n{at[row['target']]}"
        lines.append(f'  {joined} [marks="{symbol}", {ends}{lag}];')
    return "\n".join([*lines, "}", ""])


def from_dot(text: str, *, mutual: str = "refuse") -> NamedGraph:
    """The graph and its names, from `to_dot` or simple DOT of other programs.

    Without the attribute ``marks``, the marks are those that Graphviz draws: ``arrowtail`` and
    ``arrowhead``, if ``dir`` shows them. Subgraphs and HTML labels are refused.

    Args:
        text: The DOT text.
        mutual: ``"undirected"`` takes ``a → b`` beside ``b → a`` for the edge ``a --- b``,
            as gCastle and pgmpy mean it; ``"refuse"`` raises, because it may as well be feedback.

    Raises:
        InputError: The text is not DOT, has a subgraph, an unknown mark, or a lag that is not a
            whole number, or is of a newer version.

    >>> from_dot("digraph { rain -> river }").graph.edges(["rain", "river"])
    [('rain', '-->', 'river')]
    """
    return _from_dot(text, "the DOT text", mutual)


def write_dot(path: str | Path, graph: AnyGraph, *, names: Sequence[str] | None = None) -> None:
    """Write `to_dot` to a file."""
    write_whole(path, to_dot(graph, names=names).encode())


def read_dot(path: str | Path, *, mutual: str = "refuse") -> NamedGraph:
    """Read a file with `from_dot`."""
    return _from_dot(read_text(path), path, mutual)


def _from_dot(text: str, what: str | Path, mutual: str) -> NamedGraph:
    parsed = parse_dot(text, what)
    head = parsed.attributes
    if head.get("format") in (LAGGED_FORMAT, CAUSAL_FORMAT):
        check_version(_whole(head.get("version"), f"version of {what}"), what)
    names = [_unescaped(a["label"]) if "label" in a else node for node, a in parsed.nodes.items()]
    called = dict(zip(parsed.nodes, names, strict=True))
    with_lag = sum("lag" in attributes for _, _, attributes in parsed.edges)
    if 0 < with_lag < len(parsed.edges):
        raise InputError(f"{what} has edges with and without the attribute lag; give all of them")
    rows = []
    for source, target, attributes in parsed.edges:
        row = {"source": called[source], "target": called[target]}
        row["edge"] = attributes.get("marks") or _drawn(attributes, parsed.directed, what)
        rows.append(
            row | ({"lag": _whole(attributes["lag"], f"a lag of {what}")} if with_lag else {})
        )
    max_lag = _whole(head["max_lag"], f"max_lag of {what}") if "max_lag" in head else None
    if max_lag is None and with_lag:
        max_lag = max(row["lag"] for row in rows)
    return graph_from_rows(rows, names, max_lag, what=what, mutual=mutual)


def _drawn(attributes: dict[str, str], directed: bool, what: str | Path) -> str:
    """The edge that Graphviz would draw."""
    shown = attributes.get("dir", "forward" if directed else "none")
    tail = attributes.get("arrowtail", "normal") if shown in ("back", "both") else "none"
    head = attributes.get("arrowhead", "normal") if shown in ("forward", "both") else "none"
    left = {shape: mark for mark, shape in _LEFT.items()}
    right = {shape: mark for mark, shape in _RIGHT.items()}
    if tail not in left or head not in right:
        raise InputError(
            f"{what} has an edge with the ends {tail!r} and {head!r}; only none, normal, odot "
            "and obox are marks"
        )
    return f"{left[tail]}-{right[head]}"


def _whole(value: str | None, what: str) -> int:
    if value is None or not value.isascii() or not value.isdigit() or len(value) > 18:
        raise InputError(f"{what} is {value!r}; it must be a whole number")
    return int(value)


def _quoted(name: str) -> str:
    """A label in quotes, with backslashes doubled as Graphviz requires."""
    if any(
        unicodedata.category(character) == "Cc" for character in name if character not in "\n\t"
    ):
        raise InputError(
            f"the name {name!r} holds a control character, which no viewer of DOT shows; rename it"
        )
    text = name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{text}"'


def _unescaped(label: str) -> str:
    parts = label.split("\\\\")
    return "\\".join(part.replace("\\n", "\n") for part in parts)
