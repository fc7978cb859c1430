"""Input gradients of an autoregressive Transformer."""

import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from jaxcause._checks import InputError
from jaxcause.workflows._discover.methods._devices import SharedMethod
from jaxcause.workflows._discover.methods._method import (
    Count,
    Probability,
    TransformName,
)

if TYPE_CHECKING:
    from jaxtyping import PRNGKeyArray

    from jaxcause.series import LinkKnowledge, SeriesTable
    from jaxcause.training import TrainingConfig
    from jaxcause.workflows._discover.edges import Asked, SelectedEdges, SelectionRule
    from jaxcause.workflows._discover.forecast import FittedForecaster
    from jaxcause.workflows._discover.forecaster import TrainedForecaster
    from jaxcause.workflows._discover.hidden import SearchedEdges
    from jaxcause.workflows._discover.info import DiscoveryInfo, Finding
    from jaxcause.workflows._discover.leftover import Leftover
    from jaxcause.workflows._discover.prepare import Prepared
    from jaxcause.workflows._discover.scores import EdgeScores

SEARCH_ALPHA = 0.0001
"""Level of the second search: selected edges are few, and tested on long series."""

OF_TRAINING = ("transform", "skip", "head", "model", "training", "members", "checkpoint", "screen")
"""Options that a forecaster which is already trained leaves nothing to do for."""


