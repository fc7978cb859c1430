"""The null distribution fitted to scores: see `jaxcause.attribution.empirical_null`."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from jaxcause.stats._tails import erfc, student_p_value

MAD_TO_SIGMA = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""
HALF_NORMAL_MEDIAN = 0.6745
"""Median of the absolute value of a standard normal variable."""
DEGREES_OF_MEDIAN = 0.37
"""A scale made of the median of n such variables is as uncertain as one of so many times n degrees
of freedom."""
LARGEST_SCALE = 3.0
"""Bound on the scale of evidence without edges. In simulated nonlinear systems of three to six
variables its 95 % quantiles were 1.3 to 2.5 times those of a half-normal variable."""
CLIP = 4.0
"""Small scores are clipped this many scales below the median, since their tail may be long."""
MIN_SEPARATION = 1.75
"""Smallest distance between the means of edges and non-edges, in scales of the non-edges."""
NARROWEST, WIDEST = 0.5, 3.0
"""Bounds on the scale of the edges, in scales of the non-edges."""
MOST_EDGES = 0.5
"""Largest share of edges among the candidates for which the null can be identified."""
STARTS = (0.02, 0.06, 0.15, 0.3, 0.45)
"""Shares of edges from which the fits of the mixture start."""
MAX_ITERATIONS = 100
TOLERANCE = 1e-6
ROUNDS = 3
"""Fits of the null; between two fits, each target is shifted by the mean of its non-edges."""
FEWEST = 8
"""Smallest number of candidates for which a mixture is fitted."""
TOP, BULK = 1024, 1024
"""Number of largest scores that enter the fit one by one, and of quantiles for all other scores."""


class Mixture(NamedTuple):
    """Two normal components; each field is an array while several starts are fitted together."""

    null_mean: np.ndarray
    null_scale: np.ndarray
    edge_mean: np.ndarray
    edge_scale: np.ndarray
    edge_share: np.ndarray


class Null(NamedTuple):
    """p-values and local false-discovery rates of all candidates, and how far edges stand apart.

    ``separation`` is the distance between the means of edges and non-edges in scales of the
    non-edges; 0 if a single component was fitted, infinite if most scores are zero.
    """

    p_value: Float[np.ndarray, "sources targets lags"]
    local_fdr: Float[np.ndarray, "sources targets lags"]
    separation: float


class Centred(NamedTuple):
    """One fit of the null.

    Args:
        centre: Mean of the non-edges.
        scale: Their standard deviation.
        local_fdr: Local false-discovery rate of each candidate.
        weight: Weight of each candidate as a non-edge.
        separation: Distance of the mean of the edges, in scales of the non-edges; 0 if a single
            component was fitted, without edges.
    """

    centre: float
    scale: float
    local_fdr: np.ndarray
    weight: np.ndarray
    separation: float


def fit_null(
    scores: Float[np.ndarray, "sources targets lags"],
    candidates: Bool[np.ndarray, "sources targets lags"],
) -> Null:
    """Fit the null to the logarithms of the candidates' scores; all other entries have p = 1."""
    positive = candidates & (scores > 0)
    one = np.ones(scores.shape)
    z = 0.5 * np.log(np.where(positive, scores, 1.0))
    values = z[positive]
    centre, scale = _lower_half(values) if values.size else (0.0, 0.0)
    if 2 * positive.sum() <= candidates.sum() or scale == 0:
        # The null has no spread, so every larger score is an edge.
        above = positive if 2 * positive.sum() <= candidates.sum() else positive & (z > centre)
        return Null(np.where(above, 0.0, one), np.where(above, 0.0, one), np.inf)
    z = np.maximum(z, centre - CLIP * scale)
    shifted, fitted = z, _centred(z, positive)
    for _ in range(ROUNDS - 1):
        shifted = z - _shrunk_shift(z - fitted.centre, fitted.weight * positive, fitted.scale)
        fitted = _centred(shifted, positive)
    standard = np.asarray((shifted - fitted.centre) / fitted.scale)
    p_value = (
        _student_tail(standard, values.size) if fitted.separation == 0 else _normal_tail(standard)
    )
    local_fdr = np.where(positive, fitted.local_fdr, one)
    return Null(np.where(positive, p_value, one), local_fdr, fitted.separation)


def _centred(z: np.ndarray, positive: np.ndarray) -> Centred:
    """Fit the null once, by the mixture or, if there is none, from the lower half."""
    values = z[positive]
    mixture = fit_mixture(values)
    if mixture is None:
        centre, scale = _lower_half(values)
        weight = (z <= centre + 2.5 * scale).astype(float)
        return Centred(centre, scale, np.zeros(z.shape), weight, separation=0.0)
    local = _monotone_local_fdr(z, mixture)
    mean, scale = float(mixture.null_mean), float(mixture.null_scale)
    return Centred(mean, scale, local, local, (float(mixture.edge_mean) - mean) / scale)


def half_normal_p_value(
    evidence: Float[np.ndarray, "sources targets lags"],
    cross: Bool[np.ndarray, "sources targets lags"],
    *,
    bounded: bool,
) -> Float[np.ndarray, "sources targets lags"]:
    """Tails of |N(0, s²)|, with the s that makes its median that of the ``cross`` entries.

    They are those of Student's t, as s is uncertain: as much as a standard deviation of 0.37 n
    degrees of freedom. Edges raise the median without end; if ``bounded``, the tail with the
    largest scale that evidence has without edges is taken where it is smaller.
    """
    scale = float(np.median(evidence[cross])) / HALF_NORMAL_MEDIAN if cross.any() else 0.0
    if scale == 0:
        return np.where(evidence > 0, 0.0, 1.0)
    p_value = student_p_value(evidence / scale, max(DEGREES_OF_MEDIAN * cross.sum(), 1.0))
    tail = erfc(evidence / (LARGEST_SCALE * np.sqrt(2)))
    return np.minimum(p_value, tail) if bounded else p_value


