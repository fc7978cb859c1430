"""Which lagged edges are effects, tested with values older than any edge as instruments."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int8

from jaxcause._precision import float64_where_asked
from jaxcause._typing import AnyArray
from jaxcause.discovery._refine.given_past import selected_past
from jaxcause.graph import Mark
from jaxcause.series import unrolled
from jaxcause.stats import (
    benjamini_hochberg,
    instrumental_regression,
    partial_correlation_test_from_data,
)

MOST_INSTRUMENTS = 512
"""In wide systems, instruments come from fewer time steps, so that about so many are used."""
ROWS_PER_NODE = 4
"""Windows that are needed for each lagged variable."""
DIFFERENCE_LEVEL = 0.05
"""Level at which an ordinary regression finds another effect than the instruments do."""
INVALID_LEVEL = 0.01
"""Level, for all targets together, at which the older past is no valid instrument for a target."""


class EffectVerdicts(NamedTuple):
    """What instruments say about each lagged edge ``[source, target, lag]``.

    Args:
        effect: Edges with an effect, at the false-discovery rate ``q``.
        hidden_cause: Edges without such an effect, for which an ordinary regression finds one:
            a hidden common cause is the reason.
        p_value: p-value of no effect; NaN where it was not tested.
        difference_p_value: p-value of no difference from an ordinary regression; 1 where it was not
            tested.
        doubted: Targets for which the older past is no valid instrument, such as those of a hidden
            cause with a long memory. There are no verdicts on edges into them.
    """

    effect: Bool[np.ndarray, "vars vars lags"]
    hidden_cause: Bool[np.ndarray, "vars vars lags"]
    p_value: Float[np.ndarray, "vars vars lags"]
    difference_p_value: Float[np.ndarray, "vars vars lags"]
    doubted: Bool[np.ndarray, "vars"]

    def summary(self) -> dict[str, Any]:
        """The numbers of verdicts, p-values, and doubted targets, for `RefineInfo`."""
        return {
            "p_value": self.p_value,
            "n_causes": int(self.effect.sum()),
            "n_explained": int(self.hidden_cause.sum()),
            "doubted": np.flatnonzero(self.doubted).tolist(),
        }


def instrument_verdicts(
    values: Float[AnyArray, "time vars"],
    edges: Bool[np.ndarray, "vars vars lags"],
    *,
    q: float,
    segment: Any = None,
    targets: Any = None,
) -> EffectVerdicts | None:
    r"""Test the effect of each edge, with values older than ``max_lag`` as instruments.

    .. math::

        X_j(t) = \sum_{(i,\ell)} \beta_{ij\ell} X_i(t-\ell) + e_j(t)

    A hidden cause makes :math:`e_j(t)` correlate with the :math:`X_i(t-\ell)` that it reaches, so
    that an ordinary regression is biased. The older past is a valid instrument on two conditions:
    the values of a hidden cause are independent in time, and it reaches no two variables more than
    ``max_lag`` apart. Then :math:`e_j(t)` correlates with nothing older, while the older past
    changes the :math:`X_i(t-\ell)`. These are the Yule-Walker equations at lags beyond those of the
    moving average that hidden causes make of the errors.

    Args:
        values: The series; rows with NaN are left out.
        edges: The edges to test; lag 0 is ignored.
        q: False-discovery rate over all edges.
        segment: Which unbroken stretch each row belongs to.
        targets: Which rows may be predicted; all if None.

    Returns:
        The verdicts; None if the series is too short.
    """
    n_vars, _, n_lags = edges.shape
    n_older = min(n_lags - 1, max(1, MOST_INSTRUMENTS // n_vars))
    windows = unrolled(values, n_vars, n_lags + n_older, segment, targets)
    if len(windows) < ROWS_PER_NODE * windows.shape[1]:
        return None
    test = partial_correlation_test_from_data(windows)
    regressors = selected_past(edges)
    fit = instrumental_regression(
        test.corr,
        test.n_samples,
        target=np.arange(n_vars),
        regressors=regressors,
        instruments=np.arange(test.n_nodes) >= n_vars * n_lags,
    )
    target, column = np.nonzero(regressors >= 0)
    lag, source = np.divmod(regressors[target, column], n_vars)
    p_value, difference = np.full(edges.shape, np.nan), np.ones(edges.shape)
    p_value[source, target, lag] = np.asarray(fit.p_value)[target, column]
    difference[source, target, lag] = np.asarray(fit.difference_p_value)[target, column]
    doubted = np.asarray(fit.overidentification_p_value) < INVALID_LEVEL / n_vars
    p_value[:, doubted], difference[:, doubted] = np.nan, 1.0
    with float64_where_asked(p_value):
        effect = np.asarray(benjamini_hochberg(p_value)) <= q
    hidden_cause = ~np.isnan(p_value) & ~effect & (difference < DIFFERENCE_LEVEL)
    return EffectVerdicts(effect, hidden_cause, p_value, difference, doubted)


def apply_verdicts(
    marks: Int8[np.ndarray, "vars vars lags 2"],
    verdicts: EffectVerdicts,
    required: Bool[np.ndarray, "vars vars lags"],
    *,
    alpha: float,
) -> Int8[np.ndarray, "vars vars lags 2"]:
    """Marks of a search, with ``-->`` at effects and ``<->`` at hidden causes.

    An edge that the search has removed stays out: contemporaneous effects, through which the past
    may act, are invisible to instruments. Without a verdict the marks of the search stay. An effect
    replaces ``<->`` of the search only if it is significant at ``alpha``, as the search's own tests
    are, or if its p-value is at most that of no difference from an ordinary regression.
    """
    changed = marks.copy()
    early, late = changed[..., 0], changed[..., 1]
    edges = (early != Mark.NONE) & ~required
    certain = verdicts.p_value <= np.maximum(alpha, verdicts.difference_p_value)
    effects = edges & verdicts.effect & ((early != Mark.ARROW) | certain)
    early[effects] = Mark.TAIL
    late[effects] = Mark.ARROW
    early[edges & verdicts.hidden_cause] = Mark.ARROW
    return changed
