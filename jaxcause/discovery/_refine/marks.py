"""Marks of an unrolled series: the core's rules, with what separated the pairs at every time."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Bool, Int8

from jaxcause.discovery._orientation import pag as rules
from jaxcause.discovery._orientation.cpdag import orient_cpdag
from jaxcause.discovery._orientation.neighbourhoods import (
    degree_bucket,
    gather,
    neighbour_lists,
    separated_without,
)
from jaxcause.graph import BackgroundKnowledge, Mark, SepSets

_BY_STRENGTH = np.array([Mark.NONE, Mark.CIRCLE, Mark.TAIL, Mark.ARROW], np.int8)
"""Of two marks that copies of an edge have, the later one stays."""

_RULES = (
    *(rules.rule_1, rules.rule_2, rules.rule_3, rules.rule_4),
    *(rules.rule_8, rules.rule_9, rules.rule_10),
)


class Sets(NamedTuple):
    """Which pairs were separated, and whether k is in the set of i, j."""

    found: Bool[np.ndarray, "nodes nodes"]
    member: Bool[np.ndarray, "nodes nodes nodes"]

    @classmethod
    def none(cls, n_nodes: int) -> "Sets":
        """Nothing is separated yet."""
        return cls(np.zeros((n_nodes,) * 2, bool), np.zeros((n_nodes,) * 3, bool))

    def add(self, later: "Sets") -> "Sets":
        """These, and the later ones of pairs that these do not separate."""
        new = later.found & ~self.found
        return Sets(self.found | new, np.where(new[:, :, None], later.member, self.member))

    def repeated(self, n_vars: int) -> "Sets":
        """The sets of pairs whose later end is at lag 0, shifted along the window."""
        n = len(self.found)
        newest = np.arange(n) < n_vars
        own = self.found & (newest[:, None] | newest)
        found, member = own.copy(), self.member & own[:, :, None]
        whole = member.copy()
        for shift in range(n_vars, n, n_vars):
            kept = n - shift
            found[shift:, shift:] |= own[:kept, :kept]
            whole[shift:, shift:, shift:] |= member[:kept, :kept, :kept]
        return Sets(found, whole)

    def as_sepsets(self) -> SepSets:
        """The same as lists of nodes."""
        width = max(1, int(self.member.sum(axis=2).max(initial=0)))
        order = np.argsort(~self.member, axis=2, kind="stable")[:, :, :width]
        held = np.take_along_axis(self.member, order, axis=2)
        return SepSets(np.where(held, order, -1).astype(np.int32), self.found)


def orient_latent(
    adjacency: Bool[np.ndarray, "nodes nodes"],
    sets: Sets,
    knowledge: BackgroundKnowledge,
    *,
    never_simultaneous: bool,
) -> Int8[np.ndarray, "nodes nodes"]:
    """Marks by R0–R4 and R8–R10; what a rule finds out about a copy holds for all copies.

    Args:
        adjacency: The skeleton.
        sets: What separated the pairs, at every time.
        knowledge: Order, and which pairs are copies of one another.
        never_simultaneous: Whether an edge within a time step can only be ``<->``.
    """
    tiers, required = np.asarray(knowledge.tiers), np.asarray(knowledge.required)
    later = tiers[:, None] < tiers
    if never_simultaneous:
        later |= tiers[:, None] == tiers
    marks = np.where(adjacency, np.int8(Mark.CIRCLE), np.int8(Mark.NONE))
    marks[adjacency & (later | required)] = Mark.ARROW
    marks[adjacency & required.T] = Mark.TAIL
    copies = np.asarray(knowledge.stationary).ravel()
    found, member = jnp.asarray(sets.found)[None], jnp.asarray(sets.member)[None]
    while True:
        closed = np.asarray(_close(jnp.asarray(marks)[None], rules.Separated(found, member)))[0]
        strength = np.argsort(_BY_STRENGTH)[closed].ravel()
        most = np.zeros_like(strength)
        np.maximum.at(most, copies, strength)
        pooled = _BY_STRENGTH[most[copies]].reshape(marks.shape)
        pooled[~adjacency] = Mark.NONE
        if (pooled == marks).all():
            return marks
        marks = pooled


@jax.jit
def _close(marks: Int8[Array, "graphs nodes nodes"], separated: rules.Separated) -> Array:
    """Close under the rules; two nodes count as apart only if a set is known to separate them."""
    marks = rules.write(marks, rules.rule_0(rules.view(marks), separated))

    def unfinished(carry: tuple[Array, Array]) -> Array:
        return (carry[0] != carry[1]).any()

    def apply(carry: tuple[Array, Array]) -> tuple[Array, Array]:
        before = after = carry[1]
        for rule in _RULES:
            now = rules.view(after)
            now = now._replace(apart=now.apart & separated.found)
            after = rules.write(after, rule(now, separated))
        return before, after

    return lax.while_loop(unfinished, apply, (jnp.full_like(marks, -1), marks))[1]


def orient_complete(
    adjacency: Bool[np.ndarray, "nodes nodes"], sets: Sets, knowledge: BackgroundKnowledge
) -> Int8[np.ndarray, "nodes nodes"]:
    """Marks where nothing is latent: colliders and Meek's rules, on triples whose ends were tested.

    Args:
        adjacency: The skeleton.
        sets: What separated the pairs, at every time.
        knowledge: What cannot cause what.
    """
    graphs, sepsets = jnp.asarray(adjacency)[None], sets.as_sepsets()
    batch = SepSets(jnp.asarray(sepsets.nodes)[None], jnp.asarray(sepsets.found)[None])
    width = degree_bucket(adjacency[None])
    lists = neighbour_lists(graphs, width)
    hoods = gather(graphs.astype(jnp.int8), lists)
    collider = separated_without(hoods, batch)
    tested = gather(jnp.asarray(sets.found)[None].astype(jnp.int8), lists).among > 0
    votes = (collider, hoods.apart & tested)
    cannot = jnp.asarray(knowledge.cannot_cause)
    marks = np.asarray(orient_cpdag(graphs, batch, cannot, votes, width=width))[0]
    return np.asarray(knowledge.repeat(marks))
