"""Training the forecaster of a prepared series: losses, defaults, members of an ensemble."""

import dataclasses
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Key

from jaxcause.models.forecaster import (
    Forecast,
    ForecasterConfig,
    Params,
    forward,
    init_params,
    with_allowed,
    with_skip,
)
from jaxcause.training import (
    Progress,
    SeriesRows,
    TrainingConfig,
    TrainingInterrupted,
    TrainingResult,
    fit,
    fit_members,
    held_out_rows,
    rows_of,
)
from jaxcause.workflows._discover.forecaster import DiscoveryInterrupted, TrainedForecaster
from jaxcause.workflows._discover.prepare import Prepared
from jaxcause.workflows._discover.progress import training_bar

SKIP_DECAY = 1.0
"""Decay of the linear skip per unit of learning rate: the Transformer is to take over."""
LONG = 20_000
"""Windows from which on the skip is not tried: the Transformer learns the linear part by itself."""
SHORT = 5_000
"""Windows below which training is shorter and decays weights more."""
FLOPS_PER_SECOND = 4e10
"""About what training reaches on two cores; only the length of compiled calls depends on it."""
SECONDS_PER_CALL = 0.3
"""Aimed-at length of a compiled call, at whose end an interrupt is seen."""
MEMBER_SHARE = 0.2
"""Steps of a member of an ensemble, which starts from the model of the whole series."""
BLOCKS = 50
"""Blocks of windows that a member draws from with replacement (at least ``2 * max_lag`` long)."""


class TrainedModel(NamedTuple):
    """A trained model and how its training went."""

    config: ForecasterConfig
    training: TrainingConfig
    result: TrainingResult


def train(
    config: ForecasterConfig,
    data: Prepared,
    training: TrainingConfig,
    keys: Key[Array, "2"],
    *,
    label: str,
    progress: bool,
    checkpoint: Path | None = None,
) -> TrainedModel:
    """Train one configuration from fresh parameters, the skip from the ridge autoregression."""
    training = with_short_calls(training, config)
    params = init_params(keys[0], config)
    decay = training.uniform_decay(params)
    if config.skip:
        allowed = np.where(data.known.lagged.allowed, data.linear.coefficients, 0.0)
        params = with_skip(params, allowed)
        decay["skip"] = SKIP_DECAY
    if config.attention == "positional" and not data.known.allowed[:, :, 1:].all():
        params = with_allowed(params, data.known.allowed)
    rows = series_rows(config, data, training)
    judged = _all_rows(data)
    with training_bar(label, show=progress) as on_progress:
        try:
            result = fit(
                *losses(config),
                params,
                rows,
                data.split.train,
                held_out_rows(judged, data.split.held_out, length=data.max_lag + 1),
                length=data.max_lag,
                config=training,
                key=keys[1],
                decay=decay,
                on_progress=on_progress,
                checkpoint=checkpoint,
            )
        except TrainingInterrupted as interrupt:
            kept = TrainedForecaster(config, interrupt.result.params, data.transform, data.names)
            raise DiscoveryInterrupted(str(interrupt), kept) from None
    return TrainedModel(config, training, result)


def train_members(
    trained: TrainedModel,
    data: Prepared,
    n_members: int,
    keys: Key[Array, "members"],
    *,
    label: str,
    progress: bool,
) -> Params:
    """Members of an ensemble, each trained on from the same model on its own block bootstrap.

    A member draws blocks of consecutive windows with replacement, as many as there are, and takes
    a fifth of the steps that the model took, with a learning rate that rises and falls again. One
    member fills a CPU, and its arrays still fit the cache, so that there members are trained one
    after another.
    """
    at_once = 1 if jax.default_backend() == "cpu" else n_members
    training = dataclasses.replace(
        trained.training,
        n_steps=max(1, int(MEMBER_SHARE * trained.result.history[-1].step)),
        n_evaluations=2,
        steps_per_call=max(1, trained.training.steps_per_call // at_once),
    )
    starts = np.stack([_block_bootstrap(key, data) for key in keys])
    params = jax.tree.map(
        lambda leaf: jnp.broadcast_to(leaf[None], (at_once, *leaf.shape)), trained.result.params
    )
    rows = series_rows(trained.config, data, training)
    judged = held_out_rows(_all_rows(data), data.split.held_out, length=data.max_lag + 1)
    results = []
    with training_bar(label, show=progress) as on_progress:
        for first in range(0, n_members, at_once):
            done, last = first * training.n_steps, first + at_once

            def step_of_all(at: Progress, done: int = done) -> None:
                total = training.n_steps * n_members // at_once
                on_progress(at._replace(step=at.step + done, n_steps=total))

            result = fit_members(
                *losses(trained.config),
                params,
                rows,
                starts[first:last],
                judged,
                length=data.max_lag,
                config=training,
                keys=keys[first:last],
                on_progress=step_of_all,
            )
            results.append(result.params)
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *results)