@dataclasses.dataclass(frozen=True)
class Gradient(SharedMethod):
    """Train an autoregressive Transformer, and keep the inputs on which its forecasts depend.

    It finds any nonlinear effect on the mean. Below 20,000 windows, the forecast is the best mean
    of the Transformer's and of a linear model's. Where the Transformer adds nothing to it that
    counts, training stops early, and the t-tests of the linear model choose the edges, since they
    have more power. Scores are then the evidence of the linear model
    (`jaxcause.stats.linear_evidence`), elsewhere the root gradient energy over its standard
    error with some of it; ``info.selection``, ``info.gain`` and the notes say so. Where few links
    are candidates or most of them may be edges, `jaxcause.attribution.predictive_impact` on the
    held-out windows is asked for each link besides; ``info.impact_windows`` says so.

    Args:
        q: False-discovery rate of the edges between variables, and of those of a variable with its
            own past.
        select: Another rule from scores to edges than `jaxcause.attribution.evidence_null`, or in
            long series `jaxcause.attribution.select_fdr`, such as
            ``lambda scores: jaxcause.attribution.select_top_k(scores, 3)``.
        readout: What is read from the forecaster (see `jaxcause.attribution`). By default
            ``gradient_energy``; with ``head="gaussian"``, which it needs, ``score_energy``.
            ``intervention`` sets inputs to values of other windows; it states the size of effects
            that saturate or ripple better, takes longer, and is read on one device.
        transform: What is done to each column before; ``auto`` takes the one under which a linear
            autoregression forecasts best, but for those of changes from row to row.
        skip: Whether a linear autoregression is trained along as part of the forecaster, from the
            linear solution. By default it is not: below 20,000 windows (and but for
            ``head="gaussian"``), the trained Transformer and the linear model are stacked instead,
            with the weights that forecast the held-out windows best. False turns that off, too.
        head: ``gaussian`` forecasts a variance, too, and finds effects on the variance alone.
        model: Size of the forecaster: a preset (``content`` is the paper's attention), or a
            dictionary of ``attention``, ``width``, ``depth``, ``n_heads``, ``mlp_ratio``,
            ``dtype``.
        training: Steps, batch size, learning rate, patience; chosen from the data by default.
        members: Size of an ensemble. Scores are averaged over the members, each trained on from the
            first on a block bootstrap; ``info.member_scores`` holds each one's.
        domain: Regime of every row, 0, 1, …: an input of the forecaster. All share one graph. By
            default, ``"auto"``, regimes are looked for (`jaxcause.series.find_regimes`), and the
            notes say which were found; None takes the series for one regime.
        missing: ``drop`` leaves out windows with missing values, ``mask`` makes missing values
            inputs of their own, ``auto`` masks if less than half of the windows are complete.
        contemporaneous: Whether causes may act within a time step; the selected edges are then
            searched again, with all edges within a step allowed.
        latents: Whether common causes may be hidden; the selected edges are then searched again,
            and marked ``<->`` if such a cause explains them, ``o->`` if it may. By default they are
            searched so if the data show it: from 20,000 windows on, if a linear model forecasts as
            well. The notes say so.
        alpha: Significance level of the search for hidden causes and contemporaneous effects,
            0.0001 by default.
        held_out: Share of the windows, the latest, that judges forecasts and stops training.
        n_windows: Windows over which gradients are averaged.
        noise: ``auto`` looks for variables whose noise is louder at some times than at others. For
            them calm stretches count for more in linear tests and in what the Transformer adds
            (`jaxcause.stats.noise_weights`); ``steady`` takes the noise of all for steady.
        screen: Inputs of each target, besides its own past, that the Transformer looks at: the half
            with the most evidence of a linear effect, and the half with the most dependence of any
            other shape. By default all of up to 500 inputs (variables times lags), and of more the
            best 100; a number as large as that of all inputs turns the screen off. The notes say
            how many were kept. Tests of the linear model look at every link in any case.
        forecaster: A trained forecaster of these variables, which spares the training.
        checkpoint: File to which training is saved every few seconds, and the second search between
            its parts, and from which the same call goes on after its process was killed, to the
            same graph.
    """

    name: ClassVar[str] = "gradient"
    title: ClassVar[str] = "input gradients of a Transformer"
    chooses_transform: ClassVar[bool] = True
    per_row: ClassVar[tuple[str, ...]] = ("domain",)

    q: Probability = 0.1
    select: "SelectionRule | None" = None
    readout: (
        Literal[
            "gradient_energy",
            "score_energy",
            "input_x_gradient",
            "attn_lrp",
            "cp_lrp",
            "intervention",
        ]
        | None
    ) = None
    transform: Literal["auto", TransformName] = "auto"
    skip: bool | None = None
    head: Literal["mean", "gaussian"] = "mean"
    model: Literal["small", "base", "large", "content"] | dict[str, Any] = "base"
    training: "TrainingConfig | None" = None
    members: Count = 1
    domain: "Any | None" = "auto"
    missing: Literal["auto", "drop", "mask"] = "auto"
    contemporaneous: bool = False
    latents: bool | None = None
    alpha: Probability | None = None
    held_out: Probability = 0.2
    n_windows: Count = 1024
    noise: Literal["auto", "steady"] = "auto"
    screen: Count | None = None
    forecaster: "TrainedForecaster | None" = None
    checkpoint: str | Path | None = None

    def __post_init__(self) -> None:
        """Check every option, and those that exclude one another."""
        super().__post_init__()
        if self.alpha is not None and not (self.latents or self.contemporaneous):
            raise InputError(
                f"alpha={self.alpha:g} is for latents=True or contemporaneous=True: it is the "
                "level of that search; the false-discovery rate of the edges is q"
            )
        if self.forecaster is not None:
            defaults = {option.name: option.default for option in self.options()}
            for name in OF_TRAINING:
                if getattr(self, name) != defaults[name]:
                    raise InputError(
                        f"{name} is an option of training, which a given forecaster spares; leave "
                        f"{name} or forecaster out"
                    )
        elif self.screen is not None and not self.is_positional:
            raise InputError(
                f"screen={self.screen} is not for attention by content, which looks at every "
                "input; leave it out"
            )
        elif self.readout == "score_energy" and self.head != "gaussian":
            raise InputError(f"readout={self.readout!r} needs head='gaussian'; give both")

    @property
    def is_positional(self) -> bool:
        """Whether attention depends on the position of an input alone."""
        if isinstance(self.model, str):
            return self.model != "content"
        return self.model.get("attention", "positional") == "positional"

    @property
    def settings(self) -> dict[str, Any]:
        """The options as plain values; of a forecaster, that one was given."""
        if self.forecaster is None:
            return super().settings
        return dataclasses.replace(self, forecaster=None).settings | {"forecaster": "given"}

    @property
    def resample(self) -> int | None:
        """Rows of a time step of the forecaster, if one was given."""
        return None if self.forecaster is None else self.forecaster.resample

    @property
    def masks_missing(self) -> bool:
        """Whether windows with missing values may be used."""
        return self.missing != "drop"

    def __call__(
        self, table: "SeriesTable", max_lag: int, *, key: "PRNGKeyArray", progress: bool
    ) -> "Finding":
        """Prepare, forecast, read scores, select edges, allow for hidden causes, take notes."""
        import numpy as np

        from jaxcause.workflows._discover.edges import Wanted, ask, select_edges
        from jaxcause.workflows._discover.hidden import search_hidden
        from jaxcause.workflows._discover.info import Finding
        from jaxcause.workflows._discover.network_effects import effects_of_forecaster
        from jaxcause.workflows._discover.regimes import notes_on_regimes

        began = time.perf_counter()
        data, fitted = self._forecast(table, max_lag, key=key, progress=progress)
        trained = time.perf_counter()
        wanted = Wanted(self.q, self.select, self.readout)
        asked = ask(data, fitted, wanted, progress=progress)
        scores = self._scores(data, fitted, asked, progress=progress)
        selected = select_edges(data, fitted, scores, asked, wanted, progress=progress)
        found = search_hidden(
            data,
            fitted,
            selected,
            latents=self.latents,
            contemporaneous=self.contemporaneous,
            alpha=SEARCH_ALPHA if self.alpha is None else self.alpha,
            q=self.q,
            progress=progress,
            checkpoint=self._second_checkpoint(),
        )
        read = time.perf_counter()
        more = effects_of_forecaster(
            data,
            fitted,
            found.graph,
            np.asarray(found.strength),
            tests=selected.tests if selected.by_tests.all() else None,
        )
        seconds = {"training": trained - began, "attribution": read - trained}
        seconds["effects"] = time.perf_counter() - read
        info = self._info(data, fitted, scores, selected, found)
        notes = (*notes_on_regimes(table, data), *info.notes)
        info = dataclasses.replace(info, seconds=seconds, notes=notes)
        return Finding(
            found.graph, found.scores, found.strength, info, fitted.forecaster, *more, data.domain
        )

    def _second_checkpoint(self) -> Path | None:
        """The file of the second search, which the first of several processes writes."""
        from jaxcause.sharding import is_first_process

        if self.checkpoint is None or not is_first_process(self.mesh):
            return None
        path = Path(self.checkpoint)
        return path.with_name(f"{path.name}.search")

    def _scores(
        self, data: "Prepared", fitted: "FittedForecaster", asked: "Asked", *, progress: bool
    ) -> "EdgeScores":
        """What the gradients say; that of the linear model where its t-tests choose all edges."""
        from jaxcause.workflows._discover.edges import linear_scores
        from jaxcause.workflows._discover.scores import score_edges

        if asked.by_tests.all() and self.readout is None and self.members == 1:
            return linear_scores(data)
        return score_edges(
            data,
            fitted,
            readout=self.readout,
            n_windows=self.n_windows,
            progress=progress,
            mesh=self.mesh,
        )

    def _forecast(
        self, table: "SeriesTable", max_lag: int, *, key: "PRNGKeyArray", progress: bool
    ) -> "tuple[Prepared, FittedForecaster]":
        """The prepared series, and the forecaster: the caller's, or one trained on it."""
        from jaxcause.workflows._discover.progress import stage

        known = self.known_links(table, max_lag)
        # Importing what trains takes a second, too.
        with stage("Fitting linear models", show=progress):
            from jaxcause.workflows._discover import forecast
            from jaxcause.workflows._discover.prepare import with_noise
            from jaxcause.workflows._discover.screen import with_screen

            data = with_noise(self._prepared(table, max_lag, known), self.noise)
            if self.forecaster is None and self.is_positional:
                data = with_screen(data, self.screen)
        if self.forecaster is not None:
            return forecast.given_forecaster(data, self.forecaster, mesh=self.mesh)
        trained = forecast.ForecasterOptions(
            skip=self.skip,
            head=self.head,
            model=self.model,
            training=self.training,
            members=self.members,
            checkpoint=None if self.checkpoint is None else Path(self.checkpoint),
            mesh=self.mesh,
        )
        return data, forecast.fit_forecaster(data, key, trained, progress=progress)

    def _prepared(self, table: "SeriesTable", max_lag: int, known: "LinkKnowledge") -> "Prepared":
        """The series under the transform of the caller's forecaster, or under the best one."""
        from jaxcause.workflows._discover import forecast, prepare
        from jaxcause.workflows._discover.regimes import check_regimes

        domain = self.domain
        if self.forecaster is not None and self.forecaster.config.n_domains == 1:
            domain = None if isinstance(domain, str) else domain
        options = prepare.window_options(
            table, max_lag, held_out=self.held_out, domain=domain, missing=self.missing
        )
        if self.forecaster is None:
            return prepare.prepare(
                table, max_lag, known=known, transform=self.transform, options=options
            )
        forecast.check_forecaster(self.forecaster, table, max_lag)
        check_regimes(self.forecaster, options.domain, found=options.regimes is not None)
        stages = prepare.Stages(self.forecaster.level, self.forecaster.transform)
        return prepare.prepare_as(table, max_lag, known=known, stages=stages, options=options)

    def _leftover(
        self, data: "Prepared", fitted: "FittedForecaster", selected: "SelectedEdges"
    ) -> "Leftover | None":
        """Whether errors depend on their past: held-out ones, or those of the linear model."""
        from jaxcause.workflows._discover.leftover import (
            PER_TERM,
            leftover_of,
            where_undetermined,
        )

        errors, starts, allowed = fitted.residuals, data.split.held_out, data.known.lagged.allowed
        if selected.by_tests.all() and not data.masked:
            starts = data.starts
            few = data.windows_per_input < PER_TERM
            line = data.linear_shrunk() if few else data.moments.fit(allowed=allowed)
            errors = line.residuals(data.filled, starts)
        rows = starts + data.max_lag
        some = where_undetermined(errors, data.names, data.moments, allowed)
        return leftover_of(*some, rows, data.segment[rows]) or None

    def _info(
        self,
        data: "Prepared",
        fitted: "FittedForecaster",
        scores: "EdgeScores",
        selected: "SelectedEdges",
        found: "SearchedEdges",
    ) -> "DiscoveryInfo":
        """The record of what was done."""
        from jaxcause.discovery.refine import CONTEMPORANEOUS_STRENGTH
        from jaxcause.workflows._discover.info import DiscoveryInfo
        from jaxcause.workflows._discover.noise import notes_on_noise, record_of_noise
        from jaxcause.workflows._discover.notes import n_used_windows, notes_of, notes_on_variance
        from jaxcause.workflows._discover.regimes import record_of_regimes
        from jaxcause.workflows._discover.required import judge_required
        from jaxcause.workflows._discover.scores import READOUTS
        from jaxcause.workflows._discover.screen import screen_kept

        supported, n_windows = selected.supported.copy(), sum(map(len, data.split))
        supported[:, :, 0] = found.supported_at_lag_0(n_windows, self.alpha or SEARCH_ALPHA)
        judged = judge_required(data.known.required, supported, data.names)
        return DiscoveryInfo(
            score=selected.measure,
            strength=READOUTS[scores.name].strength,
            strength_at_lag_0=None if found.refined is None else CONTEMPORANEOUS_STRENGTH,
            notes=(
                *notes_on_noise(data.noise, data.names),
                *notes_of(data, fitted, selected, found),
                *notes_on_variance(scores.parts, found.graph, data.names),
                *judged.notes,
            ),
            latents=found.latents,
            contemporaneous=found.contemporaneous,
            transform=data.kind,
            n_conflicts=judged.n_conflicts,
            transform_errors=data.transform_errors,
            n_windows=n_used_windows(data),
            # What was searched again no longer rests on these tests.
            p_value=selected.p_value if found.refined is None else None,
            q_value=selected.q_value if found.refined is None else None,
            q=None if self.select is not None else self.q,
            held_out_error=fitted.error,
            held_out_error_linear=data.linear_error,
            held_out_error_mean=data.mean_error,
            selection=selected.rule,
            screen=screen_kept(data),
            gain=fitted.gain.record(data.names),
            noise=record_of_noise(data.noise, data.names),
            residual_autocorrelation=self._leftover(data, fitted, selected),
            impact_windows=selected.impact_windows,
            widened=selected.widened if selected.widened > 1 else None,
            parts=scores.parts,
            member_scores=scores.members,
            simultaneous_errors=found.simultaneous,
            regimes=record_of_regimes(data),
            refined=None if found.refined is None else found.refined.info._asdict(),
            **fitted.training,
        )
