"""Which selected edges are effects, told by what is older than any edge or hidden cause is long."""

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
"""About as many are used at most: of wide systems, fewer time steps beyond the longest lag."""
ROWS_PER_NODE = 4
"""Windows that are needed for each lagged variable."""
EXPLAINED = 0.05
"""Level at which an edge is more than its effect: a hidden cause explains the rest."""
DOUBTED = 0.01
"""Level, for all targets together, at which the past is no instrument for a target."""


class Settled(NamedTuple):
    """What instruments say of each lagged edge ``[source, target, lag]``.

    Args:
        causes: Effects, at the false-discovery rate asked for.
        explained: No such effect, but an ordinary regression finds one: a hidden cause.
        p_value: Of no effect; NaN where it was not tested.
        difference: p-value of no difference from an ordinary regression; 1 where not tested.
        doubted: Targets with which the past shares a hidden cause, too: nothing said of them.
    """

    causes: Bool[np.ndarray, "vars vars lags"]
    explained: Bool[np.ndarray, "vars vars lags"]
    p_value: Float[np.ndarray, "vars vars lags"]
    difference: Float[np.ndarray, "vars vars lags"]
    doubted: Bool[np.ndarray, "vars"]

    @property
    def info(self) -> dict[str, Any]:
        """What a result tells of it."""
        return {
            "p_value": self.p_value,
            "n_causes": int(self.causes.sum()),
            "n_explained": int(self.explained.sum()),
            "doubted": np.flatnonzero(self.doubted).tolist(),
        }


def settle(
    values: Float[AnyArray, "time vars"],
    edges: Bool[np.ndarray, "vars vars lags"],
    *,
    q: float,
    segment: Any = None,
) -> Settled | None:
    r"""Test the effect of each edge, with what is older than ``max_lag`` as instruments.

    .. math::

        X_j(t) = \sum_{(i,\ell)} \beta_{ij\ell} X_i(t-\ell) + e_j(t)

    A hidden cause makes :math:`e_j(t)` correlate with the :math:`X_i(t-\ell)` that it reaches. If
    its own values are independent in time and it reaches no two variables more than ``max_lag``
    apart, :math:`e_j(t)` correlates with nothing older, and the older past moves the
    :math:`X_i(t-\ell)`. The equations are those of Yule and Walker at lags beyond those of the
    moving average that hidden causes make of the errors.

    Args:
        values: The series; rows with NaN are left out.
        edges: Those to test; lag 0 is not looked at.
        q: False-discovery rate over them all.
        segment: Which unbroken stretch each row belongs to.

    Returns:
        None where the series is too short.
    """
    n_vars, _, n_lags = edges.shape
    older = min(n_lags - 1, max(1, MOST_INSTRUMENTS // n_vars))
    windows = unrolled(values, n_vars, n_lags + older, segment)
    if len(windows) < ROWS_PER_NODE * windows.shape[1]:
        return None
    test = partial_correlation_test_from_data(windows)
    nodes = selected_past(edges)
    found = instrumental_regression(
        test.corr,
        test.n_samples,
        target=np.arange(n_vars),
        regressors=nodes,
        instruments=np.arange(test.n_nodes) >= n_vars * n_lags,
    )
    target, column = np.nonzero(nodes >= 0)
    lag, source = np.divmod(nodes[target, column], n_vars)
    p_value, difference = np.full(edges.shape, np.nan), np.ones(edges.shape)
    p_value[source, target, lag] = np.asarray(found.p_value)[target, column]
    difference[source, target, lag] = np.asarray(found.difference_p_value)[target, column]
    doubted = np.asarray(found.overidentification_p_value) < DOUBTED / n_vars
    p_value[:, doubted], difference[:, doubted] = np.nan, 1.0
    with float64_where_asked(p_value):
        causes = np.asarray(benjamini_hochberg(p_value)) <= q
    explained = ~np.isnan(p_value) & ~causes & (difference < EXPLAINED)
    return Settled(causes, explained, p_value, difference, doubted)


def marked(
    marks: Int8[np.ndarray, "vars vars lags 2"],
    settled: Settled,
    required: Bool[np.ndarray, "vars vars lags"],
    *,
    alpha: float,
) -> Int8[np.ndarray, "vars vars lags 2"]:
    """The marks of a search, where instruments tell: ``-->`` an effect, ``<->`` a hidden cause.

    What the search separated stays out: instruments do not see effects within a time step, through
    which the past may act. Where they are too weak to tell, the marks of the search stay. Against
    its ``<->`` an effect stands that is significant at ``alpha``, as the search's tests are, or
    that is surer than the hidden cause: p-values of no effect, and of no difference from an
    ordinary regression.
    """
    changed = marks.copy()
    early, late = changed[..., 0], changed[..., 1]
    there = (early != Mark.NONE) & ~required
    sure = settled.p_value <= np.maximum(alpha, settled.difference)
    causes = there & settled.causes & ((early != Mark.ARROW) | sure)
    early[causes] = Mark.TAIL
    late[causes] = Mark.ARROW
    early[there & settled.explained] = Mark.ARROW
    return changed
