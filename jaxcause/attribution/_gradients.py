"""Scores of lagged edges from the input gradients of any forecaster."""

from typing import Unpack

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from jaxcause._checks import check_choice
from jaxcause._options import shows_options
from jaxcause._typing import AnyArray, PredictFn
from jaxcause.attribution._stream import ReadoutOptions, moments_over_windows

SQUARE, MAGNITUDE = "square", "magnitude"


@shows_options(ReadoutOptions, of=moments_over_windows)
def gradient_energy(
    predict_fn: PredictFn,
    windows: Float[AnyArray, "windows time vars"],
    *,
    mean_of: str = SQUARE,
    **options: Unpack[ReadoutOptions],
) -> Float[Array, "vars targets lags"]:
    r"""Mean squared gradient of every prediction with respect to every lagged input.

    .. math:: H_{ji\ell} = \frac1W \sum_w
        \left(\frac{\partial f_i(x_w)}{\partial x_j(t-\ell)}\right)^2

    Under Gaussian noise of constant variance σ², H is σ² times the expected squared derivative of
    the log-density, which vanishes iff :math:`X_j(t-\ell)` is no parent of :math:`X_i(t)`.

    The windows are read once. Memory holds the residuals of the forward pass of ``batch_size``
    windows and ``batch_size * target_block`` copies of the cotangents of one window.

    Args:
        predict_fn: Any differentiable forecast of the next row from one window. A
            `jax.tree_util.Partial` over its parameters is compiled once for all parameter values,
            and can hold further inputs, such as the index of a regime.
        windows: Windows to average over, newest row last.
        mean_of: ``"square"``, or ``"magnitude"`` for the mean absolute gradient.

    Returns:
        Scores ``[source, target, lag]`` with lags 0 … time; lag 0 is all zero.

    Raises:
        InputError: There is no window, the windows are not floating-point numbers, the forecast is
            not one value per variable, or a target is not a variable.

    Source: Wang, Wang & Huang (2026), "Transformer Is Inherently a Causal Learner".

    >>> import jax.numpy as jnp
    >>> swap = lambda window: 2.0 * window[-1, ::-1]
    >>> gradient_energy(swap, jnp.ones((3, 1, 2)))[:, :, 1].tolist()
    [[0.0, 4.0], [4.0, 0.0]]
    """
    check_choice("mean_of", mean_of, (SQUARE, MAGNITUDE))
    terms = _squared if mean_of == SQUARE else _absolute
    return moments_over_windows(terms, predict_fn, windows, **options)[0]


@shows_options(ReadoutOptions, of=moments_over_windows)
def mean_gradient(
    predict_fn: PredictFn,
    windows: Float[AnyArray, "windows time vars"],
    **options: Unpack[ReadoutOptions],
) -> Float[Array, "vars targets lags"]:
    r"""Mean gradient, with its sign, of every prediction with respect to every lagged input.

    .. math:: D_{ji\ell} = \frac1W \sum_w \frac{\partial f_i(x_w)}{\partial x_j(t-\ell)}

    It says which way an input moves a forecast, and how far on average. Slopes of both signs
    cancel: an effect can be strong by `gradient_energy` and have a mean gradient of zero, such as
    that of :math:`|x|`.

    Args:
        predict_fn: Any differentiable forecast of the next row from one window.
        windows: Windows to average over, newest row last.

    Returns:
        Mean gradients ``[source, target, lag]`` with lags 0 … time; lag 0 is all zero.

    Raises:
        InputError: As for `gradient_energy`.

    >>> import jax.numpy as jnp
    >>> swap = lambda window: -2.0 * window[-1, ::-1]
    >>> mean_gradient(swap, jnp.ones((3, 1, 2)))[:, :, 1].tolist()
    [[0.0, -2.0], [-2.0, 0.0]]
    """
    return moments_over_windows(_signed, predict_fn, windows, **options)[0]


