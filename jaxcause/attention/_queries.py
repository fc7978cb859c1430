"""Model queries: whether the output changes without a set of nodes, in batches, within limits.

`cleann` and its baselines differ only in the order of their candidate sets.
"""

import itertools
import time
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool

from jaxcause._checks import InputError, check_at_least
from jaxcause._typing import AnyArray, VerifyFn
from jaxcause.attention._candidates import Candidate

Status = Literal["explained", "not found", "budget", "time"]


class Explanation(NamedTuple):
    """A set of nodes whose removal changes the output.

    Args:
        nodes: The nodes, ascending.
        distances: Distance of each node from the target in the graph, 0 for nodes that are not
            connected with it; empty without a graph.
        n_queries: Number of queries up to and including this set.
    """

    nodes: tuple[int, ...]
    distances: tuple[int, ...]
    n_queries: int


class Explanations(NamedTuple):
    """The result of a search for explanations.

    Args:
        found: Explanations in the order in which they were found; empty if there are none.
        n_queries: Number of model queries, including the rest of the last batch.
        status: ``explained``; ``not found`` if no candidate changes the output; ``budget`` or
            ``time`` if ``max_queries`` or ``time_limit`` ended the search, which keeps what was
            found until then.
    """

    found: tuple[Explanation, ...]
    n_queries: int
    status: Status


class Limits(NamedTuple):
    """When a search for explanations stops.

    Args:
        every: Whether to find all minimal explanations, not only the first.
        batch_size: Sets per call of ``verify_fn``.
        max_queries: Largest number of model queries.
        time_limit: Seconds after which no further batch is sent to the model.
    """

    every: bool = False
    batch_size: int = 64
    max_queries: int | None = None
    time_limit: float | None = None

    def check(self) -> "Limits":
        """Raise unless all limits are positive."""
        check_at_least("batch_size", self.batch_size, 1)
        if self.max_queries is not None:
            check_at_least("max_queries", self.max_queries, 1)
        if self.time_limit is not None and not self.time_limit > 0:
            raise InputError(f"time_limit={self.time_limit!r} must be a positive number of seconds")
        return self


def query_in_order(
    candidates: Iterable[Candidate], verify_fn: VerifyFn, n_nodes: int, limits: Limits
) -> Explanations:
    """Query one candidate after the other until one explains the output.

    Every call of ``verify_fn`` gets ``batch_size`` rows, so that a jitted function compiles once;
    the last batch is padded with rows that remove nothing. With ``every``, sets that contain an
    explanation are skipped.
    """
    began = time.monotonic()
    found: list[Explanation] = []
    n_queries = 0
    waiting = (c for c in candidates if not any(set(e.nodes) <= set(c) for e in found))
    while True:
        room = limits.batch_size
        if limits.max_queries is not None:
            room = min(room, limits.max_queries - n_queries)
        batch = list(itertools.islice(waiting, max(0, room)))
        if not batch:
            exhausted = room > 0 or next(iter(waiting), None) is None
            return _ended(found, n_queries, "not found" if exhausted else "budget")
        changed = _changed(verify_fn, batch, n_nodes, limits.batch_size)
        for at in np.flatnonzero(changed):
            nodes = tuple(sorted(batch[at]))
            if any(set(e.nodes) <= set(nodes) for e in found):
                continue
            found.append(Explanation(nodes, (), n_queries + int(at) + 1))
            if not limits.every:
                return Explanations(tuple(found), n_queries + len(batch), "explained")
        n_queries += len(batch)
        if limits.time_limit is not None and time.monotonic() - began >= limits.time_limit:
            return _ended(found, n_queries, "time")


def query_with_fallback(
    first: Iterable[Candidate],
    fallback: Iterable[Candidate],
    verify_fn: VerifyFn,
    n_nodes: int,
    limits: Limits,
    n_fallback: int,
) -> Explanations:
    """Query ``first``, and if it explains nothing, at most ``n_fallback`` sets of ``fallback``.

    At most half of ``max_queries`` is kept for the fallback. No set is queried twice. The limit of
    the fallback is no budget: where it ends the search, all that was to be tried has been.
    """
    began = time.monotonic()
    kept = n_fallback
    if limits.max_queries is not None:
        kept = min(n_fallback, limits.max_queries // 2)
    if not kept:
        return query_in_order(first, verify_fn, n_nodes, limits)
    known: set[Candidate] = set()
    most = None if limits.max_queries is None else limits.max_queries - kept
    early = limits._replace(max_queries=most)
    before = query_in_order(_recorded(first, known), verify_fn, n_nodes, early)
    if before.found or before.status == "time":
        return before
    room = n_fallback
    if limits.max_queries is not None:
        room = min(n_fallback, limits.max_queries - before.n_queries)
    left = limits._replace(max_queries=room)
    if limits.time_limit is not None:
        spent = time.monotonic() - began
        left = left._replace(time_limit=max(limits.time_limit - spent, 0.0))
    new = (nodes for nodes in fallback if tuple(sorted(nodes)) not in known)
    after = query_in_order(new, verify_fn, n_nodes, left)
    found = tuple(e._replace(n_queries=e.n_queries + before.n_queries) for e in after.found)
    status = after.status
    if status == "not found" or (status == "budget" and room == n_fallback):
        status = before.status
    return Explanations(found, before.n_queries + after.n_queries, status)


def _recorded(candidates: Iterable[Candidate], known: set[Candidate]) -> Iterator[Candidate]:
    """The candidates; each is added to ``known`` once it was queried, when the next is drawn."""
    for nodes in candidates:
        yield nodes
        known.add(tuple(sorted(nodes)))


def _ended(found: list[Explanation], n_queries: int, status: Status) -> Explanations:
    if status == "not found" and found:
        status = "explained"
    return Explanations(tuple(found), n_queries, status)


def _changed(
    verify_fn: VerifyFn, batch: list[Candidate], n_nodes: int, rows: int
) -> Bool[np.ndarray, "sets"]:
    """Query one batch, and check what ``verify_fn`` returned."""
    removed = np.zeros((rows, n_nodes), bool)
    for row, nodes in zip(removed, batch, strict=False):
        row[list(nodes)] = True
    answer: AnyArray = np.asarray(verify_fn(removed))
    if answer.shape != (rows,) or answer.dtype != bool:
        raise InputError(
            f"verify_fn returned {answer.dtype} {answer.shape} for {rows} sets, but must return "
            f"bool ({rows},): whether removing each set changes the output"
        )
    return answer[: len(batch)]
