"""Iterative causal discovery (ICD)."""

import itertools
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Int8

from jaxcause._typing import AnyArray, CITest
from jaxcause.discovery._candidates import compact
from jaxcause.discovery._evaluator import Evaluator
from jaxcause.discovery._icd_sep import icd_sep_sets
from jaxcause.discovery._icd_static import icd_with_caps
from jaxcause.discovery._pag_orientation import complete, orient_r0_to_r4
from jaxcause.discovery._paths import reachable
from jaxcause.discovery._possible_d_sep import possible_ancestors
from jaxcause.discovery._result import SearchResult
from jaxcause.discovery._rows import Rows, Separations
from jaxcause.discovery._search import Problem, as_result, in_blocks, known_marks, search_graphs
from jaxcause.discovery._skeleton import (
    Pairs,
    Skeleton,
    every_possible_edge,
    remove,
    test_level_0,
)
from jaxcause.discovery._static import Caps
from jaxcause.graph import BackgroundKnowledge, CausalGraph, SepSets

SETS_PER_ROUND = (16, 256)
"""A pair's sets are tried in rounds, so that one that is separated early costs little."""


def icd(
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
    """Learn a PAG by ICD: common causes may be unobserved, and any level gives a valid graph.

    Where FCI looks for separating sets among all subsets of possible-d-sep, ICD refines one graph
    level by level: sets of size r are grown along the branches, of at most r steps, of the
    possible-d-sep tree of either node, and hold possible ancestors only. After each level the graph
    is oriented anew, which makes the next level's sets few. The graph after level r is one for all
    independences given at most r nodes (``levels`` of the result holds them all).

    With tiers this is ordered ICD, for the tokens of a causal Transformer; with
    `BackgroundKnowledge.temporal` it is temporal ICD, for the lags of a series.

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
        Graph, separating sets, p-values, what each level did, and the graph after each level.

    Raises:
        InputError: ``alpha`` is outside (0, 1), ``max_cond_size`` is negative, ``sepset`` is not
            known, ``knowledge`` or ``node_mask`` are about another number of nodes, or the test is
            traced and there are no caps.

    Source: Rohekar, Nisimov, Gurwicz & Novik (2021), "Iterative causal discovery in the possible
    presence of latent confounders and selection bias"; ordered: Rohekar et al. (2024),
    arXiv 2412.07446; temporal: Rohekar et al. (2023), arXiv 2306.00624; Zhang (2008).

    >>> import numpy as np
    >>> from jaxcause.graph import oracle_test
    >>> dag = np.zeros((5, 5), bool)
    >>> dag[0, 2] = dag[1, 3] = dag[4, 2] = dag[4, 3] = True  # node 4 is not observed
    >>> icd(oracle_test(dag, np.arange(4)), alpha=0.5).graph.edges(["a", "b", "c", "d"])
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
        with_caps=partial(icd_with_caps, selection_bias=selection_bias),
    )


def _search(selection_bias: bool, problem: Problem) -> SearchResult:
    n_graphs = len(problem.mask)
    skeleton = every_possible_edge(problem.asked, problem.mask)
    marks = np.asarray(known_marks(skeleton.adjacency, problem.asked))
    finish = partial(complete, selection_bias=selection_bias)
    active = np.ones(n_graphs, bool)
    history = []
    for size in itertools.count():
        tries = _tries(skeleton, marks, active, problem, size) if size else None
        has_sets = active.copy()
        if tries is not None:
            has_sets = np.bincount(tries.pairs.graph, minlength=n_graphs) > 0
        done = active & ~has_sets
        if done.any():
            # No set is left to try: what R5–R10 add stays.
            marks = _oriented(done, marks, skeleton, finish)
        active &= has_sets
        if active.any() and problem.max_cond_size is not None and size > problem.max_cond_size:
            skeleton = skeleton._replace(truncated=active)
            active = np.zeros(n_graphs, bool)
        elif active.any():
            before = skeleton.adjacency
            skeleton = _thinner(skeleton, problem, tries, size)
            # Where no edge was removed the rules would give the same graph again.
            changed = (skeleton.adjacency != before).any(axis=(1, 2)) | (active & (size == 0))
            known = np.asarray(known_marks(skeleton.adjacency, problem.asked))
            marks = np.where(changed[:, None, None], known, marks)
            marks = _oriented(changed, marks, skeleton, orient_r0_to_r4)
        if active.any() or done.any():
            history.append(problem.asked.repeated(marks))
        if not active.any():
            break
    return as_result(
        skeleton,
        problem.asked.repeated(marks),
        problem,
        n_conflicts=np.zeros(n_graphs, np.int64),
        sepsets=skeleton.sepsets(),
    )._replace(levels=CausalGraph(np.stack(history, axis=1)))


class _Tries(NamedTuple):
    """Pairs of one level, and what to try for each.

    Rows with one set each come in the order in which a pair's sets are to be tried.
    """

    pairs: Pairs
    rows: Rows
    one_set_each: bool


def _tries(
    skeleton: Skeleton, marks: np.ndarray, active: np.ndarray, problem: Problem, size: int
) -> _Tries:
    """The candidate sets of a level: neighbours one by one, or ICD-Sep sets."""
    pairs = Pairs.where(skeleton.adjacency & problem.asked.tested & active[:, None, None])
    if size == 1:
        return _single_neighbours(skeleton, pairs, problem.asked.tiers)
    graphs = np.flatnonzero(active)
    place = np.cumsum(active) - 1
    here = marks[graphs]
    sets = icd_sep_sets(
        here, in_blocks(_reach, here), pairs._replace(graph=place[pairs.graph]), size
    )
    tried, number = np.unique(sets.pair, return_inverse=True)
    pairs = pairs.at(tried)
    ends = tuple(end[number] for end in pairs)
    rows = Rows.own(number, ends, sets.members, np.full(number.size, size))
    return _Tries(pairs, rows, one_set_each=True)


def _single_neighbours(skeleton: Skeleton, pairs: Pairs, tiers: np.ndarray | None) -> _Tries:
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
    return _Tries(pairs, rows, one_set_each=False)


def _thinner(skeleton: Skeleton, problem: Problem, tries: _Tries | None, size: int) -> Skeleton:
    """Remove the pairs that a set of this level separates."""
    evaluate = problem.evaluate
    if tries is None:
        return test_level_0(skeleton, evaluate, problem.asked)
    found = _first_of(evaluate, tries, size) if tries.one_set_each else evaluate(tries.rows, size)
    return remove(skeleton, problem.asked, tries.pairs, found)


def _first_of(evaluate: Evaluator, tries: _Tries, size: int) -> Separations:
    """The first set of each pair that separates it, in rounds over the ranks of the sets."""
    rows, n_pairs = tries.rows, tries.pairs.x.size
    count = np.bincount(rows.pair, minlength=n_pairs)
    rank = np.arange(rows.pair.size) - (np.cumsum(count) - count)[rows.pair]
    found = Separations.none(n_pairs, size)
    start = 0
    for stop in (rank.size + 1,) if evaluate.max_p else (*SETS_PER_ROUND, rank.size + 1):
        now = np.flatnonzero((rank >= start) & (rank < stop) & ~found.separated[rows.pair])
        if now.size:
            tried, number = np.unique(rows.pair[now], return_inverse=True)
            some = rows.picked(now)._replace(pair=number)
            later = evaluate(some, size)
            found.update(tried, later)
            # Sets behind the one that separates a pair do not count as tested.
            needed = rank[now[later.winner]] + 1
            full = np.minimum(count[tried], stop)
            found.n_tests[tried] = np.where(later.separated & ~evaluate.max_p, needed, full)
        start = stop
    return found


def _oriented(
    which: np.ndarray,
    marks: np.ndarray,
    skeleton: Skeleton,
    rules: Callable[[AnyArray, SepSets], AnyArray],
) -> np.ndarray:
    """The marks after some rules on some of the graphs."""
    sepsets = skeleton.sepsets()
    graphs = np.flatnonzero(which)
    marks = marks.copy()
    some = SepSets(sepsets.nodes[graphs], sepsets.found[graphs])
    marks[graphs] = in_blocks(rules, marks[graphs], some)
    return marks


@jax.jit
def _reach(marks: Int8[Array, "graphs nodes nodes"]) -> Bool[Array, "graphs nodes nodes"]:
    """Entry ``[u, v]``: u may be an ancestor of v."""
    return reachable(possible_ancestors(marks))
