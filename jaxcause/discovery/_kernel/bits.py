"""Boolean matrices packed into words: 32 entries are combined by one operation."""

import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Bool, UInt32

WORD = 32


def pack(mask: Bool[Array, "*rows n"]) -> UInt32[Array, "*rows words"]:
    """Bits of the last axis as words of 32.

    >>> import jax.numpy as jnp
    >>> pack(jnp.array([True, False, True])).tolist()
    [5]
    """
    n = mask.shape[-1]
    padded = jnp.pad(mask, [(0, 0)] * (mask.ndim - 1) + [(0, -n % WORD)])
    bits = padded.reshape(*mask.shape[:-1], -1, WORD).astype(jnp.uint32)
    shifts = lax.iota(jnp.uint32, WORD).reshape(*[1] * mask.ndim, WORD)
    return (bits << shifts).sum(axis=-1, dtype=jnp.uint32)


def unpack(words: UInt32[Array, "*rows words"], n: int) -> Bool[Array, "*rows n"]:
    """The first ``n`` bits of the last axis: undoes `pack`.

    >>> import jax.numpy as jnp
    >>> unpack(jnp.array([5], jnp.uint32), 3).tolist()
    [True, False, True]
    """
    shifts = lax.iota(jnp.uint32, WORD).reshape(*[1] * words.ndim, WORD)
    bits = (words[..., None] >> shifts) & jnp.uint32(1)
    return bits.reshape(*words.shape[:-1], -1)[..., :n].astype(bool)


def boolean_product(
    left: Bool[Array, "*graphs i k"], right: Bool[Array, "*graphs k j"]
) -> Bool[Array, "*graphs i j"]:
    """Entry ``[i, j]``: some k has ``left[i, k]`` and ``right[k, j]``.

    >>> import jax.numpy as jnp
    >>> path = jnp.array([[0, 1, 0], [0, 0, 1], [0, 0, 0]], bool)
    >>> boolean_product(path, path).tolist()
    [[False, False, True], [False, False, False], [False, False, False]]
    """
    return intersects(
        pack(left)[..., :, None, :], pack(jnp.swapaxes(right, -1, -2))[..., None, :, :]
    )


def intersects(
    a: UInt32[Array, "*#rows words"], b: UInt32[Array, "*#rows words"]
) -> Bool[Array, "..."]:
    """Whether two packed sets have a member in common."""
    return ((a & b) != jnp.uint32(0)).any(axis=-1)
