"""From scores to edges.

Every rule turns scores into p-values, or into ranks that serve as such, and lets the shared core
keep the edges: one way in for all of them.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import erfc
from jaxtyping import Float

from jaxcause._checks import InputError, check_at_least, check_probability
from jaxcause._typing import AnyArray
from jaxcause.attribution._test import lagged_edges, score_test
from jaxcause.graph import LaggedGraph
from jaxcause.stats import benjamini_hochberg

MAD_TO_SIGMA = 1.4826
"""Median absolute deviation of a normal distribution, inverted."""


class EdgeTest(NamedTuple):
    """How unlikely each score is among non-edges, ``[source, target, lag]``; lag 0 holds 1."""

    p_value: Float[Array, "vars vars lags"]
    q_value: Float[Array, "vars vars lags"]


def empirical_null(scores: Float[AnyArray, "vars vars lags"]) -> EdgeTest:
    r"""p- and q-values of scores against a null that is fitted to their own bulk.

    Most candidates are no edges, and the logarithms of their scores are close to normal. Over all
    (source, target, lag ≥ 1), :math:`z = \tfrac12 \log s` has the centre m = median, the scale
    σ = 1.4826 × median distance below m, and :math:`p = 1 - \Phi((z - m)/\sigma)`; q-values are
    Benjamini and Hochberg's.

    Args:
        scores: Non-negative scores; lag 0 is left out.

    Raises:
        InputError: A score is negative or no number, or the shape is wrong.

    Source: Efron (2004), "Large-scale simultaneous hypothesis testing: the choice of a null".

    >>> import numpy as np
    >>> scores = np.exp(np.random.default_rng(0).normal(size=(5, 5, 4))); scores[0, 1, 2] = 1e6
    >>> test = empirical_null(scores)
    >>> np.argwhere(test.q_value <= 0.1).tolist()
    [[0, 1, 2]]
    """
    lagged = _lagged(scores)
    # A score of exactly zero is the surest non-edge; the floor keeps its logarithm finite.
    smallest = jnp.finfo(lagged.dtype).tiny
    z = 0.5 * jnp.log(jnp.maximum(lagged, smallest))
    centre = jnp.median(z)
    below = jnp.where(z <= centre, centre - z, jnp.nan)
    scale = MAD_TO_SIGMA * jnp.nanmedian(below)
    standard = (z - centre) / jnp.maximum(scale, jnp.finfo(lagged.dtype).eps)
    p_value = 0.5 * erfc(standard / np.sqrt(2).astype(lagged.dtype))
    q_value = benjamini_hochberg(p_value)
    at_lag_0 = [(0, 0), (0, 0), (1, 0)]
    return EdgeTest(*(jnp.pad(v, at_lag_0, constant_values=1.0) for v in (p_value, q_value)))


def select_fdr(scores: Float[AnyArray, "vars vars lags"], *, q: float = 0.1) -> LaggedGraph:
    """Keep the edges whose q-value under the empirical null is at most ``q``: the default rule.

    Args:
        scores: Non-negative scores ``[source, target, lag]``; lag 0 is left out.
        q: Aimed-at share of false edges among those kept.

    Raises:
        InputError: A score is negative or no number, or ``q`` is outside (0, 1).

    >>> import numpy as np
    >>> scores = np.exp(np.random.default_rng(0).normal(size=(5, 5, 4))); scores[0, 1, 2] = 1e6
    >>> select_fdr(scores, q=0.1).edges()
    [('X0', 2, '-->', 'X1')]
    """
    check_probability("q", q)
    return lagged_edges(score_test(empirical_null(scores).q_value), alpha=q)


def select_threshold(
    scores: Float[AnyArray, "vars vars lags"], *, threshold: float | None = None
) -> LaggedGraph:
    r"""Keep the edges whose share of their target's scores exceeds a threshold.

    Args:
        scores: Non-negative scores ``[source, target, lag]``; lag 0 is left out.
        threshold: Smallest share :math:`s_{ji\ell} / \sum_{j\ell} s_{ji\ell}` to keep; by default
            the uniform share 1 / (max_lag · vars).

    Raises:
        InputError: A score is negative or no number, or ``threshold`` is outside (0, 1).

    >>> import numpy as np
    >>> scores = np.zeros((2, 2, 2)); scores[0, 1, 1], scores[1, 1, 1] = 3.0, 1.0
    >>> select_threshold(scores).edges()
    [('X0', 1, '-->', 'X1')]
    """
    lagged = _lagged(scores)
    n_vars, _, max_lag = lagged.shape
    level = 1.0 / (n_vars * max_lag) if threshold is None else threshold
    if n_vars * max_lag > 1:
        check_probability("threshold", level)
    total = lagged.sum(axis=(0, 2), keepdims=True)
    share = lagged / jnp.where(total > 0, total, jnp.ones_like(total))
    return _keep(share > level)


def select_top_k(scores: Float[AnyArray, "vars vars lags"], k: int) -> LaggedGraph:
    """Keep the ``k`` best-scored lagged parents of every target (ties: the earlier source and lag).

    Args:
        scores: Non-negative scores ``[source, target, lag]``; lag 0 is left out.
        k: Parents per target.

    Raises:
        InputError: A score is negative or no number, or ``k`` is negative.

    >>> import numpy as np
    >>> scores = np.zeros((2, 2, 2)); scores[0, :, 1] = 1.0
    >>> select_top_k(scores, 1).edges()
    [('X0', 1, '-->', 'X0'), ('X0', 1, '-->', 'X1')]
    """
    check_at_least("k", k, 0)
    by_target = jnp.swapaxes(_lagged(scores), 0, 1)
    ranks = _ranks(by_target.reshape(by_target.shape[0], -1))
    return _keep(jnp.swapaxes(ranks.reshape(by_target.shape), 0, 1) < k)


def select_global_top_k(scores: Float[AnyArray, "vars vars lags"], k: int) -> LaggedGraph:
    """Keep the ``k`` best-scored lagged edges of all (ties: the earlier source, target and lag).

    Args:
        scores: Non-negative scores ``[source, target, lag]``; lag 0 is left out.
        k: Edges in the graph.

    Raises:
        InputError: A score is negative or no number, or ``k`` is negative.

    >>> import numpy as np
    >>> scores = np.zeros((2, 2, 2)); scores[0, 1, 1] = 1.0
    >>> select_global_top_k(scores, 1).edges()
    [('X0', 1, '-->', 'X1')]
    """
    check_at_least("k", k, 0)
    lagged = _lagged(scores)
    return _keep(_ranks(lagged.reshape(1, -1)).reshape(lagged.shape) < k)


def _lagged(scores: AnyArray) -> Array:
    """Scores at lags 1, 2, …, once they have been checked."""
    given = np.asarray(scores)
    if given.ndim != 3 or given.shape[0] != given.shape[1] or given.shape[2] < 2:
        raise InputError(f"scores has shape {given.shape}, but must be [vars, vars, max_lag+1]")
    if not np.isfinite(given).all() or (given < 0).any():
        raise InputError("scores holds negative values or NaN; pass energies or absolute values")
    return jnp.asarray(scores)[:, :, 1:]


def _ranks(rows: Float[Array, "rows candidates"]) -> Array:
    """Place of each entry in its row, the largest being 0."""
    return jnp.argsort(jnp.argsort(-rows, axis=1, stable=True), axis=1)


def _keep(chosen: Array) -> LaggedGraph:
    """The graph of the chosen lagged edges, made by the core."""
    p_value = jnp.pad(
        1.0 - chosen.astype(jnp.float32), [(0, 0), (0, 0), (1, 0)], constant_values=1.0
    )
    return lagged_edges(score_test(p_value), alpha=0.5)
