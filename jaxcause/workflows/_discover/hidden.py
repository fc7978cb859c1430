"""Fifth stage: hidden causes and contemporaneous effects, on demand or if the data show them."""

from pathlib import Path
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from jaxcause._typing import AnyArray
from jaxcause.discovery.refine import LARGEST_PAST, Refined, instrument_verdicts, refine
from jaxcause.graph import BackgroundKnowledge, LaggedGraph
from jaxcause.workflows._discover.edges import SelectedEdges
from jaxcause.workflows._discover.forecast import FittedForecaster
from jaxcause.workflows._discover.prepare import Prepared
from jaxcause.workflows._discover.progress import stage
from jaxcause.workflows._discover.training import LONG

LEVEL = 1e-3
"""Chance that a sign of hidden causes is seen where there is none, over all pairs or edges."""
SMALLEST = 0.05
"""Smaller correlations of forecast errors are not reported: any misfit of a model leaves some."""
FEWEST = 30
"""Held-out windows that correlations of forecast errors need."""
MOST_DOUBTED = 0.2
"""Share of the targets for which the older past may be no valid instrument."""


class SearchedEdges(NamedTuple):
    """Edges after hidden causes and contemporaneous effects were, or were not, allowed for.

    Args:
        graph: The edges with their marks.
        scores: What they were chosen by; at lag 0 the strength.
        strength: The size of each effect.
        latents: Whether hidden causes were allowed for.
        contemporaneous: Whether contemporaneous effects were allowed for.
        automatic: Whether the data, not the caller, called for both.
        simultaneous: The largest correlation of forecast errors within a time step, if any.
        n_differing: Edges whose instrumental and least-squares estimates differ; None where that
            cannot be decided.
        refined: The second search, if there was one.
    """

    graph: LaggedGraph
    scores: Float[AnyArray, "vars vars lags"]
    strength: Float[AnyArray, "vars vars lags"]
    latents: bool
    contemporaneous: bool
    automatic: bool
    simultaneous: dict[str, Any] | None
    n_differing: int | None
    refined: Refined | None

    @property
    def doubted(self) -> tuple[int, ...]:
        """Targets for which the older past is no valid instrument."""
        if self.refined is None:
            return ()
        return tuple((self.refined.info.instruments or {}).get("doubted", ()))

    def supported_at_lag_0(self, n_windows: int, alpha: float) -> Bool[np.ndarray, "vars vars"]:
        """Pairs at lag 0 that are dependent given the other parents of both ends."""
        if self.refined is None:
            return np.zeros(self.graph.marks.shape[:2], bool)
        n_parents = np.asarray(self.graph.directed).sum(axis=(0, 2))
        degrees = np.maximum(n_windows - 3 - n_parents[:, None] - n_parents, 1)
        r = np.clip(self.refined.strength, 0, 1 - 1e-12)
        return np.arctanh(r) * np.sqrt(degrees) >= NormalDist().inv_cdf(1 - alpha / 2)


def search_hidden(
    data: Prepared,
    fitted: FittedForecaster,
    selected: SelectedEdges,
    *,
    latents: bool | None,
    contemporaneous: bool,
    alpha: float,
    q: float,
    progress: bool,
    checkpoint: Path | None = None,
) -> SearchedEdges:
    """Search the selected edges again, if the caller wants it or the data call for it.

    The data decide if the caller leaves it open and the linear tests of the second search fit the
    series: a long one, of one regime, which a linear model forecasts as well. Hidden causes and
    contemporaneous effects are then both allowed for if forecast errors of one time step are
    correlated, or if instrumental and least-squares estimates differ.

    Args:
        data: The series.
        fitted: The forecaster.
        selected: The edges so far.
        latents: Whether causes may be hidden; None leaves it to the data.
        contemporaneous: Whether effects within a time step are possible.
        alpha: Significance level of the second search.
        q: False-discovery rate of the effects that instruments confirm.
        progress: Whether to draw progress on stderr.
        checkpoint: File to which the second search is written, and from which it goes on.
    """
    simultaneous = simultaneous_errors(fitted.residuals, data.names)
    left_open = latents is None and not contemporaneous
    n_differing = None
    if left_open and _linear_tests_fit(data, fitted, selected):
        edges = np.asarray(selected.graph.directed)
        n_differing = differing_effects(data.values, edges, data.segment, data.targets)
    allowed = allow_for(
        latents=latents,
        contemporaneous=contemporaneous,
        simultaneous=simultaneous,
        n_differing=n_differing,
    )
    found = SearchedEdges(
        graph=selected.graph,
        scores=selected.scores,
        strength=selected.strength,
        latents=allowed.latents,
        contemporaneous=allowed.contemporaneous,
        automatic=allowed.automatic,
        simultaneous=simultaneous,
        n_differing=n_differing,
        refined=None,
    )
    if not (found.latents or found.contemporaneous):
        return found
    options = {"alpha": alpha, "q": q, "progress": progress, "checkpoint": checkpoint}
    refined = _search_again(data, found, **options)
    # No gradient leads from a row to itself: the search's tests say how strong those edges are.
    scores, strength = np.array(found.scores), np.array(found.strength)
    scores[:, :, 0] = strength[:, :, 0] = refined.strength
    return found._replace(graph=refined.graph, scores=scores, strength=strength, refined=refined)


