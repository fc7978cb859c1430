"""What forecasts of the held-out windows lose without each input."""

import numpy as np
from jaxtyping import Int

from jaxcause.attribution import PredictiveImpact, predictive_impact
from jaxcause.models.forecaster import predictor
from jaxcause.workflows._discover.forecast import FittedForecaster
from jaxcause.workflows._discover.prepare import Prepared
from jaxcause.workflows._discover.progress import stage
from jaxcause.workflows._discover.random_keys import default_key
from jaxcause.workflows._discover.scores import spread_windows

FEWEST_WINDOWS = 30
"""Held-out windows below which a t-test over them has next to no power."""
MOST_WINDOWS, MOST_FOR_REGRESSIONS = 10_000, 20_000
"""Windows that are forecast, and windows that the regressions of the inputs are fitted on."""
MOST_DRAWS = 4
MOST_EFFORT = 5e10
"""Operations of all forecasts: a few seconds on two cores."""


def shared_number(n: int) -> int:
    """Rounded down by less than an eighth: series of about the same length share a program.

    >>> [shared_number(n) for n in (7, 97, 100, 498)]
    [7, 96, 96, 480]
    """
    return n - n % 2 ** max(n.bit_length() - 4, 0)


def held_out_impact(
    data: Prepared, fitted: FittedForecaster, *, progress: bool
) -> PredictiveImpact | None:
    """The predictive impact of every input, each regime on its own windows.

    None if the forecaster is the linear model alone or forecasts more than a mean, if few windows
    were held out, or if the forecasts would take too long.
    """
    forecaster = fitted.forecaster
    config = forecaster.config
    if config.head != "mean" or forecaster.weight == 0:
        return None
    effort = config.flops * config.n_vars * config.max_lag
    affordable = int(min(MOST_EFFORT / effort, MOST_WINDOWS))
    starts, n_all = data.split.held_out, sum(map(len, data.split))
    most = shared_number(min(len(starts), affordable))
    starts = starts[np.unique(np.linspace(0, len(starts) - 1, most).astype(int))]
    law = spread_windows(data, shared_number(min(n_all, MOST_FOR_REGRESSIONS))).windows
    if len(starts) < FEWEST_WINDOWS or len(law) <= law.shape[1] * law.shape[2]:
        return None
    domain = np.zeros(len(starts), int)
    if data.domain is not None:
        domain = np.asarray(data.domain)[starts + data.max_lag]
    n_draws = int(np.clip(affordable // len(starts), 1, MOST_DRAWS))
    with stage("Forecasting without each input", show=progress):
        parts = [
            _of_regime(data, fitted, starts[domain == regime], int(regime), law, n_draws)
            for regime in np.unique(domain)
            if (domain == regime).sum() > 1
        ]
    return _pooled(parts) if parts else None


def _of_regime(
    data: Prepared,
    fitted: FittedForecaster,
    starts: Int[np.ndarray, "windows"],
    regime: int,
    law: np.ndarray,
    n_draws: int,
) -> PredictiveImpact:
    forecaster = fitted.forecaster
    return predictive_impact(
        predictor(forecaster.config, forecaster.params, domain=regime),
        data.filled[starts[:, None] + np.arange(data.max_lag)].astype(np.float32),
        data.values[starts + data.max_lag].astype(np.float32),
        key=default_key(),
        n_draws=n_draws,
        regressed_on=law,
    )


def _pooled(parts: list[PredictiveImpact]) -> PredictiveImpact:
    """The mean over the windows of all parts."""
    parts = [PredictiveImpact(*(np.asarray(field, np.float64) for field in part)) for part in parts]
    n_windows = np.sum([part.n_windows for part in parts], axis=0)
    share = [(part.n_windows / np.maximum(n_windows, 1))[None, :, None] for part in parts]
    both = list(zip(share, parts, strict=True))
    impact = np.sum([s * part.impact for s, part in both], axis=0)
    variance = np.sum([(s * part.standard_error) ** 2 for s, part in both], axis=0)
    return PredictiveImpact(impact, np.sqrt(variance), n_windows)
