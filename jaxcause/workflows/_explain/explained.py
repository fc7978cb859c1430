"""What is known about an explained text, as data."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxcause.attention import Explanations, correlation, partial_correlations
from jaxcause.discovery import SearchResult
from jaxcause.graph import CausalGraph
from jaxcause.workflows._explain.text_model import Outputs

EDGE_COLUMNS = (
    "source",
    "target",
    "edge",
    "partial_correlation",
    "p_value",
    "source_node",
    "target_node",
)


class Target(NamedTuple):
    """The output that is explained.

    Args:
        kind: ``class``, ``label``, ``masked token`` or ``next token``. The probability of a label
            is its own (sigmoid), those of the others share one (softmax).
        node: The node that stands for it.
        before: The output for the whole text.
    """

    kind: str
    node: int
    before: Outputs


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ExplainedText:
    """The fields of a `TextExplanation`, and the arrays that follow from them.

    The axis ``views`` holds the mean over heads, then each head.

    Args:
        text: The text.
        tokens: Nodes of the graph as written.
        special: Whether a node is a special token or the answer of the model.
        attention: Attention among the nodes.
        whole_attention: Attention among all units of the text.
        kept: Which units are nodes.
        search: Graphs, separating sets and p-values of all views.
        target: The output; None where the model has no head.
        explanations: Sets of nodes whose removal changes the output.
        after: The output without each of these sets.
        name_of: Maps the index of an output to its name.
        model: Name and sizes of the model.
        settings: The arguments of `explain`, with defaults filled in.
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
        return self.graph_of_view(0)

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
        """Correlation of each pair given all other nodes; NaN where the matrix is singular."""
        return partial_correlations(self.correlation)

    @property
    def output(self) -> str | None:
        """The name of the output; None where the model has no head."""
        return None if self.target is None else self.name_of(int(self.target.before.best[0]))

    def graph_of_view(self, view: int) -> CausalGraph:
        """The graph of one view."""
        return CausalGraph(np.asarray(self.search.graph.marks)[view])


def edge_rows(explained: ExplainedText, view: int) -> list[dict[str, Any]]:
    """The edges of one view with the columns `EDGE_COLUMNS`, strongest first."""
    rho, p = explained.partial_correlation[view], np.asarray(explained.search.p_values)[view]
    tokens, rows = explained.tokens, []
    for left, symbol, right in explained.graph_of_view(view).edges():
        i, j = int(left), int(right)
        cells = tokens[i], tokens[j], symbol, float(rho[i, j]), float(p[i, j]), i, j
        rows.append(dict(zip(EDGE_COLUMNS, cells, strict=True)))
    return sorted(rows, key=lambda row: -abs(np.nan_to_num(row["partial_correlation"])))
