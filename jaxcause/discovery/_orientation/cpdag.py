"""Orientation of a CPDAG inside a traced program: v-structures and Meek's rules on tiles.

Caps bound the degrees, and so the memory. On the host, where nothing bounds them,
`jaxcause.discovery._host.cpdag` gives the same marks by lists of edges.

Every rule acts simultaneously: it reads the marks as they stood when it began, so the result does
not depend on how nodes are numbered. In these graphs ``i → j`` has a tail at i and an arrowhead at
j, and ``i — j`` has two tails. An edge that rules orient in both directions, because the data
contradict themselves, has two arrowheads while they run, and is marked as a conflict in the end.
"""

import numpy as np
from jaxtyping import Bool, Int8

from jaxcause._namespace import any_along, fixed_point, namespace
from jaxcause._typing import AnyArray
from jaxcause.discovery._kernel.bits import boolean_product
from jaxcause.discovery._orientation.neighbourhoods import (
    Neighbourhoods,
    gather,
    neighbour_lists,
    separations,
    write_inner,
    write_outer,
)
from jaxcause.graph import Mark, SepSets

_TAIL, _ARROW = np.int8(Mark.TAIL), np.int8(Mark.ARROW)


def orient_cpdag(
    adjacency: Bool[AnyArray, "graphs nodes nodes"],
    sepsets: SepSets,
    *,
    cannot_cause: Bool[AnyArray, "nodes nodes"] | None,
    width: int,
) -> Int8[AnyArray, "graphs nodes nodes"]:
    """Orient skeletons: knowledge first, then colliders, then Meek's rules.

    A collider that knowledge rules out on either side is not oriented. Where knowledge, not a set,
    keeps two nodes apart, nothing says whether a node between them is a collider, and no rule
    takes it as a non-collider. With true knowledge the result is all that can be known (Meek 1995).

    Args:
        adjacency: The skeletons.
        sepsets: What separated the pairs that are not adjacent.
        cannot_cause: Entry ``[i, j]``: ``i → j`` is impossible; None if nothing is.
        width: Largest degree.

    Source: Spirtes, Glymour & Scheines (2000), step C of PC, all colliders at once; Meek (1995),
    "Causal inference and causal explanation with background knowledge".
    """
    xp, lists, possible = namespace(adjacency), neighbour_lists(adjacency, width), adjacency
    if cannot_cause is not None:
        possible = adjacency & ~cannot_cause[None]
    arrow = adjacency & ~possible.swapaxes(1, 2)
    marks = xp.where(arrow, _ARROW, xp.where(adjacency, _TAIL, np.int8(Mark.NONE)))
    hoods = gather(marks, lists)
    separated, holding = separations(hoods, sepsets)
    collider = separated & ~holding
    allowed = gather(possible.astype(np.int8), lists).inner > 0
    into = any_along(collider & allowed[:, :, :, None] & allowed[:, :, None, :], 3)
    marks = write_inner(marks, lists, into, _ARROW)

    def grow(marks: AnyArray) -> AnyArray:
        into_s = _meek(gather(marks, lists), separated)
        return write_outer(marks, lists, into_s, _ARROW)

    marks = fixed_point(grow, marks)
    both = (marks == Mark.ARROW) & (marks.swapaxes(1, 2) == Mark.ARROW)
    return xp.where(both, np.int8(Mark.CONFLICT), marks)


def _meek(
    hoods: Neighbourhoods, non_collider: Bool[AnyArray, "graphs b s t"]
) -> Bool[AnyArray, "graphs b s"]:
    """Entry ``[b, s]``: some rule turns b — s into b → s.

    With b the node of the neighbourhood: (1) a → b — s, a and s non-adjacent; (2) b → c → s;
    (3) b — c → s and b — d → s, c and d non-adjacent; (4) b — c → d → s, c and s non-adjacent. In
    (1), (3) and (4) the middle of the non-adjacent nodes is known to be no collider.
    """
    directed = (hoods.among == Mark.ARROW) & (hoods.among.swapaxes(2, 3) == Mark.TAIL)
    free = (hoods.inner == Mark.TAIL) & (hoods.outer == Mark.TAIL)
    incoming = (hoods.inner == Mark.ARROW) & (hoods.outer == Mark.TAIL)
    outgoing = (hoods.inner == Mark.TAIL) & (hoods.outer == Mark.ARROW)
    rule_1 = (incoming[:, :, :, None] & non_collider).any(axis=2)
    rule_2 = (outgoing[:, :, :, None] & directed).any(axis=2)
    through = free[:, :, :, None] & directed
    rule_3 = (through & boolean_product(non_collider, through)).any(axis=2)
    rule_4 = (free[:, :, :, None] & boolean_product(directed, directed) & non_collider).any(axis=2)
    return free & (rule_1 | rule_2 | rule_3 | rule_4)
