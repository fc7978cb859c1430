"""The PC algorithm."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool

from jaxcause._checks import InputError, check_at_least, check_probability, check_shape
from jaxcause._precision import float64_where_asked
from jaxcause._typing import AnyArray, CITest
from jaxcause.discovery._orientation import close_meek, orient_v_structures, undirected
from jaxcause.discovery._result import SearchInfo, SearchResult, stack_results
from jaxcause.discovery._skeleton import (
    LevelInfo,
    SkeletonState,
    init_skeleton,
    level_rows,
    search_level,
)
from jaxcause.graph import BackgroundKnowledge, CausalGraph, Mark


def pc(
    test: CITest,
    *,
    alpha: float = 0.01,
    max_cond_size: int | None = None,
    knowledge: BackgroundKnowledge | None = None,
    node_mask: Bool[AnyArray, "*graphs nodes"] | None = None,
) -> SearchResult:
    """Learn a CPDAG by PC-stable: assumes that no common cause is unobserved.

    Within a level every candidate set is drawn from the graph as it stood when the level began, so
    the result does not depend on the order of tests (Colombo & Maathuis 2014). Tiers also keep a
    node out of the conditioning sets of pairs that lie wholly before it. Edges on which the data
    contradict themselves come out as ``<->`` and are counted in ``info.n_conflicts``.

    Args:
        test: Conditional independence test; leading axes are a batch of graphs.
        alpha: X and Y are taken as independent given S iff p > alpha.
        max_cond_size: Largest conditioning set; none by default.
        knowledge: Tiers, forbidden and required edges, stationarity.
        node_mask: Which nodes take part; the others stay without edges.

    Returns:
        Graph, separating sets, p-values, and what each level did.

    Raises:
        InputError: ``alpha`` is outside (0, 1), ``max_cond_size`` is negative, or ``knowledge`` or
            ``node_mask`` are about another number of nodes.

    Source: Spirtes, Glymour & Scheines (2000); Colombo & Maathuis (2014); Meek (1995).

    >>> import numpy as np
    >>> from jaxcause.graph import oracle_test
    >>> collider = np.array([[0, 0, 1], [0, 0, 1], [0, 0, 0]], bool)
    >>> pc(oracle_test(collider), alpha=0.5).graph.edges(["a", "b", "c"])
    [('a', '-->', 'c'), ('b', '-->', 'c')]
    """
    check_probability("alpha", alpha)
    if max_cond_size is not None:
        check_at_least("max_cond_size", max_cond_size, 0)
    n = test.n_nodes
    if knowledge is None:
        knowledge = BackgroundKnowledge(tiers=np.zeros(n, np.int32))
    if knowledge.n_nodes != n:
        raise InputError(f"knowledge is about {knowledge.n_nodes} nodes, but the test has {n}")
    mask = np.ones(n, bool) if node_mask is None else np.asarray(node_mask, bool)
    check_shape("node_mask", mask, (n,))
    batch = getattr(test, "batch_shape", ())
    if batch:
        tests: Any = test
        masks = np.broadcast_to(mask, (*batch, n))
        graphs = [
            _pc_one(tests[g], alpha, max_cond_size, knowledge, masks[g]) for g in np.ndindex(batch)
        ]
        return stack_results(graphs, batch)
    return _pc_one(test, alpha, max_cond_size, knowledge, mask)


def _pc_one(
    test: CITest,
    alpha: float,
    max_cond_size: int | None,
    knowledge: BackgroundKnowledge,
    mask: Bool[np.ndarray, "nodes"],
) -> SearchResult:
    with float64_where_asked(test):
        state, levels, truncated = _learn_skeleton(test, alpha, max_cond_size, knowledge, mask)
    marks = np.asarray(_orient(state, knowledge))
    conflicts = np.triu((marks == Mark.ARROW) & (marks.T == Mark.ARROW)).sum()
    info = SearchInfo(
        n_tests=np.array([level.n_tests for level in levels]),
        n_edges=np.array([level.n_edges for level in levels]),
        n_conflicts=conflicts,
        truncated=np.asarray(truncated),
    )
    return SearchResult(CausalGraph(marks), state.sepsets, knowledge.repeat(state.p_values), info)


def _learn_skeleton(
    test: CITest,
    alpha: float,
    max_cond_size: int | None,
    knowledge: BackgroundKnowledge,
    mask: np.ndarray,
) -> tuple[SkeletonState, list[LevelInfo], bool]:
    """Levels 0, 1, 2, … until no pair has enough candidates, or the cap is reached."""
    cannot = knowledge.cannot_cause
    tiers = np.asarray(knowledge.tiers)
    required = np.asarray(knowledge.required)
    state = init_skeleton(~(cannot & cannot.T) & mask[:, None] & mask)
    levels: list[LevelInfo] = []
    tested = knowledge.stands_for_itself & ~(required | required.T)
    eligible = tiers[:, None] >= tiers
    copies = np.asarray(knowledge.stationary)
    while rows := level_rows(state, len(levels), tested=tested, eligible=eligible):
        if max_cond_size is not None and len(levels) > max_cond_size:
            return state, levels, True
        state, info = search_level(state, test, rows, len(levels), alpha=alpha, copies=copies)
        levels.append(info)
    return state, levels, False


def _orient(state: SkeletonState, knowledge: BackgroundKnowledge) -> AnyArray:
    """Knowledge first, then colliders, then Meek's rules."""
    cannot_cause = jnp.asarray(knowledge.cannot_cause)
    marks = undirected(jnp.asarray(state.adjacency), cannot_cause)
    if not bool(((marks == Mark.TAIL) & (marks.T == Mark.TAIL)).any()):
        return marks
    sepsets = jax.tree.map(jnp.asarray, state.sepsets)
    return knowledge.repeat(close_meek(orient_v_structures(marks, sepsets, cannot_cause)))
