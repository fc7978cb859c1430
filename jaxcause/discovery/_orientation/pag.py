"""Orientation of partial ancestral graphs: rule R0 and Zhang's rules R1–R10.

Every rule acts simultaneously: it reads the marks as they stood when it began, writes circles
only, and where it writes both an arrowhead and a tail, the arrowhead wins. So the result does not
depend on how nodes are numbered. In the docstrings ``*`` stands for any mark. All arrays have a
leading axis of graphs, and a loop ends when no graph changes any more.

Source: Zhang (2008), "On the completeness of orientation rules for causal discovery in the presence
of latent confounders and selection bias".
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int8

from jaxcause._namespace import any_along, bit_count, branch, each, fixed_point, fold, namespace
from jaxcause._small_work import numpy_or_xla
from jaxcause._typing import AnyArray, NodeIndex
from jaxcause.discovery._kernel.bits import boolean_product, intersects, pack, unpack
from jaxcause.discovery._orientation.reachability import spread, uncovered_walks
from jaxcause.graph import Mark, SepSets


class Writes(NamedTuple):
    """What a rule writes: an arrowhead or a tail at j wherever ``[i, j]`` holds."""

    arrows: Bool[AnyArray, "graphs nodes nodes"]
    tails: Bool[AnyArray, "graphs nodes nodes"]


class View(NamedTuple):
    """The marks at one moment, as masks; ``[i, j]`` is about the mark at j on the edge i, j."""

    circle: Bool[AnyArray, "graphs nodes nodes"]
    arrow: Bool[AnyArray, "graphs nodes nodes"]
    tail: Bool[AnyArray, "graphs nodes nodes"]
    non_adjacent: Bool[AnyArray, "graphs nodes nodes"]

    @property
    def parent(self) -> Bool[AnyArray, "graphs nodes nodes"]:
        """Entry ``[i, j]``: i → j."""
        return self.arrow & _t(self.tail)


class Separated(NamedTuple):
    """Which pairs were separated, and by sets that hold which nodes."""

    found: Bool[AnyArray, "graphs i j"]
    member: Bool[AnyArray, "graphs i j k"]


Rule = Callable[[View, Separated], Writes]


def _first_rules(shape: tuple[int, ...]) -> float:
    """Seconds of numpy for R0–R4."""
    return 2e-3 + 1e-7 * shape[0] * shape[1] ** 3


def _all_rules(shape: tuple[int, ...]) -> float:
    """Seconds of numpy where R5, R9 and R10 follow paths as well."""
    return 4e-3 + 4e-6 * shape[0] * shape[1] ** 3


@numpy_or_xla(_all_rules, price=3.0, static=("selection_bias", "with_knowledge"))
def orient_pag(
    marks: Int8[AnyArray, "graphs nodes nodes"],
    sepsets: SepSets,
    *,
    selection_bias: bool,
    with_knowledge: bool,
) -> Int8[AnyArray, "graphs nodes nodes"]:
    """Orient skeletons by R0, then close under R1–R4, and complete the marks.

    Args:
        marks: Circles at the ends of all edges, but for marks that are known beforehand.
        sepsets: What separated the pairs that are not adjacent.
        selection_bias: Whether R5–R7 apply, which find edges that are due to selection.
        with_knowledge: Whether marks are known beforehand.
    """
    marks = orient_r0_to_r4(marks, sepsets)
    return complete(marks, sepsets, selection_bias=selection_bias, with_knowledge=with_knowledge)


@numpy_or_xla(_first_rules, price=1.0)
def orient_r0_to_r4(
    marks: Int8[AnyArray, "graphs nodes nodes"], sepsets: SepSets
) -> Int8[AnyArray, "graphs nodes nodes"]:
    """Orient skeletons by R0, then close under R1–R4: sound whatever separating sets may follow."""
    separated = _separated(sepsets)
    marks = write(marks, rule_0(view(marks), separated))
    return close(marks, separated, R1_TO_R4)


@numpy_or_xla(_all_rules, price=2.0, static=("selection_bias", "with_knowledge"))
def complete(
    marks: Int8[AnyArray, "graphs nodes nodes"],
    sepsets: SepSets,
    *,
    selection_bias: bool,
    with_knowledge: bool,
) -> Int8[AnyArray, "graphs nodes nodes"]:
    """Close marks that are closed under R1–R4 under R5–R7 and R8–R10 as well.

    A tail that R8–R10 write lets no earlier rule act (Zhang 2008), unless some marks were known
    beforehand.
    """
    separated = _separated(sepsets)
    if selection_bias:
        marks = close(marks, separated, (rule_5, rule_6, rule_7))
    last = (rule_8, rule_9, rule_10)
    return close(marks, separated, R1_TO_R4 + last if with_knowledge else last)


@numpy_or_xla(_first_rules, price=0.2)
def orient_colliders(
    marks: Int8[AnyArray, "graphs nodes nodes"], sepsets: SepSets
) -> Int8[AnyArray, "graphs nodes nodes"]:
    """R0 alone."""
    return write(marks, rule_0(view(marks), _separated(sepsets)))


@numpy_or_xla(_all_rules, price=2.0)
def orient_without_selection(
    marks: Int8[AnyArray, "graphs nodes nodes"], separated: Separated
) -> Int8[AnyArray, "graphs nodes nodes"]:
    """Orient by R0, then close under R1–R4 and R8–R10 together: no edge is due to selection."""
    marks = write(marks, rule_0(view(marks), separated))
    return close(marks, separated, (*R1_TO_R4, rule_8, rule_9, rule_10))


def close(marks: AnyArray, separated: Separated, rules: tuple[Rule, ...]) -> AnyArray:
    """Apply the rules in order until a whole pass changes nothing.

    Two nodes count as non-adjacent only if ``separated`` holds a set for them. No set is known for
    an edge that knowledge forbids, or for a copy of a pair under stationarity, so that R0 could not
    orient their triples, and no other rule may conclude that these are non-colliders.
    """

    def grow(marks: AnyArray) -> AnyArray:
        for rule in rules:
            now = view(marks)
            known = now.non_adjacent & separated.found
            marks = write(marks, rule(now._replace(non_adjacent=known), separated))
        return marks

    return fixed_point(grow, marks)


def view(marks: AnyArray) -> View:
    """Marks as masks."""
    away = (marks == Mark.NONE) & ~np.eye(marks.shape[-1], dtype=bool)[None]
    return View(marks == Mark.CIRCLE, marks == Mark.ARROW, marks == Mark.TAIL, away)


def write(marks: AnyArray, writes: Writes) -> AnyArray:
    """Replace circles; the arrowhead wins."""
    is_circle, xp = marks == Mark.CIRCLE, namespace(marks)
    marks = xp.where(is_circle & writes.tails, np.int8(Mark.TAIL), marks)
    return xp.where(is_circle & writes.arrows, np.int8(Mark.ARROW), marks)


def rule_0(v: View, separated: Separated) -> Writes:
    """A *-* b *-* c, a and c non-adjacent and separated without b ⇒ a *→ b ←* c."""
    edge = pack(_t(~v.non_adjacent & ~np.eye(v.non_adjacent.shape[-1], dtype=bool)[None]))
    known = v.non_adjacent & separated.found
    # For each a and b: the nodes c that were separated from a by a set without b.
    without = pack(known[:, :, None, :] & ~separated.member.swapaxes(2, 3))
    return Writes(intersects(without, edge[:, None]), _none(v.non_adjacent))


def rule_1(v: View, separated: Separated) -> Writes:
    """A *→ b o-* c, a and c non-adjacent ⇒ b → c."""
    into = boolean_product(_t(v.arrow), v.non_adjacent) & _t(v.circle)
    return Writes(into, _t(into))


def rule_2(v: View, separated: Separated) -> Writes:
    """A → b *→ c or a *→ b → c, and a *-o c ⇒ a *→ c."""
    into = v.circle & (boolean_product(v.parent, v.arrow) | boolean_product(v.arrow, v.parent))
    return Writes(into, _none(into))


def rule_3(v: View, separated: Separated) -> Writes:
    """A *→ b ←* c, a *-o d o-* c, a and c non-adjacent, d *-o b ⇒ d *→ b."""
    # For each d and b: the nodes a with a *→ b and a *-o d, packed.
    both = pack(_t(v.circle))[:, :, None] & pack(_t(v.arrow))[:, None]
    non_adjacent = pack(v.non_adjacent)[:, None, None]
    ends = unpack(both, v.circle.shape[-1]) & intersects(both[:, :, :, None], non_adjacent)
    into = v.circle & ends.any(axis=3)
    return Writes(into, _none(into))


def rule_4(v: View, separated: Separated) -> Writes:
    """A discriminating path d *→ v … q ←* b o-* c for b: in the sepset b → c, else q ↔ b ↔ c.

    The nodes between d and b are colliders on the path and parents of c, and d and c are
    non-adjacent. So the path is a walk over bidirected edges among the parents of c, and all ends q
    that it can reach are found at once.
    """
    # Axes: c, then d, q or b.
    parent = _t(v.parent)
    start = (_t(v.non_adjacent) & _t(separated.found))[:, :, :, None] & v.arrow[:, None]
    start = start & parent[:, :, None, :]
    turns = _t(v.arrow)[:, None] & v.circle[:, :, None, :]
    possible = (start.any(axis=(2, 3)) & turns.any(axis=(2, 3))).any()

    def look() -> tuple[AnyArray, AnyArray]:
        both = v.arrow & _t(v.arrow)
        among = both[:, None] & parent[:, :, :, None] & parent[:, :, None, :]
        ends = spread(pack(start), among)
        discriminated = intersects(ends[:, :, :, None], pack(turns.swapaxes(2, 3))[:, :, None])
        collider = discriminated & ~separated.member
        non_collider = any_along(discriminated & separated.member, 2)
        # The end q of a path that makes b a collider: some d reaches q and was separated without b.
        reached = pack(unpack(ends, v.arrow.shape[-1]).swapaxes(2, 3))
        by = pack(collider.swapaxes(2, 3))
        at_b = any_along(intersects(reached[:, :, :, None], by[:, :, None]) & turns, 1)
        at_c = any_along(collider, 2)
        return at_c | _t(at_c | non_collider) | at_b, non_collider

    arrows, tails = branch(possible, look, lambda: (_none(v.arrow),) * 2)
    return Writes(arrows, tails)


R1_TO_R4 = (rule_1, rule_2, rule_3, rule_4)


def rule_5(v: View, separated: Separated) -> Writes:
    """A o-o b and an uncovered circle path a, c … d, b ⇒ a — b, and all edges of the path too.

    Neither a and d nor b and c are adjacent.
    """
    circles = v.circle & _t(v.circle)
    # Pairs for which a first and a last step of such a path exist; no other pair needs a walk.
    likely = (
        circles
        & boolean_product(circles, v.non_adjacent)
        & _t(boolean_product(circles, v.non_adjacent))
    )

    def around(pair: NodeIndex) -> AnyArray:
        a, b = _split(v, pair)
        inner = circles & (_nodes(v) != a)[None, None, :] & (_nodes(v) != b)[None, :, None]
        start = inner & (_nodes(v) == a)[None, :, None] & v.non_adjacent[:, b][:, None, :]
        stop = inner & (_nodes(v) == b)[None, None, :] & v.non_adjacent[:, a][:, :, None]
        forward = uncovered_walks(start, inner, v.non_adjacent)
        backward = _t(uncovered_walks(_t(stop), _t(inner), v.non_adjacent))
        on_path = forward & backward & circles[:, a, b][:, None, None]
        ends = (_nodes(v) == a)[None, :, None] & (_nodes(v) == b)[None, None, :]
        return on_path | (on_path.any(axis=(1, 2), keepdims=True) & ends)

    def add(total: AnyArray, pair: NodeIndex) -> AnyArray:
        a, b = _split(v, pair)
        needed = likely[:, a, b].any() & (a < b)
        return total | branch(needed, around, lambda _: _none(circles), pair)

    def every() -> AnyArray:
        return fold(add, _none(circles), _pairs(v))

    on_path = branch(likely.any(), every, lambda: _none(circles))
    return Writes(_none(circles), on_path | _t(on_path))


def rule_6(v: View, separated: Separated) -> Writes:
    """A — b o-* c ⇒ b -* c."""
    undirected = any_along(v.tail & _t(v.tail), 1)
    return Writes(_none(v.tail), v.circle & undirected[:, None, :])


def rule_7(v: View, separated: Separated) -> Writes:
    """A -o b o-* c, a and c non-adjacent ⇒ b -* c."""
    half = v.circle & _t(v.tail)
    return Writes(_none(v.tail), v.circle & boolean_product(v.non_adjacent, half))


def rule_8(v: View, separated: Separated) -> Writes:
    """A → b → c or a -o b → c, and a o→ c ⇒ a → c."""
    through = boolean_product((v.arrow | v.circle) & _t(v.tail), v.parent)
    return Writes(_none(v.tail), _t(v.arrow & through))


def rule_9(v: View, separated: Separated) -> Writes:
    """A o→ c, an uncovered possibly directed path a, b … c with b and c non-adjacent ⇒ a → c."""
    through = (_first_steps(v) & v.non_adjacent[:, None]).any(axis=2)
    return Writes(_none(v.tail), _t(v.arrow & through))


def rule_10(v: View, separated: Separated) -> Writes:
    """A o→ c, b → c ← d, m and w non-adjacent ⇒ a → c.

    Two uncovered possibly directed paths lead from a by way of m to b, and by way of w to d.
    """
    steps = pack(_first_steps(v))
    non_adjacent = v.non_adjacent[:, None]

    def into_c(c: NodeIndex) -> AnyArray:
        ends = steps & pack(v.parent[:, :, c])[:, None, None]
        some = (ends != 0).any(axis=-1)
        # Two ends that differ: both exist, and they are not one and the same single node.
        same = (ends[:, :, :, None] == ends[:, :, None]).all(axis=-1)
        single = bit_count(ends).sum(axis=-1) == 1
        differ = some[:, :, :, None] & some[:, :, None] & ~(same & single[:, :, :, None])
        return (differ & non_adjacent).any(axis=(2, 3))

    through = namespace(steps).moveaxis(each(into_c, _nodes(v)), 0, 2)
    return Writes(_none(v.tail), _t(v.arrow & through))


def _first_steps(v: View) -> Bool[AnyArray, "graphs nodes nodes nodes"]:
    """Entry ``[a, m, x]``: an uncovered possibly directed path from a by way of m ends in x.

    It is computed only for nodes a with an edge a o→ c.
    """
    forward = (v.circle | v.arrow) & _t(v.circle | v.tail)
    needed = forward & (v.arrow & _t(v.circle)).any(axis=2, keepdims=True)

    def from_pair(pair: NodeIndex) -> AnyArray:
        a, m = _split(v, pair)
        at = (_nodes(v) == a)[None, :, None] & (_nodes(v) == m)[None, None, :]
        inner = forward & (_nodes(v) != a)[None, None, :]
        walks = uncovered_walks(needed & at, inner, v.non_adjacent)
        return pack(any_along(walks, 1))

    (n_graphs, n, _), xp = v.non_adjacent.shape, namespace(v)

    def or_none(pair: NodeIndex) -> AnyArray:
        a, m = _split(v, pair)
        nothing = pack(xp.zeros((n_graphs, n), bool))
        return branch(needed[:, a, m].any(), from_pair, lambda _: nothing, pair)

    def every() -> AnyArray:
        return xp.moveaxis(each(or_none, _pairs(v)), 0, 1)

    def nothing() -> AnyArray:
        return pack(xp.zeros((n_graphs, n * n, n), bool))

    steps = branch(needed.any(), every, nothing)
    return unpack(steps, n).reshape(-1, n, n, n)


def _separated(sepsets: SepSets) -> Separated:
    found, (members, every) = sepsets.found, sepsets.classes()
    nodes = every[:, None, None]
    member = namespace(found).zeros((*found.shape, found.shape[-1]), bool)
    for k in range(members.shape[-1]):
        member = member | (members[..., k, None] == nodes)
    return Separated(found, member)


def _split(v: View, pair: NodeIndex) -> tuple[NodeIndex, NodeIndex]:
    n = v.non_adjacent.shape[-1]
    return pair // n, pair % n


def _pairs(v: View) -> AnyArray:
    return namespace(v).arange(v.non_adjacent.shape[-1] ** 2, dtype=np.int32)


def _nodes(v: View) -> AnyArray:
    return namespace(v).arange(v.non_adjacent.shape[-1], dtype=np.int32)


def _t(matrix: AnyArray) -> AnyArray:
    return matrix.swapaxes(-1, -2)


def _none(like: AnyArray) -> AnyArray:
    return namespace(like).zeros(like.shape, bool)
