"""The smallest sets of tokens whose removal changes the output."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from jaxcause.attention import Explanations, cleann
from jaxcause.graph import CausalGraph
from jaxcause.workflows._explain.graphs import TokenGraphs
from jaxcause.workflows._explain.progress import Tell
from jaxcause.workflows._explain.query import OutputQuery
from jaxcause.workflows._explain.settings import ExplainSettings
from jaxcause.workflows._explain.text_model import Outputs, TextModel

BATCH = 32
"""Versions of the text per forward pass."""

OutputsFn = Callable[[Bool[np.ndarray, "sets nodes"]], Outputs]
"""Maps sets of removed nodes to the outputs without them."""


class RemovalSets(NamedTuple):
    """Sets of nodes whose removal changes the output.

    Args:
        explanations: The sets.
        after: The output without each of them; None where there is no set.
    """

    explanations: Explanations
    after: Outputs | None


def removal_sets(
    text_model: TextModel,
    query: OutputQuery,
    graphs: TokenGraphs,
    settings: ExplainSettings,
    tell: Tell = lambda _: None,
) -> RemovalSets:
    """Search the tokens near the output in its graphs; without an output there is nothing to do."""
    if query.before is None:
        return RemovalSets(Explanations((), 0, "not found"), None)
    nodes, original = graphs.nodes, int(query.before.best[0])
    outputs_without = _outputs_fn(text_model, query, graphs, settings)
    marks, asked = np.asarray(graphs.search.graph.marks), 0
    limit = "" if settings.max_queries is None else f" of at most {settings.max_queries}"

    def changes(removed: Bool[np.ndarray, "sets nodes"]) -> Bool[np.ndarray, "sets"]:
        nonlocal asked
        asked += len(removed)
        found = outputs_without(removed).best != original
        tell(f"{asked}{limit} model queries")
        return found

    explanations = cleann(
        CausalGraph(marks[0] if settings.heads == "mean" else marks[1:]),
        nodes.root,
        changes,
        max_size=settings.max_size,
        max_range=settings.max_range,
        removable=nodes.removable,
        # Among equally near tokens, those that the output attends to most come first.
        weights=graphs.attention[0, nodes.kept[nodes.root], nodes.kept],
        n_larger=settings.n_larger,
        every=settings.every,
        batch_size=BATCH,
        max_queries=settings.max_queries,
        time_limit=settings.time_limit,
    )
    return RemovalSets(explanations, _after(outputs_without, explanations, len(nodes.kept)))


def _outputs_fn(
    text_model: TextModel, query: OutputQuery, graphs: TokenGraphs, settings: ExplainSettings
) -> OutputsFn:
    assert query.before is not None
    original, unit_of_token = int(query.before.best[0]), graphs.nodes.unit_of_token

    def outputs(removed: Bool[np.ndarray, "sets nodes"]) -> Outputs:
        removed_units = np.zeros((len(removed), graphs.attention.shape[-1]), bool)
        removed_units[:, graphs.nodes.kept] = removed
        return text_model.outputs(
            query.ids,
            removed_units[:, unit_of_token][:, : query.ids.size],
            position=query.position,
            original=original,
            intervention=settings.intervention,
        )

    return outputs


def _after(outputs_without: OutputsFn, explanations: Explanations, n_nodes: int) -> Outputs | None:
    """The output without each explanation."""
    found = explanations.found
    if not found:
        return None
    removed = np.zeros((-(-len(found) // BATCH) * BATCH, n_nodes), bool)
    for row, explanation in zip(removed, found, strict=False):
        row[list(explanation.nodes)] = True
    parts = [outputs_without(removed[at : at + BATCH]) for at in range(0, len(removed), BATCH)]
    return Outputs(*(np.concatenate(fields)[: len(found)] for fields in zip(*parts, strict=True)))
