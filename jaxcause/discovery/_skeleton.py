"""Skeleton search: level by level, each level over the graph frozen at its start."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Int

from jaxcause._typing import CITest
from jaxcause.graph import SepSets
from jaxcause.stats import colex_subsets

TESTS_PER_CALL = 1 << 15
"""Tests evaluated by one call of the kernel; bounds its memory."""


class SkeletonState(NamedTuple):
    """State of the search between two levels (host side)."""

    adjacency: Bool[np.ndarray, "nodes nodes"]
    sepsets: SepSets
    p_values: Float[np.ndarray, "nodes nodes"]


class LevelInfo(NamedTuple):
    """What one level did."""

    n_tests: int
    n_edges: int


class _Rows(NamedTuple):
    """Pairs of one level with the candidates of one side, padded with -1."""

    x: Int[np.ndarray, "rows"]
    y: Int[np.ndarray, "rows"]
    candidates: Int[np.ndarray, "rows width"]
    n_candidates: Int[np.ndarray, "rows"]

    def at(self, index: np.ndarray) -> "_Rows":
        """The rows at an index or where a mask holds."""
        return _Rows(*(field[index] for field in self))

    def none(self) -> "_Rows":
        """No row."""
        return self.at(np.zeros(self.x.size, bool))


def init_skeleton(possible: Bool[np.ndarray, "nodes nodes"]) -> SkeletonState:
    """Start from every edge that is ``possible``."""
    return SkeletonState(
        adjacency=possible & ~np.eye(len(possible), dtype=bool),
        sepsets=SepSets.empty(len(possible)),
        p_values=np.full(possible.shape, np.nan),
    )


def level_rows(
    state: SkeletonState,
    level: int,
    candidates: Bool[np.ndarray, "nodes nodes"],
    *,
    tested: Bool[np.ndarray, "nodes nodes"],
    eligible: Bool[np.ndarray, "nodes nodes"],
) -> tuple[_Rows, _Rows] | None:
    """Pairs that have at least ``level`` candidates, or None if no pair has.

    They come from the smaller node of each pair, and from the larger.

    Args:
        state: The search so far.
        level: Size of the conditioning sets.
        candidates: Entry ``[i, k]``: k may be conditioned on for a pair of i. PC gives the graph as
            it stands when the level begins.
        tested: Pairs that may be tested.
        eligible: Entry ``[i, k]``: k may be conditioned on for a pair whose later node is i.
    """
    x, y = np.nonzero(np.triu(state.adjacency & tested, 1))
    near = _candidates(x, y, candidates, eligible, level)
    far = _candidates(y, x, candidates, eligible, level) if level else near.none()
    return (near, far) if near.x.size + far.x.size else None


def search_level(
    state: SkeletonState,
    test: CITest,
    rows: tuple[_Rows, _Rows],
    level: int,
    *,
    alpha: float,
    copies: Int[np.ndarray, "nodes nodes"],
) -> tuple[SkeletonState, LevelInfo]:
    """One level of PC-stable: remove each edge that some set of ``level`` candidates separates.

    The candidates were drawn before anything is removed, so the result depends neither on the order
    of the pairs nor on how they are batched. The set kept is the first in colexicographic order
    among the neighbours of the smaller node, and failing that among those of the larger.

    Args:
        state: The search so far.
        test: Conditional independence test.
        rows: Candidates of each pair, from `level_rows`.
        level: Size of the conditioning sets.
        alpha: A pair is independent iff p > alpha.
        copies: Flat index of the pair that stands for each pair.
    """
    adjacency, sepsets, p_values = state.adjacency.copy(), state.sepsets, state.p_values.copy()
    n_tests = 0
    for side in rows:
        pairs = side.at(adjacency[side.x, side.y])
        first, p, evaluated = _scan(test, pairs, level, alpha)
        n_tests += evaluated
        p_values[pairs.x, pairs.y] = np.fmax(p_values[pairs.x, pairs.y], p)
        p_values[pairs.y, pairs.x] = p_values[pairs.x, pairs.y]
        gone = pairs.at(first >= 0)
        sets = _members(gone, colex_subsets(level, first[first >= 0]))
        sepsets = sepsets.record(gone.x, gone.y, sets)
        adjacency[gone.x, gone.y] = adjacency[gone.y, gone.x] = False
    adjacency = adjacency.ravel()[copies]
    return SkeletonState(adjacency, sepsets, p_values), LevelInfo(
        n_tests, int(adjacency.sum() // 2)
    )


def _candidates(
    x: np.ndarray, y: np.ndarray, allowed: np.ndarray, eligible: np.ndarray, level: int
) -> _Rows:
    """Candidates of x, without y, that both ends allow; with too few, the pair goes."""
    if level == 0:
        # Level 0 has every pair of the graph; a mask over candidates would be its largest array.
        nobody = np.zeros((len(x), 0), np.int32)
        return _Rows(x.astype(np.int32), y.astype(np.int32), nobody, np.zeros(len(x), np.int64))
    mask = allowed[x] & (eligible[x] | eligible[y])
    mask[np.arange(len(y)), y] = False
    n_candidates = mask.sum(axis=1)
    keep = n_candidates >= level
    x, y, mask, n_candidates = x[keep], y[keep], mask[keep], n_candidates[keep]
    width = int(n_candidates.max(initial=0))
    candidates = np.full((len(x), width), -1, np.int32)
    if width:
        row, column = np.nonzero(mask)
        within = np.arange(len(row)) - np.repeat(
            np.cumsum(n_candidates) - n_candidates, n_candidates
        )
        candidates[row, within] = column
    return _Rows(x.astype(np.int32), y.astype(np.int32), candidates, n_candidates)


def _scan(
    test: CITest, rows: _Rows, level: int, alpha: float
) -> tuple[np.ndarray, np.ndarray, int]:
    """Number of the first separating subset of each row (or -1), its largest p, and the tests done.

    Rounds of growing length: rows that are separated drop out before the next round.
    """
    first = np.full(rows.x.size, -1, np.int64)
    largest = np.full(rows.x.size, np.nan)
    n_subsets = np.array([math.comb(int(n), level) for n in rows.n_candidates], np.int64)
    alive = np.arange(rows.x.size)
    start, length, n_tests = 0, 8, 0
    while alive.size:
        stop = min(start + length, int(n_subsets[alive].max()))
        subsets = colex_subsets(level, np.arange(start, stop))
        found, p = _evaluate(test, rows.at(alive), subsets, n_subsets[alive] - start, alpha)
        n_tests += int(np.clip(n_subsets[alive] - start, 0, stop - start).sum())
        largest[alive] = np.fmax(largest[alive], p)
        first[alive] = np.where(found >= 0, start + found, -1)
        alive = alive[(found < 0) & (n_subsets[alive] > stop)]
        start, length = stop, min(4 * length, 2048)
    return first, largest, n_tests


def _evaluate(
    test: CITest, rows: _Rows, subsets: np.ndarray, n_valid: np.ndarray, alpha: float
) -> tuple[np.ndarray, np.ndarray]:
    """Run the kernel over blocks of rows; shapes are padded so that few programs are compiled."""
    n_padded = _round_up(len(subsets))
    subsets = np.pad(subsets, [(0, n_padded - len(subsets)), (0, 0)])
    width = _round_up(rows.candidates.shape[1]) if subsets.shape[1] else 0
    candidates = np.pad(rows.candidates, [(0, 0), (0, width - rows.candidates.shape[1])])
    n_valid = np.minimum(n_valid, n_padded).astype(np.int32)
    block = min(_round_up(rows.x.size), max(1, TESTS_PER_CALL // n_padded))
    found, largest = [], []
    for a in range(0, rows.x.size, block):
        part = slice(a, a + block)
        short = [(0, max(0, a + block - rows.x.size))]
        f, p = _first_separating(
            test,
            np.pad(rows.x[part], short),
            np.pad(rows.y[part], short),
            np.pad(candidates[part], [*short, (0, 0)]),
            subsets,
            np.pad(n_valid[part], short),
            alpha,
        )
        found.append(np.asarray(f)[: rows.x[part].size])
        largest.append(np.asarray(p)[: rows.x[part].size])
    return np.concatenate(found), np.concatenate(largest)


@jax.jit
def _first_separating(
    test: Any,
    x: Int[Array, "rows"],
    y: Int[Array, "rows"],
    candidates: Int[Array, "rows width"],
    subsets: Int[Array, "sets k"],
    n_valid: Int[Array, "rows"],
    alpha: Float[Array, ""],
) -> tuple[Int[Array, "rows"], Float[Array, "rows"]]:
    """First of ``subsets`` that separates each row's pair (or -1), and the largest p-value seen."""

    def p_value(x: Array, y: Array, candidates: Array, subset: Array) -> Array:
        return test(x, y, candidates[subset]).p_value

    over_subsets = jax.vmap(p_value, in_axes=(None, None, None, 0))
    p = jax.vmap(over_subsets, in_axes=(0, 0, 0, None))(x, y, candidates, subsets)
    valid = jnp.arange(subsets.shape[0], dtype=n_valid.dtype)[None, :] < n_valid[:, None]
    p = jnp.where(valid, p, -jnp.ones_like(p))
    separates = p > alpha.astype(p.dtype)
    index = jnp.argmax(separates, axis=1)
    earlier = jnp.cumsum(separates, axis=1, dtype=jnp.int32) - separates.astype(jnp.int32)
    seen = jnp.where(earlier == 0, p, -jnp.ones_like(p))
    return jnp.where(separates.any(axis=1), index, -1), seen.max(axis=1)


def _members(rows: _Rows, positions: np.ndarray) -> np.ndarray:
    """The candidates at the positions of each row's subset."""
    return np.take_along_axis(rows.candidates, positions.astype(np.int64), axis=1)


def _round_up(n: int) -> int:
    """The next power of four, so that close sizes share a compiled program."""
    return 1 if n <= 1 else 4 ** math.ceil(math.log(n, 4))
