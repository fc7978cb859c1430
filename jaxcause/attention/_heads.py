"""Agreement between the graphs of heads, and the confidence of each graph."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jaxcause._checks import check_probability
from jaxcause.discovery import SearchResult
from jaxcause.graph import CausalGraph, Mark


class HeadConsensus(NamedTuple):
    """Numbers of graphs in which an edge or a mark occurs.

    Args:
        edges: Graphs with an edge between i and j.
        arrows: Graphs in which that edge has an arrowhead at j.
        tails: Graphs in which it has a tail at j.
    """

    edges: Int[np.ndarray, "nodes nodes"]
    arrows: Int[np.ndarray, "nodes nodes"]
    tails: Int[np.ndarray, "nodes nodes"]


def head_consensus(graphs: CausalGraph) -> HeadConsensus:
    """Count over heads (all leading axes) how often edges and marks occur.

    An edge in conflict, ``x-x``, counts among the edges, but has neither arrowhead nor tail.

    >>> import numpy as np
    >>> heads = CausalGraph(np.array([[[0, 2], [3, 0]], [[0, 1], [1, 0]], [[0, 0], [0, 0]]]))
    >>> head_consensus(heads).edges.tolist(), head_consensus(heads).arrows.tolist()
    ([[0, 2], [2, 0]], [[0, 1], [0, 0]])
    """
    marks = np.asarray(graphs.marks)
    marks = marks.reshape(-1, *marks.shape[-2:])
    counts = [(marks != Mark.NONE), (marks == Mark.ARROW), (marks == Mark.TAIL)]
    return HeadConsensus(*(count.sum(axis=0) for count in counts))


def structural_confidence(
    found: SearchResult, *, alpha: float = 0.01
) -> Float[np.ndarray, "*graphs"]:
    r"""How clearly the p-values of each graph separate edges from non-edges, from 0 to 1.

    .. math:: \frac{1}{|P|} \sum_{ij \in P} \min\!\left(1,
        \frac{|\log p_{ij} - \log \alpha|}{-\log \alpha}\right)

    over the tested pairs P, with :math:`p_{ij}` the largest p-value among the tests of a pair. It
    is near 0 if the decisions depend on the choice of α. It is 1 if every edge has p ≤ α² and every
    non-edge has p = 1. This summary is defined by this library, for comparing heads.

    Args:
        found: The result of `abcd`.
        alpha: The significance level of that search.

    Raises:
        InputError: ``alpha`` is outside (0, 1).

    >>> import numpy as np, jaxcause as jc
    >>> found = jc.icd(jc.partial_correlation_test(np.array([[1.0, 0.9], [0.9, 1.0]]), 100))
    >>> float(structural_confidence(found))
    1.0
    """
    check_probability("alpha", alpha)
    p = np.asarray(found.p_values, np.float64)
    upper = np.triu(np.ones(p.shape[-2:], bool), 1) & ~np.isnan(p)
    tiny = np.finfo(np.float64).tiny
    logs = np.log(np.where(upper, np.maximum(p, tiny), alpha)) - np.log(alpha)
    clear = np.minimum(1.0, np.abs(logs) / -np.log(alpha))
    pairs = upper.sum(axis=(-2, -1))
    return np.where(pairs > 0, clear.sum(axis=(-2, -1)) / np.maximum(pairs, 1), np.nan)
