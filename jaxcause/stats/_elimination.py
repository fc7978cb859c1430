"""Conditional covariances by elimination, where redundant conditions change nothing."""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike
from jaxtyping import Float

from jaxcause.stats._definite import least_variance

STEPS = 8
"""Eliminations after which the eliminated part is cut off."""

AMPLIFIED = 1000
"""Rounding errors of the data's correlations are up to so many times those of one number."""


def redundant_below(dtype: DTypeLike) -> float:
    """What is left of a standardised variable counts as rounding up to this variance.

    Correlations that were estimated from copies of a column differ from 1 by their own rounding
    errors, and each elimination adds some.
    """
    return min(AMPLIFIED * least_variance(dtype), 1e-5)


def eliminate(
    sigma: Float[Array, "members members lanes"],
    keep: int,
    *,
    tolerance: float,
    determine: bool = False,
) -> Float[Array, "keep keep lanes"]:
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

    def one_condition(step: Array, sigma: Array) -> Array:
        row = sigma[step]
        pivot = row[step]
        is_left = pivot > tolerance
        safe = jnp.where(is_left, pivot, jnp.ones_like(pivot))
        # Fused into the outer product, the division would be done for each of its entries.
        scaled = jax.lax.optimization_barrier(row / safe[None])
        for member in () if determine else range(-keep, 0):
            is_left &= sigma[member, member] - row[member] * scaled[member] > tolerance
        scaled = jax.lax.optimization_barrier(jnp.where(is_left[None], scaled, 0))
        return sigma - row[:, None] * scaled[None]

    n_conditions = sigma.shape[0] - keep
    for first in range(0, n_conditions, STEPS):
        steps = min(STEPS, n_conditions - first)
        sigma = jax.lax.fori_loop(0, steps, one_condition, sigma)
        sigma = sigma[steps:, steps:]
    return sigma
