"""Fourth stage: from scores to edges."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from jaxcause._typing import AnyArray
from jaxcause.attribution import empirical_null
from jaxcause.graph import LaggedGraph
from jaxcause.workflows._discover.forecast import FittedForecaster
from jaxcause.workflows._discover.prepare import Prepared
from jaxcause.workflows._discover.scores import READOUTS, EdgeScores
from jaxcause.workflows._discover.training import LONG

LINEAR_SCORE = "absolute t-statistic of the ridge regression"

SelectionRule = Callable[[Float[AnyArray, "vars vars lags"]], LaggedGraph]
"""Maps scores ``[source, target, lag]`` to edges."""


class SelectedEdges(NamedTuple):
    """Edges, and what they were chosen by.

    Args:
        graph: The edges.
        scores: What they were chosen by, ``[source, target, lag]``.
        strength: The size of each effect.
        supported: The edges that were chosen before knowledge was applied.
        rule: ``"t-tests"`` of the linear model, ``"empirical null"`` of the scores, ``"given"``.
        measure: What the scores are.
        p_value: By the rule, NaN where nothing was tested; None if the caller's rule chose.
        q_value: The same.
    """

    graph: LaggedGraph
    scores: Float[AnyArray, "vars vars lags"]
    strength: Float[AnyArray, "vars vars lags"]
    supported: Bool[np.ndarray, "vars vars lags"]
    rule: str
    measure: str
    p_value: Float[np.ndarray, "vars vars lags"] | None = None
    q_value: Float[np.ndarray, "vars vars lags"] | None = None


def t_tests_decide(data: Prepared, fitted: FittedForecaster, *, rule: SelectionRule | None) -> bool:
    """Whether the t-tests of the linear model choose the edges: see `select_edges`."""
    return (
        rule is None
        and fitted.forecaster.config.head == "mean"
        and len(data.split.train) < LONG
        and fitted.linear_is_as_good
    )


def linear_energy(data: Prepared) -> Float[np.ndarray, "vars vars lags"]:
    """The gradient energy of the linear model: its squared coefficients on all windows."""
    coefficients = data.linear_on_all(ridge=data.ridge).coefficients
    return np.where(data.known.lagged.allowed, coefficients, 0.0) ** 2


def select_edges(
    data: Prepared,
    fitted: FittedForecaster,
    scores: EdgeScores,
    *,
    q: float,
    rule: SelectionRule | None,
    readout: str | None,
) -> SelectedEdges:
    """Keep edges by the caller's rule, by t-tests, or by the empirical null of the scores.

    On short series on which a linear model forecasts as well, its t-tests have more power. They
    are not used on long ones, where they also find dependences that no forecast profits from, such
    as those that hidden causes leave. Forbidden links are never kept, required ones always are.

    Args:
        data: The series.
        fitted: The forecaster.
        scores: Its scores.
        q: False-discovery rate.
        rule: The caller's rule, if there is one.
        readout: The readout that the caller wants, if any.
    """
    total, known = scores.total, data.known.lagged
    strength = np.sqrt(total) if READOUTS[scores.name].squared else total
    test = None
    if rule is not None:
        graph, how = rule(total), "given"
    elif t_tests_decide(data, fitted, rule=rule):
        test = data.linear_on_all()
        graph, how = LaggedGraph.from_mask(test.q_value <= q), "t-tests"
    else:
        test = empirical_null(total, candidates=known.allowed)
        graph, how = test.edges(q), "empirical null"
    supported = np.asarray(graph.directed)
    if not known.is_trivial:
        graph = LaggedGraph.from_mask((supported & known.allowed) | known.required)
    measure = scores.name.replace("_", " ")
    if how == "t-tests" and readout is None:
        # A coefficient of a column that others nearly determine is large by chance; its t-value is
        # not. The penalty keeps the noise of short series out of the order.
        fit, measure = data.linear_on_all(ridge=data.ridge), LINEAR_SCORE
        total, strength = (
            np.abs(np.where(known.allowed, part, 0.0))
            for part in (fit.t_statistic, fit.coefficients)
        )
    chosen = SelectedEdges(graph, total, strength, supported, how, measure)
    if test is None:
        return chosen
    p_value = np.where(known.allowed, test.p_value, np.nan)
    return chosen._replace(p_value=p_value, q_value=np.asarray(test.q_value))
