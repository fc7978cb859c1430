"""What all searches share: checked arguments, chunks of graphs, the loop over levels."""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Int8, Num

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
from jaxcause.discovery._host.candidates import CandidateLists
from jaxcause.discovery._host.evaluator import Evaluator
from jaxcause.discovery._host.skeleton import Asked, Pairs, Skeleton, test_level, test_level_0
from jaxcause.discovery._result import SearchInfo, SearchResult, join_results
from jaxcause.discovery._traced.search import Caps
from jaxcause.graph import BackgroundKnowledge, CausalGraph, Mark, SepSets
from jaxcause.graph._sepsets import widen

PAIRS_PER_CHUNK = 1 << 21
"""Pairs of nodes, over all graphs, that are searched together: bounds the memory of a batch."""

ENTRIES_PER_BLOCK = 1 << 20
"""Triples of nodes, over all graphs, that the orientation rules look at together."""

_NODES = (8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048)


class Problem(NamedTuple):
    """What is asked about a batch of graphs with one leading axis."""

    evaluate: Evaluator
    asked: Asked
    mask: Bool[np.ndarray, "graphs nodes"]
    max_cond_size: int | None


Search = Callable[[Problem], SearchResult]
SearchWithCaps = Callable[..., SearchResult]


def search_graphs(
    search: Search,
    test: CITest,
    *,
    alpha: float | Float[AnyArray, ""],
    max_cond_size: int | None,
    knowledge: BackgroundKnowledge | None,
    node_mask: Bool[AnyArray, "*graphs nodes"] | None,
    sepset: str = "first",
    caps: Caps | None = None,
    with_caps: SearchWithCaps,
) -> SearchResult:
    """Check the arguments, and search every graph of the batch, in chunks of bounded memory.

    Raises:
        InputError: ``alpha`` is outside (0, 1), ``max_cond_size`` is negative, ``sepset`` is not
            known, ``knowledge`` or ``node_mask`` are about another number of nodes, or the test is
            traced and there are no caps.
    """
    check_probability("alpha", alpha)
    check_choice("sepset", sepset, ("first", "max_p"))
    if max_cond_size is not None:
        check_at_least("max_cond_size", max_cond_size, 0)
    n = test.n_nodes
    if knowledge is not None and knowledge.n_nodes != n:
        raise InputError(f"knowledge is about {knowledge.n_nodes} nodes, but the test has {n}")
    asked = Asked.nothing(n) if knowledge is None else Asked.by(knowledge)
    batch = getattr(test, "batch_shape", ())
    if node_mask is not None:
        check_shape("node_mask", node_mask, (n,))
    if not n or not math.prod(batch):
        return _nothing(batch, n)
    if caps is not None:
        if max_cond_size is not None:
            caps = caps._replace(max_cond_size=min(max_cond_size, caps.max_cond_size))
        mask = jnp.ones(n, bool) if node_mask is None else jnp.asarray(node_mask, bool)
        mask = jnp.broadcast_to(mask, (*batch, n)).reshape(-1, n)
        with float64_where_asked(test, alpha):
            return outside(
                with_caps(test, jnp.asarray(alpha), asked, mask, caps=caps, max_p=sepset == "max_p")
            )
    if not is_concrete(test, alpha, node_mask):
        raise InputError(
            "test is traced by jit or vmap, where a search needs fixed shapes; pass caps, for "
            "example caps=jc.Caps(max_degree=16, max_cond_size=3)"
        )
    mask = np.ones(n, bool) if node_mask is None else np.asarray(node_mask, bool)
    mask = np.broadcast_to(mask, (*batch, n)).reshape(-1, n)
    results = []
    for part, rows in _chunks(test, batch, n):
        evaluate = Evaluator(part, alpha=float(alpha), max_p=sepset == "max_p")
        results.append(search(Problem(evaluate, asked, mask[rows], max_cond_size)))
    return join_results(results, batch)


def _nothing(batch: tuple[int, ...], n: int) -> SearchResult:
    """The result where there is no graph, or no node."""
    marks, none = np.zeros((*batch, n, n), np.int8), np.zeros(batch, bool)
    sepsets = SepSets(np.full((*batch, n, n, 0), -1, np.int32), np.zeros((*batch, n, n), bool))
    counts, levels = np.zeros(batch, np.int64), np.zeros((*batch, 0), np.int64)
    info = SearchInfo(levels, levels, counts, counts, none, none, none)
    p_values = np.full((*batch, n, n), np.nan)
    return SearchResult(CausalGraph(marks), sepsets, p_values, info)


