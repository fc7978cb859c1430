"""Inputs of the regressions by which regimes differ: a few for each target, found by blocks."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

CLIP = 5.0
"""Standardised values are kept within ±this, so that no single row decides."""
MOST_LAGGED = 128
"""Most lagged values that inputs are chosen among."""
MOST_CHOSEN = 8
"""Most inputs of a target."""
DETERMINED = 1e-6
"""Share of a variance up to which what is left of an input counts as determined by others."""


class Windows(NamedTuple):
    """Standardised values, and the newest row of each usable window, in order of time.

    Args:
        values: Values, clipped; NaN where one is missing.
        newest: The row that each window explains.
        source: The variable of each lagged value, and …
        lag: … its lag.
    """

    values: Float[np.ndarray, "time vars"]
    newest: Int[np.ndarray, "windows"]
    source: Int[np.ndarray, "lagged"]
    lag: Int[np.ndarray, "lagged"]

    def lagged(self, part: slice) -> Float[np.ndarray, "windows lagged"]:
        """The lagged values of some windows."""
        return self.values[self.newest[part, None] - self.lag, self.source]

    def targets(self, part: slice) -> Float[np.ndarray, "windows vars"]:
        """The values to explain of some windows."""
        return self.values[self.newest[part]]


class Inputs(NamedTuple):
    """Inputs of each target: columns of `features`; those that are not ``used`` count as zero."""

    column: Int[np.ndarray, "vars inputs"]
    used: Bool[np.ndarray, "vars inputs"]

    def of(self, features: Float[np.ndarray, "windows features"]) -> np.ndarray:
        """Centred inputs of every target, ``[vars, windows, inputs]``."""
        chosen = features[:, self.column] * self.used
        return (chosen - chosen.mean(axis=0)).transpose(1, 0, 2)


def standardised(values: Float[np.ndarray, "time vars"]) -> Float[np.ndarray, "time vars"]:
    """Columns less their median, in units of their quartiles (or deviations), within ± `CLIP`."""
    low, middle, high = np.nanquantile(values, [0.25, 0.5, 0.75], axis=0)
    scale = (high - low) / 1.349
    scale = np.where(scale > 0, scale, np.nanstd(values, axis=0))
    return np.clip((values - middle) / np.where(scale > 0, scale, 1.0), -CLIP, CLIP)


def blocks_of(n_windows: int, n_blocks: int) -> list[slice]:
    """Blocks of about equal length."""
    ends = np.linspace(0, n_windows, n_blocks + 1).astype(int)
    return [slice(int(a), int(b)) for a, b in zip(ends[:-1], ends[1:], strict=True)]


def features(lagged: Float[np.ndarray, "windows lagged"]) -> Float[np.ndarray, "windows features"]:
    """Lagged values, and their magnitudes."""
    return np.concatenate([lagged, np.abs(lagged)], axis=1)


def choose_windows(
    values: Float[np.ndarray, "time vars"],
    newest: Int[np.ndarray, "windows"],
    max_lag: int,
    n_blocks: int,
) -> Windows:
    """All lagged values; if they are too many, those that correlate most with any target.

    Correlations are taken within blocks, and their squares summed: a sign that changes does not
    cancel an effect.
    """
    n_vars = values.shape[1]
    lag, source = (a.ravel() for a in np.mgrid[1 : max_lag + 1, :n_vars])
    made = Windows(values, newest, source, lag)
    if len(lag) <= MOST_LAGGED:
        return made
    energy = np.zeros(len(lag))
    for part in blocks_of(len(newest), n_blocks):
        x, y = (a - a.mean(axis=0) for a in (made.lagged(part), made.targets(part)))
        spread = np.maximum((x**2).sum(axis=0), 1e-9)[:, None] * np.maximum(
            (y**2).sum(axis=0), 1e-9
        )
        energy += ((x.T @ y) ** 2 / spread).max(axis=1)
    kept = np.sort(np.argsort(-energy, kind="stable")[:MOST_LAGGED])
    return made._replace(source=source[kept], lag=lag[kept])


def choose_inputs(windows: Windows, blocks: list[slice]) -> Inputs:
    r"""Inputs of each target by forward selection, with a regression of its own in each block.

    At each step the input is added whose squared partial correlations with the target sum to most
    over the blocks. It ends where that is no more than chance: with m blocks,
    :math:`\sum_b \nu_b r_b^2 > m + 2\sqrt{m u} + 2u`, a bound of the :math:`\chi^2_m` distribution
    that noise exceeds with probability :math:`e^{-u}` (Laurent & Massart, 2000, lemma 1).
    """
    gram, cross, spread = _moments(windows, blocks)
    n_vars, n_columns = cross.shape[1:]
    n_blocks, degrees = len(blocks), np.array([b.stop - b.start for b in blocks]) - 2.0
    u = np.log(20.0 * n_columns * n_vars)
    bound = n_blocks + 2 * np.sqrt(n_blocks * u) + 2 * u
    most = int(min(MOST_CHOSEN, n_columns, max(1, degrees.min() // 3)))
    column, used = np.zeros((2, n_vars, most), int)
    for target in range(n_vars):
        left = _Partial(gram, cross[:, target].copy(), spread[:, target].copy())
        for place in range(most):
            energy = ((degrees - place)[:, None] * left.squared_correlations()).sum(axis=0)
            best = int(np.argmax(energy))
            if energy[best] <= bound:
                break
            column[target, place], used[target, place] = best, 1
            left.condition_on(best)
    return Inputs(column, used.astype(bool))


class _Partial:
    """Moments of inputs and one target, in each block, of what chosen inputs leave of them."""

    def __init__(self, gram: np.ndarray, cross: np.ndarray, spread: np.ndarray) -> None:
        self.gram, self.cross, self.spread = gram, cross, spread
        self.whole = np.diagonal(gram, axis1=1, axis2=2)
        self.left = self.whole.copy()
        self.rows: list[np.ndarray] = []

    def squared_correlations(self) -> Float[np.ndarray, "blocks features"]:
        known = self.left > DETERMINED * self.whole
        size = np.where(known, self.left, 1.0) * np.maximum(self.spread, 1e-12)[:, None]
        return np.where(known, self.cross**2 / size, 0.0)

    def condition_on(self, column: int) -> None:
        row = self.gram[:, column].copy()
        for other in self.rows:
            row -= other[:, column, None] * other
        size = row[:, column, None]
        row /= np.sqrt(np.where(size > DETERMINED * self.whole[:, column, None], size, np.inf))
        slope = self.cross[:, column] / np.sqrt(np.maximum(self.left[:, column], 1e-12))
        slope = np.where(row[:, column] > 0, slope, 0.0)
        self.cross -= slope[:, None] * row
        self.spread -= slope**2
        self.left = self.left - row**2
        self.rows.append(row)


def _moments(windows: Windows, blocks: list[slice]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of centred features and targets, by block: Gram matrix, cross-moments, sums of squares."""
    found = []
    for part in blocks:
        x, y = features(windows.lagged(part)), windows.targets(part)
        x, y = x - x.mean(axis=0), y - y.mean(axis=0)
        found.append((x.T @ x, y.T @ x, (y**2).sum(axis=0)))
    gram, cross, spread = (np.stack(a) for a in zip(*found, strict=True))
    return gram, cross, spread
