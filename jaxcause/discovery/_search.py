"""What all searches share: checked arguments, chunks of graphs, the loop over levels."""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Int8

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
from jaxcause.discovery._candidates import CandidateLists
from jaxcause.discovery._evaluator import Evaluator
from jaxcause.discovery._result import SearchInfo, SearchResult, join_results
from jaxcause.discovery._skeleton import Asked, Pairs, Skeleton, test_level, test_level_0
from jaxcause.discovery._static import Caps
from jaxcause.graph import BackgroundKnowledge, CausalGraph, Mark, SepSets
from jaxcause.graph._sepsets import widen

PAIRS_PER_CHUNK = 1 << 21
"""Pairs of nodes, over all graphs, that are searched together: bounds the memory of a batch."""

_NODES = (8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048)


class Problem(NamedTuple):
    """What is asked about a batch of graphs with one leading axis."""

    evaluate: Evaluator
    knowledge: BackgroundKnowledge
    asked: Asked
    mask: Bool[np.ndarray, "graphs nodes"]
    max_cond_size: int | None


Search = Callable[[Problem], SearchResult]
SearchWithCaps = Callable[..., SearchResult]


def search_graphs(
    search: Search,
    test: CITest,
    *,
    alpha: float,
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
    if knowledge is None:
        knowledge = BackgroundKnowledge(tiers=np.zeros(n, np.int32))
    if knowledge.n_nodes != n:
        raise InputError(f"knowledge is about {knowledge.n_nodes} nodes, but the test has {n}")
    asked = Asked.by(knowledge)
    batch = getattr(test, "batch_shape", ())
    if node_mask is not None:
        check_shape("node_mask", node_mask, (n,))
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
        evaluate = Evaluator(part, alpha=alpha, max_p=sepset == "max_p")
        results.append(search(Problem(evaluate, knowledge, asked, mask[rows], max_cond_size)))
    return join_results(results, batch)


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
    for level in itertools.count(first_level):
        if level == 0:
            skeleton = test_level_0(skeleton, evaluate, asked)
            continue
        allowed = skeleton.adjacency if candidates is None else candidates
        pairs = Pairs.where(skeleton.adjacency & asked.tested)
        pairs, rows = CandidateLists(allowed, asked.tiers).rows(pairs, level)
        if not pairs.x.size:
            return skeleton
        if problem.max_cond_size is not None and level > problem.max_cond_size:
            truncated = skeleton.truncated.copy()
            truncated[pairs.graph] = True
            return skeleton._replace(truncated=truncated)
        skeleton = test_level(skeleton, evaluate, asked, pairs, level, rows)
    raise AssertionError("unreachable")


class Padded(NamedTuple):
    """Arrays for the orientation rules, padded to few shapes, so that few programs compile.

    The extra graphs are empty, and the extra nodes have no edge.
    """

    marks: AnyArray
    sepsets: SepSets

    @classmethod
    def of(cls, marks: np.ndarray, sepsets: SepSets) -> "Padded":
        """Pad marks and separating sets."""
        extra = _extra(marks)
        members = np.asarray(sepsets.nodes)
        members = widen(members, -(-members.shape[-1] // 4) * 4)
        members = np.pad(members, [*extra, (0, 0)], constant_values=-1)
        found = np.pad(np.asarray(sepsets.found), extra)
        return cls(cls.only(marks), SepSets(jnp.asarray(members), jnp.asarray(found)))

    @staticmethod
    def only(marks: np.ndarray) -> AnyArray:
        """Pad marks."""
        return jnp.asarray(np.pad(marks, _extra(marks)))


def _extra(marks: np.ndarray) -> list[tuple[int, int]]:
    n_graphs, n = marks.shape[:2]
    more_nodes = next((s for s in _NODES if s >= n), n) - n
    return [(0, (1 << (n_graphs - 1).bit_length()) - n_graphs), (0, more_nodes), (0, more_nodes)]


def as_result(
    skeleton: Skeleton,
    marks: AnyArray,
    problem: Problem,
    *,
    n_conflicts: AnyArray,
    sepsets: SepSets,
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
        truncated=skeleton.truncated,
        overflow=np.zeros(n_graphs, bool),
    )
    p_values = skeleton.p_values(problem.evaluate)
    if problem.asked.copies is not None:
        p_values = problem.knowledge.repeat(p_values)
    return SearchResult(CausalGraph(np.asarray(marks)), sepsets, p_values, info)


def known_marks(
    adjacency: Bool[AnyArray, "graphs nodes nodes"], asked: Asked
) -> Int8[Array, "graphs nodes nodes"]:
    """Circles, but an arrowhead at what comes later, and i → j where that is required."""
    into = asked.required
    if asked.tiers is not None:
        into = into | (asked.tiers[:, None] < asked.tiers)
    marks = jnp.where(adjacency, jnp.int8(Mark.CIRCLE), jnp.int8(Mark.NONE))
    marks = jnp.where(adjacency & into[None], jnp.int8(Mark.ARROW), marks)
    return jnp.where(adjacency & asked.required.T[None], jnp.int8(Mark.TAIL), marks)
