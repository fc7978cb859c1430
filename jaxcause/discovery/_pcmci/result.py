"""What PCMCI and PCMCI+ return."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxcause.graph import LaggedGraph


class PcmciInfo(NamedTuple):
    """How the search went.

    Args:
        parents: ``[source, target, lag]``: the lagged conditions that the first phase selected.
        alpha: Level of significance of the first phase for each variable.
        n_tests: Tests of the first phase, one number per size of conditioning set.
        n_tests_mci: Tests of the second phase, likewise.
        n_conflicts: Contemporaneous edges that the rules oriented both ways, ``x-x``.
        n_ambiguous: Unshielded triples that are neither a collider nor a non-collider.
        n_cyclic: Contemporaneous edges on a directed or almost directed cycle, of which no acyclic
            system can be the cause (`jaxcause.graph.cyclic_edges`).
        n_unsupported: Required links that a test removes (p > alpha), and colliders that contradict
            what is allowed at lag 0.
    """

    parents: Bool[np.ndarray, "vars vars lags"]
    alpha: Float[np.ndarray, "vars"]
    n_tests: Int[np.ndarray, "levels"]
    n_tests_mci: Int[np.ndarray, "mci_levels"]
    n_conflicts: int
    n_ambiguous: int
    n_cyclic: int
    n_unsupported: int = 0


class PcmciResult(NamedTuple):
    """A lagged graph with the statistic and p-value of every link, ``[source, target, lag]``.

    Args:
        graph: Edges ``X_i(t-lag) *-* X_j(t)``; contemporaneous ones without orientation are
            ``o-o``.
        statistic: Partial correlations; 0 where nothing was tested.
        p_value: p-values; NaN where nothing was tested, such as of a variable and itself at lag 0.
        info: How the search went.
    """

    graph: LaggedGraph
    statistic: Float[np.ndarray, "vars vars lags"]
    p_value: Float[np.ndarray, "vars vars lags"]
    info: PcmciInfo
