"""Reachability, and walks over packed edges: what the orientation rules ask of paths."""

from collections.abc import Callable

import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Bool, UInt32

from jaxcause.discovery._kernel.bits import boolean_product, pack, unpack


def fixed_point(grow: Callable[[Array], Array], start: Array) -> Array:
    """Apply ``grow`` until it changes nothing."""

    def unfinished(carry: tuple[Array, Array]) -> Array:
        return (carry[0] != carry[1]).any()

    before = jnp.zeros_like(start)
    return lax.while_loop(unfinished, lambda c: (c[1], grow(c[1])), (before, start))[1]


def reachable(edges: Bool[Array, "graphs nodes nodes"]) -> Bool[Array, "graphs nodes nodes"]:
    """Entry ``[i, j]``: j is i or can be reached from i."""
    start = edges | jnp.eye(edges.shape[-1], dtype=bool)[None]
    return fixed_point(lambda r: boolean_product(r, r), start)


def uncovered_walks(
    start: Bool[Array, "graphs nodes nodes"],
    steps: Bool[Array, "graphs nodes nodes"],
    non_adjacent: Bool[Array, "graphs nodes nodes"],
) -> Bool[Array, "graphs nodes nodes"]:
    """Edges on a walk from ``start`` over ``steps`` that is uncovered.

    In every u, v, w on the walk, u and w are non-adjacent.
    """

    def grow(reached: Array) -> Array:
        return reached | (boolean_product(jnp.swapaxes(reached, 1, 2), non_adjacent) & steps)

    return fixed_point(grow, start)


def spread(
    sets: UInt32[Array, "graphs c d words"], edges: Bool[Array, "graphs c q p"]
) -> UInt32[Array, "graphs c d words"]:
    """Add to the set of each c and d every p with an edge of c from a member q."""
    n = edges.shape[2]
    targets = pack(edges)[:, :, None]

    def grow(reached: Array) -> Array:
        member = unpack(reached, n)
        new = jnp.where(member[..., None], targets, jnp.uint32(0))
        return reached | lax.reduce(new, jnp.uint32(0), lax.bitwise_or, (3,))

    return fixed_point(grow, sets)
