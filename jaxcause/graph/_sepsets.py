"""Which set separated which pair."""

import numpy as np
from jaxtyping import Bool, Int

from jaxcause._namespace import any_along
from jaxcause._pytree import pytree_dataclass
from jaxcause._typing import AnyArray


@pytree_dataclass()
class SepSets:
    """Separating sets of the pairs that a search found independent; symmetric in the pair.

    Args:
        nodes: Members of each set in ascending order, padded with -1: ``[..., nodes, nodes, k]``.
        found: Whether a pair has a separating set; the empty set counts: ``[..., nodes, nodes]``.

    >>> import numpy as np
    >>> sepsets = SepSets.empty(3).record(np.array([0]), np.array([2]), np.array([[1]]))
    >>> sepsets.get(2, 0), sepsets.get(0, 1)
    (frozenset({1}), None)
    """

    nodes: Int[AnyArray, "*graphs nodes nodes k"]
    found: Bool[AnyArray, "*graphs nodes nodes"]

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


def widen(nodes: np.ndarray, width: int) -> np.ndarray:
    """``nodes`` with a last axis of at least ``width``, padded with -1; as they are if it is."""
    extra = max(0, width - nodes.shape[-1])
    if not extra:
        return nodes
    return np.pad(nodes, [(0, 0)] * (nodes.ndim - 1) + [(0, extra)], constant_values=-1)
