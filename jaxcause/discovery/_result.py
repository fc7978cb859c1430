"""What every search returns."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxcause._typing import AnyArray
from jaxcause.graph import CausalGraph, SepSets
from jaxcause.graph._sepsets import widen


class SearchInfo(NamedTuple):
    """How a search went; leading axes are a batch of graphs.

    Args:
        n_tests: Conditional independence tests evaluated at each level.
        n_edges: Edges left after each level.
        n_conflicts: Edges on which the orientation rules contradicted one another, ``<->``.
        truncated: Whether ``max_cond_size`` may have stopped the search before it was done.
        overflow: Whether a node had more candidates than ``caps`` allow: the graph may be wrong.
    """

    n_tests: Int[AnyArray, "*graphs levels"]
    n_edges: Int[AnyArray, "*graphs levels"]
    n_conflicts: Int[AnyArray, "*graphs"]
    truncated: Bool[AnyArray, "*graphs"]
    overflow: Bool[AnyArray, "*graphs"]


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
    return SearchResult(
        levels=history,
        graph=CausalGraph(join([np.asarray(r.graph.marks) for r in results])),
        sepsets=SepSets(
            nodes=join([widen(np.asarray(r.sepsets.nodes), width) for r in results]),
            found=join([np.asarray(r.sepsets.found) for r in results]),
        ),
        p_values=join([np.asarray(r.p_values) for r in results]),
        info=SearchInfo(
            n_tests=join([levels(np.asarray(r.info.n_tests), "constant") for r in results]),
            n_edges=join([levels(np.asarray(r.info.n_edges), "edge") for r in results]),
            n_conflicts=join([np.asarray(r.info.n_conflicts) for r in results]),
            truncated=join([np.asarray(r.info.truncated) for r in results]),
            overflow=join([np.asarray(r.info.overflow) for r in results]),
        ),
    )
