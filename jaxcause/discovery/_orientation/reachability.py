"""Reachability, and walks over packed edges: what the orientation rules ask of paths."""

import numpy as np
from jaxtyping import Bool, UInt32

from jaxcause._namespace import fixed_point
from jaxcause._typing import AnyArray
from jaxcause.discovery._kernel.bits import boolean_product, intersects, pack


def reachable(edges: Bool[AnyArray, "graphs nodes nodes"]) -> Bool[AnyArray, "graphs nodes nodes"]:
    """Entry ``[i, j]``: j is i or can be reached from i."""
    start = edges | np.eye(edges.shape[-1], dtype=bool)[None]
    return fixed_point(lambda r: boolean_product(r, r), start)


def uncovered_walks(
    start: Bool[AnyArray, "graphs nodes nodes"],
    steps: Bool[AnyArray, "graphs nodes nodes"],
    non_adjacent: Bool[AnyArray, "graphs nodes nodes"],
) -> Bool[AnyArray, "graphs nodes nodes"]:
    """Edges on a walk from ``start`` over ``steps`` that is uncovered.

    In every u, v, w on the walk, u and w are non-adjacent.
    """
    return fixed_point(
        lambda walked: walked | (boolean_product(walked.swapaxes(1, 2), non_adjacent) & steps),
        start,
    )


def spread(
    sets: UInt32[AnyArray, "graphs c d words"], edges: Bool[AnyArray, "graphs c q p"]
) -> UInt32[AnyArray, "graphs c d words"]:
    """Add to the set of each c and d every p with an edge of c from a member q."""
    sources = pack(edges.swapaxes(2, 3))[:, :, None]
    # Compiled, this comparison is never held as a whole: memory goes with the cube of n.
    return fixed_point(lambda sets: sets | pack(intersects(sets[:, :, :, None], sources)), sets)
