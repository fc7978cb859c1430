"""Candidates: the nodes that the pairs of one level may condition on, in lists of one width."""

import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Int

from jaxcause.discovery._orientation.neighbourhoods import neighbour_lists
from jaxcause.discovery._problem import Problem
from jaxcause.discovery._traced.rows import Rows
from jaxcause.discovery._traced.skeleton import Skeleton


def candidate_rows(
    problem: Problem,
    skeleton: Skeleton,
    allowed: Bool[Array, "graphs nodes nodes"],
) -> tuple[Rows, Bool[Array, "graphs"]]:
    """A row for each end of each pair to test, and which graphs have more candidates than the cap.

    The pairs are edges, and pairs that knowledge keeps apart until a set separates them.

    Args:
        problem: Test, knowledge and limits.
        skeleton: The search so far.
        allowed: Entry ``[i, k]``: k may be conditioned on for a pair of i.
    """
    width, adjacency = problem.max_degree, skeleton.adjacency
    n = allowed.shape[1]
    unseparated = skeleton.unseparated(problem)
    n_partners = width if problem.constraints.decided is None else n
    neighbours = neighbour_lists(unseparated, n_partners)
    listed = neighbour_lists(allowed, width)
    x = jnp.broadcast_to(jnp.arange(n, dtype=jnp.int32)[None, :, None], neighbours.shape)
    y = jnp.minimum(neighbours, n - 1)
    real = neighbours < n
    candidates = jnp.broadcast_to(listed[:, :, None, :], (*x.shape, width))
    keep = (candidates < n) & (candidates != y[..., None])
    candidates = jnp.minimum(candidates, n - 1)
    keep = without_later(problem, candidates, keep, x, y)
    candidates, n_candidates = compact(candidates, keep)
    most = jnp.maximum(adjacency.sum(axis=2), allowed.sum(axis=2)).max(axis=1, initial=0)
    return Rows(x, y, jnp.asarray(real), candidates, n_candidates), most > width


def without_later(
    problem: Problem,
    candidates: Int[Array, "graphs nodes rows width"],
    keep: Bool[Array, "graphs nodes rows width"],
    x: Int[Array, "graphs nodes rows"],
    y: Int[Array, "graphs nodes rows"],
) -> Bool[Array, "graphs nodes rows width"]:
    """``keep`` without the candidates that lie in a later tier than both x and y."""
    if problem.constraints.tiers is None:
        return keep
    tiers = jnp.asarray(problem.constraints.tiers)
    return keep & (tiers[candidates] <= jnp.maximum(tiers[x], tiers[y])[..., None])


def compact(
    candidates: Int[Array, "*rows width"], keep: Bool[Array, "*rows width"]
) -> tuple[Int[Array, "*rows width"], Int[Array, "*rows"]]:
    """Move what is kept to the front of each row, and count it."""
    order = jnp.argsort(~keep, axis=-1, stable=True)
    return jnp.take_along_axis(candidates, order, axis=-1), keep.sum(axis=-1, dtype=jnp.int32)
