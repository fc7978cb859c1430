"""The PC algorithm."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float

from jaxcause._typing import AnyArray, CITest
from jaxcause.discovery._neighbourhoods import degree_bucket
from jaxcause.discovery._orientation import orient_cpdag
from jaxcause.discovery._result import SearchResult
from jaxcause.discovery._search import Padded, Problem, as_result, search_graphs, thin
from jaxcause.discovery._skeleton import Asked, every_possible_edge
from jaxcause.discovery._static import Caps, Question, begin
from jaxcause.discovery._static import as_result as result_with_caps
from jaxcause.discovery._static import thin as thin_with_caps
from jaxcause.graph import BackgroundKnowledge, Mark


def pc(
    test: CITest,
    *,
    alpha: float = 0.01,
    max_cond_size: int | None = None,
    knowledge: BackgroundKnowledge | None = None,
    node_mask: Bool[AnyArray, "*graphs nodes"] | None = None,
    sepset: str = "first",
    caps: Caps | None = None,
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
        sepset: ``first`` keeps the first separating set of a level, ``max_p`` the one with the
            largest p-value.
        caps: Static bounds; with them the search is one compiled program, which also runs inside
            the caller's ``jit`` and ``vmap``, and flags what does not fit in ``info.overflow``.

    Returns:
        Graph, separating sets, p-values, and what each level did.

    Raises:
        InputError: ``alpha`` is outside (0, 1), ``max_cond_size`` is negative, ``sepset`` is not
            known, ``knowledge`` or ``node_mask`` are about another number of nodes, or the test is
            traced and there are no caps.

    Source: Spirtes, Glymour & Scheines (2000); Colombo & Maathuis (2014); Meek (1995).

    >>> import numpy as np
    >>> from jaxcause.graph import oracle_test
    >>> collider = np.array([[0, 0, 1], [0, 0, 1], [0, 0, 0]], bool)
    >>> pc(oracle_test(collider), alpha=0.5).graph.edges(["a", "b", "c"])
    [('a', '-->', 'c'), ('b', '-->', 'c')]
    """
    return search_graphs(
        _search,
        test,
        alpha=alpha,
        max_cond_size=max_cond_size,
        knowledge=knowledge,
        node_mask=node_mask,
        sepset=sepset,
        caps=caps,
        with_caps=_with_caps,
    )


def _search(problem: Problem) -> SearchResult:
    knowledge, n = problem.knowledge, problem.mask.shape[1]
    skeleton = thin(every_possible_edge(problem.asked, problem.mask), problem, first_level=0)
    sepsets = skeleton.sepsets()
    padded = Padded.of(skeleton.adjacency, sepsets)
    more = padded.marks.shape[1] - n
    marks = orient_cpdag(
        padded.marks,
        padded.sepsets,
        np.pad(problem.asked.cannot_cause, [(0, more), (0, more)]),
        None,
        width=degree_bucket(skeleton.adjacency),
    )
    marks = knowledge.repeat(np.asarray(marks)[: len(problem.mask), :n, :n])
    both = (marks == Mark.ARROW) & (np.swapaxes(marks, 1, 2) == Mark.ARROW)
    n_conflicts = both.sum(axis=(1, 2)) // 2
    return as_result(skeleton, marks, problem, n_conflicts=n_conflicts, sepsets=sepsets)


@partial(jax.jit, static_argnames=("caps", "max_p"))
def _with_caps(
    test: CITest,
    alpha: Float[Array, ""],
    asked: Asked,
    mask: Bool[Array, "graphs nodes"],
    *,
    caps: Caps,
    max_p: bool,
) -> SearchResult:
    question = Question(test, alpha, asked, caps, max_p)
    state = thin_with_caps(question, begin(question, mask))
    width = min(caps.max_degree, mask.shape[1])
    marks = orient_cpdag(state.adjacency, state.sepsets, asked.cannot_cause, None, width=width)
    both = (marks == Mark.ARROW) & (jnp.swapaxes(marks, 1, 2) == Mark.ARROW)
    return result_with_caps(question, state, marks, n_conflicts=both.sum(axis=(1, 2)) // 2)
