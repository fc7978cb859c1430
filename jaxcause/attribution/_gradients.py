"""Scores of lagged edges read from the input gradients of any forecaster."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.tree_util import Partial
from jaxtyping import Float

from jaxcause._checks import InputError, check_at_least
from jaxcause._typing import AnyArray, PredictFn

Readout = Callable[[Float[Array, "target time source"], Float[Array, "time source"]], Array]
"""From the Jacobian of one window, and the window, to the terms that are averaged over windows."""


def gradient_energy(
    predict_fn: PredictFn,
    windows: Float[AnyArray, "windows time vars"],
    *,
    batch_size: int = 64,
) -> Float[Array, "vars vars lags"]:
    r"""Mean squared gradient of every prediction with respect to every lagged input.

    .. math:: H_{ji\ell} = \frac1W \sum_w
        \left(\frac{\partial f_i(x_w)}{\partial x_j(t-\ell)}\right)^2

    Under a Gaussian noise of constant variance it is σ² times the expected squared derivative of
    the log-density, which vanishes iff :math:`X_j(t-\ell)` is no parent of :math:`X_i(t)`.

    Args:
        predict_fn: Any differentiable forecast of the next row from one window. A
            `jax.tree_util.Partial` over its parameters is compiled once for all parameters.
        windows: Windows to average over, newest row last.
        batch_size: Windows differentiated at a time; bounds the memory.

    Returns:
        Scores ``[source, target, lag]`` with lags 0 … time; lag 0 is all zero.

    Raises:
        InputError: There is no window, or the forecast is not one value per variable.

    Source: Wang, Wang & Huang (2026), "Transformer Is Inherently a Causal Learner".

    >>> import jax.numpy as jnp
    >>> swap = lambda window: 2.0 * window[-1, ::-1]
    >>> gradient_energy(swap, jnp.ones((3, 1, 2)))[:, :, 1].tolist()
    [[0.0, 4.0], [4.0, 0.0]]
    """
    return _mean_over_windows(_squared, predict_fn, windows, batch_size)


def input_x_gradient(
    predict_fn: PredictFn,
    windows: Float[AnyArray, "windows time vars"],
    *,
    batch_size: int = 64,
) -> Float[Array, "vars vars lags"]:
    r"""Mean absolute product of every lagged input and its gradient.

    .. math:: S_{ji\ell} = \frac1W \sum_w
        \left|x_j(t-\ell)\,\frac{\partial f_i(x_w)}{\partial x_j(t-\ell)}\right|

    Args:
        predict_fn: Any differentiable forecast of the next row from one window.
        windows: Windows to average over, newest row last.
        batch_size: Windows differentiated at a time; bounds the memory.

    Returns:
        Scores ``[source, target, lag]`` with lags 0 … time; lag 0 is all zero.

    Raises:
        InputError: There is no window, or the forecast is not one value per variable.

    >>> import jax.numpy as jnp
    >>> swap = lambda window: 2.0 * window[-1, ::-1]
    >>> input_x_gradient(swap, jnp.full((3, 1, 2), -3.0))[:, :, 1].tolist()
    [[0.0, 6.0], [6.0, 0.0]]
    """
    return _mean_over_windows(_absolute_product, predict_fn, windows, batch_size)


def _squared(jacobian: Array, window: Array) -> Array:
    return jacobian**2


def _absolute_product(jacobian: Array, window: Array) -> Array:
    return jnp.abs(jacobian * window[None])


def _mean_over_windows(
    readout: Readout, predict_fn: PredictFn, windows: AnyArray, batch_size: int
) -> Array:
    """Average a readout over windows and order its axes as ``[source, target, lag]``."""
    check_at_least("batch_size", batch_size, 1)
    windows = jnp.asarray(windows)
    if windows.ndim != 3 or windows.shape[0] == 0:
        raise InputError(
            f"windows has shape {windows.shape}, but must be [windows ≥ 1, time, vars]"
        )
    forecast = predict_fn if isinstance(predict_fn, Partial) else Partial(predict_fn)
    out = jax.eval_shape(forecast, windows[0])
    if out.shape != windows.shape[2:]:
        raise InputError(
            f"predict_fn returns shape {out.shape} for a window of shape {windows.shape[1:]}; it "
            f"must return one value per variable, shape {windows.shape[2:]}"
        )
    mean = _streamed(forecast, windows, readout=readout, batch_size=min(batch_size, len(windows)))
    scores = jnp.flip(mean, axis=1).transpose(2, 0, 1)
    return jnp.pad(scores, [(0, 0), (0, 0), (1, 0)])


@partial(jax.jit, static_argnames=("readout", "batch_size"))
def _streamed(
    forecast: Partial,
    windows: Float[Array, "windows time vars"],
    *,
    readout: Readout,
    batch_size: int,
) -> Float[Array, "target time source"]:
    """Mean readout, with one block of Jacobians in memory at a time."""
    n_windows, time, n_vars = windows.shape
    n_blocks = -(-n_windows // batch_size)
    padded = jnp.pad(windows, [(0, n_blocks * batch_size - n_windows), (0, 0), (0, 0)])
    weight = (jnp.arange(n_blocks * batch_size) < n_windows).astype(windows.dtype)
    jacobians = jax.vmap(jax.jacrev(forecast))

    def add(total: Array, block: tuple[Array, Array]) -> tuple[Array, None]:
        x, w = block
        terms = jax.vmap(readout)(jacobians(x), x)
        return total + jnp.einsum("w,witj->itj", w, terms), None

    start = jnp.zeros((n_vars, time, n_vars), windows.dtype)
    blocks = (padded.reshape(n_blocks, batch_size, time, n_vars), weight.reshape(n_blocks, -1))
    return lax.scan(add, start, blocks)[0] / n_windows
