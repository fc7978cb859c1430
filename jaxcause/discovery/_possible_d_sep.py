"""Possible-d-sep: which nodes may separate a node from another when causes are unobserved."""

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Bool, Int8

from jaxcause.discovery._orientation import joined
from jaxcause.graph import Mark


@jax.jit
def possible_d_sep(marks: Int8[Array, "nodes nodes"]) -> Bool[Array, "nodes nodes"]:
    """Entry ``[x, y]``: a walk from x to y has, at every u, v, w, a collider at v or u, w adjacent.

    Source: Spirtes, Glymour & Scheines (2000), Possible-D-SEP.

    >>> import jax.numpy as jnp
    >>> chain = jnp.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], jnp.int8)
    >>> possible_d_sep(chain)[0].tolist()
    [False, True, False]
    """
    n = marks.shape[0]
    adjacent, arrow = marks != Mark.NONE, marks == Mark.ARROW
    nodes = jnp.arange(n, dtype=jnp.int32)

    def grow(steps: Array) -> Array:
        """One more edge (v, w) behind each edge (u, v) walked, w not being u."""
        into = steps & arrow
        others = into.sum(axis=0, dtype=jnp.int32)[:, None] - into.T.astype(jnp.int32)
        collider = (others > 0) & arrow.T
        return steps | (adjacent & (joined(steps.T, adjacent) | collider))

    def from_x(x: Array) -> Array:
        start = adjacent & (nodes == x)[:, None]
        steps = lax.fori_loop(0, n, lambda _, s: grow(s), start)
        return steps.any(axis=0) & (nodes != x)

    return lax.map(from_x, nodes)
