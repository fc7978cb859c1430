"""The PC algorithm."""

from functools import partial
from typing import Unpack

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, Int8

from jaxcause._checks import InputError, check_choice
from jaxcause._options import shows_options
from jaxcause._typing import AnyArray
from jaxcause.discovery._entry import search_graphs
from jaxcause.discovery._given import Given
from jaxcause.discovery._host import search as host
from jaxcause.discovery._host.collider_rules import ColliderRule, decide_triples
from jaxcause.discovery._host.cpdag import orient_by_edges
from jaxcause.discovery._host.evaluator import Evaluator
from jaxcause.discovery._host.record import SearchRecord
from jaxcause.discovery._host.skeleton import Skeleton
from jaxcause.discovery._orientation.cpdag import orient_cpdag
from jaxcause.discovery._problem import Caps, Problem, SearchOptions, TracedInputs
from jaxcause.discovery._result import SearchResult
from jaxcause.discovery._traced import search as traced
from jaxcause.graph import BackgroundKnowledge, Mark, SepSets


@shows_options(SearchOptions, of=search_graphs)
def pc(
    test: Given,
    *,
    alpha: float | Float[AnyArray, ""] = 0.01,
    knowledge: BackgroundKnowledge | None = None,
    colliders: ColliderRule = "sepset",
    **options: Unpack[SearchOptions],
) -> SearchResult:
    """Learn a CPDAG by PC-stable: assumes that no common cause is unobserved.

    Within a level every candidate set is drawn from the graph as it stood when the level began, so
    the result does not depend on the order of tests (Colombo & Maathuis 2014). Tiers also keep a
    node out of the conditioning sets of pairs that lie wholly before it. Edges on which the data
    contradict themselves come out as ``x-x`` and are counted in ``info.n_conflicts``.

    Args:
        test: Conditional independence test, whose leading axes are a batch of graphs; or data
            ``[..., samples, variables]`` (an array, or a frame of numbers), which are tested by
            partial correlations, as by `jaxcause.stats.partial_correlation_test_from_data`.
        alpha: X and Y are taken as independent given S iff p > alpha.
        knowledge: Tiers, forbidden and required edges, stationarity.
        colliders: ``sepset`` makes b a collider between a and c where the set that separated them
            lacks b; ``conservative`` where all sets that separate them do, ``majority`` where more
            than half do. Triples that these two leave open orient nothing, and are counted in
            ``info.n_open``.

    Returns:
        Graph, separating sets, p-values, and what each level did.

    Raises:
        InputError: ``colliders`` is not known or comes with caps, ``alpha`` is outside (0, 1),
            ``max_cond_size`` is negative, ``sepset`` is not known, ``knowledge`` or ``node_mask``
            are about another number of nodes, the test is traced and there are no caps, or
            ``checkpoint`` comes with caps, is damaged, or belongs to another search.

    Source: Spirtes, Glymour & Scheines (2000); Colombo & Maathuis (2014); Meek (1995).

    >>> import numpy as np
    >>> from jaxcause.graph import oracle_test
    >>> collider = np.array([[0, 0, 1], [0, 0, 1], [0, 0, 0]], bool)
    >>> pc(oracle_test(collider), alpha=0.5).graph.edges(["a", "b", "c"])
    [('a', '-->', 'c'), ('b', '-->', 'c')]
    """
    check_choice("colliders", colliders, ("sepset", "conservative", "majority"))
    if options.get("caps") is not None and colliders != "sepset":
        raise InputError(f"colliders={colliders!r} cannot run with caps; leave one of them out")
    return search_graphs(
        partial(_pc_on_host, colliders),
        _pc_with_caps,
        test,
        alpha=alpha,
        knowledge=knowledge,
        **options,
    )


def _pc_on_host(
    colliders: ColliderRule, problem: Problem, evaluate: Evaluator, record: SearchRecord
) -> SearchResult:
    reached = host.begin(problem, evaluate, record)
    skeleton = host.remove_separable(problem, evaluate, reached, record)
    sepsets, n_open = skeleton.sepsets(problem), None
    marks = problem.constraints.directions(skeleton.adjacency)
    if marks is None or colliders != "sepset":
        marks, n_open = _oriented(colliders, problem, evaluate, skeleton, sepsets)
    n_conflicts = _n_conflicts(np.asarray(problem.constraints.repeat(marks)))
    return host.as_result(
        problem,
        evaluate,
        skeleton,
        marks,
        sepsets=sepsets,
        no_arrowhead=problem.constraints.doubtful_directions,
        n_conflicts=n_conflicts,
        n_open=n_open,
    )


def _oriented(
    colliders: ColliderRule,
    problem: Problem,
    evaluate: Evaluator,
    skeleton: Skeleton,
    sepsets: SepSets,
) -> tuple[np.ndarray, np.ndarray | None]:
    """The marks of each graph, and how many triples are open."""
    triples, n_open = None, None
    if colliders != "sepset":
        triples, n_open = decide_triples(problem, evaluate, skeleton, colliders)
    cannot_cause = problem.constraints.cannot_cause
    marks = orient_by_edges(skeleton.adjacency, sepsets, triples, cannot_cause=cannot_cause)
    return marks, n_open


def _n_conflicts(marks: Int8[AnyArray, "graphs nodes nodes"]) -> Int[AnyArray, "graphs"]:
    """Edges that rules orient both ways."""
    return (marks == Mark.CONFLICT).sum(axis=(1, 2), dtype=np.int32) // 2


@partial(jax.jit, static_argnames=("caps", "max_p"))
def _pc_with_caps(inputs: TracedInputs, caps: Caps, max_p: bool) -> SearchResult:
    problem, evaluate, skeleton = traced.begin(inputs, caps, max_p)
    skeleton = traced.remove_separable(problem, evaluate, skeleton)
    adjacency, constraints = skeleton.adjacency, problem.constraints
    marks = orient_cpdag(
        adjacency,
        skeleton.sepsets,
        cannot_cause=constraints.cannot_cause,
        width=min(caps.max_degree, adjacency.shape[1]),
    )
    return traced.as_result(
        problem,
        skeleton,
        jnp.asarray(marks),
        no_arrowhead=constraints.doubtful_directions,
        n_conflicts=jnp.asarray(_n_conflicts(marks)),
    )
