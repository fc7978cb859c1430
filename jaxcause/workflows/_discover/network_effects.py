"""Effects of the edges as a trained forecaster shows them, corrected and with their errors."""

from functools import partial

import numpy as np
from jaxtyping import Float, Int

from jaxcause._typing import AnyArray
from jaxcause.graph import LaggedGraph
from jaxcause.stats import VarFit
from jaxcause.stats._tails import student_quantile
from jaxcause.workflows._discover.dynamics import Dynamics, PathWindows, Sample
from jaxcause.workflows._discover.effects import LEVEL
from jaxcause.workflows._discover.forecast import FittedForecaster
from jaxcause.workflows._discover.linear_effects import (
    SAID_OF_PARENTS,
    EffectsAndDynamics,
    by_linear_model,
    deviations,
    estimate_of,
)
from jaxcause.workflows._discover.measure_effects import (
    BLOCKS,
    CURVE_WINDOWS,
    FEWEST_WINDOWS,
    MOST_WINDOWS,
    Measured,
    causal_edges,
    curves_of,
    gathered,
    linear_effects,
    mean_slopes,
)
from jaxcause.workflows._discover.network_model import NetworkModel
from jaxcause.workflows._discover.parents import DETERMINED, regress_on_parents
from jaxcause.workflows._discover.prepare import RIDGES, Prepared

EFFORT = 1.5e9
"""Operations of all slopes, and of all curves, that are aimed at: less than a tenth of a second."""
MOST_EFFORT = 1e11
"""Operations beyond which only the strongest edges have an effect."""


def effects_of_forecaster(
    data: Prepared,
    fitted: FittedForecaster,
    graph: LaggedGraph,
    strength: Float[AnyArray, "vars vars lags"],
    *,
    tests: VarFit | None,
) -> EffectsAndDynamics:
    """Effects by the trained forecaster, or by the linear model if its t-tests chose the edges."""
    starts, domain = np.sort(np.concatenate(data.split)), np.zeros(len(data.values), np.int32)
    if data.domain is not None:
        domain = data.domain
    series = PathWindows(
        data.values,
        starts,
        data.segment,
        domain,
        data.transform,
        data.level is not None,
        data.max_lag,
    )
    if tests is not None:
        # Where values are masked, the tests took them at their mean.
        found = regress_on_parents(data.filled if data.masked else data.values, starts, graph)
        if tests.chosen is not None:
            model = found.estimate, found.model.intercept
            return by_linear_model(series, graph, *model, found, SAID_OF_PARENTS)
        said = "the coefficients of the linear model on all lags, and their standard errors"
        return by_linear_model(series, graph, estimate_of(tests), tests.intercept, found, said)
    deviation = deviations(series)
    models = [NetworkModel(fitted.forecaster.config, params) for params in fitted.members]
    measured, said = _lagged_effects(data, models, series, graph, strength, deviation)
    now = causal_edges(graph, lagged=False)
    if len(now):
        found = regress_on_parents(data.values, starts, graph)
        parts = found.estimate, found.model.intercept, series.sample(MOST_WINDOWS), now
        measured.append(linear_effects(*parts, data.transform, deviation, found.share))
        said += "; at lag 0, a linear regression on the parents found"
    several = f" and its {len(models)} members" * (len(models) > 1)
    dynamics = Dynamics(series, partial(tuple, models), f"the trained forecaster{several}")
    return EffectsAndDynamics(gathered(graph, measured, deviation, said), dynamics)


def _lagged_effects(
    data: Prepared,
    models: list[NetworkModel],
    series: PathWindows,
    graph: LaggedGraph,
    strength: Float[AnyArray, "vars vars lags"],
    deviation: Float[np.ndarray, "vars"],
) -> tuple[list[Measured], str]:
    """Effects of the lagged edges, and what they rest on.

    The mean slope of a forecaster is drawn towards 0 by the decay of its weights. It is corrected
    by what a linear regression of its errors on all inputs finds (the one-step estimator of a mean
    derivative, with a linear representer), and the regression's robust standard errors are added to
    those of the mean over windows. The members of an ensemble add their spread.
    """
    edges = causal_edges(graph, lagged=True)
    flops = models[0].flops_per_change * len(models)
    most = int(max(MOST_EFFORT / (3 * FEWEST_WINDOWS * flops), 1))
    said = (
        "the mean slope of the forecaster, corrected by a regression of its errors; errors from "
        f"blocks of windows, from that regression{', and from the members' * (len(models) > 1)}"
    )
    if len(edges) > most:
        size = np.nan_to_num(np.asarray(strength)[tuple(edges.T)])
        edges = edges[np.sort(np.argsort(-size, kind="stable")[:most])]
        said += f"; only the {most} strongest edges have an effect, to save time"
    if not len(edges):
        return [_of_edges(data, models, series.sample(2), edges, deviation)], said
    windows = int(np.clip(EFFORT / (3 * flops * len(edges)), FEWEST_WINDOWS, MOST_WINDOWS))
    return [_of_edges(data, models, series.sample(windows), edges, deviation)], said


