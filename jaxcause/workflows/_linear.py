"""The linear methods: a vector autoregression with t-tests, and PC over lags."""

import time

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Int

from jaxcause.discovery import pc
from jaxcause.graph import BackgroundKnowledge, LaggedGraph
from jaxcause.io import SeriesTable
from jaxcause.stats import (
    PartialCorrelationTest,
    fit_var,
    partial_correlation_test_from_data,
)
from jaxcause.training import fit_transform, window_starts
from jaxcause.workflows._result import Discovery


def discover_var(table: SeriesTable, *, max_lag: int, q: float, transform: str) -> Discovery:
    """Least squares on all lags; an edge where Benjamini and Hochberg keep the t-test at ``q``."""
    began = time.perf_counter()
    values, starts = _prepared(table, max_lag, transform)
    fit = fit_var(values, starts, max_lag=max_lag)
    info = {
        "method": "var",
        "score": "absolute t-statistic",
        "strength": "absolute standardised coefficient",
        "transform": transform,
        "q": q,
        "n_windows": len(starts),
        "seconds": {"total": time.perf_counter() - began},
    }
    return Discovery(
        graph=LaggedGraph.from_mask(fit.q_value <= q),
        scores=np.abs(fit.t_statistic),
        strength=np.abs(fit.coefficients),
        names=table.names,
        forecaster=None,
        info=info,
    )


def discover_pc(
    table: SeriesTable,
    *,
    max_lag: int,
    alpha: float,
    max_cond_size: int | None,
    contemporaneous: bool,
    transform: str,
) -> Discovery:
    """The shared core with partial correlations over lagged variables and temporal knowledge."""
    began = time.perf_counter()
    values, starts = _prepared(table, max_lag, transform)
    windows = values[starts[:, None] + np.arange(max_lag + 1)]
    test = partial_correlation_test_from_data(windows[:, ::-1].reshape(len(starts), -1))
    n_vars = values.shape[1]
    knowledge = BackgroundKnowledge.temporal(n_vars, max_lag, contemporaneous=contemporaneous)
    found = pc(test, alpha=alpha, max_cond_size=max_cond_size, knowledge=knowledge)
    graph = LaggedGraph.from_unrolled(found.graph, n_vars=n_vars)
    strength = _given_other_parents(test, graph)
    info = {
        "method": "pc",
        "score": "absolute partial correlation given the other parents of the target",
        "strength": "absolute partial correlation given the other parents of the target",
        "transform": transform,
        "alpha": alpha,
        "n_windows": len(starts),
        "n_tests": found.info.n_tests.tolist(),
        "n_conflicts": int(found.info.n_conflicts),
        "truncated": bool(found.info.truncated),
        "seconds": {"total": time.perf_counter() - began},
    }
    return Discovery(graph, strength, strength, table.names, None, info)


def _prepared(table: SeriesTable, max_lag: int, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Transformed values, and the windows that are complete."""
    starts = window_starts(table.complete, table.segment, length=max_lag + 1)
    return fit_transform(table.values, kind=kind)(table.values), starts


def _given_other_parents(
    test: PartialCorrelationTest, graph: LaggedGraph
) -> Float[np.ndarray, "vars vars lags"]:
    """|Partial correlation| of every lagged source and target given the target's other parents."""
    n_vars, _, n_lags, _ = graph.marks.shape
    into = np.asarray(graph.directed).transpose(1, 2, 0).reshape(n_vars, -1)
    width = int(into.sum(axis=1).max(initial=0))
    parents = np.full((n_vars, width), -1, np.int32)
    for target in range(n_vars):
        nodes = np.flatnonzero(into[target])
        parents[target, : len(nodes)] = nodes
    with jax.enable_x64(True):
        strength = np.array(_all_strengths(test, jnp.asarray(parents), n_vars, n_lags))
    now = np.diag_indices(n_vars)
    strength[(*now, 0)] = 0
    strength[:, :, 0] *= np.asarray(graph.adjacency)[:, :, 0]
    return strength


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
