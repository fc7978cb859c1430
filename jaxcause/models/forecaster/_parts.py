"""Parts that both forecasters share."""

from typing import NamedTuple

import jax
from jax import Array, lax
from jaxtyping import Float

SMALLEST_VARIANCE = 1e-4
"""Smallest predicted variance, in units of standardised data."""
UNIT = 0.5413
"""softplus(UNIT) = 1, the variance of standardised data, with which training starts."""


class Forecast(NamedTuple):
    """Mean of the predicted rows, and their variance where the model has a Gaussian head."""

    mean: Float[Array, "batch predictions vars"]
    variance: Float[Array, "batch predictions vars"] | None


def positive(raw: Array) -> Array:
    """A positive variance from an unbounded output."""
    return jax.nn.softplus(raw + UNIT) + SMALLEST_VARIANCE


def causal_filter(
    windows: Float[Array, "batch time vars"], weights: Float[Array, "lags source target"]
) -> Float[Array, "batch time vars"]:
    """At step s, the sum over ℓ of ``weights[ℓ-1]`` times row s+1−ℓ; earlier rows are zero."""
    return lax.conv_general_dilated(
        windows,
        weights[::-1],
        window_strides=(1,),
        padding=[(weights.shape[0] - 1, 0)],
        dimension_numbers=("NWC", "WIO", "NWC"),
    )
