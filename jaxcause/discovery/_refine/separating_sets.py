"""Separating sets of the nodes of an unrolled series."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from jaxcause.graph import SepSets


class SeparatingSets(NamedTuple):
    """Which pairs a set separates, and its members.

    Args:
        found: Whether a set separates i and j.
        member: Whether k is in the set of i and j.
    """

    found: Bool[np.ndarray, "nodes nodes"]
    member: Bool[np.ndarray, "nodes nodes nodes"]

    @classmethod
    def none(cls, n_nodes: int) -> "SeparatingSets":
        """No pair is separated."""
        return cls(np.zeros((n_nodes,) * 2, bool), np.zeros((n_nodes,) * 3, bool))

    def add(self, later: "SeparatingSets") -> "SeparatingSets":
        """These sets, and the later ones for pairs that these do not separate."""
        new = later.found & ~self.found
        member = np.where(new[:, :, None], later.member, self.member)
        return SeparatingSets(self.found | new, member)

    def with_copies(self, copies: Bool[np.ndarray, "nodes nodes"]) -> "SeparatingSets":
        """The sets with the copies of their members: what holds one of them holds what all say."""
        member = self.member.copy()
        for node in np.flatnonzero(copies.any(axis=1)):
            member[:, :, node] |= self.member[:, :, copies[node]].any(axis=2)
            member[node, :, node] = member[:, node, node] = False
        return SeparatingSets(self.found, member)

    def at_every_time(self, n_vars: int) -> "SeparatingSets":
        """The sets of pairs whose later end is at lag 0, repeated along the window."""
        n = len(self.found)
        newest = np.arange(n) < n_vars
        own = self.found & (newest[:, None] | newest)
        found, member = own.copy(), self.member & own[:, :, None]
        shifted = member.copy()
        for shift in range(n_vars, n, n_vars):
            kept = n - shift
            found[shift:, shift:] |= own[:kept, :kept]
            shifted[shift:, shift:, shift:] |= member[:kept, :kept, :kept]
        return SeparatingSets(found, shifted)

    def as_sepsets(self) -> SepSets:
        """The same sets as lists of nodes."""
        width = max(1, int(self.member.sum(axis=2).max(initial=0)))
        order = np.argsort(~self.member, axis=2, kind="stable")[:, :, :width]
        held = np.take_along_axis(self.member, order, axis=2)
        return SepSets(np.where(held, order, -1).astype(np.int32), self.found)
