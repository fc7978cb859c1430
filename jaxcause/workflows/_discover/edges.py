"""Fourth stage: from scores to edges."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from jaxcause._typing import AnyArray
from jaxcause.attribution import PredictiveImpact, empirical_null, evidence_null
from jaxcause.attribution._select import STANDS_APART, has_few_links, separation_of_links
from jaxcause.graph import LaggedGraph
from jaxcause.stats import VarFit, lagged_q_values
from jaxcause.workflows._discover.choice import (
    N_TESTS,
    ChosenEdges,
    choose_edges,
    null_finds_links,
    of_candidates,
    with_impact,
)
from jaxcause.workflows._discover.evidence import combined_evidence, gradient_evidence
from jaxcause.workflows._discover.forecast import FittedForecaster
from jaxcause.workflows._discover.impact import held_out_impact
from jaxcause.workflows._discover.prepare import Prepared
from jaxcause.workflows._discover.scores import READOUTS, EdgeScores
from jaxcause.workflows._discover.training import LONG

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


class Wanted(NamedTuple):
    """What the caller wants.

    Args:
        q: False-discovery rate.
        rule: A rule of the caller's own, if there is one.
        readout: A readout, if not the default.
    """

    q: float
    rule: SelectionRule | None
    readout: str | None


class Asked(NamedTuple):
    """What the edges into each target are chosen by, before scores are read.

    Args:
        as_linear: The targets that the linear model forecasts as well, on a short series. Its
            evidence ranks their links, also where forecasts choose edges: on published series of
            five variables it ranked links better than the t-statistics of `predictive_impact`.
        by_tests: Those whose edges its t-tests choose.
        impact: What forecasts lose without each input, where few links are candidates.
    """

    as_linear: Bool[np.ndarray, "vars"]
    by_tests: Bool[np.ndarray, "vars"]
    impact: PredictiveImpact | None


def ask(
    data: Prepared,
    fitted: FittedForecaster,
    wanted: Wanted,
    *,
    progress: bool,
) -> Asked:
    """Decide for each target whether t-tests choose its edges: see `select_edges`.

    Where few links are candidates, those do not that miss an edge which the forecasts show.
    """
    q, rule, readout = wanted
    better = fitted.gain.targets & (data.windows_per_input >= 1)
    as_linear = ~better & (rule is None and _is_short(data, fitted))
    if rule is not None or readout is not None or not has_few_links(data.candidates):
        return Asked(as_linear, as_linear, None)
    by_tests, impact = as_linear, held_out_impact(data, fitted, progress=progress)
    if impact is not None and by_tests.any():
        seen = lagged_q_values(of_candidates(N_TESTS * np.asarray(impact.p_value), data)) <= q
        missed = seen & (data.linear_tests().q_value > q)
        by_tests = as_linear & ~missed.any(axis=(0, 2))
    return Asked(as_linear, by_tests, impact)


def _links_overlap(data: Prepared, scores: EdgeScores, gradients: np.ndarray | None) -> bool:
    """Whether the scores of edges between variables do not stand apart."""
    measured = scores.total if gradients is None else np.asarray(gradients, np.float64) ** 2
    return separation_of_links(measured, candidates=data.candidates) < STANDS_APART


def _is_short(data: Prepared, fitted: FittedForecaster) -> bool:
    """Whether the linear model is asked besides the Transformer."""
    return len(data.split.train) < LONG and fitted.forecaster.config.head == "mean"


def linear_scores(data: Prepared) -> EdgeScores:
    """The gradient energy of the linear model: its squared coefficients in the tests.

    Those of the model that forecasts best are drawn towards 0, so that a strength would be far
    below the effect beside it.
    """
    return EdgeScores("gradient_energy", data.linear_tests().coefficients ** 2, {}, None)


def select_edges(
    data: Prepared,
    fitted: FittedForecaster,
    scores: EdgeScores,
    asked: Asked,
    wanted: Wanted,
    *,
    progress: bool,
) -> SelectedEdges:
    """Keep edges by the caller's rule, by t-tests, or by the empirical null of the scores.

    On short series, t-tests of the linear model choose the edges of every target to whose forecast
    the Transformer adds nothing that counts: they have more power there. They are not used on long
    series, where they also find dependences that no forecast profits from, such as those that
    hidden causes leave. With fewer windows than inputs they choose all edges: what a network then
    forecasts better comes from weights that all variables share. Forbidden links are never kept,
    required ones always are.

    A null that is fitted to the scores needs many non-edges. Where fewer than 100 links between
    variables are candidates, or where the scores of edges between variables do not stand apart,
    most links may be edges, and the forecasts of held-out windows are asked, too: the p-value of a
    link is twice the smaller of the two (Bonferroni). Of few candidates, forecasts add no edges
    where the null finds some between variables itself. Where variables change slowly, their own
    pasts alone may stand apart; the edges that the null keeps then stay, and forecasts add others.

    Args:
        data: The series.
        fitted: The forecaster.
        scores: Its scores.
        asked: What `ask` returned.
        wanted: What the caller wants.
        progress: Whether to say what is done.
    """
    known = data.known.lagged
    as_linear, by_tests, impact = asked
    q, rule, readout = wanted
    strength = np.sqrt(scores.total) if READOUTS[scores.name].squared else scores.total
    ranked = scores.total
    measure, gradients = scores.name.replace("_", " "), None
    if rule is None and readout is None and _is_short(data, fitted):
        evidence = combined_evidence(data, fitted, scores, from_gradients=~as_linear)
        ranked, measure, gradients = evidence.total, evidence.measure, evidence.gradients
        if gradients is None and not by_tests.all():
            gradients = gradient_evidence(data, fitted, scores)
    if rule is not None:
        chosen = ChosenEdges(np.asarray(rule(scores.total).directed), "given")
    else:
        null = (
            empirical_null(scores.total, candidates=data.candidates)
            if gradients is None
            else evidence_null(gradients, candidates=data.candidates, bounded=data.noise is None)
        )
        chosen = choose_edges(data, null, by_tests, q=q, is_short=_is_short(data, fitted))
        unasked = readout is None and impact is None and not by_tests.all()
        if unasked and _links_overlap(data, scores, gradients):
            impact = held_out_impact(data, fitted, progress=progress)
        if impact is not None:
            impact = None if null_finds_links(data, chosen, by_tests) else impact
            chosen = with_impact(data, chosen, null, impact, by_tests, q=q)
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
