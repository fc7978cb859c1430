"""Skeleton search in fixed shapes: each level over the graphs frozen at its start."""

import math
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Int

from jaxcause.discovery._kernel.rows import NEVER
from jaxcause.discovery._problem import Problem
from jaxcause.discovery._traced.evaluator import Evaluator
from jaxcause.discovery._traced.rows import Rows, Separations
from jaxcause.graph import SepSets
from jaxcause.graph._sepsets import first_of_copies
from jaxcause.stats import colex_subsets


class Skeleton(NamedTuple):
    """State of a search between two levels.

    Args:
        adjacency: Edges that are left.
        sepsets: The separating sets found so far.
        p_values: Largest p-value among the tests of each pair; NaN where there was none.
        n_tests: Tests of each level.
        n_edges: Edges left after each level.
        overflow: Whether a node had more candidates than the cap.
        truncated: Whether a cap may have stopped the search before it was done.
    """

    adjacency: Bool[Array, "graphs nodes nodes"]
    sepsets: SepSets
    p_values: Float[Array, "graphs nodes nodes"]
    n_tests: tuple[Int[Array, "graphs"], ...]
    n_edges: tuple[Int[Array, "graphs"], ...]
    overflow: Bool[Array, "graphs"]
    truncated: Bool[Array, "graphs"]

    def unseparated(self, problem: Problem) -> Bool[Array, "graphs nodes nodes"]:
        """Pairs, from both ends, that no set has separated so far."""
        mask, tested = jnp.asarray(problem.mask), jnp.asarray(problem.constraints.tested)
        pairs = mask[:, :, None] & mask[:, None, :] & (tested | tested.T)[None]
        return pairs & ~jnp.asarray(self.sepsets.found)


def every_possible_edge(problem: Problem) -> Skeleton:
    """The skeleton before any test: all edges that knowledge and mask allow."""
    mask = jnp.asarray(problem.mask)
    possible = jnp.asarray(problem.constraints.possible)
    adjacency = possible[None] & mask[:, :, None] & mask[:, None, :]
    sets = jnp.full((*adjacency.shape, problem.max_cond_size), -1, jnp.int32)
    nothing = jnp.zeros(len(mask), bool)
    return Skeleton(
        adjacency,
        SepSets(
            sets,
            jnp.zeros_like(adjacency),
            first_of_copies(jnp.asarray(problem.engine.indistinct())),
        ),
        jnp.full(adjacency.shape, jnp.nan, problem.engine.traced_dtype),
        (),
        (),
        overflow=nothing,
        truncated=nothing,
    )


def run_level_0(problem: Problem, evaluate: Evaluator, skeleton: Skeleton) -> Skeleton:
    """Remove every edge whose ends are independent given nothing."""
    shape, n = skeleton.adjacency.shape, skeleton.adjacency.shape[1]
    y = jnp.broadcast_to(jnp.arange(n, dtype=jnp.int32)[None, None, :], shape)
    x = jnp.swapaxes(y, 1, 2)
    real = skeleton.unseparated(problem) & jnp.asarray(problem.constraints.tested)[None]
    no_candidates = jnp.zeros((*shape, 1), jnp.int32)
    rows = Rows(x, y, real, no_candidates, jnp.zeros_like(x))
    return run_level(problem, evaluate, skeleton, rows, 0)


def run_level(
    problem: Problem, evaluate: Evaluator, skeleton: Skeleton, rows: Rows, size: int
) -> Skeleton:
    """Remove each pair that some set of ``size`` candidates in its rows separates."""
    width = rows.candidates.shape[-1]
    binomials = np.array([math.comb(k, size) for k in range(width + 1)], np.int32)
    n_sets = jnp.where(rows.real, jnp.asarray(binomials)[rows.n_candidates], 0)
    table = colex_subsets(size, np.arange(math.comb(width, size) if size else 1))
    found = evaluate(rows, n_sets, table)
    number = jnp.asarray(found.first)
    positions = jnp.asarray(table)[jnp.minimum(number, len(table) - 1)]
    sets = jnp.take_along_axis(rows.candidates, positions, axis=-1)
    p_value = evaluate.p_values(jnp.asarray(found.value), size)
    return remove(problem, skeleton, rows, Separations(number, sets, p_value, n_sets))


