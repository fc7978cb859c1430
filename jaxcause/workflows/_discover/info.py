"""How a graph was found: the record that comes with every discovery."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jaxcause._typing import AnyArray
from jaxcause.graph import LaggedGraph

if TYPE_CHECKING:
    from jaxcause.workflows._discover.dynamics import Dynamics
    from jaxcause.workflows._discover.effects import Effects
    from jaxcause.workflows._discover.forecaster import TrainedForecaster


@dataclasses.dataclass(frozen=True)
class DiscoveryInfo:
    """Settings, errors, times and notes of a discovery. What does not apply to a method is None.

    Args:
        score: What the edges were chosen by, in words.
        strength: What the strength of an edge is, in words.
        strength_at_lag_0: What score and strength of a contemporaneous edge are, if something else.
        method: Name of the method.
        title: The method in a few words.
        settings: Every option of the method, with its value.
        notes: Plain sentences on what was found, what it means for the edges, what to do next.
        provenance: Versions, random key, day, and a fingerprint of the data.
        seconds: Wall-clock time of the parts, and in ``total``.
        latents: Whether hidden common causes were allowed for.
        contemporaneous: Whether effects within a time step were allowed for.
        resample: Rows that one time step is the mean of, on average for cells of a grid of time.
        one_lag: How long a lag is, in words, of a resampled series.
        detrend: What was taken out of every column first: whether a ``linear`` trend, and seasons
            of which ``periods`` in rows.
        transform: What was done to each column.
        transform_errors: Held-out error of the linear model under each transform that was tried.
        n_windows: Windows of the series that were used. Gradients are averaged over at most as many
            as the option ``n_windows`` says; windows across the border of the held-out part belong
            to neither side.
        q: False-discovery rate that was aimed at.
        alpha: Significance level of the search.
        n_tests: Conditional independence tests at each level of the search.
        n_conflicts: Edges that the rules oriented both ways, and required links that the data do
            not support.
        n_cyclic: Contemporaneous edges on a directed or almost directed cycle.
        truncated: Whether ``max_cond_size`` may have stopped the search before it was done.
        p_value: Of each link, ``[source, target, lag]``, by the rule that chose the edges; NaN
            where nothing was tested. Of ``"pc"``, the largest among its tests.
        q_value: Of each link, ``[source, target, lag]``; 1 where nothing was tested.
        penalty: Penalty that was chosen for each target.
        held_out_error: Mean squared error of forecasts on held-out windows, in units of the
            variance of each variable.
        held_out_error_linear: The same of a linear autoregression.
        held_out_error_mean: The same of always forecasting the mean of the windows before.
        selection: What chose the edges: ``"t-tests"`` of the linear model, ``"empirical null"`` of
            the scores, ``"both"`` (t-tests for the targets that the linear model forecasts as
            well), or ``"given"``, the caller's rule.
        screen: Inputs of each target besides its own past that a screen left to the Transformer, on
            average.
        gain: What the Transformer adds to the linear forecast: its ``weight`` in the best mean of
            both, the ``share`` of the linear model's held-out error that this removes, the same as
            a share of the variance that it explains (``explained``), by how many standard errors
            (``z``), and the ``targets`` that it forecasts better.
        noise: For each variable whose noise changes over time, by which factor it does; linear
            tests were weighted for them.
        residual_autocorrelation: For each variable whose forecast errors depend on their own past,
            the ``lag`` at which they do most, and the ``correlation`` there.
        impact_windows: Held-out windows on which forecasts without each input chose edges as well
            (`jaxcause.attribution.predictive_impact`); None if they were not asked.
        widened: Factor by which the t-tests were widened, where that was needed.
        skip: Whether a linear autoregression is part of the forecaster.
        model: Sizes of the forecaster.
        training: Settings of its training.
        status: How training ended.
        retried: Whether training diverged and was started again.
        steps: Steps of training.
        best_step: The step whose model was kept.
        losses: Step, loss and held-out error along the training.
        parts: Scores by the part of the forecast that they act on, ``[source, target, lag]``.
        member_scores: What each member of an ensemble gives to the strength, by its readout.
        simultaneous_errors: The largest correlation between forecast errors of one time step.
        regimes: Regimes that were found: their ``number``, the first row of each stretch in
            ``starts``, the regime of each stretch in ``regime``, and the share ``gain`` by which
            they lower a held-out error.
        refined: How the selected edges were searched again for hidden causes.
        key: The random key, if it was the default.
        extra: What a method of your own adds.
    """

    score: str
    strength: str
    strength_at_lag_0: str | None = None
    method: str = ""
    title: str = ""
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    seconds: Mapping[str, float] = dataclasses.field(default_factory=dict)
    latents: bool = False
    contemporaneous: bool = False
    resample: float | None = None
    one_lag: str | None = None
    detrend: Mapping[str, Any] | None = None
    transform: str | None = None
    transform_errors: Mapping[str, Any] | None = None
    n_windows: int | None = None
    q: float | None = None
    alpha: float | None = None
    n_tests: Sequence[int] | None = None
    n_conflicts: int | None = None
    n_cyclic: int | None = None
    truncated: bool | None = None
    p_value: Any = None
    q_value: Any = None
    penalty: Sequence[float] | None = None
    held_out_error: float | None = None
    held_out_error_linear: float | None = None
    held_out_error_mean: float | None = None
    selection: str | None = None
    screen: float | None = None
    gain: Mapping[str, Any] | None = None
    noise: Mapping[str, float] | None = None
    residual_autocorrelation: Mapping[str, Mapping[str, Any]] | None = None
    impact_windows: int | None = None
    widened: float | None = None
    skip: bool | None = None
    model: Mapping[str, Any] | None = None
    training: Mapping[str, Any] | None = None
    status: str | None = None
    retried: bool | None = None
    steps: int | None = None
    best_step: int | None = None
    losses: Sequence[Any] | None = None
    parts: Mapping[str, Any] | None = None
    member_scores: Any = None
    simultaneous_errors: Mapping[str, Any] | None = None
    regimes: Mapping[str, Any] | None = None
    refined: Mapping[str, Any] | None = None
    key: str | None = None
    extra: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def on_variance(self) -> Float[np.ndarray, "vars vars lags"] | None:
        """The part of each lagged score that is of the variance; None if none was forecast."""
        return share_on_variance(self.parts)

    def to_dict(self) -> dict[str, Any]:
        """The fields that say something, by name; those of ``extra`` beside them."""
        said = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        extra = said.pop("extra")
        return {name: value for name, value in said.items() if value is not None} | dict(extra)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "DiscoveryInfo":
        """The record of which `to_dict` made a dictionary, or of the same read from JSON.

        Raises:
            TypeError: ``score`` or ``strength`` is missing.
        """
        known = {field.name for field in dataclasses.fields(cls)} - {"extra"}
        extra = {name: value for name, value in values.items() if name not in known}
        fields: dict[str, Any] = {name: v for name, v in values.items() if name in known}
        fields["notes"] = tuple(fields.get("notes") or ())
        return cls(**fields, extra=extra)


def share_on_variance(
    parts: Mapping[str, Any] | None,
) -> Float[np.ndarray, "vars vars lags"] | None:
    """Share of each score energy that is of the forecast variance; NaN where there is no energy."""
    if parts is None or "variance_part" not in parts:
        return None
    mean, variance = (np.asarray(parts[part], float) for part in ("mean_part", "variance_part"))
    total = mean + variance
    return np.divide(variance, total, out=np.full(total.shape, np.nan), where=total > 0)


class Finding(NamedTuple):
    """What a method returns.

    Args:
        graph: The lagged graph.
        scores: What the edges were chosen by.
        strength: The size of each effect.
        info: How they were found.
        forecaster: The trained Transformer, if there is one.
        domain: The regime of each row that the forecaster was told, if there are several.
        effects: Signed effects of the edges, if they are known.
        dynamics: What responses start from, if there is a model.
    """

    graph: LaggedGraph
    scores: Float[AnyArray, "vars vars lags"]
    strength: Float[AnyArray, "vars vars lags"]
    info: DiscoveryInfo
    forecaster: "TrainedForecaster | None" = None
    effects: "Effects | None" = None
    dynamics: "Dynamics | None" = None
    domain: Int[np.ndarray, "time"] | None = None
