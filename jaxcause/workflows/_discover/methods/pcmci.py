"""PCMCI."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from jaxcause.workflows._discover.methods._holes import HoledMethod
from jaxcause.workflows._discover.methods._method import (
    ConditioningSize,
    Probability,
    TransformName,
)

if TYPE_CHECKING:
    from jaxtyping import PRNGKeyArray

    from jaxcause.series import SeriesTable
    from jaxcause.workflows._discover.info import Finding
    from jaxcause.workflows._discover.methods._momentary import MomentarySearch


class MomentaryMethod(HoledMethod):
    """What PCMCI and PCMCI+ share: their options, their windows, and how they search."""

    linear: ClassVar[bool] = True
    takes_key: ClassVar[bool] = False
    streams: ClassVar[bool] = True

    q: Probability
    alpha: Probability
    max_cond_size: ConditioningSize | None
    transform: Literal["auto", TransformName]
    noise: Literal["auto", "steady"]
    checkpoint: str | Path | None

    def window_length(self, max_lag: int) -> int:
        """Rows of one window: the parents of the earlier end of a link reach back as far again."""
        return 2 * max_lag + 1

    def _search(
        self,
        search: Callable[..., Any],
        table: "SeriesTable",
        max_lag: int,
    ) -> "MomentarySearch":
        from jaxcause.workflows._discover.methods._momentary import search_momentary

        return search_momentary(
            search,
            table,
            max_lag,
            window_length=self.window_length(max_lag),
            transform=self.transform,
            contemporaneous=self.has_lag_0,
            known=self.known_links(table, max_lag),
            alpha=self.alpha,
            max_cond_size=self.max_cond_size,
            testwise=self.by_test(table, self.window_length(max_lag)),
            noise=self.noise,
            mesh=self.mesh,
            checkpoint=self.checkpoint,
        )


@dataclasses.dataclass(frozen=True)
class PCMCI(MomentaryMethod):
    """Test each link given the parents of both ends; Benjamini and Hochberg choose the edges.

    It copes with strong autocorrelation, finds linear effects, and assumes that no common cause is
    left out. Every link up to the longest lag counts as one test (Runge et al. 2019).

    Args:
        q: False-discovery rate of the edges.
        alpha: Significance level of the search for parents, which are only conditioned on.
        max_cond_size: Largest conditioning set of the search for parents; no limit by default.
        contemporaneous: Whether causes may act within a time step; such edges have no direction,
            unless knowledge says which.
        transform: What is done to each column before; ``auto`` takes the one under which a linear
            autoregression forecasts best, but for those of changes from row to row.
        noise: ``auto`` looks for variables whose noise is louder at some times than at others; in
            tests of them calm stretches count for more (`jaxcause.stats.noise_weights`), unless
            windows with missing values are used. ``steady`` takes the noise of all for steady.
        checkpoint: File to which the search is saved after each size of conditioning sets, and from
            which the same call goes on after its process was killed, to the same graph.
    """

    name: ClassVar[str] = "pcmci"
    title: ClassVar[str] = "PCMCI"

    q: Probability = 0.1
    alpha: Probability = 0.2
    max_cond_size: ConditioningSize | None = None
    contemporaneous: bool = False
    transform: Literal["auto", TransformName] = "auto"
    noise: Literal["auto", "steady"] = "auto"
    checkpoint: str | Path | None = None

    def __call__(
        self, table: "SeriesTable", max_lag: int, *, key: "PRNGKeyArray | None", progress: bool
    ) -> "Finding":
        """Select the parents of every variable, and test every link given those of both ends."""
        from jaxcause.discovery import pcmci
        from jaxcause.discovery.pcmci import graph_of_links
        from jaxcause.workflows._discover.methods._momentary import momentary_finding

        found = self._search(pcmci, table, max_lag)
        graph = graph_of_links(found.kept(self.q), found.directions)
        return momentary_finding(found, graph, q=self.q, alpha=None)
