"""PC over lagged variables."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from jaxcause.workflows._discover.methods._holes import HoledMethod
from jaxcause.workflows._discover.methods._method import (
    ConditioningSize,
    Probability,
    TransformName,
)

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Bool, PRNGKeyArray, Shaped

    from jaxcause._typing import AnyArray, CITest
    from jaxcause.discovery import SearchResult
    from jaxcause.series import LinkKnowledge, SeriesTable
    from jaxcause.workflows._discover.info import Finding

STRENGTH = "absolute partial correlation given the other parents of the target"


@dataclasses.dataclass(frozen=True)
class PC(HoledMethod):
    """Search with tests of partial correlation over lagged variables: linear effects.

    It assumes that no common cause is left out.

    Args:
        alpha: Significance level of the tests.
        max_cond_size: Largest conditioning set; no limit by default.
        contemporaneous: Whether causes may act within a time step.
        transform: What is done to each column before; ``auto`` takes the one under which a linear
            autoregression forecasts best, but for those of changes from row to row.
        checkpoint: File to which the search is saved after each level, and from which the same call
            goes on after its process was killed, to the same graph.
    """

    name: ClassVar[str] = "pc"
    title: ClassVar[str] = "PC with partial correlations over lagged variables"
    linear: ClassVar[bool] = True
    takes_key: ClassVar[bool] = False
    streams: ClassVar[bool] = True

    alpha: Probability = 0.01
    max_cond_size: ConditioningSize | None = None
    contemporaneous: bool = False
    transform: Literal["auto", TransformName] = "auto"
    checkpoint: str | Path | None = None

    def __call__(
        self, table: "SeriesTable", max_lag: int, *, key: "PRNGKeyArray | None", progress: bool
    ) -> "Finding":
        """Search the window unrolled into lagged variables, their order known."""
        import numpy as np

        from jaxcause.discovery.refine import CONTEMPORANEOUS_STRENGTH
        from jaxcause.graph import LaggedGraph
        from jaxcause.workflows._discover.candidates import link_tests
        from jaxcause.workflows._discover.info import DiscoveryInfo, Finding
        from jaxcause.workflows._discover.linear_effects import effects_by_regression
        from jaxcause.workflows._discover.required import judge_required, note_on_excluded
        from jaxcause.workflows._discover.strength import given_other_parents, with_parents
        from jaxcause.workflows._discover.windows import lagged_tests

        known = self.known_links(table, max_lag)
        n_vars, length = len(table.names), self.window_length(max_lag)
        testwise = self.by_test(table, length)
        tests = lagged_tests(table, length, self.transform, testwise=testwise)
        found = self._search(tests.test, known, n_vars, max_lag)
        graph = LaggedGraph.from_unrolled(found.graph, n_vars=n_vars)
        strength = given_other_parents(tests.test, graph)
        separated = _into_newest(found.sepsets.found, n_vars)
        possible = self._possible(known)
        links = link_tests(np.where(possible, _into_newest(found.p_values, n_vars), np.nan))
        judged = judge_required(known.required, ~separated, table.names)
        excluded = ~possible & ~separated
        excluded[:, :, 0] &= ~np.eye(n_vars, dtype=bool)
        excluded_notes = () if found.info.truncated else note_on_excluded(excluded, table.names)
        info = DiscoveryInfo(
            score=STRENGTH,
            strength=STRENGTH,
            strength_at_lag_0=CONTEMPORANEOUS_STRENGTH if self.contemporaneous else None,
            contemporaneous=self.contemporaneous,
            transform=self.transform,
            alpha=self.alpha,
            p_value=links.p_value,
            q_value=links.q_value,
            n_windows=tests.n_windows,
            n_tests=tuple(found.info.n_tests.tolist()),
            n_conflicts=int(found.info.n_conflicts),
            notes=(
                *tests.notes(len(found.info.n_tests), with_parents(graph)),
                *judged.notes,
                *excluded_notes,
            ),
            truncated=bool(found.info.truncated),
        )
        more = effects_by_regression(
            table, max_lag, transform=self.transform, graph=graph, holes=testwise
        )
        return Finding(graph, strength, strength, info, None, *more)

    def _search(
        self, test: "CITest", known: "LinkKnowledge", n_vars: int, max_lag: int
    ) -> "SearchResult":
        from jaxcause.discovery import pc
        from jaxcause.graph import BackgroundKnowledge

        knowledge = BackgroundKnowledge.temporal(
            n_vars,
            max_lag,
            contemporaneous=self.contemporaneous,
            forbidden_links=~known.allowed,
            required_links=known.required,
        )
        return pc(
            test,
            alpha=self.alpha,
            max_cond_size=self.max_cond_size,
            knowledge=knowledge,
            mesh=self.mesh,
            checkpoint=self.checkpoint,
        )

    def _possible(self, known: "LinkKnowledge") -> "Bool[np.ndarray, 'vars vars lags']":
        """Links that are looked for; at lag 0 in both directions if in either."""
        possible = known.allowed.copy()
        now = possible[:, :, 0] & self.contemporaneous
        possible[:, :, 0] = now | now.T
        return possible


def _into_newest(pairs: "AnyArray", n_vars: int) -> "Shaped[np.ndarray, 'vars vars lags']":
    """Entries of pairs of nodes ``lag * vars + var`` whose second one is at lag 0."""
    import numpy as np

    newest = np.asarray(pairs)[:, :n_vars]
    return newest.reshape(-1, n_vars, n_vars).transpose(1, 2, 0)
