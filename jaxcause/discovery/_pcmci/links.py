"""What PCMCI and PCMCI+ share: their arguments, conditioning sets and results."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxcause._checks import InputError, check_at_least, check_probability, check_square
from jaxcause._typing import AnyArray
from jaxcause.discovery._pcmci.student_test import StudentTest
from jaxcause.graph import LaggedGraph
from jaxcause.stats._check_correlation import checked_correlation


class PcmciInfo(NamedTuple):
    """How the search went.

    Args:
        parents: ``[source, target, lag]``: the lagged conditions that the first phase selected.
        alpha: Level of significance of the first phase for each variable.
        n_tests: Tests of the first phase, one number per size of conditioning set.
        n_tests_mci: Tests of the second phase, likewise.
        n_conflicts: Contemporaneous edges on which orientations contradict one another, ``<->``.
        n_ambiguous: Unshielded triples that were neither a collider nor none.
    """

    parents: Bool[np.ndarray, "vars vars lags"]
    alpha: Float[np.ndarray, "vars"]
    n_tests: Int[np.ndarray, "levels"]
    n_tests_mci: Int[np.ndarray, "mci_levels"]
    n_conflicts: int
    n_ambiguous: int


class PcmciResult(NamedTuple):
    """A lagged graph with the statistic and p-value of every link, ``[source, target, lag]``.

    Args:
        graph: Edges ``X_i(t-lag) *-* X_j(t)``; contemporaneous ones without orientation are
            ``o-o``.
        statistic: Partial correlations; 0 where nothing was tested.
        p_value: p-values; NaN where nothing was tested, as of a variable and itself at lag 0.
        info: How the search went.
    """

    graph: LaggedGraph
    statistic: Float[np.ndarray, "vars vars lags"]
    p_value: Float[np.ndarray, "vars vars lags"]
    info: PcmciInfo


class Links(NamedTuple):
    """Links ``X_source(t - lag) → X_target(t)``, one per row."""

    source: Int[np.ndarray, "rows"]
    target: Int[np.ndarray, "rows"]
    lag: Int[np.ndarray, "rows"]

    def __getitem__(self, rows: np.ndarray) -> "Links":  # pyright: ignore[reportIncompatibleMethodOverride]
        """Some of the links."""
        return Links(*(part[rows] for part in tuple(self)))


def checked(
    corr: Float[AnyArray, "nodes nodes"],
    n_samples: int,
    n_vars: int,
    allowed: Bool[AnyArray, "vars vars lags"] | None,
    alphas: float | Sequence[float],
) -> tuple[StudentTest, Bool[np.ndarray, "vars vars lags"], Float[np.ndarray, "alphas"]]:
    """The test, the links to consider, and the levels to choose from."""
    check_square("corr", corr)
    check_at_least("n_vars", n_vars, 1)
    check_at_least("n_samples", n_samples, 4)
    n_nodes = np.shape(corr)[-1]
    n_slices, remainder = divmod(n_nodes, n_vars)
    if remainder or n_slices % 2 == 0 or n_slices < 3:
        raise InputError(
            f"corr has {n_nodes} nodes, but must have (2 * max_lag + 1) * n_vars with "
            f"n_vars={n_vars}; see lagged_correlation"
        )
    levels = np.atleast_1d(np.asarray(alphas, np.float64))
    for level in levels:
        check_probability("pc_alpha", level)
    shape = (n_vars, n_vars, n_slices // 2 + 1)
    possible = np.ones(shape, bool) if allowed is None else np.array(allowed, bool)
    if possible.shape != shape:
        raise InputError(f"allowed has shape {possible.shape}, but must be {shape}")
    now = possible[:, :, 0]
    if (now != now.T).any():
        raise InputError("allowed at lag 0 must be symmetric: allow a pair both ways or not at all")
    now[np.diag_indices(n_vars)] = False
    return (
        StudentTest(checked_correlation(np.asarray(corr, np.float64)), n_samples),
        possible,
        levels,
    )


def mci_conditions(
    parents: list[Int[np.ndarray, "_"]],
    links: Links,
    n_vars: int,
    n_nodes: int,
    max_target: int | None,
    max_source: int | None,
) -> Int[np.ndarray, "rows k"]:
    """For each link the lagged parents of both ends, those of the source shifted by the lag.

    Args:
        parents: For each variable its parents, the strongest first.
        links: What will be tested; a source is no condition of its own link.
        n_vars: Number of variables.
        n_nodes: Number of nodes ``lag * n_vars + var``.
        max_target: Keep only that many parents of the target.
        max_source: Keep only that many parents of the source.
    """
    padded = np.full((n_vars, max(1, max(map(len, parents)))), -1, np.int64)
    for var, order in enumerate(parents):
        padded[var, : len(order)] = order
    source_node = links.lag * n_vars + links.source
    of_target = padded[links.target]
    of_target[of_target == source_node[:, None]] = -1
    of_target = _first(of_target, max_target)
    of_source = _first(padded, max_source)[links.source]
    of_source = np.where(of_source >= 0, of_source + links.lag[:, None] * n_vars, -1)
    # Node -1 of the table stands for padding.
    taken = np.zeros((len(links.lag), n_nodes + 1), bool)
    taken[np.arange(len(links.lag))[:, None], of_target] = True
    taken[:, -1] = False
    again = np.take_along_axis(taken, of_source % (n_nodes + 1), axis=1) & (of_source >= 0)
    return np.concatenate([of_target, np.where(again, -1, of_source)], axis=1)


def as_table(
    parents: list[Int[np.ndarray, "_"]], n_vars: int, n_lags: int
) -> Bool[np.ndarray, "vars vars lags"]:
    """Parents as ``[source, target, lag]``."""
    table = np.zeros((n_vars, n_vars, n_lags), bool)
    for var, order in enumerate(parents):
        table[order % n_vars, var, order // n_vars] = True
    return table


def _first(sets: np.ndarray, most: int | None) -> np.ndarray:
    """The first ``most`` members of sets that are padded with -1."""
    return sets if most is None else np.where((sets >= 0).cumsum(axis=1) <= most, sets, -1)
