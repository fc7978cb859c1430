"""Baselines for CLEANN: the same model queries in other orders."""

import math
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, PRNGKeyArray

from jaxcause._checks import InputError, check_at_least, check_host, check_shape, numbers
from jaxcause._typing import AnyArray, VerifyFn
from jaxcause.attention._candidates import Candidate, subsets_by_cost, whole_numbers
from jaxcause.attention._queries import Explanations, Limits, query_in_order
from jaxcause.stats import colex_subsets

_DRAWN = 1 << 16


def explain_in_order(
    scores: Float[AnyArray, "nodes"],
    verify_fn: VerifyFn,
    *,
    max_size: int | None = None,
    removable: Bool[AnyArray, "nodes"] | None = None,
    batch_size: int = 64,
    max_queries: int | None = None,
    time_limit: float | None = None,
) -> Explanations:
    """Remove one node after the other, highest score first, until the output changes.

    Args:
        scores: Importance of each node, such as attention, a gradient, or random numbers.
        verify_fn: As in `cleann`.
        max_size: Largest number of nodes to remove; all by default.
        removable: Nodes that may be removed.
        batch_size: Sets per call of ``verify_fn``.
        max_queries: Largest number of model queries.
        time_limit: Seconds after which no further batch is sent to the model.

    Raises:
        InputError: A score is not finite, a limit is not positive, or ``verify_fn`` returns
            something else.

    >>> import numpy as np
    >>> explain_in_order(np.array([0.1, 0.9, 0.5]), lambda removed: removed[:, 2]).found[0].nodes
    (1, 2)
    """
    limits = Limits(False, batch_size, max_queries, time_limit).check()
    nodes = _removable(removable, len(scores))
    nodes = nodes[np.argsort(-_scores(scores)[nodes], kind="stable")].tolist()
    if max_size is not None:
        check_at_least("max_size", max_size, 1)
    prefixes = (tuple(nodes[:size]) for size in range(1, len(nodes[:max_size]) + 1))
    return query_in_order(prefixes, verify_fn, len(scores), limits)


def explain_by_subsets(
    scores: Float[AnyArray, "nodes"] | PRNGKeyArray,
    verify_fn: VerifyFn,
    *,
    n_nodes: int | None = None,
    max_size: int | None = None,
    removable: Bool[AnyArray, "nodes"] | None = None,
    every: bool = False,
    batch_size: int = 64,
    max_queries: int | None = None,
    time_limit: float | None = None,
) -> Explanations:
    """Query all subsets, smaller ones first; subsets of one size come by score or at random.

    Args:
        scores: Importance of each node, so that sets with a larger sum come first; or a random key.
        verify_fn: As in `cleann`.
        n_nodes: Number of nodes; needed with a random key.
        max_size: Largest number of nodes to remove; all by default.
        removable: Nodes that may be removed.
        every: Whether to find all minimal explanations, not only the first.
        batch_size: Sets per call of ``verify_fn``.
        max_queries: Largest number of model queries.
        time_limit: Seconds after which no further batch is sent to the model.

    Raises:
        InputError: A score is not finite, ``n_nodes`` is missing, a limit is not positive, or
            ``verify_fn`` returns something else.

    >>> import jax
    >>> found = explain_by_subsets(jax.random.key(0), lambda removed: removed[:, 2], n_nodes=4)
    >>> found.found[0].nodes
    (2,)
    """
    limits = Limits(every, batch_size, max_queries, time_limit).check()
    if max_size is not None:
        check_at_least("max_size", max_size, 1)
    if isinstance(scores, jax.Array) and jnp.issubdtype(scores.dtype, jax.dtypes.prng_key):
        if n_nodes is None:
            raise InputError("n_nodes is missing: pass the number of nodes with a random key")
        nodes = _removable(removable, n_nodes)
        generator = np.random.default_rng(np.asarray(jax.random.key_data(scores)))
        return query_in_order(_at_random(nodes, max_size, generator), verify_fn, n_nodes, limits)
    values = _scores(scores)
    nodes = _removable(removable, values.size)
    costs = (-whole_numbers(values[nodes])).tolist()
    by_score = subsets_by_cost(nodes.tolist(), costs, max_size)
    return query_in_order(by_score, verify_fn, values.size, limits)


def explain_exhaustively(
    n_nodes: int,
    verify_fn: VerifyFn,
    *,
    max_size: int | None = None,
    removable: Bool[AnyArray, "nodes"] | None = None,
    every: bool = False,
    batch_size: int = 64,
    max_queries: int | None = None,
    time_limit: float | None = None,
) -> Explanations:
    """Query every subset, smaller ones first, and so find a smallest explanation.

    Args:
        n_nodes: Number of nodes; each node doubles the number of subsets.
        verify_fn: As in `cleann`.
        max_size: Largest number of nodes to remove; all by default.
        removable: Nodes that may be removed.
        every: Whether to find all minimal explanations, not only the first.
        batch_size: Sets per call of ``verify_fn``.
        max_queries: Largest number of model queries.
        time_limit: Seconds after which no further batch is sent to the model.

    Raises:
        InputError: A limit is not positive, or ``verify_fn`` returns something else.

    >>> explain_exhaustively(4, lambda removed: removed[:, 1] & removed[:, 3]).found[0].nodes
    (1, 3)
    """
    check_at_least("n_nodes", n_nodes, 0)
    return explain_by_subsets(
        np.zeros(n_nodes),
        verify_fn,
        max_size=max_size,
        removable=removable,
        every=every,
        batch_size=batch_size,
        max_queries=max_queries,
        time_limit=time_limit,
    )


def _scores(scores: AnyArray) -> np.ndarray:
    check_host("scores", scores)
    values = np.asarray(numbers("scores", scores)).astype(np.float64)
    if values.ndim != 1 or not np.isfinite(values).all():
        bad = int((~np.isfinite(values)).sum())
        raise InputError(
            f"scores has shape {values.shape} and {bad} NaN or infinite values, but must hold one "
            "finite number per node; average over heads first, leave nodes out with removable"
        )
    return values


def _removable(removable: AnyArray | None, n: int) -> np.ndarray:
    if removable is None:
        return np.arange(n)
    check_shape("removable", removable, (n,))
    return np.flatnonzero(np.asarray(removable))


def _at_random(
    nodes: np.ndarray, max_size: int | None, generator: np.random.Generator
) -> Iterator[Candidate]:
    """All subsets, smaller ones first; subsets of one size come in random order."""
    largest = nodes.size if max_size is None else min(max_size, nodes.size)
    for size in range(1, largest + 1):
        for number in _shuffled(math.comb(nodes.size, size), generator):
            yield tuple(nodes[colex_subsets(size, np.array([number]))[0]].tolist())


def _shuffled(n: int, generator: np.random.Generator) -> Iterator[int]:
    """The numbers 0 … n-1 in random order; a large n needs no list of all of them."""
    if n <= _DRAWN:
        yield from generator.permutation(n).tolist()
        return
    drawn: set[int] = set()
    while len(drawn) < n:
        number = int(generator.integers(n))
        if number not in drawn:
            drawn.add(number)
            yield number
