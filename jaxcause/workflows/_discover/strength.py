"""Strengths of lagged edges that a search with partial correlations has found."""

import numpy as np
from jaxtyping import Float, Int

from jaxcause.discovery.refine import contemporaneous_strength
from jaxcause.graph import LaggedGraph
from jaxcause.stats import DeletionTest, PartialCorrelationTest


def given_other_parents(
    test: PartialCorrelationTest | DeletionTest, graph: LaggedGraph
) -> Float[np.ndarray, "vars vars lags"]:
    """|Partial correlation| of every lagged source and target given the target's other parents.

    Of edges at lag 0, which stand at both ends, it is given the other parents of both.
    """
    n_vars, _, n_lags, _ = graph.marks.shape
    nodes = np.arange(n_vars * n_lags)
    parents, strength = _parents(graph), np.zeros((n_vars, n_lags, n_vars))
    for target in range(n_vars):
        given = np.tile(parents[target], (nodes.size, 1))
        given[given == nodes[:, None]] = -1
        found = test(nodes, np.full(nodes.size, target), given).statistic
        strength[target] = np.abs(found).reshape(n_lags, n_vars)
    strength = strength.transpose(2, 0, 1)
    strength[:, :, 0] = contemporaneous_strength(test, graph)
    return strength


def with_parents(graph: LaggedGraph) -> Int[np.ndarray, "k vars"]:
    """Each variable at lag 0 with its parents, in columns, padded with -1."""
    return np.column_stack([np.arange(graph.n_vars, dtype=np.int32), _parents(graph)]).T


def _parents(graph: LaggedGraph) -> Int[np.ndarray, "vars k"]:
    """The parents of each variable as nodes ``lag * vars + var``, padded with -1."""
    n_vars = graph.n_vars
    into = np.asarray(graph.directed).transpose(1, 2, 0).reshape(n_vars, -1)
    parents = np.full((n_vars, int(into.sum(axis=1).max(initial=0))), -1, np.int32)
    for target in range(n_vars):
        nodes = np.flatnonzero(into[target])
        parents[target, : len(nodes)] = nodes
    return parents
