"""Orientation rules, as fixed points of array operations.

Every rule acts simultaneously: it reads the marks as they stood when it began, so the result does
not depend on how nodes are numbered. In these graphs ``i → j`` has a tail at i and an arrowhead at
j, ``i — j`` has two tails, and ``i ↔ j`` (two arrowheads) is an edge on which the data contradict
themselves: some rule asked for each direction.
"""

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Bool, Int8

from jaxcause.graph import Mark, SepSets

_TAIL, _ARROW = jnp.int8(Mark.TAIL), jnp.int8(Mark.ARROW)


@jax.jit
def undirected(
    adjacency: Bool[Array, "nodes nodes"], cannot_cause: Bool[Array, "nodes nodes"]
) -> Int8[Array, "nodes nodes"]:
    """Marks of a skeleton: edges that may point only one way are directed, others have tails."""
    arrow = adjacency & cannot_cause.T
    return jnp.where(arrow, _ARROW, jnp.where(adjacency, _TAIL, jnp.int8(Mark.NONE)))


@jax.jit
def orient_v_structures(
    marks: Int8[Array, "nodes nodes"],
    sepsets: SepSets,
    cannot_cause: Bool[Array, "nodes nodes"],
) -> Int8[Array, "nodes nodes"]:
    """Orient ``a → b ← c`` where a and c are not adjacent and were separated without b.

    A collider that knowledge rules out on either side is not oriented.

    Source: Spirtes, Glymour & Scheines (2000), step C of PC; all colliders at once.
    """
    return _with_arrows(
        marks, collider_arrows(marks, sepsets, (marks != Mark.NONE) & ~cannot_cause)
    )


def collider_arrows(
    marks: Int8[Array, "nodes nodes"], sepsets: SepSets, into: Bool[Array, "nodes nodes"]
) -> Bool[Array, "nodes nodes"]:
    """Entry ``[a, b]``: b is a collider between a and some c that is apart from a.

    Args:
        marks: Marks of the graph.
        sepsets: What separated the pairs that are not adjacent.
        into: Entry ``[a, b]``: the edge may have an arrowhead at b.
    """
    adjacent = marks != Mark.NONE
    nodes = jnp.arange(marks.shape[0], dtype=jnp.int32)

    def arrows_from(a: Array) -> Array:
        in_sepset = (sepsets.nodes[a][:, :, None] == nodes[None, None]).any(axis=1)
        apart = ~adjacent[a] & sepsets.found[a] & (nodes != a)
        collider = into[a][None, :] & into & apart[:, None] & ~in_sepset
        return collider.any(axis=0)

    return lax.map(arrows_from, nodes)


@jax.jit
def close_meek(marks: Int8[Array, "nodes nodes"]) -> Int8[Array, "nodes nodes"]:
    """Apply Meek's rules 1–4 until nothing changes.

    Source: Meek (1995), "Causal inference and causal explanation with background knowledge".
    """

    def unfinished(carry: tuple[Array, Array]) -> Array:
        before, after = carry
        return (before != after).any()

    def apply(carry: tuple[Array, Array]) -> tuple[Array, Array]:
        marks = carry[1]
        return marks, _with_arrows(marks, _meek_arrows(marks))

    start = (jnp.full_like(marks, -1), marks)
    return lax.while_loop(unfinished, apply, start)[1]


def _meek_arrows(marks: Array) -> Array:
    """Entry ``[a, b]``: some rule turns ``a — b`` into ``a → b``."""
    adjacent = marks != Mark.NONE
    directed = (marks == _ARROW) & (marks.T == _TAIL)
    free = (marks == _TAIL) & (marks.T == _TAIL)
    apart = ~adjacent & ~jnp.eye(marks.shape[0], dtype=bool)
    rule_1 = joined(directed.T, apart)
    rule_2 = joined(directed, directed)

    def rule_3(b: Array) -> Array:
        spouses = directed[:, b, None] & directed[None, :, b] & apart
        return (joined(free, spouses) & free).any(axis=1)

    def rule_4(a: Array) -> Array:
        through = joined(free[a, :, None] & directed & adjacent[a][None, :], directed)
        return (through & apart).any(axis=0)

    nodes = jnp.arange(marks.shape[0], dtype=jnp.int32)
    rule_34 = lax.map(rule_3, nodes).T | lax.map(rule_4, nodes)
    return free & (rule_1 | rule_2 | rule_34)


def joined(left: Array, right: Array) -> Array:
    """Entry ``[i, j]``: some k has ``left[i, k]`` and ``right[k, j]``."""
    return left.astype(jnp.float32) @ right.astype(jnp.float32) > 0


def _with_arrows(marks: Array, arrows: Array) -> Array:
    """Put an arrowhead at j wherever ``arrows[i, j]``."""
    return jnp.where(arrows, _ARROW, marks)
