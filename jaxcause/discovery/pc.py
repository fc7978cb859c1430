"""The PC algorithm."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float

from jaxcause._checks import InputError, check_choice
from jaxcause._typing import AnyArray, CITest
from jaxcause.discovery._host.collider_rules import ColliderRule, vote
from jaxcause.discovery._host.search import Problem, as_result, in_blocks, search_graphs, thin
from jaxcause.discovery._host.skeleton import Asked, every_possible_edge
from jaxcause.discovery._orientation.cpdag import orient_cpdag
from jaxcause.discovery._orientation.neighbourhoods import degree_bucket, neighbour_lists
from jaxcause.discovery._result import SearchResult
from jaxcause.discovery._traced.search import Caps, Question, begin
from jaxcause.discovery._traced.search import as_result as result_with_caps
from jaxcause.discovery._traced.search import thin as thin_with_caps
from jaxcause.graph import BackgroundKnowledge, Mark, SepSets


def pc(
    test: CITest,
    *,
    alpha: float | Float[AnyArray, ""] = 0.01,
    max_cond_size: int | None = None,
    knowledge: BackgroundKnowledge | None = None,
    node_mask: Bool[AnyArray, "*graphs nodes"] | None = None,
    sepset: str = "first",
    colliders: ColliderRule = "sepset",
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
        colliders: ``sepset`` makes b a collider between a and c where the set that separated them
            lacks b; ``conservative`` where all sets that separate them do, ``majority`` where more
            than half do. Triples that these two leave open orient nothing, and are counted in
            ``info.n_open``.
        caps: Static bounds; with them the search is one compiled program, which also runs inside
            the caller's ``jit`` and ``vmap``, and flags what does not fit in ``info.overflow``.

    Returns:
        Graph, separating sets, p-values, and what each level did.

    Raises:
        InputError: ``colliders`` is not known or comes with caps, ``alpha`` is outside (0, 1),
            ``max_cond_size`` is negative, ``sepset`` is not known, ``knowledge`` or ``node_mask``
            are about another number of nodes, or the test is traced and there are no caps.

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
        partial(_search, colliders),
        test,
        alpha=alpha,
        max_cond_size=max_cond_size,
        knowledge=knowledge,
        node_mask=node_mask,
        sepset=sepset,
        caps=caps,
        with_caps=_with_caps,
    )


def _search(colliders: ColliderRule, problem: Problem) -> SearchResult:
    asked = problem.asked
    skeleton = thin(every_possible_edge(asked, problem.mask), problem, first_level=0)
    sepsets = skeleton.sepsets()
    width = degree_bucket(skeleton.adjacency)
    votes, n_open = (), None
    if colliders != "sepset":
        lists = np.asarray(neighbour_lists(jnp.asarray(skeleton.adjacency), width))
        cap = problem.max_cond_size
        cast = vote(skeleton, lists, problem.evaluate, asked, rule=colliders, max_cond_size=cap)
        votes, n_open = (cast.collider, cast.chain), cast.n_open
    cannot_cause = asked.cannot_cause

    def rules(adjacency: AnyArray, separated: SepSets, *tiles: AnyArray) -> Array:
        more = adjacency.shape[1] - len(cannot_cause)
        cannot = np.pad(cannot_cause, [(0, more), (0, more)])
        return orient_cpdag(adjacency, separated, cannot, tiles or None, width=width)

    marks = in_blocks(rules, skeleton.adjacency, sepsets, *votes)
    marks = problem.asked.repeated(marks)
    both = (marks == Mark.ARROW) & (np.swapaxes(marks, 1, 2) == Mark.ARROW)
    n_conflicts = both.sum(axis=(1, 2)) // 2
    return as_result(
        skeleton, marks, problem, n_conflicts=n_conflicts, sepsets=sepsets, n_open=n_open
    )


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
