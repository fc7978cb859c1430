"""The first phase of PCMCI: a superset of each variable's lagged parents."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Int

from jaxcause.discovery._pcmci_tests import WIDTHS, StudentTest, _bucket, student_p_values

CELLS = 1 << 24
"""Largest number of correlations that one call keeps."""


class LaggedParents(NamedTuple):
    """What `select_lagged_parents` found.

    Args:
        order: For each variable its parents, the strongest first; node ``lag * n_vars + var``.
        statistic: ``[source, target, lag]``, the weakest partial correlation of each pair.
        p_value: ``[source, target, lag]``, the largest p-value of each pair.
        alpha: The level that was used for each variable.
        n_tests: Tests at each size of conditioning set.
    """

    order: list[Int[np.ndarray, "parents"]]
    statistic: Float[np.ndarray, "vars vars lags"]
    p_value: Float[np.ndarray, "vars vars lags"]
    alpha: Float[np.ndarray, "vars"]
    n_tests: Int[np.ndarray, "levels"]


class _State(NamedTuple):
    """One row per variable and level of significance, one column per lagged candidate."""

    active: Bool[np.ndarray, "problems candidates"]
    weakest: Float[np.ndarray, "problems candidates"]
    p_value: Float[np.ndarray, "problems candidates"]


def select_lagged_parents(
    test: StudentTest,
    allowed: Bool[np.ndarray, "vars vars lags"],
    alphas: Float[np.ndarray, "alphas"],
    *,
    max_cond_size: int | None = None,
) -> LaggedParents:
    r"""PC₁: remove candidates that are independent of the target given its strongest others.

    At size s each candidate is tested given the s strongest of the target's other candidates,
    by the smallest |r| that each has had in any test; those with p > alpha leave together at the
    end of a size. A target is done when no more than s candidates are left.

    Of several levels each target takes the one whose parents minimise
    :math:`N \log(1 - R^2) + 2 k` with k parents, Akaike's criterion.

    Args:
        test: Partial correlations between the nodes ``lag * n_vars + var``.
        allowed: Which lagged links to consider.
        alphas: Levels of significance to choose from.
        max_cond_size: Largest conditioning set.

    Source: Runge, Nowack, Kretschmer, Flaxman & Sejdinovic (2019), algorithm S1.
    """
    n_vars, _, n_lags = allowed.shape
    candidates = allowed[:, :, 1:].transpose(1, 2, 0).reshape(n_vars, -1)
    shape = (len(alphas) * n_vars, candidates.shape[1])
    state = _State(np.tile(candidates, (len(alphas), 1)), np.full(shape, np.inf), np.zeros(shape))
    target = np.tile(np.arange(n_vars), len(alphas))
    level = np.repeat(alphas, n_vars)
    n_tests = []
    limit = shape[1] if max_cond_size is None else max_cond_size
    for size in range(limit + 1):
        running = state.active.sum(axis=1) > size
        if not running.any():
            break
        asked = state.active & running[:, None]
        state = _one_size(test, state, asked, target, level, size, n_vars)
        n_tests.append(int(asked.sum()))
    orders = [_by_strength(state, row)[: state.active[row].sum()] for row in range(len(target))]
    chosen = _best_level(test, orders, target, n_vars, len(alphas)) * n_vars + np.arange(n_vars)
    return LaggedParents(
        order=[orders[row] + n_vars for row in chosen],
        statistic=_as_links(np.where(np.isinf(state.weakest), 0, state.weakest)[chosen], n_vars, 0),
        p_value=_as_links(np.where(candidates, state.p_value[chosen], 1), n_vars, 1),
        alpha=level[chosen],
        n_tests=np.array(n_tests, np.int64),
    )


def _one_size(
    test: StudentTest,
    state: _State,
    asked: Bool[np.ndarray, "problems candidates"],
    target: Int[np.ndarray, "problems"],
    level: Float[np.ndarray, "problems"],
    size: int,
    n_vars: int,
) -> _State:
    """Every test with sets of one size, then the removals."""
    rows = np.flatnonzero(asked.any(axis=1))
    width = _bucket(size + 1, WIDTHS)
    top = np.full((len(rows), width), -1, np.int32)
    for at, row in enumerate(rows):
        top[at, : size + 1] = _by_strength(state, row)[: size + 1]
    r, rest = np.zeros(asked.shape), np.ones(asked.shape)
    block = max(1, CELLS // ((width + 1) * (asked.shape[1] + 1)))
    block = min(block, len(target))
    for first in range(0, len(rows), block):
        part = rows[first : first + block]
        sets = np.full((block, width), -1, np.int32)
        sets[: len(part)] = top[first : first + block]
        ends = np.zeros(block, np.int32)
        ends[: len(part)] = target[part]
        with jax.enable_x64(True):
            found = _given_strongest(test.corr, ends, sets, np.int32(size), n_vars=n_vars)
        r[part], rest[part] = (np.asarray(one)[: len(part)] for one in found)
    p_value = np.zeros(asked.shape)
    p_value[asked] = student_p_values(rest[asked], np.array(test.n_samples - 2 - size))
    weaker = asked & (np.abs(r) < np.abs(state.weakest))
    return _State(
        active=state.active & ~(asked & (p_value > level[:, None])),
        weakest=np.where(weaker, r, state.weakest),
        p_value=np.maximum(state.p_value, p_value),
    )


def _given_strongest_impl(
    corr: Float[Array, "nodes nodes"],
    target: Int[Array, "problems"],
    top: Int[Array, "problems k"],
    size: Int[Array, ""],
    *,
    n_vars: int,
) -> tuple[Float[Array, "problems candidates"], Float[Array, "problems candidates"]]:
    """r and 1 − r² of each candidate and the target given the ``size`` strongest others.

    A candidate beyond the strongest is tested given all of them: one Cholesky factor serves all.
    One of the strongest is tested given the rest of the ``size + 1`` strongest: the inverse of
    their correlations with the target holds the answers to all.
    """
    n_candidates = (corr.shape[0] - 1) // n_vars // 2 * n_vars
    one = jnp.ones((), corr.dtype)
    tiny = jnp.finfo(corr.dtype).tiny

    def of_one(y: Array, strongest: Array) -> tuple[Array, Array]:
        k = strongest.shape[0]
        nodes = strongest + n_vars
        given = (jnp.arange(k) < size) & (strongest >= 0)
        others = jnp.concatenate([jnp.arange(n_vars, n_vars + n_candidates), y[None]])
        eye = jnp.eye(k, dtype=corr.dtype)
        sigma = jnp.where(given[:, None] & given[None], corr[nodes[:, None], nodes[None]], eye)
        cross = jnp.where(given[:, None], corr[nodes[:, None], others[None]], 0 * one)
        factor = jax.lax.linalg.cholesky(sigma, symmetrize_input=False)
        swept = jax.lax.linalg.triangular_solve(factor, cross, left_side=True, lower=True)
        left = one - (swept**2).sum(axis=0)
        cov = corr[others[:-1], y] - swept[:, -1] @ swept[:, :-1]
        scale = jnp.sqrt(jnp.maximum(left[:-1] * left[-1], tiny))
        outside = cov / scale

        members = jnp.concatenate([nodes, y[None]])
        inside = jnp.concatenate([(jnp.arange(k) <= size) & (strongest >= 0), jnp.array([True])])
        eye = jnp.eye(k + 1, dtype=corr.dtype)
        sigma = jnp.where(inside[:, None] & inside[None], corr[members[:, None], members[None]], eye)
        factor = jax.lax.linalg.cholesky(sigma, symmetrize_input=False)
        half = jax.lax.linalg.triangular_solve(factor, eye, left_side=True, lower=True)
        precision = half.T @ half
        both = jnp.diagonal(precision)
        among = -precision[-1, :-1] / jnp.sqrt(both[-1] * both[:-1])
        is_given = jnp.where(given, strongest, jnp.full_like(strongest, n_candidates))
        r = outside.at[is_given].set(among, mode="drop")
        # What rounding or collinear columns leave undefined counts as dependent.
        r = jnp.where(jnp.isnan(r), one, jnp.clip(r, -one, one))
        return r, (one - r) * (one + r)

    return jax.vmap(of_one)(target, top)


_given_strongest = jax.jit(_given_strongest_impl, static_argnames=("n_vars",))


def _by_strength(state: _State, row: int) -> Int[np.ndarray, "candidates"]:
    """Candidates, the active ones first and the strongest of them first."""
    strength = np.where(state.active[row], np.abs(state.weakest[row]), -1.0)
    return np.argsort(-strength, kind="stable")


def _best_level(
    test: StudentTest, orders: list[np.ndarray], target: np.ndarray, n_vars: int, n_levels: int
) -> Int[np.ndarray, "vars"]:
    """For each variable the level that Akaike's criterion prefers, the first among equals."""
    if n_levels == 1:
        return np.zeros(n_vars, np.int64)
    sizes = np.array([len(order) for order in orders])
    sets = np.full((len(orders), max(1, sizes.max())), -1, np.int64)
    for row, order in enumerate(orders):
        sets[row, : len(order)] = order + n_vars
    variance = np.maximum(test.residual_variance(target, sets), np.finfo(float).tiny)
    score = test.n_samples * np.log(variance) + 2 * sizes
    return score.reshape(n_levels, n_vars).argmin(axis=0)


def _as_links(
    values: Float[np.ndarray, "vars candidates"], n_vars: int, at_lag_0: float
) -> Float[np.ndarray, "vars vars lags"]:
    """Rows (target) of lagged candidates → ``[source, target, lag]``."""
    lagged = values.reshape(n_vars, -1, n_vars).transpose(2, 0, 1)
    return np.concatenate([np.full((n_vars, n_vars, 1), at_lag_0), lagged], axis=2)
