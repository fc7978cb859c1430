"""The problem that a search solves: a test, its level, limits, and knowledge as arrays."""

from pathlib import Path
from typing import Any, NamedTuple, TypedDict

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh
from jaxtyping import Bool, Float, Int, Int8

from jaxcause._checks import InputError
from jaxcause._typing import AnyArray, CITest
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


class SearchOptions(TypedDict, total=False):
    """Options of every search: `pc`, `fci` and `icd`."""

    max_cond_size: int | None
    node_mask: Bool[AnyArray, "*graphs nodes"] | None
    sepset: str
    caps: Caps | None
    mesh: Mesh | None
    checkpoint: str | Path | None


class PagSearchOptions(SearchOptions, total=False):
    """Options of searches whose graph is a PAG: `fci` and `icd`."""

    knowledge: BackgroundKnowledge | None
    selection_bias: bool | None


class Constraints(NamedTuple):
    """Background knowledge as the arrays that a search reads.

    Args:
        possible: Edges that may exist.
        tested: Pairs, x before y, that stand for themselves. Tests look at all of them: what
            separates a pair without an edge orients the edges around it, even where knowledge, not
            a test, has ruled the edge out.
        decided: Pairs whose edge knowledge has ruled out or required; None if there are none.
        required: Entry ``[i, j]``: i → j is there.
        cannot_cause: Entry ``[i, j]``: i → j is impossible; None if nothing is.
        not_ancestor: Entry ``[i, j]``: i is no ancestor of j, by tiers or a required edge.
        late: Entry ``[i, j]``: only the edge i → j is impossible, while i may be an ancestor of j,
            so that it says something of pairs that are adjacent in the end; None if there is none.
        tiers: Order of the nodes, if there is one.
        copies: Pair that stands for each pair, if any stands for another.
    """

    possible: Bool[np.ndarray, "nodes nodes"]
    tested: Bool[np.ndarray, "nodes nodes"]
    decided: Bool[np.ndarray, "nodes nodes"] | None
    required: Bool[np.ndarray, "nodes nodes"]
    cannot_cause: Bool[np.ndarray, "nodes nodes"] | None
    not_ancestor: Bool[np.ndarray, "nodes nodes"]
    late: Bool[np.ndarray, "nodes nodes"] | None
    tiers: Int[np.ndarray, "nodes"] | None
    copies: Int[np.ndarray, "nodes nodes"] | None

    @classmethod
    def none(cls, n_nodes: int) -> "Constraints":
        """No background knowledge."""
        every, none = np.ones((n_nodes, n_nodes), bool), np.zeros((n_nodes, n_nodes), bool)
        return cls(
            possible=~np.eye(n_nodes, dtype=bool),
            tested=np.triu(every, 1),
            decided=None,
            required=none,
            cannot_cause=None,
            not_ancestor=none,
            late=None,
            tiers=None,
            copies=None,
        )

    @classmethod
    def of(cls, knowledge: BackgroundKnowledge, *, latents: bool) -> "Constraints":
        """The constraints that background knowledge sets.

        Args:
            knowledge: What is known.
            latents: Whether causes may be hidden. A pair of which neither node causes the other has
                no edge if none is; if one may be, only an edge that is forbidden both ways is left
                out, while tiers and one forbidden direction make it ``<->``.
        """
        cannot, required = knowledge.cannot_cause, np.asarray(knowledge.required)
        own, tiers = knowledge.stands_for_itself, np.asarray(knowledge.tiers)
        pairs = ~np.eye(len(tiers), dtype=bool)
        possible = ~(knowledge.never_adjacent if latents else cannot & cannot.T) & pairs
        decided = (~possible | required | required.T) & pairs
        not_ancestor = required.T | (tiers[:, None] > tiers)
        late = cannot & possible & ~not_ancestor
        return cls(
            possible=possible,
            tested=np.triu(own, 1),
            decided=decided if decided.any() else None,
            required=required,
            cannot_cause=cannot if cannot.any() else None,
            not_ancestor=not_ancestor,
            late=late if late.any() else None,
            tiers=tiers if (tiers != tiers[:1]).any() else None,
            copies=None if own.all() else np.asarray(knowledge.stationary),
        )

    @property
    def marks_edges(self) -> bool:
        """Whether some marks are known beforehand."""
        return self.cannot_cause is not None

    @property
    def known_tails(self) -> Bool[AnyArray, "nodes nodes"] | None:
        """Entry ``[i, j]``: the mark at j is a tail, since j → i is required; None if unknown."""
        return None if self.cannot_cause is None else self.required.T

    @property
    def doubtful_directions(self) -> Bool[AnyArray, "nodes nodes"] | None:
        """Entry ``[i, j]``: i → j is impossible, and tests may count against that; None if none is.

        They do not count against the order of time.
        """
        if self.cannot_cause is None or self.copies is None:
            return self.cannot_cause
        return self.required.T if self.late is None else self.required.T | self.late

    def repeat(self, whole: AnyArray) -> AnyArray:
        """Copy what is at each representative pair to all the pairs that it stands for."""
        if self.copies is None:
            return whole
        return whole.reshape(*whole.shape[:-2], -1)[..., self.copies]

    def orient(
        self, adjacency: Bool[AnyArray, "graphs nodes nodes"], *, last: bool = False
    ) -> Int8[AnyArray, "graphs nodes nodes"]:
        """Circles, but an arrowhead at i where i → j is impossible, and i → j where required.

        Args:
            adjacency: The edges.
            last: Whether no edge will be removed any more, so that what is known of edges alone
                holds as well.
        """
        xp = np if isinstance(adjacency, np.ndarray) else jnp
        marks = xp.where(adjacency, xp.int8(Mark.CIRCLE), xp.int8(Mark.NONE))
        if self.cannot_cause is None:
            return marks
        no_cause = self.not_ancestor
        if last and self.late is not None:
            no_cause = no_cause | self.late
        marks = xp.where(adjacency & no_cause.T[None], xp.int8(Mark.ARROW), marks)
        return xp.where(adjacency & self.required.T[None], xp.int8(Mark.TAIL), marks)

    def keep_required(
        self, adjacency: Bool[AnyArray, "graphs nodes nodes"], mask: Bool[AnyArray, "graphs nodes"]
    ) -> Bool[AnyArray, "graphs nodes nodes"]:
        """The edges with those that are required, whatever the tests say of them."""
        if self.decided is None:
            return adjacency
        both = (self.required | self.required.T)[None]
        return adjacency | (both & mask[:, :, None] & mask[:, None, :])

    def n_contradicted(
        self,
        separated: Bool[AnyArray, "graphs nodes nodes"],
        mask: Bool[AnyArray, "graphs nodes"],
        truncated: Bool[AnyArray, "graphs"],
    ) -> Int[AnyArray, "graphs"] | int:
        """Pairs of which the tests say the contrary of what knowledge decided.

        They separate the ends of a required edge, or do not separate those of an edge that was
        ruled out though no set is left to try.
        """
        if self.decided is None:
            return 0
        looked = (self.decided & self.tested)[None] & mask[:, :, None] & mask[:, None, :]
        joined = self.possible[None] & separated
        apart = ~self.possible[None] & ~separated & ~truncated[:, None, None]
        return (looked & (joined | apart)).sum(axis=(1, 2), dtype=np.int32)

    def tested_alone(
        self, values: Float[AnyArray, "graphs nodes nodes"]
    ) -> Float[AnyArray, "graphs nodes nodes"]:
        """``values`` of the pairs that tests decided, NaN at those that knowledge decided."""
        if self.decided is None:
            return values
        xp = np if isinstance(values, np.ndarray) else jnp
        return xp.where(self.decided[None], xp.full_like(values, xp.nan), values)

    def directions(
        self, adjacency: Bool[np.ndarray, "graphs nodes nodes"]
    ) -> Int8[np.ndarray, "graphs nodes nodes"] | None:
        """Marks of the edges if each of them can point in one direction only; else None."""
        cannot = self.cannot_cause
        if cannot is None:
            return None if adjacency.any() else np.zeros(adjacency.shape, np.int8)
        if (adjacency & (cannot == cannot.T)).any():
            return None
        marks = np.where(cannot.T, np.int8(Mark.ARROW), np.int8(Mark.TAIL))
        return np.where(adjacency, marks, np.int8(Mark.NONE))


