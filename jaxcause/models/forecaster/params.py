"""Parameters of a forecaster as a plain pytree, and pure functions of them."""

import dataclasses
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from jax.tree_util import Partial
from jaxtyping import Bool, Float, Int, PRNGKeyArray

from jaxcause._checks import checked_flags
from jaxcause._typing import AnyArray
from jaxcause.models.forecaster._parts import Forecast
from jaxcause.models.forecaster.config import ForecasterConfig
from jaxcause.models.forecaster.content import ContentForecaster
from jaxcause.models.forecaster.derivatives import (
    Mixtures,
    changed_rows,
    mixtures_of,
    with_derivatives,
)
from jaxcause.models.forecaster.positional import FORBIDDEN, SCREENED, PositionalForecaster
from jaxcause.nn import STANDARD, Ops

Params = Any
"""Nested dictionary of arrays."""


def init_params(key: PRNGKeyArray, config: ForecasterConfig) -> Params:
    """Random parameters of a forecaster, in a concrete key; positional ones compile nothing.

    >>> import jax
    >>> params = init_params(jax.random.key(0), ForecasterConfig(n_vars=2, max_lag=3))
    >>> params["logits"].shape
    (8, 2, 2, 3)
    """
    if config.attention == "positional":
        rng = np.random.default_rng(np.ravel(jax.random.key_data(key)))
        return _pure(PositionalForecaster(config, rng=rng))
    return _init_content(key, config=config)


def forward(
    config: ForecasterConfig,
    params: Params,
    rows: Float[Array, "batch time vars"],
    *,
    observed: Bool[Array, "batch time vars"] | None = None,
    domain: Int[Array, "batch predictions"] | None = None,
    ops: Ops = STANDARD,
) -> Forecast:
    """Predict rows; the last prediction is that of the row after the newest given row.

    Args:
        config: Sizes and options.
        params: Parameters from `init_params` or training.
        rows: ``max_lag`` rows or, with positional attention, at least that many. There is one
            prediction per full history (positional), or one after every row (content).
        observed: Which values are observed, for a model with ``missing=True``.
        domain: Regime of each predicted row, for a model with ``n_domains > 1``.
        ops: Layer operations, which define the backward rules: see `jaxcause.nn`.
    """
    return _merged(config, params)(rows, observed=observed, domain=domain, ops=ops)


def attention(
    config: ForecasterConfig, params: Params, rows: Float[Array, "batch time vars"]
) -> Float[Array, "layers batch heads q k"]:
    """Attention weights of a model with content attention on windows of ``max_lag`` rows."""
    return _merged(config, params).attention(rows)


def positional_attention(
    config: ForecasterConfig, params: Params
) -> Float[Array, "heads target source lags"]:
    """Attention weights of a model with positional attention; lag 1 first."""
    return _merged(config, params).attention()


def predictor(
    config: ForecasterConfig, params: Params, *, domain: int = 0, ops: Ops = STANDARD
) -> Partial:
    """The forecast of the next row, ``[time, vars] -> [vars]``, as a pytree over its parameters."""
    return Partial(Predictor(config, domain, ops, density=False), params)


def density_predictor(
    config: ForecasterConfig, params: Params, *, domain: int = 0, ops: Ops = STANDARD
) -> Partial:
    """Mean and variance of the next row, ``[time, vars] -> ([vars], [vars])``, as a pytree."""
    return Partial(Predictor(config, domain, ops, density=True), params)


@partial(jax.jit, static_argnames="config")
def mixtures(
    params: Params, windows: Float[Array, "windows time vars"], *, config: ForecasterConfig
) -> Mixtures:
    """What a positional model reads its forecasts of some windows from, for `changed_inputs`."""
    return mixtures_of(_merged(config, params), jnp.asarray(windows))


@partial(jax.jit, static_argnames=("config", "domain"))
def changed_inputs(
    params: Params,
    mixtures: Mixtures,
    edges: Int[Array, "edges 3"],
    seen: Float[Array, "edges windows"],
    values: Float[Array, "edges windows points"],
    *,
    config: ForecasterConfig,
    domain: int,
) -> Float[Array, "edges windows points"]:
    """Forecasts of a positional model with one input of each window changed.

    Args:
        params: Its parameters.
        mixtures: Of the windows as they are.
        edges: ``source, target, lag``.
        seen: The values of the sources in the windows as they are.
        values: What the source of each edge is set to, one value at a time.
        config: Sizes and options.
        domain: The regime of the windows.
    """
    given = (jnp.asarray(array) for array in (edges, seen, values))
    return changed_rows(_merged(config, params), mixtures, *given, domain=domain)


