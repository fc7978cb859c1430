"""A Transformer whose attention weights depend on target, source and lag only."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from jaxtyping import Bool, Float, Int, Shaped

from jaxcause.models.forecaster._by_variable import Encoding, Reading, RegimeParts, product_in
from jaxcause.models.forecaster._parts import Forecast, causal_filter, positive
from jaxcause.models.forecaster.config import ForecasterConfig
from jaxcause.nn import STANDARD, Ops

LOGIT_SCALE = 10.0
"""Logits are stored divided by this factor, so that an optimiser whose steps are equal for all
parameters changes them faster: to stand out among 5,000 inputs takes a logit of about nine."""
FORBIDDEN = -1e6
"""Stored logit of an input that may not be used: its weight and its gradient are exactly zero."""
SCREENED = -1e5
"""Stored logit of an input that a screen left out: the attention never looks at it, but a linear
part of the forecast may use it."""
MOST_INPUTS_AT_ONCE = 512
"""Largest number of inputs per predicted row in one matrix product. More inputs are split into
blocks that are computed again in the backward pass, which bounds the memory."""
COPYING = 50
"""Cost of copying a value into the operand of a matrix product, in multiplications by a weight."""


class PositionalForecaster(nnx.Module):
    r"""Predicts each row from exactly the ``max_lag`` rows before it.

    The scalar :math:`x_j(s)` becomes a token with its variable's embedding,
    :math:`e = \mathrm{gelu}(x_j(s)\,a_j + b_j)`, and the value
    :math:`v_j(s) = W_j e + x_j(s)\,u_j`.
    For target i, head h attends to the inputs (j, ℓ) with weights that depend on position alone,

    .. math:: \alpha_{hij\ell} = \frac{\exp B_{hij\ell}}{1 + \sum_{j'\ell'} \exp B_{hij'\ell'}},
        \qquad z_{ih}(t) = \sum_{j\ell} \alpha_{hij\ell}\, v_{jh}(t-\ell),

    where the 1 is a sink that lets a head attend to nothing. The concatenated heads enter gated
    perceptron layers and a linear read-out, which each target has for itself. Values are computed
    once per row and shared by all windows. A stretch of rows therefore costs little more than its
    matrix products, and every prediction in it uses exactly its full history.

    The mixture is a convolution in time. Rows are cut into groups of c. A group of predictions
    depends on a few groups of values, and the weights between two groups form a Toeplitz matrix of
    the lags. One matrix product thus covers all lags, and a value is copied once per group that
    uses it, not once per lag. Values are ``[variable, width, row]``, with rows ordered by their
    place in a group.

    Source: position-only attention is the random Synthesizer of Tay et al. (2021), "Synthesizer:
    rethinking self-attention for Transformer models"; the sink is Miller's (2023) "softmax1".
    """

    def __init__(self, config: ForecasterConfig, *, rng: np.random.Generator) -> None:
        """Create the model with random parameters, drawn on the host; the skip starts at zero."""
        n, width, heads = config.n_vars, config.width, config.n_heads
        features, hidden = max(8, width // 2), config.mlp_ratio * width

        def normal(*shape: int, scale: float = 1.0) -> nnx.Param[Any]:
            return nnx.Param((scale * rng.standard_normal(shape)).astype(np.float32))

        def zeros(*shape: int) -> nnx.Param[Any]:
            return nnx.Param(np.zeros(shape, np.float32))

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
        """Predict rows ``max_lag … time``; the last one follows the newest given row."""
        batch, time, n = rows.shape
        groups = Groups.of(n, self.config.max_lag, time - self.config.max_lag + 1)
        seen = None if observed is None else groups.given(observed)
        z = self.mixed(self.values(groups.given(rows), seen, ops), groups, batch)
        regime = None if domain is None else self.one_hot(groups.predicted(domain))
        out = self.reading(z, regime, ops)
        # Without the barrier, XLA computes the errors again for every hidden unit.
        out = jax.lax.optimization_barrier(groups.in_order(out, batch).transpose(0, 3, 2, 1))
        mean = out[0]
        if self.config.skip:
            mean = mean + causal_filter(rows, self.linear_part())[:, self.config.max_lag - 1 :]
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

    @property
    def encoding(self) -> Encoding:
        """From values to value vectors."""
        parts = (self.value, self.variable, self.mix, self.linear_value)
        return Encoding(*(part[...] for part in parts), dtype=jnp.dtype(self.config.dtype))

    @property
    def reading(self) -> Reading:
        """From mixtures to outputs."""
        parts = (self.signal, self.signal_bias, self.gate, self.gate_bias, self.layers)
        parts += (self.layer_biases, self.readout, self.linear_readout, self.bias)
        regimes = None
        if self.config.n_domains > 1:
            moved = (self.domain_scale, self.domain_shift, self.domain_gate)
            regimes = RegimeParts(*(part[...] for part in moved))
        dtype = jnp.dtype(self.config.dtype)
        return Reading(*(part[...] for part in parts), regimes=regimes, dtype=dtype)

    def one_hot(self, regime: Int[Array, "rows"]) -> Float[Array, "regimes rows"]:
        """The regime of each row, as the read-out takes it."""
        return jax.nn.one_hot(regime, self.config.n_domains, axis=0, dtype=jnp.float32)

    def linear_part(self) -> Float[Array, "lags source target"]:
        """The skip, without the inputs that may not be used."""
        return jnp.where(self.allowed().transpose(2, 0, 1), self.skip[...], 0.0)

    def values(
        self, x: Float[Array, "source rows"], observed: Array | None, ops: Ops
    ) -> Float[Array, "source width rows"]:
        """Value vectors, with the learned token where a value is missing."""
        found = self.encoding(x, ops)
        if observed is None:
            return found
        return jnp.where(observed[:, None], found, self.missing[...][:, :, None])

    def mixed(
        self, values: Float[Array, "source width rows"], groups: "Groups", batch: int
    ) -> Float[Array, "target width predictions"]:
        """Attention over all sources and lags, as matrix products over groups of rows."""
        n, width, _ = values.shape
        heads, c, made = self.config.n_heads, groups.length, groups.n_predicted
        weights = groups.toeplitz(self.attention())
        split = values.reshape(n, heads, width // heads, c, -1, batch).transpose(1, 0, 3, 2, 4, 5)
        at_once = max(1, MOST_INPUTS_AT_ONCE // n)

        def block(weights: Array, split: Array, first: int, last: int) -> Array:
            near = [split[..., group : group + made, :] for group in range(first, last)]
            inputs = jnp.stack(near, axis=1).reshape(heads, (last - first) * n * c, -1)
            given = weights[:, :, :, first:last].reshape(heads, n * c, -1)
            return product_in(jnp.dtype(self.config.dtype), given, inputs)

        if groups.n_seen > at_once:
            block = jax.checkpoint(block, static_argnums=(2, 3))
        parts = [
            block(weights, split, first, min(first + at_once, groups.n_seen))
            for first in range(0, groups.n_seen, at_once)
        ]
        mixed = sum(parts[1:], start=parts[0]).reshape(heads, n, c, width // heads, made * batch)
        return mixed.transpose(1, 0, 3, 2, 4).reshape(n, width, c * made * batch)


class Groups(NamedTuple):
    """Groups of consecutive rows.

    Args:
        length: Rows per group.
        n_predicted: Number of groups that are predicted.
        n_seen: Number of groups that a predicted group depends on.
        max_lag: Longest lag.
    """

    length: int
    n_predicted: int
    n_seen: int
    max_lag: int

    @classmethod
    def of(cls, n_vars: int, max_lag: int, n_rows: int) -> "Groups":
        """The cheapest groups: long groups save copies, but waste multiplications."""
        fitting = [c for c in range(1, n_rows + 1) if n_rows % c == 0]
        length = min(fitting, key=lambda c: cls._n_seen(c, max_lag) * (n_vars * c + COPYING))
        return cls(length, n_rows // length, cls._n_seen(length, max_lag), max_lag)

    @staticmethod
    def _n_seen(length: int, max_lag: int) -> int:
        return 1 + -(-(max_lag - 1) // length)

    @property
    def n_before(self) -> int:
        """Rows of the first group before the oldest given row; no prediction uses them."""
        return (self.n_seen - 1) * self.length - (self.max_lag - 1)

    def given(self, rows: Shaped[Array, "batch time vars"]) -> Shaped[Array, "vars rows"]:
        """The given rows by variable, ordered by place in the group, by group, and by series."""
        padded = jnp.pad(rows, ((0, 0), (self.n_before, 0), (0, 0)))
        batch, time, n = padded.shape
        return padded.reshape(batch, -1, self.length, n).transpose(3, 2, 1, 0).reshape(n, -1)

    def predicted(self, rows: Shaped[Array, "batch time"]) -> Shaped[Array, "rows"]:
        """Values that belong to predicted rows, in the same order."""
        return rows.reshape(len(rows), -1, self.length).transpose(2, 1, 0).ravel()

    def in_order(
        self, rows: Float[Array, "outputs vars rows"], batch: int
    ) -> Float[Array, "outputs vars time batch"]:
        """Predicted rows in the order of time."""
        outputs, n, _ = rows.shape
        grouped = rows.reshape(outputs, n, self.length, self.n_predicted, batch)
        return grouped.swapaxes(2, 3).reshape(outputs, n, -1, batch)

    def toeplitz(
        self, weights: Float[Array, "heads target source lags"]
    ) -> Float[Array, "heads target row group source row"]:
        """Weights of the rows in the groups seen, oldest first, for each row of a predicted one."""
        place = np.arange(self.length)
        row = self.length * np.arange(self.n_seen)[:, None] + place
        lag = place[:, None, None] + self.max_lag + self.n_before - row
        # A product with zeros and ones is exact, and its derivative is faster than a gather's.
        chosen = np.arange(1, self.max_lag + 1) == lag[..., None]
        return jnp.einsum("hijl,cgdl->hicgjd", weights, chosen.astype(np.float32))
