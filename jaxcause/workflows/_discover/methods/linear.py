"""The linear methods: vector autoregressions, PCMCI, and PC over lags."""

import time

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Int

from jaxcause.discovery import lagged_correlation, pc, pcmci, pcmci_plus
from jaxcause.discovery.refine import CONTEMPORANEOUS_STRENGTH, contemporaneous_strength
from jaxcause.graph import BackgroundKnowledge, LaggedGraph, Mark
from jaxcause.series import SeriesTable, fit_transform, split_by_time, window_starts
from jaxcause.stats import (
    PartialCorrelationTest,
    benjamini_hochberg,
    fit_lasso_var,
    fit_var,
    partial_correlation_test_from_data,
)
from jaxcause.workflows._discover.result import Discovery

_ASSUMED = {"latents": False, "contemporaneous": False}
"""What these methods allow for, as ``info`` says it; some also effects within a step."""


def discover_var(table: SeriesTable, *, max_lag: int, q: float, transform: str) -> Discovery:
    """Least squares on all lags; an edge where Benjamini and Hochberg keep the t-test at ``q``."""
    began = time.perf_counter()
    values, starts = _prepared(table, max_lag, transform)
    fit = fit_var(values, starts, max_lag=max_lag)
    info = {
        "method": "var",
        "score": "absolute t-statistic",
        "strength": "absolute standardised coefficient",
        **_ASSUMED,
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
    size = "absolute partial correlation given the other parents of the target"
    info = {
        "method": "pc",
        "score": size,
        "strength": size,
        **_ASSUMED,
        "contemporaneous": contemporaneous,
        **({"strength_at_lag_0": CONTEMPORANEOUS_STRENGTH} if contemporaneous else {}),
        "transform": transform,
        "alpha": alpha,
        "n_windows": len(starts),
        "n_tests": found.info.n_tests.tolist(),
        "n_conflicts": int(found.info.n_conflicts),
        "truncated": bool(found.info.truncated),
        "seconds": {"total": time.perf_counter() - began},
    }
    return Discovery(graph, strength, strength, table.names, None, info)


def discover_pcmci(
    table: SeriesTable,
    *,
    max_lag: int,
    q: float,
    alpha: float | None,
    max_cond_size: int | None,
    contemporaneous: bool,
    transform: str,
    plus: bool = False,
) -> Discovery:
    """PCMCI or PCMCI+; an edge where Benjamini and Hochberg keep its momentary test at ``q``.

    Every link between lags 0 (if ``contemporaneous``, always with PCMCI+) and ``max_lag`` counts as
    one test. ``alpha`` is the level of the search: by default 0.2 where PCMCI selects conditions,
    0.01 for PCMCI+, whose search removes edges by itself.
    """
    began = time.perf_counter()
    values, starts = _prepared(table, max_lag, transform, n_slices=2 * max_lag + 1)
    corr, n_samples = lagged_correlation(values, starts, max_lag=max_lag)
    n_vars = values.shape[1]
    allowed = np.ones((n_vars, n_vars, max_lag + 1), bool)
    allowed[:, :, 0] = contemporaneous or plus
    given = {"n_vars": n_vars, "allowed": allowed, "max_cond_size": max_cond_size}
    level = (0.01 if plus else 0.2) if alpha is None else alpha
    search = pcmci_plus if plus else pcmci
    found = search(corr, n_samples, pc_alpha=level, **given)
    q_value = _q_values(found.p_value)
    if plus:
        marks = np.array(found.graph.marks)
        marks[q_value > q] = Mark.NONE
    else:
        marks = np.zeros((*allowed.shape, 2), np.int8)
        marks[q_value <= q] = (Mark.TAIL, Mark.ARROW)
        marks[:, :, 0][q_value[:, :, 0] <= q] = Mark.CIRCLE
    strength = np.abs(found.statistic)
    info = {
        "method": "pcmci+" if plus else "pcmci",
        "score": "absolute partial correlation given the parents of both ends",
        "strength": "absolute partial correlation given the parents of both ends",
        **_ASSUMED,
        "contemporaneous": contemporaneous or plus,
        "transform": transform,
        "q": q,
        "alpha": level,
        "n_windows": n_samples,
        "n_tests": found.info.n_tests.tolist() + found.info.n_tests_mci.tolist(),
        "n_conflicts": found.info.n_conflicts,
        "p_value": found.p_value,
        "q_value": q_value,
        "seconds": {"total": time.perf_counter() - began},
    }
    return Discovery(LaggedGraph(marks), strength, strength, table.names, None, info)


def discover_lasso(
    table: SeriesTable, *, max_lag: int, held_out: float, transform: str
) -> Discovery:
    """Sparse autoregression; an edge where the best forecast keeps a coefficient.

    The penalty is the one that forecasts the last ``held_out`` of the windows best. It keeps more
    than the true edges: the order of the scores says more than the graph.
    """
    began = time.perf_counter()
    values, starts = _prepared(table, max_lag, transform)
    split = split_by_time(starts, length=max_lag + 1, held_out=held_out)
    fit = fit_lasso_var(values, *split, max_lag=max_lag)
    strength = np.abs(fit.coefficients)
    info = {
        "method": "lasso",
        "score": "absolute standardised coefficient",
        "strength": "absolute standardised coefficient",
        **_ASSUMED,
        "transform": transform,
        "penalty": fit.penalty.tolist(),
        "held_out_error": float(fit.error.min(axis=0).mean()),
        "n_windows": len(starts),
        "seconds": {"total": time.perf_counter() - began},
    }
    graph = LaggedGraph.from_mask(strength > 0)
    return Discovery(graph, strength, strength, table.names, None, info)


def _q_values(
    p_value: Float[np.ndarray, "vars vars lags"],
) -> Float[np.ndarray, "vars vars lags"]:
    """q-values of all tested links, a pair at lag 0 being one test; 1 where nothing was tested."""
    once = p_value.copy()
    below = np.tril_indices(len(once))
    once[(*below, 0)] = np.nan
    with jax.enable_x64(True):
        q_value = np.array(benjamini_hochberg(once))
    q_value[(*below, 0)] = q_value[below[1], below[0], 0]
    return np.where(np.isnan(q_value), 1.0, q_value)


def _prepared(
    table: SeriesTable, max_lag: int, kind: str, *, n_slices: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Transformed values, and the windows of ``max_lag + 1`` or more rows that are complete."""
    length = max_lag + 1 if n_slices is None else n_slices
    starts = window_starts(table.complete, table.segment, length=length)
    return fit_transform(table.values, kind=kind)(table.values), starts


def _given_other_parents(
    test: PartialCorrelationTest, graph: LaggedGraph
) -> Float[np.ndarray, "vars vars lags"]:
    """|Partial correlation| of every lagged source and target given the target's other parents.

    Edges at lag 0 stand from both ends, and are given the other parents of both.
    """
    n_vars, _, n_lags, _ = graph.marks.shape
    into = np.asarray(graph.directed).transpose(1, 2, 0).reshape(n_vars, -1)
    width = int(into.sum(axis=1).max(initial=0))
    parents = np.full((n_vars, width), -1, np.int32)
    for target in range(n_vars):
        nodes = np.flatnonzero(into[target])
        parents[target, : len(nodes)] = nodes
    with jax.enable_x64(True):
        strength = np.array(_all_strengths(test, jnp.asarray(parents), n_vars, n_lags))
    strength[:, :, 0] = contemporaneous_strength(test, graph)
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
