"""Linear vector autoregression."""

import dataclasses
from typing import TYPE_CHECKING, ClassVar, Literal

from jaxcause.workflows._discover.methods._links import LinkMethod
from jaxcause.workflows._discover.methods._method import Probability, TransformName

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Bool, Int, PRNGKeyArray

    from jaxcause._stored import AnyRows
    from jaxcause.series import SeriesTable
    from jaxcause.stats import NoiseWeights, VarFit
    from jaxcause.workflows._discover.info import Finding


@dataclasses.dataclass(frozen=True)
class VAR(LinkMethod):
    """Least squares; Benjamini and Hochberg choose edges among the t-tests.

    With 10 windows or more for each input, every link is tested beside all others, with fewer
    beside the ones that a stepwise regression chose.
    Edges between variables are one family of tests, those of a variable with its own past another.

    Forbidden links are left out of the regressions.
    It finds linear effects, and assumes that no common cause is left out and that none acts within
    a time step.

    Args:
        q: False-discovery rate of the edges.
        transform: What is done to each column before; ``auto`` takes the one under which a linear
            autoregression forecasts best, but for those of changes from row to row.
        regression: ``full`` tests every link beside all others (`jaxcause.stats.fit_var`),
            ``stepwise`` beside those that forecast the target best
            (`jaxcause.stats.stepwise_var`), ``auto`` as it says above.
        noise: ``auto`` looks for variables whose noise is louder at some times than at others. For
            them calm stretches count for more, and errors are robust
            (`jaxcause.stats.weighted_tests`); ``steady`` takes the noise of all for steady, and so
            does ``regression="stepwise"``. If noise changes, ``auto`` regresses on all lags.
    """

    name: ClassVar[str] = "var"
    title: ClassVar[str] = "t-tests of a linear vector autoregression"
    linear: ClassVar[bool] = True
    takes_key: ClassVar[bool] = False
    streams: ClassVar[bool] = True

    q: Probability = 0.1
    transform: Literal["auto", TransformName] = "auto"
    regression: Literal["auto", "full", "stepwise"] = "auto"
    noise: Literal["auto", "steady"] = "auto"

    def __call__(
        self, table: "SeriesTable", max_lag: int, *, key: "PRNGKeyArray | None", progress: bool
    ) -> "Finding":
        """Fit the autoregression, and keep the coefficients whose q-value is at most ``q``."""
        import numpy as np

        from jaxcause.graph import LaggedGraph
        from jaxcause.workflows._discover.info import DiscoveryInfo, Finding
        from jaxcause.workflows._discover.linear_effects import effects_by_coefficients
        from jaxcause.workflows._discover.noise import notes_on_noise, record_of_noise
        from jaxcause.workflows._discover.prepare import transformed_windows
        from jaxcause.workflows._discover.required import judge_required
        from jaxcause.workflows._discover.windows import notes_on_stepwise, notes_on_windows

        known = self.known_links(table, max_lag).lagged
        length = self.window_length(max_lag)
        values, starts, moved = transformed_windows(table, length, self.transform)
        fit, noise = self._fit(values, starts, max_lag, known.allowed)
        selected = np.asarray(fit.q_value <= self.q)
        judged = judge_required(known.required, selected, table.names)
        info = DiscoveryInfo(
            score="absolute t-statistic",
            strength="absolute standardised coefficient",
            transform=self.transform,
            q=self.q,
            n_windows=len(starts),
            p_value=np.where(fit.tested, fit.p_value, np.nan),
            q_value=fit.q_value,
            n_conflicts=judged.n_conflicts,
            noise=record_of_noise(noise, table.names),
            notes=(
                *notes_on_windows(
                    moved, length, len(starts), fit.n_parameters, full=fit.chosen is None
                ),
                *notes_on_stepwise(fit, len(starts)),
                *notes_on_noise(noise, table.names),
                *judged.notes,
            ),
        )
        graph = LaggedGraph.from_mask(selected | known.required)
        more = effects_by_coefficients(
            table, max_lag, transform=self.transform, graph=graph, fit=fit
        )
        scores, strength = np.abs(fit.t_statistic), np.abs(fit.coefficients)
        return Finding(graph, scores, strength, info, None, *more)

    def _fit(
        self,
        values: "AnyRows",
        starts: "Int[np.ndarray, 'windows']",
        max_lag: int,
        allowed: "Bool[np.ndarray, 'vars vars lags']",
    ) -> "tuple[VarFit, NoiseWeights | None]":
        """The tests, and how much each window counts in them if not all count alike."""
        import numpy as np

        from jaxcause.stats import (
            VarMoments,
            linear_tests,
            stepwise_var,
            var_moments,
            weighted_tests,
        )
        from jaxcause.workflows._discover.noise import changing_noise

        terms = {"max_lag": max_lag, "allowed": allowed}
        asked = "steady" if self.regression == "stepwise" else self.noise
        noise = changing_noise(values, starts, asked=asked, **terms)
        if noise is not None:
            return weighted_tests(np.asarray(values), starts, noise, **terms), noise
        test = {"auto": linear_tests, "full": VarMoments.fit, "stepwise": stepwise_var}
        moments = var_moments(values, starts, max_lag=max_lag)
        return test[self.regression](moments, allowed=allowed), None
