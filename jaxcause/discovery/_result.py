"""What every search returns."""

from typing import Literal, NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Float, Int

from jaxcause._checks import check_choice
from jaxcause._namespace import namespace
from jaxcause._precision import float64_where_asked, outside
from jaxcause._typing import AnyArray
from jaxcause.graph import CausalGraph, SepSets
from jaxcause.graph._sepsets import widen
from jaxcause.stats import benjamini_hochberg, benjamini_yekutieli


class SearchInfo(NamedTuple):
    """How a search went; leading axes are a batch of graphs.

    Args:
        n_tests: Conditional independence tests evaluated at each level.
        n_edges: Edges left after each level.
        n_conflicts: Contradictions. In a CPDAG, edges that rules orient both ways, ``x-x``. With
            background knowledge, also pairs that tests separate though an edge is required, pairs
            that no set separates though their edge is forbidden, and edges at which the tests see a
            collider that knowledge rules out.
        n_cyclic: Edges on a directed or an almost directed cycle (`jaxcause.graph.cyclic_edges`),
            whose directions are in doubt.
        n_open: Triples that ``colliders="conservative"`` or ``"majority"`` left undecided.
        truncated: Whether ``max_cond_size`` may have stopped the search before it was done.
        overflow: Whether a node had more candidates than ``caps`` allow: the graph may be wrong.
        singular: Whether the correlation matrix is singular in rounding. A set that determines an
            end of a pair, or holds redundant nodes, separates nothing.
        indistinct: Pairs of nodes that are copies of one another, up to scale and sign: their edges
            cannot be told apart.
        nearly_indistinct: Pairs that are nearly copies (r² > .999 by the correlations of the test).
            Given one of them, a test can hardly see the other: true edges of both can be missing,
            and false ones take their place. Leave one of them out.
    """

    n_tests: Int[AnyArray, "*graphs levels"]
    n_edges: Int[AnyArray, "*graphs levels"]
    n_conflicts: Int[AnyArray, "*graphs"]
    n_cyclic: Int[AnyArray, "*graphs"]
    n_open: Int[AnyArray, "*graphs"]
    truncated: Bool[AnyArray, "*graphs"]
    overflow: Bool[AnyArray, "*graphs"]
    singular: Bool[AnyArray, "*graphs"]
    indistinct: Bool[AnyArray, "*graphs nodes nodes"]
    nearly_indistinct: Bool[AnyArray, "*graphs nodes nodes"]


class SearchResult(NamedTuple):
    """A learned graph, the sets that separated its non-edges, and how the search went.

    ``p_values[i, j]`` is the largest p-value among the tests of a pair: of the test that separated
    it, or, for an edge, of the test that came closest. Pairs that knowledge decided hold NaN.
    ``levels`` holds the graph after each level, ``[..., levels, nodes, nodes]``, where the search
    is anytime (ICD).
    """

    graph: CausalGraph
    sepsets: SepSets
    p_values: Float[AnyArray, "*graphs nodes nodes"]
    info: SearchInfo
    levels: CausalGraph | None = None

    def __repr__(self) -> str:
        """The graph in a line, and what to look at."""
        return f"<SearchResult: {self.graph!r}; see .graph, .sepsets, .p_values, .info>"

    def q_values(
        self, method: Literal["bh", "by"] = "bh"
    ) -> Float[AnyArray, "*graphs nodes nodes"]:
        """q-values of the pairs, one graph at a time; NaN where nothing was tested.

        The p-value of an edge is the largest among its tests, which bounds it (Li & Wang 2009), so
        the edges with q ≤ 0.05 have a false-discovery rate of at most about 0.05.

        Args:
            method: ``bh`` (Benjamini & Hochberg 1995), or ``by`` (Benjamini & Yekutieli 2001),
                which holds under any dependence between the tests.

        Raises:
            InputError: The method is not known.

        Source: Li & Wang (2009), "Controlling the false discovery rate of the association/causality
        structure learned with the PC algorithm".

        >>> import numpy as np, jaxcause as jc
        >>> x = np.random.default_rng(0).normal(size=(500, 3)); x[:, 1] += x[:, 0]
        >>> found = jc.pc(jc.partial_correlation_test_from_data(x))
        >>> (np.asarray(found.q_values()) < 0.05).astype(int).tolist()
        [[0, 1, 0], [1, 0, 0], [0, 0, 0]]
        """
        check_choice("method", method, ("bh", "by"))
        q_value = benjamini_hochberg if method == "bh" else benjamini_yekutieli
        upper = np.triu(np.ones(self.p_values.shape[-2:], bool), 1)
        with float64_where_asked(self.p_values):
            xp = namespace(self.p_values)
            p = xp.where(upper, self.p_values, xp.asarray(xp.nan, self.p_values.dtype))
            q = xp.vectorize(lambda one: q_value(one), signature="(i,j)->(i,j)")(p)
            return outside(xp.fmin(q, xp.swapaxes(q, -1, -2)))


