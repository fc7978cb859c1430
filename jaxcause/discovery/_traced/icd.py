"""ICD as one program of fixed shapes."""

from functools import partial
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Int

from jaxcause.discovery._kernel.rows import NEVER
from jaxcause.discovery._orientation.neighbourhoods import neighbour_lists
from jaxcause.discovery._orientation.pag import complete, orient_r0_to_r4
from jaxcause.discovery._orientation.possible_d_sep import (
    possible_ancestors,
    unknown_separations,
)
from jaxcause.discovery._orientation.reachability import reachable
from jaxcause.discovery._problem import Caps, Problem, TracedInputs
from jaxcause.discovery._result import SearchResult
from jaxcause.discovery._traced.candidates import candidate_rows, compact, without_later
from jaxcause.discovery._traced.evaluator import Evaluator
from jaxcause.discovery._traced.icd_sep import contexts, grow_tree, legal_sets
from jaxcause.discovery._traced.rows import Rows, Separations
from jaxcause.discovery._traced.search import as_result, begin
from jaxcause.discovery._traced.skeleton import (
    Skeleton,
    remove,
    run_level,
)


@partial(jax.jit, static_argnames=("caps", "max_p", "selection_bias"))
def icd_with_caps(
    inputs: TracedInputs, caps: Caps, max_p: bool, *, selection_bias: bool
) -> SearchResult:
    """ICD up to ``max_cond_size``; see `jaxcause.icd`."""
    problem, evaluate, skeleton = begin(inputs, caps, max_p)
    constraints, mask = problem.constraints, problem.mask
    marks = _oriented(problem, skeleton)
    history, ended = [marks], []
    active = jnp.ones(len(mask), bool)
    for size in range(1, problem.max_cond_size + 2):
        attempts = _attempts(problem, skeleton, marks, active, size)
        ended.append(active & ~attempts.has_sets)
        active &= attempts.has_sets
        skeleton = skeleton._replace(overflow=skeleton.overflow | attempts.crowded)
        if size > problem.max_cond_size:
            skeleton = skeleton._replace(truncated=active)
            history.append(marks)
            break
        skeleton = _run_level(problem, evaluate, skeleton, attempts)
        marks = jnp.where(active[:, None, None], _oriented(problem, skeleton), marks)
        history.append(marks)
    if constraints.late is not None:
        # What is known of edges alone holds once no edge is removed any more.
        marks = _oriented(problem, skeleton, last=True)
        history[-1] = jnp.where(active[:, None, None], marks, history[-1])
    finished = complete(
        marks,
        skeleton.sepsets,
        selection_bias=selection_bias,
        with_knowledge=constraints.marks_edges,
    )
    marks = jnp.where(active[:, None, None], marks, finished)
    done = jnp.zeros(len(mask), bool)
    for level, now in enumerate(ended, 1):
        done |= now
        history[level] = jnp.where(done[:, None, None], finished, history[level])
    return as_result(
        problem,
        skeleton,
        marks,
        no_arrowhead=constraints.known_tails,
        levels=jnp.stack(history, axis=1),
    )


def _oriented(problem: Problem, skeleton: Skeleton, *, last: bool = False) -> Array:
    marks = jnp.asarray(problem.constraints.orient(skeleton.adjacency, last=last))
    return orient_r0_to_r4(marks, skeleton.sepsets)


class GrownSets(NamedTuple):
    """Conditioning sets of each row.

    Args:
        key: Of two sets of a pair the one with the smaller key is tried first.
        members: The sets.
        legal: Which of them are to be tried.
    """

    key: Int[Array, "graphs nodes rows sets"]
    members: Int[Array, "graphs nodes rows sets size"]
    legal: Bool[Array, "graphs nodes rows sets"]


class Attempts(NamedTuple):
    """Rows of one level, and the conditioning sets to try for each.

    Args:
        rows: The rows.
        sets: Their sets; None if every candidate of a row is a set of its own.
        has_sets: Which graphs have a set to try.
        crowded: Which graphs have more candidates than the cap.
    """

    rows: Rows
    sets: GrownSets | None
    has_sets: Bool[Array, "graphs"]
    crowded: Bool[Array, "graphs"]


def _attempts(
    problem: Problem, skeleton: Skeleton, marks: Array, active: Array, size: int
) -> Attempts:
    """The candidate sets of a level: neighbours one by one, or ICD-Sep sets from both nodes."""
    if size == 1:
        return _single_neighbours(problem, skeleton)
    rows, crowded = candidate_rows(problem, skeleton, skeleton.adjacency)
    real = rows.real & (rows.x < rows.y) & active[:, None, None]
    unknown = jnp.asarray(unknown_separations(marks, skeleton.sepsets.found))
    # Trees take the nodes in an order that renumbering them does not change.
    order = _order_of_nodes(problem, len(marks), marks.shape[1])
    place = jnp.argsort(order, axis=1).astype(jnp.int32)
    graph = jnp.arange(len(marks), dtype=jnp.int32)[:, None, None]
    marks, unknown = (m[graph, order[:, :, None], order[:, None]] for m in (marks, unknown))
    x, y = place[graph, rows.x], place[graph, rows.y]
    tree = grow_tree(marks, depth=size, unknown=unknown)
    reach = jnp.asarray(reachable(possible_ancestors(marks)))
    adjacent, n = marks != 0, marks.shape[1]
    width = min(problem.max_degree, n)
    of_sides = []
    for side, ends in enumerate(((x, y), (y, x))):
        context = contexts(tree, adjacent, reach, (*ends, real), width)
        crowded |= context.crowded
        table, legal = legal_sets(context, n, size)
        distance = context.distance[..., table].sum(axis=-1, dtype=jnp.int32)
        rank = jnp.arange(len(table), dtype=jnp.int32)[None, None, None]
        key = (2 * distance + side) * len(table) + rank
        members = order[graph[..., None, None], context.candidates[..., table]]
        of_sides.append(GrownSets(key, members, legal))
    both = jax.tree.map(lambda *part: jnp.concatenate(part, axis=3), *of_sides)
    sets = both._replace(legal=both.legal & real[..., None])
    has_sets = sets.legal.any(axis=(1, 2, 3))
    return Attempts(rows._replace(real=real), sets, has_sets, crowded)


