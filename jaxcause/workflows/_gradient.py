"""Path B end to end: windows, a forecaster, input gradients, edges."""

import dataclasses
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, PRNGKeyArray

from jaxcause._checks import InputError
from jaxcause._typing import AnyArray
from jaxcause.attribution import gradient_energy, input_x_gradient
from jaxcause.graph import LaggedGraph
from jaxcause.io import SeriesTable
from jaxcause.models.forecaster import ForecasterConfig, Params, apply, init_params, with_skip
from jaxcause.stats import VarFit, fit_var
from jaxcause.training import (
    TRANSFORMS,
    Split,
    TrainingConfig,
    TrainingInterrupted,
    TrainingResult,
    Transform,
    can_log,
    fit,
    fit_transform,
    split_by_time,
    window_starts,
)
from jaxcause.workflows._forecaster import DiscoveryInterrupted, TrainedForecaster
from jaxcause.workflows._progress import training_bar
from jaxcause.workflows._result import Discovery

READOUTS = ("gradient_energy", "input_x_gradient")
RIDGE = 1e-3
"""Penalty per sample of the linear autoregression that starts the skip and is compared with."""
PILOT_SHARE = 10
"""A pilot trains for one part in so many of the steps."""
LINEAR_IS_AS_GOOD = 0.99
NOTHING_TO_PREDICT = 0.98
FLOPS_ON_TWO_CORES = 2e10
SECONDS_PER_CALL = 0.3


@dataclasses.dataclass(frozen=True)
class GradientOptions:
    """Keyword arguments of `discover` that concern the gradient method."""

    select: Callable[[Float[AnyArray, "vars vars lags"]], LaggedGraph]
    readout: str
    transform: str
    skip: bool | None
    model: dict[str, int]
    training: TrainingConfig | None
    held_out: float
    n_windows: int
    progress: bool


class _Data(NamedTuple):
    """A transformed series, its windows, and the linear baseline on them."""

    transform: Transform
    values: Float[np.ndarray, "time vars"]
    split: Split
    max_lag: int
    linear: VarFit
    linear_error: float


def discover_gradient(
    table: SeriesTable,
    max_lag: int,
    key: PRNGKeyArray,
    options: GradientOptions,
    forecaster: TrainedForecaster | None,
) -> Discovery:
    """Train a forecaster (unless one is given), read its gradients, select edges."""
    began = time.perf_counter()
    if forecaster is None:
        forecaster, data, info = _train(table, max_lag, key, options)
    else:
        _check_forecaster(forecaster, table, max_lag)
        data, info = _prepare(table, max_lag, forecaster.transform, options.held_out), {}
    trained = time.perf_counter()
    windows = _spread_windows(data, options.n_windows)
    readout = gradient_energy if options.readout == "gradient_energy" else input_x_gradient
    scores = np.asarray(readout(forecaster.predict_fn, windows))
    is_energy = options.readout == "gradient_energy"
    graph = options.select(scores)
    ended = time.perf_counter()
    info |= {
        "method": "gradient",
        "score": options.readout.replace("_", " "),
        "strength": "root gradient energy: standard deviations of the target per one of the source"
        if is_energy
        else "mean |input × gradient|, in standard deviations of the target",
        "n_windows": len(windows),
        "seconds": {
            "training": trained - began,
            "attribution": ended - trained,
            "total": ended - began,
        },
    }
    strength = np.sqrt(scores) if is_energy else scores
    return Discovery(graph, scores, strength, table.names, forecaster, info)


