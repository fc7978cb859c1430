"""The first phase of PCMCI: a superset of each variable's lagged parents."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxcause.discovery._pcmci.by_target import TestsByTarget
from jaxcause.discovery._pcmci.problem import PcmciProblem
from jaxcause.discovery._pcmci.student_test import StudentTest
from jaxcause.discovery._phase_record import PhaseRecord


class LaggedParents(NamedTuple):
    """What `select_lagged_parents` found.

    Args:
        order: For each variable its parents, the strongest first; node ``lag * n_vars + var``.
        statistic: ``[source, target, lag]``, the partial correlation of the test with the largest
            p-value.
        p_value: ``[source, target, lag]``, the largest p-value of each pair.
        alpha: The level of significance of each variable.
        n_tests: Tests at each size of conditioning set.
    """

    order: list[Int[np.ndarray, "_"]]
    statistic: Float[np.ndarray, "vars vars lags"]
    p_value: Float[np.ndarray, "vars vars lags"]
    alpha: Float[np.ndarray, "vars"]
    n_tests: Int[np.ndarray, "levels"]


class _Candidates(NamedTuple):
    """State of the lagged candidates: a row per variable and level of significance.

    Args:
        active: Candidates that are left.
        weakest: The statistic of smallest size among the tests of each.
        p_value: The largest p-value among them.
        statistic: The statistic of the test with the largest p-value.
    """

    active: Bool[np.ndarray, "problems candidates"]
    weakest: Float[np.ndarray, "problems candidates"]
    p_value: Float[np.ndarray, "problems candidates"]
    statistic: Float[np.ndarray, "problems candidates"]


def select_lagged_parents(problem: PcmciProblem, record: PhaseRecord) -> LaggedParents:
    r"""PC₁: remove candidates that are independent of the target given its strongest others.

    At size s each candidate is tested given the s strongest of the target's other candidates. The
    strength of a candidate is the smallest \|r\| of its tests so far. Candidates with p > alpha are
    removed together at the end of a size. A target is done when at most s candidates are left.
    Required links are the first conditions of every test, and are not tested here.

    If there are several levels, each target takes the one whose parents minimise
    :math:`N \log(1 - R^2) + 2 k` with k parents, Akaike's criterion.

    The record is written after each size.

    Source: Runge, Nowack, Kretschmer, Flaxman & Sejdinovic (2019), algorithm S1.
    """
    test, alphas, n_vars = problem.test, problem.alphas, len(problem.allowed)
    candidates, certain = (
        links[:, :, 1:].transpose(1, 2, 0).reshape(n_vars, -1)
        for links in (problem.allowed, problem.required)
    )
    open_to_tests = np.tile(~certain, (len(alphas), 1))
    shape = (len(alphas) * n_vars, candidates.shape[1])
    none = np.full(shape, -1.0), np.zeros(shape)
    state = _Candidates(np.tile(candidates, (len(alphas), 1)), np.full(shape, np.inf), *none)
    target = np.tile(np.arange(n_vars), len(alphas))
    level = np.repeat(alphas, n_vars)
    start = state, np.zeros(0, np.int64)
    done, (state, n_tests) = record.resumed("parents", start)
    limit = shape[1] if problem.max_cond_size is None else problem.max_cond_size
    for size in range(done, limit + 1):
        running = state.active.sum(axis=1) > size
        tested = state.active & open_to_tests & running[:, None]
        if not tested.any():
            break
        state = _one_size(test, state, tested, target, level, size, n_vars)
        n_tests = np.append(n_tests, tested.sum())
        record.save("parents", size + 1, (state, n_tests))
    orders = [_by_strength(state, row)[: state.active[row].sum()] for row in range(len(target))]
    chosen = _best_level(test, orders, target, n_vars, len(alphas)) * n_vars + np.arange(n_vars)
    return LaggedParents(
        order=[orders[row] + n_vars for row in chosen],
        statistic=_as_links(state.statistic[chosen], n_vars, 0),
        p_value=_as_links(np.where(candidates, state.p_value[chosen], 1), n_vars, 1),
        alpha=level[chosen],
        n_tests=n_tests,
    )


def _one_size(
    test: StudentTest | TestsByTarget,
    state: _Candidates,
    tested: Bool[np.ndarray, "problems candidates"],
    target: Int[np.ndarray, "problems"],
    level: Float[np.ndarray, "problems"],
    size: int,
    n_vars: int,
) -> _Candidates:
    """Every test with sets of one size, then the removals."""
    rows, candidate = np.nonzero(tested)
    top = np.full((len(tested), size + 1), -1, np.int64)
    for row in np.unique(rows).tolist():
        top[row] = _by_strength(state, row)[: size + 1]
    # Take one more than needed of the strongest; drop the candidate itself, or else the last one.
    others = top[rows]
    drop = others == candidate[:, None]
    drop[~drop.any(axis=1), -1] = True
    cond = others[~drop].reshape(len(rows), size) + n_vars
    found = test(candidate + n_vars, target[rows], cond)
    r, p_value = np.zeros(tested.shape), np.zeros(tested.shape)
    r[tested], p_value[tested] = found
    weaker = tested & (np.abs(r) < np.abs(state.weakest))
    return _Candidates(
        active=state.active & ~(tested & (p_value > level[:, None])),
        weakest=np.where(weaker, r, state.weakest),
        p_value=np.maximum(state.p_value, p_value),
        statistic=np.where(tested & (p_value > state.p_value), r, state.statistic),
    )


def _by_strength(state: _Candidates, row: int) -> Int[np.ndarray, "candidates"]:
    """Candidates, the active ones first and the strongest of them first."""
    strength = np.where(state.active[row], np.abs(state.weakest[row]), -1.0)
    return np.argsort(-strength, kind="stable")


def _best_level(
    test: StudentTest | TestsByTarget,
    orders: list[np.ndarray],
    target: np.ndarray,
    n_vars: int,
    n_levels: int,
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
