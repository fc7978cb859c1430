"""Last stage but the notes: signed effects of the edges, with intervals, shares and curves."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jaxcause._typing import ResponseCurves
from jaxcause.graph import LaggedGraph, Mark
from jaxcause.series import Transform
from jaxcause.stats._tails import student_quantile
from jaxcause.workflows._discover.dynamics import LinearModel, Model, Sample
from jaxcause.workflows._discover.effects import LEVEL, Effects
from jaxcause.workflows._discover.parents import LinearEstimate

STEP = 0.1
"""Standard deviations of the source by which it is changed up and down."""
BLOCKS = 20
"""Blocks of consecutive windows whose means say how uncertain a mean over windows is."""
MOST_WINDOWS = 1024
CURVE_WINDOWS = 64
FEWEST_WINDOWS = 32
AT_ONCE = 256
"""Edges at a time."""
N_POINTS, OUTERMOST = 21, 0.01
"""Points of a curve, and the quantile at which it begins."""


class Slopes(NamedTuple):
    """Mean slopes over windows, in units of the data.

    Args:
        mean: Mean over windows.
        error: Its standard error, from blocks of consecutive windows.
        factor: Units of the data per transformed unit, by which a coefficient is multiplied.
        share: Share of the target's variance; NaN where values to exchange were not given.
    """

    mean: Float[np.ndarray, "edges"]
    error: Float[np.ndarray, "edges"]
    factor: Float[np.ndarray, "edges"]
    share: Float[np.ndarray, "edges"]


class Measured(NamedTuple):
    """What is known of each edge; NaN where nothing is."""

    edges: Int[np.ndarray, "edges 3"]
    mean: Float[np.ndarray, "edges"]
    half_width: Float[np.ndarray, "edges"]
    share: Float[np.ndarray, "edges"]
    curves: ResponseCurves


def causal_edges(graph: LaggedGraph, *, lagged: bool) -> Int[np.ndarray, "edges 3"]:
    """Edges whose source drives, or may drive, the target: ``source, target, lag``.

    Args:
        graph: The graph.
        lagged: Whether those at lags from 1 on are wanted, or those at lag 0, which are directed.
    """
    marks = np.asarray(graph.marks)
    chosen = (marks[..., 1] == Mark.ARROW) & (marks[..., 0] != Mark.ARROW)
    if lagged:
        chosen[:, :, 0] = False
    else:
        chosen = np.asarray(graph.directed).copy()
        chosen[:, :, 1:] = False
    return np.argwhere(chosen)


def linear_effects(
    estimate: LinearEstimate,
    intercept: Float[np.ndarray, "vars"],
    sample: Sample,
    edges: Int[np.ndarray, "edges 3"],
    transform: Transform,
    deviation: Float[np.ndarray, "vars"],
    share: Float[np.ndarray, "vars vars lags"],
) -> Measured:
    """Effects of edges by a linear model, whose standard errors give the intervals."""
    model = LinearModel(estimate.coefficients, intercept)
    slopes = mean_slopes(model, sample, edges, transform, deviation)
    quantile = {int(d): student_quantile(LEVEL, d) for d in set(estimate.degrees.tolist())}
    wide = np.array([quantile[int(d)] for d in estimate.degrees[edges[:, 1]]])
    error = np.hypot(slopes.factor * estimate.error[tuple(edges.T)], slopes.error)
    curves = curves_of(model, sample.every(CURVE_WINDOWS), edges, transform)
    return Measured(edges, slopes.mean, wide * error, share[tuple(edges.T)], curves)


def mean_slopes(
    model: Model,
    sample: Sample,
    edges: Int[np.ndarray, "edges 3"],
    transform: Transform,
    deviation: Float[np.ndarray, "vars"],
    exchanged: Float[np.ndarray, "windows edges"] | None = None,
) -> Slopes:
    """Mean slopes of the forecasts of targets along the values of their sources.

    Args:
        model: Forecasts targets.
        sample: Windows to average over.
        edges: ``source, target, lag``.
        transform: That of the windows.
        deviation: Standard deviation of each variable, in units of the data.
        exchanged: Other values of the sources that their windows allow; how much they change
            forecasts says which share of the variance an edge has.
    """
    if not len(edges):
        return Slopes(*np.zeros((4, 0)))
    inputs = sample.inputs(edges) if exchanged is None else exchanged
    parts = []
    for first in range(0, len(edges), AT_ONCE):
        some = slice(first, first + AT_ONCE)
        parts.append(
            _some_slopes(model, sample, edges[some], inputs[:, some], transform, deviation)
        )
    found = Slopes(*(np.concatenate([part[k] for part in parts]) for k in range(4)))
    return found if exchanged is not None else found._replace(share=np.full(len(edges), np.nan))


def _some_slopes(
    model: Model,
    sample: Sample,
    edges: Int[np.ndarray, "edges 3"],
    exchanged: Float[np.ndarray, "windows edges"],
    transform: Transform,
    deviation: Float[np.ndarray, "vars"],
) -> Slopes:
    source, target = transform.of(edges[:, 0]), transform.of(edges[:, 1])
    inputs = sample.inputs(edges)
    seen = source.inverse(inputs)
    step = STEP * deviation[edges[:, 0]]
    bottom, top = seen.min(axis=0), seen.max(axis=0)
    low, high = np.clip(seen - step, bottom, top), np.clip(seen + step, bottom, top)
    width = np.where(high > low, high - low, np.inf)
    at_low, at_high = source(low), source(high)
    forecasts = model.changed(sample, edges, np.stack([at_low, at_high, exchanged], axis=2))
    below, above, other = np.moveaxis(forecasts, 2, 0)
    plain = model.plain(sample)[:, edges[:, 1]]
    slope = (target.inverse(above) - target.inverse(below)) / width
    per_unit = (target.inverse(plain + STEP) - target.inverse(plain - STEP)) / (2 * STEP)
    variance = np.nanvar(sample.newest, axis=0)[edges[:, 1]]
    share = 0.5 * ((plain - other) ** 2).mean(axis=0) / np.where(variance > 0, variance, np.nan)
    factor = (per_unit * (at_high - at_low) / width).mean(axis=0)
    return Slopes(slope.mean(axis=0), block_error(slope), factor, np.minimum(share, 1))


def block_error(values: Float[np.ndarray, "windows edges"]) -> Float[np.ndarray, "edges"]:
    """Standard error of means over windows, from means over blocks of consecutive ones.

    >>> walk = np.repeat(np.array([1.0, -1.0] * 10), 50)[:, None]
    >>> float(block_error(walk)[0].round(2)), float(round(1 / np.sqrt(1000), 2))
    (0.23, 0.03)
    """
    n_blocks = min(BLOCKS, len(values) // 2)
    if n_blocks < 2:
        return np.full(values.shape[1], np.nan)
    means = np.stack([part.mean(axis=0) for part in np.array_split(values, n_blocks)])
    return means.std(axis=0, ddof=1) / np.sqrt(n_blocks)


def curves_of(
    model: Model, sample: Sample, edges: Int[np.ndarray, "edges 3"], transform: Transform
) -> ResponseCurves:
    """Mean forecasts of targets along the ranges of their sources, in units of the data."""
    at = np.empty((len(edges), N_POINTS))
    response = np.empty(at.shape)
    probability = np.linspace(OUTERMOST, 1 - OUTERMOST, N_POINTS)
    for first in range(0, len(edges), AT_ONCE):
        some = slice(first, first + AT_ONCE)
        source, target = transform.of(edges[some, 0]), transform.of(edges[some, 1])
        z = np.quantile(sample.inputs(edges[some]), probability, axis=0)
        shown = np.broadcast_to(z.T, (len(sample.rows), *z.T.shape))
        forecasts = model.changed(sample, edges[some], shown)
        at[some] = source.inverse(z).T
        for k in range(N_POINTS):
            response[some, k] = target.inverse(forecasts[:, :, k]).mean(axis=0)
    return ResponseCurves(edges, at, response)


def gathered(
    graph: LaggedGraph,
    measured: list[Measured],
    deviation: Float[np.ndarray, "vars"],
    interval: str,
) -> Effects:
    """Effects of all edges as arrays ``[source, target, lag]``."""
    mean, low, high, share = (np.full(graph.marks.shape[:3], np.nan) for _ in range(4))
    for part in measured:
        cell = tuple(part.edges.T)
        mean[cell], share[cell] = part.mean, part.share
        low[cell], high[cell] = part.mean - part.half_width, part.mean + part.half_width
    curves = ResponseCurves(*map(np.concatenate, zip(*(p.curves for p in measured), strict=True)))
    return Effects(
        mean=mean,
        low=low,
        high=high,
        share=share,
        deviation=deviation,
        curves=curves,
        level=LEVEL,
        interval=interval,
    )
