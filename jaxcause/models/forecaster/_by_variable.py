"""The parts of a positional forecaster that each variable has for itself: encoding and read-out."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike
from jaxtyping import Float, Int

from jaxcause._typing import AnyArray
from jaxcause.models.forecaster._product import product
from jaxcause.nn import Ops


class Encoding(NamedTuple):
    """From the values of each source to its value vectors.

    Args:
        value: Weights of the value in the features.
        variable: Their biases.
        mix: From features to value vectors.
        linear_value: From the value itself to value vectors.
        dtype: Precision of the matrix products.
    """

    value: Float[AnyArray, "source features"]
    variable: Float[AnyArray, "source features"]
    mix: Float[AnyArray, "source features width"]
    linear_value: Float[AnyArray, "source width"]
    dtype: DTypeLike

    def __call__(
        self, x: Float[Array, "source rows"], ops: Ops
    ) -> Float[Array, "source width rows"]:
        """Value vectors of all rows."""
        # Biases enter as weights of a row of ones: products sum over rows faster than reductions.
        one_too = jnp.stack([x, jnp.ones_like(x)], axis=1)
        affine = jnp.stack([jnp.asarray(self.value), jnp.asarray(self.variable)], axis=1)
        features = ops.activation(jax.nn.gelu, product_in(self.dtype, affine, one_too, (1, 1)))
        linear = jnp.asarray(self.linear_value)[:, None]
        mix = jnp.concatenate([jnp.asarray(self.mix), linear], axis=1)
        values = jnp.concatenate([features, x[:, None]], axis=1)
        return product_in(self.dtype, mix, values, (1, 1))

    def of(self, sources: Int[Array, "chosen"]) -> "Encoding":
        """The encodings of some sources, in this order."""
        parts = (jnp.asarray(part)[sources] for part in self[:-1])
        return Encoding(*parts, dtype=self.dtype)


class RegimeParts(NamedTuple):
    """How each regime moves the mixtures and the gates; axes ``[regime, target, …]``."""

    scale: Float[AnyArray, "regimes target width"]
    shift: Float[AnyArray, "regimes target width"]
    gate: Float[AnyArray, "regimes target hidden"]


class Reading(NamedTuple):
    """From the mixture that each target attends to, to its forecast.

    Args:
        signal: First gated layer, its signal.
        signal_bias: Its bias.
        gate: First gated layer, its gate.
        gate_bias: Its bias.
        layers: Deeper layers.
        layer_biases: Their biases.
        readout: From the last hidden layer to the outputs.
        linear_readout: From the mixture itself to the outputs.
        bias: Of the outputs.
        regimes: What depends on the regime, if there are several.
        dtype: Precision of the matrix products.
    """

    signal: Float[AnyArray, "target width hidden"]
    signal_bias: Float[AnyArray, "target hidden"]
    gate: Float[AnyArray, "target width hidden"]
    gate_bias: Float[AnyArray, "target hidden"]
    layers: Float[AnyArray, "deeper target hidden hidden"]
    layer_biases: Float[AnyArray, "deeper target hidden"]
    readout: Float[AnyArray, "outputs target hidden"]
    linear_readout: Float[AnyArray, "outputs target width"]
    bias: Float[AnyArray, "outputs target"]
    regimes: RegimeParts | None
    dtype: DTypeLike

    def __call__(
        self,
        z: Float[Array, "target width rows"],
        regime: Float[Array, "regimes rows"] | None,
        ops: Ops,
    ) -> Float[Array, "outputs target rows"]:
        """Outputs of all rows, each in its regime (one-hot)."""
        gate_bias = jnp.asarray(self.gate_bias)[:, None]
        if regime is not None and self.regimes is not None:

            def of_regime(parameter: AnyArray, order: str = "nwr") -> Array:
                return jnp.einsum(f"dr,dnw->{order}", regime, parameter)

            z = z * (1 + of_regime(self.regimes.scale)) + of_regime(self.regimes.shift)
            gate_bias = gate_bias + of_regime(self.regimes.gate, "nrw")
        signal, gate = (
            product_in(self.dtype, z, jnp.asarray(weights), (1, 1))
            for weights in (self.signal, self.gate)
        )
        h = ops.gate(
            signal + jnp.asarray(self.signal_bias)[:, None],
            ops.activation(jax.nn.gelu, gate + gate_bias),
        )
        for weights, bias in zip(self.layers, self.layer_biases, strict=True):
            deeper = product_in(self.dtype, h, jnp.asarray(weights))
            h = h + ops.activation(jax.nn.gelu, deeper + jnp.asarray(bias)[:, None])
        read = product(h, jnp.asarray(self.readout).transpose(1, 2, 0))
        read += product(z, jnp.asarray(self.linear_readout).transpose(1, 2, 0), (1, 1))
        return read.transpose(2, 0, 1) + jnp.asarray(self.bias)[:, :, None]

    def of(self, targets: Int[Array, "chosen"]) -> "Reading":
        """The read-outs of some targets, in this order."""
        first = (jnp.asarray(part)[targets] for part in self[:4])
        rest = (jnp.asarray(part)[:, targets] for part in self[4:9])
        regimes = self.regimes
        if regimes is not None:
            regimes = RegimeParts(*(jnp.asarray(part)[:, targets] for part in regimes))
        return Reading(*first, *rest, regimes=regimes, dtype=self.dtype)


def product_in(dtype: DTypeLike, a: Array, b: Array, over: tuple[int, int] = (2, 1)) -> Array:
    """Batched matrix product in the given precision, summed in float32."""
    return product(a.astype(dtype), b.astype(dtype), over)
