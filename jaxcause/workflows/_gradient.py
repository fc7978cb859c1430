"""Path B end to end: windows, a forecaster, input gradients, edges."""

import dataclasses
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Key, PRNGKeyArray

from jaxcause._checks import InputError
from jaxcause._typing import AnyArray
from jaxcause.attribution import gradient_energy, input_x_gradient, select_fdr
from jaxcause.graph import LaggedGraph
from jaxcause.io import SeriesTable
from jaxcause.models.forecaster import ForecasterConfig, Params, apply, init_params, with_skip
from jaxcause.stats import fit_var
from jaxcause.training import (
    TrainingConfig,
    TrainingInterrupted,
    TrainingResult,
    fit,
    mean_error,
)
from jaxcause.workflows._forecaster import DiscoveryInterrupted, TrainedForecaster
from jaxcause.workflows._prepare import Prepared, choose_transform, prepare, spread_windows
from jaxcause.workflows._progress import stage, training_bar
from jaxcause.workflows._result import Discovery

READOUTS = {"gradient_energy": gradient_energy, "input_x_gradient": input_x_gradient}
"""Scores by name."""
STRENGTHS = {
    "gradient_energy": "root gradient energy: deviations of the target per one of the source",
    "input_x_gradient": "mean |input × gradient|: deviations of the target",
}
"""What the strength of an edge is, by score, in standard deviations."""
SKIP_DECAY = 1.0
"""Decay of the linear skip per unit of learning rate: the Transformer is to take over."""
LONG = 20_000
"""Windows from which on the skip is not tried: the Transformer learns the linear part by itself."""
LINEAR_IS_AS_GOOD = 0.98
"""Relative held-out error from which on a linear model counts as good as the Transformer."""
FEW_CANDIDATES = 100
"""Below it, the bulk of non-edges that an empirical null is fitted to is too small to trust."""
NOTHING_TO_PREDICT = 0.98
"""Held-out error from which on the past says next to nothing (1 is the error of the mean)."""
FLOPS_ON_TWO_CORES = 2e10
"""About what training reaches on two cores; only the length of compiled calls depends on it."""
SECONDS_PER_CALL = 0.3
"""Aimed-at length of a compiled call, at whose end an interrupt is seen."""


@dataclasses.dataclass(frozen=True)
class GradientOptions:
    """Keyword arguments of `discover` that concern the gradient method."""

    q: float
    select: Callable[[Float[AnyArray, "vars vars lags"]], LaggedGraph] | None
    readout: str
    transform: str
    skip: bool | None
    model: dict[str, int]
    training: TrainingConfig | None
    held_out: float
    n_windows: int
    progress: bool


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
        data = prepare(table, max_lag, forecaster.transform, options.held_out)
        info = {}
    error, linear_error = _held_out_error(forecaster, data), data.linear_error
    info |= {"held_out_error": error, "held_out_error_linear": linear_error}
    trained = time.perf_counter()
    windows = spread_windows(data, options.n_windows)
    with stage("Reading input gradients", show=options.progress):
        scores = np.asarray(READOUTS[options.readout](forecaster.predict_fn, windows))
    graph, info["selection"] = _select(scores, data, error, options)
    notes = _notes(
        error,
        linear_error,
        info["selection"],
        n_edges=int(graph.adjacency.sum()),
        n_candidates=scores[:, :, 1:].size,
    )
    info["notes"] = [*notes, *info.get("notes", [])]
    ended = time.perf_counter()
    info |= {
        "method": "gradient",
        "score": options.readout.replace("_", " "),
        "strength": STRENGTHS[options.readout],
        "n_windows": len(windows),
        "seconds": {
            "training": trained - began,
            "attribution": ended - trained,
            "total": ended - began,
        },
    }
    strength = np.sqrt(scores) if options.readout == "gradient_energy" else scores
    return Discovery(graph, scores, strength, table.names, forecaster, info)


def _train(
    table: SeriesTable, max_lag: int, key: PRNGKeyArray, options: GradientOptions
) -> tuple[TrainedForecaster, Prepared, dict[str, Any]]:
    """Choose transform and skip by held-out error, train, and say how it compares with a line."""
    data, transforms = choose_transform(
        table, max_lag, transform=options.transform, held_out=options.held_out
    )
    n_windows = len(data.split.train)
    tried = (False, True) if options.skip is None and n_windows < LONG else (bool(options.skip),)
    keys = jax.random.split(key)
    results: dict[ForecasterConfig, tuple[TrainingConfig, TrainingResult]] = {}
    for number, skip in enumerate(tried, start=1):
        config = ForecasterConfig(len(table.names), max_lag, skip=skip, **options.model)
        training = _with_short_calls(options.training or default_training(n_windows), config)
        label = f"Training {number}/{len(tried)}{' (linear skip)' if skip else ''}"
        trained = _fit(config, data, training, keys, table.names, label, options.progress)
        results[config] = training, trained
    config, (training, result) = min(results.items(), key=lambda item: item[1][1].held_out)
    forecaster = TrainedForecaster(config, result.params, data.transform, table.names)
    info = {
        "transform": data.transform.kind,
        "transform_errors": transforms,
        "skip": config.skip,
        "skip_errors": {str(c.skip): r.held_out for c, (_, r) in results.items()},
        "training": dataclasses.asdict(training),
        "model": dataclasses.asdict(config),
        "status": result.status,
        "steps": result.history[-1].step,
        "best_step": result.best_step,
        "losses": [(p.step, p.loss, p.held_out) for p in result.history],
        "notes": _training_notes(result),
    }
    return forecaster, data, info


