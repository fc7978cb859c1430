"""Fourth stage: from scores to edges."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from jaxcause._typing import AnyArray
from jaxcause.attribution import EdgeTest, PredictiveImpact, empirical_null, evidence_null
from jaxcause.attribution._empirical_null import HALF_NORMAL_MEDIAN
from jaxcause.attribution._select import STANDS_APART, UNLIKELY_EDGE
from jaxcause.graph import LaggedGraph
from jaxcause.stats import FEW_TO_TEST, VarFit, lagged_q_values
from jaxcause.workflows._discover.evidence import combined_evidence
from jaxcause.workflows._discover.forecast import FittedForecaster
from jaxcause.workflows._discover.impact import has_few_links, held_out_impact
from jaxcause.workflows._discover.prepare import Prepared
from jaxcause.workflows._discover.scores import READOUTS, EdgeScores
from jaxcause.workflows._discover.training import LONG

WIDEST = 1.434
"""How much larger the median |t| may be if a quarter of all candidates are edges: the median of the
others is then their quantile of two thirds."""
N_TESTS = 2
"""Tests of each link where forecasts without it are looked at besides: the Bonferroni factor."""
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
        p_value: By the rule, NaN where nothing was tested; None if the caller's rule chose.
        q_value: The same.
        tests: Those of the linear model, not widened; None if it was not asked.
        impact: What forecasts lose without each input, if edges were chosen by it, too.
    """

    graph: LaggedGraph
    scores: Float[AnyArray, "vars vars lags"]
    strength: Float[AnyArray, "vars vars lags"]
    supported: Bool[np.ndarray, "vars vars lags"]
    rule: str
    measure: str
    by_tests: Bool[np.ndarray, "vars"]
    widened: float
    p_value: Float[np.ndarray, "vars vars lags"] | None = None
    q_value: Float[np.ndarray, "vars vars lags"] | None = None
    tests: VarFit | None = None
    impact: PredictiveImpact | None = None

    @property
    def impact_windows(self) -> int | None:
        """Held-out windows on which forecasts without each input were asked."""
        return None if self.impact is None else int(self.impact.n_windows.max())


class Asked(NamedTuple):
    """What the edges into each target are chosen by, before scores are read.

    Args:
        by_tests: The targets whose edges t-tests of the linear model choose.
        impact: What forecasts lose without each input, where few links are candidates.
    """

    by_tests: Bool[np.ndarray, "vars"]
    impact: PredictiveImpact | None


def ask(
    data: Prepared,
    fitted: FittedForecaster,
    *,
    q: float,
    rule: SelectionRule | None,
    readout: str | None,
) -> Asked:
    """Decide for each target whether t-tests choose its edges: see `select_edges`.

    Where few links are candidates, those do not that miss an edge which the forecasts show.
    """
    better = fitted.gain.targets & (data.windows_per_input >= 1)
    by_tests = ~better & (rule is None and _is_short(data, fitted))
    if rule is not None or readout is not None or not has_few_links(data):
        return Asked(by_tests, None)
    impact = held_out_impact(data, fitted)
    if impact is not None and by_tests.any():
        seen = lagged_q_values(_of_candidates(N_TESTS * np.asarray(impact.p_value), data)) <= q
        missed = seen & (data.linear_tests().q_value > q)
        by_tests &= ~missed.any(axis=(0, 2))
    return Asked(by_tests, impact)


def _is_short(data: Prepared, fitted: FittedForecaster) -> bool:
    """Whether the linear model is asked besides the Transformer."""
    return len(data.split.train) < LONG and fitted.forecaster.config.head == "mean"


def linear_scores(data: Prepared) -> EdgeScores:
    """The gradient energy of the linear model: its squared coefficients on all windows.

    With few windows the model that forecasts best may leave most links out. Then they are those of
    the tests.
    """
    fit = data.linear_tests() if data.windows_per_input < FEW_TO_TEST else data.linear_shrunk()
    coefficients = fit.coefficients
    n_windows = sum(map(len, data.split))
    return EdgeScores("gradient_energy", coefficients**2, {}, None, n_windows)


