"""The orientation phase of PCMCI+: colliders and three rules for links at lag 0."""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from jaxcause.discovery._pcmci.links import LaggedLinks
from jaxcause.discovery._pcmci.skeleton import LaggedSkeleton, MomentaryTest, strongest_first
from jaxcause.discovery._phase_record import PhaseRecord
from jaxcause.graph import Mark

BATCH = 4096
"""Tests of the majority rule that are collected before they run."""
BATCHES_PER_SAVE = 16
"""Such batches between two writes of the record."""

Triples = Bool[np.ndarray, "vars vars vars lags"]
"""Entry ``[middle, source, target, lag]``: ``source(t - lag) — middle(t) — target(t)``."""


class Colliders(NamedTuple):
    """Unshielded triples that are colliders, and those that may be either."""

    collider: Triples
    ambiguous: Triples


def unshielded_triples(adjacent: Bool[np.ndarray, "vars vars lags"]) -> Triples:
    """``source(t - lag) — middle(t) — target(t)`` whose ends are non-adjacent."""
    first = adjacent.transpose(1, 0, 2)[:, :, None, :]
    second = adjacent[:, :, 0][:, None, :, None]
    triples = np.asarray(first & second & ~adjacent[None])
    same = np.arange(len(adjacent))
    triples[:, same, same, 0] = False
    return triples


def by_separator(state: LaggedSkeleton, allowed: Bool[np.ndarray, "vars vars lags"]) -> Colliders:
    """A triple is a collider where the set that separated its ends lacks its middle.

    Links that the lagged phase removed were separated by lagged nodes only. Ends that no test
    separated, because their link is not allowed, leave a triple open.
    """
    collider = unshielded_triples(state.adjacent)
    ambiguous = collider & ~allowed
    collider &= allowed
    for (source, target, lag), given in state.separators.items():
        collider[list(given), source, target, lag] = False
    return Colliders(collider, ambiguous)


