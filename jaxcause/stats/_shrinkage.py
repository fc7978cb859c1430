"""Shrinkage of correlations towards independence."""

import numpy as np
from jaxtyping import Float

from jaxcause._checks import InputError, check_square, is_concrete
from jaxcause._namespace import namespace
from jaxcause._precision import float64_where_asked, outside
from jaxcause._small_work import compiled_off_host
from jaxcause._typing import AnyArray
from jaxcause.stats._pairwise import centred_columns, column_products


def shrink_correlation(
    corr: Float[AnyArray, "*graphs nodes nodes"], intensity: Float[AnyArray, "*#graphs"] | float
) -> Float[AnyArray, "*graphs nodes nodes"]:
    r"""Shrink correlations towards independence; the diagonal stays.

    .. math:: R \leftarrow (1-\lambda) R + \lambda \operatorname{diag}(R)

    For a correlation matrix this is :math:`(1-\lambda) R + \lambda I`, whose smallest eigenvalue is
    at least λ. Partial correlations of the result are biased towards zero, so the p-values of a
    test on them are not exact.

    Args:
        corr: Correlation (or covariance) matrices; leading axes are a batch of graphs.
        intensity: The share λ in [0, 1], one for all or one per graph.

    Raises:
        InputError: ``corr`` is not square, or an intensity lies outside [0, 1].

    >>> import numpy as np
    >>> shrink_correlation(np.array([[1.0, 0.8], [0.8, 1.0]]), 0.25).round(6).tolist()
    [[1.0, 0.6], [0.6, 1.0]]
    """
    check_square("corr", corr)
    check_intensity("intensity", intensity)
    with float64_where_asked(corr, intensity):
        xp = namespace(corr, intensity)
        matrix = xp.asarray(corr)
        share = xp.broadcast_to(xp.asarray(intensity, matrix.dtype), matrix.shape[:-2])
        on_diagonal = xp.broadcast_to(xp.eye(matrix.shape[-1], dtype=bool), matrix.shape)
        result = xp.where(on_diagonal, matrix, (1 - share[..., None, None]) * matrix)
    return outside(result)


def shrinkage_intensity(
    x: Float[AnyArray, "*graphs samples nodes"],
) -> Float[AnyArray, "*graphs"]:
    r"""The intensity that minimizes the expected squared error of shrunk correlations.

    With :math:`z` the columns scaled to unit sample variance (divisor N − 1),
    :math:`w_{kij} = z_{ki} z_{kj}` and :math:`\bar w_{ij}` its mean over the N rows,

    .. math:: \hat\lambda = \min\Bigl(1, \frac{\sum_{i \ne j} \widehat{\operatorname{Var}}(r_{ij})}
        {\sum_{i \ne j} r_{ij}^2}\Bigr), \quad
        \widehat{\operatorname{Var}}(r_{ij}) = \frac{N}{(N-1)^3} \sum_k (w_{kij} - \bar w_{ij})^2,
        \quad r_{ij} = \frac{N}{N-1} \bar w_{ij}.

    Where cells are NaN, the sums of a pair run over the rows that hold both, and N counts those.

    Args:
        x: Samples in rows; leading axes are a batch of graphs.

    Source: Schäfer & Strimmer (2005), "A shrinkage approach to large-scale covariance matrix
    estimation", after Ledoit & Wolf (2003).

    >>> import numpy as np
    >>> bool(shrinkage_intensity(np.random.default_rng(0).normal(size=(20, 50))) > 0.8)
    True
    """
    with float64_where_asked(x):
        result = _intensity(x)
    return outside(result)


def check_intensity(name: str, value: Float[AnyArray, "*graphs"] | float) -> None:
    """Raise unless every concrete intensity lies in [0, 1]."""
    if not is_concrete(value):
        return
    given = np.asarray(value)
    if not ((given >= 0) & (given <= 1)).all():
        raise InputError(
            f"{name}={value!r} must lie between 0 (leave as it is) and 1 (independence)"
        )


@compiled_off_host
def _intensity(x: Float[AnyArray, "*graphs samples nodes"]) -> Float[AnyArray, "*graphs"]:
    xp = namespace(x)
    centred, present = centred_columns(x)
    degrees = present.sum(axis=-2, keepdims=True) - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        z = centred * xp.sqrt(degrees / (centred**2).sum(axis=-2, keepdims=True))
        count = column_products(present, present)
        mean = column_products(z, z) / count
        scatter = column_products(z**2, z**2) - count * mean**2
        variance = count / (count - 1) ** 3 * scatter
        r = count / (count - 1) * mean
    error, signal = _sum_of_pairs(variance), _sum_of_pairs(r**2)
    ratio = xp.clip(error / xp.where(signal == 0, xp.ones_like(signal), signal), 0, 1)
    return xp.asarray(xp.where(signal == 0, xp.zeros_like(ratio), ratio))


def _sum_of_pairs(
    values: Float[AnyArray, "*graphs nodes nodes"],
) -> Float[AnyArray, "*graphs"]:
    xp = namespace(values)
    pairs = xp.broadcast_to(~xp.eye(values.shape[-1], dtype=bool), values.shape)
    return xp.asarray(xp.where(pairs, values, xp.zeros_like(values)).sum(axis=(-2, -1)))
