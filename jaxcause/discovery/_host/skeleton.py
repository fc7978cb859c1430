"""Skeleton search: level by level, each level over the graphs frozen at its start."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxcause._memory import check_memory
from jaxcause.discovery._host.evaluator import Evaluator
from jaxcause.discovery._host.rows import Pairs, Rows, Separations
from jaxcause.discovery._host.upper_triangle import packed, place, symmetric
from jaxcause.discovery._problem import Problem
from jaxcause.graph import SepSets
from jaxcause.graph._sepsets import first_of_copies


class Level(NamedTuple):
    """What one level tested and found.

    Args:
        pairs: Pairs that were tested; none are listed where all pairs were tested at once.
        strength: Of each pair, the test that came closest to independence.
        separated: Whether some set separated it.
        sets: The set, where one did.
        n_tests: Tests in each graph.
        n_edges: Edges of each graph that are left.
    """

    pairs: Pairs
    strength: Float[np.ndarray, "pairs"]
    separated: Bool[np.ndarray, "pairs"]
    sets: Int[np.ndarray, "pairs k"]
    n_tests: Int[np.ndarray, "graphs"]
    n_edges: Int[np.ndarray, "graphs"]


class Skeleton(NamedTuple):
    """State of a search between two levels (host side).

    Args:
        adjacency: Edges that are left.
        unseparated: Pairs, x before y, that no set has separated so far.
        independent: Pairs, x before y, that level 0 found independent all at once.
        marginal: Values of the pairs, x before y, that level 0 tested all at once, NaN elsewhere;
            what stands below the diagonal does not count.
        levels: What each level did.
        truncated: Whether a cap may have stopped the search before it was done.
    """

    adjacency: Bool[np.ndarray, "graphs nodes nodes"]
    unseparated: Bool[np.ndarray, "graphs nodes nodes"]
    independent: Bool[np.ndarray, "graphs nodes nodes"]
    marginal: Float[np.ndarray, "graphs nodes nodes"]
    levels: tuple[Level, ...]
    truncated: Bool[np.ndarray, "graphs"]

    def sepsets(self, problem: Problem) -> SepSets:
        """The separating set of every pair that was found independent."""
        n_graphs, n = self.adjacency.shape[:2]
        width = max((level.sets.shape[1] for level in self.levels), default=0)
        check_memory(
            f"the separating sets, of up to {width} of {n} nodes,",
            4.0 * n_graphs * n * n * width,
            "give a smaller max_cond_size",
        )
        nodes = np.full((n_graphs, n, n, width), -1, np.int32)
        found = self.independent | np.swapaxes(self.independent, 1, 2)
        for level in self.levels:
            pairs, sets = level.pairs.at(level.separated), level.sets[level.separated]
            pairs.write(found, True)
            if sets.shape[1]:
                ordered = np.full((len(sets), width), -1, np.int32)
                ordered[:, : sets.shape[1]] = np.sort(sets, axis=1)
                pairs.write(nodes, ordered)
        copies = np.asarray(problem.engine.indistinct())
        return SepSets(nodes, found, first_of_copies(copies) if copies.any() else None)

    def p_values(self, evaluate: Evaluator) -> Float[np.ndarray, "graphs nodes nodes"]:
        """Largest p-value among the tests of each pair up to the one that separated it."""
        strength = evaluate.marginal_strength(packed(self.marginal))
        for level in self.levels:
            graph, x, y = level.pairs
            at = graph, place(x, y, self.marginal.shape[1])
            strength[at] = np.fmin(strength[at], level.strength)
        return symmetric(evaluate.p_values(strength), self.marginal.shape[1])


def every_possible_edge(problem: Problem) -> Skeleton:
    """The skeleton before any test: all edges that knowledge and mask allow."""
    mask = np.asarray(problem.mask)
    pairs = mask[:, :, None] & mask[:, None, :]
    unknown = np.full(pairs.shape, np.nan)
    return Skeleton(
        adjacency=problem.constraints.possible & pairs,
        unseparated=problem.constraints.tested & pairs,
        independent=np.zeros_like(pairs),
        marginal=unknown,
        levels=(),
        truncated=np.zeros(len(mask), bool),
    )


def run_level_0(problem: Problem, evaluate: Evaluator, skeleton: Skeleton) -> Skeleton:
    """Remove every edge whose ends are independent given nothing."""
    constraints, looked = problem.constraints, skeleton.unseparated
    marginal = problem.engine.marginal_values()
    if marginal is None:
        pairs = Pairs.where(looked)
        no_candidates = np.full((pairs.x.size, 1), -1, np.int32)
        none = np.zeros(pairs.x.size, np.int64)
        rows = Rows.own(np.arange(pairs.x.size), pairs, no_candidates, none)
        return run_level(problem, evaluate, skeleton, pairs, rows, 0)
    independent = evaluate.separates(marginal) & looked
    adjacency = skeleton.adjacency & ~(independent | np.swapaxes(independent, 1, 2))
    adjacency = constraints.keep_required(adjacency, np.asarray(problem.mask))
    adjacency = np.asarray(constraints.repeat(adjacency))
    none = np.zeros(0, np.int64)
    level = Level(
        pairs=Pairs(none, none, none),
        strength=np.zeros(0),
        separated=np.zeros(0, bool),
        sets=np.zeros((0, 0), np.int32),
        n_tests=count_entries(looked),
        n_edges=count_entries(adjacency) // 2,
    )
    return skeleton._replace(
        adjacency=adjacency,
        unseparated=looked & ~independent,
        independent=independent,
        marginal=np.where(looked, marginal, np.nan),
        levels=(*skeleton.levels, level),
    )


def run_level(
    problem: Problem,
    evaluate: Evaluator,
    skeleton: Skeleton,
    pairs: Pairs,
    rows: Rows,
    size: int,
) -> Skeleton:
    """Remove each pair that some set of ``size`` candidates in its rows separates.

    The candidates were drawn before anything is removed, so the result depends neither on the order
    of the pairs nor on how they are batched.
    """
    return remove(problem, skeleton, pairs, evaluate(rows, size))


def remove(problem: Problem, skeleton: Skeleton, pairs: Pairs, found: Separations) -> Skeleton:
    """Remove the pairs that were separated, and their copies, and note the level."""
    adjacency, unseparated = skeleton.adjacency.copy(), skeleton.unseparated.copy()
    for edges in (adjacency, unseparated):
        pairs.at(found.separated).write(edges, False)
    adjacency = problem.constraints.keep_required(adjacency, np.asarray(problem.mask))
    adjacency = np.asarray(problem.constraints.repeat(adjacency))
    level = Level(
        pairs=pairs,
        strength=found.strength,
        separated=found.separated,
        sets=found.sets,
        n_tests=np.bincount(pairs.graph, found.n_tests, len(adjacency)).astype(np.int64),
        n_edges=count_entries(adjacency) // 2,
    )
    return skeleton._replace(
        adjacency=adjacency, unseparated=unseparated, levels=(*skeleton.levels, level)
    )


def count_entries(mask: np.ndarray) -> np.ndarray:
    """Entries of each graph that hold; a loop over large graphs is faster than a sum over axes."""
    if mask.shape[1] < 128:
        return mask.sum(axis=(1, 2))
    return np.array([np.count_nonzero(graph) for graph in mask], np.int64)
