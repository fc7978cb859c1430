"""CLEANN: the smallest set of nodes near a target in the causal graph that explains it."""

import numpy as np
from jaxtyping import Bool, Float

from jaxcause._checks import InputError, check_at_least, check_host, check_mask, check_shape
from jaxcause._typing import AnyArray, VerifyFn
from jaxcause.attention._candidates import subsets_of_trees
from jaxcause.attention._queries import Explanations, Limits, query_with_fallback
from jaxcause.discovery import possible_d_sep_distances
from jaxcause.graph import CausalGraph


def cleann(
    graph: CausalGraph,
    target: int,
    verify_fn: VerifyFn,
    *,
    max_size: int | None = None,
    max_range: int | None = None,
    removable: Bool[AnyArray, "nodes"] | None = None,
    weights: Float[AnyArray, "*heads nodes"] | None = None,
    n_larger: int = 0,
    every: bool = False,
    batch_size: int = 64,
    max_queries: int | None = None,
    time_limit: float | None = None,
) -> Explanations:
    """Explain an output by the smallest set of nodes whose removal changes it.

    Candidates are subsets of the possible-d-sep tree of the target in its causal graph. Smaller
    subsets come first, then those with the smaller sum of distances from the target in the tree,
    then those with the larger sum of weights. Each model query is one candidate, and many queries
    share a call of ``verify_fn``.

    With a batch of graphs, such as one per head, the candidates of all trees are queried, each
    once. The distance of a set is then that in the tree where it is smallest, and sets that more
    trees contain come first among sets at equal distance.

    If no candidate explains the output, the last ``n_larger`` queries go to sets of growing size,
    inside the tree or not: the heaviest node, the two heaviest nodes, and so on. Sets that were
    already queried are skipped.

    Args:
        graph: Causal graph over tokens or items, or several of them, ``[heads, nodes, nodes]``.
        target: The node whose value is explained, such as a masked token, the class token, or the
            answer.
        verify_fn: Maps sets of removed nodes, bool ``[sets, nodes]``, to whether each removal (by
            mask, padding or deletion) changes the output, bool ``[sets]``. Each call has
            ``batch_size`` rows, so that a jitted function compiles once; rows at the end may remove
            nothing.
        max_size: Largest size of an explanation; no limit by default.
        max_range: Largest distance from the target; no limit by default.
        removable: Nodes that may be removed, such as all but special tokens; never the target.
        weights: Weight of each node, such as |partial correlation| with the target. Leading axes
            are averaged.
        n_larger: Queries kept for growing sets, which may exceed ``max_size``; at most half of
            ``max_queries``.
        every: Whether to find all minimal explanations, not only the first.
        batch_size: Sets per call of ``verify_fn``.
        max_queries: Largest number of model queries.
        time_limit: Seconds after which no further batch is sent to the model.

    Returns:
        Explanations in the order in which they were found, the number of queries, and why the
        search ended.

    Raises:
        InputError: ``graph`` is none, or traced, ``target`` is no node of it, an array has another
            number of nodes, a weight is not finite, a limit is not positive, or ``verify_fn``
            returns something else.

    Source: Rohekar, Gurwicz & Nisimov (2023), "Causal interpretation of self-attention in
    pre-trained Transformers", arXiv 2310.20307, algorithm 1.

    >>> import numpy as np
    >>> chain = CausalGraph(np.array([[0, 2, 0], [1, 0, 1], [0, 2, 0]]))
    >>> cleann(chain, 0, lambda removed: removed[:, 2]).found
    (Explanation(nodes=(2,), distances=(2,), n_queries=2),)
    """
    limits = Limits(every, batch_size, max_queries, time_limit).check()
    if not isinstance(graph, CausalGraph):
        raise InputError(
            f"graph is {type(graph).__name__}, not a CausalGraph; give that of a result, or "
            "jc.CausalGraph(marks)"
        )
    check_host("graph", graph.marks)
    marks = np.asarray(graph.marks)
    n = marks.shape[-1]
    whole = isinstance(target, int | np.integer) and not isinstance(target, bool)
    if not whole or not 0 <= target < n:
        raise InputError(f"target={target!r} is no node of the graph, which has 0 … {n - 1}")
    marks = marks.reshape(-1, n, n)
    if not len(marks):
        raise InputError(f"graph has shape {np.shape(graph.marks)}, a batch of none; give one")
    for name, size in (("max_size", max_size), ("max_range", max_range)):
        if size is not None:
            check_at_least(name, size, 1)
    allowed = np.ones(n, bool)
    if removable is not None:
        check_mask("removable", removable, n, "node that may be removed")
        check_shape("removable", removable, (n,))
        allowed = np.array(removable, bool)
    allowed[target] = False
    away = possible_d_sep_distances(marks, int(target), max_range)
    distances = np.where(allowed, away, 0)
    check_at_least("n_larger", n_larger, 0)
    heavy = _weights(weights, n)
    best = np.where(distances > 0, distances, np.inf).min(axis=0)
    nodes = np.flatnonzero(allowed)
    ranked = nodes[np.lexsort((best[nodes], -heavy[nodes]))].tolist()
    growing = (tuple(sorted(ranked[:size])) for size in range(1, len(ranked) + 1))
    queried = query_with_fallback(
        subsets_of_trees(distances, heavy, max_size), growing, verify_fn, n, limits, n_larger
    )
    nearest = np.where(np.isfinite(best), best, 0).astype(int)
    found = [e._replace(distances=tuple(nearest[list(e.nodes)].tolist())) for e in queried.found]
    return queried._replace(found=tuple(found))


def _weights(weights: AnyArray | None, n: int) -> Float[np.ndarray, "nodes"]:
    """One weight per node: the mean over heads."""
    if weights is None:
        return np.zeros(n)
    check_shape("weights", weights, (n,))
    values = np.asarray(weights).astype(np.float64).reshape(-1, n).mean(axis=0)
    if not np.isfinite(values).all():
        node = int(np.flatnonzero(~np.isfinite(values))[0])
        raise InputError(
            f"weights is {values[node]:g} at node {node}, but must be finite; give such nodes 0, "
            "or leave them out with removable"
        )
    return values
