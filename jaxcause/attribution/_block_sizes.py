"""The number of windows and targets that are differentiated at a time."""

from typing import NamedTuple

import jax
import numpy as np
from jax import Array
from jax.tree_util import Partial

from jaxcause._typing import AnyArray
from jaxcause.attribution._derivatives import with_derivatives

MEMORY = {"cpu": 2**23, "gpu": 2**28, "tpu": 2**28}
"""Target size of a batch in bytes, by kind of device. On a CPU it is about the size of the caches,
since larger batches are slower there. A single window and target may exceed it."""
MOST_WINDOWS = 64
"""Largest number of windows at a time; it suffices for efficient matrix products."""

OWN_COPIES = 4
"""Arrays of the size of a window that a target takes where the forecaster has its own way."""


class BlockSizes(NamedTuple):
    """Windows and targets at a time."""

    windows: int
    targets: int


def block_sizes(
    forecast: Partial, windows: AnyArray, n_targets: int, *, memory: int | None = None
) -> BlockSizes:
    """Numbers of windows and targets whose gradients fit into about ``memory`` bytes.

    Let R be the bytes that a window's forward pass keeps for the Jacobians, and C twice the size of
    the largest array among them (or of the window, if that is larger). A batch of w windows and i
    targets takes about w (R + i C) bytes. More windows are preferred to more targets: both make
    matrix products larger, but successive targets reuse the same R.

    Where the forecaster has a way of its own to its Jacobians, a target takes no backward pass,
    only some arrays of the size of a window. Half of the memory is then for windows, half for
    targets.

    >>> import jax.numpy as jnp
    >>> block_sizes(Partial(lambda window: jnp.tanh(window[-1])), np.zeros((9, 5, 3)), 3)
    BlockSizes(windows=64, targets=3)
    """
    (kept, own), (twice, _) = (_residuals(forecast, windows, n) for n in (1, 2))
    # Arrays that do not grow with the number of windows, such as weights, are kept once.
    each = [b - a for a, b in zip(kept, twice, strict=False)]
    window = int(np.prod(windows.shape[1:])) * windows.dtype.itemsize
    if memory is None:
        memory = MEMORY.get(jax.default_backend(), MEMORY["gpu"])
    if own:
        at_once = int(np.clip(memory // (2 * sum(each)), 1, MOST_WINDOWS))
        targets = memory // (2 * at_once * OWN_COPIES * window)
        return BlockSizes(at_once, int(np.clip(targets, 1, n_targets)))
    residuals, cotangent = sum(each) + window, 2 * max([window, *each])
    at_once = int(np.clip(memory // (residuals + cotangent), 1, MOST_WINDOWS))
    targets = int(np.clip((memory // at_once - residuals) // cotangent, 1, n_targets))
    return BlockSizes(at_once, targets)


def _residuals(forecast: Partial, windows: AnyArray, n_windows: int) -> tuple[list[int], bool]:
    """Bytes of every array that Jacobians of some windows need; whether the way is their own."""
    dtype = jax.dtypes.canonicalize_dtype(windows.dtype)
    x, own = jax.ShapeDtypeStruct((n_windows, *windows.shape[1:]), dtype), []

    def kept(forecast: Partial, x: Array) -> Partial:
        found = with_derivatives(forecast, x)
        own.append(found.own)
        return found.of_targets

    leaves = jax.tree.leaves(jax.eval_shape(kept, forecast, x))
    return [leaf.size * leaf.dtype.itemsize for leaf in leaves], own[0]
