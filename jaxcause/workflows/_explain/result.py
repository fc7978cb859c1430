"""What `explain` returns."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from jaxcause._checks import InputError, check_choice
from jaxcause.io import to_networkx
from jaxcause.report import explanation_page
from jaxcause.workflows._explain import wording
from jaxcause.workflows._explain.document import SCHEMA, explanation_document
from jaxcause.workflows._explain.explained import EDGE_COLUMNS, ExplainedText, edge_rows
from jaxcause.workflows._explain.state import explanation_fields, explanation_state
from jaxcause.workflows._saved import Saved, read_document

if TYPE_CHECKING:
    import networkx as nx
    import pandas as pd
    from matplotlib.axes import Axes

PICTURES = ("arcs", "graph")


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class TextExplanation(ExplainedText, Saved):
    """The causal graph over the tokens of a text, and what explains the model's output.

    ``tokens`` are the nodes. ``graph`` is the graph of the mean over heads, and ``head_graphs``
    holds one graph per head. ``explanations`` are the sets of nodes whose removal changes
    ``output``, and ``after`` is the output without each of them. ``attention``, ``correlation`` and
    ``partial_correlation`` are ``[views, nodes, nodes]``: the mean over heads, then each head.
    """

    def sentences(self) -> list[str]:
        """One sentence per explanation, or one that says why there is none."""
        return wording.sentences(self)

    def headline(self) -> str:
        """The result in one line."""
        return wording.headline(self)

    def summary(self) -> str:
        """The text, its explanations, and the strongest edges of the mean over heads, as text."""
        return wording.summary(self)

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

        if kind == "graph":
            return plot.causal_graph(self.graph_of_view(view), names=self.tokens, ax=ax)
        found = self.explanations.found
        return plot.plot_token_arcs(
            self.tokens,
            self.graph_of_view(view).marks,
            self.partial_correlation[view],
            highlight=found[0].nodes if found else (),
            target=None if self.target is None else self.target.node,
            ax=ax,
        )

    def to_networkx(self, *, head: int | None = None) -> "nx.DiGraph":
        """`jaxcause.io.to_networkx` with a number per token; ``token`` holds its text.

        Args:
            head: Which head; the mean over heads by default.

        Raises:
            InputError: There is no such head.
        """
        import networkx as nx

        numbers = {str(i): i for i in range(len(self.tokens))}
        named = to_networkx(self.graph_of_view(self._view(head)), names=list(numbers))
        graph = nx.relabel_nodes(named, numbers)
        for i, token in enumerate(self.tokens):
            graph.nodes[i]["token"] = token
        return graph

    def to_dataframe(self, *, head: int | None = None) -> "pd.DataFrame":
        """The edges as a pandas frame, strongest first.

        Its columns: ``source``, ``target``, ``edge``, ``partial_correlation``, ``p_value``, and
        the numbers ``source_node`` and ``target_node``, since two tokens may have the same text.

        Args:
            head: Which head; the mean over heads by default.

        Raises:
            InputError: There is no such head.
        """
        import pandas as pd

        return pd.DataFrame(edge_rows(self, self._view(head)), columns=list(EDGE_COLUMNS))

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
        """The explanation that `to_json` wrote, with arrays to the last bit but without its model.

        Args:
            source: A file, JSON text, or a dictionary.

        Raises:
            InputError: It cannot be read, does not follow the schema, or was made by `to_dict`,
                which rounds numbers.
        """
        return cls(**explanation_fields(read_document(source, SCHEMA)))

    def _view(self, head: int | None) -> int:
        """The view of a head."""
        n_heads = len(self.search.graph.marks) - 1
        if head is not None and not 0 <= head < n_heads:
            raise InputError(f"head={head} does not exist; the heads are 0 to {n_heads - 1}")
        return 0 if head is None else head + 1
