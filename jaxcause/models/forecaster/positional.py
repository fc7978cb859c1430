"""Transformer whose attention weights depend on target, source and lag: exact at every row."""

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from jaxtyping import Bool, Float, Int

from jaxcause.models.forecaster._parts import Forecast, causal_filter, positive
from jaxcause.models.forecaster.config import ForecasterConfig
from jaxcause.nn import STANDARD, Ops

LOGIT_SCALE = 10.0
"""Logits are stored divided by this, so that an optimiser that moves all parameters alike moves
them faster: from one in 5,000 inputs to one that matters takes a logit of about nine."""
FORBIDDEN = -1e6
"""Stored logit of an input that may not be used: its weight and its gradient are exactly zero."""
MOST_INPUTS_AT_ONCE = 512
"""Inputs (source, lag) mixed in one matrix product; more are taken lag block by lag block, each
computed again in the backward pass, which bounds the memory."""


class PositionalForecaster(nnx.Module):
    r"""Predicts each row from exactly the ``max_lag`` rows before it.

    The scalar :math:`x_j(s)` becomes a token with its variable's embedding,
    :math:`e = \mathrm{gelu}(x_j(s)\,a_j + b_j)`, and the value
    :math:`v_j(s) = W_j e + x_j(s)\,u_j`.
    For target i, head h attends to the inputs (j, ℓ) with weights that depend on position alone,

    .. math:: \alpha_{hij\ell} = \frac{\exp B_{hij\ell}}{1 + \sum_{j'\ell'} \exp B_{hij'\ell'}},
        \qquad z_{ih}(t) = \sum_{j\ell} \alpha_{hij\ell}\, v_{jh}(t-\ell),

    where the 1 is a sink that lets a head attend to nothing. The heads side by side go through
    gated perceptron layers of the target's own and a linear read-out. Values are computed once per
    row and shared by all windows, so a stretch of rows costs little more than its matrix products,
    and every prediction in it has its full history and no more.

    Source: position-only attention is the random Synthesizer of Tay et al. (2021), "Synthesizer:
    rethinking self-attention for Transformer models"; the sink is Miller's (2023) "softmax1".
    """

    def __init__(self, config: ForecasterConfig, *, rngs: nnx.Rngs) -> None:
        """Make the model with random parameters (the skip starts at zero)."""
        n, width, heads = config.n_vars, config.width, config.n_heads
        features, hidden = max(8, width // 2), config.mlp_ratio * width

        def normal(*shape: int, scale: float = 1.0) -> nnx.Param[Array]:
            return nnx.Param(scale * jax.random.normal(rngs.params(), shape, jnp.float32))

        def zeros(*shape: int) -> nnx.Param[Array]:
            return nnx.Param(jnp.zeros(shape, jnp.float32))

        self.config = config
        self.value = normal(n, features)
        self.variable = normal(n, features)
        self.mix = normal(n, features, width, scale=features**-0.5)
        self.linear_value = normal(n, width, scale=0.3)
        self.logits = normal(heads, n, n, config.max_lag, scale=1 / LOGIT_SCALE)
        self.signal = normal(n, width, hidden, scale=width**-0.5)
        self.signal_bias = zeros(n, hidden)
        self.gate = normal(n, width, hidden, scale=width**-0.5)
        self.gate_bias = zeros(n, hidden)
        deeper = config.depth - 1
        self.layers = normal(deeper, n, hidden, hidden, scale=hidden**-0.5)
        self.layer_biases = zeros(deeper, n, hidden)
        outputs = 2 if config.head == "gaussian" else 1
        self.readout = normal(outputs, n, hidden, scale=0.1 * hidden**-0.5)
        self.linear_readout = normal(outputs, n, width, scale=0.1 * width**-0.5)
        self.bias = zeros(outputs, n)
        if config.skip:
            self.skip = zeros(config.max_lag, n, n)
        if config.missing:
            self.missing = normal(n, width, scale=0.1)
        if config.n_domains > 1:
            self.domain_scale = zeros(config.n_domains, n, width)
            self.domain_shift = zeros(config.n_domains, n, width)
            self.domain_gate = normal(config.n_domains, n, hidden, scale=0.1)

    def __call__(
        self,
        rows: Float[Array, "batch time vars"],
        *,
        observed: Bool[Array, "batch time vars"] | None = None,
        domain: Int[Array, "batch predictions"] | None = None,
        ops: Ops = STANDARD,
    ) -> Forecast:
        """Predict rows ``max_lag … time`` (the last is the one after the newest given)."""
        batch, time, n = rows.shape
        z = self._mixed(self._values(rows, observed, ops))
        if domain is None:
            gate_bias = self.gate_bias[...][:, None]
        else:
            at = domain.reshape(-1)
            scale, shift = (
                p[...][at].swapaxes(0, 1) for p in (self.domain_scale, self.domain_shift)
            )
            z = z * (1 + scale) + shift
            gate_bias = self.gate_bias[...][:, None] + self.domain_gate[...][at].swapaxes(0, 1)
        h = ops.gate(
            self._product(z, self.signal[...]) + self.signal_bias[...][:, None],
            ops.activation(jax.nn.gelu, self._product(z, self.gate[...]) + gate_bias),
        )
        for weights, bias in zip(self.layers[...], self.layer_biases[...], strict=True):
            h = h + ops.activation(jax.nn.gelu, self._product(h, weights) + bias[:, None])
        out = (
            jnp.einsum("iph,oih->opi", h, self.readout[...])
            + jnp.einsum("ipw,oiw->opi", z, self.linear_readout[...])
            + self.bias[...][:, None]
        ).reshape(-1, batch, time - self.config.max_lag + 1, n)
        mean = out[0]
        if self.config.skip:
            weights = jnp.where(self.allowed().transpose(2, 0, 1), self.skip[...], 0.0)
            mean = mean + causal_filter(rows, weights)[:, self.config.max_lag - 1 :]
        return Forecast(mean, positive(out[1]) if self.config.head == "gaussian" else None)

    def attention(self) -> Float[Array, "heads target source lags"]:
        """Attention weights; lag 1 first."""
        logits = LOGIT_SCALE * self.logits[...]
        top = jax.lax.stop_gradient(jnp.maximum(logits.max((2, 3), keepdims=True), 0.0))
        weights = jnp.exp(logits - top)
        return weights / (jnp.exp(-top) + weights.sum((2, 3), keepdims=True))

    def allowed(self) -> Bool[Array, "source target lags"]:
        """Which inputs may be used; lag 1 first."""
        return (self.logits[...][0] > FORBIDDEN / 2).swapaxes(0, 1)

    def _values(
        self, rows: Array, observed: Array | None, ops: Ops
    ) -> Float[Array, "source batch time width"]:
        x = rows[..., None]
        features = ops.activation(
            jax.nn.gelu, x * self.value[...][None, None] + self.variable[...][None, None]
        )
        batch, time, n = rows.shape
        flat = features.reshape(batch * time, n, -1).swapaxes(0, 1)
        values = self._product(flat, self.mix[...]).reshape(n, batch, time, -1)
        values = values + rows.transpose(2, 0, 1)[..., None] * self.linear_value[...][:, None, None]
        if observed is not None:
            here = observed.transpose(2, 0, 1)[..., None]
            values = jnp.where(here, values, self.missing[...][:, None, None])
        return values

    def _mixed(
        self, values: Float[Array, "source batch time width"]
    ) -> Float[Array, "target rows width"]:
        """Attention over all sources and lags, as matrix products over blocks of lags."""
        n, batch, time, width = values.shape
        lags, heads = self.config.max_lag, self.config.n_heads
        length, size = time - lags + 1, width // heads
        split = values.reshape(n, batch, time, heads, size).transpose(3, 0, 1, 2, 4)
        weights = self.attention()
        at_once = max(1, MOST_INPUTS_AT_ONCE // n)

        def block(weights: Array, split: Array, first: int, last: int) -> Array:
            shifted = jnp.stack(
                [
                    split[:, :, :, lags - lag : lags - lag + length]
                    for lag in range(first + 1, last + 1)
                ],
                axis=2,
            ).reshape(heads, n * (last - first), batch * length * size)
            return self._product(
                weights[..., first:last].reshape(heads, n, n * (last - first)), shifted
            )

        if lags > at_once:
            block = jax.checkpoint(block, static_argnums=(2, 3))
        parts = [
            block(weights, split, first, min(first + at_once, lags))
            for first in range(0, lags, at_once)
        ]
        mixed = sum(parts[1:], start=parts[0]).reshape(heads, n, batch * length, size)
        return mixed.transpose(1, 2, 0, 3).reshape(n, batch * length, width)

    def _product(self, a: Array, b: Array) -> Array:
        """Batched matrix product in the configured precision, summed in float32."""
        dtype = jnp.dtype(self.config.dtype)
        return jnp.matmul(a.astype(dtype), b.astype(dtype), preferred_element_type=jnp.float32)
