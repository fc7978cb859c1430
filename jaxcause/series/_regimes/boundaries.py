"""From the regime of each block to that of each row."""

import numpy as np
from jaxtyping import Float, Int

from jaxcause.series._regimes.inputs import CLIP
from jaxcause.series._regimes.moments import Moments, Residuals


def to_rows(
    residuals: Residuals, moments: Moments, blocks: list[slice], label: Int[np.ndarray, "blocks"]
) -> Int[np.ndarray, "time"]:
    """The regime of each row, with each boundary where forecasts fit best.

    A boundary may move within the blocks on its two sides.
    """
    fit = moments.sum_by(label, int(label.max()) + 1).coefficients()
    newest = residuals.windows.newest
    domain = np.full(len(residuals.windows.values), label[0], np.int32)
    for change in np.flatnonzero(np.diff(label)) + 1:
        part = slice(blocks[change - 1].start, blocks[change].stop)
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
