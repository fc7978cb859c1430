"""What `explain` returns, and the files that it becomes."""

import dataclasses
import datetime
import functools
import hashlib
import json
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxcause.attention import (
    Explanations,
    correlation,
    head_consensus,
    partial_correlations,
    structural_confidence,
)
from jaxcause.discovery import SearchResult
from jaxcause.graph import CausalGraph, Mark
from jaxcause.graph._marks import edge_symbol
from jaxcause.io import filled_at_once
from jaxcause.report import explanation_page, index_page
from jaxcause.workflows._text_model import Outputs

SCHEMA = "jaxcause.explanation/1"
_MARK_NAMES = {Mark.CIRCLE: "circle", Mark.ARROW: "arrow", Mark.TAIL: "tail"}


class Target(NamedTuple):
    """The output that is explained.

    Args:
        kind: ``class``, ``masked token`` or ``next token``.
        node: The node that stands for it.
        before: What the model says about the whole text.
    """

    kind: str
    node: int
    before: Outputs


@dataclasses.dataclass(frozen=True, eq=False)
class TextExplanation:
    """The causal graph over the tokens of a text, and what explains the model's output.

    The axis ``views`` holds the mean over heads, then each head.

    Args:
        text: The text.
        tokens: Nodes of the graph as written.
        special: Which of them are special tokens, or the answer.
        attention: Attention among the nodes.
        whole_attention: Attention among all units of the text.
        kept: Which units are nodes.
        search: Graphs, separating sets and p-values of all views.
        target: The output; None where the model has no head.
        explanations: Sets of nodes whose removal changes the output.
        after: What the model says without each of them.
        name_of: Maps an output to its name.
        model: Name and sizes.
        settings: What was chosen.
    """

    text: str
    tokens: tuple[str, ...]
    special: Bool[np.ndarray, "nodes"]
    attention: Float[np.ndarray, "views nodes nodes"]
    whole_attention: Float[np.ndarray, "views units units"]
    kept: Int[np.ndarray, "nodes"]
    search: SearchResult
    target: Target | None
    explanations: Explanations
    after: Outputs | None
    name_of: Callable[[int], str]
    model: dict[str, Any]
    settings: dict[str, Any]

    @property
    def graph(self) -> CausalGraph:
        """The graph of the mean over heads."""
        return CausalGraph(np.asarray(self.search.graph.marks)[0])

    @property
    def head_graphs(self) -> CausalGraph:
        """The graphs of all heads."""
        return CausalGraph(np.asarray(self.search.graph.marks)[1:])

    @functools.cached_property
    def correlation(self) -> Float[np.ndarray, "views nodes nodes"]:
        """Correlations between the nodes."""
        among = np.zeros(self.whole_attention.shape[-1], bool)
        among[self.kept] = True
        corr = np.asarray(correlation(self.whole_attention, node_mask=among))
        return corr[:, self.kept[:, None], self.kept[None, :]]

    @functools.cached_property
    def partial_correlation(self) -> Float[np.ndarray, "views nodes nodes"]:
        """Correlation of each pair given all other nodes; NaN where that is singular."""
        return partial_correlations(self.correlation)

    def sentences(self) -> list[str]:
        """What was found, in words."""
        if self.target is None:
            return ["The model has no head, and so no output to explain: this is its graph."]
        before = self.target.before
        what = f"{self.name_of(int(before.best[0]))} ({before.probability[0]:.2f})"
        lines = [
            f"remove {{{', '.join(self.tokens[v] for v in found.nodes)}}} → the output changes "
            f"from {what} to {self.name_of(int(after))} ({probability:.2f})"
            for found, after, probability in zip(
                self.explanations.found,
                () if self.after is None else self.after.best,
                () if self.after is None else self.after.probability,
                strict=True,
            )
        ]
        return lines or [f"no set of tokens that changes the output {what} {self._why_not()}"]

    def _why_not(self) -> str:
        """Why the search ended with nothing."""
        largest = self.settings["max_size"]
        up_to = "" if largest is None else f" of up to {largest} tokens"
        if self.explanations.n_queries == 0:
            return "is near it in the graph: no token is connected with it"
        return {
            "budget": f"was found within {self.explanations.n_queries} queries",
            "time": "was found within the time limit",
            "not found": f"is among the candidates{up_to}",
            "explained": "was found",
        }[self.explanations.status]

    def to_dict(self) -> dict[str, Any]:
        """Everything, in the schema of ``explanation.json``."""
        rho, corr = self.partial_correlation, self.correlation
        marks = np.asarray(self.search.graph.marks)
        confidence = structural_confidence(self.search, alpha=self.settings["alpha"])
        names = ["mean over heads", *(f"head {head}" for head in range(len(marks) - 1))]
        views = [
            {
                "name": name,
                "edges": _edges(marks[view], rho[view], np.asarray(self.search.p_values)[view]),
                "n_edges": int((marks[view] > 0).sum()) // 2,
                "confidence": _number(confidence[view]),
                "singular": bool(np.asarray(self.search.info.singular)[view]),
                "attention": _matrix(self.attention[view]),
                "correlation": _matrix(corr[view]),
                "partial_correlation": _matrix(rho[view]),
            }
            for view, name in enumerate(names)
        ]
        return {
            "schema": SCHEMA,
            "version": version("jaxcause"),
            "model": self.model,
            "text": self.text,
            "tokens": list(self.tokens),
            "node_kinds": ["special" if special else "word" for special in self.special],
            "target": self._target(),
            "settings": self.settings,
            "views": views,
            "consensus": head_consensus(self.head_graphs).edges.tolist(),
            "consensus_of": len(marks) - 1,
            "explanations": self._explanations(),
            "search": {
                "n_queries": self.explanations.n_queries,
                "status": self.explanations.status,
                "note": "",
            },
            "notes": [
                *([] if self.target else self.sentences()),
                "The weight of an edge is the partial correlation given all other tokens; "
                "its p-value is the largest among the tests that kept it.",
            ],
            "provenance": {
                "jaxcause": version("jaxcause"),
                "jax": version("jax"),
                "created": datetime.date.today().isoformat(),
                "fingerprint": hashlib.sha256(self.whole_attention.tobytes()).hexdigest()[:16],
            },
        }

    def _target(self) -> dict[str, Any] | None:
        if self.target is None:
            return None
        before = self.target.before
        return {
            "kind": self.target.kind,
            "node": self.target.node,
            "output": self.name_of(int(before.best[0])),
            "probability": float(before.probability[0]),
        }

    def _explanations(self) -> list[dict[str, Any]]:
        target = self._target()
        if target is None or self.after is None:
            return []
        before = {name: target[name] for name in ("output", "probability")}
        return [
            {
                "nodes": list(found.nodes),
                "tokens": [self.tokens[node] for node in found.nodes],
                "distances": list(found.distances),
                "n_queries": found.n_queries,
                "before": before,
                "after": {
                    "output": self.name_of(int(self.after.best[i])),
                    "probability": float(self.after.probability[i]),
                    "probability_of_before": float(self.after.of_original[i]),
                    "rank_of_before": int(self.after.rank[i]),
                },
            }
            for i, found in enumerate(self.explanations.found)
        ]


