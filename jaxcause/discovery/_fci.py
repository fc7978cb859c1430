"""The FCI algorithm."""

from functools import partial

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Int8

from jaxcause._typing import AnyArray, CITest
from jaxcause.discovery._pag_orientation import orient_colliders, orient_pag
from jaxcause.discovery._possible_d_sep import possible_d_sep
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


def fci(
    test: CITest,
    *,
    alpha: float = 0.01,
    max_cond_size: int | None = None,
    knowledge: BackgroundKnowledge | None = None,
    node_mask: Bool[AnyArray, "*graphs nodes"] | None = None,
    selection_bias: bool = True,
) -> SearchResult:
    """Learn a PAG by FCI: common causes may be unobserved.

    The skeleton of PC-stable is thinned further by sets from possible-d-sep, and oriented by rules
    R0–R10. A circle says that the data do not tell which mark it is. The second phase takes time
    exponential in the density of the graph.

    Args:
        test: Conditional independence test; leading axes are a batch of graphs.
        alpha: X and Y are taken as independent given S iff p > alpha.
        max_cond_size: Largest conditioning set; none by default.
        knowledge: Tiers and required edges mark the edges that they decide; edges forbidden both
            ways are left out.
        node_mask: Which nodes take part; the others stay without edges.
        selection_bias: Whether the sample may have been selected by its values (R5–R7).

    Returns:
        Graph, separating sets, p-values, and what each level did, those of the second phase after
        those of the first. Here ``<->`` is an unobserved common cause, not a contradiction.

    Raises:
        InputError: ``alpha`` is outside (0, 1), ``max_cond_size`` is negative, or ``knowledge`` or
            ``node_mask`` are about another number of nodes.

    Source: Spirtes, Glymour & Scheines (2000); Colombo & Maathuis (2014); Zhang (2008).

    >>> import numpy as np
    >>> from jaxcause.graph import oracle_test
    >>> dag = np.zeros((5, 5), bool)
    >>> dag[0, 2] = dag[1, 3] = dag[4, 2] = dag[4, 3] = True  # node 4 is not observed
    >>> fci(oracle_test(dag, np.arange(4)), alpha=0.5).graph.edges(["a", "b", "c", "d"])
    [('a', 'o->', 'c'), ('b', 'o->', 'd'), ('c', '<->', 'd')]
    """
    return search_graphs(
        partial(_fci_one, selection_bias),
        test,
        alpha=alpha,
        max_cond_size=max_cond_size,
        knowledge=knowledge,
        node_mask=node_mask,
    )


def _fci_one(selection_bias: bool, problem: Problem) -> SearchResult:
    first = thin(every_possible_edge(problem), problem, first_level=0)
    marks = _known_marks(first.state, problem.knowledge)
    wider = possible_d_sep(orient_colliders(marks, padded_sepsets(first.state)))
    last = thin(first, problem, first_level=1, candidates=np.asarray(wider))
    marks = _known_marks(last.state, problem.knowledge)
    marks = orient_pag(marks, padded_sepsets(last.state), selection_bias=selection_bias)
    return as_result(last, problem.knowledge.repeat(marks), problem, n_conflicts=0)


def _known_marks(
    state: SkeletonState, knowledge: BackgroundKnowledge
) -> Int8[Array, "nodes nodes"]:
    """Circles, but an arrowhead at what comes later, and i → j where that is required."""
    tiers, required = np.asarray(knowledge.tiers), np.asarray(knowledge.required)
    marks = np.where(state.adjacency, np.int8(Mark.CIRCLE), np.int8(Mark.NONE))
    later = tiers[:, None] < tiers
    marks[state.adjacency & (later | required)] = Mark.ARROW
    marks[state.adjacency & required.T] = Mark.TAIL
    return jnp.asarray(marks)
