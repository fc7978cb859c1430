"""What `explain` returns."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxcause._checks import InputError, check_choice
from jaxcause.attention import Explanations, correlation, partial_correlations
from jaxcause.discovery import SearchResult
from jaxcause.graph import CausalGraph
from jaxcause.io import to_networkx
from jaxcause.report import explanation_page
from jaxcause.workflows._explain.document import SCHEMA, explanation_document
from jaxcause.workflows._explain.state import explanation_parts, explanation_state
from jaxcause.workflows._explain.text_model import Outputs
from jaxcause.workflows._saved import Saved, read_document

if TYPE_CHECKING:
    import networkx as nx
    import pandas as pd
    from matplotlib.axes import Axes

PICTURES = ("arcs", "graph")
_MOST_TOLD = 20
_COLUMNS = ["source", "target", "edge", "partial_correlation", "p_value"]
_COLUMNS += ["source_node", "target_node"]


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


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class TextExplanation(Saved):
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
        up_to = "" if largest is None else f" of up to {largest} token{'s' * (largest != 1)}"
        larger = (
            ", nor are the most attended ones together" if self.settings.get("n_larger") else ""
        )
        if self.explanations.n_queries == 0:
            return "is near it in the graph: no token is connected with it"
        return {
            "budget": f"was found within {self.explanations.n_queries} queries",
            "time": "was found within the time limit",
            "not found": f"is among the candidates{up_to}{larger}",
            "explained": "was found",
        }[self.explanations.status]

    @property
    def output(self) -> str | None:
        """What the model says; None where it has no head."""
        return None if self.target is None else self.name_of(int(self.target.before.best[0]))

    def headline(self) -> str:
        """The result in one line."""
        n_edges = int(np.asarray(self.graph.adjacency).sum()) // 2
        said = "" if self.output is None else f"{self.output!r}, "
        n_found = len(self.explanations.found)
        why = f"{n_found or 'no'} explanation{'s' * (n_found != 1)}"
        edges = f"{n_edges or 'no'} edge{'s' * (n_edges != 1)}"
        return f"{said}{why}; {edges} among {len(self.tokens)} tokens (mean over heads)"

    def summary(self) -> str:
        """The text, what explains the output, and the edges of the mean over heads, as text."""
        lines = [f"{self.text!r}: {self.headline()}", *self.sentences()]
        rows = self._edge_rows(0)
        width = max([6, *(len(token) for token in self.tokens)])
        if rows:
            lines.append(f"{'source':<{width}}  edge  {'target':<{width}}  partial correlation")
        for row in rows[:_MOST_TOLD]:
            ends = f"{row['source']:<{width}}  {row['edge']}   {row['target']:<{width}}"
            lines.append(f"{ends}  {row['partial_correlation']:>19.3f}")
        if len(rows) > _MOST_TOLD:
            lines.append(f"… and {len(rows) - _MOST_TOLD} more")
        return "\n".join(lines)

    def plot(
        self,
        kind: Literal["arcs", "graph"] = "arcs",
        *,
        head: int | None = None,
        ax: "Axes | None" = None,
    ) -> "Axes":
        """Draw a graph over the tokens; see `jaxcause.plot`, whose functions take more options.

        Args:
            kind: ``arcs`` (the tokens along a line) or ``graph`` (on a circle).
            head: Which head; the mean over heads by default.
            ax: Where to draw; a new figure by default.

        Raises:
            InputError: The kind or the head is not known.
        """
        check_choice("kind", kind, PICTURES)
        view = self._view(head)
        from jaxcause import plot

        marks = np.asarray(self.search.graph.marks)[view]
        if kind == "graph":
            return plot.causal_graph(CausalGraph(marks), names=self.tokens, ax=ax)
        found = self.explanations.found
        return plot.plot_token_arcs(
            self.tokens,
            marks,
            self.partial_correlation[view],
            highlight=found[0].nodes if found else (),
            target=None if self.target is None else self.target.node,
            ax=ax,
        )

    def to_networkx(self, *, head: int | None = None) -> "nx.DiGraph":
        """`jaxcause.io.to_networkx` over the numbers of the tokens; ``token`` holds their text.

        Args:
            head: Which head; the mean over heads by default.

        Raises:
            InputError: There is no such head.
        """
        import networkx as nx

        marks = np.asarray(self.search.graph.marks)[self._view(head)]
        numbers = {str(i): i for i in range(len(self.tokens))}
        graph = nx.relabel_nodes(to_networkx(CausalGraph(marks), names=list(numbers)), numbers)
        for i, token in enumerate(self.tokens):
            graph.nodes[i]["token"] = token
        return graph

    def to_dataframe(self, *, head: int | None = None) -> "pd.DataFrame":
        """The edges as a pandas frame, strongest first.

        Its columns: ``source``, ``target``, ``edge``, ``partial_correlation``, ``p_value``, and
        ``source_node`` and ``target_node``, for two tokens may read alike.

        Args:
            head: Which head; the mean over heads by default.

        Raises:
            InputError: There is no such head.
        """
        import pandas as pd

        return pd.DataFrame(self._edge_rows(self._view(head)), columns=_COLUMNS)

    def to_dict(self) -> dict[str, Any]:
        """All that the page shows, in the schema ``jaxcause.explanation/1``."""
        return explanation_document(self)

    def to_html(self) -> str:
        """The page of `jaxcause.report.explanation_page`."""
        return explanation_page(self.to_dict())

    def document(self) -> dict[str, Any]:
        """What `to_json` writes: `to_dict`, and ``state`` with all arrays at full precision."""
        return {**self.to_dict(), "state": explanation_state(self)}

    @classmethod
    def from_json(cls, source: str | Path | Mapping[str, Any]) -> "TextExplanation":
        """The explanation that `to_json` wrote, arrays to the last bit, without its model.

        Args:
            source: A file, JSON text, or a dictionary.

        Raises:
            InputError: It cannot be read, does not follow the schema, or is what `to_dict` gave,
                which has rounded figures only.
        """
        parts = explanation_parts(read_document(source, SCHEMA))
        target = parts.pop("target")
        return cls(**parts, target=None if target is None else Target(*target))

    def _view(self, head: int | None) -> int:
        """Which of the views a head is."""
        n_heads = len(self.search.graph.marks) - 1
        if head is not None and not 0 <= head < n_heads:
            raise InputError(f"head={head} does not exist; the heads are 0 to {n_heads - 1}")
        return 0 if head is None else head + 1

    def _edge_rows(self, view: int) -> list[dict[str, Any]]:
        """Edges of one view, strongest first."""
        rho, p = self.partial_correlation[view], np.asarray(self.search.p_values)[view]
        graph = CausalGraph(np.asarray(self.search.graph.marks)[view])
        rows = []
        for left, symbol, right in graph.edges():
            i, j = int(left), int(right)
            cells = self.tokens[i], self.tokens[j], symbol, float(rho[i, j]), float(p[i, j])
            rows.append(dict(zip(_COLUMNS, (*cells, i, j), strict=True)))
        return sorted(rows, key=lambda row: -abs(np.nan_to_num(row["partial_correlation"])))
