"""Tests of many pairs outside of a search, a block of rows at a time."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Int

from jaxcause._namespace import on_host
from jaxcause._precision import float64_where_asked
from jaxcause._typing import CITest
from jaxcause.discovery._refine.given_past import PastConditionedTest, as_node_lists

ROWS_PER_CALL = 512
"""Tests that are evaluated together: bounds the memory."""


def p_values_given_past(
    test: PastConditionedTest, x: Int[np.ndarray, "pairs"], y: Int[np.ndarray, "pairs"]
) -> Float[np.ndarray, "pairs"]:
    """p-values of some pairs given their past."""
    return evaluate_pairs(test, x, y, _no_nodes(len(x)))[1]


def statistics_given_past(
    test: PastConditionedTest, x: Int[np.ndarray, "pairs"], y: Int[np.ndarray, "pairs"]
) -> Float[np.ndarray, "pairs"]:
    """Statistics of some pairs given their past."""
    return evaluate_pairs(test, x, y, _no_nodes(len(x)))[0]


def p_values_given_sets(
    test: CITest,
    x: Int[np.ndarray, "pairs"],
    y: Int[np.ndarray, "pairs"],
    given: Bool[np.ndarray, "pairs nodes"],
) -> Float[np.ndarray, "pairs"]:
    """p-values of some pairs, each given a set of its own."""
    return evaluate_pairs(test, x, y, as_node_lists(given))[1]


def evaluate_pairs(
    test: CITest,
    x: Int[np.ndarray, "pairs"],
    y: Int[np.ndarray, "pairs"],
    cond: Int[np.ndarray, "pairs width"],
) -> tuple[Float[np.ndarray, "pairs"], Float[np.ndarray, "pairs"]]:
    """Statistics and p-values of some pairs, each given its row of ``cond``, padded with -1."""
    n_pairs = len(x)
    if n_pairs == 0:
        return np.zeros(0), np.zeros(0)
    if getattr(test, "takes_rows", False) and on_host(test):
        blocks = np.array_split(np.arange(n_pairs), -(-n_pairs // ROWS_PER_CALL))
        found = [test(x[rows], y[rows], cond[rows]) for rows in blocks]
        statistic, p_value = (np.concatenate(part) for part in zip(*found, strict=True))
        return statistic, p_value
    extra = -n_pairs % ROWS_PER_CALL
    x, y = (np.pad(end, (0, extra), mode="edge").astype(np.int32) for end in (x, y))
    cond = np.pad(cond, ((0, extra), (0, 0)), mode="edge")
    parts = []
    with float64_where_asked(test):
        for start in range(0, len(x), ROWS_PER_CALL):
            block = slice(start, start + ROWS_PER_CALL)
            found = _evaluate(test, *(jnp.asarray(rows[block]) for rows in (x, y, cond)))
            parts.append([np.asarray(part) for part in found])
    statistic, p_value = (np.concatenate(part)[:n_pairs] for part in zip(*parts, strict=True))
    return statistic, p_value


@jax.jit
def _evaluate(
    test: CITest,
    x: Int[Array, "rows"],
    y: Int[Array, "rows"],
    cond: Int[Array, "rows width"],
) -> tuple[Array, Array]:
    def one_pair(a: Array, b: Array, given: Array) -> tuple[Array, Array]:
        found = test(a, b, given)
        return jnp.asarray(found.statistic), jnp.asarray(found.p_value)

    return jax.vmap(one_pair)(x, y, cond)


def _no_nodes(n_pairs: int) -> Int[np.ndarray, "pairs 1"]:
    return np.full((n_pairs, 1), -1, np.int32)