def of_first_nodes(result: SearchResult, n: int) -> SearchResult:
    """A result about the first ``n`` nodes alone, where no other node has an edge."""
    nodes, found = (np.asarray(part) for part in (result.sepsets.nodes, result.sepsets.found))
    marks = np.asarray(result.graph.marks)
    levels = None
    if result.levels is not None:
        levels = CausalGraph(np.asarray(result.levels.marks)[..., :n, :n])
    pairs = result.info.indistinct, result.info.nearly_indistinct
    indistinct, nearly = (np.asarray(every)[..., :n, :n] for every in pairs)
    return result._replace(
        info=result.info._replace(indistinct=indistinct, nearly_indistinct=nearly),
        graph=CausalGraph(marks[..., :n, :n]),
        sepsets=SepSets(nodes[..., :n, :n, :], found[..., :n, :n]),
        p_values=np.asarray(result.p_values)[..., :n, :n],
        levels=levels,
    )


def join_results(results: list[SearchResult], batch: tuple[int, ...]) -> SearchResult:
    """Results of chunks of graphs, which have one leading axis, as one with the axes ``batch``."""
    width = max((r.sepsets.nodes.shape[-1] for r in results), default=0)
    n_levels = max((r.info.n_tests.shape[-1] for r in results), default=0)

    def join(values: list[np.ndarray]) -> np.ndarray:
        whole = values[0] if len(values) == 1 else np.concatenate(values)
        return whole.reshape((*batch, *whole.shape[1:]))

    def levels(counts: np.ndarray, mode: str) -> np.ndarray:
        extra = [(0, 0), (0, n_levels - counts.shape[-1])]
        return np.pad(counts, extra, mode=mode)  # pyright: ignore[reportCallIssue, reportArgumentType]

    history = None
    if results and results[0].levels is not None:
        marks = [np.asarray(r.levels.marks) for r in results if r.levels is not None]
        longest = max(m.shape[1] for m in marks)
        longer = [[(0, 0), (0, longest - m.shape[1]), (0, 0), (0, 0)] for m in marks]
        history = CausalGraph(
            join([np.pad(m, e, mode="edge") for m, e in zip(marks, longer, strict=True)])
        )
    graphs = [r.graph for r in results]
    return SearchResult(
        levels=history,
        # The marks of each chunk were checked when its graph was made.
        graph=jax.tree.map(lambda *marks: join([*map(np.asarray, marks)]), *graphs),
        sepsets=SepSets(
            nodes=join([widen(np.asarray(r.sepsets.nodes), width) for r in results]),
            found=join([np.asarray(r.sepsets.found) for r in results]),
        ),
        p_values=join([np.asarray(r.p_values) for r in results]),
        info=SearchInfo(
            n_tests=join([levels(np.asarray(r.info.n_tests), "constant") for r in results]),
            n_edges=join([levels(np.asarray(r.info.n_edges), "edge") for r in results]),
            n_conflicts=join([np.asarray(r.info.n_conflicts) for r in results]),
            n_cyclic=join([np.asarray(r.info.n_cyclic) for r in results]),
            truncated=join([np.asarray(r.info.truncated) for r in results]),
            n_open=join([np.asarray(r.info.n_open) for r in results]),
            overflow=join([np.asarray(r.info.overflow) for r in results]),
            singular=join([np.asarray(r.info.singular) for r in results]),
            indistinct=join([np.asarray(r.info.indistinct) for r in results]),
            nearly_indistinct=join([np.asarray(r.info.nearly_indistinct) for r in results]),
        ),
    )
