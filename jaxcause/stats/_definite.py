"""Singular and indefinite correlation matrices: how to detect them, and how to repair them."""

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import DTypeLike
from jaxtyping import Bool, Float

from jaxcause._namespace import namespace, on_host
from jaxcause._precision import float64_where_asked, outside
from jaxcause._small_work import compiled_off_host
from jaxcause._typing import AnyArray
from jaxcause.stats._pairwise import column_products

SINGULAR = 64
"""Rounding errors: a conditional variance of at most so many counts as zero."""

NEARLY = 0.999
"""r² from which on two variables are nearly copies."""


def least_variance(dtype: DTypeLike) -> float:
    """A conditional variance of at most this counts as zero."""
    return SINGULAR * float(jnp.finfo(dtype).eps)


def regular_cholesky(matrix: Float[Array, "nodes nodes"]) -> Float[Array, "nodes nodes"]:
    """Cholesky's lower factor; all NaN where the variance of a node given earlier ones vanishes."""
    factor = jnp.linalg.cholesky(matrix)
    regular = (jnp.diagonal(factor) ** 2 > least_variance(matrix.dtype)).all()
    return jnp.where(regular, factor, jnp.nan)


def is_singular(
    corr: Float[AnyArray, "*graphs nodes nodes"], *, tolerance: float | None = None
) -> Bool[AnyArray, "*graphs"]:
    r"""Whether the smallest eigenvalue of each correlation matrix is at most ``tolerance``.

    One Cholesky factorization of :math:`R - \tau I` decides it: it exists where
    :math:`\lambda_{\min}(R) > \tau`. Every conditional variance is at least
    :math:`\lambda_{\min}`, so no conditional variance of a regular matrix vanishes in rounding.

    Args:
        corr: Correlation matrices; leading axes are a batch of graphs. NaN counts as singular.
        tolerance: The bound τ; by default max(64, nodes) rounding errors of the dtype.

    >>> import numpy as np
    >>> is_singular(np.array([[[1.0, 0.5], [0.5, 1.0]], [[1.0, -1.0], [-1.0, 1.0]]])).tolist()
    [False, True]
    """
    with float64_where_asked(corr):
        bound = rounding(corr) if tolerance is None else tolerance
        return _lacks_cholesky(corr, namespace(corr).asarray(bound, corr.dtype))


def singular_pairs(
    corr: Float[AnyArray, "*graphs nodes nodes"], *, tolerance: float | None = None
) -> Bool[AnyArray, "*graphs nodes nodes"]:
    r"""Which pairs of nodes are copies of one another, up to sign: :math:`1 - r_{ij}^2 \le \tau`.

    Args:
        corr: Correlation matrices; leading axes are a batch of graphs.
        tolerance: The bound τ; by default 64 rounding errors of the dtype, as of other variances.

    >>> import numpy as np
    >>> singular_pairs(np.array([[1.0, -1.0, 0.2], [-1.0, 1.0, -0.2], [0.2, -0.2, 1.0]])).tolist()
    [[False, True, False], [True, False, False], [False, False, False]]
    """
    with float64_where_asked(corr):
        bound = least_variance(corr.dtype) if tolerance is None else tolerance
        return pairs_of_copies(corr, bound)


def pairs_of_copies(
    corr: Float[AnyArray, "*graphs nodes nodes"], tolerance: float
) -> Bool[AnyArray, "*graphs nodes nodes"]:
    """Pairs with 1 − r² ≤ tolerance; on numpy arrays it compiles nothing."""
    return _apart(1 - corr * corr <= tolerance)


def nearly_copies(
    corr: Float[AnyArray, "*graphs nodes nodes"], tolerance: float
) -> Bool[AnyArray, "*graphs nodes nodes"]:
    """Pairs with r² above `NEARLY` that are no copies."""
    unexplained = 1 - corr * corr
    return _apart((unexplained <= 1 - NEARLY) & (unexplained > tolerance))


def _apart(pairs: Bool[AnyArray, "*graphs nodes nodes"]) -> Bool[AnyArray, "*graphs nodes nodes"]:
    """Pairs of two nodes, without the diagonal."""
    if on_host(pairs):
        np.einsum("...ii->...i", pairs)[...] = False
        return pairs
    return pairs & np.broadcast_to(~np.eye(pairs.shape[-1], dtype=bool), pairs.shape)


