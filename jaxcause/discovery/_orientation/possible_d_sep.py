"""Possible-d-sep: which nodes may separate a node from another when causes are unobserved."""

import numpy as np
from jaxtyping import Bool, Int8

from jaxcause._namespace import each, fixed_point, namespace
from jaxcause._typing import AnyArray, NodeIndex
from jaxcause.discovery._kernel.bits import boolean_product
from jaxcause.graph import Mark


def possible_d_sep(
    marks: Int8[AnyArray, "graphs nodes nodes"],
    unknown: Bool[AnyArray, "graphs nodes nodes"] | None = None,
) -> Bool[AnyArray, "graphs nodes nodes"]:
    """Entry ``[x, y]``: a walk from x to y has, at every u, v, w, a collider at v or u, w adjacent.

    Args:
        marks: Marks of the graphs.
        unknown: Pairs that are not adjacent though no set is known that separates them
            (`unknown_separations`). The middle of such a triple may be a collider that no rule
            could orient, so that walks pass as they pass where the ends are adjacent.

    Source: Spirtes, Glymour & Scheines (2000), Possible-D-SEP.

    >>> path = np.array([[[0, 1, 0], [1, 0, 1], [0, 1, 0]]], np.int8)
    >>> possible_d_sep(path)[0, 0].tolist()
    [False, True, False]
    """
    xp, adjacent, arrow = namespace(marks), marks != Mark.NONE, marks == Mark.ARROW
    back = arrow.swapaxes(1, 2)
    shielded = adjacent if unknown is None else adjacent | unknown
    nodes = np.arange(marks.shape[1], dtype=np.int32)

    def grow(steps: AnyArray) -> AnyArray:
        """One more edge (v, w) behind each edge (u, v) walked, w not being u."""
        into = steps & arrow
        n_into = into.sum(axis=1, dtype=np.int32)[:, :, None]
        others = n_into - into.swapaxes(1, 2).astype(np.int32)
        triangle = boolean_product(steps.swapaxes(1, 2), shielded)
        return steps | (adjacent & (triangle | ((others > 0) & back)))

    def from_x(x: NodeIndex) -> AnyArray:
        start = adjacent & (nodes == x)[None, :, None]
        return fixed_point(grow, start).any(axis=1) & (nodes != x)[None]

    return xp.moveaxis(each(from_x, xp.asarray(nodes)), 0, 1)


def unknown_separations(
    marks: Int8[AnyArray, "graphs nodes nodes"], found: Bool[AnyArray, "graphs nodes nodes"]
) -> Bool[AnyArray, "graphs nodes nodes"]:
    """Pairs that are not adjacent though no set is known that separates them.

    Knowledge ruled their edge out, or they copy another pair under stationarity.
    """
    return (marks == Mark.NONE) & ~found & ~np.eye(marks.shape[-1], dtype=bool)[None]


def possible_ancestors(
    marks: Int8[AnyArray, "graphs nodes nodes"],
) -> Bool[AnyArray, "graphs nodes nodes"]:
    """Edges u, v that may be part of a directed path from u to v: no arrowhead at u, no tail at v.

    >>> possible_ancestors(np.array([[[0, 2], [1, 0]]], np.int8))[0].tolist()
    [[False, True], [False, False]]
    """
    outward = (marks == Mark.CIRCLE) | (marks == Mark.ARROW)
    away = (marks == Mark.CIRCLE) | (marks == Mark.TAIL)
    return outward & away.swapaxes(1, 2)