def _of_edges(
    data: Prepared,
    models: list[NetworkModel],
    sample: Sample,
    edges: Int[np.ndarray, "edges 3"],
    deviation: Float[np.ndarray, "vars"],
) -> Measured:
    """Means over the members of an ensemble, whose spread widens the intervals."""
    transform, means, variances, shares, curves = data.transform, [], [], [], []
    flops = models[0].flops_per_change * max(len(edges), 1) * len(models)
    few = sample.every(int(np.clip(EFFORT / (21 * flops), FEWEST_WINDOWS, CURVE_WINDOWS)))
    others = exchanged_inputs(data, sample, edges)
    for model in models:
        slopes = mean_slopes(model, sample, edges, transform, deviation, others)
        correction, error = linear_correction(data, model, sample, edges)
        means.append(slopes.mean + correction * slopes.factor)
        variances.append(slopes.error**2 + (error * slopes.factor) ** 2)
        shares.append(slopes.share)
        curves.append(curves_of(model, few, edges, transform))
    variance = np.mean(variances, axis=0)
    if len(models) > 1:
        variance = variance + np.var(means, axis=0, ddof=1)
    half_width = student_quantile(LEVEL, BLOCKS - 1) * np.sqrt(variance)
    drawn = curves[0]._replace(response=np.mean([curve.response for curve in curves], axis=0))
    return Measured(edges, np.mean(means, axis=0), half_width, np.mean(shares, axis=0), drawn)


def exchanged_inputs(
    data: Prepared, sample: Sample, edges: Int[np.ndarray, "edges 3"]
) -> Float[np.ndarray, "windows edges"]:
    """Values of the sources that the other sources of their target allow.

    Linear regressions of all windows say what these say of a value. What they leave is taken from a
    window half the series away.
    """
    inputs = sample.inputs(edges)
    moved, term = inputs.copy(), (edges[:, 2] - 1) * len(data.names) + edges[:, 0]
    for target in np.unique(edges[:, 1]):
        mine = np.flatnonzero(edges[:, 1] == target)
        at = np.append(term[mine], len(data.moments.gram) - 1)
        gram = data.moments.gram[np.ix_(at, at)]
        inverse = np.linalg.pinv(gram, hermitian=True, rcond=1e-11)
        alone = 1 - np.diag(inverse @ gram) < DETERMINED
        design = np.column_stack([inputs[:, mine], np.ones(len(inputs))])
        left = np.where(alone, design @ inverse / np.diag(inverse), 0)[:, :-1]
        moved[:, mine] += np.roll(left, len(left) // 2, axis=0) - left
    return moved


def linear_correction(
    data: Prepared, model: NetworkModel, sample: Sample, edges: Int[np.ndarray, "edges 3"]
) -> tuple[Float[np.ndarray, "edges"], Float[np.ndarray, "edges"]]:
    """What linear regressions of forecast errors on all inputs find for the edges, and its errors.

    It is the coefficient of a regression of the series on all its windows, less that of a
    regression of the forecasts on theirs.
    """
    n_terms, n_all = len(data.moments.gram) - 1, data.moments.n_windows
    past = sample.rows[:, :-1]
    forecast = model.plain(sample)
    design = np.concatenate([past[:, ::-1].reshape(len(past), -1), np.ones((len(past), 1))], axis=1)
    ridge = RIDGES[0] if 10 * n_terms < n_all else data.ridge
    penalty = ridge * np.append(np.ones(n_terms), 0)
    term = (edges[:, 2] - 1) * len(data.names) + edges[:, 0]
    unit = np.zeros((n_terms + 1, len(edges)))
    unit[term, np.arange(len(edges))] = 1
    weights = np.linalg.solve(data.moments.gram / n_all + np.diag(penalty), unit)
    of_series = (weights * data.moments.cross[:, edges[:, 1]]).sum(axis=0) / n_all
    own = np.linalg.solve(design.T @ design / len(past) + np.diag(penalty), unit)
    projected = (own * (design.T @ forecast[:, edges[:, 1]])).sum(axis=0) / len(past)
    residual = np.nan_to_num((sample.newest - forecast)[:, edges[:, 1]])
    spare = max(1 - n_terms / n_all, 1 / n_all)
    error = np.sqrt(((design @ weights * residual) ** 2).mean(axis=0) / (n_all * spare))
    known = 3 * n_terms < len(past)
    return (of_series - projected) * known, error
