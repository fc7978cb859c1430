"""Correlations of data with missing cells."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Float

from jaxcause._namespace import namespace, on_host
from jaxcause._precision import float64_where_asked, outside
from jaxcause._small_work import compiled_off_host
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
        result = _pairwise(x)
    return outside(result)


@compiled_off_host
def _pairwise(x: Float[AnyArray, "*graphs samples nodes"]) -> PairwiseCorrelation:
    xp = namespace(x)
    centred, present = centred_columns(x)
    count = column_products(present, present)
    total = column_products(centred, present)
    square = column_products(centred**2, present)
    shared = column_products(centred, centred)
    corr = correlation_of_sums(count, total, square, shared, centred.shape[-2])
    unit = xp.broadcast_to(xp.eye(corr.shape[-1], dtype=bool), corr.shape) & ~xp.isnan(corr)
    return PairwiseCorrelation(xp.where(unit, xp.ones_like(corr), corr), count)


def correlation_of_sums(
    count: Float[AnyArray, "*graphs nodes nodes"],
    total: Float[AnyArray, "*graphs nodes nodes"],
    square: Float[AnyArray, "*graphs nodes nodes"],
    shared: Float[AnyArray, "*graphs nodes nodes"],
    n_samples: int,
) -> Float[AnyArray, "*graphs nodes nodes"]:
    """Correlation of each pair over the samples that hold both; NaN where one is constant there.

    Args:
        count: How many samples hold both, N.
        total: Sum T of the first of each pair over them.
        square: Sum of its squares.
        shared: Sum of the products of both.
        n_samples: Samples that were summed up: their number bounds the rounding errors.
    """
    xp = namespace(count, total, square, shared)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = square - total**2 / count
        # For a column that is constant on the common rows this is a rounding error, not zero.
        lost = max(64, n_samples) * float(jnp.finfo(square.dtype).eps)
        spread = xp.where(spread > lost * square, spread, xp.full_like(spread, xp.nan))
        return (shared - total * total.mT / count) / xp.sqrt(spread) / xp.sqrt(spread.mT)


def centred_columns(
    x: Float[AnyArray, "*graphs samples nodes"],
) -> tuple[Float[AnyArray, "*graphs samples nodes"], Float[AnyArray, "*graphs samples nodes"]]:
    """Centred columns scaled into ±1, with 0 for NaN; and a mask, 1 where a cell is present."""
    xp = namespace(x)
    missing = xp.isnan(x)
    present = (~missing).astype(x.dtype)
    filled = xp.where(missing, xp.zeros_like(x), x)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = filled.sum(axis=-2, keepdims=True) / present.sum(axis=-2, keepdims=True)
    centred = xp.where(missing, xp.zeros_like(x), x - mean)
    largest = xp.abs(centred).max(axis=-2, keepdims=True)
    return centred / xp.where(largest > 0, largest, xp.ones_like(largest)), present


def column_products(
    a: Float[AnyArray, "*graphs samples nodes"], b: Float[AnyArray, "*graphs samples nodes"]
) -> Float[AnyArray, "*graphs nodes nodes"]:
    """The matrix ``aᵀ b`` of each graph, in full precision."""
    if on_host(a, b):
        return a.mT @ b
    return jnp.matmul(jnp.swapaxes(a, -1, -2), b, precision=lax.Precision.HIGHEST)