def clip_eigenvalues(
    corr: Float[AnyArray, "*graphs nodes nodes"], *, floor: float = 0.0
) -> Float[AnyArray, "*graphs nodes nodes"]:
    r"""Raise the eigenvalues below ``floor`` to it, and scale back to unit diagonal.

    .. math:: R = V \Lambda V^\top,\quad C = V \max(\Lambda, f) V^\top,\quad
        r_{ij} \leftarrow c_{ij} / \sqrt{c_{ii} c_{jj}}

    It repairs a matrix that is indefinite because its entries were estimated one pair at a time. A
    matrix whose eigenvalues reach the floor, up to rounding, is returned as it is. With ``floor=0``
    the result is singular, and tests whose conditional variances vanish conclude *dependent*; use
    shrinkage, or a positive floor, to avoid that.

    Args:
        corr: Symmetric matrices of unit diagonal; leading axes are a batch of graphs.
        floor: The smallest eigenvalue f to leave, at least 0.

    Source: Rousseeuw & Molenberghs (1993), "Transformation of non positive semidefinite correlation
    matrices"; it is not the nearest matrix in Frobenius norm (Higham 2002), but close to it.

    >>> import numpy as np
    >>> clip_eigenvalues(np.array([[1.0, 1.5], [1.5, 1.0]])).round(6).tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """
    with float64_where_asked(corr):
        result = _clip(corr, namespace(corr).asarray(floor, corr.dtype))
    return outside(result)


def rounding(corr: Float[AnyArray, "*graphs nodes nodes"]) -> float:
    """The eigenvalue that rounding alone may give: max(64, nodes) rounding errors."""
    return max(SINGULAR, corr.shape[-1]) * float(jnp.finfo(corr.dtype).eps)


def eigenvalues_exceed(
    corr: Float[np.ndarray, "*graphs nodes nodes"], bound: Float[np.ndarray, "*#graphs"] | float
) -> bool:
    """Whether all eigenvalues of all matrices exceed ``bound`` (host side).

    One Cholesky factorization each decides it, at a tenth of the cost of the eigenvalues.
    """
    shifted = np.array(corr, np.float64)
    diagonal = np.einsum("...ii->...i", shifted)
    diagonal -= np.asarray(bound, np.float64)[..., None]
    try:
        np.linalg.cholesky(shifted)
    except np.linalg.LinAlgError:
        return False
    return True


@compiled_off_host
def _lacks_cholesky(
    matrix: Float[AnyArray, "*graphs nodes nodes"], bound: Float[AnyArray, ""]
) -> Bool[AnyArray, "*graphs"]:
    shifted = matrix - bound * _identity(matrix)
    if on_host(shifted):
        graphs = shifted.reshape(-1, *shifted.shape[-2:])
        lacks = [not _has_cholesky(graph) for graph in graphs]
        return np.array(lacks, bool).reshape(shifted.shape[:-2])
    return jnp.isnan(jnp.linalg.cholesky(shifted)).any(axis=(-2, -1))


def _has_cholesky(matrix: Float[np.ndarray, "nodes nodes"]) -> bool:
    try:
        return not np.isnan(np.linalg.cholesky(matrix)).any()
    except np.linalg.LinAlgError:
        return False


@compiled_off_host
def _clip(
    matrix: Float[AnyArray, "*graphs nodes nodes"], floor: Float[AnyArray, ""]
) -> Float[AnyArray, "*graphs nodes nodes"]:
    xp = namespace(matrix, floor)
    values, vectors = xp.linalg.eigh(matrix)
    scaled = vectors * xp.maximum(values, floor)[..., None, :]
    clipped = column_products(scaled.mT, vectors.mT)
    deviation = xp.sqrt(xp.diagonal(clipped, axis1=-2, axis2=-1))
    unit = clipped / (deviation[..., :, None] * deviation[..., None, :])
    unit = xp.where(_identity(matrix) == 1, xp.ones_like(unit), unit)
    reaches = values.min(axis=-1, initial=xp.inf) >= floor - rounding(matrix)
    return xp.where(reaches[..., None, None], matrix, unit)


def _identity(
    matrix: Float[AnyArray, "*graphs nodes nodes"],
) -> Float[AnyArray, "*graphs nodes nodes"]:
    xp = namespace(matrix)
    return xp.broadcast_to(xp.eye(matrix.shape[-1], dtype=matrix.dtype), matrix.shape)