def obeying(colliders: Colliders, now: Bool[np.ndarray, "vars vars"]) -> tuple[Colliders, int]:
    """Colliders without those that need an impossible direction at lag 0, and how many these are.

    Such triples are open: knowledge says that they are no colliders, and the data that they are.
    """
    into = now.T[:, None, :, None] & np.ones_like(colliders.collider)
    into[..., 0] &= now.T[:, :, None]
    refuted = colliders.collider & ~into
    found = Colliders(colliders.collider & into, colliders.ambiguous | refuted)
    return found, int(refuted[..., 1:].sum() + refuted[..., 0].sum() // 2)


def by_majority(
    momentary: MomentaryTest,
    state: LaggedSkeleton,
    alpha: float,
    max_cond_size: int | None,
    record: PhaseRecord,
) -> tuple[Colliders, int]:
    """A triple is a collider where less than half of all sets that separate its ends hold it.

    The sets are those among the neighbours at lag 0 of the target, and at lag 0 of the source as
    well. At exactly one half, or where nothing separates the ends, a triple is ambiguous.
    """
    triples = unshielded_triples(state.adjacent)
    n_vars = len(triples)
    pairs = np.array(triples.any(axis=0))
    pairs[:, :, 0] = np.triu(pairs[:, :, 0])
    start = np.zeros(pairs.shape, np.int64), np.zeros(triples.shape, np.int64)
    n_tests, (separating, holding) = record.resumed("colliders", start)
    neighbours = [strongest_first(state, target).tolist() for target in range(n_vars)]
    rows = _candidate_sets(np.argwhere(pairs), neighbours, max_cond_size)
    left = itertools.islice(rows, n_tests, None)
    while batch := list(itertools.islice(left, BATCH)):
        width = max(len(given) for *_, given in batch)
        sets = np.full((len(batch), width), -1, np.int64)
        for row, (*_, given) in enumerate(batch):
            sets[row, : len(given)] = given
        links = LaggedLinks(*np.array([link for *link, _ in batch], np.int64).T)
        p_value = momentary(links, sets)[1]
        n_tests += len(batch)
        for row in np.flatnonzero(p_value > alpha):
            *link, given = batch[row]
            separating[tuple(link)] += 1
            holding[(list(given), *link)] += 1
        if n_tests % (BATCH * BATCHES_PER_SAVE) == 0:
            record.save("colliders", n_tests, (separating, holding))
    below = np.tril_indices(n_vars, -1)
    separating[(*below, 0)] = separating[below[1], below[0], 0]
    holding[:, below[0], below[1], 0] = holding[:, below[1], below[0], 0]
    collider = triples & (2 * holding < separating[None])
    return Colliders(collider, triples & (2 * holding == separating[None])), n_tests


def _candidate_sets(
    pairs: Int[np.ndarray, "pairs 3"], neighbours: list[list[int]], most: int | None
) -> Iterator[tuple[int, int, int, tuple[int, ...]]]:
    """Each pair of ends with each set among the neighbours of either, once."""
    for source, target, lag in pairs.tolist():
        ends = (target,) if lag > 0 else (target, source)
        seen = set()
        for end in ends:
            members = sorted(v for v in neighbours[end] if lag > 0 or v not in (source, target))
            limit = len(members) if most is None else min(most, len(members))
            for size in range(limit + 1):
                for given in itertools.combinations(members, size):
                    if given not in seen:
                        seen.add(given)
                        yield source, target, lag, given


def orient(
    adjacent: Bool[np.ndarray, "vars vars lags"],
    colliders: Colliders,
    now: Bool[np.ndarray, "vars vars"],
) -> Int[np.ndarray, "vars vars lags 2"]:
    """Marks: lagged links point forward in time, those at lag 0 as colliders and rules say.

    An edge at lag 0 of which only one direction is possible (``now``) has it before the rules.
    A link that rules orient in both directions is a conflict, ``x-x``; no rule uses it further.
    """
    triples = unshielded_triples(adjacent)
    non_collider = triples & ~colliders.collider & ~colliders.ambiguous
    # into[i, j]: some rule orients i(t) → j(t).
    collider = colliders.collider
    into = collider.any(axis=(1, 3)).T | collider[:, :, :, 0].any(axis=2).T
    into |= now & ~now.T
    into &= adjacent[:, :, 0]
    while True:
        before = into.copy()
        for rule in (_away_from_colliders, _no_cycles, _two_non_colliders):
            directed = into & ~into.T
            free = adjacent[:, :, 0] & ~into & ~into.T
            into |= rule(adjacent, directed, free, non_collider)
        if (into == before).all():
            break
    marks = np.zeros((*adjacent.shape, 2), np.int8)
    marks[adjacent] = (Mark.TAIL, Mark.ARROW)
    at_lag_0 = adjacent[:, :, 0]
    cases = [into & into.T, into, into.T]
    ends = np.select(cases, [Mark.CONFLICT, Mark.ARROW, Mark.TAIL], Mark.CIRCLE).astype(np.int8)
    marks[:, :, 0, 1] = np.where(at_lag_0, ends, Mark.NONE)
    marks[:, :, 0, 0] = marks[:, :, 0, 1].T
    return marks


def _away_from_colliders(
    adjacent: np.ndarray, directed: np.ndarray, free: np.ndarray, non_collider: np.ndarray
) -> Bool[np.ndarray, "vars vars"]:
    """R1: i(t − τ) → k — j with non-adjacent ends, and k no collider, gives k → j."""
    arrow = adjacent.transpose(1, 0, 2).copy()
    arrow[:, :, 0] = directed.T
    return free & (non_collider & arrow[:, :, None, :]).any(axis=(1, 3))


def _no_cycles(
    adjacent: np.ndarray, directed: np.ndarray, free: np.ndarray, non_collider: np.ndarray
) -> Bool[np.ndarray, "vars vars"]:
    """R2: i → k → j gives i → j."""
    return free & (directed.astype(int) @ directed.astype(int) > 0)


def _two_non_colliders(
    adjacent: np.ndarray, directed: np.ndarray, free: np.ndarray, non_collider: np.ndarray
) -> Bool[np.ndarray, "vars vars"]:
    """R3: i — k → j and i — l → j, where i is no collider on k — i — l, gives i → j."""
    through = (free[:, :, None] & directed[None]).astype(int)
    open_at_i = non_collider[:, :, :, 0].astype(int)
    found = np.einsum("ikj,ilj,ikl->ij", through, through, open_at_i)
    return free & (found > 0)
