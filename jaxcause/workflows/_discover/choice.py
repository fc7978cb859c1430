"""Edges by t-tests, by a null that is fitted to scores, and by held-out forecasts."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from jaxcause.attribution import EdgeTest, PredictiveImpact
from jaxcause.attribution._empirical_null import HALF_NORMAL_MEDIAN
from jaxcause.attribution._select import STANDS_APART, UNLIKELY_EDGE, has_few_links
from jaxcause.stats import VarFit, lagged_q_values
from jaxcause.workflows._discover.prepare import Prepared

WIDEST = 1.434
"""How much larger the median |t| may be if a quarter of all candidates are edges: the median of the
others is then their quantile of two thirds."""
FEWEST = 200
"""Candidates below which the median |t| says little of chance."""
N_TESTS = 2
"""Tests of each link where forecasts without it are looked at besides: the Bonferroni factor."""


class ChosenEdges(NamedTuple):
    """Edges before knowledge is applied; the fields are those of `SelectedEdges`."""

    supported: Bool[np.ndarray, "vars vars lags"]
    rule: str
    widened: float = 1.0
    p_value: Float[np.ndarray, "vars vars lags"] | None = None
    q_value: Float[np.ndarray, "vars vars lags"] | None = None
    tests: VarFit | None = None


def choose_edges(
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


def with_impact(
    data: Prepared,
    chosen: ChosenEdges,
    null: EdgeTest,
    impact: PredictiveImpact | None,
    by_tests: Bool[np.ndarray, "vars"],
    *,
    q: float,
) -> ChosenEdges:
    """Two tests of each link; many links into a target whose edges t-tests chose keep these.

    Where the null has a component of edges that stands apart, if only by the variables' own pasts,
    the edges that it chose stay. Without forecasts, since `null_finds_links`, p-values are twice
    those of the one test all the same.
    """
    old_p, old_q = np.asarray(chosen.p_value), np.asarray(chosen.q_value)
    unlikely = (np.asarray(null.local_fdr) > UNLIKELY_EDGE) & ~by_tests[None, :, None]
    alone = np.where(unlikely | np.isnan(old_p), 1.0, old_p)
    both = alone if impact is None else np.minimum(alone, impact.p_value)
    p_value = np.minimum(N_TESTS * both, 1.0)
    q_value = np.where(data.candidates, lagged_q_values(of_candidates(p_value, data)), 1.0)
    p_value = np.where(data.known.lagged.allowed, p_value, np.nan)
    many = not has_few_links(data.candidates)
    kept = by_tests[None, :, None] & many
    if null.separation >= STANDS_APART and many:
        kept = kept | chosen.supported
    return chosen._replace(
        supported=np.where(kept, chosen.supported, q_value <= q),
        p_value=np.where(kept, old_p, p_value),
        q_value=np.where(kept, old_q, q_value),
    )


def null_finds_links(
    data: Prepared, chosen: ChosenEdges, by_tests: Bool[np.ndarray, "vars"]
) -> bool:
    """Whether of few links the null keeps some between variables, so that it speaks for itself.

    Forecasts that are asked besides are then more often wrong than right: in systems of 3 to 10
    variables that others simulated, most edges that they alone added were false.
    """
    cross = ~by_tests[None, :, None] & ~np.eye(len(by_tests), dtype=bool)[:, :, None]
    return has_few_links(data.candidates) and bool((chosen.supported & cross).any())


def of_candidates(p_value: np.ndarray, data: Prepared) -> Float[np.ndarray, "vars vars lags"]:
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
