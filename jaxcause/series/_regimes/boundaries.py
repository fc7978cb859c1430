"""From the regime of each block to that of each row."""

import numpy as np
from jaxtyping import Float, Int

from jaxcause.series._regimes.inputs import CLIP
from jaxcause.series._regimes.moments import RegimeMoments, Residuals
from jaxcause.series._regimes.search import in_order

REACH = 2
"""Blocks by which a boundary may move."""


def without_single_blocks(label: Int[np.ndarray, "blocks"]) -> Int[np.ndarray, "blocks"]:
    """Labels in which no stretch within the series is one block long.

    Such a block mostly holds a boundary, and resembles neither of the regimes that it parts.

    >>> without_single_blocks(np.array([0, 0, 2, 1, 1, 1])).tolist()
    [0, 0, 0, 1, 1, 1]
    """
    kept = label.copy()
    for block in range(1, len(label) - 1):
        if kept[block] not in (kept[block - 1], kept[block + 1]):
            kept[block] = kept[block - 1]
    return in_order(kept)


def to_rows(
    residuals: Residuals,
    moments: RegimeMoments,
    blocks: list[slice],
    label: Int[np.ndarray, "blocks"],
) -> Int[np.ndarray, "time"]:
    """The regime of each row, with each boundary where forecasts fit best.

    A boundary may move by two blocks, but not over another one.
    """
    fit = moments.sum_by(label, int(label.max()) + 1).coefficients()
    newest = residuals.windows.newest
    domain = np.full(len(residuals.windows.values), label[0], np.int32)
    changes = (np.flatnonzero(np.diff(label)) + 1).tolist()
    for before, change, after in zip(
        [0, *changes[:-1]], changes, [*changes[1:], len(blocks)], strict=True
    ):
        early, late = max(change - REACH, before), min(change + REACH, after)
        part = slice(blocks[early].start, blocks[late - 1].stop)
        first = part.start + _boundary(residuals, part, fit[label[change - 1 : change + 1]])
        domain[newest[first] :] = label[change]
    return domain


def _boundary(residuals: Residuals, part: slice, fit: Float[np.ndarray, "two vars inputs"]) -> int:
    """The window of a part from which on the second fit is better than the first."""
    x, r = residuals.of(part)
    x, r = x - x.mean(axis=1, keepdims=True), r - r.mean(axis=1, keepdims=True)
    error = (r - np.einsum("vwi,kvi->kvw", x, fit)) / residuals.noise[:, None]
    before, after = np.minimum(error**2, CLIP**2).sum(axis=1)
    # Windows up to a boundary pay for the first fit, those from it on for the second.
    return int(np.argmin(np.cumsum(np.concatenate([[0.0], before - after]))[:-1]))
