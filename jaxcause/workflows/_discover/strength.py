"""Strengths of lagged edges that a search with partial correlations has found."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Int

from jaxcause.discovery.refine import contemporaneous_strength
from jaxcause.graph import LaggedGraph
from jaxcause.stats import PartialCorrelationTest


def given_other_parents(
    test: PartialCorrelationTest, graph: LaggedGraph
) -> Float[np.ndarray, "vars vars lags"]:
    """|Partial correlation| of every lagged source and target given the target's other parents.

    Of edges at lag 0, which stand at both ends, it is given the other parents of both.
    """
    n_vars, _, n_lags, _ = graph.marks.shape
    parents = _parents(graph)
    with jax.enable_x64(True):
        strength = np.array(_all_strengths(test, jnp.asarray(parents), n_vars, n_lags))
    strength[:, :, 0] = contemporaneous_strength(test, graph)
    return strength


def _parents(graph: LaggedGraph) -> Int[np.ndarray, "vars k"]:
    """The parents of each variable as nodes ``lag * vars + var``, padded with -1."""
    n_vars = graph.n_vars
    into = np.asarray(graph.directed).transpose(1, 2, 0).reshape(n_vars, -1)
    parents = np.full((n_vars, int(into.sum(axis=1).max(initial=0))), -1, np.int32)
    for target in range(n_vars):
        nodes = np.flatnonzero(into[target])
        parents[target, : len(nodes)] = nodes
    return parents


def _all_strengths(
    test: PartialCorrelationTest, parents: Int[Array, "vars k"], n_vars: int, n_lags: int
) -> Float[Array, "vars vars lags"]:
    def one(source: Array, target: Array) -> Array:
        given = parents[target]
        return jnp.abs(test(source, target, jnp.where(given == source, -1, given)).statistic)

    nodes = jnp.arange(n_vars * n_lags, dtype=jnp.int32)
    targets = jnp.arange(n_vars, dtype=jnp.int32)
    by_target = jax.jit(
        lambda: jax.lax.map(lambda t: jax.vmap(one, (0, None))(nodes, t), targets)
    )()
    return by_target.reshape(n_vars, n_lags, n_vars).transpose(2, 0, 1)
