"""What `refine` searches: its arguments once they have been checked."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool

from jaxcause._checks import InputError, check_at_least
from jaxcause._typing import CITest
from jaxcause.discovery._kernel.indistinct import indistinct_nodes
from jaxcause.discovery._problem import check_knowledge
from jaxcause.graph import BackgroundKnowledge, LaggedGraph
from jaxcause.series import unrolled
from jaxcause.stats import partial_correlation_test_from_data


class RefineProblem(NamedTuple):
    """The edges to search, the test, and the options; see `jaxcause.discovery.refine`.

    Args:
        allowed: Edges ``[source, target, lag]`` that may exist; at lag 0 in both directions if
            causes may be hidden, since these need no direction that may be.
        required: Edges that must exist.
        causes: Links that may be causal: an edge may exist whose ends are no causes of one another.
        test: Test over nodes ``lag * vars + var`` of ``n_slices`` time steps.
        n_slices: Time steps that are unrolled.
        latents: Whether causes may be hidden.
        contemporaneous: Whether effects at lag 0 are possible.
        alpha: X and Y are taken as independent iff p > alpha.
        max_cond_size: Largest conditioning set of the search.
    """

    allowed: Bool[np.ndarray, "vars vars lags"]
    required: Bool[np.ndarray, "vars vars lags"]
    causes: Bool[np.ndarray, "vars vars lags"]
    test: CITest
    n_slices: int
    latents: bool
    contemporaneous: bool
    alpha: float
    max_cond_size: int | None

    @property
    def n_vars(self) -> int:
        """Number of variables."""
        return self.allowed.shape[0]

    @property
    def n_lags(self) -> int:
        """Lags of an edge, 0 … max_lag."""
        return self.allowed.shape[2]

    @property
    def copies(self) -> Bool[np.ndarray, "nodes nodes"]:
        """Pairs of nodes that the test calls copies of one another."""
        return np.asarray(indistinct_nodes(self.test))

    def knowledge_of(self, edges: Bool[np.ndarray, "vars vars lags"]) -> BackgroundKnowledge:
        """Knowledge that leaves only ``edges`` possible; at lag 0 they count in both directions."""
        links = edges.copy()
        links[:, :, 0] |= links[:, :, 0].T
        if not self.latents:
            links[:, :, 0] &= self.allowed[:, :, 0]
        return BackgroundKnowledge.temporal(
            self.n_vars,
            self.n_lags - 1,
            contemporaneous=True,
            forbidden_links=~links,
            required_links=self.required,
            n_slices=self.n_slices,
        )


class KnownEdges(NamedTuple):
    """Edges ``[source, target, lag]``; see `RefineProblem`."""

    allowed: Bool[np.ndarray, "vars vars lags"]
    required: Bool[np.ndarray, "vars vars lags"]
    causes: Bool[np.ndarray, "vars vars lags"]


def known_edges(
    graph: LaggedGraph,
    knowledge: BackgroundKnowledge | None,
    *,
    latents: bool,
    contemporaneous: bool,
) -> KnownEdges:
    """The edges of a graph, and all those at lag 0 that may be, as far as knowledge allows.

    One statement on each direction leaves an edge to a hidden cause, if there may be any; only an
    edge that is forbidden both ways is left out.

    Raises:
        InputError: The knowledge is about another number of variables or lags.
    """
    allowed = np.array(graph.adjacency)
    allowed[:, :, 0] = (latents or contemporaneous) & ~np.eye(graph.n_vars, dtype=bool)
    check_knowledge(knowledge)
    if knowledge is None:
        return KnownEdges(allowed, np.zeros_like(allowed), np.ones_like(allowed))
    links = knowledge.links(graph.n_vars)
    if links.possible.shape != allowed.shape:
        raise InputError(
            f"knowledge is about {knowledge.n_nodes} nodes, but the graph has {allowed.shape[2]} "
            f"slices of {graph.n_vars} variables; make it by BackgroundKnowledge.temporal"
        )
    possible = links.adjacent.copy() if latents else links.possible.copy()
    # Knowledge without contemporaneous effects does not exclude hidden causes at lag 0.
    possible[:, :, 0] |= not (contemporaneous or possible[:, :, 0].any())
    return KnownEdges((allowed & possible) | links.required, links.required, links.possible)


def window_test(
    values: Any,
    test: CITest | None,
    segment: Any,
    targets: Any,
    *,
    n_vars: int,
    n_lags: int,
    n_slices: int,
) -> CITest:
    """The test that was given, or one of partial correlations over windows of the series.

    Raises:
        InputError: Neither or both of ``values`` and ``test`` are given, or their shape does not
            fit, or the series is too short.
    """
    check_at_least("n_slices", n_slices, n_lags)
    if (values is None) == (test is None):
        raise InputError("refine needs either values or a test; pass one of them")
    if test is not None:
        if test.n_nodes != n_slices * n_vars:
            raise InputError(
                f"test is about {test.n_nodes} nodes, but must be about n_slices * vars = "
                f"{n_slices} * {n_vars}"
            )
        return test
    windows = unrolled(values, n_vars, n_slices, segment, targets)
    if len(windows) <= n_slices * n_vars + 3:
        raise InputError(
            f"values has {len(windows)} windows of {n_slices} complete rows, too few for "
            f"{n_slices * n_vars} lagged variables; give a longer series or a smaller max_lag"
        )
    return partial_correlation_test_from_data(windows)