@shows_options(ReadoutOptions, of=moments_over_windows)
def input_x_gradient(
    predict_fn: PredictFn,
    windows: Float[AnyArray, "windows time vars"],
    *,
    mean_of: str = MAGNITUDE,
    **options: Unpack[ReadoutOptions],
) -> Float[Array, "vars targets lags"]:
    r"""Mean absolute product of every lagged input and its gradient.

    .. math:: S_{ji\ell} = \frac1W \sum_w
        \left|x_j(t-\ell)\,\frac{\partial f_i(x_w)}{\partial x_j(t-\ell)}\right|

    Args:
        predict_fn: Any differentiable forecast of the next row from one window.
        windows: Windows to average over, newest row last.
        mean_of: ``"magnitude"``, or ``"square"`` for the mean squared product.

    Returns:
        Scores ``[source, target, lag]`` with lags 0 … time; lag 0 is all zero.

    Raises:
        InputError: As for `gradient_energy`.

    >>> import jax.numpy as jnp
    >>> swap = lambda window: 2.0 * window[-1, ::-1]
    >>> input_x_gradient(swap, jnp.full((3, 1, 2), -3.0))[:, :, 1].tolist()
    [[0.0, 6.0], [6.0, 0.0]]
    """
    check_choice("mean_of", mean_of, (SQUARE, MAGNITUDE))
    terms = _absolute_product if mean_of == MAGNITUDE else _squared_product
    return moments_over_windows(terms, predict_fn, windows, **options)[0]


@shows_options(ReadoutOptions, of=moments_over_windows)
def relevance(
    predict_fn: PredictFn,
    windows: Float[AnyArray, "windows time vars"],
    *,
    mean_of: str = MAGNITUDE,
    **options: Unpack[ReadoutOptions],
) -> Float[Array, "vars targets lags"]:
    r"""Mean absolute relevance of every lagged input, by layer-wise relevance propagation.

    .. math:: S_{ji\ell} = \frac1W \sum_w |R_{ji\ell}(x_w)|, \qquad
        R_{ji\ell} = x_j(t-\ell)\,\tilde\partial_{j\ell} f_i

    where :math:`\tilde\partial` is the backward pass of a model built with the operations
    `jaxcause.nn.ATTN_LRP` or `jaxcause.nn.CP_LRP`. The result equals `input_x_gradient` of that
    model; for a model with ordinary operations it is input × gradient, not relevance.

    Layer-wise relevance propagation is covered by patents in some countries and free for research.
    It is therefore never the default. Clarify the licence before commercial use.

    Args:
        predict_fn: A forecast whose layers use operations of `jaxcause.nn`.
        windows: Windows to average over, newest row last.
        mean_of: ``"magnitude"``, or ``"square"`` for the mean squared relevance.

    Returns:
        Scores ``[source, target, lag]`` with lags 0 … time; lag 0 is all zero.

    Raises:
        InputError: As for `gradient_energy`.

    Source: Achtibat et al. (2024), "AttnLRP: attention-aware layer-wise relevance propagation for
    Transformers"; Ali et al. (2022), "XAI for Transformers: better explanations through
    conservative propagation".

    >>> import jax, jax.numpy as jnp
    >>> from jaxcause.nn import CP_LRP
    >>> forecast = lambda window: CP_LRP.activation(jnp.tanh, window[-1])
    >>> x = jnp.array([[[2.0, -1.0]]])
    >>> bool(jnp.allclose(relevance(forecast, x)[:, :, 1], jnp.diag(jnp.abs(jnp.tanh(x[0, 0])))))
    True
    """
    return input_x_gradient(predict_fn, windows, mean_of=mean_of, **options)


def _squared(jacobians: tuple[Array, ...], outputs: tuple[Array, ...], window: Array) -> Array:
    return jacobians[0] ** 2


def _signed(jacobians: tuple[Array, ...], outputs: tuple[Array, ...], window: Array) -> Array:
    return jacobians[0]


def _absolute(jacobians: tuple[Array, ...], outputs: tuple[Array, ...], window: Array) -> Array:
    return jnp.abs(jacobians[0])


def _squared_product(
    jacobians: tuple[Array, ...], outputs: tuple[Array, ...], window: Array
) -> Array:
    return (jacobians[0] * window) ** 2


def _absolute_product(
    jacobians: tuple[Array, ...], outputs: tuple[Array, ...], window: Array
) -> Array:
    return jnp.abs(jacobians[0] * window)
