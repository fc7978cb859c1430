"""Orientation of a CPDAG by lists of edges: what the host does in place of tiles.

It gives the marks of `jaxcause.discovery._orientation.cpdag.orient_cpdag`, the formula that runs
inside a traced program, pass by pass. A pass looks only at rules with an edge that the pass before
has directed: of the others either some premise still fails, or they have fired already. So every
edge is looked at once, and memory goes with the number of edges.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int8

from jaxcause.discovery._host.edge_lists import EdgeLists, Entries, SeparatedPairs
from jaxcause.graph import Mark, SepSets


class Triples(NamedTuple):
    """What is known of triples s, b, t, where b is a neighbour of s and of t.

    Args:
        colliders: Pairs of places in the lists of b: the edges to s and to t have arrowheads at b.
        non_collider: Whether nodes b are no colliders between s and t; s and t are not adjacent.
    """

    colliders: Iterator[tuple[Entries, Entries]]
    non_collider: Callable[[Entries, Entries, Entries], Bool[np.ndarray, "some"]]


def triples_by_sepset(edges: EdgeLists, separated: SeparatedPairs) -> Triples:
    """B is a collider where the set that separated s and t lacks it, and none where it holds it.

    Colliders count as none here, too: no rule that asks can apply to them.
    """
    return Triples(separated.colliders(edges), lambda b, s, t: separated.known(edges.between(s, t)))


def orient_by_edges(
    adjacency: Bool[np.ndarray, "graphs nodes nodes"],
    sepsets: SepSets,
    triples: Triples | None = None,
    *,
    cannot_cause: Bool[np.ndarray, "nodes nodes"] | None,
) -> Int8[np.ndarray, "graphs nodes nodes"]:
    """Orient skeletons: knowledge first, then colliders, then Meek's rules.

    Args:
        adjacency: The skeletons.
        sepsets: What separated the pairs that are not adjacent.
        triples: Which triples are colliders and which are none; by default by ``sepsets``.
        cannot_cause: Entry ``[i, j]``: ``i → j`` is impossible; None if nothing is.
    """
    edges = EdgeLists.of(adjacency)
    if triples is None:
        triples = triples_by_sepset(edges, SeparatedPairs.of(adjacency, sepsets))
    marks = np.where(adjacency, np.int8(Mark.TAIL), np.int8(Mark.NONE))
    flat, refused = marks.reshape(-1), np.zeros(edges.entry.size, bool)
    if cannot_cause is not None:
        refused = cannot_cause[edges.entry % edges.n, edges.owner % edges.n]
        flat[edges.entry[refused]] = Mark.ARROW
    into = np.zeros(edges.entry.size, bool)
    for one, other in triples.colliders:
        at = ~(refused[one] | refused[other])
        into[one[at]] = into[other[at]] = True
    flat[edges.turned(edges.entry[into])] = Mark.ARROW
    return _closed(Meek(edges, flat, triples)).reshape(adjacency.shape)


def _closed(rules: "Meek") -> Int8[np.ndarray, "entries"]:
    """The marks when no rule directs an edge any more; edges that are directed both ways last."""
    marks, edges = rules.marks, rules.edges
    new = edges.entry[rules.directed(edges.entry)]
    while new.size:
        found = new[:0]
        for more in rules.fired_by(new):
            if more.size:
                found = np.unique(np.concatenate([found, more]))
        marks[found] = Mark.ARROW
        new = found[rules.directed(found)]
    arrow = edges.entry[marks[edges.entry] == Mark.ARROW]
    marks[arrow[marks[edges.turned(arrow)] == Mark.ARROW]] = Mark.CONFLICT
    return marks


class Meek(NamedTuple):
    """Meek's rules, each of which turns an edge b — s into b → s.

    (1) a → b — s, a and s non-adjacent; (2) b → c → s; (3) b — c → s and b — d → s, c and d
    non-adjacent; (4) b — c → d → s, c and s non-adjacent, d a neighbour of b. In (1), (3) and (4)
    the middle of the non-adjacent nodes is known to be no collider.

    Args:
        edges: The edges.
        marks: Their marks, flattened.
        triples: Which triples are no colliders.
    """

    edges: EdgeLists
    marks: Int8[np.ndarray, "entries"]
    triples: Triples

    def directed(self, entry: Entries) -> Bool[np.ndarray, "some"]:
        """Which entries i, j are i → j."""
        return self._both(entry, Mark.ARROW)

    def free(self, i: Entries, j: Entries) -> Bool[np.ndarray, "some"]:
        """Between which nodes there is an edge i — j."""
        return self._both(self.edges.between(i, j), Mark.TAIL)

    def fired_by(self, new: Entries) -> Iterator[Entries]:
        """Entries b, s that some rule directs because of newly directed edges i → j."""
        between = self.edges.between
        i, j = new // self.edges.n, self.edges.node(new)
        for row, near in self.edges.around(j):
            from_i, from_j = i[row], j[row]
            at = np.flatnonzero(self.free(from_j, near))
            at = at[self.triples.non_collider(from_j[at], from_i[at], near[at])]
            yield between(from_j[at], near[at])  # rule 1
            at = np.flatnonzero(self.free(from_i, near))
            yield from self._rule_4(near[at], from_i[at], from_j[at])
            at = at[self.directed(between(from_j[at], near[at]))]
            yield between(from_i[at], near[at])  # rule 2, first edge
        for row, near in self.edges.around(i):
            at = np.flatnonzero(self.free(near, j[row]))
            near, to_i, to_j = near[at], i[row[at]], j[row[at]]
            yield from self._rule_3(near, to_i, to_j)
            yield from self._rule_4_by_its_last_edge(near, to_i, to_j)
            at = np.flatnonzero(self.directed(between(near, to_i)))
            yield between(near[at], to_j[at])  # rule 2, last edge

    def _rule_3(self, b: Entries, c: Entries, s: Entries) -> Iterator[Entries]:
        """Of edges b — s with c → s new."""
        at = np.flatnonzero(self.free(b, c))
        b, c, s = b[at], c[at], s[at]
        for row, d in self.edges.around(b):
            at = np.flatnonzero(self.directed(self.edges.between(d, s[row])))
            at = at[self.free(b[row[at]], d[at])]
            row, d = row[at], d[at]
            at = row[self.triples.non_collider(b[row], c[row], d)]
            yield self.edges.between(b[at], s[at])

    def _rule_4(self, b: Entries, c: Entries, d: Entries) -> Iterator[Entries]:
        """Of edges b — c with c → d new."""
        for row, s in self.edges.around(d):
            at = np.flatnonzero(self.free(b[row], s))
            at = at[self.directed(self.edges.between(d[row[at]], s[at]))]
            row, s = row[at], s[at]
            at = np.flatnonzero(self.triples.non_collider(b[row], c[row], s))
            yield self.edges.between(b[row[at]], s[at])

    def _rule_4_by_its_last_edge(self, b: Entries, d: Entries, s: Entries) -> Iterator[Entries]:
        """Of edges b — s with d → s new."""
        for row, c in self.edges.around(d):
            at = np.flatnonzero(self.free(b[row], c))
            at = at[self.directed(self.edges.between(c[at], d[row[at]]))]
            row, c = row[at], c[at]
            at = row[self.triples.non_collider(b[row], c, s[row])]
            yield self.edges.between(b[at], s[at])

    def _both(self, entry: Entries, mark: Mark) -> Bool[np.ndarray, "some"]:
        """Which entries have ``mark`` at their end and a tail at their beginning."""
        at = self.marks[entry] == mark
        some = np.flatnonzero(at)
        at[some] = self.marks[self.edges.turned(entry[some])] == Mark.TAIL
        return at