def _block_bootstrap(key: Key[Array, ""], data: Prepared) -> np.ndarray:
    starts = data.split.train
    length = min(len(starts), max(2 * data.max_lag, len(starts) // BLOCKS, 1))
    n_blocks = -(-len(starts) // length)
    first = np.asarray(jax.random.randint(key, (n_blocks,), 0, len(starts) - length + 1))
    return starts[(first[:, None] + np.arange(length)).ravel()[: len(starts)]]


def series_rows(config: ForecasterConfig, data: Prepared, training: TrainingConfig) -> SeriesRows:
    """The rows to train on: only those that the training windows predict have a weight."""
    rows = rows_of(
        data.values,
        data.split.train,
        length=data.max_lag + 1,
        stretch=training.stretch,
        domain=data.domain,
    )
    if config.attention == "content":
        # Every position of a window is predicted, and windows are wholly in the training part.
        weight = np.array(rows.observed, np.float32)
        if data.targets is not None:
            weight[: len(data.targets)] *= data.targets[:, None]
        rows = rows._replace(weight=jnp.asarray(weight))
    return rows


def _all_rows(data: Prepared) -> SeriesRows:
    rows = rows_of(data.values, data.split.held_out, length=data.max_lag + 1, stretch=1)
    if data.domain is None:
        return rows
    return rows._replace(domain=jnp.asarray(data.domain, jnp.int32))


def _n_predicted(config: ForecasterConfig, length: int) -> int:
    """SeriesRows that a stretch of ``length`` rows predicts, itself but for the last."""
    return length - config.max_lag if config.attention == "positional" else config.max_lag


def _forecast(config: ForecasterConfig, params: Params, rows: SeriesRows) -> Forecast:
    """Forecasts of stretches of rows from all but their last."""
    observed = rows.observed[:, :-1] if config.missing else None
    n_predicted = _n_predicted(config, rows.values.shape[1])
    domain = rows.domain[:, -n_predicted:] if config.n_domains > 1 else None
    return forward(config, params, rows.values[:, :-1], observed=observed, domain=domain)


@dataclasses.dataclass(frozen=True)
class Loss:
    """Mean squared error, or negative log-likelihood, of the rows that a forecaster predicts.

    Args:
        config: The forecaster.
        newest: Whether only the newest row counts, where all lags are known.
        likelihood: Whether the Gaussian density is scored, instead of the mean alone.
    """

    config: ForecasterConfig
    newest: bool
    likelihood: bool

    def __call__(self, params: Params, rows: SeriesRows) -> Float[Array, ""]:
        """The loss of a batch, weighted as its rows are."""
        config = self.config
        n_predicted = _n_predicted(config, rows.values.shape[1])
        found = _forecast(config, params, rows)
        at = slice(-1, None) if self.newest else slice(-n_predicted, None)
        weight, truth = rows.weight[:, at], rows.values[:, at]
        error = (found.mean[:, at] - truth) ** 2
        if self.likelihood:
            assert found.variance is not None
            variance = found.variance[:, at]
            error = 0.5 * (jnp.log(variance) + error / variance)
        return (weight * error).sum() / jnp.maximum(weight.sum(), 1.0)


def losses(config: ForecasterConfig) -> tuple[Loss, Loss]:
    """What a forecaster minimises, and what judges it on held-out windows."""
    likelihood = config.head == "gaussian"
    return Loss(config, False, likelihood), Loss(config, True, likelihood)


def held_out_residuals(
    forecaster: TrainedForecaster, data: Prepared
) -> Float[np.ndarray, "windows vars"]:
    """Newest row less its forecast for all held-out windows; NaN where a value is missing."""
    rows = _all_rows(data)
    at = data.split.held_out[:, None] + np.arange(data.max_lag + 1)
    windows = jax.tree.map(lambda field: field[at], rows)
    found = _residuals(forecaster.params, windows, config=forecaster.config)
    return np.where(np.asarray(windows.observed)[:, -1], np.asarray(found, np.float64), np.nan)


@partial(jax.jit, static_argnames="config")
def _residuals(
    params: Params, windows: SeriesRows, *, config: ForecasterConfig
) -> Float[Array, "windows vars"]:
    def one(window: SeriesRows) -> Array:
        found = _forecast(config, params, jax.tree.map(lambda field: field[None], window))
        return window.values[-1] - found.mean[0, -1]

    return jax.lax.map(one, windows, batch_size=128)


def default_training(n_windows: int, config: ForecasterConfig) -> TrainingConfig:
    """Training settings from the number of windows: longer on longer series."""
    if config.attention == "content":
        steps = 2000 if n_windows < LONG else 3000
        return TrainingConfig(n_steps=steps, batch_size=64, stretch=1, weight_decay=1e-4)
    if n_windows < SHORT:
        return TrainingConfig(n_steps=1000, weight_decay=0.1)
    return TrainingConfig(n_steps=1500 if n_windows < LONG else 3000)


def with_short_calls(training: TrainingConfig, config: ForecasterConfig) -> TrainingConfig:
    """Fewer steps per compiled call for a large model, so that an interrupt is soon seen."""
    seconds = 3 * training.batch_size * training.stretch * config.flops / FLOPS_PER_SECOND
    most = int(np.clip(SECONDS_PER_CALL / seconds, 1, training.steps_per_call))
    return dataclasses.replace(training, steps_per_call=most)


def settings_of(trained: TrainedModel) -> dict[str, Any]:
    """What `discover` says of a training."""
    result = trained.result
    return {
        "training": dataclasses.asdict(trained.training),
        "model": dataclasses.asdict(trained.config),
        "status": result.status,
        "retried": result.retried,
        "steps": result.history[-1].step,
        "best_step": result.best_step,
        "losses": [(p.step, p.loss, p.held_out) for p in result.history],
    }
