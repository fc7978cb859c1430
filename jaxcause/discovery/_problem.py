"""The problem that a search solves: a test, its level, limits, and knowledge as arrays."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Int, Int8

from jaxcause._typing import AnyArray
from jaxcause.discovery._kernel.engine import Engine
from jaxcause.graph import BackgroundKnowledge, Mark


class Caps(NamedTuple):
    """Static bounds of a search that runs as one compiled program.

    Args:
        max_degree: Candidates that a node may have; more of them make the search overflow.
        max_cond_size: Largest conditioning set.
    """

    max_degree: int
    max_cond_size: int


class Constraints(NamedTuple):
    """Background knowledge as the arrays that a search reads.

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
    def none(cls, n_nodes: int) -> "Constraints":
        """No background knowledge."""
        every, none = np.ones((n_nodes, n_nodes), bool), np.zeros((n_nodes, n_nodes), bool)
        return cls(~np.eye(n_nodes, dtype=bool), np.triu(every, 1), none, none, None, None)

    @classmethod
    def of(cls, knowledge: BackgroundKnowledge) -> "Constraints":
        """The constraints that background knowledge sets."""
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

    def repeat(self, whole: AnyArray) -> AnyArray:
        """Copy what is at each representative pair to all the pairs that it stands for."""
        if self.copies is None:
            return whole
        return whole.reshape(*whole.shape[:-2], -1)[..., self.copies]

    def orient(self, adjacency: Bool[AnyArray, "graphs nodes nodes"]) -> Int8[AnyArray, "..."]:
        """Circles, but an arrowhead at what comes later, and i → j where that is required."""
        xp = np if isinstance(adjacency, np.ndarray) else jnp
        into = self.required
        if self.tiers is not None:
            into = into | (self.tiers[:, None] < self.tiers[None, :])
        marks = xp.where(adjacency, xp.int8(Mark.CIRCLE), xp.int8(Mark.NONE))
        marks = xp.where(adjacency & into[None], xp.int8(Mark.ARROW), marks)
        return xp.where(adjacency & self.required.T[None], xp.int8(Mark.TAIL), marks)

    def directions(
        self, adjacency: Bool[np.ndarray, "graphs nodes nodes"]
    ) -> Int8[np.ndarray, "graphs nodes nodes"] | None:
        """Marks of the edges if each of them can point in one direction only; else None."""
        cannot = self.cannot_cause
        if (adjacency & (cannot == cannot.T)).any():
            return None
        marks = np.where(cannot.T, np.int8(Mark.ARROW), np.int8(Mark.TAIL))
        return np.where(adjacency, marks, np.int8(Mark.NONE))


class Problem(NamedTuple):
    """What to search in a batch of graphs with one leading axis, and how.

    Args:
        engine: The conditional independence test.
        alpha: X and Y are independent given S iff p > alpha.
        constraints: Background knowledge.
        mask: Nodes that take part.
        max_p: Take the separating set with the largest p-value, not the first.
        max_cond_size: Largest conditioning set; as many as there are nodes if there is no limit.
        max_degree: Candidates that a node may have; only a traced search has such a limit.
    """

    engine: Engine
    alpha: float | Float[Array, ""]
    constraints: Constraints
    mask: Bool[AnyArray, "graphs nodes"]
    max_p: bool
    max_cond_size: int
    max_degree: int

    @property
    def is_comparison(self) -> bool:
        """Whether p-values are compared with alpha and no more: such a search compiles nothing.

        Level 0 ends it, and knowledge gives every possible edge its direction.
        """
        possible = self.constraints.possible[None]
        return self.max_cond_size == 0 and self.constraints.directions(possible) is not None
