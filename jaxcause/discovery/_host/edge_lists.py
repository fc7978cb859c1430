"""Edges of a batch of graphs as lists: memory goes with their number, whatever the degrees.

A node of a batch is numbered ``graph * n_nodes + node``. An entry, ``node * n_nodes + neighbour``,
is a place in a flattened matrix ``[graphs, nodes, nodes]``. What looks at pairs of neighbours does
so in blocks, so that a hub costs time and no memory.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from jaxcause.graph import SepSets

TRIPLES_PER_BLOCK = 1 << 18
"""Triples that are looked at together: some ten words each."""

Entries = Int[np.ndarray, "some"]


class EdgeLists(NamedTuple):
    """Both directions of every edge, in ascending order of their entries.

    Args:
        n: Nodes of each graph.
        entry: Place of each direction in a flattened matrix.
        owner: Number of the node that it leaves.
        start: Where the list of each node begins, and where the last one ends.
    """

    n: int
    entry: Int[np.ndarray, "ends"]
    owner: Int[np.ndarray, "ends"]
    start: Int[np.ndarray, "nodes_and_end"]

    @classmethod
    def of(cls, adjacency: Bool[np.ndarray, "graphs nodes nodes"]) -> "EdgeLists":
        """The edges of some graphs."""
        n_graphs, n = adjacency.shape[:2]
        entry = np.flatnonzero(adjacency)
        owner = entry // n
        start = np.zeros(n_graphs * n + 1, np.int64)
        np.cumsum(np.bincount(owner, minlength=n_graphs * n), out=start[1:])
        return cls(n, entry, owner, start)

    def node(self, entry: Entries) -> Entries:
        """Number of the node to which each entry leads."""
        owner, neighbour = np.divmod(entry, self.n)
        return owner - owner % self.n + neighbour

    def between(self, a: Entries, b: Entries) -> Entries:
        """The entries that lead from nodes a to nodes b of the same graphs."""
        return a * self.n + b % self.n

    def turned(self, entry: Entries) -> Entries:
        """The entries that lead the other way."""
        return self.between(self.node(entry), entry // self.n)

    def around(self, node: Entries) -> Iterator[tuple[Entries, Entries]]:
        """Each of some nodes with each of its neighbours: positions in ``node``, and neighbours."""
        for row, at in _blocks(self.start[node], self.start[node + 1]):
            yield row, self.node(self.entry[at])

    def triples(self) -> Iterator[tuple[Entries, Entries]]:
        """Each pair of edges at a node, once: places of both in the lists, the first before."""
        place = np.arange(self.entry.size)
        yield from _blocks(place + 1, self.start[self.owner + 1])


def _blocks(start: Entries, stop: Entries) -> Iterator[tuple[Entries, Entries]]:
    """Rows and what each of them counts through, some rows at a time."""
    counts = stop - start
    ends = np.cumsum(counts)
    first, n_rows = 0, counts.size
    while first < n_rows:
        done = int(ends[first - 1]) if first else 0
        last = int(np.searchsorted(ends, done + TRIPLES_PER_BLOCK, side="right"))
        last = min(n_rows, max(first + 1, last))
        row = np.repeat(np.arange(first, last), counts[first:last])
        yield row, np.arange(done, done + row.size) - (ends - counts - start)[row]
        first = last


class SeparatedPairs(NamedTuple):
    """What separated pairs say about the nodes between them.

    Args:
        adjacency: The edges, flattened.
        found: Which pairs a set has separated, flattened.
        members: The sets: ``[entries, k]``.
        n: Nodes of each graph.
    """

    adjacency: Bool[np.ndarray, "entries"]
    found: Bool[np.ndarray, "entries"]
    members: Int[np.ndarray, "entries k"]
    alike: Int[np.ndarray, "owners"]
    n: int

    @classmethod
    def of(
        cls, adjacency: Bool[np.ndarray, "graphs nodes nodes"], sepsets: SepSets
    ) -> "SeparatedPairs":
        """The separating sets beside the edges."""
        (nodes, every), n = sepsets.classes(), adjacency.shape[1]
        flat = np.asarray(nodes).reshape(adjacency.size, nodes.shape[-1])
        alike = np.broadcast_to(np.asarray(every), adjacency.shape[:2]).reshape(-1)
        return cls(adjacency.reshape(-1), np.asarray(sepsets.found).reshape(-1), flat, alike, n)

    def known(self, pair: Entries | slice) -> Bool[np.ndarray, "some"]:
        """Which pairs are two nodes without an edge that a set has separated."""
        return self.found[pair] & ~self.adjacency[pair]

    def colliders(self, edges: EdgeLists) -> Iterator[tuple[Entries, Entries]]:
        """Edges at a node whose other ends were separated without it: their places in the lists.

        In a graph with almost all edges, few pairs are separated, and far fewer than there are
        pairs of edges at a node: there each of them is asked for the nodes between.
        """
        degree = np.diff(edges.start)
        n_separated = self.known(np.s_[:]).reshape(degree.size, -1).sum(axis=1)
        if n_separated @ degree < degree @ (degree - 1):
            yield from self._between_separated(edges, degree)
            return
        for one, other in edges.triples():
            pair = edges.between(edges.node(edges.entry[one]), edges.entry[other])
            at = np.flatnonzero(self.known(pair))
            middle = self.alike[edges.owner[one[at]]]
            at = at[~(self.members[pair[at]] == middle[:, None]).any(axis=1)]
            yield one[at], other[at]

    def _between_separated(
        self, edges: EdgeLists, degree: Int[np.ndarray, "owners"]
    ) -> Iterator[tuple[Entries, Entries]]:
        """The same, found from the pairs that were separated."""
        pair = np.flatnonzero(self.known(np.s_[:]))
        pair = pair[pair // self.n % self.n < pair % self.n]
        s, t = pair // self.n, edges.node(pair)
        few = np.where(degree[s] <= degree[t], s, t)
        for row, middle in edges.around(few):
            first, second = edges.between(middle, s[row]), edges.between(middle, t[row])
            at = np.flatnonzero(self.adjacency[first] & self.adjacency[second])
            inside = self.members[pair[row[at]]] == self.alike[middle[at]][:, None]
            at = at[~inside.any(axis=1)]
            yield np.searchsorted(edges.entry, first[at]), np.searchsorted(edges.entry, second[at])


def count_colliders_against(
    adjacency: Bool[np.ndarray, "graphs nodes nodes"],
    sepsets: SepSets,
    no_arrowhead: Bool[np.ndarray, "nodes nodes"],
) -> Int[np.ndarray, "graphs"]:
    """Ends of edges where the tests see a collider and knowledge allows no arrowhead.

    Args:
        adjacency: The skeletons.
        sepsets: What separated the pairs that are not adjacent.
        no_arrowhead: Entry ``[s, b]``: the edge between s and b has no arrowhead at b.
    """
    edges = EdgeLists.of(adjacency)
    seen = np.zeros(edges.entry.size, bool)
    for one, other in SeparatedPairs.of(adjacency, sepsets).colliders(edges):
        seen[one] = seen[other] = True
    middle, end = edges.owner % edges.n, edges.entry % edges.n
    against = seen & no_arrowhead[end, middle]
    return np.bincount(edges.owner[against] // edges.n, minlength=len(adjacency))
