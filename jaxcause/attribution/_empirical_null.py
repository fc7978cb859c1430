"""A null for scores, fitted to the scores themselves: see `jaxcause.attribution.empirical_null`."""

from typing import NamedTuple

import jax
import numpy as np
from jax.scipy.special import betainc, erfc
from jaxtyping import Bool, Float

MAD_TO_SIGMA = 1.4826
"""Median absolute deviation of a normal distribution, inverted."""
CLIP = 4.0
"""Scales below the median at which the smallest scores are cut: their tail may be long."""
APART = 1.75
"""Smallest distance of the mean edge from the mean non-edge, in scales of the non-edges."""
NARROWEST, WIDEST = 0.5, 3.0
"""Spread of the edges, in scales of the non-edges."""
MOST_EDGES = 0.5
"""Largest share of edges among candidates that can be told from the null."""
STARTS = (0.02, 0.06, 0.15, 0.3, 0.45)
"""Shares of edges from which the mixture is fitted."""
MAX_ITERATIONS = 100
TOLERANCE = 1e-6
ROUNDS = 3
"""Fits of the null, each after the targets were shifted by what the last one said."""
FEWEST = 8
"""Candidates below which there is no mixture to fit."""
TOP, BULK = 1024, 1024
"""Largest scores kept one by one, and quantiles that stand for all others, in the fit."""


class Mixture(NamedTuple):
    """Two normal components; arrays while several starts are fitted at a time."""

    null_mean: np.ndarray
    null_scale: np.ndarray
    edge_mean: np.ndarray
    edge_scale: np.ndarray
    edge_share: np.ndarray


class Null(NamedTuple):
    """p-values and local false-discovery rates of all candidates."""

    p_value: Float[np.ndarray, "sources targets lags"]
    local_fdr: Float[np.ndarray, "sources targets lags"]


class Centred(NamedTuple):
    """A null, what it says of every candidate, and how much each counts as a non-edge."""

    centre: float
    scale: float
    local_fdr: np.ndarray
    weight: np.ndarray
    alone: bool


def fit_null(
    scores: Float[np.ndarray, "sources targets lags"],
    candidates: Bool[np.ndarray, "sources targets lags"],
) -> Null:
    """Fit the null to the logarithms of the candidates' scores; what is no candidate has p = 1."""
    positive = candidates & (scores > 0)
    one = np.ones(scores.shape)
    z = 0.5 * np.log(np.where(positive, scores, 1.0))
    values = z[positive]
    centre, scale = _lower_half(values) if values.size else (0.0, 0.0)
    if 2 * positive.sum() <= candidates.sum() or scale == 0:
        # A null without spread: what exceeds it is no non-edge.
        above = positive if 2 * positive.sum() <= candidates.sum() else positive & (z > centre)
        return Null(np.where(above, 0.0, one), np.where(above, 0.0, one))
    z = np.maximum(z, centre - CLIP * scale)
    shifted, fitted = z, _centred(z, positive)
    for _ in range(ROUNDS - 1):
        shifted = z - _shrunk_shift(z - fitted.centre, fitted.weight * positive, fitted.scale)
        fitted = _centred(shifted, positive)
    standard = np.asarray((shifted - fitted.centre) / fitted.scale)
    p_value = _student_tail(standard, values.size) if fitted.alone else _normal_tail(standard)
    return Null(np.where(positive, p_value, one), np.where(positive, fitted.local_fdr, one))


def _centred(z: np.ndarray, positive: np.ndarray) -> Centred:
    """Fit the null once: by the mixture, or from the lower half where there is none."""
    values = z[positive]
    mixture = fit_mixture(values)
    if mixture is None:
        centre, scale = _lower_half(values)
        weight = (z <= centre + 2.5 * scale).astype(float)
        return Centred(centre, scale, np.zeros(z.shape), weight, alone=True)
    local = _monotone_local_fdr(z, mixture)
    return Centred(float(mixture.null_mean), float(mixture.null_scale), local, local, alone=False)


def fit_mixture(values: Float[np.ndarray, "candidates"]) -> Mixture | None:
    """Normal null and, apart to its right, normal edges; None where one normal does as well.

    Both are fitted by expectation and maximisation from several starts. The edges must be worth
    their three parameters by the Bayesian information criterion.
    """
    if values.size < FEWEST:
        return None
    x, weight = _condensed(values)
    total = weight.sum()
    mixture = _starts(x, weight)
    for _ in range(MAX_ITERATIONS):
        previous = mixture
        mixture = _maximise(x, weight, _edge_probability(x, mixture))
        moved = np.abs(mixture.null_mean - previous.null_mean) / mixture.null_scale
        if max(moved.max(), np.abs(mixture.edge_share - previous.edge_share).max()) < TOLERANCE:
            break
    null, edge = _log_densities(x, mixture)
    gain = (weight * np.logaddexp(null, edge)).sum(axis=1)
    best = int(np.argmax(gain))
    _, scale = _moments(x, weight[None])
    alone = -total * (np.log(scale[0]) + 0.5 + 0.5 * np.log(2 * np.pi))
    if gain[best] - alone <= 1.5 * np.log(total):
        return None
    return Mixture(*(np.asarray(part[best]) for part in mixture))


