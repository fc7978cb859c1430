"""Second stage: a trained forecaster, and how well it forecasts."""

import dataclasses
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
from jax import Array
from jaxtyping import Float, Key

from jaxcause._checks import InputError
from jaxcause.models.forecaster import PRESETS, ForecasterConfig, Params
from jaxcause.series import SeriesTable
from jaxcause.training import TrainingConfig
from jaxcause.workflows._discover.forecaster import TrainedForecaster
from jaxcause.workflows._discover.prepare import Prepared
from jaxcause.workflows._discover.training import (
    LONG,
    TrainedModel,
    default_training,
    held_out_residuals,
    settings_of,
    train,
    train_members,
)

LINEAR_IS_AS_GOOD = 0.99
"""Relative held-out error from which on a linear model counts as good as the Transformer."""


class FittedForecaster(NamedTuple):
    """A forecaster and its held-out errors.

    Args:
        forecaster: The forecaster.
        members: Parameters of the members of an ensemble; those of the forecaster if it is alone.
        residuals: Held-out values less their forecasts; NaN where a value is missing.
        error: Their mean square.
        linear_is_as_good: Whether a linear model forecasts as well, to one percent.
        training: How training went, as `DiscoveryInfo` keeps it; empty if it was given.
    """

    forecaster: TrainedForecaster
    members: tuple[Params, ...]
    residuals: Float[np.ndarray, "windows vars"]
    error: float
    linear_is_as_good: bool
    training: dict[str, Any]


class ForecasterOptions(NamedTuple):
    """What is trained, and how; see `jaxcause.methods.Gradient`."""

    skip: bool | None
    head: Literal["mean", "gaussian"]
    model: str | dict[str, Any]
    training: TrainingConfig | None
    members: int
    checkpoint: Path | None


def fit_forecaster(
    data: Prepared, keys: Key[Array, "4"], options: ForecasterOptions, *, progress: bool
) -> FittedForecaster:
    """Train with and without the linear skip, keep the better, and train the members from it."""
    trained, skip_errors = _train(data, keys[:2], options, progress=progress)
    params = (trained.result.params,)
    if options.members > 1:
        stacked = train_members(
            trained,
            data,
            options.members,
            jax.random.split(keys[2], options.members),
            label=f"Training {options.members} members",
            progress=progress,
        )
        params = tuple(
            jax.tree.map(lambda leaf, m=m: leaf[m], stacked) for m in range(options.members)
        )
    forecaster = TrainedForecaster(
        trained.config, trained.result.params, data.transform, data.names
    )
    record = settings_of(trained) | {"skip": trained.config.skip, "skip_errors": skip_errors}
    return _judged(data, forecaster, params, record)


def given_forecaster(data: Prepared, forecaster: TrainedForecaster) -> FittedForecaster:
    """The forecaster that the caller has, judged on the held-out windows."""
    return _judged(data, forecaster, (forecaster.params,), {})


def check_forecaster(forecaster: TrainedForecaster, table: SeriesTable, max_lag: int) -> None:
    """Raise unless the forecaster is one of these variables and lags."""
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


def _judged(
    data: Prepared,
    forecaster: TrainedForecaster,
    members: tuple[Params, ...],
    training: dict[str, Any],
) -> FittedForecaster:
    residuals = held_out_residuals(forecaster, data)
    error = float(np.nanmean(residuals**2))
    as_good = error >= LINEAR_IS_AS_GOOD * data.linear_error
    return FittedForecaster(forecaster, members, residuals, error, as_good, training)


def _train(
    data: Prepared, keys: Key[Array, "2"], options: ForecasterOptions, *, progress: bool
) -> tuple[TrainedModel, dict[str, float]]:
    """The model that forecasts best, without or with the linear skip, and the errors of both."""
    n_windows = len(data.split.train)
    sizes = PRESETS[options.model] if isinstance(options.model, str) else options.model
    base = ForecasterConfig(
        len(data.names),
        data.max_lag,
        head=options.head,
        n_domains=1 if data.domain is None else int(data.domain.max()) + 1,
        missing=data.masked,
        **sizes,
    )
    tried = (False, True) if options.skip is None and n_windows < LONG else (bool(options.skip),)
    results: dict[bool, TrainedModel] = {}
    for number, skip in enumerate(tried, start=1):
        config = dataclasses.replace(base, skip=skip)
        checkpoint = options.checkpoint
        results[skip] = train(
            config,
            data,
            options.training or default_training(n_windows, config),
            keys,
            label=f"Training {number}/{len(tried)}{' (linear skip)' if skip else ''}",
            progress=progress,
            checkpoint=checkpoint and checkpoint.with_name(f"{checkpoint.name}.skip{int(skip)}"),
        )
    best = min(results.values(), key=lambda trained: trained.result.held_out)
    return best, {str(skip): trained.result.held_out for skip, trained in results.items()}
