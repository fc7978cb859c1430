"""Autoregressive Transformer over scalar tokens, one per variable and time step."""

import dataclasses

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array, lax
from jaxtyping import Float

from jaxcause._checks import InputError, check_at_least
from jaxcause.models._transformer import Block


@dataclasses.dataclass(frozen=True)
class ForecasterConfig:
    """Sizes of a `Forecaster`.

    Args:
        n_vars: Number of variables.
        max_lag: Number of past steps that it sees.
        width: Width of a token; a multiple of ``n_heads``.
        depth: Number of blocks.
        n_heads: Attention heads per block.
        mlp_ratio: Hidden width of a block's perceptron, in widths.
        skip: Whether a linear autoregression is added to the prediction.

    Raises:
        InputError: A size is not positive, or ``width`` is not a multiple of ``n_heads``.
    """

    n_vars: int
    max_lag: int
    width: int = 48
    depth: int = 2
    n_heads: int = 6
    mlp_ratio: int = 2
    skip: bool = False

    def __post_init__(self) -> None:
        """Check the sizes."""
        for name in ("n_vars", "max_lag", "width", "depth", "n_heads", "mlp_ratio"):
            check_at_least(name, getattr(self, name), 1)
        if self.width % self.n_heads:
            raise InputError(f"width={self.width} must be a multiple of n_heads={self.n_heads}")


class Forecaster(nnx.Module):
    r"""Predicts the next row from each position of a window.

    The scalar :math:`x_j(s)` becomes the token :math:`x_j(s)\,a + b_j + c_s` (value, variable and
    time embedding). Attention is causal by time step: a token sees every variable of its own and of
    earlier steps. The token of variable i at step s reads out the mean of :math:`X_i(s+1)`, so one
    model fits :math:`p(X_t \mid X_{t-1}) \dots p(X_t \mid X_{t-1:t-L})` in one pass. With ``skip``,
    :math:`\sum_\ell W_\ell x(t-\ell)` over the lags in the window is added.

    Source: Wang, Wang & Huang (2026), "Transformer Is Inherently a Causal Learner".
    """

    def __init__(self, config: ForecasterConfig, *, rngs: nnx.Rngs) -> None:
        """Make the model with random parameters (the skip starts at zero)."""
        width, normal = config.width, nnx.initializers.normal(1.0)
        self.config = config
        self.value = nnx.Param(normal(rngs.params(), (width,), jnp.float32))
        self.variable = nnx.Param(normal(rngs.params(), (config.n_vars, width), jnp.float32))
        self.time = nnx.Param(normal(rngs.params(), (config.max_lag, width), jnp.float32))
        self.blocks = nnx.List(
            Block(
                width,
                config.n_heads,
                config.mlp_ratio,
                out_scale=(2 * config.depth) ** -0.5,
                rngs=rngs,
            )
            for _ in range(config.depth)
        )
        self.norm = nnx.RMSNorm(width, rngs=rngs)
        readout = nnx.initializers.normal(0.1 * width**-0.5)
        self.readout = nnx.Param(readout(rngs.params(), (config.n_vars, width), jnp.float32))
        self.bias = nnx.Param(jnp.zeros((config.n_vars,), jnp.float32))
        if config.skip:
            shape = (config.max_lag, config.n_vars, config.n_vars)
            self.skip = nnx.Param(jnp.zeros(shape, jnp.float32))

    def __call__(self, windows: Float[Array, "batch time vars"]) -> Float[Array, "batch time vars"]:
        """Predict the row after each row of windows of ``max_lag`` rows, newest last."""
        batch, time, n_vars = windows.shape
        tokens = windows[..., None] * self.value[...][None, None, None]
        tokens = tokens + (self.time[...][:, None] + self.variable[...][None])[None]
        tokens = tokens.reshape(batch, time * n_vars, -1)
        step = np.arange(time * n_vars) // n_vars
        mask = jnp.asarray(step[:, None] >= step)
        for block in self.blocks:
            tokens = block(tokens, mask)
        hidden = self.norm(tokens).reshape(batch, time, n_vars, -1)
        mean = (hidden * self.readout[...][None, None]).sum(axis=-1) + self.bias[...][None, None]
        return mean + _causal_filter(windows, self.skip[...]) if self.config.skip else mean


def _causal_filter(
    windows: Float[Array, "batch time vars"], weights: Float[Array, "lags source target"]
) -> Float[Array, "batch time vars"]:
    """At step s, the sum over ℓ of ``weights[ℓ-1]`` applied to row s+1−ℓ, 0 before the window."""
    return lax.conv_general_dilated(
        windows,
        weights[::-1],
        window_strides=(1,),
        padding=[(weights.shape[0] - 1, 0)],
        dimension_numbers=("NWC", "WIO", "NWC"),
    )