def with_skip(params: Params, coefficients: Float[np.ndarray, "vars vars lags"]) -> Params:
    """Parameters with which the forecast equals a linear autoregression.

    The skip becomes ``coefficients [source, target, lag]`` without lag 0. The read-outs that the
    Transformer adds to the mean become zero.
    """
    weights = np.asarray(coefficients[:, :, 1:].transpose(2, 0, 1), np.float32)
    readouts = {
        name: np.array(params[name]) for name in ("readout", "linear_readout") if name in params
    }
    for readout in readouts.values():
        readout[0] = 0.0
    return {**params, "skip": weights, **readouts}


def with_allowed(params: Params, allowed: Bool[AnyArray, "source target lags"]) -> Params:
    """Parameters of a positional model that uses no input outside ``allowed``.

    Args:
        params: The parameters to restrict.
        allowed: Allowed inputs, ``[source, target, lag]`` with lags 0 … max_lag; lag 0 is ignored.
    """
    mask = checked_flags("allowed", allowed)[:, :, 1:].swapaxes(0, 1)
    logits = np.where(mask[None], np.asarray(params["logits"]), np.float32(FORBIDDEN))
    return {**params, "logits": logits}


def with_screened(params: Params, seen: Bool[AnyArray, "source target lags"]) -> Params:
    """Parameters of a positional model whose attention looks at no input outside ``seen``.

    Args:
        params: The parameters to restrict.
        seen: Inputs that it looks at, ``[source, target, lag]`` with lags 0 … max_lag; lag 0 is
            ignored.
    """
    mask = checked_flags("seen", seen)[:, :, 1:].swapaxes(0, 1)
    logits = np.asarray(params["logits"])
    return {**params, "logits": np.where(mask[None], logits, np.minimum(logits, SCREENED))}


def screened_of(params: Params) -> Bool[np.ndarray, "source target lags"] | None:
    """The inputs that the attention of a positional model looks at; None if it is all of them.

    >>> import jax
    >>> params = init_params(jax.random.key(0), ForecasterConfig(n_vars=2, max_lag=3))
    >>> screened_of(params) is None
    True
    """
    # Weight decay draws the logit of what is left out towards 0, but never near those of others.
    seen = np.asarray(params["logits"])[0].swapaxes(0, 1) > 1e-3 * SCREENED
    if seen.all():
        return None
    return np.concatenate([np.zeros_like(seen[:, :, :1]), seen], axis=2)


@partial(jax.jit, static_argnames="config")
def _init_content(key: PRNGKeyArray, *, config: ForecasterConfig) -> Params:
    return _pure(ContentForecaster(config, rngs=nnx.Rngs(key)))


def _pure(model: nnx.Module) -> Params:
    return nnx.to_pure_dict(nnx.state(model, nnx.Param))


@dataclasses.dataclass(frozen=True)
class Predictor:
    """The forecast from one window; equal predictors share compiled code."""

    config: ForecasterConfig
    domain: int
    ops: Ops
    density: bool

    def __call__(self, params: Params, window: Float[Array, "time vars"]) -> Any:
        """Mean of the next row; with ``density`` also its variance, 1 without a Gaussian head."""
        domain = None
        if self.config.n_domains > 1:
            length = window.shape[0] if self.config.attention == "content" else 1
            domain = jnp.full((1, length), self.domain, jnp.int32)
        found = forward(self.config, params, window[None], domain=domain, ops=self.ops)
        mean = found.mean[0, -1]
        if not self.density:
            return mean
        return mean, jnp.ones_like(mean) if found.variance is None else found.variance[0, -1]

    def with_derivatives(
        self, params: Params, windows: Float[Array, "windows time vars"]
    ) -> tuple[tuple[Array, ...], Partial] | None:
        """Outputs for all windows, and a function of some targets that gives their Jacobians.

        None where it takes a backward pass for each target: with content attention, with backward
        rules that are no derivatives, or for a variance that the model does not have.
        """
        config = self.config
        if config.attention == "content" or self.ops != STANDARD:
            return None
        if self.density and config.head != "gaussian":
            return None
        model = _merged(config, params)
        return with_derivatives(model, windows, self.domain, density=self.density)


def _merged(config: ForecasterConfig, params: Params) -> Any:
    graphdef, state = _structure(config)
    state = jax.tree.map(lambda leaf: leaf, state)
    nnx.replace_by_pure_dict(state, jax.tree.map(jnp.asarray, params))
    return nnx.merge(graphdef, state)


@lru_cache(maxsize=64)
def _structure(config: ForecasterConfig) -> tuple[Any, Any]:
    """Graph definition and shapes of a forecaster, without computing parameters."""

    def build() -> Any:
        if config.attention == "positional":
            return PositionalForecaster(config, rng=np.random.default_rng(0))
        return ContentForecaster(config, rngs=nnx.Rngs(0))

    return nnx.split(nnx.eval_shape(build))
