"""Possible-d-sep: which nodes may separate a node from another when causes are unobserved."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Bool, Int8

from jaxcause._typing import AnyArray
from jaxcause.discovery._kernel.bits import boolean_product
from jaxcause.discovery._orientation.reachability import fixed_point
from jaxcause.graph import Mark


@jax.jit
def possible_d_sep(
    marks: Int8[Array, "graphs nodes nodes"],
    unknown: Bool[Array, "graphs nodes nodes"] | None = None,
) -> Bool[Array, "graphs nodes nodes"]:
    """Entry ``[x, y]``: a walk from x to y has, at every u, v, w, a collider at v or u, w adjacent.

    Args:
        marks: Marks of the graphs.
        unknown: Pairs that are not adjacent though no set is known that separates them
            (`unknown_separations`). The middle of such a triple may be a collider that no rule
            could orient, so that walks pass as they pass where the ends are adjacent.

    Source: Spirtes, Glymour & Scheines (2000), Possible-D-SEP.

    >>> import jax.numpy as jnp
    >>> path = jnp.array([[[0, 1, 0], [1, 0, 1], [0, 1, 0]]], jnp.int8)
    >>> possible_d_sep(path)[0, 0].tolist()
    [False, True, False]
    """
    adjacent, arrow = marks != Mark.NONE, marks == Mark.ARROW
    back = jnp.swapaxes(arrow, 1, 2)
    shielded = adjacent if unknown is None else adjacent | unknown
    nodes = jnp.arange(marks.shape[1], dtype=jnp.int32)

    def grow(steps: Array) -> Array:
        """One more edge (v, w) behind each edge (u, v) walked, w not being u."""
        into = steps & arrow
        n_into = into.sum(axis=1, dtype=jnp.int32)[:, :, None]
        others = n_into - jnp.swapaxes(into, 1, 2).astype(jnp.int32)
        triangle = boolean_product(jnp.swapaxes(steps, 1, 2), shielded)
        return steps | (adjacent & (triangle | ((others > 0) & back)))

    def from_x(x: Array) -> Array:
        start = adjacent & (nodes == x)[None, :, None]
        return fixed_point(grow, start).any(axis=1) & (nodes != x)[None]

    return jnp.moveaxis(lax.map(from_x, nodes), 0, 1)


def unknown_separations(
    marks: Int8[AnyArray, "graphs nodes nodes"], found: Bool[AnyArray, "graphs nodes nodes"]
) -> Bool[AnyArray, "graphs nodes nodes"]:
    """Pairs that are not adjacent though no set is known that separates them.

    Knowledge ruled their edge out, or they copy another pair under stationarity.
    """
    return (marks == Mark.NONE) & ~found & ~np.eye(marks.shape[-1], dtype=bool)[None]


def possible_ancestors(
    marks: Int8[Array, "graphs nodes nodes"],
) -> Bool[Array, "graphs nodes nodes"]:
    """Edges u, v that may be part of a directed path from u to v: no arrowhead at u, no tail at v.

    >>> import jax.numpy as jnp
    >>> possible_ancestors(jnp.array([[[0, 2], [1, 0]]], jnp.int8))[0].tolist()
    [[False, True], [False, False]]
    """
    outward = (marks == Mark.CIRCLE) | (marks == Mark.ARROW)
    away = (marks == Mark.CIRCLE) | (marks == Mark.TAIL)
    return outward & jnp.swapaxes(away, 1, 2)
