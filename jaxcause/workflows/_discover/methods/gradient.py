"""Path B end to end: windows, a forecaster, input gradients, edges."""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np
from jax import Array
from jaxtyping import Float, Int, Key, PRNGKeyArray

from jaxcause._checks import InputError
from jaxcause._typing import AnyArray
from jaxcause.attribution import select_fdr
from jaxcause.discovery.refine import CONTEMPORANEOUS_STRENGTH, Refined, refine
from jaxcause.graph import BackgroundKnowledge, LaggedGraph
from jaxcause.models.forecaster import PRESETS, ForecasterConfig
from jaxcause.series import LinkKnowledge, SeriesTable, usable_windows
from jaxcause.training import TrainingConfig
from jaxcause.workflows._discover.forecast import (
    LONG,
    Fitted,
    default_training,
    held_out_residuals,
    settings_of,
    train,
    train_members,
)
from jaxcause.workflows._discover.forecaster import TrainedForecaster
from jaxcause.workflows._discover.hidden import Allowed, allowed_for, differing_effects
from jaxcause.workflows._discover.prepare import (
    Prepared,
    WindowOptions,
    choose_transform,
    prepare,
    spread_windows,
)
from jaxcause.workflows._discover.progress import stage
from jaxcause.workflows._discover.result import Discovery
from jaxcause.workflows._discover.scores import READOUTS, default_readout, read_scores
from jaxcause.workflows._discover.simultaneous_errors import simultaneous_errors

LINEAR_IS_AS_GOOD = 0.99
"""Relative held-out error from which on a linear model counts as good as the Transformer."""
FEW_CANDIDATES = 100
"""Below it, the bulk of non-edges that an empirical null is fitted to is too small to trust."""
NOTHING_TO_PREDICT = 0.98
"""Held-out error from which on the past says next to nothing (1 is the error of the mean)."""
MOSTLY_MISSING = 0.5
"""Share of windows that must be complete for incomplete ones to be left out."""


@dataclasses.dataclass(frozen=True)
class GradientOptions:
    """Keyword arguments of `discover` that concern the gradient method."""

    q: float
    select: Callable[[Float[AnyArray, "vars vars lags"]], LaggedGraph] | None
    readout: str | None
    transform: str
    skip: bool | None
    head: Literal["mean", "gaussian"]
    model: str | dict[str, Any]
    training: TrainingConfig | None
    members: int
    domain: Int[np.ndarray, "time"] | None
    missing: str
    known: LinkKnowledge
    latents: bool | None
    contemporaneous: bool
    alpha: float
    held_out: float
    n_windows: int
    checkpoint: Path | None
    progress: bool


