"""Sparse linear vector autoregression."""

import dataclasses
from typing import TYPE_CHECKING, ClassVar, Literal

from jaxcause.workflows._discover.methods._links import LinkMethod
from jaxcause.workflows._discover.methods._method import Probability, TransformName

if TYPE_CHECKING:
    from jaxtyping import PRNGKeyArray

    from jaxcause.series import SeriesTable
    from jaxcause.workflows._discover.info import Finding


@dataclasses.dataclass(frozen=True)
class Lasso(LinkMethod):
    """A penalised autoregression; an edge for each coefficient that the best forecast keeps.

    The penalty is the one that forecasts the held-out windows best. It keeps more than the true
    edges: the order of the scores says more than the graph. Forbidden links are left out of the
    regressions, and required ones are not penalised.

    Args:
        held_out: Share of the windows, the latest, that chooses the penalty.
        transform: What is done to each column before; ``auto`` takes the one under which a linear
            autoregression forecasts best, but for those of changes from row to row.
    """

    name: ClassVar[str] = "lasso"
    title: ClassVar[str] = "a sparse linear vector autoregression"
    linear: ClassVar[bool] = True
    takes_key: ClassVar[bool] = False
    streams: ClassVar[bool] = True

    held_out: Probability = 0.2
    transform: Literal["auto", TransformName] = "auto"

    def __call__(
        self, table: "SeriesTable", max_lag: int, *, key: "PRNGKeyArray | None", progress: bool
    ) -> "Finding":
        """Fit along the path of penalties, and keep what the best forecast keeps."""
        import numpy as np

        from jaxcause.graph import LaggedGraph
        from jaxcause.series import split_by_time
        from jaxcause.stats import fit_lasso_var
        from jaxcause.workflows._discover.info import DiscoveryInfo, Finding
        from jaxcause.workflows._discover.linear_effects import effects_without_errors
        from jaxcause.workflows._discover.prepare import transformed_windows
        from jaxcause.workflows._discover.required import judge_required
        from jaxcause.workflows._discover.windows import notes_on_windows

        known = self.known_links(table, max_lag).lagged
        length = self.window_length(max_lag)
        values, starts, moved = transformed_windows(table, length, self.transform)
        split = split_by_time(starts, length=length, held_out=self.held_out)
        fit = fit_lasso_var(
            values, *split, max_lag=max_lag, allowed=known.allowed, required=known.required
        )
        strength = np.abs(fit.coefficients)
        n_parameters = int((strength > 0).sum(axis=(0, 2)).max()) + 1
        judged = judge_required(known.required, fit.above_penalty, table.names)
        info = DiscoveryInfo(
            score="absolute standardised coefficient",
            strength="absolute standardised coefficient",
            transform=self.transform,
            penalty=tuple(fit.penalty.tolist()),
            held_out_error=float(fit.error.min(axis=0).mean()),
            n_windows=len(starts),
            n_conflicts=judged.n_conflicts,
            notes=(
                *notes_on_windows(moved, length, len(starts), n_parameters, full=True),
                *judged.notes,
            ),
        )
        graph = LaggedGraph.from_mask((strength > 0) | known.required)
        more = effects_without_errors(
            table,
            max_lag,
            transform=self.transform,
            graph=graph,
            coefficients=fit.coefficients,
            intercept=fit.intercept,
        )
        return Finding(graph, strength, strength, info, None, *more)
