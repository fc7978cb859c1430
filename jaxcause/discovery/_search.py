"""What all searches share: checked arguments, the loop over levels, batches of graphs."""

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Int

from jaxcause._checks import InputError, check_at_least, check_probability, check_shape
from jaxcause._precision import float64_where_asked
from jaxcause._typing import AnyArray, CITest
from jaxcause.discovery._result import SearchInfo, SearchResult, stack_results
from jaxcause.discovery._skeleton import (
    LevelInfo,
    SkeletonState,
    init_skeleton,
    level_rows,
    search_level,
)
from jaxcause.graph import BackgroundKnowledge, CausalGraph, SepSets
from jaxcause.graph._sepsets import widen


class Problem(NamedTuple):
    """What is asked about one graph."""

    test: CITest
    alpha: float
    max_cond_size: int | None
    knowledge: BackgroundKnowledge
    mask: Bool[np.ndarray, "nodes"]


class Skeleton(NamedTuple):
    """A learned skeleton, and how it was learned."""

    state: SkeletonState
    levels: tuple[LevelInfo, ...] = ()
    truncated: bool = False


def search_graphs(
    search_one: Callable[[Problem], SearchResult],
    test: CITest,
    *,
    alpha: float,
    max_cond_size: int | None,
    knowledge: BackgroundKnowledge | None,
    node_mask: Bool[AnyArray, "*graphs nodes"] | None,
) -> SearchResult:
    """Check the arguments, and search every graph of the batch.

    Raises:
        InputError: ``alpha`` is outside (0, 1), ``max_cond_size`` is negative, or ``knowledge`` or
            ``node_mask`` are about another number of nodes.
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
    if not batch:
        return search_one(Problem(test, alpha, max_cond_size, knowledge, mask))
    tests: Any = test
    masks = np.broadcast_to(mask, (*batch, n))
    problems = [
        Problem(tests[g], alpha, max_cond_size, knowledge, masks[g]) for g in np.ndindex(batch)
    ]
    return stack_results([search_one(problem) for problem in problems], batch)


def every_possible_edge(problem: Problem) -> Skeleton:
    """The skeleton before any test: all edges that knowledge and mask allow."""
    cannot, mask = problem.knowledge.cannot_cause, problem.mask
    return Skeleton(init_skeleton(~(cannot & cannot.T) & mask[:, None] & mask))


def thin(
    skeleton: Skeleton,
    problem: Problem,
    *,
    first_level: int,
    candidates: Bool[np.ndarray, "nodes nodes"] | None = None,
) -> Skeleton:
    """Test level after level until no pair has enough candidates, or the cap is reached.

    Args:
        skeleton: Where to start.
        problem: What is asked.
        first_level: Size of the first conditioning sets.
        candidates: Whom to condition on; by default the neighbours as each level begins.
    """
    knowledge, state = problem.knowledge, skeleton.state
    tiers, required = np.asarray(knowledge.tiers), np.asarray(knowledge.required)
    tested = knowledge.stands_for_itself & ~(required | required.T)
    eligible = tiers[:, None] >= tiers
    copies: Int[np.ndarray, "nodes nodes"] = np.asarray(knowledge.stationary)
    levels, level = list(skeleton.levels), first_level
    with float64_where_asked(problem.test):
        while True:
            allowed = state.adjacency if candidates is None else candidates
            if problem.max_cond_size is not None and level > problem.max_cond_size:
                more = (state.adjacency & tested).any(axis=1) & (allowed.sum(axis=1) > level)
                return Skeleton(state, tuple(levels), bool(more.any()))
            rows = level_rows(state, level, allowed, tested=tested, eligible=eligible)
            if rows is None:
                return Skeleton(state, tuple(levels), skeleton.truncated)
            state, info = search_level(
                state, problem.test, rows, level, alpha=problem.alpha, copies=copies
            )
            levels.append(info)
            level += 1


def padded_sepsets(state: SkeletonState) -> SepSets:
    """Separating sets for the orientation rules, in few widths, so that few programs compile."""
    nodes = np.asarray(state.sepsets.nodes)
    width = next(w for w in itertools.count(4, 4) if w >= nodes.shape[-1])
    return SepSets(jnp.asarray(widen(nodes, width)), jnp.asarray(state.sepsets.found))


def as_result(
    skeleton: Skeleton, marks: AnyArray, problem: Problem, *, n_conflicts: int
) -> SearchResult:
    """Assemble what every search returns."""
    info = SearchInfo(
        n_tests=np.array([level.n_tests for level in skeleton.levels], np.int64),
        n_edges=np.array([level.n_edges for level in skeleton.levels], np.int64),
        n_conflicts=np.asarray(n_conflicts),
        truncated=np.asarray(skeleton.truncated),
    )
    p_values = problem.knowledge.repeat(skeleton.state.p_values)
    return SearchResult(CausalGraph(marks), skeleton.state.sepsets, p_values, info)
