"""Attention as a covariance between tokens."""

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Bool, Float

from jaxcause._checks import InputError, check_mask, check_square, is_concrete, numbers
from jaxcause._typing import AnyArray


def correlation(
    attn: Float[AnyArray, "*graphs q k"],
    *,
    node_mask: Bool[AnyArray, "*#graphs q"] | None = None,
) -> Float[AnyArray, "*graphs q q"]:
    r"""Correlations between tokens implied by an attention matrix.

    Self-attention :math:`Z = A V` with values V that are uncorrelated over tokens has

    .. math:: S = A A^\top, \qquad r_{ij} = S_{ij} / \sqrt{S_{ii} S_{jj}}

    without centring. Scaling a row of A changes nothing, so rows need not sum to one. In most heads
    S is close to singular (condition number 1e5 to 1e11). Concrete arrays are therefore computed in
    float64, whatever their own precision and even without ``jax_enable_x64``; traced arrays keep
    their dtype. Select tokens, such as those that are not padding, from the *result*: the others
    then count as unobserved causes. A padded key has zeros in its column of A and adds nothing.

    Args:
        attn: Self-attention of any framework; leading axes are layers, sequences, heads.
        node_mask: Which tokens take part. The rows of the other tokens are ignored, so they may be
            zero or NaN, and these tokens are correlated with nothing in the result.

    Returns:
        Symmetric matrices with unit diagonal.

    Raises:
        InputError: ``attn`` is not square in its last two axes, or a token that takes part has NaN,
            infinity, or a row of zeros.

    Source: Rohekar, Gurwicz & Nisimov (2023), "Causal interpretation of self-attention in
    pre-trained Transformers", arXiv 2310.20307.

    >>> import numpy as np
    >>> correlation(np.array([[1.0, 0.0], [0.6, 0.8]])).round(6).tolist()
    [[1.0, 0.6], [0.6, 1.0]]
    """
    attn = numbers("attn", attn)
    check_square("attn", attn)
    if node_mask is not None:
        check_mask("node_mask", node_mask, attn.shape[-1], "token that takes part")
    if not is_concrete(attn, node_mask):
        return _traced(jnp.asarray(attn), node_mask)
    rows = np.asarray(attn).astype(np.float64)
    if node_mask is None:
        keep = np.ones(rows.shape[:-1], bool)
    else:
        keep = np.broadcast_to(np.asarray(node_mask, bool), rows.shape[:-1])
        rows[~keep] = 0
    _check_rows(rows, keep)
    # Two steps, since the squares of very large or small floats overflow or underflow.
    rows /= np.where(keep, np.abs(rows).max(axis=-1, initial=0), 1)[..., None]
    rows /= np.where(keep, np.linalg.norm(rows, axis=-1), 1)[..., None]
    product = np.matmul(rows, np.swapaxes(rows, -1, -2))
    corr = np.clip((product + np.swapaxes(product, -1, -2)) / 2, -1, 1)
    np.einsum("...ii->...i", corr)[...] = 1
    return corr


def _check_rows(rows: np.ndarray, keep: np.ndarray) -> None:
    finite = np.isfinite(rows)
    if not finite.all():
        place = np.argwhere(~finite)[0]
        raise InputError(
            f"attn{place.tolist()}={rows[tuple(place)]:g}, NaN or infinite: leave out the rows of "
            "padding with node_mask, and check the mask of the softmax"
        )
    empty = keep & ~rows.any(axis=-1)
    if empty.any():
        place = np.argwhere(empty)[0].tolist()
        raise InputError(
            f"attn{place} is a row of zeros: that token attends to nothing; leave it out with "
            "node_mask"
        )


def _traced(
    attn: Float[Array, "*graphs q k"], node_mask: Bool[AnyArray, "*#graphs q"] | None
) -> Float[Array, "*graphs q q"]:
    """The same in JAX, in the dtype of ``attn`` (half precision: in float32)."""
    rows = attn if attn.dtype in (jnp.float32, jnp.float64) else attn.astype(jnp.float32)
    keep = jnp.ones(rows.shape[:-1], bool)
    if node_mask is not None:
        keep = jnp.broadcast_to(jnp.asarray(node_mask, bool), rows.shape[:-1])
    rows = jnp.where(keep[..., None], rows, jnp.zeros_like(rows))
    for size in (lambda x: jnp.abs(x).max(axis=-1), lambda x: jnp.linalg.norm(x, axis=-1)):
        length = jnp.where(keep, size(rows), jnp.ones(keep.shape, rows.dtype))
        rows = rows / length[..., None]
    product = jnp.matmul(rows, jnp.swapaxes(rows, -1, -2), precision=lax.Precision.HIGHEST)
    corr = jnp.clip((product + jnp.swapaxes(product, -1, -2)) / 2, -1, 1)
    on_diagonal = jnp.broadcast_to(jnp.eye(corr.shape[-1], dtype=bool), corr.shape)
    return jnp.where(on_diagonal, jnp.ones_like(corr), corr)
