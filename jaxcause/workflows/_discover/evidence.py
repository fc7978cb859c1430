"""How strongly every link speaks for itself: in linear models, and in the gradients."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from jaxcause.workflows._discover.forecast import FittedForecaster
from jaxcause.workflows._discover.prepare import Prepared
from jaxcause.workflows._discover.scores import EdgeScores

LINEAR = "evidence of linear effects: mean |t| over light and heavy penalties"
GRADIENTS = (
    "evidence of the forecaster: root gradient energy over its standard error, with that of linear "
    "effects"
)
BY_TARGET = (
    "evidence by target: mean |t| over penalties or, where the Transformer forecasts better, root "
    "gradient energy over its standard error with it"
)
LINEAR_SHARE = 0.5
"""What linear evidence counts beside that of gradients, both in units of their median."""
SMALLEST = 1e-12
"""Added to evidence before its logarithm."""


class Evidence(NamedTuple):
    """Evidence for every link, ``[source, target, lag]``.

    Args:
        total: What links are ranked by.
        gradients: The part of the gradients, for all targets; None if they are not used.
        measure: What it is.
    """

    total: Float[np.ndarray, "vars vars lags"]
    gradients: Float[np.ndarray, "vars vars lags"] | None
    measure: str


def combined_evidence(
    data: Prepared,
    fitted: FittedForecaster,
    scores: EdgeScores,
    *,
    from_gradients: Bool[np.ndarray, "vars"],
) -> Evidence:
    """The evidence of the linear model, and that of the gradients with it where they say more.

    Both are measured in their median over links between variables, and their squares are added, a
    quarter of the linear one. If only some targets are forecast better by the Transformer, their
    evidence is brought to the scale of the linear one: the medians over the links into a target
    agree.
    """
    if not from_gradients.any():
        return Evidence(data.linear_evidence(), None, LINEAR)
    gradients, linear = gradient_evidence(data, fitted, scores), data.linear_evidence()
    with_linear = np.hypot(_in_medians(gradients, data), LINEAR_SHARE * _in_medians(linear, data))
    if from_gradients.all():
        return Evidence(with_linear, gradients, GRADIENTS)
    scale = np.exp(_median_log(linear, data) - _median_log(with_linear, data))
    total = np.where(from_gradients[None, :, None], with_linear * scale[None, :, None], linear)
    return Evidence(total, gradients, BY_TARGET)


def gradient_evidence(
    data: Prepared, fitted: FittedForecaster, scores: EdgeScores
) -> Float[np.ndarray, "vars vars lags"]:
    r"""Root gradient energy over its standard error.

    .. math:: \sqrt{N\, \mathrm E[(\partial f_i / \partial x_k)^2]\;
        \mathrm{Var}(x_k \mid x_{-k}) \,/\, \hat\sigma_i^2}

    with the N windows, the linear conditional variance of the input given all others, and the
    held-out error variance of the target. For a linear model it is the absolute t-statistic. An
    input that others nearly determine can have any gradient without a trace in the forecast; the
    conditional variance says how much of the gradient the data have seen.
    """
    energy = scores.total if scores.alone is None else scores.alone
    moments = data.moments
    error = np.maximum(np.nanmean(fitted.residuals**2, axis=0), SMALLEST)
    seen = moments.conditional_variances()[:, None, :] / error[None, :, None]
    evidence = np.sqrt(moments.n_windows * energy * seen)
    return np.where(data.known.lagged.allowed, evidence, 0.0)


def _in_medians(evidence: np.ndarray, data: Prepared) -> Float[np.ndarray, "vars vars lags"]:
    """Evidence in units of its median over links between variables."""
    cross = data.candidates & ~np.eye(len(evidence), dtype=bool)[:, :, None]
    return evidence / max(float(np.median(evidence[cross])), SMALLEST) if cross.any() else evidence


def _median_log(evidence: np.ndarray, data: Prepared) -> Float[np.ndarray, "vars"]:
    """Median over the candidate links into each target, as a logarithm."""
    allowed = data.candidates
    logs = np.where(allowed, np.log(evidence + SMALLEST), np.nan)
    some = allowed.any(axis=(0, 2))
    logs[:, ~some] = 0.0
    return np.nanmedian(logs, axis=(0, 2))