def _chunks(test: Any, batch: tuple[int, ...], n: int) -> Iterator[tuple[Any, slice]]:
    """The test of some graphs at a time."""
    size = math.prod(batch)
    step = max(1, PAIRS_PER_CHUNK // max(1, n * n))
    if size <= step:
        yield test, slice(0, size)
        return
    for start in range(0, size, step):
        part = slice(start, min(size, start + step))
        yield test[np.unravel_index(np.arange(part.start, part.stop), batch)], part


def thin(
    skeleton: Skeleton,
    problem: Problem,
    *,
    first_level: int,
    candidates: Bool[np.ndarray, "graphs nodes nodes"] | None = None,
) -> Skeleton:
    """Test level after level until no pair has enough candidates, or the cap is reached.

    Args:
        skeleton: Where to start.
        problem: What is asked.
        first_level: Size of the first conditioning sets.
        candidates: Whom to condition on; by default the neighbours as each level begins.
    """
    evaluate, asked = problem.evaluate, problem.asked
    pairs = entries = None
    for level in itertools.count(first_level):
        if level == 0:
            skeleton = test_level_0(skeleton, evaluate, asked)
            continue
        allowed = skeleton.adjacency if candidates is None else candidates
        if pairs is None:
            pairs = Pairs.where(skeleton.adjacency & asked.tested)
        lists = CandidateLists(allowed, asked.tiers, entries)
        # Nobody becomes a candidate later.
        entries = lists.entries
        index, rows = lists.rows(pairs, level)
        pairs = pairs.at(index)
        if not pairs.x.size:
            return skeleton
        if problem.max_cond_size is not None and level > problem.max_cond_size:
            truncated = skeleton.truncated.copy()
            truncated[pairs.graph] = True
            return skeleton._replace(truncated=truncated)
        skeleton = test_level(skeleton, evaluate, asked, pairs, level, rows)
        # A pair that has too few candidates now will not have more later.
        pairs = pairs.at(~skeleton.levels[-1].separated)
    raise AssertionError("unreachable")


def in_blocks(
    rules: Callable[..., AnyArray],
    marks: Num[np.ndarray, "graphs nodes nodes"] | Bool[np.ndarray, "graphs nodes nodes"],
    sepsets: SepSets | None = None,
    *more: np.ndarray,
) -> np.ndarray:
    """Apply jitted rules to some graphs at a time, padded to few shapes.

    A block is short enough to stay in the cache, and its loops end with its last graph. The extra
    graphs are empty, and the extra nodes have no edge.

    Args:
        rules: Maps marks, sepsets if given, and what else there is, to an array per graph and node.
        marks: Marks, or adjacency.
        sepsets: Separating sets.
        more: Arrays about each node of each graph.
    """
    n_graphs, n = marks.shape[:2]
    padded_n = next((s for s in _NODES if s >= n), n)
    block = max(1, ENTRIES_PER_BLOCK // max(1, padded_n) ** 3)
    block = min(block, 1 << max(0, n_graphs - 1).bit_length())
    arrays = [(marks, 2, 0), *((array, 1, 0) for array in more)]
    if sepsets is not None:
        members = np.asarray(sepsets.nodes)
        members = widen(members, -(-members.shape[-1] // 4) * 4)
        arrays[1:1] = [(members, 2, -1), (np.asarray(sepsets.found), 2, 0)]
    results = []
    for start in range(0, n_graphs, block):
        parts = []
        for array, node_axes, fill in arrays:
            part = array[start : start + block]
            extra = [(0, block - len(part)), *[(0, padded_n - n)] * node_axes]
            extra += [(0, 0)] * (part.ndim - 1 - node_axes)
            parts.append(np.pad(part, extra, constant_values=fill))
        if sepsets is not None:
            parts[1:3] = [SepSets(jnp.asarray(parts[1]), jnp.asarray(parts[2]))]
        results.append(np.asarray(rules(*parts)))
    if not results:
        return marks
    return np.concatenate(results)[:n_graphs, :n, :n]


def as_result(
    skeleton: Skeleton,
    marks: AnyArray,
    problem: Problem,
    *,
    n_conflicts: AnyArray,
    sepsets: SepSets,
    n_open: AnyArray | None = None,
) -> SearchResult:
    """Assemble what every search returns."""
    n_graphs = len(skeleton.adjacency)
    no_level = [np.zeros(n_graphs, np.int64)] * 0
    n_tests = [level.n_tests for level in skeleton.levels] or no_level
    n_edges = [level.n_edges for level in skeleton.levels] or no_level
    info = SearchInfo(
        n_tests=np.array(n_tests, np.int64).reshape(-1, n_graphs).T,
        n_edges=np.array(n_edges, np.int64).reshape(-1, n_graphs).T,
        n_conflicts=np.asarray(n_conflicts),
        n_open=np.zeros(n_graphs, np.int64) if n_open is None else n_open,
        truncated=skeleton.truncated,
        overflow=np.zeros(n_graphs, bool),
        singular=problem.evaluate.singular(),
    )
    p_values = skeleton.p_values(problem.evaluate)
    p_values, marks = problem.asked.repeated(p_values), problem.asked.repeated(np.asarray(marks))
    return SearchResult(CausalGraph(marks), sepsets, p_values, info)


def known_marks(
    adjacency: Bool[AnyArray, "graphs nodes nodes"], asked: Asked
) -> Int8[Array, "graphs nodes nodes"]:
    """Circles, but an arrowhead at what comes later, and i → j where that is required."""
    into = asked.required
    if asked.tiers is not None:
        into = into | (asked.tiers[:, None] < asked.tiers[None, :])
    marks = jnp.where(adjacency, jnp.int8(Mark.CIRCLE), jnp.int8(Mark.NONE))
    marks = jnp.where(adjacency & into[None], jnp.int8(Mark.ARROW), marks)
    return jnp.where(adjacency & asked.required.T[None], jnp.int8(Mark.TAIL), marks)
