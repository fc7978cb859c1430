"""Effects and dynamics by linear models: one entry for each kind of estimate."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxcause.graph import LaggedGraph
from jaxcause.series import SeriesTable, changes, mean_and_deviation, usable_windows
from jaxcause.stats import VarFit
from jaxcause.workflows._discover.dynamics import Dynamics, PathWindows
from jaxcause.workflows._discover.effects import Effects
from jaxcause.workflows._discover.measure_effects import (
    MOST_WINDOWS,
    causal_edges,
    gathered,
    linear_effects,
)
from jaxcause.workflows._discover.parents import (
    LinearEstimate,
    ParentRegression,
    regress_on_parents,
)
from jaxcause.workflows._discover.prepare import fit_stages

OF_PARENTS = "a linear regression of each variable on the parents found"
"""The model behind the responses of linear methods."""
SAID_OF_PARENTS = (
    f"{OF_PARENTS}, and its standard errors, as if the parents had been known before; an edge "
    "without a direction, or with a hidden cause, has no effect"
)
"""What effects rest on that are those of this model."""


class EffectsAndDynamics(NamedTuple):
    """Effects of the edges, and what `Discovery.respond` starts from."""

    effects: Effects
    dynamics: Dynamics


def effects_by_regression(
    table: SeriesTable,
    max_lag: int,
    *,
    transform: str,
    graph: LaggedGraph,
    length: int | None = None,
    holes: bool = False,
) -> EffectsAndDynamics:
    """Effects by a linear regression of every variable on the parents that a search found.

    Args:
        table: The series.
        max_lag: Longest lag.
        transform: Name of the transform.
        graph: What was found.
        length: Rows of the windows that the search tested, if more than ``max_lag + 1``.
        holes: Whether each test used the windows that hold its variables. Each regression then uses
            those that hold a variable and its parents.
    """
    series = _tested_windows(table, max_lag, transform, length=length, holes=holes)
    found = regress_on_parents(series.values, series.starts, graph)
    model = found.estimate, found.model.intercept
    return by_linear_model(series, graph, *model, found, SAID_OF_PARENTS)


def effects_by_coefficients(
    table: SeriesTable,
    max_lag: int,
    *,
    transform: str,
    graph: LaggedGraph,
    fit: VarFit,
) -> EffectsAndDynamics:
    """Effects by the coefficients of an autoregression on all lags, and by their t-tests.

    Those of a stepwise one are not of one model; the regression on the parents is taken for it.
    """
    if fit.chosen is not None:
        return effects_by_regression(table, max_lag, transform=transform, graph=graph)
    series = _tested_windows(table, max_lag, transform)
    found = regress_on_parents(series.values, series.starts, graph)
    said = "the coefficients of the linear autoregression on all lags, and their standard errors"
    return by_linear_model(series, graph, estimate_of(fit), fit.intercept, found, said)


def effects_without_errors(
    table: SeriesTable,
    max_lag: int,
    *,
    transform: str,
    graph: LaggedGraph,
    coefficients: Float[np.ndarray, "vars vars lags"],
    intercept: Float[np.ndarray, "vars"],
) -> EffectsAndDynamics:
    """Effects by penalised coefficients, which have no standard errors."""
    series = _tested_windows(table, max_lag, transform)
    found = regress_on_parents(series.values, series.starts, graph)
    error, degrees = np.full(coefficients.shape, np.nan), np.ones(len(intercept), int)
    estimate = LinearEstimate(coefficients, error, degrees)
    said = "the penalised coefficients, which are drawn towards 0 and have no interval"
    return by_linear_model(series, graph, estimate, intercept, found, said)


def estimate_of(fit: VarFit) -> LinearEstimate:
    """Coefficients of an autoregression with their standard errors; NaN where nothing is tested."""
    known = fit.tested & (fit.t_statistic != 0)
    error = np.full(known.shape, np.nan)
    error[known] = np.abs(fit.coefficients[known] / fit.t_statistic[known])
    return LinearEstimate(fit.coefficients, error, fit.degrees)


def deviations(series: PathWindows) -> Float[np.ndarray, "vars"]:
    """Standard deviation of each column, or of its changes, in units of the data."""
    return mean_and_deviation(series.values, series.transform.inverse)[1]


def _tested_windows(
    table: SeriesTable,
    max_lag: int,
    transform: str,
    *,
    length: int | None = None,
    holes: bool = False,
) -> PathWindows:
    """The transformed series and the windows that a method tested: effects come from no others.

    Of windows that are longer than ``max_lag + 1`` rows, the newest ones are taken.
    """
    farthest = max_lag if length is None else length - 1
    stages = fit_stages(table, farthest, transform=transform, holes=holes)
    moved = changes(table, stages.level)
    starts = usable_windows(moved, farthest, mask_missing=holes) + (farthest - max_lag)
    domain, values = np.zeros(len(table.values), np.int32), stages.transform(moved.values)
    of_changes = stages.level is not None
    return PathWindows(values, starts, moved.segment, domain, stages.transform, of_changes, max_lag)


def by_linear_model(
    series: PathWindows,
    graph: LaggedGraph,
    estimate: LinearEstimate,
    intercept: Float[np.ndarray, "vars"],
    found: ParentRegression,
    said: str,
) -> EffectsAndDynamics:
    """Effects of all edges by a linear model; responses by the regression on the parents."""
    edges = np.concatenate([causal_edges(graph, lagged=part) for part in (True, False)])
    deviation = deviations(series)
    now = estimate.coefficients[:, :, 0].any()
    if not now and (edges[:, 2] == 0).any():
        # An autoregression knows nothing of effects within the step.
        estimate = _with_lag_0(estimate, found.estimate)
    sample, units = series.sample(MOST_WINDOWS), (series.transform, deviation)
    measured = linear_effects(estimate, intercept, sample, edges, *units, found.share)
    dynamics = Dynamics(series, found.models, OF_PARENTS)
    return EffectsAndDynamics(gathered(graph, [measured], deviation, said), dynamics)


def _with_lag_0(estimate: LinearEstimate, found: LinearEstimate) -> LinearEstimate:
    coefficients, error = estimate.coefficients.copy(), estimate.error.copy()
    coefficients[:, :, 0], error[:, :, 0] = found.coefficients[:, :, 0], found.error[:, :, 0]
    return estimate._replace(coefficients=coefficients, error=error)
