"""First stage: a transformed series, its windows, and the linear model that they fit."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxcause._checks import InputError, check_choice
from jaxcause._stored import AnyRows
from jaxcause.series import (
    CHANGES,
    TRANSFORMS,
    LinkKnowledge,
    Regimes,
    SeriesTable,
    Split,
    Transform,
    after_change,
    can_log,
    changes,
    find_regimes,
    fit_level,
    fit_transform,
    split_by_time,
    usable_windows,
    used_values,
)
from jaxcause.stats import (
    NoiseWeights,
    VarFit,
    VarMoments,
    blocks_in_time,
    linear_evidence,
    linear_tests,
    ridge_beside_own_past,
    shared_own_past,
    stepwise_var,
    var_moments,
    weighted_evidence,
    weighted_tests,
    windows_per_term,
)
from jaxcause.workflows._discover.noise import changing_noise

RIDGES = (1e-3, 1e-2, 1e-1, 0.3, 1.0, 3.0)
"""Penalties per sample to choose from for the linear autoregression."""
FEW_PER_TERM = 5
"""Training windows per term below which more linear models are tried. From there on a Transformer
can forecast smooth series better for what is not linear in them."""
BESIDE_OWN_PAST = (1.0, 10.0, 100.0)
"""Penalties that leave out the own past of a variable. Where windows are few, they, a stepwise
regression and a shared own past are tried; otherwise a Transformer forecasts better only because it
is shrunk more, or because all variables share its weights."""
TRANSFORM_GAIN = 0.05
"""How much better, relatively, another transform must forecast than plain standardising."""
MANY_PER_TERM = 1_000
"""Windows per term from which on blocks of windows judge penalties as all windows together do."""
MOSTLY_MISSING = 0.5
"""Share of windows that must be complete for incomplete ones to be left out."""


LinearModel = Callable[..., VarFit]
"""Fits a linear autoregression to moments, of the terms that are ``allowed``."""


class Stages(NamedTuple):
    """What was fitted to a series: what changes are of, if they are taken, and the transform."""

    level: Transform | None
    transform: Transform

    @property
    def kind(self) -> str:
        """The name of the transform."""
        names = {of: name for name, of in CHANGES.items()}
        return self.transform.kind if self.level is None else names[self.level.kind]

    def inverse(
        self, z: Float[np.ndarray, "rows vars"], last: Float[np.ndarray, "rows vars"]
    ) -> Float[np.ndarray, "rows vars"]:
        """Values in the units of the data, after the rows ``last``."""
        return after_change(self.level, self.transform.inverse(z), last)


def fit_stages(
    table: SeriesTable, max_lag: int, *, transform: str, holes: bool, n_rows: int | None = None
) -> Stages:
    """Fit a transform of the values of a series, or of their changes.

    Args:
        table: The series.
        max_lag: Longest lag.
        transform: Name of the transform.
        holes: Whether windows with missing values are used.
        n_rows: Fit it to that many rows, the first; by default to all.
    """
    level = fit_level(table, transform)
    moved = changes(table, level)
    starts = usable_windows(moved, max_lag, mask_missing=holes)
    kind = transform if level is None else "standardise"
    used = used_values(moved, starts, max_lag + 1)
    return Stages(level, fit_transform(used if n_rows is None else used[:n_rows], kind=kind))


class TransformedWindows(NamedTuple):
    """Windows of a transformed series.

    Args:
        values: The transformed series.
        starts: First rows of the windows.
        table: What was transformed: the series, or its changes.
    """

    values: Float[AnyRows, "time vars"]
    starts: Int[np.ndarray, "windows"]
    table: SeriesTable


def transformed_windows(
    table: SeriesTable, length: int, transform: str, *, holes: bool = False
) -> TransformedWindows:
    """The windows of ``length`` rows: complete ones, or with ``holes`` those with a newest row."""
    stages = fit_stages(table, length - 1, transform=transform, holes=holes)
    moved = changes(table, stages.level)
    starts = usable_windows(moved, length - 1, mask_missing=holes)
    return TransformedWindows(stages.transform(moved.values), starts, moved)


class Prepared(NamedTuple):
    """A transformed series, its windows, and the linear baseline on them.

    Args:
        names: Names of the variables.
        known: Which links may be, and which must be.
        level: What changes are of, if it is changes that are transformed.
        transform: From the units of the data, or of those changes, to those of the values.
        values: The transformed series; NaN where a value is missing.
        segment: Which unbroken stretch each row belongs to.
        targets: Which rows may be predicted; all if None.
        domain: The regime of each row, if there are several.
        regimes: What was found where the regimes were left to the data.
        masked: Whether windows with missing values are used.
        split: First rows of the windows to train on and of those held out.
        max_lag: Longest lag.
        moments: Moments of all windows.
        seen: Those of the training windows.
        linear: The linear autoregression on the training windows that forecasts best.
        linear_model: How it is fitted to moments.
        ridge: Penalty per sample of the ridge autoregression that forecasts best.
        linear_residuals: Held-out values less its forecasts; NaN where a value is missing.
        linear_error: Their mean square.
        mean_errors: That of always forecasting the mean of the windows to train on, by variable.
        rank_error: The same, of values mapped to normal quantiles of their ranks.
        transform_errors: ``rank_error`` under each transform that was tried.
        screened: The lagged links that the forecaster looks at; None if it is all of them.
        noise: How much each window (of those to train on, then of those held out) counts for each
            target in linear tests; None if all count alike.
    """

    names: tuple[str, ...]
    known: LinkKnowledge
    level: Transform | None
    transform: Transform
    values: Float[np.ndarray, "time vars"]
    segment: Int[np.ndarray, "time"]
    targets: Bool[np.ndarray, "time"] | None
    domain: Int[np.ndarray, "time"] | None
    regimes: Regimes | None
    masked: bool
    split: Split
    max_lag: int
    moments: VarMoments
    seen: VarMoments
    linear: VarFit
    linear_model: LinearModel
    ridge: float
    linear_residuals: Float[np.ndarray, "windows vars"]
    linear_error: float
    mean_errors: Float[np.ndarray, "vars"]
    rank_error: float
    transform_errors: dict[str, float] | None = None
    screened: Bool[np.ndarray, "source target lag"] | None = None
    noise: NoiseWeights | None = None

    @property
    def mean_error(self) -> float:
        """The held-out error of always forecasting the mean of the windows to train on."""
        return float(self.mean_errors.mean())

    @property
    def candidates(self) -> Bool[np.ndarray, "source target lag"]:
        """The lagged links that are allowed and that the forecaster looks at."""
        allowed = self.known.lagged.allowed
        return allowed if self.screened is None else allowed & self.screened

    @property
    def kind(self) -> str:
        """The name of the transform."""
        return Stages(self.level, self.transform).kind

    @property
    def table(self) -> SeriesTable:
        """The transformed series as a table."""
        return SeriesTable(self.values, self.names, self.segment, (), self.targets)

    @property
    def starts(self) -> Int[np.ndarray, "windows"]:
        """First rows of the windows to train on, then of those held out."""
        return np.concatenate(self.split)

    @property
    def filled(self) -> Float[np.ndarray, "time vars"]:
        """The values, with the mean where one is missing."""
        return np.nan_to_num(self.values)

    @property
    def windows_per_input(self) -> float:
        """Windows for each input of the target that has the most."""
        return windows_per_term(self.moments, _allowed_terms(self.known))

    def linear_tests(self) -> VarFit:
        """Tests of every link by linear models of all windows."""
        allowed = _allowed_terms(self.known)
        if self.noise is None:
            return linear_tests(self.moments, allowed=allowed)
        return weighted_tests(
            self.filled, self.starts, self.noise, max_lag=self.max_lag, allowed=allowed
        )

    def linear_shrunk(self) -> VarFit:
        """The linear model of ``linear`` on all windows."""
        return self.linear_model(self.moments, allowed=_allowed_terms(self.known))

    def linear_evidence(self, *, of_training: bool = False) -> Float[np.ndarray, "vars vars lags"]:
        """How strongly each link speaks for itself in linear models of all windows."""
        allowed = _allowed_terms(self.known)
        if of_training:
            return linear_evidence(self.seen, allowed=allowed)
        windows, max_lag = (self.filled, self.starts), self.max_lag
        if self.noise is not None:
            return weighted_evidence(
                self.moments, *windows, self.noise, max_lag=max_lag, allowed=allowed
            )
        few = self.windows_per_input < MANY_PER_TERM
        blocks = blocks_in_time(*windows, max_lag=max_lag) if few else ()
        return linear_evidence(self.moments, allowed=allowed, blocks=blocks)

    def weighed(
        self, residuals: Float[np.ndarray, "windows vars"]
    ) -> Float[np.ndarray, "windows vars"]:
        """Held-out residuals in units of the noise of their time."""
        if self.noise is None:
            return residuals
        return residuals * np.sqrt(self.noise.weights[len(self.split.train) :])


class WindowOptions(NamedTuple):
    """How windows are made: held-out share, regimes, and whether missing values are masked."""

    held_out: float
    domain: Int[np.ndarray, "time"] | None = None
    regimes: Regimes | None = None
    masked: bool = False


def window_options(
    table: SeriesTable, max_lag: int, *, held_out: float, domain: object, missing: str
) -> WindowOptions:
    """Check or find the regimes; mask missing values on demand or if few windows are complete.

    Raises:
        InputError: ``domain`` does not give a whole number from 0 on to each row.
    """
    masked = missing == "mask"
    if missing == "auto":
        masked = mostly_missing(table, max_lag)
    if not isinstance(domain, str):
        return WindowOptions(held_out, _checked_domain(domain, len(table.values)), None, masked)
    check_choice("domain", domain, ("auto",))
    found = find_regimes(
        np.asarray(table.values), max_lag=max_lag, segment=table.segment, targets=table.targets
    )
    several = found.domain if found.n_regimes > 1 else None
    return WindowOptions(held_out, several, found, masked)


def mostly_missing(table: SeriesTable, max_lag: int) -> bool:
    """Whether missing values cost more than half of the windows."""
    if table.complete.all():
        return False
    whole = len(usable_windows(table, max_lag, mask_missing=False))
    return whole < MOSTLY_MISSING * len(usable_windows(table, max_lag, mask_missing=True))


def prepare(
    table: SeriesTable,
    max_lag: int,
    *,
    known: LinkKnowledge,
    transform: str,
    options: WindowOptions,
) -> Prepared:
    """Transform the series, by ``"auto"`` as the ridge autoregression forecasts best.

    Errors under different transforms are compared in one unit: forecasts are taken back to the data
    and mapped, as the truth is, to normal quantiles of their ranks. Plain standardising stays
    unless another transform is better by 5 %. The transforms that are compared are fitted to the
    training rows: fitted to all, ranks would know where a series that drifts is going.
    """

    def prepared(kind: str, n_rows: int | None = None) -> Prepared:
        stages = fit_stages(table, max_lag, transform=kind, holes=options.masked, n_rows=n_rows)
        return prepare_as(table, max_lag, known=known, stages=stages, options=options)

    if transform != "auto":
        found = prepared(transform)
        return found._replace(transform_errors={found.kind: found.rank_error})
    starts = usable_windows(table, max_lag, mask_missing=options.masked)
    used = used_values(table, starts, max_lag + 1)
    split = split_by_time(starts, length=max_lag + 1, held_out=options.held_out)
    kinds = [k for k in TRANSFORMS if k != "log" or can_log(used)]
    errors = {kind: prepared(kind, int(split.held_out[0])).rank_error for kind in kinds}
    best = min(errors, key=lambda kind: errors[kind])
    if errors[best] > (1 - TRANSFORM_GAIN) * errors["standardise"]:
        best = "standardise"
    return prepared(best)._replace(transform_errors=errors)


def prepare_as(
    table: SeriesTable,
    max_lag: int,
    *,
    known: LinkKnowledge,
    stages: Stages,
    options: WindowOptions,
) -> Prepared:
    """Transformed values, windows, and the ridge autoregression with its held-out error.

    Masked values are at their mean for the linear model, and count in no error.
    """
    moved, length = changes(table, stages.level), max_lag + 1
    values = stages.transform(np.asarray(moved.values))
    starts = usable_windows(moved, max_lag, mask_missing=options.masked)
    split = split_by_time(starts, length=length, held_out=options.held_out)
    filled = np.nan_to_num(values)
    windows = filled[split.held_out[:, None] + np.arange(length)]
    newest = values[split.held_out + max_lag]
    seen, unseen = (var_moments(filled, part, max_lag=max_lag) for part in split)
    allowed = _allowed_terms(known)
    models = _linear_models(windows_per_term(seen, allowed))
    fits = [model(seen, allowed=allowed) for model in models]
    forecasts = [linear.predict(windows[:, :-1]) for linear in fits]
    errors = [float(np.nanmean((forecast - newest) ** 2)) for forecast in forecasts]
    best = int(np.argmin(errors))
    ranks = fit_transform(used_values(table, starts, length), kind="copula")
    before, truth = (table.values[split.held_out + max_lag - back] for back in (1, 0))
    forecast = stages.inverse(forecasts[best], before)
    rank_error = float(np.nanmean((ranks(forecast) - ranks(truth)) ** 2))
    return Prepared(
        names=table.names,
        known=known,
        level=stages.level,
        transform=stages.transform,
        values=values,
        segment=moved.segment,
        targets=table.targets,
        domain=options.domain,
        regimes=options.regimes,
        masked=options.masked,
        split=split,
        max_lag=max_lag,
        moments=seen + unseen,
        seen=seen,
        linear=fits[best],
        linear_model=models[best],
        ridge=RIDGES[int(np.argmin(errors[: len(RIDGES)]))],
        linear_residuals=newest - forecasts[best],
        linear_error=errors[best],
        mean_errors=_mean_of((newest - _mean_of(values[split.train + max_lag])) ** 2),
        rank_error=rank_error,
    )


def _mean_of(rows: Float[np.ndarray, "rows vars"]) -> Float[np.ndarray, "vars"]:
    """The mean of the known values of each variable; 0 where none is."""
    known = ~np.isnan(rows)
    return np.where(known, rows, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)


def with_noise(data: Prepared, asked: str) -> Prepared:
    """The series with the weights of its windows, if its noise changes over time."""
    if data.masked:
        return data
    terms = {"max_lag": data.max_lag, "allowed": _allowed_terms(data.known)}
    return data._replace(noise=changing_noise(data.filled, data.starts, asked=asked, **terms))


def _linear_models(per_term: float) -> list[LinearModel]:
    """The linear autoregressions to choose from by their held-out errors."""
    models: list[LinearModel] = [partial(VarMoments.fit, ridge=ridge) for ridge in RIDGES]
    if per_term < FEW_PER_TERM:
        models += [partial(ridge_beside_own_past, penalty=ridge) for ridge in BESIDE_OWN_PAST]
        models += [_stepwise_model, shared_own_past]
    return models


def _stepwise_model(
    moments: VarMoments, *, allowed: Bool[np.ndarray, "vars vars lags"] | None
) -> VarFit:
    """The regression on the terms that `stepwise_var` chooses."""
    fit = stepwise_var(moments, allowed=allowed)
    return fit._replace(coefficients=fit.model)


def _allowed_terms(known: LinkKnowledge) -> Bool[np.ndarray, "vars vars lags"] | None:
    """The terms of the regressions; None if every link may be."""
    return None if known.allowed[:, :, 1:].all() else known.allowed


def _checked_domain(domain: object, n_rows: int) -> Int[np.ndarray, "time"] | None:
    if domain is None:
        return None
    given = np.asarray(domain)
    if given.shape != (n_rows,):
        raise InputError(
            f"domain has shape {given.shape}, but the series has {n_rows} rows; give one regime "
            "to each row"
        )
    if not np.issubdtype(given.dtype, np.integer) or given.min() < 0:
        raise InputError("domain must hold whole numbers 0, 1, …; number the regimes")
    return given.astype(np.int32)
