"""The search of `refine` that conditions on the selected past, modified by small sets."""

import numpy as np
from jaxtyping import Bool, Int8

from jaxcause.discovery._phase_record import PhaseRecord
from jaxcause.discovery._refine.evaluate import p_values_given_sets
from jaxcause.discovery._refine.given_past import PastConditionedTest, selected_past
from jaxcause.discovery._refine.marks import lagged_marks, orient
from jaxcause.discovery._refine.problem import RefineProblem
from jaxcause.discovery._refine.separating_sets import SeparatingSets
from jaxcause.discovery.pc import pc
from jaxcause.graph import Mark


def search_near_past(
    problem: RefineProblem, known: SeparatingSets, record: PhaseRecord, *, n_rounds: int
) -> tuple[Int8[np.ndarray, "vars vars lags 2"], list[int]]:
    """Rounds of PC given the selected past; each leaves out what the last one ruled out as a cause.

    Args:
        problem: What to search.
        known: Separating sets of edges that were not selected.
        record: Where the search is written; each round has a file beside it.
        n_rounds: Most rounds.

    Returns:
        Marks of the edges, and the number of tests of each round.
    """
    edges, past = problem.allowed, problem.allowed | problem.required
    n_tests: list[int] = []
    while True:
        knowledge = problem.knowledge_of(edges)
        test = PastConditionedTest(problem.test, selected_past(past), leave_out=problem.latents)
        found = pc(
            test,
            knowledge=knowledge,
            alpha=problem.alpha,
            max_cond_size=problem.max_cond_size,
            checkpoint=record.beside(len(n_tests)),
        )
        n_tests.append(int(np.sum(found.info.n_tests)))
        separated = np.asarray(found.sepsets.found)
        member = test.whole_sets(separated, np.asarray(found.sepsets.membership()))
        adjacency = np.asarray(found.graph.adjacency)
        known = known.add(SeparatingSets(separated, member))
        if problem.latents:
            known = confirm_colliders(problem, known, adjacency, record, len(n_tests))
        marks = lagged_marks(problem, orient(problem, adjacency, known, knowledge))
        edges, causes = _edges_and_causes(marks)
        if len(n_tests) >= n_rounds or (causes == past).all():
            return marks, n_tests
        past = causes


def confirm_colliders(
    problem: RefineProblem,
    known: SeparatingSets,
    adjacency: Bool[np.ndarray, "nodes nodes"],
    record: PhaseRecord,
    n_round: int,
) -> SeparatingSets:
    """For each triple X - M - Y, the set of X and Y with M or without, whichever separates better.

    M is a collider if it is outside of the set that separates X and Y. Among thousands of sets, one
    with M and one without may both separate them by chance; then the larger p-value decides.

    Args:
        problem: What is searched.
        known: The sets so far.
        adjacency: The skeleton.
        record: Where the search is written.
        n_round: Number of the round.
    """
    first_at_lag_0 = (np.arange(len(adjacency)) < problem.n_vars)[:, None]
    pairs = np.argwhere(np.triu(known.found) & first_at_lag_0)
    if not len(pairs):
        return known
    row, middle = np.nonzero(adjacency[pairs[:, 0]] & adjacency[pairs[:, 1]])
    x, y = pairs[row].T
    # Copies of a middle say what it says: all of them are in a set, or none is.
    alike = problem.copies | np.eye(len(adjacency), dtype=bool)
    known = known.with_copies(problem.copies)
    given, changed = known.member[x, y], alike[middle]
    changed[np.arange(len(row)), x] = changed[np.arange(len(row)), y] = False
    other = given ^ changed

    def is_better() -> np.ndarray:
        p_value, p_other = (p_values_given_sets(problem.test, x, y, s) for s in (given, other))
        return (p_other > problem.alpha) & (p_other > p_value)

    is_changed = changed & record.once(f"colliders {n_round}", is_better)[:, None]
    better, node = np.nonzero(is_changed)
    member = known.member.copy()
    for first, second in ((x, y), (y, x)):
        member[first[better], second[better], node] = other[better, node]
    return SeparatingSets(known.found, member)


def _edges_and_causes(
    marks: Int8[np.ndarray, "vars vars lags 2"],
) -> tuple[Bool[np.ndarray, "vars vars lags"], Bool[np.ndarray, "vars vars lags"]]:
    """The edges that are left, and those whose source may be a cause of the target.

    At lag 0 an edge stands in both directions; marks that are known there come from knowledge.
    """
    edges = marks[..., 0] != Mark.NONE
    causes = edges & (marks[..., 0] != Mark.ARROW)
    causes[:, :, 0] = edges[:, :, 0]
    return edges, causes
