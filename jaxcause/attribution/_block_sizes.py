"""The number of windows and targets that are differentiated at a time."""

from typing import NamedTuple

import jax
import numpy as np
from jax.tree_util import Partial

from jaxcause._typing import AnyArray

MEMORY = {"cpu": 2**23, "gpu": 2**28, "tpu": 2**28}
"""Target size of a batch in bytes, by kind of device. On a CPU it is about the size of the caches,
since larger batches are slower there. A single window and target may exceed it."""
MOST_WINDOWS = 64
"""Largest number of windows at a time; it suffices for efficient matrix products."""


class BlockSizes(NamedTuple):
    """Windows and targets at a time."""

    windows: int
    targets: int


def block_sizes(
    forecast: Partial, windows: AnyArray, n_targets: int, *, memory: int | None = None
) -> BlockSizes:
    """Numbers of windows and targets whose gradients fit into about ``memory`` bytes.

    Let R be the bytes that a window's forward pass keeps for the backward pass, and C twice the
    size of the largest array among them (or of the window, if that is larger). A batch of w windows
    and i targets takes about w (R + i C) bytes. More windows are preferred to more targets: both
    make matrix products larger, but successive targets reuse the same R.

    >>> import jax.numpy as jnp
    >>> block_sizes(Partial(lambda window: jnp.tanh(window[-1])), np.zeros((9, 5, 3)), 3)
    BlockSizes(windows=64, targets=3)
    """
    kept = [_residuals(forecast, windows, n) for n in (1, 2)]
    # Arrays that do not grow with the number of windows, such as weights, are kept once.
    each = [b - a for a, b in zip(*kept, strict=False)]
    window = int(np.prod(windows.shape[1:])) * windows.dtype.itemsize
    residuals, cotangent = sum(each) + window, 2 * max([window, *each])
    if memory is None:
        memory = MEMORY.get(jax.default_backend(), MEMORY["gpu"])
    at_once = int(np.clip(memory // (residuals + cotangent), 1, MOST_WINDOWS))
    targets = int(np.clip((memory // at_once - residuals) // cotangent, 1, n_targets))
    return BlockSizes(at_once, targets)


def _residuals(forecast: Partial, windows: AnyArray, n_windows: int) -> list[int]:
    """Bytes of every array that the backward pass of ``n_windows`` windows needs."""
    dtype = jax.dtypes.canonicalize_dtype(windows.dtype)
    x = jax.ShapeDtypeStruct((n_windows, *windows.shape[1:]), dtype)
    pull = jax.eval_shape(lambda f, x: jax.vjp(jax.vmap(f), x)[1], forecast, x)
    return [leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(pull)]
