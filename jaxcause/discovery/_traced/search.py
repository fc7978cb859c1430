"""The second entry to the core: one program of fixed shapes, for use inside other people's ``jit``.

Nothing here depends on a value: neighbourhoods and conditioning sets are capped, and what does not
fit raises the flag ``overflow`` of its graph instead of giving a wrong graph silently. Below the
caps the answers are those of the host-level searches.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import ndtri
from jaxtyping import Bool, Float, Int

from jaxcause._typing import CITest
from jaxcause.discovery._host.skeleton import Asked
from jaxcause.discovery._kernel.first_separating_set import (
    NEVER,
    Found,
    gaussian_first,
    general_first,
)
from jaxcause.discovery._kernel.partial_correlation import NULL, Correlations, DeviceRows
from jaxcause.discovery._orientation.neighbourhoods import neighbour_lists
from jaxcause.discovery._result import SearchInfo, SearchResult
from jaxcause.graph import CausalGraph, SepSets
from jaxcause.stats import PartialCorrelationTest, colex_subsets, fisher_z_p_value, is_singular

_LANES = 2048


class Caps(NamedTuple):
    """Static bounds of a search that runs as one compiled program.

    Args:
        max_degree: Candidates that a node may have; more of them make the search overflow.
        max_cond_size: Largest conditioning set.
    """

    max_degree: int
    max_cond_size: int


class Question(NamedTuple):
    """What a search with caps is asked, and how."""

    test: CITest
    alpha: Float[Array, ""]
    asked: Asked
    caps: Caps
    max_p: bool


class State(NamedTuple):
    """The search between two levels."""

    adjacency: Bool[Array, "graphs nodes nodes"]
    sepsets: SepSets
    p_values: Float[Array, "graphs nodes nodes"]
    n_tests: tuple[Int[Array, "graphs"], ...]
    n_edges: tuple[Int[Array, "graphs"], ...]
    overflow: Bool[Array, "graphs"]
    truncated: Bool[Array, "graphs"]


class Slots(NamedTuple):
    """Rows of one level, one for each node and place among its neighbours.

    Args:
        x: The node.
        y: Its neighbour.
        real: Whether there is a pair to test.
        candidates: Whom to condition on, in order: ``[..., width]``.
        n_candidates: How many of them.
    """

    x: Int[Array, "graphs nodes slots"]
    y: Int[Array, "graphs nodes slots"]
    real: Bool[Array, "graphs nodes slots"]
    candidates: Int[Array, "graphs nodes slots width"]
    n_candidates: Int[Array, "graphs nodes slots"]


def begin(question: Question, mask: Bool[Array, "graphs nodes"]) -> State:
    """Every edge that knowledge and mask allow, less those whose ends are independent."""
    n_graphs, n = mask.shape
    adjacency = jnp.asarray(question.asked.possible)[None] & mask[:, :, None] & mask[:, None, :]
    dtype = _dtype(question.test)
    width = question.caps.max_cond_size
    nothing = jnp.zeros(n_graphs, bool)
    state = State(
        adjacency,
        SepSets(jnp.full((*adjacency.shape, width), -1, jnp.int32), jnp.zeros_like(adjacency)),
        jnp.full(adjacency.shape, jnp.nan, dtype),
        (),
        (),
        nothing,
        nothing,
    )
    y = jnp.broadcast_to(jnp.arange(n, dtype=jnp.int32)[None, None, :], adjacency.shape)
    x = jnp.swapaxes(y, 1, 2)
    nobody = jnp.zeros((*adjacency.shape, 1), jnp.int32)
    real = adjacency & jnp.asarray(question.asked.tested)[None]
    return test_slots(question, state, Slots(x, y, real, nobody, jnp.zeros_like(x)), 0)


def slots_of(
    question: Question, state: State, allowed: Bool[Array, "graphs nodes nodes"]
) -> tuple[Slots, Bool[Array, "graphs"]]:
    """A row for each end of each edge, and which graphs have more candidates than the cap."""
    asked, width = question.asked, question.caps.max_degree
    n = allowed.shape[1]
    neighbours = neighbour_lists(state.adjacency, width)
    listed = neighbour_lists(allowed, width)
    x = jnp.broadcast_to(jnp.arange(n, dtype=jnp.int32)[None, :, None], neighbours.shape)
    y = jnp.minimum(neighbours, n - 1)
    pair_tested = jnp.asarray(asked.tested) | jnp.asarray(asked.tested).T
    real = (neighbours < n) & pair_tested[x, y]
    candidates = jnp.broadcast_to(listed[:, :, None, :], (*x.shape, width))
    keep = (candidates < n) & (candidates != y[..., None])
    candidates = jnp.minimum(candidates, n - 1)
    if asked.tiers is not None:
        tiers = jnp.asarray(asked.tiers)
        keep &= tiers[candidates] <= jnp.maximum(tiers[x], tiers[y])[..., None]
    candidates, n_candidates = compacted(candidates, keep)
    most = jnp.maximum(state.adjacency.sum(axis=2), allowed.sum(axis=2)).max(axis=1, initial=0)
    return Slots(x, y, real, candidates, n_candidates), most > width


def compacted(
    candidates: Int[Array, "*rows width"], keep: Bool[Array, "*rows width"]
) -> tuple[Int[Array, "*rows width"], Int[Array, "*rows"]]:
    """Move what is kept to the front of each row, and count it."""
    order = jnp.argsort(~keep, axis=-1, stable=True)
    return jnp.take_along_axis(candidates, order, axis=-1), keep.sum(axis=-1, dtype=jnp.int32)


def thin(
    question: Question, state: State, candidates: Bool[Array, "graphs nodes nodes"] | None = None
) -> State:
    """Levels 1 … ``max_cond_size`` of PC-stable."""
    for size in range(1, question.caps.max_cond_size + 2):
        allowed = state.adjacency if candidates is None else candidates
        slots, crowded = slots_of(question, state, allowed)
        needed = (slots.real & (slots.n_candidates >= size)).any(axis=(1, 2))
        if size > question.caps.max_cond_size:
            return state._replace(truncated=state.truncated | needed)
        # A list that is cut short may still hold fewer candidates than a level asks for.
        state = state._replace(overflow=state.overflow | crowded)
        state = test_slots(question, state, slots, size)
    return state


def test_slots(question: Question, state: State, slots: Slots, size: int) -> State:
    """One level: remove each pair that some set of ``size`` candidates separates."""
    width = slots.candidates.shape[-1]
    binomials = np.array([math.comb(k, size) for k in range(width + 1)], np.int32)
    n_valid = jnp.where(slots.real, jnp.asarray(binomials)[slots.n_candidates], 0)
    table = colex_subsets(size, np.arange(math.comb(width, size) if size else 1))
    found = evaluate(question, slots, n_valid, table)
    number = jnp.asarray(found.first).reshape(slots.x.shape)
    positions = jnp.asarray(table)[jnp.minimum(number, len(table) - 1)]
    members = jnp.take_along_axis(slots.candidates, positions, axis=-1)
    p = p_values_of(question, slots, jnp.asarray(found.value).reshape(slots.x.shape), size)
    return settle(question, state, slots, number, members, (p, n_valid))


def settle(
    question: Question,
    state: State,
    slots: Slots,
    number: Array,
    members: Array,
    tested: tuple[Array, Array],
) -> State:
    """Let the two rows of each pair compete: the better set wins, then the smaller node."""
    p, n_valid = tested
    size = members.shape[-1]
    graph = jnp.arange(slots.x.shape[0], dtype=jnp.int32)[:, None, None]
    here, there = (graph, slots.x, slots.y), (graph, slots.y, slots.x)
    looked = n_valid > 0
    of_pair = jnp.full(state.adjacency.shape, NEVER, jnp.int32)
    of_pair = of_pair.at[here].min(jnp.where(looked, number, NEVER))
    other = of_pair[there]
    wins = looked & (number < NEVER)
    if question.max_p:
        best = jnp.full(state.adjacency.shape, -1, p.dtype)
        rival = best.at[here].max(jnp.where(looked, p, -jnp.ones_like(p)))[there]
        wins &= (p > rival) | ((p == rival) & (slots.x < slots.y))
    else:
        wins &= (number < other) | ((number == other) & (slots.x < slots.y))
    nowhere = jnp.int32(state.adjacency.shape[1])
    won = (graph, jnp.where(wins, slots.x, nowhere), slots.y)
    back = (graph, jnp.where(wins, slots.y, nowhere), slots.x)
    gone = jnp.zeros_like(state.adjacency)
    gone = gone.at[won].set(True, mode="drop").at[back].set(True, mode="drop")
    nodes = jnp.asarray(state.sepsets.nodes)
    if size:
        # Positions ascend, and so do candidates, but for those of two nodes in one list.
        padded = jnp.full((*members.shape[:-1], nodes.shape[-1]), -1, jnp.int32)
        padded = padded.at[..., :size].set(jnp.sort(members, axis=-1))
        nodes = nodes.at[won].set(padded, mode="drop").at[back].set(padded, mode="drop")
    beaten = looked & ~wins & (jnp.minimum(number, other) < NEVER)
    p = jnp.where(looked & ~beaten, p, -jnp.ones_like(p))
    largest = jnp.full_like(state.p_values, -1).at[here].max(p).at[there].max(p)
    p_values = jnp.where(largest >= 0, jnp.fmax(state.p_values, largest), state.p_values)
    adjacency = state.adjacency & ~gone
    if question.asked.copies is not None:
        adjacency = adjacency.reshape(len(adjacency), -1)[:, question.asked.copies]
    smaller = jnp.minimum(number, other)
    needed = n_valid
    if not question.max_p:
        needed = jnp.where(smaller < NEVER, jnp.minimum(n_valid, smaller + 1), n_valid)
    return state._replace(
        adjacency=adjacency,
        sepsets=SepSets(nodes, state.sepsets.found | gone),
        p_values=p_values,
        n_tests=(*state.n_tests, needed.sum(axis=(1, 2))),
        n_edges=(*state.n_edges, adjacency.sum(axis=(1, 2)) // 2),
    )


def evaluate(
    question: Question,
    slots: Slots,
    n_valid: Int[Array, "graphs nodes slots"],
    table: Int[np.ndarray, "sets k"],
) -> Found:
    """Run the kernel on all slots at once."""
    size, width = table.shape[1], slots.candidates.shape[-1]
    n_rows = math.prod(slots.x.shape)
    lanes = min(_LANES, max(1, n_rows))
    extra = -n_rows % lanes

    def flat(field: Array) -> Array:
        return jnp.pad(jnp.broadcast_to(field, slots.x.shape).reshape(-1), (0, extra))

    graph = jnp.arange(slots.x.shape[0], dtype=jnp.int32)[:, None, None]
    limit = limits(question, size)
    rows = DeviceRows(
        graph=flat(graph),
        x=flat(slots.x),
        y=flat(slots.y),
        start=jnp.arange(n_rows + extra, dtype=jnp.int32) * jnp.int32(width),
        skip=jnp.full(n_rows + extra, NULL, jnp.int32),
        n_valid=flat(n_valid),
        limit=flat(limit[:, None, None]),
    )
    lists = slots.candidates.reshape(-1)
    sets = jnp.asarray(table)
    n_subsets = rows.n_valid.reshape(-1, lanes).max(axis=1)
    batch = getattr(question.test, "batch_shape", ())
    if not isinstance(question.test, PartialCorrelationTest):
        found = general_first(
            question.test,
            lists,
            rows,
            sets,
            n_subsets,
            batch=batch,
            best=question.max_p,
            lanes=lanes,
        )
    else:
        correlations = Correlations(
            jnp.asarray(question.test.corr).reshape(-1), jnp.int32(question.test.n_nodes), lists
        )
        found = gaussian_first(
            correlations,
            rows,
            sets,
            n_subsets,
            one_sided=question.test.one_sided,
            best=question.max_p,
            guarded=False,
            lanes=lanes,
            width=0,
        )
    return jax.tree.map(lambda field: field[:n_rows], found)


def limits(question: Question, size: int) -> Float[Array, "graphs"]:
    """Value below which a pair is independent, for each graph."""
    test, dtype = question.test, _dtype(question.test)
    alpha = jnp.asarray(question.alpha, dtype)
    batch = getattr(test, "batch_shape", ())
    if not isinstance(test, PartialCorrelationTest):
        return jnp.full(math.prod(batch), -alpha)
    degrees = _samples(test) - size - 3
    root = jnp.sqrt(jnp.maximum(degrees, jnp.ones_like(degrees)))
    square = jnp.tanh(-ndtri(alpha / 2) / root) ** 2
    return jnp.where(degrees > 0, square, -jnp.ones_like(square))


def p_values_of(
    question: Question, slots: Slots, value: Float[Array, "graphs nodes slots"], size: int
) -> Float[Array, "graphs nodes slots"]:
    """The p-values behind what the kernel returns."""
    if not isinstance(question.test, PartialCorrelationTest):
        return -value
    degrees = jnp.broadcast_to((_samples(question.test) - size - 3)[:, None, None], value.shape)
    p = fisher_z_p_value(jnp.sqrt(value).reshape(-1), degrees.reshape(-1))
    return p.reshape(value.shape)


def as_result(
    question: Question,
    state: State,
    marks: Array,
    levels: Array | None = None,
    n_conflicts: Array | None = None,
) -> SearchResult:
    """What every search returns, with the leading axes of the test."""
    batch = getattr(question.test, "batch_shape", ())
    p_values = state.p_values
    if question.asked.copies is not None:

        def repeated(whole: Array) -> Array:
            return whole.reshape(*whole.shape[:-2], -1)[..., question.asked.copies]

        marks, p_values = repeated(marks), repeated(p_values)
        levels = None if levels is None else repeated(levels)

    def shaped(leaf: Array) -> Array:
        return leaf.reshape((*batch, *leaf.shape[1:]))

    info = SearchInfo(
        n_tests=jnp.stack(state.n_tests, axis=1),
        n_edges=jnp.stack(state.n_edges, axis=1),
        n_conflicts=jnp.zeros(len(marks), jnp.int32) if n_conflicts is None else n_conflicts,
        n_open=jnp.zeros(len(marks), jnp.int32),
        truncated=state.truncated,
        overflow=state.overflow,
        singular=_singular(question.test, len(marks)),
    )
    result = SearchResult(
        CausalGraph(marks),
        state.sepsets,
        p_values,
        info,
        None if levels is None else CausalGraph(levels),
    )
    return jax.tree.map(shaped, result)


def _singular(test: CITest, n_graphs: int) -> Bool[Array, "graphs"]:
    if not isinstance(test, PartialCorrelationTest):
        return jnp.zeros(n_graphs, bool)
    return jnp.asarray(is_singular(test.corr)).reshape(n_graphs)


def _samples(test: PartialCorrelationTest) -> Float[Array, "graphs"]:
    n_samples = jnp.asarray(test.n_samples, test.corr.dtype)
    return jnp.broadcast_to(n_samples, test.batch_shape).reshape(-1)


def _dtype(test: CITest) -> np.dtype:
    if isinstance(test, PartialCorrelationTest):
        return np.dtype(test.corr.dtype)
    return np.dtype(np.float32)
