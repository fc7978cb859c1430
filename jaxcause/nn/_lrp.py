r"""Layer-wise relevance propagation, as gradients of the same forward pass under other rules.

Let :math:`g_x = ∂f/∂x` under these backward rules. Then :math:`R_x = x\,g_x` is the relevance that
explicit propagation, layer by layer, assigns to x. One ordinary backward pass computes it.

| operation | standard gradient | rule |
|---|---|---|
| y = act(x) | g act'(x) | g y/x: all relevance passes to x |
| norm | g through x and its scale | the scale is a constant |
| a·b | g b, g a | half of each |
| attention, AttnLRP | g | a quarter each to q and k, half to v |
| attention, CP-LRP | g | the weights are constants: all to v |
| linear, residual | g | g (the ε-rule for ε → 0) |

Layer-wise relevance propagation is covered by patents in some countries and free for research;
clarify the licence before commercial use. The library uses it only if the caller chooses it.

Source: Achtibat et al. (2024), "AttnLRP: attention-aware layer-wise relevance propagation for
Transformers"; Ali et al. (2022), "XAI for Transformers: better explanations through conservative
propagation".
"""

from collections.abc import Callable

import jax.numpy as jnp
from jax import Array
from jax.lax import stop_gradient
from jaxtyping import Bool, Float

from jaxcause.nn._ops import (
    EPSILON,
    Ops,
    along,
    attention_weights,
    centred,
    divided,
    inverse_root_mean_square,
)


def lrp_rms_norm(
    x: Float[Array, "*batch width"], scale: Float[Array, "width"], *, epsilon: float = EPSILON
) -> Float[Array, "*batch width"]:
    """`rms_norm` that is linear in x, since its divisor is a constant."""
    return divided(x, stop_gradient(inverse_root_mean_square(x, epsilon)), scale)


def lrp_layer_norm(
    x: Float[Array, "*batch width"],
    scale: Float[Array, "width"],
    bias: Float[Array, "width"],
    *,
    epsilon: float = EPSILON,
) -> Float[Array, "*batch width"]:
    """`layer_norm` that is linear in x, since its divisor is a constant."""
    return lrp_rms_norm(centred(x), scale, epsilon=epsilon) + along(bias, x)


def lrp_activation(
    fn: Callable[[Array], Array], x: Float[Array, "*shape"]
) -> Float[Array, "*shape"]:
    """`activation` with the slope fn(x)/x, which passes all relevance to the input.

    At x = 0 the slope is 0. A function that does not vanish at 0, such as a sigmoid, has no finite
    slope nearby; use it in a `gate`.
    """
    y, at_zero = stop_gradient(fn(x)), x == 0
    slope = jnp.where(at_zero, 0.0, y / stop_gradient(jnp.where(at_zero, 1.0, x)))
    return y + slope * no_value(x)


def lrp_gate(a: Float[Array, "*shape"], b: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """`gate` whose operands share the relevance equally."""
    return gradient_times(0.5, a * b)


def attn_lrp_attention(
    q: Float[Array, "*batch q width"],
    k: Float[Array, "*batch k width"],
    v: Float[Array, "*batch k value"],
    mask: Bool[Array, "..."] | None = None,
) -> tuple[Float[Array, "*batch q value"], Float[Array, "*batch q k"]]:
    """`attention` with equally shared relevance in both products, through the softmax."""
    weights = attention_weights(gradient_times(0.25, q), gradient_times(0.25, k), mask)
    return weights.astype(v.dtype) @ gradient_times(0.5, v), weights


def cp_lrp_attention(
    q: Float[Array, "*batch q width"],
    k: Float[Array, "*batch k width"],
    v: Float[Array, "*batch k value"],
    mask: Bool[Array, "..."] | None = None,
) -> tuple[Float[Array, "*batch q value"], Float[Array, "*batch q k"]]:
    """`attention` with constant weights, which passes all relevance to the values."""
    weights = stop_gradient(attention_weights(q, k, mask))
    return weights.astype(v.dtype) @ v, weights


def gradient_times(factor: float, x: Array) -> Array:
    """The exact value of x with a scaled gradient."""
    return stop_gradient(x) + factor * no_value(x)


def no_value(x: Array) -> Array:
    """Zero, with the gradient of x."""
    return x - stop_gradient(x)


ATTN_LRP = Ops(
    rms_norm=lrp_rms_norm,
    layer_norm=lrp_layer_norm,
    activation=lrp_activation,
    attention=attn_lrp_attention,
    gate=lrp_gate,
)
"""AttnLRP: relevance also flows through attention weights; its sum is not conserved."""

CP_LRP = ATTN_LRP._replace(attention=cp_lrp_attention)
"""CP-LRP: attention weights are constants; without biases the relevance sums to the output."""
