"""ICD as one program of fixed shapes."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Int

from jaxcause._typing import CITest
from jaxcause.discovery._host.search import known_marks
from jaxcause.discovery._host.skeleton import Asked
from jaxcause.discovery._kernel.first_separating_set import NEVER
from jaxcause.discovery._orientation.neighbourhoods import neighbour_lists
from jaxcause.discovery._orientation.pag import complete, orient_r0_to_r4
from jaxcause.discovery._orientation.possible_d_sep import possible_ancestors
from jaxcause.discovery._orientation.reachability import reachable
from jaxcause.discovery._result import SearchResult
from jaxcause.discovery._traced.icd_sep import contexts, grow_tree, legal_sets
from jaxcause.discovery._traced.search import (
    Caps,
    Question,
    Slots,
    State,
    as_result,
    begin,
    compacted,
    evaluate,
    p_values_of,
    settle,
    slots_of,
    test_slots,
)


@partial(jax.jit, static_argnames=("caps", "max_p", "selection_bias"))
def icd_with_caps(
    test: CITest,
    alpha: Float[Array, ""],
    asked: Asked,
    mask: Bool[Array, "graphs nodes"],
    *,
    caps: Caps,
    max_p: bool,
    selection_bias: bool,
) -> SearchResult:
    """ICD up to ``max_cond_size``; see `jaxcause.icd`."""
    question = Question(test, alpha, asked, caps, max_p)
    state = begin(question, mask)
    marks = _orient(question, state)
    history, ended = [marks], []
    active = jnp.ones(len(mask), bool)
    for size in range(1, question.caps.max_cond_size + 2):
        tries = _tries(question, state, marks, active, size)
        had_sets = tries.had_sets
        ended.append(active & ~had_sets)
        active &= had_sets
        state = state._replace(overflow=state.overflow | tries.crowded)
        if size > question.caps.max_cond_size:
            state = state._replace(truncated=active)
            history.append(marks)
            break
        state = _try(question, state, tries)
        marks = jnp.where(active[:, None, None], _orient(question, state), marks)
        history.append(marks)
    finished = complete(marks, state.sepsets, selection_bias=selection_bias)
    marks = jnp.where(active[:, None, None], marks, finished)
    done = jnp.zeros(len(mask), bool)
    for level, now in enumerate(ended, 1):
        done |= now
        history[level] = jnp.where(done[:, None, None], finished, history[level])
    return as_result(question, state, marks, jnp.stack(history, axis=1))


def _orient(question: Question, state: State) -> Array:
    return orient_r0_to_r4(known_marks(state.adjacency, question.asked), state.sepsets)


class Tries(NamedTuple):
    """What a level may try: neighbours in a row's list, or sets of a row with their keys.

    The key orders the sets of a pair; without one every neighbour in the list is a set.
    """

    slots: Slots
    key: Int[Array, "graphs nodes slots sets"] | None
    members: Int[Array, "graphs nodes slots sets size"] | None
    legal: Bool[Array, "graphs nodes slots sets"] | None
    had_sets: Bool[Array, "graphs"]
    crowded: Bool[Array, "graphs"]


def _tries(question: Question, state: State, marks: Array, active: Array, size: int) -> Tries:
    """Single neighbours, or ICD-Sep sets from the trees of both nodes."""
    if size == 1:
        slots, crowded = _single_neighbours(question, state)
        had_sets = (slots.real & (slots.n_candidates > 0)).any(axis=(1, 2))
        return Tries(slots, None, None, None, had_sets, crowded)
    slots, crowded = slots_of(question, state, state.adjacency)
    real = slots.real & (slots.x < slots.y) & active[:, None, None]
    slots = slots._replace(real=real)
    tree = grow_tree(marks, depth=size)
    reach = reachable(possible_ancestors(marks))
    adjacent, n, width = marks != 0, marks.shape[1], min(question.caps.max_degree, marks.shape[1])
    keys, members, legal = [], [], []
    for side, ends in enumerate(((slots.x, slots.y), (slots.y, slots.x))):
        context = contexts(tree, adjacent, reach, (*ends, real), width)
        crowded |= context.crowded
        table, allowed = legal_sets(context, n, size)
        distance = context.distance[..., table].sum(axis=-1, dtype=jnp.int32)
        rank = jnp.arange(len(table), dtype=jnp.int32)[None, None, None]
        keys.append((2 * distance + side) * len(table) + rank)
        members.append(context.candidates[..., table])
        legal.append(allowed)
    key, sets, allowed = (jnp.concatenate(part, axis=3) for part in (keys, members, legal))
    allowed &= real[..., None]
    return Tries(slots, key, sets, allowed, allowed.any(axis=(1, 2, 3)), crowded)


def _try(question: Question, state: State, tries: Tries) -> State:
    if tries.key is None or tries.members is None or tries.legal is None:
        return test_slots(question, state, tries.slots, 1)
    return _try_sets(question, state, tries.slots, (tries.key, tries.members, tries.legal))


def _try_sets(
    question: Question, state: State, slots: Slots, tried: tuple[Array, Array, Array]
) -> State:
    """Test every legal set, and keep the first that separates each pair."""
    key, members, legal = tried
    size = members.shape[-1]
    shape = legal.shape

    def per_set(field: Array) -> Array:
        return jnp.broadcast_to(field[..., None], shape).reshape(shape[0], shape[1], -1)

    rows = Slots(
        per_set(slots.x),
        per_set(slots.y),
        legal.reshape(shape[0], shape[1], -1),
        members.reshape(shape[0], shape[1], -1, size),
        jnp.full((shape[0], shape[1], shape[2] * shape[3]), size, jnp.int32),
    )
    table = np.arange(size, dtype=np.int32)[None]
    found = evaluate(question, rows, legal.reshape(rows.x.shape).astype(jnp.int32), table)
    value = jnp.asarray(found.value).reshape(rows.x.shape)
    p = p_values_of(question, rows, value, size).reshape(shape)
    separates = (found.first < NEVER).reshape(shape)
    chosen = jnp.where(separates, key, jnp.int32(NEVER))
    if question.max_p:
        best = jnp.where(separates, p, -jnp.ones_like(p)).max(axis=-1, keepdims=True)
        chosen = jnp.where(separates & (p == best), key, jnp.int32(NEVER))
    number = chosen.min(axis=-1)
    at = chosen.argmin(axis=-1)
    members = jnp.take_along_axis(members, at[..., None, None], axis=3)[..., 0, :]
    separated = number < NEVER
    of_winner = jnp.take_along_axis(p, at[..., None], axis=-1)[..., 0]
    largest = jnp.where(legal, p, -jnp.ones_like(p)).max(axis=-1)
    p = jnp.where(separated, of_winner, largest)
    looked = legal & ((key <= number[..., None]) | question.max_p)
    n_tests = looked.sum(axis=-1, dtype=jnp.int32)
    rank = jnp.where(separated, n_tests - 1, NEVER)
    return settle(question, state, slots, rank, members, (p, n_tests))


def _single_neighbours(question: Question, state: State) -> tuple[Slots, Array]:
    """Pairs with the neighbours of x, then those of y that are not among them."""
    slots, crowded = slots_of(question, state, state.adjacency)
    width = question.caps.max_degree
    n = state.adjacency.shape[1]
    lists = neighbour_lists(state.adjacency, width)
    graph = jnp.arange(slots.x.shape[0], dtype=jnp.int32)[:, None, None]
    far = lists[graph, slots.y]
    own = state.adjacency[graph[..., None], slots.x[..., None], jnp.minimum(far, n - 1)]
    keep = (far < n) & (far != slots.x[..., None]) & ~own
    far = jnp.minimum(far, n - 1)
    if question.asked.tiers is not None:
        tiers = jnp.asarray(question.asked.tiers)
        keep &= tiers[far] <= jnp.maximum(tiers[slots.x], tiers[slots.y])[..., None]
    place = jnp.arange(slots.candidates.shape[-1], dtype=jnp.int32)
    near = place[None, None, None] < slots.n_candidates[..., None]
    both = jnp.concatenate([slots.candidates, far], axis=-1)
    candidates, count = compacted(both, jnp.concatenate([near, keep], axis=-1))
    real = slots.real & (slots.x < slots.y)
    return slots._replace(real=real, candidates=candidates, n_candidates=count), crowded
