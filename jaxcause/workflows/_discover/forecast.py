"""Second stage: a trained forecaster, and how well it forecasts."""

import dataclasses
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float, PRNGKeyArray

from jaxcause._checks import InputError
from jaxcause.models.forecaster import PRESETS, ForecasterConfig, Params, screened_of
from jaxcause.series import SeriesTable
from jaxcause.training import TrainingConfig
from jaxcause.workflows._discover.forecaster import TrainedForecaster
from jaxcause.workflows._discover.members import train_members
from jaxcause.workflows._discover.prepare import Prepared
from jaxcause.workflows._discover.random_keys import keys_from
from jaxcause.workflows._discover.stacking import Gain, gain_over_linear, stacked
from jaxcause.workflows._discover.training import (
    LONG,
    TrainedModel,
    default_training,
    held_out_residuals,
    settings_of,
    train,
)

LINEAR_IS_AS_GOOD = 0.99
"""Relative held-out error from which on a linear model counts as good on a long series."""


class FittedForecaster(NamedTuple):
    """A forecaster and its held-out errors.

    Args:
        forecaster: The forecaster.
        members: Parameters of the members of an ensemble; those of the forecaster if it is alone.
        residuals: Held-out values less their forecasts; NaN where a value is missing.
        error: Their mean square.
        gain: What the Transformer adds to the linear model.
        linear_is_as_good: Whether a linear model forecasts as well: on a short series if the
            Transformer adds nothing that counts to it, on a long one to one percent.
        training: How training went, as `DiscoveryInfo` keeps it; empty if it was given.
    """

    forecaster: TrainedForecaster
    members: tuple[Params, ...]
    residuals: Float[np.ndarray, "windows vars"]
    error: float
    gain: Gain
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
    mesh: Mesh | None


def fit_forecaster(
    data: Prepared, key: PRNGKeyArray, options: ForecasterOptions, *, progress: bool
) -> FittedForecaster:
    """Train the forecaster and then its members, and stack each with the linear model.

    On short series without a skip of its own, the forecast is the best mean of the linear one and
    the Transformer's: it is never worse than the linear model, and the Transformer adds what the
    held-out windows confirm. On long series the Transformer learns the linear part by itself.
    """
    first, second = keys_from(key, 2)
    trained = _train(data, first, options, progress=progress)
    members = [trained.result.params]
    if options.members > 1:
        drawn = train_members(
            trained,
            data,
            keys_from(second, options.members),
            label=f"Training {options.members} members",
            progress=progress,
            checkpoint=_of_members(options.checkpoint),
            mesh=options.mesh,
        )
        members += [jax.tree.map(lambda leaf, m=m: leaf[m], drawn) for m in range(options.members)]
    config, residuals, weight = trained.config, trained.residuals, 1.0
    gain = gain_over_linear(data.weighed(data.linear_residuals), data.weighed(residuals))
    if options.skip is None and config.head == "mean" and len(data.split.train) < LONG:
        weight = gain.weight
        residuals = data.linear_residuals * (1 - weight) + residuals * weight
        members = [stacked(params, data.linear, weight) for params in members]
        config = dataclasses.replace(config, skip=True)
    forecaster = TrainedForecaster(
        config, members[0], data.transform, data.names, weight, data.level
    )
    record = settings_of(trained) | {"skip": config.skip}
    # The first model is what members are trained on from; alone, it is the only one.
    return _judged(data, forecaster, tuple(members[1:] or members), residuals, gain, record)


def _of_members(checkpoint: Path | None) -> Path | None:
    """The file of the members beside that of the model."""
    return None if checkpoint is None else checkpoint.with_name(f"{checkpoint.name}.members")


def given_forecaster(
    data: Prepared, forecaster: TrainedForecaster, *, mesh: Mesh | None = None
) -> tuple[Prepared, FittedForecaster]:
    """The forecaster that the caller has, judged on the held-out windows; the links it looks at."""
    if forecaster.config.attention == "positional":
        seen = screened_of(forecaster.params)
        # It does not look at what was forbidden either; that is no screen.
        if seen is not None and not seen[data.known.lagged.allowed].all():
            data = data._replace(screened=seen)
    residuals, linear = held_out_residuals(forecaster, data, mesh=mesh), data.linear_residuals
    alone = residuals
    if 0 < forecaster.weight < 1:
        alone = linear - (linear - residuals) / forecaster.weight
    gain = gain_over_linear(data.weighed(linear), data.weighed(alone))
    return data, _judged(data, forecaster, (forecaster.params,), residuals, gain, {})


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
    gain: Gain,
    training: dict[str, Any],
) -> FittedForecaster:
    error = float(np.nanmean(residuals**2))
    if len(data.split.train) < LONG:
        as_good = not gain.targets.any()
    else:
        as_good = error >= LINEAR_IS_AS_GOOD * data.linear_error
    return FittedForecaster(forecaster, members, residuals, error, gain, as_good, training)


def _train(
    data: Prepared, key: PRNGKeyArray, options: ForecasterOptions, *, progress: bool
) -> TrainedModel:
    """The model, with a skip only if the caller wants one."""
    sizes = PRESETS[options.model] if isinstance(options.model, str) else options.model
    config = ForecasterConfig(
        len(data.names),
        data.max_lag,
        skip=bool(options.skip),
        head=options.head,
        n_domains=1 if data.domain is None else int(data.domain.max()) + 1,
        missing=data.masked,
        **sizes,
    )
    return train(
        config,
        data,
        options.training or default_training(len(data.split.train), config),
        key,
        label="Training",
        progress=progress,
        checkpoint=options.checkpoint,
        mesh=options.mesh,
    )
