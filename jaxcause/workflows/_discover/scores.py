"""Scores of lagged edges of a trained forecaster, by the name of the readout."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from jaxcause import attribution
from jaxcause._checks import InputError
from jaxcause.models.forecaster import (
    ForecasterConfig,
    Params,
    density_predictor,
    predictor,
)
from jaxcause.nn import ATTN_LRP, CP_LRP, STANDARD, Ops
from jaxcause.workflows._discover.prepare import ReadWindows

Scores = Float[np.ndarray, "source target lag"]


class Readout(NamedTuple):
    """How scores are read: the rule, the backward pass, and what the strength of an edge is."""

    rule: Callable[..., Any]
    ops: Ops
    squared: bool
    strength: str
    density: bool = False


PRODUCT = "mean |input × gradient|: deviations of the target"
READOUTS = {
    "gradient_energy": Readout(
        attribution.gradient_energy,
        STANDARD,
        True,
        "root gradient energy: deviations of the target per one of the source",
    ),
    "score_energy": Readout(
        attribution.score_energy,
        STANDARD,
        True,
        "root score energy: standard errors of the target per deviation of the source",
        density=True,
    ),
    "input_x_gradient": Readout(attribution.input_x_gradient, STANDARD, False, PRODUCT),
    "attn_lrp": Readout(attribution.relevance, ATTN_LRP, False, "mean |relevance|, AttnLRP"),
    "cp_lrp": Readout(attribution.relevance, CP_LRP, False, "mean |relevance|, CP-LRP"),
}
"""Readouts by name."""


def default_readout(readout: str | None, config_head: str) -> str:
    """The readout asked for, or the one that goes with the head of the model.

    Raises:
        InputError: The variance is to be read from a model without one.
    """
    if readout is None:
        return "score_energy" if config_head == "gaussian" else "gradient_energy"
    if READOUTS[readout].density and config_head != "gaussian":
        raise InputError(f"readout={readout!r} needs head='gaussian'; give both")
    return readout


def read_scores(
    name: str, config: ForecasterConfig, params: Params, read: ReadWindows
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
        found = readout.rule(forecast, windows)
        parts = found._asdict() if readout.density else {"total": found}
        for part, scores in parts.items():
            share = len(windows) / len(read.windows)
            total[part] = total.get(part, 0.0) + share * np.asarray(scores)
    return total.pop("total"), total
