"""An explanation in words."""

import numpy as np

from jaxcause.workflows._explain.explained import ExplainedText, edge_rows

_MOST_EDGES = 20
"""Edges that a summary lists."""


def sentences(explained: ExplainedText) -> list[str]:
    """One sentence per explanation, or one that says why there is none."""
    if explained.target is None:
        return ["The model has no head, and so no output to explain: this is its graph."]
    before, after = explained.target.before, explained.after
    output = f"{explained.output} ({before.probability[0]:.2f})"
    changed = "the most probable label" if explained.target.kind == "label" else "the output"
    lines = [
        f"remove {{{', '.join(explained.tokens[node] for node in explanation.nodes)}}} → "
        f"{changed} changes from {output} to {explained.name_of(int(best))} ({probability:.2f})"
        f"{_size(explained, len(explanation.nodes))}"
        for explanation, best, probability in zip(
            explained.explanations.found,
            () if after is None else after.best,
            () if after is None else after.probability,
            strict=True,
        )
    ]
    return lines or [f"no set of tokens that changes {changed} {output} {_why_none(explained)}"]


def _size(explained: ExplainedText, n_nodes: int) -> str:
    """That a set is larger than the graph proposes, if it is."""
    largest = explained.settings["max_size"]
    if largest is None or n_nodes <= largest:
        return ""
    return (
        f"; this is a large set ({n_nodes} tokens, more than max_size={largest}), and some of its "
        "tokens may be idle"
    )


def _why_none(explained: ExplainedText) -> str:
    """Why the search found nothing."""
    largest = explained.settings["max_size"]
    up_to = "" if largest is None else f" of up to {largest} token{'s' * (largest != 1)}"
    n_larger = explained.settings.get("n_larger")
    larger = f", nor do up to {n_larger} growing sets of the most attended ones" if n_larger else ""
    n_queries = explained.explanations.n_queries
    if n_queries == 0:
        return "is near it in the graph: no token is connected with it"
    return {
        "budget": f"was found within {n_queries} queries",
        "time": "was found within the time limit",
        "not found": f"is among the candidates{up_to} from the graph{larger} ({n_queries} queries)",
        "explained": "was found",
    }[explained.explanations.status]


def headline(explained: ExplainedText) -> str:
    """The result in one line."""
    n_edges = int(np.asarray(explained.graph.adjacency).sum()) // 2
    n_found = len(explained.explanations.found)
    output = "" if explained.output is None else f"{explained.output!r}, "
    found = f"{n_found or 'no'} explanation{'s' * (n_found != 1)}"
    edges = f"{n_edges or 'no'} edge{'s' * (n_edges != 1)}"
    return f"{output}{found}; {edges} among {len(explained.tokens)} tokens (mean over heads)"


def summary(explained: ExplainedText) -> str:
    """The text, its explanations, and the strongest edges of the mean over heads."""
    lines = [f"{explained.text!r}: {headline(explained)}", *sentences(explained)]
    rows = edge_rows(explained, 0)
    width = max([6, *(len(token) for token in explained.tokens)])
    if rows:
        lines.append(f"{'source':<{width}}  edge  {'target':<{width}}  partial correlation")
    for row in rows[:_MOST_EDGES]:
        ends = f"{row['source']:<{width}}  {row['edge']}   {row['target']:<{width}}"
        lines.append(f"{ends}  {row['partial_correlation']:>19.3f}")
    if len(rows) > _MOST_EDGES:
        lines.append(f"… and {len(rows) - _MOST_EDGES} more")
    return "\n".join(lines)