def check_knowledge(knowledge: Any) -> None:
    """Raise unless ``knowledge`` is background knowledge, or none."""
    if knowledge is not None and not isinstance(knowledge, BackgroundKnowledge):
        raise InputError(
            f"knowledge is of type {type(knowledge).__name__}, but must be BackgroundKnowledge; "
            "write BackgroundKnowledge(…) or BackgroundKnowledge.named(names, …)"
        )


def selection_applies(selection_bias: bool | None, knowledge: BackgroundKnowledge | None) -> bool:
    """Whether edges may be due to selection (rules R5–R7).

    What is known not to cause a node has an arrowhead there only if nothing was selected by its
    values: where i causes what decides the selection, i has a tail although it does not cause j.

    Raises:
        InputError: Selection was asked for together with such knowledge, or it is none.
    """
    check_knowledge(knowledge)
    gives_marks = False
    if knowledge is not None:
        gives_marks = bool((knowledge.cannot_cause & ~knowledge.never_adjacent).any())
    if selection_bias and gives_marks:
        raise InputError(
            "selection_bias=True does not go with tiers, required edges or edges forbidden one way:"
            " under selection they say nothing about marks; set selection_bias=False"
        )
    return not gives_marks if selection_bias is None else selection_bias


class TracedInputs(NamedTuple):
    """The arrays that a search with `Caps` takes.

    Args:
        test: The test.
        alpha: Level of significance.
        constraints: Knowledge.
        mask: Which nodes take part.
    """

    test: CITest
    alpha: Float[Array, ""]
    constraints: Constraints
    mask: Bool[Array, "graphs nodes"]


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
