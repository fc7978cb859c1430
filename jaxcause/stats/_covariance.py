"""Correlation matrices."""

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Float

from jaxcause._typing import AnyArray


def correlation_matrix(
    x: Float[AnyArray, "*graphs samples nodes"],
) -> Float[AnyArray, "*graphs nodes nodes"]:
    r"""Pearson correlation between the columns of ``x``, in the precision of ``x``.

    .. math:: r_{ij} = \frac{\sum_s (x_{si}-\bar x_i)(x_{sj}-\bar x_j)}
        {\sqrt{\sum_s (x_{si}-\bar x_i)^2 \sum_s (x_{sj}-\bar x_j)^2}}

    Args:
        x: Samples in rows; leading axes are a batch.

    Returns:
        Symmetric matrices with unit diagonal. A constant column gives NaN.

    >>> import numpy as np
    >>> correlation_matrix(np.array([[0.0, 1.0], [1.0, 3.0], [2.0, 5.0]])).round(6).tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """
    x = jnp.asarray(x)
    centred = x - x.mean(axis=-2, keepdims=True)
    # Squares of columns beyond ±1e19 (or within 1e-19) do not fit into float32.
    largest = jnp.abs(lax.stop_gradient(centred)).max(axis=-2, keepdims=True)
    scaled = centred / largest
    unit = scaled / jnp.linalg.norm(scaled, axis=-2, keepdims=True)
    corr = jnp.matmul(jnp.swapaxes(unit, -1, -2), unit, precision=lax.Precision.HIGHEST)
    on_diagonal = jnp.broadcast_to(jnp.eye(x.shape[-1], dtype=bool), corr.shape)
    return jnp.where(on_diagonal & ~jnp.isnan(corr), jnp.ones_like(corr), corr)


def condition_number(corr: Float[np.ndarray, "*graphs nodes nodes"]) -> float:
    """Largest 2-norm condition number of a stack of symmetric matrices (host side)."""
    if corr.size == 0 or not np.isfinite(corr).all():
        return float("inf") if corr.size else 1.0
    eigenvalues = np.abs(np.linalg.eigvalsh(np.asarray(corr, np.float64)))
    smallest = np.maximum(eigenvalues.min(axis=-1), np.finfo(np.float64).tiny)
    return float((eigenvalues.max(axis=-1) / smallest).max())
