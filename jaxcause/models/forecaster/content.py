"""The Transformer of the paper: one token per variable and time step, and attention by content."""

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from jaxtyping import Bool, Float, Int

from jaxcause.models._transformer import Block, scale_of
from jaxcause.models.forecaster._parts import Forecast, causal_filter, positive
from jaxcause.models.forecaster.config import ForecasterConfig
from jaxcause.nn import STANDARD, Ops


class ContentForecaster(nnx.Module):
    r"""Predicts the next row from each position of a window.

    The scalar :math:`x_j(s)` becomes the token :math:`x_j(s)\,a + b_j + c_s` (value, variable and
    time embedding). Attention is causal by time step: a token sees every variable of its own and of
    earlier steps. The mean of :math:`X_i(s+1)` is read from the token of variable i at step s, so
    one pass fits :math:`p(X_t \mid X_{t-1}) \dots p(X_t \mid X_{t-1:t-L})`. With ``skip``,
    :math:`\sum_\ell W_\ell x(t-\ell)` over the lags in the window is added.

    Source: Wang, Wang & Huang (2026), "Transformer Is Inherently a Causal Learner".
    """

    def __init__(self, config: ForecasterConfig, *, rngs: nnx.Rngs) -> None:
        """Create the model with random parameters; the skip starts at zero."""
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
        outputs = 2 if config.head == "gaussian" else 1
        readout = nnx.initializers.normal(0.1 * width**-0.5)
        shape = (outputs, config.n_vars, width)
        self.readout = nnx.Param(readout(rngs.params(), shape, jnp.float32))
        self.bias = nnx.Param(jnp.zeros(shape[:2], jnp.float32))
        if config.skip:
            shape = (config.max_lag, config.n_vars, config.n_vars)
            self.skip = nnx.Param(jnp.zeros(shape, jnp.float32))
        if config.missing:
            self.missing = nnx.Param(normal(rngs.params(), (config.n_vars, width), jnp.float32))
        if config.n_domains > 1:
            self.domain = nnx.Param(normal(rngs.params(), (config.n_domains, width), jnp.float32))

    def __call__(
        self,
        rows: Float[Array, "batch time vars"],
        *,
        observed: Bool[Array, "batch time vars"] | None = None,
        domain: Int[Array, "batch time"] | None = None,
        ops: Ops = STANDARD,
    ) -> Forecast:
        """Predict the row after each row of a window of ``max_lag`` rows, newest last."""
        tokens, mask = self._tokens(rows, observed, domain)
        for block in self.blocks:
            tokens, _ = block(tokens, mask, ops)
        batch, time, n_vars = rows.shape
        hidden = ops.rms_norm(tokens, scale_of(self.norm)).reshape(batch, time, n_vars, -1)
        out = jnp.einsum("btiw,oiw->obti", hidden, self.readout[...])
        out = out + self.bias[...][:, None, None]
        mean = out[0]
        if self.config.skip:
            mean = mean + causal_filter(rows, self.skip[...])
        return Forecast(mean, positive(out[1]) if self.config.head == "gaussian" else None)

    def attention(
        self, rows: Float[Array, "batch time vars"]
    ) -> Float[Array, "layers batch heads q k"]:
        """Attention weights between tokens (``time * vars``, oldest first), layer by layer."""
        tokens, mask = self._tokens(rows, None, None)
        weights = []
        for block in self.blocks:
            tokens, attention = block(tokens, mask, STANDARD)
            weights.append(attention)
        return jnp.stack(weights)

    def _tokens(
        self, rows: Array, observed: Array | None, domain: Array | None
    ) -> tuple[Array, Array]:
        """Embedded tokens, oldest step first, and the mask of attention."""
        batch, time, n_vars = rows.shape
        values = rows[..., None] * self.value[...][None, None, None]
        if observed is not None:
            values = jnp.where(observed[..., None], values, self.missing[...][None, None])
        tokens = values + (self.time[...][:, None] + self.variable[...][None])[None]
        if domain is not None:
            tokens = tokens + self.domain[...][domain][:, :, None]
        tokens = tokens.reshape(batch, time * n_vars, -1)
        step = np.arange(time * n_vars) // n_vars
        return tokens, jnp.asarray(step[:, None] >= step)
