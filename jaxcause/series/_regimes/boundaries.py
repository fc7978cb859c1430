"""From the regime of each block to that of each row."""

import numpy as np
from jaxtyping import Int

from jaxcause.series._regimes.moments import Moments, Residuals


def to_rows(
    residuals: Residuals,
    moments: Moments,
    blocks: list[slice],
    label: Int[np.ndarray, "blocks"],
    n_rows: int,
) -> Int[np.ndarray, "time"]:
    """Move each boundary to the row that forecasts best, within the blocks on its sides."""
    fit = moments.sum_by(label, int(label.max()) + 1).coefficients()
    changes = np.flatnonzero(np.diff(label)) + 1
    at = [best_row(residuals, blocks, label, fit, int(b)) for b in changes]
    newest = residuals.windows.newest
    domain = np.full(n_rows, label[0], np.int32)
    for place, change in zip(at, changes, strict=True):
        domain[newest[place] :] = label[change]
    return domain


def best_row(residuals, blocks, label, fit, change) -> int:
    low = blocks[change - 1].start
    high = blocks[change].stop
    part = slice(low, high)
    x, r = residuals.of(part)
    x, r = x - x.mean(axis=1, keepdims=True), r - r.mean(axis=1, keepdims=True)
    size = residuals.noise[:, None]
    before, after = (((r - np.einsum("vwi,vi->vw", x, fit[k])) / size) ** 2 for k in label[[change - 1, change]])
    lead = np.minimum(before, 25) - np.minimum(after, 25)
    cost = np.concatenate([[0.0], np.cumsum(lead.sum(axis=0))])
    # rows before the boundary pay `before`, the others pay `after`
    return min(low + int(np.argmin(cost)), len(residuals.windows.newest) - 1)
