"""Which floating-point precision a computation runs in."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import jax
import numpy as np

from jaxcause._checks import is_concrete


def float64_where_asked(*trees: Any) -> AbstractContextManager[Any]:
    """Context that enables float64 if a concrete leaf of ``trees`` holds float64, and else nothing.

    JAX rounds float64 inputs to float32 unless x64 is enabled. Partial correlations on nearly
    singular matrices do not survive that, so host-level entries run inside this context; a caller's
    own ``jit`` keeps the caller's setting.
    """
    leaves = [leaf for leaf in jax.tree.leaves(trees) if is_concrete(leaf)]
    asked = any(getattr(leaf, "dtype", None) == np.float64 for leaf in leaves)
    return jax.enable_x64(True) if asked else nullcontext()
