"""Edges that may be indirect: weaker ones beside a path of two stronger ones."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxcause._typing import AnyArray
from jaxcause.graph import LaggedGraph
from jaxcause.series import SeriesTable
from jaxcause.workflows._discover.listing import first_of
from jaxcause.workflows._discover.near_copies import squared_correlations

FEWEST, SHARE = 3, 0.2
"""Shortcuts from which on they are told, and their share of the edges between variables."""
MOSTLY_PAST = 0.5
"""r² of a variable with the row before, in the median over variables, from which on a system is
taken to change between rows, and not in steps of a row."""


class Shortcut(NamedTuple):
    """An edge from ``source`` to ``target`` that is weaker than both edges by way of ``via``."""

    source: int
    via: int
    target: int


def shortcuts(
    graph: LaggedGraph, scores: Float[AnyArray, "vars vars lags"]
) -> tuple[Shortcut, ...]:
    """The directed lagged edges between variables that a path of two stronger ones runs beside.

    Of several lags the strongest counts, and of several paths the one whose weaker edge is
    strongest.

    >>> from jaxcause.graph import LaggedGraph
    >>> scores = np.zeros((3, 3, 2)); scores[0, 1, 1], scores[1, 2, 1], scores[0, 2, 1] = 9, 8, 3
    >>> shortcuts(LaggedGraph.from_mask(scores > 0), scores)
    (Shortcut(source=0, via=1, target=2),)
    """
    edges = np.array(graph.directed)
    edges[:, :, 0] = False
    strength = np.where(edges, np.nan_to_num(np.asarray(scores, np.float64)), 0.0).max(axis=2)
    np.fill_diagonal(strength, 0.0)
    found = []
    for target, into in enumerate(strength.T):
        between = np.flatnonzero(into)
        if not len(between):
            continue
        paths = np.minimum(strength[:, between], into[between])
        best = paths.argmax(axis=1)
        for source in np.flatnonzero((into > 0) & (paths.max(axis=1) > into)):
            found.append(Shortcut(int(source), int(between[best[source]]), target))
    return tuple(found)


def notes_on_shortcuts(
    table: SeriesTable,
    graph: LaggedGraph,
    scores: Float[AnyArray, "vars vars lags"],
    *,
    transform: str,
) -> tuple[str, ...]:
    """What many shortcuts mean in a system that changes while a row passes; else nothing."""
    found = shortcuts(graph, scores)
    lagged = np.asarray(graph.directed)[:, :, 1:].any(axis=2)
    n_between = int(lagged.sum() - np.trace(lagged))
    if len(found) < max(FEWEST, SHARE * n_between):
        return ()
    past = np.diagonal(squared_correlations(table, 1, transform)[1])
    if np.median(past) <= MOSTLY_PAST:
        return ()
    weakest_first = sorted(found, key=lambda s: np.nanmax(scores[s.source, s.target, 1:]))
    names = table.names
    listed = [f"{names[s.source]} --> {names[s.target]} (by {names[s.via]})" for s in weakest_first]
    return (
        f"{len(found)} of the {n_between} edges between variables are weaker than both edges "
        f"of a path beside them: {first_of(listed)}. The variables mostly follow their own past, "
        "as where a system changes while a row passes. An effect by way of another variable then "
        "looks like a direct one, so doubt these edges first. Rows closer in time tell more.",
    )
