"""Graphs as GraphML, through networkx."""

import io
import re
import warnings
import xml.parsers.expat
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn
from xml.etree.ElementTree import ParseError

from jaxcause._checks import InputError, limit
from jaxcause.io._files import read_bytes, write_whole
from jaxcause.io._named import AnyGraph, NamedGraph, Values
from jaxcause.io._networkx import from_networkx_named, to_networkx

_MAX_XML = 16 * 2**20
"""Largest GraphML in bytes; its parsers take a hundred times as much memory and time as others."""

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|\r")


def write_graphml(
    path: str | Path,
    graph: AnyGraph,
    *,
    names: Sequence[str] | None = None,
    values: Values | None = None,
) -> None:
    """Write `to_networkx` as GraphML, which `networkx.read_graphml`, Gephi and yEd read.

    Args:
        path: The file.
        graph: One graph.
        names: One per variable, which become the ids of the nodes.
        values: Further edge attributes by name.

    Raises:
        InputError: A name holds a character that XML cannot hold; or see `to_networkx`.
    """
    import networkx as nx

    built = to_networkx(graph, names=names, values=values)
    for name in built.nodes:
        if _NOT_IN_XML.search(name):
            raise InputError(f"names={name!r} holds a character that XML cannot hold; rename it")
    buffer = io.BytesIO()
    nx.write_graphml_xml(built, buffer, encoding="utf-8", prettyprint=True)
    write_whole(path, buffer.getvalue())


def read_graphml(path: str | Path, *, mutual: str = "refuse") -> NamedGraph:
    """The graph and its names, from `write_graphml` or any other GraphML (see `from_networkx`).

    Document type declarations and entities are refused before any entity is expanded.

    Args:
        path: The file.
        mutual: See `from_networkx`.

    Raises:
        InputError: The file cannot be read, is not GraphML, or declares a document type.
    """
    import networkx as nx
    from networkx.readwrite.graphml import GraphMLReader

    data = read_bytes(path)
    most = limit("xml", _MAX_XML)
    if len(data) > most:
        raise InputError(
            f"{path} has {len(data):,} bytes, but at most {most:,} of GraphML are read; write it "
            "as .json or .npz, or set JAXCAUSE_MAX_XML higher"
        )
    _refuse_doctype(data, path)
    try:
        with warnings.catch_warnings():
            # networkx warns of attributes without a type, and reads them as text.
            warnings.simplefilter("ignore")
            graphs = list(GraphMLReader()(string=data))
    except (ParseError, nx.NetworkXError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path} is no GraphML: {repr(error)[:200]}; write it again") from None
    if len(graphs) != 1:
        raise InputError(f"{path} is GraphML with {len(graphs)} graphs; it must hold one")
    return from_networkx_named(graphs[0], path, mutual)


def _refuse_doctype(data: bytes, path: str | Path) -> None:
    """Refuse a document type, without which there are no entities; parses without building."""

    def refuse(*_: object) -> NoReturn:
        raise InputError(f"{path} declares a document type or entities; remove the DOCTYPE")

    def element(name: str, attributes: dict[str, str]) -> None:
        if name.rpartition(":")[2] != "edge":
            return
        for end in ("source", "target"):
            if not attributes.get(end):
                raise InputError(f"{path} has an edge without {end}; complete it, or leave it out")

    parser = xml.parsers.expat.ParserCreate()
    parser.StartElementHandler = element
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except (xml.parsers.expat.ExpatError, LookupError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} is no GraphML: {error}; write it again") from None
