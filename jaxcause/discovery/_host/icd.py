"""ICD on the host: each level draws its sets from the graph of the level before."""

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Int, Int8

from jaxcause._small_work import TwoEngines, numpy_or_xla
from jaxcause._typing import AnyArray
from jaxcause.discovery._host.blocks import in_blocks
from jaxcause.discovery._host.candidates import compact
from jaxcause.discovery._host.evaluator import Evaluator
from jaxcause.discovery._host.icd_sep import icd_sep_sets
from jaxcause.discovery._host.record import SearchRecord
from jaxcause.discovery._host.rows import Pairs, Rows, Separations
from jaxcause.discovery._host.search import as_result
from jaxcause.discovery._host.skeleton import Skeleton, every_possible_edge, remove, run_level_0
from jaxcause.discovery._orientation.pag import complete, orient_r0_to_r4
from jaxcause.discovery._orientation.possible_d_sep import (
    possible_ancestors,
    unknown_separations,
)
from jaxcause.discovery._orientation.reachability import reachable
from jaxcause.discovery._problem import Problem
from jaxcause.discovery._result import SearchResult

SETS_PER_ROUND = (16, 256)
"""A pair's sets are tried in rounds, so that one that is separated early costs little."""


class IcdReached(NamedTuple):
    """Where a search by ICD stands.

    Args:
        skeleton: The edges that are left.
        marks: The graphs as they are oriented now.
        active: Graphs whose search is not over.
        history: The graphs after each level.
        size: Size of the sets of the next level.
    """

    skeleton: Skeleton
    marks: Int8[np.ndarray, "graphs nodes nodes"]
    active: Bool[np.ndarray, "graphs"]
    history: Int8[np.ndarray, "graphs levels nodes nodes"]
    size: int


def icd_on_host(
    selection_bias: bool, problem: Problem, evaluate: Evaluator, record: SearchRecord
) -> SearchResult:
    """Refine the graph level by level, until no pair has a set left to test."""
    skeleton = every_possible_edge(problem)
    marks = np.asarray(problem.constraints.orient(skeleton.adjacency))
    start = IcdReached(skeleton, marks, np.ones(len(marks), bool), marks[:, None][:, :0], 0)
    reached: IcdReached = record.load(start) or start
    while reached.active.any():
        reached = _next_level(selection_bias, problem, evaluate, reached)
        record.save(reached)
    return as_result(
        problem,
        evaluate,
        reached.skeleton,
        reached.marks,
        sepsets=reached.skeleton.sepsets(problem),
        no_arrowhead=problem.constraints.known_tails,
        levels=reached.history,
    )


def _next_level(
    selection_bias: bool, problem: Problem, evaluate: Evaluator, reached: IcdReached
) -> IcdReached:
    """One level; graphs that have no set left are finished."""
    skeleton, marks, active, history, size = reached
    size, n_graphs, orient = int(size), len(active), problem.constraints.orient
    has_late = problem.constraints.late is not None
    attempts = _attempts(problem, skeleton, marks, active, size) if size else None
    has_sets = active.copy()
    if attempts is not None:
        has_sets = np.bincount(attempts.pairs.graph, minlength=n_graphs) > 0
    done = active & ~has_sets
    if done.any():
        # These graphs are finished: what R5–R10 add stays.
        if has_late:
            marks = _with_last_marks(problem, skeleton, marks, done)
        finish = {"with_knowledge": problem.constraints.marks_edges}
        marks = _oriented(
            problem, done, marks, skeleton, complete, selection_bias=selection_bias, **finish
        )
    active = active & has_sets
    if active.any() and size > problem.max_cond_size:
        skeleton = skeleton._replace(truncated=active)
        if has_late:
            marks = _with_last_marks(problem, skeleton, marks, active)
            history = np.concatenate([history[:, :-1], marks[:, None]], axis=1)
        active = np.zeros(n_graphs, bool)
    elif active.any():
        before = skeleton.unseparated
        skeleton = _run_level(problem, evaluate, skeleton, attempts, size)
        # Where no pair was separated the rules would give the same graph again.
        changed = (skeleton.unseparated != before).any(axis=(1, 2)) | (active & (size == 0))
        known = np.asarray(orient(skeleton.adjacency))
        marks = np.where(changed[:, None, None], known, marks)
        marks = _oriented(problem, changed, marks, skeleton, orient_r0_to_r4)
    if active.any() or done.any():
        history = np.concatenate([history, marks[:, None]], axis=1)
    return IcdReached(skeleton, marks, active, history, size + 1)


class Attempts(NamedTuple):
    """Pairs of one level, and the conditioning sets to try for each.

    Args:
        pairs: The pairs.
        rows: Their candidates. With one set each, the rows of a pair come in the order in which
            its sets are to be tried.
        one_set_each: Whether all candidates of a row are one set.
    """

    pairs: Pairs
    rows: Rows
    one_set_each: bool


