"""Slopes of a regression in each part of the rows, and whether they differ."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Num

from jaxcause._checks import InputError
from jaxcause.stats._tails import f_p_value

LEVERAGE = 0.99
"""Largest leverage that a residual is corrected for."""


class SlopesByPart(NamedTuple):
    """Slopes in each part of the rows.

    Args:
        slope: Least-squares slopes of a regression in each part, with an intercept of its own.
        error: Their standard errors, whatever the variance of each row.
        degrees: Rows of each part less coefficients.
        p_value: Of the hypothesis that a slope is the same in all parts.
    """

    slope: Float[np.ndarray, "parts inputs"]
    error: Float[np.ndarray, "parts inputs"]
    degrees: Num[np.ndarray, "parts"]
    p_value: Float[np.ndarray, "inputs"]


def slopes_by_part(
    inputs: Float[np.ndarray, "rows inputs"],
    target: Float[np.ndarray, "rows"],
    parts: Sequence[slice],
) -> SlopesByPart:
    r"""Regress a target on inputs in each part of the rows, and test whether the slopes agree.

    The standard errors :math:`s_b` are those of MacKinnon and White (HC3), which hold for any
    variance of the rows. Of B parts, each with the slope :math:`\hat\delta_b` and the weight
    :math:`w_b = s_b^{-2}`, Welch's statistic

    .. math:: F = \frac{\frac{1}{B-1}\sum_b w_b (\hat\delta_b - \bar\delta)^2}
        {1 + \frac{2(B-2)}{B^2-1}\Lambda}, \qquad
        \Lambda = \sum_b \frac{(1 - w_b / \sum w)^2}{\nu_b}

    has about an F distribution with :math:`B - 1` and :math:`(B^2-1) / (3\Lambda)` degrees of
    freedom if all slopes are the same.

    Args:
        inputs: The inputs.
        target: The target.
        parts: Which rows belong to each part; at least two.

    Raises:
        InputError: There are fewer than two parts, or one has too few rows.

    Source: Welch (1951), "On the comparison of several mean values"; MacKinnon & White (1985).

    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(400, 2))
    >>> y = x[:, 1] * np.repeat([1.0, 0.0], 200) + rng.normal(size=400)
    >>> found = slopes_by_part(x, y, [slice(0, 200), slice(200, 400)])
    >>> bool(found.p_value[0] > 0.01), bool(found.p_value[1] < 1e-9)
    (True, True)
    """
    if len(parts) < 2:
        raise InputError(f"parts holds {len(parts)} part, but slopes are compared among two")
    n_inputs = inputs.shape[1]
    fits = []
    for part in parts:
        x, y = inputs[part], target[part]
        if len(y) < n_inputs + 3:
            raise InputError(
                f"a part has {len(y)} rows for {n_inputs} slopes and an intercept; give fewer parts"
            )
        fits.append(_slopes(x, y))
    slope, error = (np.stack(a) for a in zip(*fits, strict=True))
    degrees = np.array([len(target[part]) - n_inputs - 1 for part in parts], float)
    return SlopesByPart(slope, error, degrees, _agreement(slope, error, degrees))


def _slopes(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slopes and their HC3 standard errors; a slope that cannot be told has an infinite error."""
    x, y = x - x.mean(axis=0), y - y.mean()
    half = np.linalg.pinv(x, rcond=1e-8)
    slope = half @ y
    leverage = np.minimum(1 / len(y) + (x * half.T).sum(axis=1), LEVERAGE)
    error = np.sqrt(half**2 @ ((y - x @ slope) / (1 - leverage)) ** 2)
    return slope, np.where(error > 0, error, np.inf)


def _agreement(
    slope: np.ndarray, error: np.ndarray, degrees: np.ndarray
) -> Float[np.ndarray, "inputs"]:
    """p-values of Welch's test."""
    n_parts = len(slope)
    weight = error**-2.0
    total = weight.sum(axis=0)
    known = total > 0
    share = weight / np.where(known, total, 1.0)
    spread = (weight * (slope - (share * slope).sum(axis=0)) ** 2).sum(axis=0) / (n_parts - 1)
    unequal = ((1 - share) ** 2 / degrees[:, None]).sum(axis=0)
    f = spread / (1 + 2 * (n_parts - 2) / (n_parts**2 - 1) * unequal)
    return np.where(known, f_p_value(f, n_parts - 1.0, (n_parts**2 - 1) / (3 * unequal)), 1.0)
