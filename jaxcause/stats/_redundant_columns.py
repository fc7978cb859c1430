"""Columns of a data set that say the same: copies, and columns that others determine."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from jaxcause.stats._definite import pairs_of_copies
from jaxcause.stats._elimination import redundant_below


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

    Args:
        values: Complete rows. Constant columns are copies of nothing.

    >>> x = np.random.default_rng(0).normal(size=(50, 2))
    >>> redundant_columns(np.column_stack([x, 2 * x[:, 0] + 1, x.sum(axis=1)]))
    RedundantColumns(copies=((0, 2),), combinations=((0, 1, 3),))
    """
    centred = np.asarray(values, np.float64)
    centred = centred - centred.mean(axis=0)
    size = np.sqrt((centred**2).sum(axis=0))
    varies = size > 0
    corr = centred / np.where(varies, size, 1)
    return redundant_in(corr.T @ corr, varies)


def redundant_in(
    corr: Float[np.ndarray, "vars vars"], varies: Bool[np.ndarray, "vars"]
) -> RedundantColumns:
    """As `redundant_columns`, from the correlations of the columns that vary.

    >>> redundant_in(np.ones((2, 2)), np.array([True, True])).copies
    ((0, 1),)
    """
    tolerance = redundant_below(np.float64)
    same = np.triu(pairs_of_copies(corr, tolerance) & varies[:, None] & varies, 1)
    copies = tuple((int(i), int(j)) for i, j in np.argwhere(same))
    kept = np.flatnonzero(varies & ~same.any(axis=0))
    return RedundantColumns(copies, _combinations(corr[np.ix_(kept, kept)], kept, tolerance))


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
