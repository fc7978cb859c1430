"""Training the forecaster of a prepared series: losses, defaults, members of an ensemble."""

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh
from jaxtyping import Float, PRNGKeyArray

from jaxcause.models.forecaster import (
    ForecasterConfig,
    Params,
    forward,
    init_params,
    with_allowed,
    with_screened,
    with_skip,
)
from jaxcause.training import (
    LossParts,
    Program,
    SeriesRows,
    TrainingConfig,
    TrainingInterrupted,
    TrainingResult,
    VectorLayout,
    fit,
    rows_of,
)
from jaxcause.workflows._discover.forecaster import DiscoveryInterrupted, TrainedForecaster
from jaxcause.workflows._discover.prepare import Prepared
from jaxcause.workflows._discover.progress import training_bar
from jaxcause.workflows._discover.random_keys import words_of

SKIP_DECAY = 1.0
"""Decay of the linear skip per unit of learning rate: the Transformer is to take over."""
LONG = 20_000
"""Windows from which on the Transformer learns the linear part by itself."""
SHORT = 5_000
"""Windows below which training is shorter, and decays weights so fast that overfitting is slow."""
TINY = 1_000
"""Windows below which batches are smaller: a step would otherwise see most of the series."""
FLOPS_PER_SECOND = 4e10
"""About what training reaches on two cores; only the length of compiled calls depends on it."""
SECONDS_PER_CALL = 0.3
"""Aimed-at length of a compiled call, at whose end an interrupt is seen."""


class TrainedModel(NamedTuple):
    """A trained model, how its training went, and its held-out residuals (NaN where missing)."""

    config: ForecasterConfig
    training: TrainingConfig
    result: TrainingResult
    residuals: Float[np.ndarray, "windows vars"]


def train(
    config: ForecasterConfig,
    data: Prepared,
    training: TrainingConfig,
    key: PRNGKeyArray,
    *,
    label: str,
    progress: bool,
    checkpoint: Path | None = None,
    mesh: Mesh | None = None,
) -> TrainedModel:
    """Train one configuration from fresh parameters, the skip from the ridge autoregression."""
    training = with_short_calls(training, config)
    params, decay = _initial(config, data, training, key)
    rows = series_rows(config, data, training)
    layout = VectorLayout.of(params)
    held_out = data.split.held_out
    program = Program(Loss(config), rows, held_out, data.max_lag, training, layout, mesh)
    with training_bar(label, show=progress) as on_progress:
        try:
            result = fit(
                Loss(config),
                params,
                rows,
                data.split.train,
                held_out,
                length=data.max_lag,
                config=training,
                seed=words_of(key),
                decay=decay,
                on_progress=on_progress,
                checkpoint=checkpoint,
                mesh=mesh,
            )
        except TrainingInterrupted as interrupt:
            kept = interrupt.result.params
            forecaster = TrainedForecaster(
                config, kept, data.transform, data.names, level=data.level
            )
            raise DiscoveryInterrupted(str(interrupt), forecaster) from None
        residuals = program.residuals(program.layout.vector(result.params))
    return TrainedModel(config, training, result, residuals)


def _initial(
    config: ForecasterConfig, data: Prepared, training: TrainingConfig, key: PRNGKeyArray
) -> tuple[Params, Params]:
    """Fresh parameters, and the weight decay of each."""
    params = init_params(key, config)
    decay = training.uniform_decay(params)
    if config.skip:
        params = with_skip(params, data.linear.coefficients)
        decay["skip"] = SKIP_DECAY
    if config.attention == "positional":
        if not data.known.allowed[:, :, 1:].all():
            params = with_allowed(params, data.known.allowed)
        if data.screened is not None:
            params = with_screened(params, data.screened)
    return params, decay


def series_rows(config: ForecasterConfig, data: Prepared, training: TrainingConfig) -> SeriesRows:
    """The rows to train on: only those that the training windows predict have a weight."""
    rows = rows_of(
        data.values,
        data.split.train,
        data.split.held_out,
        length=data.max_lag + 1,
        stretch=training.stretch,
        domain=data.domain,
    )
    if config.attention == "content":
        # Every position of a window is predicted, and windows are wholly in the training part.
        weight = np.array(rows.weight)
        weight[:, 0] = rows.observed
        if data.targets is not None:
            weight[: len(data.targets), 0] *= data.targets[:, None]
        rows = rows._replace(weight=weight)
    return rows


@dataclasses.dataclass(frozen=True)
class Loss:
    """Mean squared error, or negative log-likelihood, of the rows that a forecaster predicts."""

    config: ForecasterConfig

    def __call__(self, params: Params, rows: SeriesRows) -> tuple[Float[Array, ""], LossParts]:
        """The loss of a batch, weighted as its rows are, and truth less forecast of every row."""
        config, values = self.config, jnp.asarray(rows.values)
        time = values.shape[1]
        # Content attention predicts every row of a window but the first.
        whole = config.attention == "positional"
        n_predicted = time - config.max_lag if whole else config.max_lag
        observed = jnp.asarray(rows.observed)[:, :-1] if config.missing else None
        domain = jnp.asarray(rows.domain)[:, -n_predicted:] if config.n_domains > 1 else None
        found = forward(config, params, values[:, :-1], observed=observed, domain=domain)
        weight = jnp.asarray(rows.weight)[:, -n_predicted:]
        residuals = values[:, -n_predicted:] - found.mean
        error = residuals**2
        if config.head == "gaussian":
            assert found.variance is not None
            error = 0.5 * (jnp.log(found.variance) + error / found.variance)
        whole = weight.sum()
        loss = (weight * error).sum() / jnp.maximum(whole, 1.0)
        return loss, LossParts(whole, residuals[:, config.max_lag - time :])


def held_out_residuals(
    forecaster: TrainedForecaster, data: Prepared, *, mesh: Mesh | None = None
) -> Float[np.ndarray, "windows vars"]:
    """Newest row less its forecast for all held-out windows; NaN where a value is missing."""
    config, layout = forecaster.config, VectorLayout.of(forecaster.params)
    training = with_short_calls(default_training(len(data.split.train), config), config)
    rows = series_rows(config, data, training)
    held_out = data.split.held_out
    program = Program(Loss(config), rows, held_out, data.max_lag, training, layout, mesh)
    return program.residuals(layout.vector(forecaster.params))


def default_training(n_windows: int, config: ForecasterConfig) -> TrainingConfig:
    """Training settings from the number of windows: longer on longer series.

    Those of short series were chosen on simulated ones of 500 to 2,000 rows: linear, monotonic,
    piecewise-linear and perceptron systems of seeds 10 to 13, and Lorenz-96 with F of 10 and 20.
    """
    if config.attention == "content":
        steps = 2000 if n_windows < LONG else 3000
        return TrainingConfig(n_steps=steps, batch_size=64, stretch=1, weight_decay=1e-4)
    if n_windows < SHORT:
        return TrainingConfig(
            n_steps=600,
            batch_size=16 if n_windows > TINY else 8,
            weight_decay=3.0,
            patience=4,
            n_evaluations=30,
            steps_per_call=20,
        )
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
