"""The FCI algorithm."""

from functools import partial

import jax
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Int8

from jaxcause._typing import AnyArray, CITest
from jaxcause.discovery._host.search import (
    Problem,
    as_result,
    in_blocks,
    known_marks,
    search_graphs,
    thin,
)
from jaxcause.discovery._host.skeleton import Asked, every_possible_edge
from jaxcause.discovery._orientation.pag import orient_colliders, orient_pag
from jaxcause.discovery._orientation.possible_d_sep import possible_d_sep
from jaxcause.discovery._result import SearchResult
from jaxcause.discovery._traced.search import Caps, Question, begin
from jaxcause.discovery._traced.search import as_result as result_with_caps
from jaxcause.discovery._traced.search import thin as thin_with_caps
from jaxcause.graph import BackgroundKnowledge, SepSets


def fci(
    test: CITest,
    *,
    alpha: float | Float[AnyArray, ""] = 0.01,
    max_cond_size: int | None = None,
    knowledge: BackgroundKnowledge | None = None,
    node_mask: Bool[AnyArray, "*graphs nodes"] | None = None,
    selection_bias: bool = True,
    sepset: str = "first",
    caps: Caps | None = None,
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
        sepset: ``first`` keeps the first separating set of a level, ``max_p`` the one with the
            largest p-value.
        caps: Static bounds; with them the search is one compiled program, which also runs inside
            the caller's ``jit`` and ``vmap``, and flags what does not fit in ``info.overflow``.

    Returns:
        Graph, separating sets, p-values, and what each level did, those of the second phase after
        those of the first. Here ``<->`` is an unobserved common cause, not a contradiction.

    Raises:
        InputError: ``alpha`` is outside (0, 1), ``max_cond_size`` is negative, ``sepset`` is not
            known, ``knowledge`` or ``node_mask`` are about another number of nodes, or the test is
            traced and there are no caps.

    Source: Spirtes, Glymour & Scheines (2000); Colombo & Maathuis (2014); Zhang (2008).

    >>> import numpy as np
    >>> from jaxcause.graph import oracle_test
    >>> dag = np.zeros((5, 5), bool)
    >>> dag[0, 2] = dag[1, 3] = dag[4, 2] = dag[4, 3] = True  # node 4 is not observed
    >>> fci(oracle_test(dag, np.arange(4)), alpha=0.5).graph.edges(["a", "b", "c", "d"])
    [('a', 'o->', 'c'), ('b', 'o->', 'd'), ('c', '<->', 'd')]
    """
    return search_graphs(
        partial(_search, selection_bias),
        test,
        alpha=alpha,
        max_cond_size=max_cond_size,
        knowledge=knowledge,
        node_mask=node_mask,
        sepset=sepset,
        caps=caps,
        with_caps=partial(_with_caps, selection_bias=selection_bias),
    )


def _search(selection_bias: bool, problem: Problem) -> SearchResult:
    n_graphs = len(problem.mask)
    first = thin(every_possible_edge(problem.asked, problem.mask), problem, first_level=0)
    circles = np.asarray(known_marks(first.adjacency, problem.asked))
    wider = in_blocks(_wider, circles, first.sepsets())
    last = thin(first, problem, first_level=1, candidates=wider)
    sepsets = last.sepsets()
    circles = np.asarray(known_marks(last.adjacency, problem.asked))
    marks = in_blocks(partial(orient_pag, selection_bias=selection_bias), circles, sepsets)
    n_conflicts = np.zeros(n_graphs, np.int64)
    return as_result(last, marks, problem, n_conflicts=n_conflicts, sepsets=sepsets)


@jax.jit
def _wider(
    marks: Int8[Array, "graphs nodes nodes"], sepsets: SepSets
) -> Bool[Array, "graphs nodes nodes"]:
    return possible_d_sep(orient_colliders(marks, sepsets))


@partial(jax.jit, static_argnames=("caps", "max_p", "selection_bias"))
def _with_caps(
    test: CITest,
    alpha: Float[Array, ""],
    asked: Asked,
    mask: Bool[Array, "graphs nodes"],
    *,
    caps: Caps,
    max_p: bool,
    selection_bias: bool,
) -> SearchResult:
    question = Question(test, alpha, asked, caps, max_p)
    state = thin_with_caps(question, begin(question, mask))
    wider = _wider(known_marks(state.adjacency, asked), state.sepsets)
    state = thin_with_caps(question, state, wider)
    marks = known_marks(state.adjacency, asked)
    marks = orient_pag(marks, state.sepsets, selection_bias=selection_bias)
    return result_with_caps(question, state, marks)
