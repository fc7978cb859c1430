"""The correct graph if there are hidden causes: the lagged maximal ancestral graph."""

import numpy as np

from jaxcause.graph import LaggedGraph, Mark, ancestor_matrix
from jaxcause.simulate import LaggedSystem

REACH = 6
"""Number of unrolled windows; twice as many give the same graphs for all settings."""


def ancestral_graph(system: LaggedSystem) -> LaggedGraph:
    """The best possible graph of the observed series: edges that no observed set separates.

    X and Y are adjacent iff an inducing path joins them: all its inner nodes are colliders and
    ancestors of X or Y (Richardson & Spirtes, 2002). The earlier end has a tail iff it is an
    ancestor of the later one, whether it is a parent or not.
    """
    truth = system.truth
    n, n_lags = truth.n_vars, truth.max_lag + 1
    n_slices = REACH * n_lags
    causes = _unrolled(np.asarray(truth.directed), n_slices)
    shared = _unrolled(np.asarray(system.confounded), n_slices)
    shared |= shared.T
    ancestors = ancestor_matrix(causes)
    marks = np.zeros((n, n, n_lags, 2), np.int8)
    for target in range(n):
        for source in range(n * n_lags):
            if source == target:
                continue
            within = ancestors[:, source] | ancestors[:, target]
            between = _spread(shared, (causes[source] | shared[source]) & within, within)
            by_path = (between & shared[target]).any()
            if causes[source, target] or shared[source, target] or by_path:
                lag, variable = divmod(source, n)
                early = Mark.TAIL if ancestors[source, target] else Mark.ARROW
                late = Mark.TAIL if ancestors[target, source] else Mark.ARROW
                marks[variable, target, lag] = early, late
    return LaggedGraph(marks)


def causes_of_its_own(system: LaggedSystem) -> np.ndarray:
    """The system over two windows as a DAG, with a hidden cause for each pair that shares one.

    The observed come first, as ``lag * vars + var``; what a search may look at is the newer window.
    """
    n_slices = 2 * (system.truth.max_lag + 1)
    causes = _unrolled(np.asarray(system.truth.directed), n_slices)
    shared = _unrolled(np.asarray(system.confounded), n_slices)
    pairs = np.argwhere(np.triu(shared | shared.T))
    n = len(causes)
    dag = np.zeros((n + len(pairs),) * 2, bool)
    dag[:n, :n] = causes
    dag[n + np.arange(len(pairs))[:, None], pairs] = True
    return dag


def contradicted(graph: LaggedGraph, right: LaggedGraph) -> float:
    """Share of the lagged edges that are false or have a false mark."""
    found, true = (np.asarray(g.marks)[:, :, 1:] for g in (graph, right))
    there = found[..., 0] != Mark.NONE
    says = found != Mark.CIRCLE
    wrong = there & ((true[..., 0] == Mark.NONE) | (says & (found != true)).any(axis=-1))
    return float(wrong.sum() / max(there.sum(), 1))


def as_causes(graph: LaggedGraph) -> LaggedGraph:
    """The graph with o-> written as -->."""
    marks = np.array(graph.marks)
    may_cause = (marks[..., 0] == Mark.CIRCLE) & (marks[..., 1] == Mark.ARROW)
    marks[may_cause] = Mark.TAIL, Mark.ARROW
    now = marks[:, :, 0]
    now[np.swapaxes(may_cause[:, :, 0], 0, 1)] = Mark.ARROW, Mark.TAIL
    return LaggedGraph(marks)


def false_of_certain(graph: LaggedGraph, true: np.ndarray) -> float:
    """Share of the lagged edges --> that are false; o->, which may be hidden, is not counted."""
    certain = np.asarray(graph.directed)[:, :, 1:]
    return float((certain & ~true[:, :, 1:]).sum() / max(certain.sum(), 1))


def _unrolled(links: np.ndarray, n_slices: int) -> np.ndarray:
    """Links between the nodes ``lag * vars + var`` of a number of time steps."""
    n = len(links)
    nodes = np.zeros((n_slices, n, n_slices, n), bool)
    for lag in range(links.shape[2]):
        for late in range(n_slices - lag):
            nodes[late + lag, :, late] = links[:, :, lag]
    return nodes.reshape(n_slices * n, -1)


def _spread(joined: np.ndarray, reached: np.ndarray, within: np.ndarray) -> np.ndarray:
    while True:
        further = reached | (joined[reached].any(axis=0) & within)
        if (further == reached).all():
            return reached
        reached = further
