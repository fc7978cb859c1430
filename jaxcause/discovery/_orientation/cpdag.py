"""Orientation of a CPDAG: v-structures and Meek's rules, as fixed points of array operations.

Every rule acts simultaneously: it reads the marks as they stood when it began, so the result does
not depend on how nodes are numbered. In these graphs ``i → j`` has a tail at i and an arrowhead at
j, and ``i — j`` has two tails. An edge that rules orient in both directions, because the data
contradict themselves, has two arrowheads while they run, and is marked as a conflict in the end.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Bool, Int8

from jaxcause.discovery._kernel.bits import boolean_product
from jaxcause.discovery._orientation.neighbourhoods import (
    Neighbourhoods,
    gather,
    neighbour_lists,
    padded_to,
    separations,
    write_inner,
    write_outer,
)
from jaxcause.graph import Mark, SepSets

_TAIL, _ARROW = jnp.int8(Mark.TAIL), jnp.int8(Mark.ARROW)


@partial(jax.jit, static_argnames=("width",))
def orient_cpdag(
    adjacency: Bool[Array, "graphs nodes nodes"],
    sepsets: SepSets,
    cannot_cause: Bool[Array, "known known"] | None,
    votes: tuple[Bool[Array, "graphs b s t"], Bool[Array, "graphs b s t"]] | None,
    *,
    width: int,
) -> Int8[Array, "graphs nodes nodes"]:
    """Orient skeletons: knowledge first, then colliders, then Meek's rules.

    A collider that knowledge rules out on either side is not oriented. Where knowledge, not a set,
    keeps two nodes apart, nothing says whether a node between them is a collider, and no rule
    takes it as a non-collider. With true knowledge the result is all that can be known (Meek 1995).

    Args:
        adjacency: The skeletons.
        sepsets: What separated the pairs that are not adjacent.
        cannot_cause: Entry ``[i, j]``: ``i → j`` is impossible; None if nothing is. Nodes beyond
            its size are padding.
        votes: For each neighbourhood which triples s, b, t are colliders and which are not; by
            default a triple is a collider where s and t were separated without b.
        width: Largest degree.

    Source: Spirtes, Glymour & Scheines (2000), step C of PC, all colliders at once; Meek (1995),
    "Causal inference and causal explanation with background knowledge".
    """
    lists = neighbour_lists(adjacency, width)
    possible = adjacency
    if cannot_cause is not None:
        possible = adjacency & ~padded_to(cannot_cause, adjacency.shape[1])[None]
    arrow = adjacency & ~jnp.swapaxes(possible, 1, 2)
    marks = jnp.where(arrow, _ARROW, jnp.where(adjacency, _TAIL, jnp.int8(Mark.NONE)))
    hoods = gather(marks, lists)
    if votes is None:
        separated, holding = separations(hoods, sepsets)
        collider, non_collider = separated & ~holding, separated
    else:
        collider, non_collider = votes
    allowed = gather(possible.astype(jnp.int8), lists).inner > 0
    into = (collider & allowed[:, :, :, None] & allowed[:, :, None, :]).any(axis=3)
    marks = write_inner(marks, lists, into, _ARROW)

    def unfinished(carry: tuple[Array, Array]) -> Array:
        return (carry[0] != carry[1]).any()

    def apply(carry: tuple[Array, Array]) -> tuple[Array, Array]:
        marks = carry[1]
        into_s = _meek(gather(marks, lists), non_collider)
        return marks, write_outer(marks, lists, into_s, _ARROW)

    marks = lax.while_loop(unfinished, apply, (jnp.full_like(marks, -1), marks))[1]
    both = (marks == Mark.ARROW) & (jnp.swapaxes(marks, 1, 2) == Mark.ARROW)
    return jnp.where(both, jnp.int8(Mark.CONFLICT), marks)


def _meek(
    hoods: Neighbourhoods, non_collider: Bool[Array, "graphs b s t"]
) -> Bool[Array, "graphs b s"]:
    """Entry ``[b, s]``: some rule turns b — s into b → s.

    With b the node of the neighbourhood: (1) a → b — s, a and s non-adjacent; (2) b → c → s;
    (3) b — c → s and b — d → s, c and d non-adjacent; (4) b — c → d → s, c and s non-adjacent. In
    (1), (3) and (4) the middle of the non-adjacent nodes is known to be no collider.
    """
    directed = (hoods.among == Mark.ARROW) & (jnp.swapaxes(hoods.among, 2, 3) == Mark.TAIL)
    free = (hoods.inner == Mark.TAIL) & (hoods.outer == Mark.TAIL)
    incoming = (hoods.inner == Mark.ARROW) & (hoods.outer == Mark.TAIL)
    outgoing = (hoods.inner == Mark.TAIL) & (hoods.outer == Mark.ARROW)
    rule_1 = (incoming[:, :, :, None] & non_collider).any(axis=2)
    rule_2 = (outgoing[:, :, :, None] & directed).any(axis=2)
    through = free[:, :, :, None] & directed
    rule_3 = (through & boolean_product(non_collider, through)).any(axis=2)
    rule_4 = (free[:, :, :, None] & boolean_product(directed, directed) & non_collider).any(axis=2)
    return free & (rule_1 | rule_2 | rule_3 | rule_4)
