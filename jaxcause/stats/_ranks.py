"""Rank correlations: correlations of a Gaussian copula, whatever the margins are."""

import math
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.scipy.special import ndtri
from jaxtyping import Float

from jaxcause._checks import check_choice
from jaxcause._precision import float64_where_asked, outside
from jaxcause._typing import AnyArray
from jaxcause.stats._covariance import correlation_matrix

RANK_METHODS = ("spearman", "normal_scores")


def rank_correlation(
    x: Float[AnyArray, "*graphs samples nodes"], *, method: str = "normal_scores"
) -> Float[AnyArray, "*graphs nodes nodes"]:
    r"""Correlations of the Gaussian copula of ``x``, from ranks; ties share their mean rank.

    With ranks :math:`q_{si}` in :math:`1 … N`, ``"spearman"`` takes

    .. math:: r_{ij} = 2 \sin\bigl(\tfrac{\pi}{6} \operatorname{corr}(q_i, q_j)\bigr),

    which is consistent but may be indefinite (see `clip_eigenvalues`); ``"normal_scores"`` takes
    the correlation of :math:`\Phi^{-1}(q_{si} / (N+1))`, which is positive semi-definite.

    Args:
        x: Samples in rows; leading axes are a batch of graphs.
        method: ``"spearman"`` or ``"normal_scores"``.

    Raises:
        InputError: The method is not known.

    Source: Liu, Han, Yuan, Lafferty & Wasserman (2012), "High-dimensional semiparametric Gaussian
    copula graphical models"; van der Waerden (1952) for the scores.

    >>> import numpy as np
    >>> x = np.array([[0.0, 1.0], [1.0, 8.0], [2.0, 9.0]])
    >>> rank_correlation(x).round(6).tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """
    check_choice("method", method, RANK_METHODS)
    with float64_where_asked(x):
        result = correlation_of_scores(rank_scores(jnp.asarray(x), method), method)
    return outside(result)


@partial(jax.jit, static_argnames="method")
def rank_scores(
    x: Float[Array, "*graphs samples nodes"], method: str
) -> Float[Array, "*graphs samples nodes"]:
    """The columns that a method correlates: ranks, or normal scores."""
    ranks = mid_ranks(x)
    return ranks if method == "spearman" else ndtri(ranks / (x.shape[-2] + 1))


@partial(jax.jit, static_argnames="method")
def correlation_of_scores(
    scores: Float[Array, "*graphs samples nodes"], method: str
) -> Float[Array, "*graphs nodes nodes"]:
    """Correlations of the copula, from the result of `rank_scores`."""
    corr = jnp.asarray(correlation_matrix(scores))
    if method == "normal_scores":
        return corr
    sine = 2 * jnp.sin(math.pi / 6 * corr)
    return jnp.where(jnp.abs(corr) == 1, corr, sine)


def mid_ranks(x: Float[Array, "*graphs samples nodes"]) -> Float[Array, "*graphs samples nodes"]:
    """Ranks 1 … N down each column; tied values share the mean of their ranks.

    >>> import jax.numpy as jnp
    >>> mid_ranks(jnp.array([[3.0], [1.0], [3.0], [2.0]])).ravel().tolist()
    [3.5, 1.0, 3.5, 2.0]
    """
    axis = x.ndim - 2
    order = jnp.argsort(x, axis=axis)
    ascending = jnp.take_along_axis(x, order, axis=axis)
    place = lax.broadcasted_iota(jnp.int32, x.shape, axis)
    rises = ascending[..., 1:, :] != ascending[..., :-1, :]
    edge = jnp.ones((*x.shape[:-2], 1, x.shape[-1]), bool)
    starts = jnp.concatenate([edge, rises], axis=axis)
    ends = jnp.concatenate([rises, edge], axis=axis)
    first = lax.cummax(jnp.where(starts, place, 0), axis=axis)
    last = lax.cummin(jnp.where(ends, place, x.shape[-2]), axis=axis, reverse=True)
    ranks = (first + last).astype(x.dtype) / 2 + 1
    return jnp.take_along_axis(ranks, jnp.argsort(order, axis=axis), axis=axis)
