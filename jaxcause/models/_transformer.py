"""Pre-norm Transformer blocks over ``[batch, tokens, width]``."""

import jax
from flax import nnx
from jax import Array
from jaxtyping import Bool, Float

from jaxcause.nn import Ops


class SelfAttention(nnx.Module):
    """Multi-head self-attention."""

    def __init__(self, width: int, n_heads: int, *, out_scale: float, rngs: nnx.Rngs) -> None:
        """Create the projections; ``out_scale`` scales the initial output projection."""
        self.n_heads = n_heads
        self.qkv = linear(width, 3 * width, scale=1.0, use_bias=False, rngs=rngs)
        self.out = linear(width, width, scale=out_scale, use_bias=False, rngs=rngs)

    def __call__(
        self, x: Float[Array, "batch tokens width"], mask: Bool[Array, "tokens tokens"], ops: Ops
    ) -> tuple[Float[Array, "batch tokens width"], Float[Array, "batch heads q k"]]:
        """Let q attend to k where ``mask[q, k]``; returns the output and the weights."""
        batch, tokens, width = x.shape
        split = self.qkv(x).reshape(batch, tokens, 3, self.n_heads, width // self.n_heads)
        q, k, v = (split[:, :, part].swapaxes(1, 2) for part in range(3))
        mixed, weights = ops.attention(q, k, v, mask[None, None])
        return self.out(mixed.swapaxes(1, 2).reshape(batch, tokens, width)), weights


class Block(nnx.Module):
    """Attention and a two-layer perceptron, each after an RMSNorm and added to its input."""

    def __init__(
        self, width: int, n_heads: int, mlp_ratio: int, *, out_scale: float, rngs: nnx.Rngs
    ) -> None:
        """Create the block; ``out_scale`` keeps the sum of many blocks at the scale of one."""
        self.attention_norm = nnx.RMSNorm(width, rngs=rngs)
        self.attention = SelfAttention(width, n_heads, out_scale=out_scale, rngs=rngs)
        self.mlp_norm = nnx.RMSNorm(width, rngs=rngs)
        self.up = linear(width, mlp_ratio * width, scale=1.0, rngs=rngs)
        self.down = linear(mlp_ratio * width, width, scale=out_scale, use_bias=False, rngs=rngs)

    def __call__(
        self, x: Float[Array, "batch tokens width"], mask: Bool[Array, "tokens tokens"], ops: Ops
    ) -> tuple[Float[Array, "batch tokens width"], Float[Array, "batch heads q k"]]:
        """Apply the block; returns the output and the attention weights."""
        attended, weights = self.attention(
            ops.rms_norm(x, scale_of(self.attention_norm)), mask, ops
        )
        x = x + attended
        hidden = self.up(ops.rms_norm(x, scale_of(self.mlp_norm)))
        return x + self.down(ops.activation(jax.nn.gelu, hidden)), weights


def scale_of(norm: nnx.RMSNorm) -> Array:
    """The learned scale of a norm."""
    assert norm.scale is not None
    return norm.scale[...]


def linear(
    n_in: int, n_out: int, *, scale: float, rngs: nnx.Rngs, use_bias: bool = True
) -> nnx.Linear:
    """Linear layer whose initial weights have variance ``scale² / n_in``."""
    init = nnx.initializers.variance_scaling(scale**2, "fan_in", "normal")
    return nnx.Linear(n_in, n_out, use_bias=use_bias, kernel_init=init, rngs=rngs)