def _order_of_nodes(problem: Problem, n_graphs: int, n: int) -> Int[Array, "graphs nodes"]:
    """As on the host; the order of their numbers where the first separating set is taken."""
    keys = problem.engine.node_keys() if problem.max_p else None
    if keys is None:
        return jnp.broadcast_to(jnp.arange(n, dtype=jnp.int32), (n_graphs, n))
    return jnp.argsort(jnp.asarray(keys), axis=1, stable=True).astype(jnp.int32)


def _single_neighbours(problem: Problem, skeleton: Skeleton) -> Attempts:
    """Pairs with the neighbours of x, then those of y that are not among them."""
    adjacency, n = skeleton.adjacency, skeleton.adjacency.shape[1]
    rows, crowded = candidate_rows(problem, skeleton, adjacency)
    lists = neighbour_lists(adjacency, problem.max_degree)
    graph = jnp.arange(rows.x.shape[0], dtype=jnp.int32)[:, None, None]
    far = lists[graph, rows.y]
    own = adjacency[graph[..., None], rows.x[..., None], jnp.minimum(far, n - 1)]
    keep = (far < n) & (far != rows.x[..., None]) & ~own
    far = jnp.minimum(far, n - 1)
    keep = without_later(problem, far, keep, rows.x, rows.y)
    place = jnp.arange(rows.candidates.shape[-1], dtype=jnp.int32)
    near = place[None, None, None] < rows.n_candidates[..., None]
    both = jnp.concatenate([rows.candidates, far], axis=-1)
    candidates, count = compact(both, jnp.concatenate([near, keep], axis=-1))
    real = rows.real & (rows.x < rows.y)
    rows = rows._replace(real=real, candidates=candidates, n_candidates=count)
    return Attempts(rows, None, (real & (count > 0)).any(axis=(1, 2)), crowded)


def _run_level(
    problem: Problem, evaluate: Evaluator, skeleton: Skeleton, attempts: Attempts
) -> Skeleton:
    """Remove the pairs that a set of this level separates."""
    if attempts.sets is None:
        return run_level(problem, evaluate, skeleton, attempts.rows, 1)
    found = _first_of(evaluate, attempts.rows, attempts.sets)
    return remove(problem, skeleton, attempts.rows, found)


def _first_of(evaluate: Evaluator, rows: Rows, sets: GrownSets) -> Separations:
    """Test every legal set, and keep the first (or best) that separates each pair."""
    shape, size = sets.legal.shape, sets.members.shape[-1]
    chex.assert_equal_shape([sets.key, sets.legal])
    value, separates = _all_tested(evaluate, rows, sets)
    p = evaluate.p_values(value, size).reshape(shape)
    chosen = jnp.where(separates, sets.key, jnp.int32(NEVER))
    if evaluate.max_p:
        best = jnp.where(separates, p, -jnp.ones_like(p)).max(axis=-1, keepdims=True)
        chosen = jnp.where(separates & (p == best), sets.key, jnp.int32(NEVER))
    smallest, at = chosen.min(axis=-1), chosen.argmin(axis=-1)
    separated = smallest < NEVER
    of_winner = jnp.take_along_axis(p, at[..., None], axis=-1)[..., 0]
    largest = jnp.where(sets.legal, p, -jnp.ones_like(p)).max(axis=-1)
    # Sets behind the one that separates a pair do not count as tested.
    tested = sets.legal & ((sets.key <= smallest[..., None]) | evaluate.max_p)
    n_tests = tested.sum(axis=-1, dtype=jnp.int32)
    return Separations(
        number=jnp.where(separated, n_tests - 1, NEVER),
        sets=jnp.take_along_axis(sets.members, at[..., None, None], axis=3)[..., 0, :],
        p_value=jnp.where(separated, of_winner, largest),
        n_sets=n_tests,
    )


def _all_tested(
    evaluate: Evaluator, rows: Rows, sets: GrownSets
) -> tuple[Float[Array, "graphs nodes tests"], Bool[Array, "graphs nodes rows sets"]]:
    """Value of each set, as a row of its own, and whether it separates its pair."""
    shape, size = sets.legal.shape, sets.members.shape[-1]

    def per_set(field: Array) -> Array:
        return jnp.broadcast_to(field[..., None], shape).reshape(shape[0], shape[1], -1)

    legal = sets.legal.reshape(shape[0], shape[1], -1)
    tests = Rows(
        per_set(rows.x),
        per_set(rows.y),
        legal,
        sets.members.reshape(shape[0], shape[1], -1, size),
        jnp.full(legal.shape, size, jnp.int32),
    )
    table = np.arange(size, dtype=np.int32)[None]
    found = evaluate(tests, legal.astype(jnp.int32), table)
    return jnp.asarray(found.value), (jnp.asarray(found.first) < NEVER).reshape(shape)
