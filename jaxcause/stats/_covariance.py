"""Correlation matrices."""

import numpy as np
from jaxtyping import Float

from jaxcause._checks import check_host
from jaxcause._namespace import namespace, stop_gradient
from jaxcause._typing import AnyArray
from jaxcause.stats._pairwise import column_products


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
    xp = namespace(x)
    centred = x - x.mean(axis=-2, keepdims=True)
    # Squares of columns beyond ±1e19 (or within 1e-19) do not fit into float32.
    largest = xp.abs(stop_gradient(centred)).max(axis=-2, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = centred / largest
        unit = scaled / xp.linalg.norm(scaled, axis=-2, keepdims=True)
    corr = column_products(unit, unit)
    on_diagonal = xp.broadcast_to(xp.eye(x.shape[-1], dtype=bool), corr.shape)
    return xp.where(on_diagonal & ~xp.isnan(corr), xp.ones_like(corr), corr)


def condition_number(corr: Float[np.ndarray, "*graphs nodes nodes"]) -> float:
    """Largest 2-norm condition number of a stack of symmetric matrices (host side).

    Raises:
        InputError: ``corr`` is traced.
    """
    check_host("corr", corr)
    if corr.size == 0 or not np.isfinite(corr).all():
        return float("inf") if corr.size else 1.0
    eigenvalues = np.abs(np.linalg.eigvalsh(np.asarray(corr, np.float64)))
    smallest = np.maximum(eigenvalues.min(axis=-1), np.finfo(np.float64).tiny)
    return float((eigenvalues.max(axis=-1) / smallest).max())
