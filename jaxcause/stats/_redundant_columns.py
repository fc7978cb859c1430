"""Columns of a data set that say the same: copies, and columns that others determine."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from jaxcause.stats._check_data import FEWEST_COMMON_ROWS
from jaxcause.stats._definite import pairs_of_copies
from jaxcause.stats._elimination import redundant_below
from jaxcause.stats._pairwise import pairwise_correlation

MORE_ROWS = 2
"""So many more complete rows than columns are needed, for combinations not to be due to chance."""


class RedundantColumns(NamedTuple):
    """Which columns of a data set are redundant.

    Args:
        copies: Pairs of columns that are equal up to scale, shift and sign.
        combinations: Groups of columns, each of which the others of its group determine linearly.
    """

    copies: tuple[tuple[int, int], ...]
    combinations: tuple[tuple[int, ...], ...]


def redundant_columns(values: Float[np.ndarray, "samples vars"]) -> RedundantColumns:
    """Find columns that are copies or linear combinations of others.

    A copy differs from its original by rounding alone: :math:`1 - r^2` is at most some thousand
    rounding errors. Of three copies each pair is listed. A group is a set of columns with weights
    of one solution of :math:`R w = 0`, where copies have been taken out.

    Few rows determine columns by their number alone. Copies need four rows that hold both columns.
    Combinations are looked for in complete rows, of which there must be two more than columns.

    Args:
        values: The rows; NaN is missing. Constant columns are copies of nothing.

    >>> x = np.random.default_rng(0).normal(size=(50, 2))
    >>> redundant_columns(np.column_stack([x, 2 * x[:, 0] + 1, x.sum(axis=1)]))
    RedundantColumns(copies=((0, 2),), combinations=((0, 1, 3),))
    """
    given = np.asarray(values, np.float64)
    whole = given[~np.isnan(given).any(axis=1)]
    if len(whole) < given.shape[1] + MORE_ROWS:
        return RedundantColumns(_copies_in_common_rows(given), ())
    centred = whole - whole.mean(axis=0)
    size = np.sqrt((centred**2).sum(axis=0))
    varies = size > 0
    corr = centred / np.where(varies, size, 1)
    return redundant_in(corr.T @ corr, varies)


def redundant_in(
    corr: Float[np.ndarray, "vars vars"],
    varies: Bool[np.ndarray, "vars"],
    *,
    combinations: bool = True,
) -> RedundantColumns:
    """As `redundant_columns`, from the correlations of the columns that vary.

    Args:
        corr: Correlations.
        varies: Which columns are not constant.
        combinations: Whether groups of columns are looked for, too.

    >>> redundant_in(np.ones((2, 2)), np.array([True, True])).copies
    ((0, 1),)
    """
    tolerance = redundant_below(np.float64)
    same = np.triu(pairs_of_copies(corr, tolerance) & varies[:, None] & varies, 1)
    copies = tuple((int(i), int(j)) for i, j in np.argwhere(same))
    if not combinations:
        return RedundantColumns(copies, ())
    kept = np.flatnonzero(varies & ~same.any(axis=0))
    return RedundantColumns(copies, _combinations(corr[np.ix_(kept, kept)], kept, tolerance))


def _copies_in_common_rows(
    values: Float[np.ndarray, "samples vars"],
) -> tuple[tuple[int, int], ...]:
    """Copies by the rows that hold both columns of a pair, if they are enough."""
    corr, n_common = pairwise_correlation(values)
    known = (np.asarray(n_common) >= FEWEST_COMMON_ROWS) & ~np.isnan(corr)
    corr = np.where(known, corr, 0.0)
    return redundant_in(corr, np.ones(len(corr), bool), combinations=False).copies


def _combinations(
    corr: Float[np.ndarray, "kept kept"], kept: np.ndarray, tolerance: float
) -> tuple[tuple[int, ...], ...]:
    """Groups of columns with a vanishing linear combination, each with one column of its own."""
    if not kept.size or np.linalg.eigvalsh(corr)[0] > tolerance:
        return ()
    groups, used = [], list(range(len(kept)))
    for k in range(len(kept)):
        others = [j for j in used if j < k]
        weights = np.linalg.lstsq(corr[np.ix_(others, others)], corr[others, k], rcond=1e-10)[0]
        left = 1 - corr[k, others] @ weights
        if others and left <= 10 * tolerance:
            used.remove(k)
            members = [j for j, w in zip(others, weights, strict=True) if abs(w) > 1e-5]
            groups.append(tuple(int(kept[j]) for j in [*members, k]))
    return tuple(groups)
