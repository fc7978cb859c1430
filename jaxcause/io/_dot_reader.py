"""A reader of the subset of DOT that graphs need."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from jaxcause._checks import InputError

_TOKEN = re.compile(
    r"""
    (?P<space> \s+ | //[^\n]* | \#[^\n]* | /\*.*?\*/ )
  | (?P<text> "(?:[^"\\]|\\.)*" )
  | (?P<id> [^\W\d]\w* | -?(?:\.\d+|\d+(?:\.\d*)?) )
  | (?P<sign> -> | -- | [{}\[\];,=] )
    """,
    re.VERBOSE | re.DOTALL,
)


class Dot(NamedTuple):
    """The content of a DOT text: nodes in the order in which they occur, and edges."""

    directed: bool
    attributes: dict[str, str]
    nodes: dict[str, dict[str, str]]
    edges: list[tuple[str, str, dict[str, str]]]


def parse_dot(text: str, what: str | Path) -> Dot:
    """Read one graph without subgraphs, ports and HTML.

    Raises:
        InputError: The text does not follow this subset of DOT.
    """
    return _Parser(list(_tokens(text, what)), what).graph()


def _tokens(text: str, what: str | Path) -> Iterator[tuple[str, str]]:
    """Kind and text of each token; the text of a quoted id is unquoted."""
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            line = text.count("\n", 0, at) + 1
            raise InputError(
                f"{what} is no DOT that can be read: line {line} has {text[at : at + 20]!r}; "
                "only nodes, edges and plain attributes are read"
            )
        at = found.end()
        kind = str(found.lastgroup)
        if kind == "text":
            # DOT escapes only the quote; other backslashes are part of the label.
            yield "id", re.sub(r'\\(["\n]|.)', _unquote, found.group()[1:-1], flags=re.DOTALL)
        elif kind == "id" and found.group().lower() in _KEYWORDS:
            yield "keyword", found.group().lower()
        elif kind != "space":
            yield kind, found.group()


_KEYWORDS = ("strict", "graph", "digraph", "node", "edge", "subgraph")


def _unquote(found: re.Match[str]) -> str:
    return {'"': '"', "\n": ""}.get(found.group(1), found.group())


class _Parser:
    """Recursive descent over the tokens."""

    def __init__(self, tokens: list[tuple[str, str]], what: str | Path):
        self.tokens = [*tokens, ("end", "the end")]
        self.what = what
        self.at = 0

    def graph(self) -> Dot:
        """``[strict] (graph | digraph) [id] { statements }``."""
        self.accept("keyword", "strict")
        kind = self.accept("keyword", "graph") or self.take("keyword", "digraph")
        self.accept("id")
        self.take("sign", "{")
        dot = Dot(kind == "digraph", {}, {}, [])
        while not self.accept("sign", "}"):
            self.statement(dot)
            self.accept("sign", ";")
        self.take("end")
        return dot

    def statement(self, dot: Dot) -> None:
        """Defaults, an attribute of the graph, a node, or a path of edges."""
        if self.accept("keyword", "graph"):
            dot.attributes.update(self.attributes())
            return
        if self.accept("keyword", "node") or self.accept("keyword", "edge"):
            self.attributes()
            return
        first = self.take("id")
        if self.accept("sign", "="):
            dot.attributes[first] = self.take("id")
            return
        path = [first]
        while self.accept("sign", "->" if dot.directed else "--"):
            path.append(self.take("id"))
        attributes = self.attributes()
        for node in path:
            dot.nodes.setdefault(node, {})
        if len(path) == 1:
            dot.nodes[first].update(attributes)
        dot.edges.extend((a, b, attributes) for a, b in zip(path, path[1:], strict=False))

    def attributes(self) -> dict[str, str]:
        """Any number of ``[name=value, …]``."""
        found: dict[str, str] = {}
        while self.accept("sign", "["):
            while not self.accept("sign", "]"):
                name = self.take("id")
                self.take("sign", "=")
                found[name] = self.take("id")
                self.accept("sign", ",")
                self.accept("sign", ";")
        return found

    def accept(self, kind: str, text: str | None = None) -> str | None:
        """Take the next token and return its text if it is the expected one, else None."""
        token = self.tokens[self.at]
        if token[0] != kind or (text is not None and token[1] != text):
            return None
        self.at += 1
        return token[1]

    def take(self, kind: str, text: str | None = None) -> str:
        """Take the next token and return its text; it must be the expected one."""
        token = self.tokens[self.at]
        if token[0] != kind or (text is not None and token[1] != text):
            raise InputError(
                f"{self.what} is no DOT that can be read: {token[1][:20]!r} stands where "
                f"{text or kind!r} should; only nodes, edges and plain attributes are read"
            )
        self.at += 1
        return token[1]
