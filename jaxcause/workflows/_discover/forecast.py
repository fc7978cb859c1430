"""Second stage: a trained forecaster, and how well it forecasts."""

from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from jaxcause._checks import InputError
from jaxcause.models.forecaster import PRESETS, ForecasterConfig, Params
from jaxcause.series import SeriesTable
from jaxcause.training import TrainingConfig
from jaxcause.workflows._discover.forecaster import TrainedForecaster
from jaxcause.workflows._discover.members import train_members
from jaxcause.workflows._discover.prepare import Prepared
from jaxcause.workflows._discover.random_keys import keys_from
from jaxcause.workflows._discover.training import (
    LONG,
    TrainedModel,
    Trial,
    default_training,
    held_out_residuals,
    settings_of,
    train,
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
    data: Prepared, key: PRNGKeyArray, options: ForecasterOptions, *, progress: bool
) -> FittedForecaster:
    """Train without the linear skip, with it where that may be better, and then the members."""
    first, second = keys_from(key, 2)
    trained, skip_errors = _train(data, first, options, progress=progress)
    params = (trained.result.params,)
    if options.members > 1:
        stacked = train_members(
            trained,
            data,
            keys_from(second, options.members),
            label=f"Training {options.members} members",
            progress=progress,
        )
        params = tuple(
            jax.tree.map(lambda leaf, m=m: leaf[m], stacked) for m in range(options.members)
        )
    forecaster = TrainedForecaster(
        trained.config, trained.result.params, data.transform, data.names, data.level
    )
    record = settings_of(trained) | {"skip": trained.config.skip, "skip_errors": skip_errors}
    return _judged(data, forecaster, params, trained.residuals, record)


def given_forecaster(data: Prepared, forecaster: TrainedForecaster) -> FittedForecaster:
    """The forecaster that the caller has, judged on the held-out windows."""
    residuals = held_out_residuals(forecaster, data)
    return _judged(data, forecaster, (forecaster.params,), residuals, {})


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
    residuals: Float[np.ndarray, "windows vars"],
    training: dict[str, Any],
) -> FittedForecaster:
    error = _mean_square(residuals)
    as_good = error >= LINEAR_IS_AS_GOOD * data.linear_error
    return FittedForecaster(forecaster, members, residuals, error, as_good, training)


def _train(
    data: Prepared, key: PRNGKeyArray, options: ForecasterOptions, *, progress: bool
) -> tuple[TrainedModel, dict[str, float]]:
    """The model that forecasts best, and the errors of those without and with the skip.

    The model without a skip is trained first. Where it beats the linear one, it is kept: its
    gradients vary less. Otherwise the linear skip is tried, from the linear solution; it goes on
    only while it is better than that, which its first evaluations show.
    """
    n_windows = len(data.split.train)
    sizes = PRESETS[options.model] if isinstance(options.model, str) else options.model
    config = ForecasterConfig(
        len(data.names),
        data.max_lag,
        head=options.head,
        n_domains=1 if data.domain is None else int(data.domain.max()) + 1,
        missing=data.masked,
        **sizes,
    )
    both = options.skip is None and n_windows < LONG
    training = options.training or default_training(n_windows, config)

    def tried(skip: bool, label: str) -> TrainedModel:
        checkpoint = options.checkpoint
        return train(
            config,
            data,
            training,
            key,
            Trial(skip, beside=both),
            label=label,
            progress=progress,
            checkpoint=checkpoint and checkpoint.with_name(f"{checkpoint.name}.skip{int(skip)}"),
        )

    found = tried(bool(options.skip), "Training")
    errors = {str(bool(options.skip)): found.result.held_out}
    if both and _mean_square(found.residuals) >= LINEAR_IS_AS_GOOD * data.linear_error:
        with_it = tried(True, "Training with a linear part")
        errors["True"] = with_it.result.held_out
        if with_it.result.held_out < found.result.held_out:
            found = with_it
    return found, errors


def _mean_square(residuals: Float[np.ndarray, "windows vars"]) -> float:
    return float(np.nanmean(residuals**2))
