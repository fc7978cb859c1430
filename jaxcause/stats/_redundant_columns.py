"""Columns of a data set that say the same: copies, and columns that others determine."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxcause._checks import is_concrete
from jaxcause._namespace import namespace
from jaxcause._typing import AnyArray
from jaxcause.stats._check_data import FEWEST_COMMON_ROWS
from jaxcause.stats._definite import pairs_of_copies
from jaxcause.stats._elimination import redundant_below
from jaxcause.stats._pairwise import pairwise_correlation
from jaxcause.stats._shrinkage import shrink_correlation

MORE_ROWS = 2
"""So many more complete rows than columns are needed, for combinations not to be due to chance."""


NO_COPIES = 100
"""Members of a group differ by at most so many times what copies may, or they are no group."""


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


def with_equal_copies(
    corr: Float[np.ndarray, "*graphs nodes nodes"], tolerance: float
) -> Float[np.ndarray, "*graphs nodes nodes"]:
    r"""Give nodes that are copies of one another but for rounding equal correlations.

    Where columns were rounded apart, such as a temperature in two units, what is left of one given
    the other is rounding. A test that took it for a variable would separate the copy, and its own
    causes and effects, from everything. Copies have :math:`1 - r^2 \le` ``tolerance``; of their
    correlations with another node, but for sign, all take the one closest to zero.
    """
    copies = pairs_of_copies(corr, tolerance)
    if not copies.any():
        return corr
    n = corr.shape[-1]
    equal = corr.copy().reshape(-1, n, n)
    for one, alike in zip(equal, copies.reshape(-1, n, n), strict=True):
        for group in _groups(one, alike, tolerance):
            sign = np.sign(one[group[0], group])
            aligned = sign[:, None] * one[group]
            row = np.take_along_axis(aligned, np.abs(aligned).argmin(axis=0)[None], axis=0)
            one[group] = sign[:, None] * row
            one[:, group] = one[group].T
            one[np.ix_(group, group)] = np.outer(sign, sign)
    return equal.reshape(corr.shape)


def shrunk_between_others(
    corr: Float[AnyArray, "*graphs nodes nodes"], intensity: Float[AnyArray, "*#graphs"] | float
) -> Float[AnyArray, "*graphs nodes nodes"]:
    """`shrink_correlation`, but copies stay copies.

    Shrunk apart, each of them would hold what the others do not explain, which is the shrinkage.
    """
    tolerance = redundant_below(corr.dtype)
    if is_concrete(corr):
        tolerance = as_estimated(corr.dtype)
        corr = with_equal_copies(np.asarray(corr), tolerance)
    shrunk = shrink_correlation(corr, intensity)
    xp, copies = namespace(shrunk), pairs_of_copies(corr, tolerance)
    return xp.where(copies, xp.sign(xp.asarray(corr)), shrunk)


def as_estimated(dtype: np.dtype) -> float:
    """Copies that were correlated in ``dtype`` have 1 − r² of at most this."""
    return max(redundant_below(np.float64), 4 * float(np.finfo(dtype).eps))


def with_copies_filled(
    x: Float[np.ndarray, "*graphs samples nodes"],
) -> Float[np.ndarray, "*graphs samples nodes"]:
    """Give copies of a column the same cells, standardised: what one misses, another may hold.

    Copies with holes of their own would be tested on other rows each, and an edge of one be none of
    the other. A column is a copy if it agrees with the others wherever all are known, and if those
    rows are no fewer than the cells that it is given.

    Args:
        x: Samples in rows; NaN is missing. Leading axes are a batch.
    """
    if not np.isnan(x).any():
        return x
    filled = x.copy()
    for one in filled.reshape(-1, *x.shape[-2:]):
        found = pairwise_correlation(one)
        corr, n_common = np.asarray(found.corr), np.asarray(found.n_samples)
        tolerance = redundant_below(np.float64)
        copies = np.asarray(pairs_of_copies(corr, tolerance)) & (n_common >= FEWEST_COMMON_ROWS)
        for group in _groups(corr, copies, tolerance):
            sign = np.sign(corr[group[0], group])
            column = _joint_column(sign * one[:, group])
            if column is not None:
                one[:, group] = sign * column[:, None]
    return filled


def _groups(
    corr: Float[np.ndarray, "nodes nodes"],
    copies: Bool[np.ndarray, "nodes nodes"],
    tolerance: float,
) -> list[Int[np.ndarray, "members"]]:
    """Copies, copies of copies, and so on; columns with holes may contradict that, and are none."""
    reached, before = copies | np.eye(len(copies), dtype=bool), None
    while before is None or (reached != before).any():
        before, reached = reached, reached @ reached
    groups = [np.flatnonzero(reached[node]) for node in np.unique(reached.argmax(axis=1))]
    return [
        group
        for group in groups
        if len(group) > 1 and (1 - corr[np.ix_(group, group)] ** 2 <= NO_COPIES * tolerance).all()
    ]


def _joint_column(
    copies: Float[np.ndarray, "samples members"],
) -> Float[np.ndarray, "samples"] | None:
    """The standardised column that copies share; None if too few rows say that they do."""
    present = ~np.isnan(copies)
    common, n_held = present.all(axis=1), present.any(axis=1).sum()
    n_filled = n_held - present.sum(axis=0)
    if common.sum() < max(FEWEST_COMMON_ROWS, n_filled.max()):
        return None
    centred = copies - copies[common].mean(axis=0)
    size = np.abs(centred[common]).mean(axis=0)
    if not (size > 0).all():
        return None
    n_present = present.sum(axis=1)
    total = np.where(present, centred / size, 0).sum(axis=1)
    return np.where(n_present > 0, total / np.maximum(n_present, 1), np.nan)