def _lower_half(values: np.ndarray) -> tuple[float, float]:
    """Median, and the larger of two scales of what lies below it, where edges are rare."""
    centre = np.median(values)
    below = centre - values[values <= centre]
    return float(centre), float(
        max(MAD_TO_SIGMA * np.median(below), np.sqrt((below**2).mean()))
        if np.median(below) > 0
        else 0.0
    )


def _condensed(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sorted values and their weights; all but the largest by quantiles where they are many."""
    x = np.sort(values)
    if x.size <= TOP + BULK:
        return x, np.ones(x.size)
    low, top = x[:-TOP], x[-TOP:]
    places = ((np.arange(BULK) + 0.5) / BULK * low.size).astype(int)
    return np.concatenate([low[places], top]), np.repeat([low.size / BULK, 1.0], [BULK, TOP])


def _moments(x: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weighted mean and standard deviation along the last axis; never quite zero."""
    total = np.maximum(weight.sum(axis=-1), 1e-12)
    mean = (weight * x).sum(axis=-1) / total
    variance = (weight * (x - mean[:, None]) ** 2).sum(axis=-1) / total
    return mean, np.sqrt(variance) + 1e-9


def _starts(x: np.ndarray, weight: np.ndarray) -> Mixture:
    """The mixtures in which the largest values are the edges."""
    above = np.cumsum(weight) / weight.sum() > 1 - np.array(STARTS)[:, None]
    above[:, -2:] = True
    return _maximise(x, weight, above.astype(float))


def _maximise(x: np.ndarray, weight: np.ndarray, probability: np.ndarray) -> Mixture:
    """The mixture under which these probabilities of being an edge are most likely."""
    total = weight.sum()
    null_mean, null_scale = _moments(x, weight * (1 - probability))
    edge_mean, edge_scale = _moments(x, weight * probability)
    return Mixture(
        null_mean,
        null_scale,
        np.maximum(edge_mean, null_mean + APART * null_scale),
        np.clip(edge_scale, NARROWEST * null_scale, WIDEST * null_scale),
        np.clip((weight * probability).sum(axis=1) / total, 1 / total, 1 - MOST_EDGES),
    )


def _edge_probability(x: np.ndarray, mixture: Mixture) -> np.ndarray:
    """Probability of being an edge for sorted values: 0 below the null's mean, then rising."""
    null, edge = _log_densities(x, mixture)
    probability = np.exp(edge - np.logaddexp(null, edge))
    probability = np.where(x < mixture.null_mean[:, None], 0.0, probability)
    return np.maximum.accumulate(probability, axis=1)


def _monotone_local_fdr(z: np.ndarray, mixture: Mixture) -> np.ndarray:
    """Chance that a candidate of this score is no edge; never rises with the score."""
    order = np.argsort(z, axis=None)
    one = Mixture(*(part[None] for part in mixture))
    local = np.empty(z.size)
    local[order] = 1 - _edge_probability(z.ravel()[order], one)[0]
    return local.reshape(z.shape)


def _log_densities(x: np.ndarray, mixture: Mixture) -> tuple[np.ndarray, np.ndarray]:
    """Of non-edges and of edges, weighted by their shares, ``[starts, values]``."""
    null_mean, null_scale, edge_mean, edge_scale, share = (part[:, None] for part in mixture)
    null = np.log1p(-share) + _log_normal(x, null_mean, null_scale)
    return null, np.log(share) + _log_normal(x, edge_mean, edge_scale)


def _log_normal(x: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return -0.5 * ((x - mean) / scale) ** 2 - np.log(scale) - 0.5 * np.log(2 * np.pi)


def _shrunk_shift(residual: np.ndarray, weight: np.ndarray, scale: float) -> np.ndarray:
    """Mean of each target's non-edges, shrunk to 0 by how much such means differ by chance."""
    number = np.maximum(weight.sum(axis=(0, 2), keepdims=True), 1.0)
    mean = (weight * residual).sum(axis=(0, 2), keepdims=True) / number
    chance = scale**2 / number
    between = max(0.0, float((mean**2 - chance).mean()))
    return mean * between / (between + chance)


def _normal_tail(standard: np.ndarray) -> np.ndarray:
    with jax.enable_x64(True):
        return 0.5 * np.asarray(erfc(jax.device_put(standard / np.sqrt(2))))


def _student_tail(standard: np.ndarray, n_values: int) -> np.ndarray:
    """Tail of what a normal becomes if median and lower scale come from that many values."""
    t = standard / np.sqrt(1 + 0.5 * np.pi / n_values)
    degrees = 0.5 * n_values
    with jax.enable_x64(True):
        half = np.full(t.shape, 0.5 * degrees)
        beta = (half, np.full(t.shape, 0.5), degrees / (degrees + t**2))
        both = np.asarray(betainc(*jax.device_put(beta)))
    return np.where(t > 0, 0.5 * both, 1 - 0.5 * both)