def discover_gradient(
    table: SeriesTable,
    max_lag: int,
    key: PRNGKeyArray,
    options: GradientOptions,
    forecaster: TrainedForecaster | None,
) -> Discovery:
    """Train a forecaster (unless one is given), read its gradients, select edges."""
    began = time.perf_counter()
    windows = _window_options(table, max_lag, options)
    keys = jax.random.split(key, 4)
    fitted: Fitted | None = None
    if forecaster is None:
        data, transforms = choose_transform(
            table, max_lag, transform=options.transform, options=windows
        )
        fitted, info = _train(data, keys, windows, options)
        info |= {"transform": data.transform.kind, "transform_errors": transforms}
        forecaster = TrainedForecaster(
            fitted.config, fitted.result.params, data.transform, table.names
        )
    else:
        _check_forecaster(forecaster, table, max_lag)
        data = prepare(table, max_lag, forecaster.transform, windows)
        info = {}
    residuals = held_out_residuals(forecaster, data)
    error = float(np.nanmean(residuals**2))
    info |= {"held_out_error": error, "held_out_error_linear": data.linear_error}
    params = [forecaster.params]
    if options.members > 1 and fitted is not None:
        members = train_members(
            fitted,
            data,
            options.members,
            jax.random.split(keys[2], options.members),
            label=f"Training {options.members} members",
            progress=options.progress,
        )
        params = [jax.tree.map(lambda leaf, m=m: leaf[m], members) for m in range(options.members)]
    trained = time.perf_counter()
    readout = default_readout(options.readout, forecaster.config.head)
    read = spread_windows(data, options.n_windows)
    with stage("Reading input gradients", show=options.progress):
        found = [read_scores(readout, forecaster.config, p, read) for p in params]
    scores = np.mean([total for total, _ in found], axis=0)
    graph, info["selection"] = _select(scores, data, error, forecaster.config, options)
    strength = np.sqrt(scores) if READOUTS[readout].squared else scores
    if info["selection"] == "t-tests" and options.readout is None:
        # The gradient energy of the linear model, whose forecasts are as good and vary less.
        linear = data.linear_on_all(ridge=data.ridge)
        strength = np.where(options.known.allowed, np.abs(linear.coefficients), 0.0)
        scores = strength**2
    related = simultaneous_errors(residuals, table.names)
    if related:
        info["simultaneous_errors"] = related
    allowed = _allowed(graph, table, data, error, related, options)
    info |= {"latents": allowed.latents, "contemporaneous": allowed.contemporaneous}
    if allowed.latents or allowed.contemporaneous:
        refined = _refined(graph, table, data, allowed, options)
        graph, info["refined"] = refined.graph, refined.info._asdict()
        # No gradient leads from a row to itself: the search's tests say how strong those edges are.
        scores, strength = np.array(scores), np.array(strength)
        scores[:, :, 0] = strength[:, :, 0] = refined.strength
        info["strength_at_lag_0"] = CONTEMPORANEOUS_STRENGTH
        allowed = allowed.with_doubts(info["refined"], table.names)
    notes = _notes(
        error,
        data.linear_error,
        info["selection"],
        n_edges=int(graph.adjacency.sum()),
        n_candidates=int(options.known.allowed.sum()),
    )
    info["notes"] = [*notes, *allowed.notes, *info.get("notes", [])]
    if windows.mask_missing:
        info["notes"].append(
            "Missing values are inputs of their own to the model, and are predicted by none."
        )
    ended = time.perf_counter()
    info |= {
        "method": "gradient",
        "score": readout.replace("_", " "),
        "strength": READOUTS[readout].strength,
        "parts": {name: np.mean([p[name] for _, p in found], axis=0) for name in found[0][1]},
        "n_windows": len(read.windows),
        "seconds": {
            "training": trained - began,
            "attribution": ended - trained,
            "total": ended - began,
        },
    }
    if len(params) > 1:
        info["member_scores"] = np.stack([total for total, _ in found])
    return Discovery(graph, scores, strength, table.names, forecaster, info)


def _window_options(table: SeriesTable, max_lag: int, options: GradientOptions) -> WindowOptions:
    """Mask missing values if asked to, or if leaving windows out would leave too few."""
    mask = options.missing == "mask"
    if options.missing == "auto" and not table.complete.all():
        whole = len(usable_windows(table, max_lag, mask_missing=False))
        mask = whole < MOSTLY_MISSING * len(usable_windows(table, max_lag, mask_missing=True))
    return WindowOptions(options.held_out, options.domain, mask)


def _train(
    data: Prepared, keys: Key[Array, "4"], windows: WindowOptions, options: GradientOptions
) -> tuple[Fitted, dict[str, Any]]:
    """Choose the skip by held-out error, and train."""
    n_windows = len(data.split.train)
    sizes = PRESETS[options.model] if isinstance(options.model, str) else options.model
    base = ForecasterConfig(
        len(data.names),
        data.max_lag,
        head=options.head,
        n_domains=1 if data.domain is None else int(data.domain.max()) + 1,
        missing=windows.mask_missing,
        **sizes,
    )
    tried = (False, True) if options.skip is None and n_windows < LONG else (bool(options.skip),)
    results: dict[bool, Fitted] = {}
    for number, skip in enumerate(tried, start=1):
        config = dataclasses.replace(base, skip=skip)
        checkpoint = options.checkpoint
        results[skip] = train(
            config,
            data,
            options.training or default_training(n_windows, config),
            keys[:2],
            known=options.known,
            label=f"Training {number}/{len(tried)}{' (linear skip)' if skip else ''}",
            progress=options.progress,
            checkpoint=checkpoint and checkpoint.with_name(f"{checkpoint.name}.skip{int(skip)}"),
        )
    best = min(results.values(), key=lambda fitted: fitted.result.held_out)
    info = settings_of(best) | {
        "skip": best.config.skip,
        "skip_errors": {str(skip): f.result.held_out for skip, f in results.items()},
        "notes": _training_notes(best),
    }
    return best, info


def _training_notes(fitted: Fitted) -> list[str]:
    result = fitted.result
    kept = f"the model of step {result.best_step} was kept"
    if result.status == "diverged":
        return [f"Training diverged twice; {kept}. Lower the learning rate."]
    if result.retried:
        return ["Training diverged and was started again at 0.3 of the learning rate."]
    return []


