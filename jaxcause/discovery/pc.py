"""The PC algorithm."""

from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh
from jaxtyping import Bool, Float, Int, Int8

from jaxcause._checks import InputError, check_choice
from jaxcause._typing import AnyArray, CITest
from jaxcause.discovery._entry import search_graphs
from jaxcause.discovery._given import Given
from jaxcause.discovery._host import search as host
from jaxcause.discovery._host.collider_rules import ColliderRule, decide_triples
from jaxcause.discovery._host.cpdag import orient_by_edges
from jaxcause.discovery._host.evaluator import Evaluator
from jaxcause.discovery._host.record import SearchRecord
from jaxcause.discovery._host.skeleton import Skeleton
from jaxcause.discovery._orientation.cpdag import orient_cpdag
from jaxcause.discovery._problem import Caps, Constraints, Problem
from jaxcause.discovery._result import SearchResult
from jaxcause.discovery._traced import search as traced
from jaxcause.discovery._traced import skeleton as traced_skeleton
from jaxcause.graph import BackgroundKnowledge, Mark, SepSets


def pc(
    test: Given,
    *,
    alpha: float | Float[AnyArray, ""] = 0.01,
    max_cond_size: int | None = None,
    knowledge: BackgroundKnowledge | None = None,
    node_mask: Bool[AnyArray, "*graphs nodes"] | None = None,
    sepset: str = "max_p",
    colliders: ColliderRule = "sepset",
    caps: Caps | None = None,
    mesh: Mesh | None = None,
    checkpoint: str | Path | None = None,
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
        max_cond_size: Largest conditioning set; none by default.
        knowledge: Tiers, forbidden and required edges, stationarity.
        node_mask: Which nodes take part; the others stay without edges.
        sepset: ``max_p`` keeps the separating set of a level with the largest p-value, so that the
            result does not depend on the order of the nodes. ``first`` keeps the first one, as the
            papers have it: with data, renumbering the nodes then changes marks, and fewer of them
            are right.
        colliders: ``sepset`` makes b a collider between a and c where the set that separated them
            lacks b; ``conservative`` where all sets that separate them do, ``majority`` where more
            than half do. Triples that these two leave open orient nothing, and are counted in
            ``info.n_open``.
        caps: Static bounds; with them the search is one compiled program, which also runs inside
            the caller's ``jit`` and ``vmap``, and flags what does not fit in ``info.overflow``.
        mesh: Devices that share the work (`jaxcause.sharding.row_mesh`): the rows of every large
            level, or with caps the graphs of a batch. The result is that of one device.
        checkpoint: File to which the search is written after each level, and from which the same
            call goes on after its process was killed, to the same result bit for bit; chunks of a
            batch have one each (``name``, ``name.1``, …). A test of your own is told from another
            by its type and arrays.

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
    if caps is not None and colliders != "sepset":
        raise InputError(f"colliders={colliders!r} cannot run with caps; leave one of them out")
    return search_graphs(
        partial(_pc_on_host, colliders),
        _pc_with_caps,
        test,
        alpha=alpha,
        max_cond_size=max_cond_size,
        knowledge=knowledge,
        node_mask=node_mask,
        sepset=sepset,
        caps=caps,
        mesh=mesh,
        checkpoint=checkpoint,
    )


def _pc_on_host(
    colliders: ColliderRule, problem: Problem, evaluate: Evaluator, record: SearchRecord
) -> SearchResult:
    reached = host.begin(problem, evaluate, record)
    skeleton = host.remove_separable(problem, evaluate, reached, record)
    sepsets, n_open = skeleton.sepsets(), None
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
def _pc_with_caps(
    test: CITest,
    alpha: Float[Array, ""],
    constraints: Constraints,
    mask: Bool[Array, "graphs nodes"],
    caps: Caps,
    max_p: bool,
) -> SearchResult:
    problem, evaluate = traced.problem_of(test, alpha, constraints, mask, caps, max_p)
    skeleton = traced_skeleton.every_possible_edge(problem)
    skeleton = traced_skeleton.run_level_0(problem, evaluate, skeleton)
    skeleton = traced.remove_separable(problem, evaluate, skeleton)
    adjacency, width = skeleton.adjacency, min(caps.max_degree, mask.shape[1])
    marks = orient_cpdag(
        adjacency, skeleton.sepsets, cannot_cause=constraints.cannot_cause, width=width
    )
    return traced.as_result(
        problem,
        skeleton,
        jnp.asarray(marks),
        no_arrowhead=constraints.doubtful_directions,
        n_conflicts=jnp.asarray(_n_conflicts(marks)),
    )
