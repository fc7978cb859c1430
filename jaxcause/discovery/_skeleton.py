"""Skeleton search: level by level, each level over the graphs frozen at its start."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxcause.discovery._evaluator import Evaluator, Rows
from jaxcause.graph import BackgroundKnowledge, SepSets


class Pairs(NamedTuple):
    """Pairs of nodes in a batch of graphs, x before y."""

    graph: Int[np.ndarray, "pairs"]
    x: Int[np.ndarray, "pairs"]
    y: Int[np.ndarray, "pairs"]

    def at(self, index: np.ndarray) -> "Pairs":
        """The pairs at an index, or where a mask holds."""
        return Pairs(self.graph[index], self.x[index], self.y[index])


class LevelInfo(NamedTuple):
    """What one level did in each graph."""

    n_tests: Int[np.ndarray, "graphs"]
    n_edges: Int[np.ndarray, "graphs"]


class Skeleton(NamedTuple):
    """State of a search between two levels (host side).

    Args:
        adjacency: Edges that are left.
        strength: Of each pair, the test that came closest to independence, as the evaluator
            measures it; NaN where nothing was tested.
        separated: Pairs found independent, with their sets, in the order of levels.
        levels: What each level did.
        truncated: Whether a cap may have stopped the search before it was done.
    """

    adjacency: Bool[np.ndarray, "graphs nodes nodes"]
    strength: Float[np.ndarray, "graphs nodes nodes"]
    separated: tuple[tuple[Pairs, Int[np.ndarray, "pairs k"]], ...]
    levels: tuple[LevelInfo, ...]
    truncated: Bool[np.ndarray, "graphs"]

    def sepsets(self) -> SepSets:
        """The separating set of every pair that was found independent."""
        n_graphs, n = self.adjacency.shape[:2]
        width = max((sets.shape[1] for _, sets in self.separated), default=0)
        nodes = np.full((n_graphs, n, n, width), -1, np.int32)
        found = np.zeros((n_graphs, n, n), bool)
        for pairs, sets in self.separated:
            size, ordered = sets.shape[1], np.sort(sets, axis=1)
            for i, j in ((pairs.x, pairs.y), (pairs.y, pairs.x)):
                found[pairs.graph, i, j] = True
                if size:
                    nodes[pairs.graph, i, j, :size] = ordered
        return SepSets(nodes=nodes, found=found)


def every_possible_edge(
    knowledge: BackgroundKnowledge, mask: Bool[np.ndarray, "graphs nodes"]
) -> Skeleton:
    """The skeleton before any test: all edges that knowledge and mask allow."""
    cannot = knowledge.cannot_cause
    possible = ~(cannot & cannot.T) & ~np.eye(mask.shape[1], dtype=bool)
    return Skeleton(
        adjacency=possible & mask[:, :, None] & mask[:, None, :],
        strength=np.full((*mask.shape, mask.shape[1]), np.nan),
        separated=(),
        levels=(),
        truncated=np.zeros(mask.shape[0], bool),
    )


def testable_pairs(skeleton: Skeleton, knowledge: BackgroundKnowledge) -> Pairs:
    """Edges that a test may remove."""
    required = np.asarray(knowledge.required)
    tested = np.triu(knowledge.stands_for_itself & ~(required | required.T), 1)
    return Pairs(*np.nonzero(skeleton.adjacency & tested))


def test_level_0(
    skeleton: Skeleton, evaluate: Evaluator, knowledge: BackgroundKnowledge
) -> Skeleton:
    """Remove every edge whose ends are independent given nothing."""
    if not evaluate.gaussian:
        pairs = testable_pairs(skeleton, knowledge)
        return test_level(skeleton, evaluate, knowledge, pairs, 0, one_row_each(pairs))
    required = np.asarray(knowledge.required)
    tested = np.triu(knowledge.stands_for_itself & ~(required | required.T), 1)
    asked = skeleton.adjacency & tested
    independent, strength = evaluate.level_0()
    pairs = Pairs(*np.nonzero(independent & asked))
    strength = np.where(asked | np.swapaxes(asked, 1, 2), strength, np.nan)
    skeleton = skeleton._replace(strength=strength)
    nothing = np.zeros((pairs.x.size, 0), np.int32)
    return _removed(skeleton, knowledge, pairs, nothing, asked.sum(axis=(1, 2)))


def one_row_each(pairs: Pairs) -> Rows:
    """Rows without any candidate, one per pair."""
    n = pairs.x.size
    return Rows(
        np.arange(n),
        *(field.astype(np.int32) for field in pairs),
        candidates=np.zeros((n, 0), np.int32),
        n_candidates=np.zeros(n, np.int64),
    )


def test_level(
    skeleton: Skeleton,
    evaluate: Evaluator,
    knowledge: BackgroundKnowledge,
    pairs: Pairs,
    size: int,
    rows: Rows,
) -> Skeleton:
    """Remove each pair that some set of ``size`` candidates in its rows separates.

    The candidates were drawn before anything is removed, so the result depends neither on the order
    of the pairs nor on how they are batched.
    """
    found = evaluate(rows, size)
    here = pairs.at(np.arange(found.separated.size))
    strength = skeleton.strength.copy()
    closest = np.fmin(strength[here.graph, here.x, here.y], found.strength)
    strength[here.graph, here.x, here.y] = strength[here.graph, here.y, here.x] = closest
    n_tests = np.bincount(here.graph, found.n_tests, len(strength)).astype(np.int64)
    gone = found.separated
    skeleton = skeleton._replace(strength=strength)
    return _removed(skeleton, knowledge, here.at(gone), found.sets[gone], n_tests)


def _removed(
    skeleton: Skeleton,
    knowledge: BackgroundKnowledge,
    pairs: Pairs,
    sets: np.ndarray,
    n_tests: np.ndarray,
) -> Skeleton:
    """Take edges out, and their copies under stationarity, and note the level."""
    adjacency = skeleton.adjacency.copy()
    adjacency[pairs.graph, pairs.x, pairs.y] = adjacency[pairs.graph, pairs.y, pairs.x] = False
    if not knowledge.stands_for_itself.all():
        copies = np.asarray(knowledge.stationary)
        adjacency = adjacency.reshape(len(adjacency), -1)[:, copies]
    level = LevelInfo(n_tests, adjacency.sum(axis=(1, 2)) // 2)
    return skeleton._replace(
        adjacency=adjacency,
        separated=(*skeleton.separated, (pairs, sets)),
        levels=(*skeleton.levels, level),
    )
