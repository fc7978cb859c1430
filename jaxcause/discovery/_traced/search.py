"""The second entry to the core: one program of fixed shapes, for use inside other people's ``jit``.

No shape depends on a value. Neighbourhoods and conditioning sets have caps, and what does not fit
sets the flag ``overflow`` of its graph instead of giving a wrong graph silently. Below the caps the
answers are those of the search whose levels are decided on the host.
"""

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Int, Int8

from jaxcause._typing import AnyArray
from jaxcause.discovery._kernel.bits import boolean_product
from jaxcause.discovery._kernel.engine import engine_of
from jaxcause.discovery._orientation.against_knowledge import colliders_against
from jaxcause.discovery._orientation.reachability import reachable
from jaxcause.discovery._problem import Caps, Problem, TracedInputs
from jaxcause.discovery._result import SearchInfo, SearchResult
from jaxcause.discovery._traced.candidates import candidate_rows
from jaxcause.discovery._traced.evaluator import Evaluator
from jaxcause.discovery._traced.skeleton import (
    Skeleton,
    every_possible_edge,
    run_level,
    run_level_0,
)
from jaxcause.graph import CausalGraph, Mark, SepSets


def begin(inputs: TracedInputs, caps: Caps, max_p: bool) -> tuple[Problem, Evaluator, Skeleton]:
    """The problem, its evaluator, and the skeleton after level 0."""
    test, alpha, constraints, mask = inputs
    engine = engine_of(test)
    problem = Problem(engine, alpha, constraints, mask, max_p, caps.max_cond_size, caps.max_degree)
    evaluate = Evaluator(engine, alpha=alpha, max_p=max_p)
    return problem, evaluate, run_level_0(problem, evaluate, every_possible_edge(problem))


def remove_separable(
    problem: Problem,
    evaluate: Evaluator,
    skeleton: Skeleton,
    candidates: Bool[Array, "graphs nodes nodes"] | None = None,
) -> Skeleton:
    """Levels 1 … ``max_cond_size`` of PC-stable.

    Args:
        problem: Test, knowledge and limits.
        evaluate: Its test.
        skeleton: Where to start.
        candidates: Nodes that may be conditioned on; by default the neighbours as a level begins.
    """
    for size in range(1, problem.max_cond_size + 2):
        allowed = skeleton.adjacency if candidates is None else candidates
        rows, crowded = candidate_rows(problem, skeleton, allowed)
        has_sets = (rows.real & (rows.n_candidates >= size)).any(axis=(1, 2))
        if size > problem.max_cond_size:
            return skeleton._replace(truncated=skeleton.truncated | has_sets)
        # Without this flag a list that was cut short could end the search unnoticed: it may hold
        # fewer candidates than the level needs.
        skeleton = skeleton._replace(overflow=skeleton.overflow | crowded)
        skeleton = run_level(problem, evaluate, skeleton, rows, size)
    return skeleton


def _n_cyclic(marks: Int8[Array, "graphs nodes nodes"]) -> Int[Array, "graphs"]:
    """How many edges `jaxcause.graph.cyclic_edges` finds."""
    into = marks == Mark.ARROW
    directed = into & (jnp.swapaxes(marks, 1, 2) == Mark.TAIL)
    back = jnp.swapaxes(reachable(directed), 1, 2)
    against = into & back
    closes = boolean_product(boolean_product(back, jnp.swapaxes(against, 1, 2)), back)
    found = against | (directed & closes)
    return (found | jnp.swapaxes(found, 1, 2)).sum(axis=(1, 2), dtype=jnp.int32) // 2


def as_result(
    problem: Problem,
    skeleton: Skeleton,
    marks: Array,
    *,
    no_arrowhead: Bool[AnyArray, "nodes nodes"] | None = None,
    n_conflicts: Array | int = 0,
    levels: Array | None = None,
) -> SearchResult:
    """Assemble what every search returns, with the leading axes of the test.

    Args:
        problem: Test, knowledge and limits.
        skeleton: What was found.
        marks: The orientation.
        no_arrowhead: Entry ``[i, j]``: knowledge allows no arrowhead at j; None if it allows all.
        n_conflicts: Edges on which rules contradicted one another; none by default.
        levels: Marks after each level, where the search is anytime.
    """
    constraints, batch_shape = problem.constraints, problem.engine.batch_shape
    repeat = constraints.repeat
    contradicted = constraints.n_contradicted(
        skeleton.sepsets.found, jnp.asarray(problem.mask), skeleton.truncated
    )
    none = against = jnp.zeros(len(marks), jnp.int32)
    if no_arrowhead is not None:
        width = min(problem.max_degree, marks.shape[1])
        known = jnp.asarray(no_arrowhead)
        found = colliders_against(
            skeleton.adjacency, skeleton.sepsets, no_arrowhead=known, width=width
        )
        against = found.sum(axis=(1, 2), dtype=jnp.int32)
    info = SearchInfo(
        n_tests=jnp.stack(skeleton.n_tests, axis=1),
        n_edges=jnp.stack(skeleton.n_edges, axis=1),
        n_cyclic=_n_cyclic(jnp.asarray(repeat(marks))),
        n_conflicts=none + n_conflicts + contradicted + against,
        n_open=none,
        truncated=skeleton.truncated,
        overflow=skeleton.overflow,
        singular=problem.engine.traced_singular(),
        indistinct=jnp.asarray(problem.engine.indistinct()),
        nearly_indistinct=jnp.asarray(problem.engine.nearly_indistinct()),
    )
    result = SearchResult(
        CausalGraph(repeat(marks)),
        SepSets(skeleton.sepsets.nodes, skeleton.sepsets.found),
        repeat(constraints.tested_alone(skeleton.p_values)),
        info,
        None if levels is None else CausalGraph(repeat(levels)),
    )
    return jax.tree.map(lambda leaf: leaf.reshape((*batch_shape, *leaf.shape[1:])), result)
