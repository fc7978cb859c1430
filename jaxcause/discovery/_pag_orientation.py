"""Orientation of a partial ancestral graph: rule R0 and Zhang's rules R1–R10.

Every rule acts simultaneously: it reads the marks as they stood when it began, writes circles
only, and where it asks for both an arrowhead and a tail, the arrowhead wins. So the result does not
depend on how nodes are numbered. In the docstrings ``*`` stands for any mark.

Source: Zhang (2008), "On the completeness of orientation rules for causal discovery in the presence
of latent confounders and selection bias".
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Bool, Int8

from jaxcause.discovery._orientation import collider_arrows, joined
from jaxcause.graph import Mark, SepSets


class Writes(NamedTuple):
    """What a rule asks for: an arrowhead or a tail at j wherever ``[i, j]`` holds."""

    arrows: Bool[Array, "nodes nodes"]
    tails: Bool[Array, "nodes nodes"]


class View(NamedTuple):
    """The marks at one moment, as masks; ``[i, j]`` is about the mark at j on the edge i, j."""

    circle: Bool[Array, "nodes nodes"]
    arrow: Bool[Array, "nodes nodes"]
    tail: Bool[Array, "nodes nodes"]
    apart: Bool[Array, "nodes nodes"]

    @property
    def parent(self) -> Bool[Array, "nodes nodes"]:
        """Entry ``[i, j]``: i → j."""
        return self.arrow & self.tail.T


Rule = Callable[[View, SepSets], Writes]


@partial(jax.jit, static_argnames=("selection_bias",))
def orient_pag(
    marks: Int8[Array, "nodes nodes"], sepsets: SepSets, *, selection_bias: bool
) -> Int8[Array, "nodes nodes"]:
    """Orient a skeleton by R0, then close under R1–R4, R5–R7 and R8–R10.

    Args:
        marks: Circles at the ends of all edges, but for marks that are known beforehand.
        sepsets: What separated the pairs that are not adjacent.
        selection_bias: Whether R5–R7 apply, which find edges that are due to selection.
    """
    marks = close(orient_colliders(marks, sepsets), sepsets, (rule_1, rule_2, rule_3, rule_4))
    if selection_bias:
        marks = close(marks, sepsets, (rule_5, rule_6, rule_7))
    return close(marks, sepsets, (rule_8, rule_9, rule_10))


def orient_colliders(
    marks: Int8[Array, "nodes nodes"], sepsets: SepSets
) -> Int8[Array, "nodes nodes"]:
    """R0: a *→ b ←* c where a and c are not adjacent and were separated without b."""
    return write(marks, Writes(collider_arrows(marks, sepsets, marks != Mark.NONE), _none(marks)))


def close(marks: Array, sepsets: SepSets, rules: tuple[Rule, ...]) -> Array:
    """Apply the rules in order until a whole pass changes nothing."""

    def unfinished(carry: tuple[Array, Array]) -> Array:
        return (carry[0] != carry[1]).any()

    def apply(carry: tuple[Array, Array]) -> tuple[Array, Array]:
        before = marks = carry[1]
        for rule in rules:
            marks = write(marks, rule(view(marks), sepsets))
        return before, marks

    return lax.while_loop(unfinished, apply, (jnp.full_like(marks, -1), marks))[1]


def view(marks: Array) -> View:
    """Marks as masks."""
    away = (marks == Mark.NONE) & ~jnp.eye(marks.shape[0], dtype=bool)
    return View(marks == Mark.CIRCLE, marks == Mark.ARROW, marks == Mark.TAIL, away)


def write(marks: Array, writes: Writes) -> Array:
    """Replace circles; the arrowhead wins."""
    is_circle = marks == Mark.CIRCLE
    marks = jnp.where(is_circle & writes.tails, jnp.int8(Mark.TAIL), marks)
    return jnp.where(is_circle & writes.arrows, jnp.int8(Mark.ARROW), marks)


def rule_1(v: View, sepsets: SepSets) -> Writes:
    """A *→ b o-* c, a and c apart ⇒ b → c."""
    into = joined(v.arrow.T, v.apart) & v.circle.T
    return Writes(into, into.T)


def rule_2(v: View, sepsets: SepSets) -> Writes:
    """A → b *→ c or a *→ b → c, and a *-o c ⇒ a *→ c."""
    into = v.circle & (joined(v.parent, v.arrow) | joined(v.arrow, v.parent))
    return Writes(into, _none(into))


def rule_3(v: View, sepsets: SepSets) -> Writes:
    """A *→ b ←* c, a *-o d o-* c, a and c apart, d *-o b ⇒ d *→ b."""

    def from_d(d: Array) -> Array:
        both = v.circle[:, d, None] & v.arrow
        return (joined(v.apart, both) & both).any(axis=0)

    into = v.circle & lax.map(from_d, _nodes(v))
    return Writes(into, _none(into))


def rule_4(v: View, sepsets: SepSets) -> Writes:
    """A discriminating path d *→ v … q ←* b o-* c for b: in the sepset b → c, else q ↔ b ↔ c.

    The nodes between d and b are colliders on the path and parents of c, and d and c are apart. So
    the path is a walk over bidirected edges among the parents of c, and all ends q that it can
    reach are found at once.
    """
    members = _members_by_pair(sepsets)

    def into_c(c: Array) -> tuple[Array, Array, Array]:
        parent = v.parent[:, c]
        among = v.arrow & v.arrow.T & parent[:, None] & parent[None, :]
        first = v.arrow & parent[None, :] & (v.apart[:, c] & sepsets.found[:, c])[:, None]
        ends = joined(first, reachable(among))
        turns = v.arrow.T & v.circle[c][None, :]
        in_sepset = members(c)
        discriminated = joined(ends, turns)
        collider = discriminated & ~in_sepset
        # The end q of a path that makes b a collider: some d reaches q and was separated without b.
        q_to_b = joined(ends.T, collider) & turns
        return collider.any(axis=0), (discriminated & in_sepset).any(axis=0), q_to_b

    collider, chain, q_to_b = lax.map(into_c, _nodes(v))
    arrows = collider | (collider | chain).T | q_to_b.any(axis=0)
    return Writes(arrows, chain)


def rule_5(v: View, sepsets: SepSets) -> Writes:
    """A o-o b and an uncovered circle path a, c … d, b; a, d and b, c apart ⇒ all edges a — b."""
    circles = v.circle & v.circle.T

    def around(pair: Array) -> Array:
        a, b = pair // circles.shape[0], pair % circles.shape[0]
        node = _nodes(v)
        inner = circles & (node != a)[None, :] & (node != b)[:, None]
        start = inner & (node == a)[:, None] & v.apart[b][None, :]
        stop = inner & (node == b)[None, :] & v.apart[a][:, None]
        forward = uncovered_walks(start, inner, v.apart)
        backward = uncovered_walks(stop.T, inner.T, v.apart).T
        on_path = forward & backward & circles[a, b]
        return on_path | (on_path.any() & (node == a)[:, None] & (node == b)[None, :])

    def add(total: Array, pair: Array) -> tuple[Array, None]:
        a, b = pair // circles.shape[0], pair % circles.shape[0]
        found = lax.cond(circles[a, b] & (a < b), around, lambda _: _none(circles), pair)
        return total | found, None

    pairs = jnp.arange(circles.size, dtype=jnp.int32)
    on_path = lax.scan(add, _none(circles), pairs)[0]
    return Writes(_none(circles), on_path | on_path.T)


def rule_6(v: View, sepsets: SepSets) -> Writes:
    """A — b o-* c ⇒ b -* c."""
    undirected = (v.tail & v.tail.T).any(axis=0)
    return Writes(_none(v.tail), v.circle & undirected[None, :])


def rule_7(v: View, sepsets: SepSets) -> Writes:
    """A -o b o-* c, a and c apart ⇒ b -* c."""
    half = v.circle & v.tail.T
    return Writes(_none(v.tail), v.circle & joined(v.apart, half))


def rule_8(v: View, sepsets: SepSets) -> Writes:
    """A → b → c or a -o b → c, and a o→ c ⇒ a → c."""
    through = joined((v.arrow | v.circle) & v.tail.T, v.parent)
    return Writes(_none(v.tail), (v.arrow & through).T)


def rule_9(v: View, sepsets: SepSets) -> Writes:
    """A o→ c, an uncovered possibly directed path a, b … c with b and c apart ⇒ a → c."""
    through = (_first_steps(v) & v.apart[None]).any(axis=1)
    return Writes(_none(v.tail), (v.arrow & through).T)


def rule_10(v: View, sepsets: SepSets) -> Writes:
    """A o→ c, b → c ← d, m and w apart ⇒ a → c.

    Two uncovered possibly directed paths lead from a by way of m to b, and by way of w to d.
    """
    first_steps = _first_steps(v)

    def into_c(c: Array) -> Array:
        ends = (first_steps & v.parent[:, c][None, None, :]).astype(jnp.float32)
        n_ends = ends.sum(axis=2)
        pairs = n_ends[:, :, None] * n_ends[:, None, :] - ends @ ends.swapaxes(1, 2)
        return ((pairs > 0) & v.apart[None]).any(axis=(1, 2))

    through = lax.map(into_c, _nodes(v)).T
    return Writes(_none(v.tail), (v.arrow & through).T)


def _first_steps(v: View) -> Bool[Array, "nodes nodes nodes"]:
    """Entry ``[a, m, x]``: an uncovered possibly directed path from a by way of m ends in x."""
    forward = (v.circle | v.arrow) & (v.circle | v.tail).T
    n = forward.shape[0]

    def from_pair(pair: Array) -> Array:
        a, m = pair // n, pair % n
        start = forward & (_nodes(v) == a)[:, None] & (_nodes(v) == m)[None, :]
        inner = forward & (_nodes(v) != a)[None, :]
        return uncovered_walks(start, inner, v.apart).any(axis=0)

    return lax.map(from_pair, jnp.arange(n * n, dtype=jnp.int32)).reshape(n, n, n)


def uncovered_walks(start: Array, steps: Array, apart: Array) -> Bool[Array, "nodes nodes"]:
    """Edges on a walk from ``start`` over ``steps``, in whose every u, v, w u and w are apart."""

    def grow(reached: Array) -> Array:
        return reached | (joined(reached.T, apart) & steps)

    return _fixed_point(grow, start)


def reachable(edges: Array) -> Bool[Array, "nodes nodes"]:
    """Entry ``[i, j]``: j is i or can be reached from i."""
    return _fixed_point(lambda r: joined(r, r), edges | jnp.eye(edges.shape[0], dtype=bool))


def _fixed_point(grow: Callable[[Array], Array], start: Array) -> Array:
    def unfinished(carry: tuple[Array, Array]) -> Array:
        return (carry[0] != carry[1]).any()

    return lax.while_loop(unfinished, lambda c: (c[1], grow(c[1])), (_none(start), start))[1]


def _members_by_pair(sepsets: SepSets) -> Callable[[Array], Array]:
    """Function of c: entry ``[d, b]``, b is in the set that separated d and c."""
    nodes = jnp.asarray(sepsets.nodes)
    every = jnp.arange(nodes.shape[0], dtype=nodes.dtype)
    return lambda c: (nodes[c][:, :, None] == every[None, None, :]).any(axis=1)


def _nodes(v: View) -> Array:
    return jnp.arange(v.apart.shape[0], dtype=jnp.int32)


def _none(like: Array) -> Array:
    return jnp.zeros(like.shape, bool)
