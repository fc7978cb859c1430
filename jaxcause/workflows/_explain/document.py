"""An explanation as plain values, in the schema of ``explanation.json``."""

import datetime
import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from jaxcause._checks import InputError
from jaxcause._version import version_of
from jaxcause.attention import head_consensus, structural_confidence
from jaxcause.graph import Mark, edge_symbol
from jaxcause.io import NamedGraph
from jaxcause.io._named import graph_from_rows
from jaxcause.workflows._explain.explained import ExplainedText
from jaxcause.workflows._explain.wording import sentences
from jaxcause.workflows._saved import read_document

SCHEMA = "jaxcause.explanation/1"
_MARK_NAMES = {mark: mark.name.lower() for mark in list(Mark)[1:]}


def explanation_document(explained: ExplainedText) -> dict[str, Any]:
    """All that the page shows, in the schema of ``explanation.json``."""
    search, rho, corr = explained.search, explained.partial_correlation, explained.correlation
    marks = np.asarray(search.graph.marks)
    confidence = structural_confidence(search, alpha=explained.settings["alpha"])
    names = ["mean over heads", *(f"head {head}" for head in range(len(marks) - 1))]
    views = [
        {
            "name": name,
            "edges": _edges(marks[view], rho[view], np.asarray(search.p_values)[view]),
            "n_edges": int((marks[view] > 0).sum()) // 2,
            "confidence": _number(confidence[view]),
            "singular": bool(np.asarray(search.info.singular)[view]),
            "attention": _matrix(explained.attention[view]),
            "correlation": _matrix(corr[view]),
            "partial_correlation": _matrix(rho[view]),
        }
        for view, name in enumerate(names)
    ]
    return {
        "schema": SCHEMA,
        "version": version_of("jaxcause"),
        "model": explained.model,
        "text": explained.text,
        "tokens": list(explained.tokens),
        "node_kinds": ["special" if special else "word" for special in explained.special],
        "target": _target(explained),
        "settings": explained.settings,
        "views": views,
        "consensus": head_consensus(explained.head_graphs).edges.tolist(),
        "consensus_of": len(marks) - 1,
        "explanations": _explanations(explained),
        "search": {
            "n_queries": explained.explanations.n_queries,
            "status": explained.explanations.status,
            "note": "",
        },
        "notes": [
            *([] if explained.target else sentences(explained)),
            "The weight of an edge is the partial correlation given all other tokens; "
            "its p-value is the largest among the tests that kept it.",
        ],
        "provenance": {
            "jaxcause": version_of("jaxcause"),
            "jax": version_of("jax"),
            "created": datetime.date.today().isoformat(),
            "fingerprint": hashlib.sha256(explained.whole_attention.tobytes()).hexdigest()[:16],
        },
    }


def read_explained_graph(path: Path) -> NamedGraph:
    """The graph of the mean over heads, with its numbers, from what `to_json` wrote.

    Variables are the tokens. If two have the same text, all get their positions as prefixes.

    Raises:
        InputError: The file cannot be read, or does not follow the schema.
    """
    document = read_document(path, SCHEMA)
    try:
        tokens = [str(token) for token in document["tokens"]]
        if len(set(tokens)) < len(tokens):
            tokens = [f"{i}:{token}" for i, token in enumerate(tokens)]
        rows = [
            {
                "source": tokens[edge["from"]],
                "edge": edge["symbol"],
                "target": tokens[edge["to"]],
                **{name: edge[name] for name in ("partial_correlation", "p_value")},
            }
            for edge in document["views"][0]["edges"]
        ]
    except (KeyError, TypeError, IndexError) as error:
        raise InputError(
            f"{path} does not follow {SCHEMA}: {error!r}; write it by to_json"
        ) from None
    return graph_from_rows(rows, tokens, None, what=path)


def _target(explained: ExplainedText) -> dict[str, Any] | None:
    if explained.target is None:
        return None
    before = explained.target.before
    return {
        "kind": explained.target.kind,
        "node": explained.target.node,
        "output": explained.name_of(int(before.best[0])),
        "probability": float(before.probability[0]),
    }


def _explanations(explained: ExplainedText) -> list[dict[str, Any]]:
    target, after = _target(explained), explained.after
    if target is None or after is None:
        return []
    before = {name: target[name] for name in ("output", "probability")}
    return [
        {
            "nodes": list(one.nodes),
            "tokens": [explained.tokens[node] for node in one.nodes],
            "distances": list(one.distances),
            "n_queries": one.n_queries,
            "before": before,
            "after": {
                "output": explained.name_of(int(after.best[i])),
                "probability": float(after.probability[i]),
                "probability_of_before": float(after.of_original[i]),
                "rank_of_before": int(after.rank[i]),
            },
        }
        for i, one in enumerate(explained.explanations.found)
    ]


def _edges(marks: np.ndarray, rho: np.ndarray, p: np.ndarray) -> list[dict[str, Any]]:
    """Edges of one view, strongest first."""
    edges = [
        {
            "from": int(i),
            "to": int(j),
            "mark_from": _MARK_NAMES[Mark(int(marks[j, i]))],
            "mark_to": _MARK_NAMES[Mark(int(marks[i, j]))],
            "symbol": edge_symbol(int(marks[j, i]), int(marks[i, j])),
            "partial_correlation": _number(rho[i, j]),
            "p_value": _number(p[i, j]),
        }
        for i, j in zip(*np.nonzero(np.triu(marks)), strict=True)
    ]
    return sorted(edges, key=lambda edge: -abs(edge["partial_correlation"] or 0))


def _number(value: Any) -> float | None:
    """Four digits; None for NaN and infinities, which JSON does not know."""
    return float(f"{float(value):.4g}") if np.isfinite(value) else None


def _matrix(values: np.ndarray) -> list[list[float | None]]:
    return [[_number(value) for value in row] for row in values]
