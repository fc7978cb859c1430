"""The two entries to the core: levels that the host decides, or one traced program with caps."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from jaxcause._checks import (
    InputError,
    check_at_least,
    check_choice,
    check_probability,
    check_shape,
    is_concrete,
)
from jaxcause._precision import float64_where_asked, outside
from jaxcause._typing import AnyArray, CITest
from jaxcause.discovery._given import Given, as_test
from jaxcause.discovery._host.evaluator import Evaluator
from jaxcause.discovery._kernel.engine import engine_of
from jaxcause.discovery._problem import Caps, Constraints, Problem
from jaxcause.discovery._result import SearchInfo, SearchResult, join_results
from jaxcause.graph import BackgroundKnowledge, CausalGraph, SepSets

PAIRS_PER_CHUNK = 1 << 21
"""Pairs of nodes, over all graphs, that are searched together: bounds the memory of a batch."""

HostSearch = Callable[[Problem, Evaluator], SearchResult]
TracedSearch = Callable[..., SearchResult]


def search_graphs(
    host_search: HostSearch,
    traced_search: TracedSearch,
    given: Given,
    *,
    alpha: float | Float[AnyArray, ""],
    max_cond_size: int | None,
    knowledge: BackgroundKnowledge | None,
    node_mask: Bool[AnyArray, "*graphs nodes"] | None,
    sepset: str = "max_p",
    caps: Caps | None = None,
) -> SearchResult:
    """Check the arguments, and search every graph of the batch, in chunks of bounded memory.

    ``given`` is a test, or data to make one of (`as_test`).

    Raises:
        InputError: ``alpha`` is outside (0, 1), ``max_cond_size`` is negative, ``sepset`` is not
            known, ``knowledge`` or ``node_mask`` are about another number of nodes, or the test is
            traced and there are no caps.
    """
    test = as_test(given)
    batch_shape = engine_of(test).batch_shape  # raises if it is no test
    _check(test, alpha, max_cond_size, knowledge, node_mask, sepset)
    n = test.n_nodes
    constraints = Constraints.none(n) if knowledge is None else Constraints.of(knowledge)
    max_p = sepset == "max_p"
    if not n or not math.prod(batch_shape):
        return _nothing(batch_shape, n)
    if caps is not None:
        # No set is larger than the nodes beside a pair, or than a list of candidates.
        sizes = (caps.max_cond_size, max_cond_size, n - 2, caps.max_degree)
        largest = max(0, min(size for size in sizes if size is not None))
        caps = caps._replace(max_cond_size=largest)
        mask = jnp.ones(n, bool) if node_mask is None else jnp.asarray(node_mask, bool)
        mask = jnp.broadcast_to(mask, (*batch_shape, n)).reshape(-1, n)
        with float64_where_asked(test, alpha):
            found = traced_search(test, jnp.asarray(alpha), constraints, mask, caps, max_p)
            return outside(found)
    if not is_concrete(test, alpha, node_mask):
        raise InputError(
            "test is traced by jit or vmap, where a search needs fixed shapes; pass caps, for "
            "example caps=jc.Caps(max_degree=16, max_cond_size=3)"
        )
    mask = np.ones(n, bool) if node_mask is None else np.asarray(node_mask, bool)
    mask = np.broadcast_to(mask, (*batch_shape, n)).reshape(-1, n)
    largest = n if max_cond_size is None else max_cond_size
    results = []
    for part, graphs in _chunks(test, batch_shape, n):
        engine = engine_of(part)
        problem = Problem(engine, float(alpha), constraints, mask[graphs], max_p, largest, n)
        evaluate = Evaluator(engine, alpha=float(alpha), max_p=max_p)
        results.append(host_search(problem, evaluate))
    return join_results(results, batch_shape)


def _check(
    test: CITest,
    alpha: float | Float[AnyArray, ""],
    max_cond_size: int | None,
    knowledge: BackgroundKnowledge | None,
    node_mask: Bool[AnyArray, "*graphs nodes"] | None,
    sepset: str,
) -> None:
    """Refuse arguments that no search takes."""
    check_probability("alpha", alpha)
    check_choice("sepset", sepset, ("first", "max_p"))
    if max_cond_size is not None:
        check_at_least("max_cond_size", max_cond_size, 0)
    n = test.n_nodes
    if knowledge is not None and knowledge.n_nodes != n:
        raise InputError(f"knowledge is about {knowledge.n_nodes} nodes, but the test has {n}")
    if node_mask is not None:
        check_shape("node_mask", node_mask, (n,))


def _nothing(batch_shape: tuple[int, ...], n: int) -> SearchResult:
    """The result where there is no graph, or no node."""
    marks, none = np.zeros((*batch_shape, n, n), np.int8), np.zeros(batch_shape, bool)
    found = np.zeros((*batch_shape, n, n), bool)
    sepsets = SepSets(np.full((*batch_shape, n, n, 0), -1, np.int32), found)
    counts, levels = np.zeros(batch_shape, np.int64), np.zeros((*batch_shape, 0), np.int64)
    info = SearchInfo(levels, levels, counts, counts, counts, none, none, none, found)
    p_values = np.full((*batch_shape, n, n), np.nan)
    return SearchResult(CausalGraph(marks), sepsets, p_values, info)


def _chunks(test: Any, batch_shape: tuple[int, ...], n: int) -> Iterator[tuple[Any, slice]]:
    """The test of some graphs at a time."""
    size = math.prod(batch_shape)
    step = max(1, PAIRS_PER_CHUNK // max(1, n * n))
    if size <= step:
        yield test, slice(0, size)
        return
    for start in range(0, size, step):
        part = slice(start, min(size, start + step))
        yield test[np.unravel_index(np.arange(part.start, part.stop), batch_shape)], part
