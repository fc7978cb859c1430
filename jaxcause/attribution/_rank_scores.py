"""Scores from the rank of an input over windows: a high and steady rank scores high."""

from typing import NamedTuple, Unpack

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from jaxcause._checks import check_choice
from jaxcause._options import shows_options
from jaxcause._typing import AnyArray, PredictFn
from jaxcause.attribution._stream import ReadoutOptions, moments_over_windows

ROUNDING = 1 / 12
"""Variance of the rounding error of a continuous quantity rounded to whole numbers."""


class RankScores(NamedTuple):
    """Ratio, mean and standard deviation of ranks, each ``[source, target, lag]``; lag 0 is 0."""

    score: Float[Array, "vars targets lags"]
    mean: Float[Array, "vars targets lags"]
    std: Float[Array, "vars targets lags"]


@shows_options(ReadoutOptions, of=moments_over_windows)
def rank_mean_over_std(
    predict_fn: PredictFn,
    windows: Float[AnyArray, "windows time vars"],
    *,
    of: str = "gradient",
    **options: Unpack[ReadoutOptions],
) -> RankScores:
    r"""Mean over standard deviation of the rank of an input among all inputs of a target.

    In window w, :math:`r_{ji\ell}(w) \in 1 \dots pL` is the rank of
    :math:`|\partial f_i(x_w) / \partial x_j(t-\ell)|` among all (source, lag), in ascending order;
    equal magnitudes share their mean rank. With mean and variance over windows,

    .. math:: S_{ji\ell} = \bar r_{ji\ell} / \sqrt{s^2_{ji\ell} + 1/12}.

    An input that matters much in some windows scores below one that matters in all of them. The
    term 1/12, the variance of a rounding error, keeps the score finite if ranks never change, as
    for a linear model.

    Args:
        predict_fn: Any differentiable forecast of the next row from one window; see
            `gradient_energy`.
        windows: Windows to average over, newest row last.
        of: What is ranked: the ``"gradient"``, or the ``"input_x_gradient"``.

    Raises:
        InputError: As for `gradient_energy`, or ``of`` is not known.

    Source: the uncertainty-aware aggregation of Wang, Wang & Huang (2026), "Transformer Is
    Inherently a Causal Learner"; the 1/12 is ours.

    >>> import jax.numpy as jnp
    >>> forecast = lambda window: window[-1] @ jnp.array([[3.0, 1.0], [2.0, 4.0]])
    >>> found = rank_mean_over_std(forecast, jnp.ones((5, 1, 2)))
    >>> found.mean[:, :, 1].tolist(), found.std[:, :, 1].tolist()
    ([[2.0, 1.0], [1.0, 2.0]], [[0.0, 0.0], [0.0, 0.0]])
    """
    check_choice("of", of, ("gradient", "input_x_gradient"))
    terms = _rank_of_gradient if of == "gradient" else _rank_of_product
    mean, std = moments_over_windows(terms, predict_fn, windows, spread=True, **options)
    return RankScores(mean / jnp.sqrt(std**2 + ROUNDING), mean, std)


def _rank_of_gradient(
    jacobians: tuple[Array, ...], outputs: tuple[Array, ...], window: Array
) -> Array:
    return _ranks(jnp.abs(jacobians[0]))


def _rank_of_product(
    jacobians: tuple[Array, ...], outputs: tuple[Array, ...], window: Array
) -> Array:
    return _ranks(jnp.abs(jacobians[0] * window))


def _ranks(values: Float[Array, "time source"]) -> Float[Array, "time source"]:
    """Ranks from 1, ties sharing their mean rank; a NaN makes every rank NaN."""
    flat = values.reshape(-1)
    ordered = jnp.sort(flat)
    below, upto = (jnp.searchsorted(ordered, flat, side=side) for side in ("left", "right"))
    ranks = (below + upto + 1).astype(values.dtype) / 2
    return jnp.where(jnp.isnan(flat).any(), jnp.nan, ranks).reshape(values.shape)
