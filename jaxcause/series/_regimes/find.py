"""How many regimes a series has, and which row belongs to which."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxcause._checks import InputError, check_at_least, check_mask
from jaxcause.series._regimes.boundaries import to_rows, without_single_blocks
from jaxcause.series._regimes.inputs import (
    Windows,
    blocks_of,
    choose_inputs,
    choose_windows,
    standardised,
)
from jaxcause.series._regimes.moments import RegimeMoments, residuals_of
from jaxcause.series._regimes.search import label_paths
from jaxcause.series._windows import window_starts

MOST_BLOCKS = 256
FEWEST_BLOCKS = 8
WINDOWS_PER_BLOCK = 40
SURE = 3.5
"""Standard errors by which several regimes must forecast better than one, and …"""
BETTER = 2.0
"""… by which one number of several must forecast better than a smaller one."""
WORTH = 0.01
"""Share by which regimes must lower the held-out error."""


class Regimes(NamedTuple):
    """The regime of every row.

    Args:
        domain: Regime of each row, 0, 1, … in the order in which they first appear.
        starts: First row of each stretch, from row 0 on.
        gain: Share by which the regimes lower a held-out error; 0 with one regime.
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
    r"""Regimes k(t) of a series whose mechanism changes, and may come back.

    .. math:: x_i(t) = f_i(\text{past}) + \sum_p \delta_{ip}^{k(t)}\, z_p(t) + e_i(t)

    where z are lagged values and their magnitudes, a few for each variable, and f is a sum of bent
    lines that all regimes share. Windows are cut into at most 256 blocks, within which all is taken
    about the mean: regimes differ in how variables act, not in their levels or variances.

    1. Each variable's inputs are chosen by forward selection, with coefficients of their own in
       each block, so that effects whose sign changes are not missed.
    2. Neighbouring blocks are merged to stretches, and any stretches to regimes, as the marginal
       likelihood of a normal δ falls least. Blocks are then given to the regime that forecasts them
       best, and regimes fitted, by turns.
    3. Half of each block is searched, and the other half judges, both ways. The number of regimes
       is the smallest that forecasts as well as any, up to 2 standard errors over the blocks, and
       must forecast better than one regime by 3.5, and have a 1 % lower error. A stationary series
       therefore has one regime, also with outliers, a changing variance, or values that hardly
       change from row to row.
    4. Each boundary is moved to the row from which on the new regime forecasts better.

    Stretches must be a few blocks long: a hundred rows if many edges change, more if few do. Where
    a variable that hardly changes from row to row sets the slope of another, its values can be
    taken for regimes.

    Args:
        values: ``[time, vars]``; NaN where a value is missing.
        max_lag: Longest lag, in rows.
        segment: Which unbroken stretch each row belongs to; one for all if None. No window crosses
            from one to the next.
        targets: Which rows may be explained; all if None.

    Returns:
        One regime for each row. Rows that no complete window explains have that of the rows before.

    Raises:
        InputError: A shape does not fit.

    Source: the evidence of a piecewise regression as in Fearnhead (2005), "Exact Bayesian curve
    fitting and signal segmentation"; recurring regimes by reassignment as in Saggioro, de Wiljes,
    Kretschmer & Runge (2020), "Reconstructing regime-dependent causal relationships".

    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(1200, 2))
    >>> sign = np.repeat([1, -1, 1], 400)
    >>> x[1:, 1] += sign[1:] * x[:-1, 0]
    >>> found = find_regimes(x, max_lag=1)
    >>> found.n_regimes, bool(np.abs(found.starts - [0, 400, 800]).max() < 5)
    (2, True)
    """
    check_at_least("max_lag", max_lag, 1)
    given = np.asarray(values, np.float64)
    if given.ndim != 2:
        raise InputError(f"values has shape {given.shape}, but must be [time, vars]")
    newest = _newest(given, max_lag, segment, targets)
    n_blocks = min(MOST_BLOCKS, len(newest) // WINDOWS_PER_BLOCK)
    if n_blocks >= FEWEST_BLOCKS:
        windows = choose_windows(standardised(given), newest, max_lag, n_blocks)
        found = _search(windows, n_blocks)
        if found is not None:
            return found
    return Regimes(np.zeros(len(given), np.int32), np.zeros(1, int), 0.0)


def _newest(
    values: np.ndarray, max_lag: int, segment: np.ndarray | None, targets: np.ndarray | None
) -> Int[np.ndarray, "windows"]:
    """The newest row of each window that can be used."""
    n_rows = len(values)
    stretch = np.zeros(n_rows, int) if segment is None else np.asarray(segment)
    wanted = np.ones(n_rows, bool) if targets is None else np.asarray(targets, bool)
    for name, given in (("segment", stretch), ("targets", wanted)):
        if given.shape != (n_rows,):
            raise InputError(f"{name} has shape {given.shape}, but must be ({n_rows},)")
    if targets is not None:
        check_mask("targets", targets, n_rows, "row that may be predicted")
    complete = np.asarray(~np.isnan(values).any(axis=1))
    newest = window_starts(complete, stretch, length=max_lag + 1) + max_lag
    return newest[wanted[newest]]


def _search(windows: Windows, n_blocks: int) -> Regimes | None:
    """The regimes, if there are several."""
    n_windows = len(windows.newest)
    blocks, halves = (blocks_of(n_windows, n) for n in (n_blocks, 2 * n_blocks))
    inputs = choose_inputs(windows, blocks)
    if not inputs.used.any():
        return None
    residuals = residuals_of(windows, inputs, halves)
    moments, total = residuals.moments(halves)
    held = held_out_gains(moments)
    number = choose_number(held)
    counted = max(float((held[number] != 0).mean()), 1 / n_blocks)
    gain = float(2 * held[number].sum() / (counted * total))
    if number == 1 or gain < WORTH:
        return None
    whole = moments.at(slice(0, None, 2)) + moments.at(slice(1, None, 2))
    paths = label_paths(whole)
    label = without_single_blocks(paths[max(k for k in paths if k <= number)])
    if not label.any():
        return None
    domain = to_rows(residuals, whole, blocks, label)
    starts = np.flatnonzero(np.diff(domain, prepend=-1))
    return Regimes(domain, starts, gain)


def held_out_gains(moments: RegimeMoments) -> dict[int, Float[np.ndarray, "blocks"]]:
    """Gain in log likelihood of each block by number of regimes.

    Regimes are searched in and fitted to one half of each block and judged on the other, both ways.
    Blocks beside a change, one of which may lie in two regimes, count as 0.

    Args:
        moments: Of the halves of the blocks, one after another.
    """
    found: dict[int, list[np.ndarray]] = {}
    for seen, unseen in ((0, 1), (1, 0)):
        train, test = (moments.at(slice(half, None, 2)) for half in (seen, unseen))
        for number, label in label_paths(train).items():
            fit = train.sum_by(label, number).coefficients()
            gain = test.gain(fit).sum(axis=-1)[np.arange(len(label)), label]
            found.setdefault(number, []).append(np.where(beside_a_change(label), 0.0, gain))
    return {k: both[0] + both[1] for k, both in sorted(found.items()) if len(both) == 2}


def beside_a_change(label: Int[np.ndarray, "blocks"]) -> Bool[np.ndarray, "blocks"]:
    """Which blocks have a neighbour of another regime."""
    change = np.diff(label) != 0
    return np.append(change, False) | np.append(False, change)


def choose_number(held: dict[int, Float[np.ndarray, "blocks"]]) -> int:
    """The smallest number of regimes that forecasts as well as any; 1 unless it is surely worse."""
    best = max(held.values(), key=np.sum)
    number = next(k for k, gain in held.items() if not _leads(best - gain, BETTER))
    return number if _leads(held[number] - held[1], SURE) else 1


def _leads(gain: Float[np.ndarray, "blocks"], errors: float) -> bool:
    """Whether the sum of gains lies more than so many standard errors above 0."""
    return bool(gain.sum() > errors * gain.std() * np.sqrt(len(gain)))
