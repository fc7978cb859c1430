"""Correlations of data with missing cells."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Float

from jaxcause._precision import float64_where_asked, outside
from jaxcause._typing import AnyArray


class PairwiseCorrelation(NamedTuple):
    """Correlation of each pair of columns, and the number of rows that hold both."""

    corr: Float[AnyArray, "*graphs nodes nodes"]
    n_samples: Float[AnyArray, "*graphs nodes nodes"]


def pairwise_correlation(x: Float[AnyArray, "*graphs samples nodes"]) -> PairwiseCorrelation:
    r"""Pearson correlation of each pair of columns over the rows that hold both (NaN: missing).

    With :math:`m_{si} = 1` where :math:`x_{si}` is present, :math:`x` centred per column and zero
    where missing,

    .. math:: N = m^\top m, \quad T = x^\top m, \quad Q = (x^2)^\top m - T^2 / N, \quad
        r_{ij} = \frac{(x^\top x)_{ij} - T_{ij} T_{ji} / N_{ij}}{\sqrt{Q_{ij} Q_{ji}}}.

    Each entry is a correlation, but the matrix may be indefinite: see `clip_eigenvalues`.

    Args:
        x: Samples in rows; leading axes are a batch of graphs.

    Returns:
        Correlations, NaN where a column is constant on the common rows, and the counts N.

    >>> import numpy as np
    >>> x = np.array([[0.0, 1.0], [1.0, 3.0], [2.0, 5.0], [9.0, np.nan]])
    >>> corr, n_samples = pairwise_correlation(x)
    >>> corr.round(6).tolist(), n_samples.tolist()
    ([[1.0, 1.0], [1.0, 1.0]], [[4.0, 3.0], [3.0, 3.0]])
    """
    with float64_where_asked(x):
        result = _pairwise(jnp.asarray(x))
    return outside(result)


@jax.jit
def _pairwise(x: Float[Array, "*graphs samples nodes"]) -> PairwiseCorrelation:
    centred, present = centred_columns(x)
    count = column_products(present, present)
    total = column_products(centred, present)
    square = column_products(centred**2, present)
    spread = square - total**2 / count
    # For a column that is constant on the common rows this is a rounding error, not zero.
    lost = max(64, centred.shape[-2]) * jnp.finfo(centred.dtype).eps
    spread = jnp.where(spread > lost * square, spread, jnp.full_like(spread, jnp.nan))
    shared = column_products(centred, centred) - total * jnp.swapaxes(total, -1, -2) / count
    corr = shared / jnp.sqrt(spread) / jnp.sqrt(jnp.swapaxes(spread, -1, -2))
    unit = jnp.broadcast_to(jnp.eye(corr.shape[-1], dtype=bool), corr.shape) & ~jnp.isnan(corr)
    return PairwiseCorrelation(jnp.where(unit, jnp.ones_like(corr), corr), count)


def centred_columns(
    x: Float[Array, "*graphs samples nodes"],
) -> tuple[Float[Array, "*graphs samples nodes"], Float[Array, "*graphs samples nodes"]]:
    """Centred columns scaled into ±1, with 0 for NaN; and a mask, 1 where a cell is present."""
    missing = jnp.isnan(x)
    present = (~missing).astype(x.dtype)
    filled = jnp.where(missing, jnp.zeros_like(x), x)
    mean = filled.sum(axis=-2, keepdims=True) / present.sum(axis=-2, keepdims=True)
    centred = jnp.where(missing, jnp.zeros_like(x), x - mean)
    largest = jnp.abs(centred).max(axis=-2, keepdims=True)
    return centred / jnp.where(largest > 0, largest, jnp.ones_like(largest)), present


def column_products(
    a: Float[Array, "*graphs samples nodes"], b: Float[Array, "*graphs samples nodes"]
) -> Float[Array, "*graphs nodes nodes"]:
    """The matrix ``aᵀ b`` of each graph, in full precision."""
    return jnp.matmul(jnp.swapaxes(a, -1, -2), b, precision=lax.Precision.HIGHEST)
