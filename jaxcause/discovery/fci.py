"""The FCI algorithm."""

from functools import partial
from typing import Unpack

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int8

from jaxcause._options import shows_options
from jaxcause._small_work import numpy_or_xla
from jaxcause._typing import AnyArray
from jaxcause.discovery._entry import search_pags
from jaxcause.discovery._given import Given
from jaxcause.discovery._host import search as host
from jaxcause.discovery._host.blocks import in_blocks
from jaxcause.discovery._host.evaluator import Evaluator
from jaxcause.discovery._host.record import SearchRecord
from jaxcause.discovery._orientation.pag import orient_colliders, orient_pag
from jaxcause.discovery._orientation.possible_d_sep import possible_d_sep, unknown_separations
from jaxcause.discovery._problem import Caps, PagSearchOptions, Problem, TracedInputs
from jaxcause.discovery._result import SearchResult
from jaxcause.discovery._traced import search as traced
from jaxcause.graph import SepSets


@shows_options(PagSearchOptions, of=search_pags)
def fci(
    test: Given,
    *,
    alpha: float | Float[AnyArray, ""] = 0.01,
    **options: Unpack[PagSearchOptions],
) -> SearchResult:
    """Learn a PAG by FCI: common causes may be unobserved.

    Sets from possible-d-sep remove further edges from the skeleton of PC-stable. Rules R0–R10
    orient the rest. A circle says that the data do not tell which mark it is. The second phase
    takes time exponential in the density of the graph.

    Args:
        test: Conditional independence test, whose leading axes are a batch of graphs; or data
            ``[..., samples, variables]`` (an array, or a frame of numbers), which are tested by
            partial correlations, as by `jaxcause.stats.partial_correlation_test_from_data`.
        alpha: X and Y are taken as independent given S iff p > alpha.

    Returns:
        Graph, separating sets, p-values, and what each level did, those of the second phase after
        those of the first. Here ``<->`` is an unobserved common cause, not a contradiction.

    Raises:
        InputError: ``alpha`` is outside (0, 1), ``max_cond_size`` is negative, ``sepset`` is not
            known, ``knowledge`` or ``node_mask`` are about another number of nodes, the test is
            traced and there are no caps, ``selection_bias=True`` comes with directions, or
            ``checkpoint`` comes with caps, is damaged, or belongs to another search.

    Source: Spirtes, Glymour & Scheines (2000); Colombo & Maathuis (2014); Zhang (2008).

    >>> import numpy as np
    >>> from jaxcause.graph import oracle_test
    >>> dag = np.zeros((5, 5), bool)
    >>> dag[0, 2] = dag[1, 3] = dag[4, 2] = dag[4, 3] = True  # node 4 is not observed
    >>> fci(oracle_test(dag, np.arange(4)), alpha=0.5).graph.edges(["a", "b", "c", "d"])
    [('a', 'o->', 'c'), ('b', 'o->', 'd'), ('c', '<->', 'd')]
    """
    return search_pags(_fci_on_host, _fci_with_caps, test, alpha=alpha, **options)


def _fci_on_host(
    selection_bias: bool, problem: Problem, evaluate: Evaluator, record: SearchRecord
) -> SearchResult:
    orient = problem.constraints.orient
    reached = host.begin(problem, evaluate, record)
    if reached.candidates is None:
        skeleton = host.remove_separable(problem, evaluate, reached, record)
        known = np.asarray(orient(skeleton.adjacency))
        wider = in_blocks(_possible_d_sep, known, skeleton.sepsets(problem))
        reached = host.Reached(skeleton, wider, 1)
    skeleton = host.remove_separable(problem, evaluate, reached, record)
    known, sepsets = np.asarray(orient(skeleton.adjacency, last=True)), skeleton.sepsets(problem)
    marks = in_blocks(
        orient_pag,
        known,
        sepsets,
        selection_bias=selection_bias,
        with_knowledge=problem.constraints.marks_edges,
    )
    tails = problem.constraints.known_tails
    return host.as_result(problem, evaluate, skeleton, marks, sepsets=sepsets, no_arrowhead=tails)


@numpy_or_xla(lambda shape: 1e-3 + 2e-8 * shape[0] * shape[1] ** 4, price=0.4)
def _possible_d_sep(
    marks: Int8[AnyArray, "graphs nodes nodes"], sepsets: SepSets
) -> Bool[AnyArray, "graphs nodes nodes"]:
    """Nodes that the second phase may condition on, after the colliders are oriented."""
    unknown = unknown_separations(marks, sepsets.found)
    return possible_d_sep(orient_colliders(marks, sepsets), unknown)


@partial(jax.jit, static_argnames=("caps", "max_p", "selection_bias"))
def _fci_with_caps(
    inputs: TracedInputs, caps: Caps, max_p: bool, *, selection_bias: bool
) -> SearchResult:
    problem, evaluate, skeleton = traced.begin(inputs, caps, max_p)
    constraints = problem.constraints
    skeleton = traced.remove_separable(problem, evaluate, skeleton)
    known = jnp.asarray(constraints.orient(skeleton.adjacency))
    wider = _possible_d_sep(known, skeleton.sepsets)
    skeleton = traced.remove_separable(problem, evaluate, skeleton, wider)
    known = jnp.asarray(constraints.orient(skeleton.adjacency, last=True))
    marks = orient_pag(
        known,
        skeleton.sepsets,
        selection_bias=selection_bias,
        with_knowledge=constraints.marks_edges,
    )
    return traced.as_result(problem, skeleton, marks, no_arrowhead=constraints.known_tails)