def _attempts(
    problem: Problem, skeleton: Skeleton, marks: np.ndarray, active: np.ndarray, size: int
) -> Attempts:
    """The candidate sets of a level: neighbours one by one, or ICD-Sep sets."""
    constraints = problem.constraints
    pairs = Pairs.where(skeleton.unseparated & active[:, None, None])
    if size == 1:
        return _single_neighbours(skeleton, pairs, constraints.tiers)
    graphs = np.flatnonzero(active)
    place = np.cumsum(active) - 1  # number of each graph among the active ones
    here = marks[graphs]
    order = _order_of_nodes(problem, graphs)
    unknown = None
    if constraints.decided is not None or constraints.copies is not None:
        unknown = np.asarray(unknown_separations(here, skeleton.sepsets(problem).found[graphs]))
    sets = icd_sep_sets(
        here,
        in_blocks(_reach, here),
        pairs._replace(graph=place[pairs.graph]),
        size,
        unknown=unknown,
        order=order,
    )
    tried, number = np.unique(sets.pair, return_inverse=True)
    pairs = pairs.at(tried)
    ends = tuple(end[number] for end in pairs)
    rows = Rows.own(number, ends, sets.members, np.full(number.size, size))
    return Attempts(pairs, rows, one_set_each=True)


def _order_of_nodes(problem: Problem, graphs: np.ndarray) -> Int[np.ndarray, "graphs nodes"] | None:
    """The order in which trees take nodes: one that renumbering the nodes does not change.

    None for the order of their numbers, which goes with taking the first separating set.
    """
    keys = problem.engine.node_keys() if problem.max_p else None
    return None if keys is None else np.argsort(np.asarray(keys)[graphs], axis=1, kind="stable")


def _single_neighbours(skeleton: Skeleton, pairs: Pairs, tiers: np.ndarray | None) -> Attempts:
    """Neighbours of x, then those of y that are not among them; x and y are none."""
    adjacent, n = skeleton.adjacency, skeleton.adjacency.shape[1]
    near, far = adjacent[pairs.graph, pairs.x], adjacent[pairs.graph, pairs.y]
    far = far & ~near
    row = np.arange(pairs.x.size)
    near[row, pairs.y] = far[row, pairs.x] = False
    both = np.concatenate([near, far], axis=1)
    if tiers is not None:
        latest = np.maximum(tiers[pairs.x], tiers[pairs.y])
        both &= np.tile(tiers, 2) <= latest[:, None]
    some = np.flatnonzero(both.any(axis=1))
    pairs, both = pairs.at(some), both[some]
    candidates, count = compact(np.broadcast_to(np.arange(2 * n) % n, both.shape), both)
    rows = Rows.own(np.arange(pairs.x.size), pairs, candidates, count)
    return Attempts(pairs, rows, one_set_each=False)


def _run_level(
    problem: Problem,
    evaluate: Evaluator,
    skeleton: Skeleton,
    attempts: Attempts | None,
    size: int,
) -> Skeleton:
    """Remove the pairs that a set of this level separates."""
    if attempts is None:
        return run_level_0(problem, evaluate, skeleton)
    if attempts.one_set_each:
        found = _first_of(evaluate, attempts, size)
    else:
        found = evaluate(attempts.rows, size)
    return remove(problem, skeleton, attempts.pairs, found)


def _first_of(evaluate: Evaluator, attempts: Attempts, size: int) -> Separations:
    """The first set of each pair that separates it, in rounds over the ranks of the sets."""
    rows, n_pairs = attempts.rows, attempts.pairs.x.size
    count = np.bincount(rows.pair, minlength=n_pairs)
    rank = np.arange(rows.pair.size) - (np.cumsum(count) - count)[rows.pair]
    found = Separations.none(n_pairs, size)
    start = 0
    for stop in (rank.size + 1,) if evaluate.max_p else (*SETS_PER_ROUND, rank.size + 1):
        now = np.flatnonzero((rank >= start) & (rank < stop) & ~found.separated[rows.pair])
        if now.size:
            tried, number = np.unique(rows.pair[now], return_inverse=True)
            some = rows.at(now)._replace(pair=number)
            later = evaluate(some, size)
            found.update(tried, later)
            # Sets behind the one that separates a pair do not count as tested.
            needed = rank[now[later.winner]] + 1
            full = np.minimum(count[tried], stop)
            found.n_tests[tried] = np.where(later.separated & ~evaluate.max_p, needed, full)
        start = stop
    return found


def _with_last_marks(
    problem: Problem, skeleton: Skeleton, marks: np.ndarray, which: np.ndarray
) -> np.ndarray:
    """The marks once more from the start, with what is known of edges that are there to stay."""
    known = np.asarray(problem.constraints.orient(skeleton.adjacency, last=True))
    marks = np.where(which[:, None, None], known, marks)
    return _oriented(problem, which, marks, skeleton, orient_r0_to_r4)


def _oriented(
    problem: Problem,
    which: np.ndarray,
    marks: np.ndarray,
    skeleton: Skeleton,
    rules: TwoEngines,
    **options: bool,
) -> np.ndarray:
    """The marks after some rules on some of the graphs."""
    sepsets = skeleton.sepsets(problem)
    graphs = np.flatnonzero(which)
    marks = marks.copy()
    some = jax.tree.map(lambda leaf: leaf[graphs], sepsets)
    marks[graphs] = in_blocks(rules, marks[graphs], some, **options)
    return marks


@numpy_or_xla(lambda shape: 1e-4 + 1e-8 * shape[0] * shape[1] ** 3, price=0.1)
def _reach(marks: Int8[AnyArray, "graphs nodes nodes"]) -> Bool[AnyArray, "graphs nodes nodes"]:
    """Entry ``[u, v]``: u may be an ancestor of v."""
    return reachable(possible_ancestors(marks))
