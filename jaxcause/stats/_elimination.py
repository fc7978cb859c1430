"""Conditional covariances by elimination, where redundant conditions change nothing."""

from functools import partial

import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Float

from jaxcause._namespace import barrier, namespace, repeat
from jaxcause._typing import AnyArray, NodeIndex
from jaxcause.stats._definite import least_variance

STEPS = 8
"""Eliminations after which a compiled program cuts off the eliminated part; numpy does at once."""

AMPLIFIED = 1000
"""Rounding errors of the data's correlations are up to so many times those of one number."""


def redundant_below(dtype: DTypeLike) -> float:
    """What is left of a standardised variable counts as rounding up to this variance.

    Correlations that were estimated from copies of a column differ from 1 by their own rounding
    errors, and each elimination adds some.
    """
    return min(AMPLIFIED * least_variance(dtype), 1e-5)


def eliminate(
    sigma: Float[AnyArray, "members members lanes"],
    keep: int,
    *,
    tolerance: float,
    determine: bool = False,
) -> Float[AnyArray, "keep keep lanes"]:
    r"""Covariance of the last ``keep`` members given the others, which are taken in their order.

    .. math:: \Sigma \leftarrow \Sigma - \Sigma_{\cdot s} \Sigma_{s \cdot} / \Sigma_{ss}

    for each condition s in turn, but for two kinds that are left out. A condition whose variance
    given the earlier ones is at most ``tolerance`` is redundant. One that would leave a kept member
    no more than that would, together with the earlier ones, determine it; nothing depends on what
    is determined, so that such a set would say nothing about it.

    Lanes are the fastest axis. The part that is done is cut off every few steps.

    Args:
        sigma: Covariances of the members, of unit variance.
        keep: Members whose covariance is wanted.
        tolerance: The largest variance that counts as none.
        determine: Whether conditions may determine a kept member, and are not left out.
    """
    kept = () if determine else tuple(range(-keep, 0))
    one_condition = partial(_without, kept=kept, tolerance=tolerance)
    n_conditions = sigma.shape[0] - keep
    at_a_time = 1 if namespace(sigma) is np else STEPS
    for first in range(0, n_conditions, at_a_time):
        steps = min(at_a_time, n_conditions - first)
        sigma = repeat(one_condition, steps, sigma)
        sigma = sigma[steps:, steps:]
    return sigma


def _without(
    step: NodeIndex,
    sigma: Float[AnyArray, "members members lanes"],
    *,
    kept: tuple[int, ...],
    tolerance: float,
) -> Float[AnyArray, "members members lanes"]:
    """The covariances given one more condition, unless it is redundant or determines a ``kept``."""
    xp, row = namespace(sigma), sigma[step]
    pivot = row[step]
    is_left = pivot > tolerance
    safe = xp.where(is_left, pivot, xp.ones_like(pivot))
    # Fused into the outer product, the division would be done for each of its entries.
    scaled = barrier(row / safe[None])
    for member in kept:
        is_left &= sigma[member, member] - row[member] * scaled[member] > tolerance
    scaled = barrier(xp.where(is_left[None], scaled, np.zeros((), sigma.dtype)))
    return sigma - row[:, None] * scaled[None]
