"""Rank correlations: correlations of a Gaussian copula, whatever the margins are."""

import math
from functools import partial

import numpy as np
from jaxtyping import Float

from jaxcause._checks import check_choice
from jaxcause._namespace import namespace, running_max
from jaxcause._precision import float64_where_asked, outside
from jaxcause._small_work import compiled_off_host
from jaxcause._typing import AnyArray
from jaxcause.stats._covariance import correlation_matrix
from jaxcause.stats._tails import ndtri

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
        result = correlation_of_scores(rank_scores(x, method=method), method=method)
    return outside(result)


@partial(compiled_off_host, static=("method",))
def rank_scores(
    x: Float[AnyArray, "*graphs samples nodes"], *, method: str
) -> Float[AnyArray, "*graphs samples nodes"]:
    """The columns that a method correlates: ranks, or normal scores."""
    ranks = mid_ranks(x)
    return ranks if method == "spearman" else ndtri(ranks / (x.shape[-2] + 1))


@partial(compiled_off_host, static=("method",))
def correlation_of_scores(
    scores: Float[AnyArray, "*graphs samples nodes"], *, method: str
) -> Float[AnyArray, "*graphs nodes nodes"]:
    """Correlations of the copula, from the result of `rank_scores`."""
    xp, corr = namespace(scores), correlation_matrix(scores)
    if method == "normal_scores":
        return corr
    sine = 2 * xp.sin(math.pi / 6 * corr)
    return xp.where(xp.abs(corr) == 1, corr, sine)


def mid_ranks(
    x: Float[AnyArray, "*graphs samples nodes"],
) -> Float[AnyArray, "*graphs samples nodes"]:
    """Ranks 1 … N down each column; tied values share the mean of their ranks.

    >>> mid_ranks(np.array([[3.0], [1.0], [3.0], [2.0]])).ravel().tolist()
    [3.5, 1.0, 3.5, 2.0]
    """
    xp, axis, n_rows = namespace(x), x.ndim - 2, x.shape[-2]
    order = xp.argsort(x, axis=axis, stable=True)
    ascending = xp.take_along_axis(x, order, axis=axis)
    place = xp.broadcast_to(xp.arange(n_rows, dtype=np.int32)[:, None], x.shape)
    rises = ascending[..., 1:, :] != ascending[..., :-1, :]
    edge = xp.ones((*x.shape[:-2], 1, x.shape[-1]), bool)
    starts = xp.concatenate([edge, rises], axis=axis)
    ends = xp.concatenate([rises, edge], axis=axis)
    first = running_max(xp.where(starts, place, 0), axis=axis)
    after_last = xp.flip(xp.where(ends, n_rows - place, 0), axis=axis)
    last = n_rows - xp.flip(running_max(after_last, axis=axis), axis=axis)
    ranks = (first + last).astype(x.dtype) / 2 + 1
    return xp.take_along_axis(ranks, xp.argsort(order, axis=axis), axis=axis)
