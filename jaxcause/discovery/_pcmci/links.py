"""Lagged links in rows, and what PCMCI conditions on when it tests them."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int


class LaggedLinks(NamedTuple):
    """Links ``X_source(t - lag) → X_target(t)``, one per row."""

    source: Int[np.ndarray, "rows"]
    target: Int[np.ndarray, "rows"]
    lag: Int[np.ndarray, "rows"]

    def at(self, rows: np.ndarray) -> "LaggedLinks":
        """Some of the links."""
        return LaggedLinks(*(part[rows] for part in self))


def mci_conditions(
    parents: list[Int[np.ndarray, "_"]],
    links: LaggedLinks,
    n_vars: int,
    n_nodes: int,
    max_target: int | None,
    max_source: int | None,
) -> Int[np.ndarray, "rows k"]:
    """Conditions of the MCI test: for each link the lagged parents of both ends.

    Parents of the source are shifted by the lag of the link.

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


def parents_as_mask(
    parents: list[Int[np.ndarray, "_"]], n_vars: int, n_lags: int
) -> Bool[np.ndarray, "vars vars lags"]:
    """Parents as a mask ``[source, target, lag]``."""
    mask = np.zeros((n_vars, n_vars, n_lags), bool)
    for var, order in enumerate(parents):
        mask[order % n_vars, var, order // n_vars] = True
    return mask


def _first(sets: np.ndarray, most: int | None) -> np.ndarray:
    """The first ``most`` members of sets that are padded with -1."""
    return sets if most is None else np.where((sets >= 0).cumsum(axis=1) <= most, sets, -1)