def write_explanation(found: TextExplanation, folder: str | Path) -> list[str]:
    """Write one explanation: JSON, a page, and with matplotlib a picture; all of them or none.

    Args:
        found: What `explain` returned.
        folder: Made if needed; files of the same names are replaced.

    Returns:
        The names of the files: ``explanation.json``, ``explanation.html``, ``explanation.png``.

    Raises:
        InputError: The folder cannot be written to.
    """
    with filled_at_once(folder) as scratch:
        _write(found, scratch, "explanation")
        return sorted(file.name for file in scratch.iterdir())


def write_explanations(found: Sequence[TextExplanation], folder: str | Path) -> list[str]:
    """Write many explanations, numbered, and ``index.html`` that lists them."""
    width = len(str(len(found)))
    with filled_at_once(folder) as scratch:
        rows = []
        for number, one in enumerate(found, start=1):
            stem = f"explanation-{number:0{width}d}"
            written = _write(one, scratch, stem)
            first = written["explanations"][:1]
            rows.append(
                {
                    "href": f"{stem}.html",
                    "text": one.text,
                    "output": (written["target"] or {}).get("output"),
                    "tokens": first[0]["tokens"] if first else None,
                    "n_queries": one.explanations.n_queries,
                    "status": one.explanations.status,
                }
            )
        (scratch / "index.html").write_text(index_page(rows), encoding="utf-8")
        return sorted(file.name for file in scratch.iterdir())


def _write(found: TextExplanation, folder: Path, stem: str) -> dict[str, Any]:
    whole = found.to_dict()
    text = json.dumps(whole, ensure_ascii=False, allow_nan=False)
    (folder / f"{stem}.json").write_text(text + "\n", encoding="utf-8")
    (folder / f"{stem}.html").write_text(explanation_page(whole), encoding="utf-8")
    try:
        from jaxcause.plot import plot_token_arcs
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        return whole
    figure = plot_token_arcs(
        found.tokens,
        np.asarray(found.graph.marks),
        found.partial_correlation[0],
        highlight=found.explanations.found[0].nodes if found.explanations.found else (),
        target=None if found.target is None else found.target.node,
    ).get_figure(root=True)
    assert figure is not None
    figure.savefig(folder / f"{stem}.png", dpi=150, bbox_inches="tight")
    return whole


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
    """Four digits; None for what JSON does not know."""
    return float(f"{float(value):.4g}") if np.isfinite(value) else None


def _matrix(values: np.ndarray) -> list[list[float | None]]:
    return [[_number(value) for value in row] for row in values]
