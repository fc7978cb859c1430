"""How many regimes a series has, and which row belongs to which."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxcause._checks import InputError, check_at_least
from jaxcause.series._regimes.boundaries import to_rows
from jaxcause.series._regimes.inputs import blocks_of, choose_inputs, choose_windows, standardised
from jaxcause.series._regimes.moments import Moments, residuals_of
from jaxcause.series._regimes.search import label_paths
from jaxcause.series._windows import window_starts

MOST_BLOCKS = 256
FEWEST_BLOCKS = 8
ROWS_PER_BLOCK = 40
"""Fewest windows of a block."""
SURE = 3.5
"""Standard errors by which the held-out gain of several regimes must exceed 0."""
WORTH = 0.01
"""Share by which the held-out error must fall."""


class Held(NamedTuple):
    """Held-out gains in log likelihood, by number of regimes: ``[numbers, blocks]``."""

    number: Int[np.ndarray, "numbers"]
    gain: Float[np.ndarray, "numbers blocks"]


class Regimes(NamedTuple):
    """The regime of every row.

    Args:
        domain: Regime of each row, 0, 1, … in the order in which they first appear.
        starts: First row of each stretch of one regime, from row 0 on.
        gain: Share by which regimes lower the held-out error of a regression; 0 with one regime.
    """

    domain: Int[np.ndarray, "time"]
    starts: Int[np.ndarray, "stretches"]
    gain: float

    @property
    def n_regimes(self) -> int:
        """Number of regimes."""
        return int(self.domain.max()) + 1


def find_regimes(
    values: Float[np.ndarray, "time vars"],
    *,
    max_lag: int,
    segment: Int[np.ndarray, "time"] | None = None,
    targets: Bool[np.ndarray, "time"] | None = None,
) -> Regimes:
    given = np.asarray(values, np.float64)
    stretch = np.zeros(len(given), int) if segment is None else np.asarray(segment)
    complete = ~np.isnan(given).any(axis=1)
    newest = window_starts(complete, stretch, length=max_lag + 1) + max_lag
    if targets is not None:
        newest = newest[targets[newest]]
    one = Regimes(np.zeros(len(given), np.int32), np.zeros(1, int), 0.0)
    n_blocks = min(MOST_BLOCKS, len(newest) // ROWS_PER_BLOCK)
    if n_blocks < FEWEST_BLOCKS:
        return one
    windows = choose_windows(standardised(given), newest, max_lag, n_blocks)
    blocks = blocks_of(len(newest), n_blocks)
    inputs = choose_inputs(windows, blocks)
    if not inputs.used.any():
        return one
    halves = blocks_of(len(newest), 2 * n_blocks)
    residuals = residuals_of(windows, inputs, halves)
    moments = residuals.moments(halves)
    held = held_out(moments)
    number = choose_number(held)
    if number == 1:
        return one
    both = moments._replace(gram=moments.gram[::2] + moments.gram[1::2], cross=moments.cross[::2] + moments.cross[1::2])
    paths = label_paths(both)
    label = paths[max(k for k in paths if k <= number)]
    domain = to_rows(residuals, both, blocks, label, len(given))
    starts = np.concatenate([[0], np.flatnonzero(np.diff(domain)) + 1])
    gain = held.gain[list(held.number).index(number)].sum() * 2 / (len(newest) * given.shape[1])
    return Regimes(domain, starts, float(gain))


def held_out(moments: Moments) -> Held:
    """Search on each half of every block, judge on the other."""
    folds = []
    for train, test in ((0, 1), (1, 0)):
        seen, unseen = moments.at(slice(train, None, 2)), moments.at(slice(test, None, 2))
        gains = {}
        for number, label in label_paths(seen).items():
            fit = seen.sum_by(label, number).coefficients()
            gains[number] = unseen.gain(fit).sum(axis=-1)[np.arange(len(label)), label]
        folds.append(gains)
    numbers = sorted(set(folds[0]) & set(folds[1]))
    gain = np.stack([folds[0][k] + folds[1][k] for k in numbers])
    return Held(np.array(numbers), gain)


def choose_number(held: Held) -> int:
    total = held.gain.sum(axis=1)
    best = int(np.argmax(total))
    for k in range(best + 1):
        lead = held.gain[best] - held.gain[k]
        if lead.sum() <= SURE * lead.std() * np.sqrt(len(lead)):
            return int(held.number[k])
    return int(held.number[best])