def _training_notes(result: TrainingResult) -> list[str]:
    if result.status != "diverged":
        return []
    kept = f"the model of step {result.best_step} was kept"
    return [f"Training diverged; {kept}. Lower the learning rate."]


def _select(
    scores: Float[np.ndarray, "vars vars lags"],
    data: Prepared,
    error: float,
    options: GradientOptions,
) -> tuple[LaggedGraph, str]:
    """Edges by the caller's rule, by t-tests where a line forecasts as well, or by the null."""
    if options.select is not None:
        return options.select(scores), "given"
    if error >= LINEAR_IS_AS_GOOD * data.linear_error:
        fit = fit_var(data.values, np.concatenate(data.split), max_lag=data.max_lag)
        return LaggedGraph.from_mask(fit.q_value <= options.q), "t-tests"
    return select_fdr(scores, q=options.q), "empirical null"


def _notes(
    error: float, linear_error: float, selection: str, *, n_edges: int, n_candidates: int
) -> list[str]:
    """Plain sentences on what the errors say and how the edges were chosen."""
    notes = [
        f"Held-out error: {error:.3g} for the Transformer, {linear_error:.3g} for a linear VAR "
        "(1 = the mean)."
    ]
    if error >= LINEAR_IS_AS_GOOD * linear_error:
        notes.append(
            "The linear model predicts as well"
            + (", so the edges were chosen by its t-tests." if selection == "t-tests" else ".")
        )
    if error > NOTHING_TO_PREDICT:
        notes.append(
            "Almost nothing can be predicted from the past: edges of this graph mean little. "
            "Is max_lag too short, or the series too noisy?"
        )
    if selection == "empirical null" and (n_edges == 0 or n_candidates < FEW_CANDIDATES):
        notes.append(
            f"{n_edges} of {n_candidates} candidate edges stand out from an empirical null, which "
            "is rough where candidates are few or many are edges: compare with method='var', or "
            "keep the strongest few by select_top_k (--top-k)."
        )
    return notes


def _fit(
    config: ForecasterConfig,
    data: Prepared,
    training: TrainingConfig,
    keys: Key[Array, "2"],
    names: tuple[str, ...],
    label: str,
    progress: bool,
) -> TrainingResult:
    """Train one configuration from fresh parameters, the skip from the ridge autoregression."""
    params = init_params(keys[0], config)
    decay = training.uniform_decay(params)
    if config.skip:
        params = with_skip(params, data.linear.coefficients)
        decay["skip"] = SKIP_DECAY
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
                decay=decay,
                on_progress=on_progress,
            )
        except TrainingInterrupted as interrupt:
            kept = TrainedForecaster(config, interrupt.result.params, data.transform, names)
            raise DiscoveryInterrupted(str(interrupt), kept) from None


def _held_out_error(forecaster: TrainedForecaster, data: Prepared) -> float:
    """Mean squared error on all held-out windows, those of the linear baseline."""
    windows = data.values[data.split.held_out[:, None] + np.arange(data.max_lag + 1)]
    error = jax.jit(partial(mean_error, partial(_error, forecaster.config)))
    return float(error(forecaster.params, jnp.asarray(windows, jnp.float32)))


def _loss(
    config: ForecasterConfig, params: Params, windows: Float[Array, "batch time vars"]
) -> Array:
    """Mean squared error of the next row at every position of the window."""
    return jnp.mean((apply(config, params, windows[:, :-1]) - windows[:, 1:]) ** 2)


def _error(
    config: ForecasterConfig, params: Params, windows: Float[Array, "batch time vars"]
) -> Array:
    """Mean squared error where all lags are known: at the last position."""
    return jnp.mean((apply(config, params, windows[:, :-1])[:, -1] - windows[:, -1]) ** 2)


def default_training(n_windows: int) -> TrainingConfig:
    """Training settings from the number of windows."""
    return TrainingConfig(n_steps=2000 if n_windows < LONG else 3000)


def _with_short_calls(training: TrainingConfig, config: ForecasterConfig) -> TrainingConfig:
    """Fewer steps per compiled call for a large model, so that an interrupt is soon seen."""
    tokens = config.n_vars * config.max_lag
    per_token = (8 + 4 * config.mlp_ratio) * config.width**2 + 4 * tokens * config.width
    seconds = 3 * training.batch_size * tokens * config.depth * per_token / FLOPS_ON_TWO_CORES
    most = int(np.clip(SECONDS_PER_CALL / seconds, 1, training.steps_per_call))
    return dataclasses.replace(training, steps_per_call=most)


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
