"""Colliders that the tests see and that background knowledge rules out."""

import numpy as np
from jaxtyping import Bool

from jaxcause._typing import AnyArray
from jaxcause.discovery._orientation.neighbourhoods import (
    gather,
    neighbour_lists,
    separations,
)
from jaxcause.graph import SepSets


def colliders_against(
    adjacency: Bool[AnyArray, "graphs nodes nodes"],
    sepsets: SepSets,
    *,
    no_arrowhead: Bool[AnyArray, "nodes nodes"],
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
    lists = neighbour_lists(adjacency, width)
    hoods = gather(adjacency.astype(np.int8), lists)
    separated, holding = separations(hoods, sepsets)
    ruled_out = gather((adjacency & no_arrowhead[None]).astype(np.int8), lists).inner > 0
    return (separated & ~holding).any(axis=3) & ruled_out
