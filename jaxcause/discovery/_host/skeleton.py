"""Skeleton search: level by level, each level over the graphs frozen at its start."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxcause.discovery._host.evaluator import Evaluator
from jaxcause.discovery._host.rows import Rows, Separations
from jaxcause.graph import BackgroundKnowledge, SepSets


class Pairs(NamedTuple):
    """Pairs of nodes in a batch of graphs."""

    graph: Int[np.ndarray, "pairs"]
    x: Int[np.ndarray, "pairs"]
    y: Int[np.ndarray, "pairs"]

    @classmethod
    def where(cls, mask: Bool[np.ndarray, "graphs nodes nodes"]) -> "Pairs":
        """All entries of a mask."""
        graph, pair = np.divmod(np.flatnonzero(mask), mask.shape[1] * mask.shape[2])
        return cls(graph, *np.divmod(pair, mask.shape[2]))

    def at(self, index: np.ndarray) -> "Pairs":
        """The pairs at an index, or where a mask holds."""
        return Pairs(self.graph[index], self.x[index], self.y[index])

    def write(self, whole: np.ndarray, values: object) -> None:
        """Put values at both entries of each pair."""
        whole[self.graph, self.x, self.y] = values
        whole[self.graph, self.y, self.x] = values


class Asked(NamedTuple):
    """What background knowledge asks of a search.

    Args:
        possible: Edges that may exist.
        tested: Pairs, x before y, that tests decide.
        required: Entry ``[i, j]``: i → j is there.
        cannot_cause: Entry ``[i, j]``: i → j is impossible.
        tiers: Order of the nodes, if there is one.
        copies: Pair that stands for each pair, if any stands for another.
    """

    possible: Bool[np.ndarray, "nodes nodes"]
    tested: Bool[np.ndarray, "nodes nodes"]
    required: Bool[np.ndarray, "nodes nodes"]
    cannot_cause: Bool[np.ndarray, "nodes nodes"]
    tiers: Int[np.ndarray, "nodes"] | None
    copies: Int[np.ndarray, "nodes nodes"] | None

    @classmethod
    def nothing(cls, n_nodes: int) -> "Asked":
        """No background knowledge."""
        every, none = np.ones((n_nodes, n_nodes), bool), np.zeros((n_nodes, n_nodes), bool)
        return cls(~np.eye(n_nodes, dtype=bool), np.triu(every, 1), none, none, None, None)

    @classmethod
    def by(cls, knowledge: BackgroundKnowledge) -> "Asked":
        """Read the knowledge once."""
        cannot, required = knowledge.cannot_cause, np.asarray(knowledge.required)
        own, tiers = knowledge.stands_for_itself, np.asarray(knowledge.tiers)
        return cls(
            possible=~(cannot & cannot.T) & ~np.eye(len(tiers), dtype=bool),
            tested=np.triu(own & ~(required | required.T), 1),
            required=required,
            cannot_cause=cannot,
            tiers=tiers if (tiers != tiers[:1]).any() else None,
            copies=None if own.all() else np.asarray(knowledge.stationary),
        )

    def repeated(self, whole: np.ndarray) -> np.ndarray:
        """Copy what is at each representative pair to all the pairs that it stands for."""
        if self.copies is None:
            return whole
        return whole.reshape(*whole.shape[:-2], -1)[..., self.copies]


class Level(NamedTuple):
    """What one level looked at and found.

    Args:
        pairs: Pairs that were tested; at level 0 none are listed.
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
        independent: Pairs, x before y, that level 0 found independent.
        looked: Pairs, x before y, that level 0 tested.
        levels: What each level did.
        truncated: Whether a cap may have stopped the search before it was done.
    """

    adjacency: Bool[np.ndarray, "graphs nodes nodes"]
    independent: Bool[np.ndarray, "graphs nodes nodes"]
    looked: Bool[np.ndarray, "graphs nodes nodes"]
    levels: tuple[Level, ...]
    truncated: Bool[np.ndarray, "graphs"]

    def sepsets(self) -> SepSets:
        """The separating set of every pair that was found independent."""
        n_graphs, n = self.adjacency.shape[:2]
        width = max((level.sets.shape[1] for level in self.levels), default=0)
        nodes = np.full((n_graphs, n, n, width), -1, np.int32)
        found = self.independent | np.swapaxes(self.independent, 1, 2)
        for level in self.levels:
            pairs, sets = level.pairs.at(level.separated), level.sets[level.separated]
            pairs.write(found, True)
            if sets.shape[1]:
                ordered = np.full((len(sets), width), -1, np.int32)
                ordered[:, : sets.shape[1]] = np.sort(sets, axis=1)
                pairs.write(nodes, ordered)
        return SepSets(nodes=nodes, found=found)

    def p_values(self, evaluate: Evaluator) -> Float[np.ndarray, "graphs nodes nodes"]:
        """Largest p-value among the tests of each pair up to the one that separated it."""
        strength = np.full(self.adjacency.shape, np.nan)
        if self.looked.any():
            looked = self.looked | np.swapaxes(self.looked, 1, 2)
            strength = np.where(looked, evaluate.strength_0(), np.nan)
        for level in self.levels:
            here = strength[level.pairs.graph, level.pairs.x, level.pairs.y]
            level.pairs.write(strength, np.fmin(here, level.strength))
        return evaluate.p_values(strength)


def every_possible_edge(asked: Asked, mask: Bool[np.ndarray, "graphs nodes"]) -> Skeleton:
    """The skeleton before any test: all edges that knowledge and mask allow."""
    adjacency = asked.possible & mask[:, :, None] & mask[:, None, :]
    nothing = np.zeros(adjacency.shape, bool)
    return Skeleton(adjacency, nothing, nothing, (), np.zeros(mask.shape[0], bool))


def test_level_0(skeleton: Skeleton, evaluate: Evaluator, asked: Asked) -> Skeleton:
    """Remove every edge whose ends are independent given nothing."""
    looked = skeleton.adjacency & asked.tested
    if not evaluate.gaussian:
        pairs = Pairs.where(looked)
        nobody = np.full((pairs.x.size, 1), -1, np.int32)
        n_candidates = np.zeros(pairs.x.size, np.int64)
        rows = Rows.own(np.arange(pairs.x.size), pairs, nobody, n_candidates)
        return test_level(skeleton, evaluate, asked, pairs, 0, rows)
    independent = evaluate.level_0() & looked
    adjacency = skeleton.adjacency & ~(independent | np.swapaxes(independent, 1, 2))
    adjacency = asked.repeated(adjacency)
    none = np.zeros(0, np.int64)
    level = Level(
        pairs=Pairs(none, none, none),
        strength=np.zeros(0),
        separated=np.zeros(0, bool),
        sets=np.zeros((0, 0), np.int32),
        n_tests=_count(looked),
        n_edges=_count(adjacency) // 2,
    )
    return skeleton._replace(
        adjacency=adjacency,
        independent=independent,
        looked=looked,
        levels=(*skeleton.levels, level),
    )


def test_level(
    skeleton: Skeleton,
    evaluate: Evaluator,
    asked: Asked,
    pairs: Pairs,
    size: int,
    rows: Rows,
) -> Skeleton:
    """Remove each pair that some set of ``size`` candidates in its rows separates.

    The candidates were drawn before anything is removed, so the result depends neither on the order
    of the pairs nor on how they are batched.
    """
    return remove(skeleton, asked, pairs, evaluate(rows, size))


def remove(skeleton: Skeleton, asked: Asked, pairs: Pairs, found: Separations) -> Skeleton:
    """Take out the pairs that were separated, and their copies, and note the level."""
    adjacency = skeleton.adjacency.copy()
    pairs.at(found.separated).write(adjacency, False)
    adjacency = asked.repeated(adjacency)
    level = Level(
        pairs=pairs,
        strength=found.strength,
        separated=found.separated,
        sets=found.sets,
        n_tests=np.bincount(pairs.graph, found.n_tests, len(adjacency)).astype(np.int64),
        n_edges=_count(adjacency) // 2,
    )
    return skeleton._replace(adjacency=adjacency, levels=(*skeleton.levels, level))


def _count(mask: np.ndarray) -> np.ndarray:
    """Entries of each graph that hold; a loop over large graphs is faster than a sum over axes."""
    if mask.shape[1] < 128:
        return mask.sum(axis=(1, 2))
    return np.array([np.count_nonzero(graph) for graph in mask], np.int64)
