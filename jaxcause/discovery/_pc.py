"""The PC algorithm."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool

from jaxcause._typing import AnyArray, CITest
from jaxcause.discovery._orientation import close_meek, orient_v_structures, undirected
from jaxcause.discovery._result import SearchResult
from jaxcause.discovery._search import (
    Problem,
    as_result,
    every_possible_edge,
    padded_sepsets,
    search_graphs,
    thin,
)
from jaxcause.discovery._skeleton import SkeletonState
from jaxcause.graph import BackgroundKnowledge, Mark


def pc(
    test: CITest,
    *,
    alpha: float = 0.01,
    max_cond_size: int | None = None,
    knowledge: BackgroundKnowledge | None = None,
    node_mask: Bool[AnyArray, "*graphs nodes"] | None = None,
) -> SearchResult:
    """Learn a CPDAG by PC-stable: assumes that no common cause is unobserved.

    Within a level every candidate set is drawn from the graph as it stood when the level began, so
    the result does not depend on the order of tests (Colombo & Maathuis 2014). Tiers also keep a
    node out of the conditioning sets of pairs that lie wholly before it. Edges on which the data
    contradict themselves come out as ``<->`` and are counted in ``info.n_conflicts``.

    Args:
        test: Conditional independence test; leading axes are a batch of graphs.
        alpha: X and Y are taken as independent given S iff p > alpha.
        max_cond_size: Largest conditioning set; none by default.
        knowledge: Tiers, forbidden and required edges, stationarity.
        node_mask: Which nodes take part; the others stay without edges.

    Returns:
        Graph, separating sets, p-values, and what each level did.

    Raises:
        InputError: ``alpha`` is outside (0, 1), ``max_cond_size`` is negative, or ``knowledge`` or
            ``node_mask`` are about another number of nodes.

    Source: Spirtes, Glymour & Scheines (2000); Colombo & Maathuis (2014); Meek (1995).

    >>> import numpy as np
    >>> from jaxcause.graph import oracle_test
    >>> collider = np.array([[0, 0, 1], [0, 0, 1], [0, 0, 0]], bool)
    >>> pc(oracle_test(collider), alpha=0.5).graph.edges(["a", "b", "c"])
    [('a', '-->', 'c'), ('b', '-->', 'c')]
    """
    return search_graphs(
        _pc_one,
        test,
        alpha=alpha,
        max_cond_size=max_cond_size,
        knowledge=knowledge,
        node_mask=node_mask,
    )


def _pc_one(problem: Problem) -> SearchResult:
    skeleton = thin(every_possible_edge(problem), problem, first_level=0)
    marks = np.asarray(_orient(skeleton.state, problem.knowledge))
    both = (marks == Mark.ARROW) & (marks.T == Mark.ARROW)
    return as_result(skeleton, marks, problem, n_conflicts=int(np.triu(both).sum()))


def _orient(state: SkeletonState, knowledge: BackgroundKnowledge) -> AnyArray:
    """Knowledge first, then colliders, then Meek's rules."""
    cannot_cause = jnp.asarray(knowledge.cannot_cause)
    marks = undirected(jnp.asarray(state.adjacency), cannot_cause)
    if not bool(((marks == Mark.TAIL) & (marks.T == Mark.TAIL)).any()):
        return marks
    marks = orient_v_structures(marks, padded_sepsets(state), cannot_cause)
    return knowledge.repeat(close_meek(marks))