def _select(
    scores: Float[np.ndarray, "vars vars lags"],
    data: Prepared,
    error: float,
    config: ForecasterConfig,
    options: GradientOptions,
) -> tuple[LaggedGraph, str]:
    """Edges by the caller's rule, by t-tests where a line forecasts as well, or by the null.

    On long series t-tests have power for dependences that no forecast profits from, such as those
    that hidden causes leave.

    What is forbidden never comes back, what is required always does.
    """
    if options.select is not None:
        graph, how = options.select(scores), "given"
    elif (
        config.head == "mean"
        and len(data.split.train) < LONG
        and error >= LINEAR_IS_AS_GOOD * data.linear_error
    ):
        found = data.linear_on_all().q_value <= options.q
        graph, how = LaggedGraph.from_mask(found), "t-tests"
    else:
        graph, how = (
            select_fdr(scores, q=options.q, candidates=options.known.allowed),
            "empirical null",
        )
    if options.known.is_trivial:
        return graph, how
    kept = np.asarray(graph.directed) & options.known.allowed
    return LaggedGraph.from_mask(kept | options.known.required), how


def _allowed(
    graph: LaggedGraph,
    table: SeriesTable,
    data: Prepared,
    error: float,
    related: dict[str, Any] | None,
    options: GradientOptions,
) -> Allowed:
    """What was asked for; on long linear series of one regime the data are asked, too.

    The search has linear tests, and on short series it loses edges that are there.
    """
    tests_fit = (
        len(data.split.train) >= LONG
        and error >= LINEAR_IS_AS_GOOD * data.linear_error
        and options.head == "mean"
        and options.domain is None
        and options.select is None
    )
    differing = None
    if tests_fit and options.latents is None and not options.contemporaneous:
        edges = np.asarray(graph.directed)
        differing = differing_effects(data.values, edges, segment=table.segment)
    return allowed_for(
        latents=options.latents,
        contemporaneous=options.contemporaneous,
        related=related,
        differing=differing,
    )


def _refined(
    graph: LaggedGraph,
    table: SeriesTable,
    data: Prepared,
    allowed: Allowed,
    options: GradientOptions,
) -> Refined:
    """The selected edges, searched again for hidden causes and effects within a time step.

    The search tests partial correlations, so that selected edges which no linear test sees are kept
    as they are.
    """
    known = options.known
    unseen = np.asarray(graph.directed) & (data.linear_on_all().p_value > options.alpha)
    knowledge = BackgroundKnowledge.temporal(
        len(table.names),
        data.max_lag,
        contemporaneous=allowed.contemporaneous,
        forbidden_links=~known.allowed & (np.arange(data.max_lag + 1) > 0),
        required_links=known.required | unseen,
    )
    with stage("Searching the selected edges again", show=options.progress):
        return refine(
            graph,
            data.values,
            latents=allowed.latents,
            contemporaneous=allowed.contemporaneous,
            alpha=options.alpha,
            q=options.q,
            segment=table.segment,
            knowledge=knowledge,
        )


def _notes(
    error: float, linear_error: float, selection: str, *, n_edges: int, n_candidates: int
) -> list[str]:
    """Plain sentences on what the errors say and how the edges were chosen."""
    notes = [
        f"Held-out error: {error:.3g} for the Transformer, {linear_error:.3g} for a linear VAR "
        "(1 = the mean)."
    ]
    if error >= LINEAR_IS_AS_GOOD * linear_error:
        notes.append(
            "The linear model predicts as well"
            + (", so the edges were chosen by its t-tests." if selection == "t-tests" else ".")
        )
    if error > NOTHING_TO_PREDICT:
        notes.append(
            "Almost nothing can be predicted from the past: edges of this graph mean little. "
            "Is max_lag too short, or the series too noisy?"
        )
    if selection == "empirical null" and (n_edges == 0 or n_candidates < FEW_CANDIDATES):
        notes.append(
            f"{n_edges} of {n_candidates} candidate edges stand out from an empirical null, which "
            "is rough where candidates are few or many are edges: compare with method='var', or "
            "keep the strongest few by select_top_k (--top-k)."
        )
    return notes


def _check_forecaster(forecaster: TrainedForecaster, table: SeriesTable, max_lag: int) -> None:
    if forecaster.names != table.names:
        raise InputError(
            f"forecaster was trained on {', '.join(forecaster.names)}, but the series has "
            f"{', '.join(table.names)}; train a new one"
        )
    if forecaster.config.max_lag != max_lag:
        raise InputError(
            f"forecaster was trained with max_lag={forecaster.config.max_lag}, not {max_lag}; pass "
            f"max_lag={forecaster.config.max_lag} or train a new one"
        )
