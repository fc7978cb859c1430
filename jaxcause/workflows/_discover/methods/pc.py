"""PC over lagged variables."""

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from jaxcause.workflows._discover.methods._links import LinkMethod
from jaxcause.workflows._discover.methods._method import (
    ConditioningSize,
    Probability,
    TransformName,
)

if TYPE_CHECKING:
    from jaxtyping import PRNGKeyArray

    from jaxcause.series import SeriesTable
    from jaxcause.workflows._discover.info import Finding


@dataclasses.dataclass(frozen=True)
class PC(LinkMethod):
    """Search with tests of partial correlation over lagged variables: linear effects.

    It assumes that no common cause is left out.

    Args:
        alpha: Significance level of the tests.
        max_cond_size: Largest conditioning set; no limit by default.
        contemporaneous: Whether causes may act within a time step.
        transform: What is done to each column before.
    """

    name: ClassVar[str] = "pc"
    title: ClassVar[str] = "PC with partial correlations over lagged variables"

    alpha: Probability = 0.01
    max_cond_size: ConditioningSize | None = None
    contemporaneous: bool = False
    transform: TransformName = "standardise"

    def __call__(
        self, table: "SeriesTable", max_lag: int, *, key: "PRNGKeyArray", progress: bool
    ) -> "Finding":
        """Search the window unrolled into lagged variables, their order known."""
        import numpy as np

        from jaxcause.discovery import pc
        from jaxcause.discovery.refine import CONTEMPORANEOUS_STRENGTH
        from jaxcause.graph import BackgroundKnowledge, LaggedGraph
        from jaxcause.stats import partial_correlation_test_from_data
        from jaxcause.workflows._discover.info import DiscoveryInfo, Finding
        from jaxcause.workflows._discover.prepare import complete_windows
        from jaxcause.workflows._discover.required import judge_required
        from jaxcause.workflows._discover.strength import (
            given_other_parents,
            p_values_given_other_parents,
        )

        known = self.known_links(table, max_lag)
        length = self.window_length(max_lag)
        values, starts = complete_windows(table, length, self.transform)
        n_vars = values.shape[1]
        newest_first = values[starts[:, None] + np.arange(max_lag, -1, -1)]
        test = partial_correlation_test_from_data(newest_first.reshape(len(starts), -1))
        found = pc(
            test,
            alpha=self.alpha,
            max_cond_size=self.max_cond_size,
            knowledge=BackgroundKnowledge.temporal(
                n_vars,
                max_lag,
                contemporaneous=self.contemporaneous,
                forbidden_links=~known.allowed,
                required_links=known.required,
            ),
        )
        graph = LaggedGraph.from_unrolled(found.graph, n_vars=n_vars)
        strength = given_other_parents(test, graph)
        p_value = p_values_given_other_parents(test, graph, known.required)
        judged = judge_required(known.required, p_value <= self.alpha, table.names)
        info = DiscoveryInfo(
            score="absolute partial correlation given the other parents of the target",
            strength="absolute partial correlation given the other parents of the target",
            strength_at_lag_0=CONTEMPORANEOUS_STRENGTH if self.contemporaneous else None,
            contemporaneous=self.contemporaneous,
            transform=self.transform,
            alpha=self.alpha,
            n_windows=len(starts),
            n_tests=tuple(found.info.n_tests.tolist()),
            n_conflicts=int(found.info.n_conflicts) + (judged.n_conflicts or 0),
            notes=judged.notes,
            truncated=bool(found.info.truncated),
        )
        return Finding(graph, strength, strength, info)
