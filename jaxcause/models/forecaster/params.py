"""Parameters of a forecaster as a plain pytree, and the pure function over them."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from jax.tree_util import Partial
from jaxtyping import Float, PRNGKeyArray

from jaxcause.models.forecaster.modeling import Forecaster, ForecasterConfig

Params = Any
"""Nested dictionary of arrays."""


def init_params(key: PRNGKeyArray, config: ForecasterConfig) -> Params:
    """Random parameters of a forecaster.

    >>> import jax
    >>> params = init_params(jax.random.key(0), ForecasterConfig(n_vars=2, max_lag=3))
    >>> params["readout"].shape
    (2, 48)
    """
    state = nnx.state(Forecaster(config, rngs=nnx.Rngs(key)), nnx.Param)
    return nnx.to_pure_dict(state)


def apply(
    config: ForecasterConfig, params: Params, windows: Float[Array, "batch time vars"]
) -> Float[Array, "batch time vars"]:
    """Predict the row after each row of each window (newest row last)."""
    graphdef, state = _structure(config)
    state = jax.tree.map(lambda leaf: leaf, state)
    nnx.replace_by_pure_dict(state, params)
    return nnx.merge(graphdef, state)(windows)


def predictor(config: ForecasterConfig, params: Params) -> Partial:
    """The forecast of the next row, ``[time, vars] -> [vars]``, as a pytree of its parameters."""
    return Partial(partial(_predict, config), params)


def with_skip(params: Params, coefficients: Float[np.ndarray, "vars vars lags"]) -> Params:
    """Parameters that forecast exactly as a linear autoregression does.

    The skip is ``coefficients [source, target, lag]`` (lag 0 left out), and the readout of the
    Transformer starts at zero.
    """
    weights = jnp.asarray(coefficients[:, :, 1:].transpose(2, 0, 1), jnp.float32)
    return {**params, "skip": weights, "readout": jnp.zeros_like(params["readout"])}


def _predict(config: ForecasterConfig, params: Params, window: Float[Array, "time vars"]) -> Array:
    return apply(config, params, window[None])[0, -1]


def _structure(config: ForecasterConfig) -> tuple[Any, Any]:
    """Graph definition and shapes of a forecaster, without computing any parameter."""
    model = nnx.eval_shape(lambda: Forecaster(config, rngs=nnx.Rngs(0)))
    return nnx.split(model)
