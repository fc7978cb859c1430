"""Colliders that the tests see and that background knowledge rules out."""

from functools import partial

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool

from jaxcause.discovery._orientation.neighbourhoods import (
    gather,
    neighbour_lists,
    padded_to,
    separations,
)
from jaxcause.graph import SepSets


@partial(jax.jit, static_argnames=("width",))
def colliders_against(
    adjacency: Bool[Array, "graphs nodes nodes"],
    sepsets: SepSets,
    no_arrowhead: Bool[Array, "known known"],
    *,
    width: int,
) -> Bool[Array, "graphs b s"]:
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
    hoods = gather(adjacency.astype(jnp.int8), lists)
    separated, holding = separations(hoods, sepsets)
    ruled_out = gather((adjacency & known[None]).astype(jnp.int8), lists).inner > 0
    return (separated & ~holding).any(axis=3) & ruled_out
