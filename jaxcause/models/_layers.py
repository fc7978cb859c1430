"""Layers shared by the pre-trained models, over ``[batch, tokens, width]``."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from jaxtyping import Bool, Float

SQRT_HALF = 0.5**0.5
MASKED = float(np.finfo(np.float32).min)


def gelu(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Exact GELU, x Φ(x)."""
    return 0.5 * x * (1.0 + jax.lax.erf(x * SQRT_HALF))


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "gelu": gelu,
    "gelu_new": jax.nn.gelu,
    "gelu_pytorch_tanh": jax.nn.gelu,
    "relu": jax.nn.relu,
    "tanh": jnp.tanh,
}
"""Activations by the names that configurations give them."""


def activate(name: str, x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Apply an activation in float32, and return it in the dtype of ``x``."""
    return ACTIVATIONS[name](x.astype(jnp.float32)).astype(x.dtype)


def precision_of(dtype: np.dtype) -> jax.lax.Precision | None:
    """Precision of matrix products: GPUs and TPUs would otherwise round float32 to fewer bits."""
    return jax.lax.Precision.HIGHEST if dtype == np.float32 else None


class LayerNorm(nnx.Module):
    r"""Layer normalisation, :math:`(x - \bar x) / \sqrt{\mathrm{var}(x) + \epsilon}`, in float32.

    The layer of flax does not run in half precision under strict dtype promotion.
    """

    def __init__(self, width: int, eps: float, dtype: np.dtype, param_dtype: np.dtype) -> None:
        """Create the layer with unit scale."""
        self.eps, self.dtype = eps, dtype
        self.scale = nnx.Param(jnp.ones((width,), param_dtype))
        self.bias = nnx.Param(jnp.zeros((width,), param_dtype))

    def __call__(self, x: Float[Array, "batch tokens width"]) -> Float[Array, "batch tokens width"]:
        """Normalise every token."""
        x = x.astype(jnp.float32)
        centred = x - x.mean(axis=-1, keepdims=True)
        variance = (centred * centred).mean(axis=-1, keepdims=True)
        scale, bias = (part[...].astype(jnp.float32) for part in (self.scale, self.bias))
        normal = centred * jax.lax.rsqrt(variance + self.eps)
        return (normal * scale[None, None] + bias[None, None]).astype(self.dtype)


class Maker(NamedTuple):
    """Creates the layers of one model.

    Args:
        std: Standard deviation of initial weights.
        eps: Number added to variances.
        dtype: Dtype of computation.
        param_dtype: Dtype of parameters.
        rngs: Random keys of initial weights.
    """

    std: float
    eps: float
    dtype: np.dtype
    param_dtype: np.dtype
    rngs: nnx.Rngs

    def linear(
        self, n_in: int, n_out: int, *, use_bias: bool = True, shrink: float = 1.0
    ) -> nnx.Linear:
        """Linear layer; ``shrink`` scales its initial weights."""
        return nnx.Linear(
            n_in,
            n_out,
            use_bias=use_bias,
            dtype=self.dtype,
            param_dtype=self.param_dtype,
            precision=precision_of(self.dtype),
            kernel_init=nnx.initializers.normal(self.std * shrink),
            rngs=self.rngs,
        )

    def table(self, n: int, width: int) -> nnx.Embed:
        """Table of ``n`` vectors; an index past its end gives NaN."""
        return nnx.Embed(
            n,
            width,
            dtype=self.dtype,
            param_dtype=self.param_dtype,
            embedding_init=nnx.initializers.normal(self.std),
            rngs=self.rngs,
        )

    def norm(self, width: int) -> "LayerNorm":
        """Layer normalisation."""
        return LayerNorm(width, self.eps, self.dtype, self.param_dtype)


def dropout(x: Float[Array, "..."], rate: float, rngs: nnx.Rngs | None) -> Float[Array, "..."]:
    """Zero entries with probability ``rate`` and scale up the others; identity without ``rngs``."""
    if rngs is None or rate == 0.0:
        return x
    kept = jax.random.bernoulli(rngs.dropout(), 1.0 - rate, x.shape)
    return jnp.where(kept, x / (1.0 - rate), jnp.zeros_like(x))


def attend(
    query: Float[Array, "batch q heads features"],
    key: Float[Array, "batch k heads features"],
    value: Float[Array, "batch k heads features"],
    mask: Bool[Array, "#batch 1 #q k"],
    *,
    scale: float,
    rate: float,
    rngs: nnx.Rngs | None,
) -> tuple[Float[Array, "batch q width"], Float[Array, "batch heads q k"]]:
    r"""Multi-head attention, :math:`A = \mathrm{softmax}(c\, Q K^\top)` and :math:`A V`.

    Args:
        query: Q.
        key: K.
        value: V.
        mask: Keys that a query may attend to; a query without keys attends equally to all.
        scale: c.
        rate: Dropout rate of A.
        rngs: Random keys of dropout; None for no dropout.

    Returns:
        The concatenated outputs of the heads, and A in float32 before dropout.
    """
    precision = precision_of(query.dtype)
    logits = jnp.einsum("bqhd,bkhd->bhqk", query, key, precision=precision)
    logits = jnp.where(mask, logits.astype(jnp.float32) * scale, MASKED)
    weights = jax.nn.softmax(logits, axis=-1)
    kept = dropout(weights, rate, rngs).astype(value.dtype)
    mixed = jnp.einsum("bhqk,bkhd->bqhd", kept, value, precision=precision)
    return mixed.reshape(*mixed.shape[:2], -1), weights


def split_heads(
    x: Float[Array, "batch tokens width"], n_heads: int
) -> Float[Array, "batch tokens heads features"]:
    """Split the width into heads."""
    return x.reshape(*x.shape[:2], n_heads, -1)


def decode(
    hidden: Float[Array, "batch tokens width"], table: Float[Array, "vocabulary width"]
) -> Float[Array, "batch tokens vocabulary"]:
    """Logits of every entry of a table of embeddings, in float32."""
    scores = jnp.einsum(
        "btw,vw->btv", hidden, table.astype(hidden.dtype), precision=precision_of(hidden.dtype)
    )
    return scores.astype(jnp.float32)
