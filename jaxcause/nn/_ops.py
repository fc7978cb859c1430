"""The layer operations of a Transformer, as one value that a model takes."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike
from jaxtyping import Bool, Float

EPSILON = 1e-6
"""Added to a mean square before its root is taken."""


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
    r"""Centre the last axis and divide it by its deviation.

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
    r"""Scaled dot-product attention; also its weights.

    .. math:: A = \mathrm{softmax}(q k^\top / \sqrt{d}), \qquad z = A v

    The softmax is in float32 (float64 for float64 inputs).

    Args:
        q: Queries, usually ``[batch, heads, tokens, width]``.
        k: Keys.
        v: Values.
        mask: Which keys a query sees, broadcast to ``[*batch, q, k]``; None: all. A query that
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
    """Layer operations; a model that takes them as ``ops`` can be explained by other rules.

    The forward value of every set of operations is the same; only gradients differ. A model that
    multiplies, normalises or activates outside of them keeps the ordinary gradient there. It is no
    pytree of arrays: pass it as a static argument of a jitted function.

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
"""The ordinary gradients."""


def wide(x: Array) -> Array:
    """At least float32."""
    return x.astype(wide_dtype(x))


def wide_dtype(x: Array) -> DTypeLike:
    """The precision of norms and of the softmax."""
    return x.dtype if jnp.finfo(x.dtype).bits >= 32 else jnp.float32


def along(row: Array, x: Array) -> Array:
    """A row of parameters over the last axis of ``x``, in its dtype."""
    return jnp.broadcast_to(row, x.shape).astype(x.dtype)


def centred(x: Array) -> Array:
    """Minus the mean of the last axis."""
    return (wide(x) - wide(x).mean(axis=-1, keepdims=True)).astype(x.dtype)


def inverse_root_mean_square(x: Array, epsilon: float) -> Array:
    """What a norm multiplies by, over the last axis."""
    return jax.lax.rsqrt(jnp.square(wide(x)).mean(axis=-1, keepdims=True) + epsilon)


def divided(x: Array, inverse: Array, scale: Array) -> Array:
    """A normalised signal, scaled."""
    return (wide(x) * inverse).astype(x.dtype) * along(scale, x)


def attention_weights(q: Array, k: Array, mask: Array | None) -> Array:
    """Softmax of the scaled products, zero outside of the mask."""
    logits = jnp.matmul(q, jnp.swapaxes(k, -1, -2), preferred_element_type=wide_dtype(q))
    logits = logits * q.shape[-1] ** -0.5
    if mask is None:
        return jax.nn.softmax(logits, axis=-1)
    seen = jnp.broadcast_to(mask, logits.shape)
    lowest = jnp.finfo(logits.dtype).min
    return jnp.where(seen, jax.nn.softmax(jnp.where(seen, logits, lowest), axis=-1), 0.0)
