"""Which set separated which pair."""

import numpy as np
from jaxtyping import Bool, Int

from jaxcause._namespace import any_along, namespace
from jaxcause._pytree import pytree_dataclass
from jaxcause._typing import AnyArray


@pytree_dataclass()
class SepSets:
    """Separating sets of the pairs that a search found independent; symmetric in the pair.

    Args:
        nodes: Members of each set in ascending order, padded with -1: ``[..., nodes, nodes, k]``.
        found: Whether a pair has a separating set; the empty set counts: ``[..., nodes, nodes]``.
        alike: For each node the first of its copies, itself if it has none: a set that holds one
            of them holds what all of them say. None if no node has a copy.

    >>> import numpy as np
    >>> sepsets = SepSets.empty(3).record(np.array([0]), np.array([2]), np.array([[1]]))
    >>> sepsets.get(2, 0), sepsets.get(0, 1)
    (frozenset({1}), None)
    """

    nodes: Int[AnyArray, "*graphs nodes nodes k"]
    found: Bool[AnyArray, "*graphs nodes nodes"]
    alike: Int[AnyArray, "*graphs nodes"] | None = None

    @classmethod
    def empty(cls, n_nodes: int) -> "SepSets":
        """No pair is separated yet."""
        return cls(
            nodes=np.full((n_nodes, n_nodes, 0), -1, np.int32),
            found=np.zeros((n_nodes, n_nodes), bool),
        )

    def record(
        self,
        x: Int[np.ndarray, "pairs"],
        y: Int[np.ndarray, "pairs"],
        sets: Int[np.ndarray, "pairs size"],
    ) -> "SepSets":
        """New sepsets in which ``sets`` separate the pairs ``(x, y)`` (host side)."""
        nodes = widen(np.array(self.nodes), sets.shape[1])
        found = np.array(self.found)
        for a, b in ((x, y), (y, x)):
            nodes[a, b] = -1
            nodes[a, b, : sets.shape[1]] = np.sort(sets, axis=1)
            found[a, b] = True
        return SepSets(nodes=nodes, found=found)

    def get(self, x: int, y: int) -> frozenset[int] | None:
        """The set that separated x and y of one graph, or None."""
        if not bool(self.found[x, y]):
            return None
        return frozenset(int(node) for node in np.asarray(self.nodes[x, y]) if node >= 0)

    def membership(self) -> Bool[AnyArray, "*graphs nodes nodes nodes"]:
        """Entry ``[i, j, k]``: k is in the set that separated i and j."""
        every = np.arange(self.nodes.shape[-2], dtype=self.nodes.dtype)
        every = every.reshape(*[1] * self.nodes.ndim, -1)
        return any_along(self.nodes[..., None] == every, -2)

    def classes(
        self,
    ) -> tuple[Int[AnyArray, "graphs nodes nodes k"], Int[AnyArray, "#graphs nodes"]]:
        """The members of each set, and every node, as the first of their copies (a batch).

        >>> nodes, found = np.array([[[[-1], [1]], [[1], [-1]]]]), np.array([[[False, True]] * 2])
        >>> sets, every = SepSets(nodes, found, np.array([[0, 0]])).classes()
        >>> sets[0, 0, 1].tolist(), every.tolist()
        ([0], [[0, 0]])
        """
        xp = namespace(self.nodes)
        nodes = xp.asarray(self.nodes)
        if self.alike is None:
            return nodes, np.arange(nodes.shape[1], dtype=nodes.dtype)[None]
        alike = xp.asarray(self.alike)
        graph = np.arange(nodes.shape[0], dtype=np.int32).reshape(-1, 1, 1, 1)
        first = alike[graph, xp.maximum(nodes, np.zeros((), nodes.dtype))]
        return xp.where(nodes >= 0, first, nodes), alike


def first_of_copies(copies: Bool[AnyArray, "graphs nodes nodes"]) -> Int[AnyArray, "graphs nodes"]:
    """For each node the first node that is a copy of it, itself if none is before it."""
    xp, own = namespace(copies), np.eye(copies.shape[-1], dtype=bool)[None]
    return xp.argmax(copies | own, axis=-1).astype(np.int32)


def widen(nodes: np.ndarray, width: int) -> np.ndarray:
    """``nodes`` with a last axis of at least ``width``, padded with -1; as they are if it is."""
    extra = max(0, width - nodes.shape[-1])
    if not extra:
        return nodes
    return np.pad(nodes, [(0, 0)] * (nodes.ndim - 1) + [(0, extra)], constant_values=-1)
