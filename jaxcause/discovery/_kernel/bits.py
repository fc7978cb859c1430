"""Boolean matrices packed into words: 32 entries are combined by one operation."""

import numpy as np
from jaxtyping import Bool, UInt32

from jaxcause._namespace import namespace
from jaxcause._typing import AnyArray

WORD = 32


def pack(mask: Bool[AnyArray, "*rows n"]) -> UInt32[AnyArray, "*rows words"]:
    """Bits of the last axis as words of 32.

    >>> import jax.numpy as jnp
    >>> pack(jnp.array([True, False, True])).tolist()
    [5]
    """
    n, xp = mask.shape[-1], namespace(mask)
    padded = xp.pad(mask, [(0, 0)] * (mask.ndim - 1) + [(0, -n % WORD)])
    if xp is np:
        octets = np.packbits(padded, axis=-1, bitorder="little")
        return np.ascontiguousarray(octets).view("<u4").astype(np.uint32, copy=False)
    bits = padded.reshape(*mask.shape[:-1], -1, WORD).astype(np.uint32)
    shifts = xp.arange(WORD, dtype=np.uint32).reshape(*[1] * mask.ndim, WORD)
    return (bits << shifts).sum(axis=-1, dtype=np.uint32)


def unpack(words: UInt32[AnyArray, "*rows words"], n: int) -> Bool[AnyArray, "*rows n"]:
    """The first ``n`` bits of the last axis: undoes `pack`.

    >>> import jax.numpy as jnp
    >>> unpack(jnp.array([5], jnp.uint32), 3).tolist()
    [True, False, True]
    """
    shifts = namespace(words).arange(WORD, dtype=np.uint32).reshape(*[1] * words.ndim, WORD)
    bits = (words[..., None] >> shifts) & np.uint32(1)
    return bits.reshape(*words.shape[:-1], -1)[..., :n].astype(bool)


def boolean_product(
    left: Bool[AnyArray, "*graphs i k"], right: Bool[AnyArray, "*graphs k j"]
) -> Bool[AnyArray, "*graphs i j"]:
    """Entry ``[i, j]``: some k has ``left[i, k]`` and ``right[k, j]``.

    >>> import jax.numpy as jnp
    >>> path = jnp.array([[0, 1, 0], [0, 0, 1], [0, 0, 0]], bool)
    >>> boolean_product(path, path).tolist()
    [[False, False, True], [False, False, False], [False, False, False]]
    """
    return intersects(pack(left)[..., :, None, :], pack(right.swapaxes(-1, -2))[..., None, :, :])


def intersects(
    a: UInt32[AnyArray, "*#rows words"], b: UInt32[AnyArray, "*#rows words"]
) -> Bool[AnyArray, "..."]:
    """Whether two packed sets have a member in common."""
    return ((a & b) != np.uint32(0)).any(axis=-1)
