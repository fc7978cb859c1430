"""Which floating-point precision a computation runs in."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import jax
import numpy as np

from jaxcause._checks import is_concrete


def float64_where_asked(*trees: Any) -> AbstractContextManager[Any]:
    """Context that enables float64 if a leaf of ``trees`` holds float64, and else does nothing.

    JAX rounds float64 inputs to float32 unless x64 is enabled. Partial correlations on nearly
    singular matrices do not survive that, so host-level entries run inside this context. Where any
    leaf is traced, the caller's own ``jit`` decides, and nothing is done.
    """
    return jax.enable_x64(True) if _asks_for_float64(trees) else nullcontext()


def outside(result: Any) -> Any:
    """``result`` as it can live outside of `float64_where_asked`.

    Where x64 is off, JAX warns at every use of a float64 array of its own; numpy holds those.
    """
    escapes = not jax.config.jax_enable_x64 and _asks_for_float64(result)  # pyright: ignore[reportAttributeAccessIssue]
    return jax.tree.map(np.asarray, result) if escapes else result


def _asks_for_float64(tree: Any) -> bool:
    leaves = jax.tree.leaves(tree)
    return is_concrete(leaves) and any(
        getattr(leaf, "dtype", None) == np.float64 for leaf in leaves
    )
