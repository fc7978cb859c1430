"""Fourth stage: from scores to edges."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from jaxcause._typing import AnyArray
from jaxcause.attribution import select_fdr
from jaxcause.graph import LaggedGraph
from jaxcause.stats import VarFit
from jaxcause.workflows._discover.evidence import combined_evidence
from jaxcause.workflows._discover.forecast import FittedForecaster
from jaxcause.workflows._discover.prepare import Prepared
from jaxcause.workflows._discover.scores import READOUTS, EdgeScores
from jaxcause.workflows._discover.training import LONG

TYPICAL = 0.6745
"""Median of the absolute value of a standard normal variable."""
WIDEST = 1.434
"""How much larger the median |t| may be if a quarter of all candidates are edges: the median of the
others is then their quantile of two thirds."""
FEWEST = 200
"""Candidates below which the median |t| says little of chance."""

SelectionRule = Callable[[Float[AnyArray, "vars vars lags"]], LaggedGraph]
"""Maps scores ``[source, target, lag]`` to edges."""


class SelectedEdges(NamedTuple):
    """Edges, and what they were chosen by.

    Args:
        graph: The edges.
        scores: What they were chosen by, ``[source, target, lag]``.
        strength: The size of each effect.
        supported: The edges that were chosen before knowledge was applied.
        rule: ``"t-tests"`` of the linear model, ``"empirical null"`` of the scores, ``"both"``, by
            target, or ``"given"``.
        measure: What the scores are.
        by_tests: The targets whose edges t-tests chose.
        widened: Factor by which the t-tests were widened.
    """

    graph: LaggedGraph
    scores: Float[AnyArray, "vars vars lags"]
    strength: Float[AnyArray, "vars vars lags"]
    supported: Bool[np.ndarray, "vars vars lags"]
    rule: str
    measure: str
    by_tests: Bool[np.ndarray, "vars"]
    widened: float


def targets_by_tests(
    data: Prepared, fitted: FittedForecaster, *, rule: SelectionRule | None
) -> Bool[np.ndarray, "vars"]:
    """The targets whose edges the t-tests of the linear model choose: see `select_edges`."""
    return ~fitted.gain.targets & (rule is None and _is_short(data, fitted))


def _is_short(data: Prepared, fitted: FittedForecaster) -> bool:
    """Whether the linear model is asked besides the Transformer."""
    return len(data.split.train) < LONG and fitted.forecaster.config.head == "mean"


def linear_scores(data: Prepared) -> EdgeScores:
    """The gradient energy of the linear model: its squared coefficients on all windows."""
    coefficients = data.linear_on_all(ridge=data.ridge).coefficients
    n_windows = sum(map(len, data.split))
    return EdgeScores("gradient_energy", coefficients**2, {}, None, n_windows)


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

    On short series, t-tests of the linear model choose the edges of every target to whose forecast
    the Transformer adds nothing that counts: they have more power there. They are not used on long
    series, where they also find dependences that no forecast profits from, such as those that
    hidden causes leave. Forbidden links are never kept, required ones always are.

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
    by_tests = targets_by_tests(data, fitted, rule=rule)
    measure, widened = scores.name.replace("_", " "), 1.0
    ranked = total
    if rule is None and readout is None and _is_short(data, fitted):
        evidence = combined_evidence(data, fitted, scores, from_gradients=~by_tests)
        ranked, measure = evidence.total, evidence.measure
        total = evidence.gradients**2 if evidence.gradients is not None else total
    if rule is not None:
        supported, how = np.asarray(rule(total).directed), "given"
    else:
        supported, how = np.zeros(known.allowed.shape, bool), "t-tests"
        if not by_tests.all():
            found = select_fdr(total, q=q, candidates=known.allowed)
            supported, how = np.array(found.directed), "empirical null"
        if by_tests.any():
            fit, widened = widened_tests(data.linear_on_all())
            supported[:, by_tests] = (fit.q_value <= q)[:, by_tests]
            how = "t-tests" if by_tests.all() else "both"
    graph = LaggedGraph.from_mask((supported & known.allowed) | known.required)
    if by_tests.all() and readout is None:
        coefficients = data.linear_on_all(ridge=data.ridge).coefficients
        strength = np.abs(np.where(known.allowed, coefficients, 0.0))
    return SelectedEdges(graph, ranked, strength, supported, how, measure, by_tests, widened)


def widened_tests(fit: VarFit) -> tuple[VarFit, float]:
    """The t-tests, widened if their bulk is: if the median |t| is larger than edges can explain.

    Dependent errors and hidden causes that act on many variables make all t-statistics too large.
    Where even a quarter of true edges would not explain their median, they are divided by what
    makes that median the one of chance (Devlin & Roeder 1999, "Genomic control"; Efron 2004).

    Returns:
        The tests, and the factor.
    """
    cross = fit.tested & ~np.eye(len(fit.degrees), dtype=bool)[:, :, None]
    if cross.sum() < FEWEST:
        return fit, 1.0
    factor = float(np.median(np.abs(fit.t_statistic[cross]))) / TYPICAL
    if factor <= WIDEST:
        return fit, 1.0
    return fit._replace(t_statistic=fit.t_statistic / factor), factor
