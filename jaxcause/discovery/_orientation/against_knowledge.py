"""Colliders that the tests see and that background knowledge rules out."""

import numpy as np
from jaxtyping import Bool

from jaxcause._small_work import numpy_or_xla
from jaxcause._typing import AnyArray
from jaxcause.discovery._orientation.neighbourhoods import (
    gather,
    neighbour_lists,
    padded_to,
    separations,
)
from jaxcause.graph import SepSets


@numpy_or_xla(lambda shape: 1e-3 + 1e-5 * shape[0] * shape[1], price=0.3, static=("width",))
def colliders_against(
    adjacency: Bool[AnyArray, "graphs nodes nodes"],
    sepsets: SepSets,
    *,
    no_arrowhead: Bool[AnyArray, "known known"],
    width: int,
) -> Bool[AnyArray, "graphs b s"]:
    """Entry ``[b, s]``: the tests make b a collider between its neighbour s and another one.

    Only edges are counted at which knowledge allows no arrowhead at b.

    Args:
        adjacency: The skeletons.
        sepsets: What separated the pairs that are not adjacent.
        no_arrowhead: Entry ``[s, b]``: the edge between s and b has no arrowhead at b.
        width: Largest degree.
    """
    known = padded_to(no_arrowhead, adjacency.shape[1])
    lists = neighbour_lists(adjacency, width)
    hoods = gather(adjacency.astype(np.int8), lists)
    separated, holding = separations(hoods, sepsets)
    ruled_out = gather((adjacency & known[None]).astype(np.int8), lists).inner > 0
    return (separated & ~holding).any(axis=3) & ruled_out