def select_edges(
    data: Prepared,
    fitted: FittedForecaster,
    scores: EdgeScores,
    *,
    asked: Asked,
    q: float,
    rule: SelectionRule | None,
    readout: str | None,
) -> SelectedEdges:
    """Keep edges by the caller's rule, by t-tests, or by the empirical null of the scores.

    On short series, t-tests of the linear model choose the edges of every target to whose forecast
    the Transformer adds nothing that counts: they have more power there. They are not used on long
    series, where they also find dependences that no forecast profits from, such as those that
    hidden causes leave. With fewer windows than inputs they choose all edges: what a network then
    forecasts better comes from weights that all variables share. Forbidden links are never kept,
    required ones always are.

    A null that is fitted to the scores needs many non-edges. Where fewer than 100 links between
    variables are candidates, or where the scores of edges do not stand apart, most links may be
    edges, and the forecasts of held-out windows are asked, too: the p-value of a link is twice the
    smaller of the two (Bonferroni).

    Args:
        data: The series.
        fitted: The forecaster.
        scores: Its scores.
        asked: What `ask` returned.
        q: False-discovery rate.
        rule: The caller's rule, if there is one.
        readout: The readout that the caller wants, if any.
    """
    known = data.known.lagged
    by_tests, impact = asked
    strength = np.sqrt(scores.total) if READOUTS[scores.name].squared else scores.total
    ranked = scores.total
    measure, gradients = scores.name.replace("_", " "), None
    if rule is None and readout is None and _is_short(data, fitted):
        evidence = combined_evidence(data, fitted, scores, from_gradients=~by_tests)
        ranked, measure, gradients = evidence.total, evidence.measure, evidence.gradients
    if rule is not None:
        chosen = ChosenEdges(np.asarray(rule(scores.total).directed), "given")
    else:
        null = (
            empirical_null(scores.total, candidates=data.candidates)
            if gradients is None
            else evidence_null(gradients, candidates=data.candidates, bounded=data.noise is None)
        )
        chosen = _choose(data, null, by_tests, q=q, is_short=_is_short(data, fitted))
        overlap = null.separation < STANDS_APART and not by_tests.all()
        if overlap and readout is None and impact is None:
            impact = held_out_impact(data, fitted)
        if impact is not None:
            chosen = _with_impact(data, chosen, null, impact, by_tests, q=q)
    graph = LaggedGraph.from_mask((chosen.supported & known.allowed) | known.required)
    return SelectedEdges(
        graph=graph,
        scores=ranked,
        strength=strength,
        supported=chosen.supported,
        rule=chosen.rule,
        measure=measure,
        by_tests=by_tests,
        widened=chosen.widened,
        p_value=chosen.p_value,
        q_value=chosen.q_value,
        tests=chosen.tests,
        impact=impact,
    )


class ChosenEdges(NamedTuple):
    """Edges before knowledge is applied; the fields are those of `SelectedEdges`."""

    supported: Bool[np.ndarray, "vars vars lags"]
    rule: str
    widened: float = 1.0
    p_value: Float[np.ndarray, "vars vars lags"] | None = None
    q_value: Float[np.ndarray, "vars vars lags"] | None = None
    tests: VarFit | None = None


def _choose(
    data: Prepared,
    null: EdgeTest,
    by_tests: Bool[np.ndarray, "vars"],
    *,
    q: float,
    is_short: bool,
) -> ChosenEdges:
    """The edges into some targets by t-tests, into the others by the empirical null.

    On short series, an edge that stands out from the null and has a significant t-test, too, is
    kept even where the strongest edges stand out far more.
    """
    allowed = data.known.lagged.allowed
    plain = data.linear_tests() if is_short else None
    tests, widened = (None, 1.0) if plain is None else widened_tests(plain)
    if tests is not None and by_tests.all():
        found, edges, rule = tests, tests.q_value <= q, "t-tests"
        p_value, q_value = found.p_value, found.q_value
    else:
        edges, rule = np.array(null.edges(q).directed), "empirical null"
        p_value = np.where(data.candidates, null.p_value, np.nan)
        q_value = null.q_value
        if tests is not None:
            edges |= (np.asarray(null.q_value) <= q) & (tests.q_value <= q)
            pairs = (edges, tests.q_value <= q), (p_value, tests.p_value), (q_value, tests.q_value)
            edges, p_value, q_value = (
                np.where(by_tests[None, :, None], linear, gradient) for gradient, linear in pairs
            )
            rule = "both" if by_tests.any() else rule
    p_value = np.where(allowed, p_value, np.nan)
    widened = widened if by_tests.any() else 1.0
    return ChosenEdges(edges, rule, widened, p_value, np.asarray(q_value), plain)


def _with_impact(
    data: Prepared,
    chosen: ChosenEdges,
    null: EdgeTest,
    impact: PredictiveImpact,
    by_tests: Bool[np.ndarray, "vars"],
    *,
    q: float,
) -> ChosenEdges:
    """Two tests of each link; many links into a target whose edges t-tests chose keep these."""
    old_p, old_q = np.asarray(chosen.p_value), np.asarray(chosen.q_value)
    unlikely = (np.asarray(null.local_fdr) > UNLIKELY_EDGE) & ~by_tests[None, :, None]
    alone = np.where(unlikely | np.isnan(old_p), 1.0, old_p)
    p_value = np.minimum(N_TESTS * np.minimum(alone, impact.p_value), 1.0)
    q_value = np.where(data.candidates, lagged_q_values(_of_candidates(p_value, data)), 1.0)
    p_value = np.where(data.known.lagged.allowed, p_value, np.nan)
    kept = by_tests[None, :, None] & (not has_few_links(data))
    return chosen._replace(
        supported=np.where(kept, chosen.supported, q_value <= q),
        p_value=np.where(kept, old_p, p_value),
        q_value=np.where(kept, old_q, q_value),
    )


def _of_candidates(p_value: np.ndarray, data: Prepared) -> Float[np.ndarray, "vars vars lags"]:
    """p-values of at most one; NaN for what is no candidate."""
    return np.where(data.candidates, np.minimum(p_value, 1.0), np.nan)


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
    factor = float(np.median(np.abs(fit.t_statistic[cross]))) / HALF_NORMAL_MEDIAN
    if factor <= WIDEST:
        return fit, 1.0
    return fit._replace(t_statistic=fit.t_statistic / factor), factor
