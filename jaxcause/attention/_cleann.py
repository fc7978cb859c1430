"""CLEANN: the smallest set of nodes near a target, in its causal graph, that explains it."""

import heapq
from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxcause._checks import InputError, check_at_least, check_shape
from jaxcause._typing import AnyArray, VerifyFn
from jaxcause.attention._queries import Candidate, Explanations, Limits, ask, subsets_by_cost
from jaxcause.discovery._icd_sep import grow_trees
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
    every: bool = False,
    batch_size: int = 64,
    max_queries: int | None = None,
    time_limit: float | None = None,
) -> Explanations:
    """Explain an output by the smallest set of nodes whose removal changes it.

    Candidates are subsets of the possible-d-sep tree of the target in its causal graph, smaller
    ones first, then by the sum of their distances from the target in the tree, then those with
    heavier nodes. The model is asked about many at a time.

    With a batch of graphs, such as one per head, each graph offers its candidates and the best of
    all is asked next; a set that several graphs offer is asked about once.

    Args:
        graph: Causal graph over tokens or items, or several of them, ``[heads, nodes, nodes]``.
        target: The node whose value is explained: a masked token, the class token, the answer.
        verify_fn: Maps sets to whether removing them (by mask, padding or deletion) changes the
            output: bool ``[sets, nodes]`` to bool ``[sets]``. Each call has ``batch_size`` rows, so
            that a jitted function compiles once; rows at the end may remove nothing.
        max_size: Most nodes of an explanation; no limit by default.
        max_range: Largest distance from the target; no limit by default.
        removable: Nodes that may be removed, such as all but special tokens; never the target.
        weights: Which nodes come first among those at one distance, heaviest first.
        every: Find all minimal explanations, not only the first.
        batch_size: Sets per call of ``verify_fn``.
        max_queries: Most sets to ask about; what was found by then is returned.
        time_limit: Seconds after which no further batch is asked.

    Returns:
        Explanations in the order in which they were found, the number of queries, and why the
        search ended.

    Raises:
        InputError: ``target`` is no node of the graph, an array has another number of nodes, a
            limit is not positive, or ``verify_fn`` returns something else.

    Source: Rohekar, Gurwicz & Nisimov (2023), "Causal interpretation of self-attention in
    pre-trained Transformers", arXiv 2310.20307, algorithm 1.

    >>> import numpy as np
    >>> chain = CausalGraph(np.array([[0, 2, 0], [1, 0, 1], [0, 2, 0]]))
    >>> cleann(chain, 0, lambda removed: removed[:, 2]).found
    (Explanation(nodes=(2,), distances=(2,), n_queries=2),)
    """
    limits = Limits(every, batch_size, max_queries, time_limit).check()
    marks = np.asarray(graph.marks)
    marks = marks.reshape(-1, *marks.shape[-2:])
    n = marks.shape[-1]
    whole = isinstance(target, int | np.integer) and not isinstance(target, bool)
    if not whole or not 0 <= target < n:
        raise InputError(f"target={target!r} is no node of the graph, which has 0 … {n - 1}")
    for name, size in (("max_size", max_size), ("max_range", max_range)):
        if size is not None:
            check_at_least(name, size, 1)
    allowed = np.ones(n, bool)
    if removable is not None:
        check_shape("removable", removable, (n,))
        allowed = np.array(removable, bool)
    allowed[target] = False
    if weights is not None:
        check_shape("weights", weights, (n,))
    weight = np.zeros(n) if weights is None else np.asarray(weights, np.float64)
    heavy = np.broadcast_to(weight, (len(marks), n))
    distances = tree_distances(marks, int(target), max_range)
    best = np.where(distances > 0, distances, n + 1).min(axis=0)
    streams = [
        _candidates(distance, weight, allowed, max_size)
        for distance, weight in zip(distances, heavy, strict=True)
    ]
    asked = ask(_merged(streams), verify_fn, n, limits)
    found = [e._replace(distances=tuple(int(best[v]) for v in e.nodes)) for e in asked.found]
    return asked._replace(found=tuple(found))


def tree_distances(
    marks: Int[np.ndarray, "graphs nodes nodes"], target: int, max_range: int | None
) -> Int[np.ndarray, "graphs nodes"]:
    """Depth of each node in the target's possible-d-sep tree; 0 where it is not in the tree."""
    n = marks.shape[-1]
    depth = n if max_range is None else min(max_range, n)
    every = grow_trees(marks.astype(np.int8), depth=depth).distance
    distance = every.reshape(-1, n, n)[:, target].copy()
    distance[:, target] = 0
    return distance


def _candidates(
    distance: np.ndarray, weight: np.ndarray, allowed: np.ndarray, max_size: int | None
) -> Iterator[tuple[tuple[int, float], Candidate]]:
    """Sets of one graph, with their size and the sum of their distances."""
    nodes = np.flatnonzero((distance > 0) & allowed)
    nodes = nodes[np.lexsort((nodes, -weight[nodes], distance[nodes]))]
    costs = [float(d) for d in distance[nodes]]
    for total, chosen in subsets_by_cost(nodes.tolist(), costs, max_size):
        yield (len(chosen), total), chosen


def _merged(streams: list[Iterator[tuple[tuple[int, float], Candidate]]]) -> Iterator[Candidate]:
    """The best candidate of all streams next, each set once."""
    if len(streams) == 1:
        yield from (chosen for _, chosen in streams[0])
        return
    asked = set()
    for _, chosen in heapq.merge(*streams, key=lambda offer: offer[0]):
        members = frozenset(chosen)
        if members not in asked:
            asked.add(members)
            yield chosen
