"""Marks of an unrolled series, by the rules of the core and the separating sets at every time."""

import numpy as np
from jaxtyping import Bool, Int8

from jaxcause.discovery._host.cpdag import orient_by_edges
from jaxcause.discovery._orientation import pag
from jaxcause.discovery._refine.problem import RefineProblem
from jaxcause.discovery._refine.separating_sets import SeparatingSets
from jaxcause.graph import BackgroundKnowledge, CausalGraph, LaggedGraph, Mark, SepSets

_BY_PRECEDENCE = np.array([Mark.NONE, Mark.CIRCLE, Mark.TAIL, Mark.ARROW], np.int8)
"""Where copies of an edge have different marks, all take the one that is last in this list."""


def orient(
    problem: RefineProblem,
    adjacency: Bool[np.ndarray, "nodes nodes"],
    sets: SeparatingSets,
    knowledge: BackgroundKnowledge,
) -> Int8[np.ndarray, "nodes nodes"]:
    """Marks of a skeleton: of a PAG with hidden causes, else of a CPDAG.

    Args:
        problem: What is searched.
        adjacency: The skeleton.
        sets: What separated the pairs whose later end is at lag 0.
        knowledge: Order, and which pairs are copies of one another.
    """
    sets = sets.at_every_time(problem.n_vars).with_copies(problem.copies)
    if problem.latents:
        later = _ends_that_cannot_cause(problem, len(adjacency))
        return _orient_pag(adjacency, sets, knowledge, later)
    return _orient_cpdag(adjacency, sets, knowledge)


def lagged_marks(
    problem: RefineProblem, marks: Int8[np.ndarray, "nodes nodes"]
) -> Int8[np.ndarray, "vars vars lags 2"]:
    """The marks ``[source, target, lag]`` of the edges into lag 0, up to the longest lag."""
    graph = LaggedGraph.from_unrolled(CausalGraph(marks), n_vars=problem.n_vars)
    return np.asarray(graph.marks)[:, :, : problem.n_lags]


def _ends_that_cannot_cause(
    problem: RefineProblem, n_nodes: int
) -> Bool[np.ndarray, "nodes nodes"]:
    """Entry ``[a, b]``: b is no cause of a. It is later, or knowledge says so of their lag."""
    step, var = np.divmod(np.arange(n_nodes), problem.n_vars)
    later, ago = step[:, None] > step, step[None] - step[:, None]
    none = ~problem.causes
    # Without contemporaneous effects nothing is a cause within a step.
    none[:, :, 0] |= not problem.contemporaneous
    known = (ago >= 0) & (ago < problem.n_lags)
    return later | (known & none[var, var[:, None], np.where(known, ago, 0)])


def _orient_pag(
    adjacency: Bool[np.ndarray, "nodes nodes"],
    sets: SeparatingSets,
    knowledge: BackgroundKnowledge,
    later: Bool[np.ndarray, "nodes nodes"],
) -> Int8[np.ndarray, "nodes nodes"]:
    """Marks by R0–R4 and R8–R10; a mark that a rule finds for one copy of an edge holds for all.

    Args:
        adjacency: The skeleton.
        sets: What separated the pairs, at every time.
        knowledge: Order, and which pairs are copies of one another.
        later: Entry ``[a, b]``: b is no cause of a.
    """
    required = np.asarray(knowledge.required)
    marks = np.where(adjacency, np.int8(Mark.CIRCLE), np.int8(Mark.NONE))
    marks[adjacency & (later | required)] = Mark.ARROW
    marks[adjacency & required.T] = Mark.TAIL
    copies = np.asarray(knowledge.stationary).ravel()
    separated = pag.Separated(np.asarray(sets.found)[None], np.asarray(sets.member)[None])
    while True:
        closed = pag.orient_without_selection(marks[None], separated)[0]
        precedence = np.argsort(_BY_PRECEDENCE)[closed].ravel()
        highest = np.zeros_like(precedence)
        np.maximum.at(highest, copies, precedence)
        pooled = _BY_PRECEDENCE[highest[copies]].reshape(marks.shape)
        pooled[~adjacency] = Mark.NONE
        if (pooled == marks).all():
            return marks
        marks = pooled


def _orient_cpdag(
    adjacency: Bool[np.ndarray, "nodes nodes"], sets: SeparatingSets, knowledge: BackgroundKnowledge
) -> Int8[np.ndarray, "nodes nodes"]:
    """Marks by colliders and Meek's rules, on triples whose ends are known to be separated.

    Args:
        adjacency: The skeleton.
        sets: What separated the pairs, at every time.
        knowledge: What cannot cause what.
    """
    graphs, sepsets = adjacency[None], sets.as_sepsets()
    batch = SepSets(np.asarray(sepsets.nodes)[None], np.asarray(sepsets.found)[None])
    marks = orient_by_edges(graphs, batch, cannot_cause=np.asarray(knowledge.cannot_cause))[0]
    return np.asarray(knowledge.repeat(marks))