def fit_mixture(values: Float[np.ndarray, "candidates"]) -> Mixture | None:
    """A normal null and a normal component of edges to its right; None if one normal suffices.

    Both are fitted by expectation and maximisation from several starts. The component of edges must
    pay for its three parameters by the Bayesian information criterion.
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
    """The median, and the larger of two scales of the values below it, where edges are rare."""
    centre = np.median(values)
    below = centre - values[values <= centre]
    return float(centre), float(
        max(MAD_TO_SIGMA * np.median(below), np.sqrt((below**2).mean()))
        if np.median(below) > 0
        else 0.0
    )


def _condensed(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sorted values and their weights; if they are many, quantiles replace all but the largest."""
    x = np.sort(values)
    if x.size <= TOP + BULK:
        return x, np.ones(x.size)
    low, top = x[:-TOP], x[-TOP:]
    places = ((np.arange(BULK) + 0.5) / BULK * low.size).astype(int)
    return np.concatenate([low[places], top]), np.repeat([low.size / BULK, 1.0], [BULK, TOP])


def _moments(x: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weighted mean and standard deviation along the last axis; the deviation is never zero."""
    total = np.maximum(weight.sum(axis=-1), 1e-12)
    mean = (weight * x).sum(axis=-1) / total
    variance = (weight * (x - mean[:, None]) ** 2).sum(axis=-1) / total
    return mean, np.sqrt(variance) + 1e-9


def _starts(x: np.ndarray, weight: np.ndarray) -> Mixture:
    """Initial mixtures in which the largest values are the edges."""
    above = np.cumsum(weight) / weight.sum() > 1 - np.array(STARTS)[:, None]
    above[:, -2:] = True
    return _maximise(x, weight, above.astype(float))


def _maximise(x: np.ndarray, weight: np.ndarray, probability: np.ndarray) -> Mixture:
    """The maximum-likelihood mixture for given probabilities of being an edge."""
    total = weight.sum()
    null_mean, null_scale = _moments(x, weight * (1 - probability))
    edge_mean, edge_scale = _moments(x, weight * probability)
    return Mixture(
        null_mean,
        null_scale,
        np.maximum(edge_mean, null_mean + MIN_SEPARATION * null_scale),
        np.clip(edge_scale, NARROWEST * null_scale, WIDEST * null_scale),
        np.clip((weight * probability).sum(axis=1) / total, 1 / total, 1 - MOST_EDGES),
    )


def _edge_probability(x: np.ndarray, mixture: Mixture) -> np.ndarray:
    """Probability of being an edge for sorted values: 0 below the null's mean, then increasing."""
    null, edge = _log_densities(x, mixture)
    probability = np.exp(edge - np.logaddexp(null, edge))
    probability = np.where(x < mixture.null_mean[:, None], 0.0, probability)
    return np.maximum.accumulate(probability, axis=1)


def _monotone_local_fdr(z: np.ndarray, mixture: Mixture) -> np.ndarray:
    """Probability that a candidate is no edge; it never increases with the score."""
    order = np.argsort(z, axis=None)
    one = Mixture(*(part[None] for part in mixture))
    local = np.empty(z.size)
    local[order] = 1 - _edge_probability(z.ravel()[order], one)[0]
    return local.reshape(z.shape)


def _log_densities(x: np.ndarray, mixture: Mixture) -> tuple[np.ndarray, np.ndarray]:
    """Log-densities of non-edges and of edges, weighted by their shares, ``[starts, values]``."""
    null_mean, null_scale, edge_mean, edge_scale, share = (part[:, None] for part in mixture)
    null = np.log1p(-share) + _log_normal(x, null_mean, null_scale)
    return null, np.log(share) + _log_normal(x, edge_mean, edge_scale)


def _log_normal(x: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return -0.5 * ((x - mean) / scale) ** 2 - np.log(scale) - 0.5 * np.log(2 * np.pi)


def _shrunk_shift(residual: np.ndarray, weight: np.ndarray, scale: float) -> np.ndarray:
    """Mean of each target's non-edges, shrunk towards 0 by the chance variance of such means."""
    number = np.maximum(weight.sum(axis=(0, 2), keepdims=True), 1.0)
    mean = (weight * residual).sum(axis=(0, 2), keepdims=True) / number
    chance = scale**2 / number
    between = max(0.0, float((mean**2 - chance).mean()))
    return mean * between / (between + chance)


def _normal_tail(standard: np.ndarray) -> np.ndarray:
    return 0.5 * np.asarray(erfc(standard / np.sqrt(2)))


def _student_tail(standard: np.ndarray, n_values: int) -> np.ndarray:
    """The normal tail, widened for a median and a scale estimated from ``n_values`` values."""
    t = standard / np.sqrt(1 + 0.5 * np.pi / n_values)
    both = student_p_value(t, 0.5 * n_values)
    return np.where(t > 0, 0.5 * both, 1 - 0.5 * both)
