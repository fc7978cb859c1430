"""The search of `refine` that is temporal ICD."""

import numpy as np
from jaxtyping import Int8

from jaxcause.discovery._phase_record import PhaseRecord
from jaxcause.discovery._refine.marks import lagged_marks, orient
from jaxcause.discovery._refine.problem import RefineProblem
from jaxcause.discovery._refine.separating_sets import SeparatingSets
from jaxcause.discovery.icd import icd


def search_by_icd(
    problem: RefineProblem, known: SeparatingSets, record: PhaseRecord
) -> tuple[Int8[np.ndarray, "vars vars lags 2"], list[int]]:
    """Temporal ICD over the allowed edges; conditioning sets grow from the empty set.

    Args:
        problem: What to search.
        known: Separating sets of edges that were not selected.
        record: Where the search is written; its levels have a file beside it.

    Returns:
        Marks of the edges, and the number of tests of each level.
    """
    knowledge = problem.knowledge_of(problem.allowed)
    found = icd(
        problem.test,
        alpha=problem.alpha,
        max_cond_size=problem.max_cond_size,
        knowledge=knowledge,
        selection_bias=False,
        checkpoint=record.beside(0),
    )
    adjacency, sepsets = np.asarray(found.graph.adjacency), found.sepsets
    sets = SeparatingSets(np.asarray(sepsets.found), np.asarray(sepsets.membership()))
    marks = orient(problem, adjacency, sets.add(known), knowledge)
    return lagged_marks(problem, marks), np.asarray(found.info.n_tests).tolist()
