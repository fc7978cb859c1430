"""The search whose levels are decided on the host: the loop over levels, and its result."""

import itertools
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from jaxcause._typing import AnyArray
from jaxcause.discovery._host.candidates import CandidateLists
from jaxcause.discovery._host.edge_lists import count_colliders_against
from jaxcause.discovery._host.evaluator import Evaluator
from jaxcause.discovery._host.record import SearchRecord
from jaxcause.discovery._host.rows import Pairs, Separations
from jaxcause.discovery._host.skeleton import (
    Skeleton,
    count_entries,
    every_possible_edge,
    remove,
    run_level_0,
)
from jaxcause.discovery._problem import Problem
from jaxcause.discovery._result import SearchInfo, SearchResult
from jaxcause.graph import CausalGraph, SepSets
from jaxcause.graph._cycles import edges_on_cycles

PAIRS_PER_BLOCK = 1 << 19
"""Pairs that look for their sets together: some 300 bytes each."""


class Reached(NamedTuple):
    """Where a search for a skeleton stands.

    Args:
        skeleton: What is left.
        candidates: Nodes that may be conditioned on; None for the neighbours as a level begins.
        size: Size of the sets of the next level.
    """

    skeleton: Skeleton
    candidates: Bool[np.ndarray, "graphs nodes nodes"] | None
    size: int


def begin(problem: Problem, evaluate: Evaluator, record: SearchRecord) -> Reached:
    """The state after level 0, or after the last level that an earlier call has recorded."""
    start = Reached(every_possible_edge(problem), None, 0)
    reached: Reached | None = record.load(start)
    if reached is not None:
        return reached._replace(size=int(reached.size))
    reached = Reached(run_level_0(problem, evaluate, start.skeleton), None, 1)
    record.save(reached)
    return reached


def remove_separable(
    problem: Problem, evaluate: Evaluator, reached: Reached, record: SearchRecord
) -> Skeleton:
    """Levels of PC-stable, until no pair has enough candidates or the limit is reached.

    Args:
        problem: Test, knowledge and limits.
        evaluate: Its test.
        reached: Where to start.
        record: What keeps the state after each level.
    """
    skeleton, candidates, first = reached
    constraints = problem.constraints
    pairs, entries = Pairs.where(skeleton.unseparated), None
    for level in itertools.count(first):
        allowed = skeleton.adjacency if candidates is None else candidates
        lists = CandidateLists(allowed, constraints.tiers, entries)
        entries = lists.entries
        # A pair that has too few candidates now will not have more later.
        index, found = _in_blocks(evaluate, lists, pairs, level, problem.max_cond_size)
        pairs = pairs.at(index)
        if not pairs.x.size:
            return skeleton
        if found is None:
            truncated = skeleton.truncated.copy()
            truncated[pairs.graph] = True
            return skeleton._replace(truncated=truncated)
        skeleton = remove(problem, skeleton, pairs, found)
        pairs = pairs.at(~skeleton.levels[-1].separated)
        record.save(Reached(skeleton, candidates, level + 1))
    raise AssertionError("unreachable")


def _in_blocks(
    evaluate: Evaluator, lists: CandidateLists, pairs: Pairs, size: int, largest: int
) -> tuple[Int[np.ndarray, "some"], Separations | None]:
    """Which pairs have ``size`` candidates, and what separates them; None beyond the largest size.

    Rows take ten times the memory of pairs, and so are made for some pairs at a time.
    """
    kept, found = [], []
    for start in range(0, max(1, pairs.x.size), PAIRS_PER_BLOCK):
        index, rows = lists.rows(pairs.at(slice(start, start + PAIRS_PER_BLOCK)), size)
        kept.append(index + start)
        if index.size and size <= largest:
            found.append(evaluate(rows, size))
    return np.concatenate(kept), Separations.joined(found) if size <= largest and found else None


def as_result(
    problem: Problem,
    evaluate: Evaluator,
    skeleton: Skeleton,
    marks: AnyArray,
    *,
    sepsets: SepSets,
    no_arrowhead: Bool[AnyArray, "nodes nodes"] | None = None,
    n_conflicts: AnyArray | int = 0,
    n_open: AnyArray | None = None,
    levels: AnyArray | None = None,
) -> SearchResult:
    """Assemble what every search returns.

    Args:
        problem: Test, knowledge and limits.
        evaluate: Its test.
        skeleton: What was found.
        marks: The orientation.
        sepsets: Separating sets of the skeleton.
        no_arrowhead: Entry ``[i, j]``: knowledge allows no arrowhead at j; None if it allows all.
        n_conflicts: Edges on which rules contradicted one another; none by default.
        n_open: Triples that were left undecided; none by default.
        levels: Marks after each level, where the search is anytime.
    """
    none, constraints = np.zeros(len(skeleton.adjacency), np.int64), problem.constraints
    contradicted = constraints.n_contradicted(
        sepsets.found, np.asarray(problem.mask), skeleton.truncated
    )
    against = np.zeros_like(none)
    if no_arrowhead is not None and np.asarray(no_arrowhead).any() and not problem.is_comparison:
        against = count_colliders_against(skeleton.adjacency, sepsets, np.asarray(no_arrowhead))
    repeat = constraints.repeat
    graph = CausalGraph(repeat(np.asarray(marks)))
    whole = np.asarray(graph.marks)
    info = SearchInfo(
        n_tests=np.stack([level.n_tests for level in skeleton.levels], axis=1),
        n_edges=np.stack([level.n_edges for level in skeleton.levels], axis=1),
        n_cyclic=count_entries(edges_on_cycles(whole)) // 2,
        n_conflicts=none + np.asarray(n_conflicts) + np.asarray(contradicted) + against,
        n_open=none if n_open is None else np.asarray(n_open),
        truncated=skeleton.truncated,
        overflow=np.zeros(none.size, bool),
        singular=evaluate.singular(),
        indistinct=np.asarray(problem.engine.indistinct()),
        nearly_indistinct=np.asarray(problem.engine.nearly_indistinct()),
    )
    return SearchResult(
        graph,
        SepSets(sepsets.nodes, sepsets.found),
        repeat(constraints.tested_alone(skeleton.p_values(evaluate))),
        info,
        None if levels is None else CausalGraph(repeat(levels)),
    )
