"""The layer operations of a Transformer, bundled as one argument of a model."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike
from jaxtyping import Bool, Float

EPSILON = 1e-6
"""Number added to a mean square before the root."""


def rms_norm(
    x: Float[Array, "*batch width"], scale: Float[Array, "width"], *, epsilon: float = EPSILON
) -> Float[Array, "*batch width"]:
    r"""Divide by the root mean square of the last axis: :math:`s\,x / \sqrt{\overline{x^2} + ε}`.

    >>> import jax.numpy as jnp
    >>> rms_norm(jnp.array([3.0, -3.0]), jnp.ones(2)).round(3).tolist()
    [1.0, -1.0]
    """
    return divided(x, inverse_root_mean_square(x, epsilon), scale)


def layer_norm(
    x: Float[Array, "*batch width"],
    scale: Float[Array, "width"],
    bias: Float[Array, "width"],
    *,
    epsilon: float = EPSILON,
) -> Float[Array, "*batch width"]:
    r"""Centre the last axis and divide it by its standard deviation.

    .. math:: s\,(x - \bar x) / \sqrt{\overline{(x - \bar x)^2} + ε} + b

    >>> import jax.numpy as jnp
    >>> layer_norm(jnp.array([5.0, 3.0]), jnp.ones(2), jnp.zeros(2)).round(3).tolist()
    [1.0, -1.0]
    """
    x = centred(x)
    return divided(x, inverse_root_mean_square(x, epsilon), scale) + along(bias, x)


def activation(fn: Callable[[Array], Array], x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Apply an elementwise function, such as GELU, ReLU, SiLU or tanh.

    >>> import jax, jax.numpy as jnp
    >>> activation(jax.nn.relu, jnp.array([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """
    return fn(x)


def gate(a: Float[Array, "*shape"], b: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Elementwise product of two signals.

    >>> import jax.numpy as jnp
    >>> gate(jnp.array([2.0]), jnp.array([3.0])).tolist()
    [6.0]
    """
    return a * b


def attention(
    q: Float[Array, "*batch q width"],
    k: Float[Array, "*batch k width"],
    v: Float[Array, "*batch k value"],
    mask: Bool[Array, "..."] | None = None,
) -> tuple[Float[Array, "*batch q value"], Float[Array, "*batch q k"]]:
    r"""Scaled dot-product attention; returns the output and the weights.

    .. math:: A = \mathrm{softmax}(q k^\top / \sqrt{d}), \qquad z = A v

    The softmax is computed in float32 (in float64 for float64 inputs).

    Args:
        q: Queries, usually ``[batch, heads, tokens, width]``.
        k: Keys.
        v: Values.
        mask: Keys that a query sees, broadcast to ``[*batch, q, k]``; by default all. A query that
            sees no key gets zeros.

    Returns:
        The mixed values z in the dtype of ``v``, and the weights A.

    >>> import jax.numpy as jnp
    >>> x = jnp.array([[1.0], [3.0]])
    >>> mixed, weights = attention(0 * x, x, x, jnp.array([[True, False], [True, True]]))
    >>> mixed.tolist(), weights.tolist()
    ([[1.0], [2.0]], [[1.0, 0.0], [0.5, 0.5]])
    """
    weights = attention_weights(q, k, mask)
    return weights.astype(v.dtype) @ v, weights


class Ops(NamedTuple):
    """Layer operations; a model that takes them as ``ops`` can exchange its backward rules.

    All sets of operations have the same forward values; only their gradients differ. Outside of
    these operations a model has ordinary gradients. An `Ops` is not a pytree of arrays: pass it as
    a static argument to a jitted function.

    >>> import jax, jax.numpy as jnp
    >>> from jaxcause.nn import ATTN_LRP
    >>> a, b = jnp.array([2.0]), jnp.array([3.0])
    >>> [jax.grad(lambda a: ops.gate(a, b)[0])(a).tolist() for ops in (STANDARD, ATTN_LRP)]
    [[3.0], [1.5]]
    """

    rms_norm: Callable[..., Array] = rms_norm
    layer_norm: Callable[..., Array] = layer_norm
    activation: Callable[[Callable[[Array], Array], Array], Array] = activation
    attention: Callable[..., tuple[Array, Array]] = attention
    gate: Callable[[Array, Array], Array] = gate


STANDARD = Ops()
"""Operations with ordinary gradients."""


def wide(x: Array) -> Array:
    """Cast to float32 unless the dtype is at least that wide."""
    return x.astype(wide_dtype(x))


def wide_dtype(x: Array) -> DTypeLike:
    """The dtype of norms and of the softmax."""
    return x.dtype if jnp.finfo(x.dtype).bits >= 32 else jnp.float32


def along(row: Array, x: Array) -> Array:
    """A row of parameters, broadcast along the last axis of ``x`` and in its dtype."""
    return jnp.broadcast_to(row, x.shape).astype(x.dtype)


def centred(x: Array) -> Array:
    """Subtract the mean of the last axis."""
    return (wide(x) - wide(x).mean(axis=-1, keepdims=True)).astype(x.dtype)


def inverse_root_mean_square(x: Array, epsilon: float) -> Array:
    """The factor of a norm over the last axis."""
    return jax.lax.rsqrt(jnp.square(wide(x)).mean(axis=-1, keepdims=True) + epsilon)


def divided(x: Array, inverse: Array, scale: Array) -> Array:
    """Normalise and scale."""
    return (wide(x) * inverse).astype(x.dtype) * along(scale, x)


def attention_weights(q: Array, k: Array, mask: Array | None) -> Array:
    """Softmax of the scaled products; zero outside the mask."""
    logits = jnp.matmul(q, jnp.swapaxes(k, -1, -2), preferred_element_type=wide_dtype(q))
    logits = logits * q.shape[-1] ** -0.5
    if mask is None:
        return jax.nn.softmax(logits, axis=-1)
    seen = jnp.broadcast_to(mask, logits.shape)
    lowest = jnp.finfo(logits.dtype).min
    return jnp.where(seen, jax.nn.softmax(jnp.where(seen, logits, lowest), axis=-1), 0.0)
