"""PCMCI+."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from jaxcause.workflows._discover.methods._method import (
    ConditioningSize,
    Probability,
    TransformName,
)
from jaxcause.workflows._discover.methods.pcmci import MomentaryMethod

if TYPE_CHECKING:
    from jaxtyping import PRNGKeyArray

    from jaxcause.series import SeriesTable
    from jaxcause.workflows._discover.info import Finding


@dataclasses.dataclass(frozen=True)
class PCMCIPlus(MomentaryMethod):
    """PCMCI with contemporaneous edges, which are oriented where the data allow it.

    It finds linear effects, and assumes that no common cause is left out (Runge 2020).

    Args:
        q: False-discovery rate of the edges.
        alpha: Significance level of the search, which removes edges by itself.
        max_cond_size: Largest conditioning set of the search; no limit by default.
        transform: What is done to each column before; ``auto`` takes the one under which a linear
            autoregression forecasts best, but for those of changes from row to row.
        noise: ``auto`` looks for variables whose noise is louder at some times than at others; in
            tests of them calm stretches count for more (`jaxcause.stats.noise_weights`), unless
            windows with missing values are used. ``steady`` takes the noise of all for steady.
        checkpoint: File to which the search is saved after each size of conditioning sets, and from
            which the same call goes on after its process was killed, to the same graph.
    """

    name: ClassVar[str] = "pcmci+"
    title: ClassVar[str] = "PCMCI+"

    q: Probability = 0.1
    alpha: Probability = 0.01
    max_cond_size: ConditioningSize | None = None
    transform: Literal["auto", TransformName] = "auto"
    noise: Literal["auto", "steady"] = "auto"
    checkpoint: str | Path | None = None

    @property
    def has_lag_0(self) -> bool:
        """Edges within a time step are always looked for."""
        return True

    def __call__(
        self, table: "SeriesTable", max_lag: int, *, key: "PRNGKeyArray | None", progress: bool
    ) -> "Finding":
        """Search, and leave out the edges whose momentary test has a q-value above ``q``."""
        import numpy as np

        from jaxcause.discovery import pcmci_plus
        from jaxcause.graph import LaggedGraph, Mark
        from jaxcause.workflows._discover.methods._momentary import momentary_finding

        found = self._search(pcmci_plus, table, max_lag)
        marks = np.array(found.result.graph.marks)
        marks[~found.kept(self.q)] = Mark.NONE
        return momentary_finding(found, LaggedGraph(marks), q=self.q, alpha=self.alpha)