def _train(
    table: SeriesTable, max_lag: int, key: PRNGKeyArray, options: GradientOptions
) -> tuple[TrainedForecaster, _Data, dict[str, Any]]:
    """Choose transform and skip by held-out error, train, and say how it compares with a line."""
    data, transforms = _choose_transform(table, max_lag, options)
    skips = (False, True) if options.skip is None else (options.skip,)
    configs = [
        ForecasterConfig(table.values.shape[1], max_lag, skip=skip, **options.model)
        for skip in skips
    ]
    training = options.training or default_training(configs[0], data)
    keys = jax.random.split(key)
    pilots = {}
    if len(configs) > 1:
        short = dataclasses.replace(training, n_steps=max(1, training.n_steps // PILOT_SHARE))
        for config in configs:
            label = f"Pilot {'with' if config.skip else 'without'} linear skip"
            pilots[config] = _fit(config, data, short, keys, table.names, label, options.progress)
    config = min(configs, key=lambda c: pilots[c].held_out) if pilots else configs[0]
    result = _fit(config, data, training, keys, table.names, "Training", options.progress)
    forecaster = TrainedForecaster(config, result.params, data.transform, table.names)
    info = {
        "transform": data.transform.kind,
        "transform_errors": transforms,
        "skip": config.skip,
        "skip_errors": {str(c.skip): r.held_out for c, r in pilots.items()},
        "training": dataclasses.asdict(training),
        "model": dataclasses.asdict(config),
        "status": result.status,
        "steps": result.history[-1].step,
        "best_step": result.best_step,
        "losses": [(p.step, p.loss, p.held_out) for p in result.history],
        "held_out_error": result.held_out,
        "held_out_error_linear": data.linear_error,
        "notes": _notes(result, data.linear_error),
    }
    return forecaster, data, info


def _notes(result: TrainingResult, linear_error: float) -> list[str]:
    """Plain sentences on what the errors say."""
    ours, theirs = f"{result.held_out:.3g}", f"{linear_error:.3g}"
    notes = [f"Held-out error: {ours} for the Transformer, {theirs} for a linear VAR (1 = the mean)."]
    if result.held_out > LINEAR_IS_AS_GOOD * linear_error:
        notes.append(
            "The linear model predicts as well: method='var' gives its edges with classical tests, "
            "and is faster."
        )
    if result.held_out > NOTHING_TO_PREDICT:
        notes.append(
            "Almost nothing can be predicted from the past: edges of this graph mean little. "
            "Is max_lag too short, or the series too noisy?"
        )
    if result.status == "diverged":
        notes.append(
            f"Training diverged; the model of step {result.best_step} was kept. "
            "Lower the learning rate."
        )
    return notes


def _fit(
    config: ForecasterConfig,
    data: _Data,
    training: TrainingConfig,
    keys: PRNGKeyArray,
    names: tuple[str, ...],
    label: str,
    progress: bool,
) -> TrainingResult:
    """Train one configuration from fresh parameters, the skip from the ridge autoregression."""
    params = init_params(keys[0], config)
    if config.skip:
        params = with_skip(params, data.linear.coefficients)
    with training_bar(label, show=progress) as on_progress:
        try:
            return fit(
                partial(_loss, config),
                partial(_error, config),
                params,
                data.values,
                data.split,
                length=data.max_lag + 1,
                config=training,
                key=keys[1],
                on_progress=on_progress,
            )
        except TrainingInterrupted as interrupt:
            kept = TrainedForecaster(config, interrupt.result.params, data.transform, names)
            raise DiscoveryInterrupted(str(interrupt), kept) from None


def _loss(config: ForecasterConfig, params: Params, windows: Float[Array, "batch time vars"]) -> Array:
    """Mean squared error of the next row at every position of the window."""
    return jnp.mean((apply(config, params, windows[:, :-1]) - windows[:, 1:]) ** 2)


def _error(config: ForecasterConfig, params: Params, windows: Float[Array, "batch time vars"]) -> Array:
    """Mean squared error where all lags are known: at the last position."""
    return jnp.mean((apply(config, params, windows[:, :-1])[:, -1] - windows[:, -1]) ** 2)


def default_training(config: ForecasterConfig, data: _Data) -> TrainingConfig:
    """Training settings from the number of windows and the size of the model."""
    n_windows = len(data.split.train)
    n_steps = int(np.clip(3000 * (n_windows / 16_000) ** 0.5, 600, 3000))
    batch_size = 64
    tokens = config.n_vars * config.max_lag
    per_token = config.depth * ((8 + 4 * config.mlp_ratio) * config.width**2 + 4 * tokens * config.width)
    seconds = 3 * batch_size * tokens * per_token / FLOPS_ON_TWO_CORES
    steps_per_call = int(np.clip(SECONDS_PER_CALL / seconds, 1, 50))
    return TrainingConfig(n_steps=n_steps, batch_size=batch_size, steps_per_call=steps_per_call)


def _choose_transform(
    table: SeriesTable, max_lag: int, options: GradientOptions
) -> tuple[_Data, dict[str, float]]:
    """The transform under which the ridge autoregression forecasts best, and the errors of all."""
    kinds = [options.transform]
    if options.transform == "auto":
        kinds = [k for k in TRANSFORMS if k != "log" or can_log(table.values)]
    prepared = {
        kind: _prepare(table, max_lag, fit_transform(table.values, kind=kind), options.held_out)
        for kind in kinds
    }
    best = min(prepared, key=lambda kind: prepared[kind].linear_error)
    return prepared[best], {kind: data.linear_error for kind, data in prepared.items()}


def _prepare(table: SeriesTable, max_lag: int, transform: Transform, held_out: float) -> _Data:
    """Transformed values, windows, and the ridge autoregression with its held-out error."""
    values = transform(table.values)
    length = max_lag + 1
    starts = window_starts(table.complete, table.segment, length=length)
    split = split_by_time(starts, length=length, held_out=held_out)
    linear = fit_var(values, split.train, max_lag=max_lag, ridge=RIDGE)
    windows = values[split.held_out[:, None] + np.arange(length)]
    error = float(np.mean((linear.predict(windows[:, :-1]) - windows[:, -1]) ** 2))
    return _Data(transform, values, split, max_lag, linear, error)


def _spread_windows(data: _Data, n_windows: int) -> Float[np.ndarray, "windows time vars"]:
    """At most ``n_windows`` windows, spread evenly over the series."""
    starts = np.concatenate(data.split)
    chosen = np.unique(np.linspace(0, len(starts) - 1, min(n_windows, len(starts))).astype(int))
    return data.values[starts[chosen, None] + np.arange(data.max_lag)].astype(np.float32)


def _check_forecaster(forecaster: TrainedForecaster, table: SeriesTable, max_lag: int) -> None:
    if forecaster.names != table.names:
        raise InputError(
            f"forecaster was trained on {', '.join(forecaster.names)}, but the series has "
            f"{', '.join(table.names)}; train a new one"
        )
    if forecaster.config.max_lag != max_lag:
        raise InputError(
            f"forecaster was trained with max_lag={forecaster.config.max_lag}, not {max_lag}; pass "
            f"max_lag={forecaster.config.max_lag} or train a new one"
        )