class Allowances(NamedTuple):
    """What edges may be due to; ``automatic`` if the data, not the caller, called for both."""

    latents: bool
    contemporaneous: bool
    automatic: bool


def allow_for(
    *,
    latents: bool | None,
    contemporaneous: bool,
    simultaneous: dict[str, Any] | None,
    n_differing: int | None,
) -> Allowances:
    """What the caller wants; if that is left open, both where the data show either.

    Args:
        latents: Whether causes may be hidden; None leaves it to the data.
        contemporaneous: Whether effects within a time step are possible.
        simultaneous: What `simultaneous_errors` found.
        n_differing: What `differing_effects` found; None if a second search does not fit the data.
    """
    left_open = latents is None and not contemporaneous
    automatic = left_open and n_differing is not None and bool(simultaneous or n_differing)
    return Allowances(bool(latents) or automatic, contemporaneous or automatic, automatic)


def _linear_tests_fit(data: Prepared, fitted: FittedForecaster, selected: SelectedEdges) -> bool:
    """Whether the tests of the second search fit the series; on short ones they lose true edges."""
    return (
        len(data.split.train) >= LONG
        and fitted.linear_is_as_good
        and fitted.forecaster.config.head == "mean"
        and data.domain is None
        and selected.rule != "given"
    )


def _search_again(
    data: Prepared,
    found: SearchedEdges,
    *,
    alpha: float,
    q: float,
    progress: bool,
    checkpoint: Path | None,
) -> Refined:
    """`refine` the edges; those that no linear test sees are required, and so stay as they are."""
    known = data.known
    unseen = np.asarray(found.graph.directed) & (data.linear_tests().p_value > alpha)
    forbidden = ~known.allowed
    if known.against_tiers is not None:
        forbidden[:, :, 0] &= ~known.against_tiers
    knowledge = BackgroundKnowledge.temporal(
        len(data.names),
        data.max_lag,
        contemporaneous=found.contemporaneous,
        forbidden_links=forbidden,
        required_links=known.required | unseen,
        tiers=known.tiers,
    )
    with stage("Searching the selected edges again", show=progress):
        return refine(
            found.graph,
            data.values,
            latents=found.latents,
            contemporaneous=found.contemporaneous,
            alpha=alpha,
            q=q,
            segment=data.segment,
            targets=data.targets,
            knowledge=knowledge,
            checkpoint=checkpoint,
        )


def differing_effects(
    values: Float[AnyArray, "time vars"],
    edges: Bool[np.ndarray, "vars vars lags"],
    segment: Any = None,
    targets: Any = None,
) -> int | None:
    """Count the edges whose instrumental and least-squares estimates differ.

    The older past is the instrument. Beside `simultaneous_errors` this is a second sign of hidden
    causes: it shows those whose effects take different times.

    Returns:
        None if that cannot be decided, and no second search should be automatic: the series is too
        short, or has more lagged values than the search would condition on; or the older past
        acts on many targets otherwise than through the edges, as where the mechanism changes.
    """
    n_vars, _, n_lags = edges.shape
    if n_vars * (n_lags - 1) > LARGEST_PAST or not edges.any():
        return None
    verdicts = instrument_verdicts(values, edges, q=LEVEL, segment=segment, targets=targets)
    if verdicts is None or verdicts.doubted.mean() > MOST_DOUBTED:
        return None
    return int((verdicts.difference_p_value < LEVEL / edges.sum()).sum())


def simultaneous_errors(
    residuals: Float[np.ndarray, "windows vars"], names: tuple[str, ...]
) -> dict[str, Any] | None:
    """The largest correlation between errors of the same step, and how many pairs correlate.

    Errors of the right model are independent of one another. Where a hidden cause reaches two
    variables in the same step, one variable acts on the other within it, or the mechanism changes
    unseen, they correlate. (A hidden cause with two different delays leaves no such trace: nothing
    found proves nothing.)

    Args:
        residuals: Held-out values less their forecasts; rows with NaN are left out.
        names: Of the variables.

    Returns:
        ``correlation``, ``pair``, ``n_pairs`` and ``n_tested``; None where no pair correlates
        (at a level of 0.001 for all pairs together), or there are too few rows.

    >>> rng = np.random.default_rng(0)
    >>> errors = rng.normal(size=(500, 3)); errors[:, 2] += errors[:, 0]
    >>> simultaneous_errors(errors, ("a", "b", "c"))["pair"]
    ['a', 'c']
    """
    whole = residuals[~np.isnan(residuals).any(axis=1)]
    n_vars = whole.shape[1]
    if len(whole) < FEWEST or n_vars < 2:
        return None
    spread = whole.std(axis=0)
    scaled = (whole - whole.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    first, second = np.triu_indices(n_vars, 1)
    size = (scaled.T @ scaled / len(whole))[first, second]
    limit = NormalDist().inv_cdf(1 - LEVEL / (2 * size.size)) / np.sqrt(len(whole) - 3)
    correlated = np.abs(size) > max(float(np.tanh(limit)), SMALLEST)
    if not correlated.any():
        return None
    largest = int(np.abs(size).argmax())
    return {
        "correlation": float(size[largest]),
        "pair": [names[first[largest]], names[second[largest]]],
        "n_pairs": int(correlated.sum()),
        "n_tested": size.size,
    }