def remove(problem: Problem, skeleton: Skeleton, rows: Rows, found: Separations) -> Skeleton:
    """Remove the pairs that were separated, and their copies, and note the level."""
    other = _number_of_other_row(skeleton, rows, found)
    wins = _winning(problem, skeleton, rows, found, other)
    removed, sepsets = _separated(skeleton, rows, found, wins)
    constraints = problem.constraints
    adjacency = skeleton.adjacency & ~removed
    adjacency = constraints.keep_required(adjacency, jnp.asarray(problem.mask))
    adjacency = jnp.asarray(constraints.repeat(adjacency))
    smaller = jnp.minimum(found.number, other)
    n_tests = found.n_sets
    if not problem.max_p:
        n_tests = jnp.where(smaller < NEVER, jnp.minimum(n_tests, smaller + 1), n_tests)
    return skeleton._replace(
        adjacency=adjacency,
        sepsets=sepsets,
        p_values=_largest_p_values(skeleton, rows, found, wins, smaller),
        n_tests=(*skeleton.n_tests, n_tests.sum(axis=(1, 2))),
        n_edges=(*skeleton.n_edges, adjacency.sum(axis=(1, 2)) // 2),
    )


def _ends(rows: Rows) -> tuple[tuple[Array, Array, Array], tuple[Array, Array, Array]]:
    """Where each row stands in a matrix of pairs, and where the other row of its pair stands."""
    graph = jnp.arange(rows.x.shape[0], dtype=jnp.int32)[:, None, None]
    return (graph, rows.x, rows.y), (graph, rows.y, rows.x)


def _number_of_other_row(
    skeleton: Skeleton, rows: Rows, found: Separations
) -> Int[Array, "graphs nodes rows"]:
    """Number of the set that separates the other row of each pair, or `NEVER`."""
    mine, others = _ends(rows)
    of_pair = jnp.full(skeleton.adjacency.shape, NEVER, jnp.int32)
    return of_pair.at[mine].min(jnp.where(found.n_sets > 0, found.number, NEVER))[others]


def _winning(
    problem: Problem,
    skeleton: Skeleton,
    rows: Rows,
    found: Separations,
    other: Int[Array, "graphs nodes rows"],
) -> Bool[Array, "graphs nodes rows"]:
    """Which rows separate their pair: of its two rows the one with the better set.

    Of equal sets that of the smaller node wins.
    """
    tested = found.n_sets > 0
    if problem.max_p:
        p = found.p_value
        mine, others = _ends(rows)
        lowest = jnp.full(skeleton.adjacency.shape, -1, p.dtype)
        rival = lowest.at[mine].max(jnp.where(tested, p, -jnp.ones_like(p)))[others]
        better = (p > rival) | ((p == rival) & (rows.x < rows.y))
    else:
        better = (found.number < other) | ((found.number == other) & (rows.x < rows.y))
    return tested & (found.number < NEVER) & better


def _separated(
    skeleton: Skeleton, rows: Rows, found: Separations, wins: Bool[Array, "graphs nodes rows"]
) -> tuple[Bool[Array, "graphs nodes nodes"], SepSets]:
    """Which pairs are separated, and the separating sets with theirs."""
    # What a row that does not win would write lies outside of the matrix, and is dropped.
    graph, outside = _ends(rows)[0][0], jnp.int32(skeleton.adjacency.shape[1])
    won = (graph, jnp.where(wins, rows.x, outside), rows.y)
    back = (graph, jnp.where(wins, rows.y, outside), rows.x)
    removed = jnp.zeros_like(skeleton.adjacency)
    removed = removed.at[won].set(True, mode="drop").at[back].set(True, mode="drop")
    nodes, size = jnp.asarray(skeleton.sepsets.nodes), found.sets.shape[-1]
    if size:
        # A list that joins the neighbours of two nodes is not in ascending order.
        padded = jnp.full((*found.sets.shape[:-1], nodes.shape[-1]), -1, jnp.int32)
        padded = padded.at[..., :size].set(jnp.sort(found.sets, axis=-1))
        nodes = nodes.at[won].set(padded, mode="drop").at[back].set(padded, mode="drop")
    before = skeleton.sepsets
    return removed, SepSets(nodes, before.found | removed, before.alike)


def _largest_p_values(
    skeleton: Skeleton,
    rows: Rows,
    found: Separations,
    wins: Bool[Array, "graphs nodes rows"],
    smaller: Int[Array, "graphs nodes rows"],
) -> Float[Array, "graphs nodes nodes"]:
    """The p-values with those of this level; of a separated pair only its winner counts.

    Args:
        skeleton: The search before this level.
        rows: The rows.
        found: What they found.
        wins: Which rows separate their pair.
        smaller: The smaller set number of the two rows of each pair.
    """
    mine, others = _ends(rows)
    beaten = ~wins & (smaller < NEVER)
    p = jnp.where((found.n_sets > 0) & ~beaten, found.p_value, -jnp.ones_like(found.p_value))
    largest = jnp.full_like(skeleton.p_values, -1).at[mine].max(p).at[others].max(p)
    return jnp.where(largest >= 0, jnp.fmax(skeleton.p_values, largest), skeleton.p_values)
