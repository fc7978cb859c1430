"""Which pairs are separated, among those whose edge was not selected."""

import numpy as np
from jaxtyping import Bool, Int

from jaxcause.discovery._phase_record import PhaseRecord
from jaxcause.discovery._refine.evaluate import p_values_given_past
from jaxcause.discovery._refine.given_past import PastConditionedTest, whole_past
from jaxcause.discovery._refine.problem import RefineProblem
from jaxcause.discovery._refine.separating_sets import SeparatingSets

LARGEST_PAST = 512
"""With more lagged nodes than this, edges that were not selected are not tested."""
PAIRS_PER_SAVE = 1 << 13
"""Pairs that are tested between two writes of the record."""


def sets_of_non_selected(problem: RefineProblem, record: PhaseRecord) -> SeparatingSets:
    """The rest of the past, for each lagged pair without an allowed edge that it separates.

    The forecaster has not selected such an edge, which suggests that the rest of the past separates
    its ends. The pair counts as separated only if a test confirms that.
    """
    n_vars, n_lags, n_nodes = problem.n_vars, problem.n_lags, problem.test.n_nodes
    sets = SeparatingSets.none(n_nodes)
    if n_vars * (n_lags - 1) > LARGEST_PAST:
        return sets
    non_selected = ~(problem.allowed | problem.required)
    non_selected[:, :, 0] = False
    source, target, lag = np.nonzero(non_selected)
    if not source.size:
        return sets
    early = lag * n_vars + source
    given_past = PastConditionedTest(problem.test, whole_past(n_vars, n_lags - 1))
    separated = _separated(given_past, early, target, problem.alpha, record)
    early, target = early[separated], target[separated]
    nodes = np.arange(n_nodes)
    past = (nodes >= n_vars) & (nodes < n_vars * n_lags)
    for x, y in ((early, target), (target, early)):
        sets.found[x, y] = True
        sets.member[x, y] = past
        sets.member[x, y, early] = False
    return sets


def _separated(
    given_past: PastConditionedTest,
    early: Int[np.ndarray, "pairs"],
    target: Int[np.ndarray, "pairs"],
    alpha: float,
    record: PhaseRecord,
) -> Bool[np.ndarray, "pairs"]:
    """Which pairs are independent given the rest of the past."""
    done, separated = record.resumed("non-selected", np.zeros(len(early), bool))
    for first in range(done, len(early), PAIRS_PER_SAVE):
        block = slice(first, min(len(early), first + PAIRS_PER_SAVE))
        separated[block] = p_values_given_past(given_past, early[block], target[block]) > alpha
        record.save("non-selected", block.stop, separated)
    return separated
