"""Third stage: scores of lagged edges, read from the gradients of the forecaster."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float, Int

from jaxcause import attribution
from jaxcause._checks import InputError
from jaxcause._typing import AnyArray, PredictFn
from jaxcause.models.forecaster import (
    ForecasterConfig,
    Params,
    density_predictor,
    predictor,
)
from jaxcause.nn import ATTN_LRP, CP_LRP, STANDARD, Ops
from jaxcause.workflows._discover.forecast import FittedForecaster
from jaxcause.workflows._discover.prepare import Prepared
from jaxcause.workflows._discover.progress import stage
from jaxcause.workflows._discover.stacking import without_linear_part

Scores = Float[np.ndarray, "source target lag"]


class Readout(NamedTuple):
    """How scores are read: the rule, the backward pass, and what the strength of an edge is.

    ``doing`` is what progress says meanwhile.
    """

    rule: Callable[..., Any]
    ops: Ops
    squared: bool
    strength: str
    density: bool = False
    doing: str = "Reading input gradients"


def _intervention(
    forecast: PredictFn, windows: Float[AnyArray, "windows time vars"], *, mesh: Mesh | None = None
) -> Any:
    """The marginal intervention, with the same draws in every call; one device does it."""
    del mesh
    return attribution.intervention(forecast, windows, key=jax.random.key(0))


PRODUCT = "mean |input × gradient|: mean contribution to the target, in standard deviations"
READOUTS = {
    "gradient_energy": Readout(
        attribution.gradient_energy,
        STANDARD,
        True,
        "root gradient energy: typical change of the target, in standard deviations, per "
        "standard deviation of the source",
    ),
    "score_energy": Readout(
        attribution.score_energy,
        STANDARD,
        True,
        "root score energy: typical change of the target's forecast distribution, in standard "
        "errors, per standard deviation of the source",
        density=True,
    ),
    "input_x_gradient": Readout(attribution.input_x_gradient, STANDARD, False, PRODUCT),
    "attn_lrp": Readout(attribution.relevance, ATTN_LRP, False, "mean |relevance|, AttnLRP"),
    "cp_lrp": Readout(attribution.relevance, CP_LRP, False, "mean |relevance|, CP-LRP"),
    "intervention": Readout(
        _intervention,
        STANDARD,
        True,
        "root of half the mean squared change of the target, in standard deviations, when the "
        "source is set to its value in another window",
        doing="Setting inputs to their values in other windows",
    ),
}
"""Readouts by name."""


def default_readout(readout: str | None, config_head: str) -> str:
    """The readout that the caller wants, or the one that goes with the head of the model.

    Raises:
        InputError: The variance is to be read from a model without one.
    """
    if readout is None:
        return "score_energy" if config_head == "gaussian" else "gradient_energy"
    if READOUTS[readout].density and config_head != "gaussian":
        raise InputError(f"readout={readout!r} needs head='gaussian'; give both")
    return readout


class ReadWindows(NamedTuple):
    """Windows to read gradients on, missing values at their mean; the regime of each next row."""

    windows: Float[np.ndarray, "windows time vars"]
    domain: Int[np.ndarray, "windows"]


def spread_windows(data: Prepared, n_windows: int) -> ReadWindows:
    """At most ``n_windows`` windows, spread evenly over the series."""
    starts = np.concatenate(data.split)
    chosen = np.unique(np.linspace(0, len(starts) - 1, min(n_windows, len(starts))).astype(int))
    at = starts[chosen]
    windows = data.filled[at[:, None] + np.arange(data.max_lag)]
    domain = np.zeros(len(at), np.int32)
    if data.domain is not None:
        domain = data.domain[at + data.max_lag].astype(np.int32)
    return ReadWindows(windows.astype(np.float32), domain)


class EdgeScores(NamedTuple):
    """Scores of every lagged edge.

    Args:
        name: Name of the readout.
        total: Mean over the members of an ensemble.
        parts: Scores by the part of the forecast that they act on, if the readout has several.
        members: Scores of each member, if there are several.
        alone: The same as ``total`` of the Transformer alone, before it was stacked with the linear
            model; None if it was not.
    """

    name: str
    total: Scores
    parts: dict[str, Scores]
    members: Float[np.ndarray, "members source target lag"] | None
    alone: Scores | None = None


def score_edges(
    data: Prepared,
    fitted: FittedForecaster,
    *,
    readout: str | None,
    n_windows: int,
    progress: bool,
    mesh: Mesh | None = None,
) -> EdgeScores:
    """Read every member, averaged over at most ``n_windows`` windows."""
    config = fitted.forecaster.config
    name = default_readout(readout, config.head)
    read = spread_windows(data, n_windows)
    with stage(READOUTS[name].doing, show=progress):
        found = [read_scores(name, config, params, read, mesh) for params in fitted.members]
        totals = [total for total, _ in found]
        parts = {part: np.mean([p[part] for _, p in found], axis=0) for part in found[0][1]}
        alone = _without_linear_part(name, fitted, read, mesh)
    members = np.stack(totals) if len(totals) > 1 else None
    return EdgeScores(name, np.mean(totals, axis=0), parts, members, alone)


def _without_linear_part(
    name: str, fitted: FittedForecaster, read: ReadWindows, mesh: Mesh | None
) -> Scores | None:
    """Scores of the Transformers alone, if they were stacked and are part of the forecast."""
    weight = fitted.forecaster.weight
    if not 0 < weight < 1:
        return None
    # The same program as before: only a parameter is zero.
    found = [
        read_scores(name, fitted.forecaster.config, without_linear_part(params), read, mesh)[0]
        for params in fitted.members
    ]
    return np.mean(found, axis=0) / (weight**2 if READOUTS[name].squared else weight)


def read_scores(
    name: str,
    config: ForecasterConfig,
    params: Params,
    read: ReadWindows,
    mesh: Mesh | None = None,
) -> tuple[Scores, dict[str, Scores]]:
    """Scores averaged over all windows, and, of a score energy, its two parts.

    With regimes, every window is read in the regime of the row it predicts.
    """
    readout = READOUTS[name]
    build = density_predictor if readout.density else predictor
    total: dict[str, Any] = {}
    for domain in np.unique(read.domain):
        windows = read.windows[read.domain == domain]
        forecast = build(config, params, domain=int(domain), ops=readout.ops)
        found = readout.rule(forecast, windows, mesh=mesh)
        parts = found._asdict() if readout.density else {"total": found}
        for part, scores in parts.items():
            share = len(windows) / len(read.windows)
            total[part] = total.get(part, 0.0) + share * np.asarray(scores)
    return total.pop("total"), total
