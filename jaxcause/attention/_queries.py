"""Asking a model about sets of removed nodes: in order, in batches, within budgets.

`cleann` and every method beside it differ only in the order of their candidate sets.
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
        distances: How far from the target each of them lies in the graph, 0 where it is out of
            reach; empty without a graph.
        n_queries: How many sets had been asked, in order, up to this one.
    """

    nodes: tuple[int, ...]
    distances: tuple[int, ...]
    n_queries: int


class Explanations(NamedTuple):
    """What a search for explanations found.

    Args:
        found: Explanations in the order in which they were found; empty if there are none.
        n_queries: Sets that the model was asked about, the rest of the last batch among them.
        status: ``explained``; ``not found`` when every candidate was asked in vain; ``budget`` and
            ``time`` when a limit ended the search, with what had been found by then.
    """

    found: tuple[Explanation, ...]
    n_queries: int
    status: Status


class Limits(NamedTuple):
    """When to stop.

    Args:
        every: Look for all minimal explanations, not only the first.
        batch_size: Sets per call of ``verify_fn``.
        max_queries: Most sets to ask about.
        time_limit: Seconds after which no further batch is asked.
    """

    every: bool = False
    batch_size: int = 64
    max_queries: int | None = None
    time_limit: float | None = None

    def check(self) -> "Limits":
        """Raise unless all limits make sense."""
        check_at_least("batch_size", self.batch_size, 1)
        if self.max_queries is not None:
            check_at_least("max_queries", self.max_queries, 1)
        if self.time_limit is not None and not self.time_limit > 0:
            raise InputError(f"time_limit={self.time_limit!r} must be a positive number of seconds")
        return self


def ask(
    candidates: Iterable[Candidate], verify_fn: VerifyFn, n_nodes: int, limits: Limits
) -> Explanations:
    """Ask about one candidate after the other until one explains the output.

    Every call of ``verify_fn`` gets ``batch_size`` rows, of which the last may be padded with
    rows that remove nothing, so that a jitted one compiles once. With ``every``, sets that contain
    an explanation are not asked about.
    """
    began = time.monotonic()
    found: list[Explanation] = []
    asked = 0
    waiting = (c for c in candidates if not any(set(e.nodes) <= set(c) for e in found))
    while True:
        room = limits.batch_size
        if limits.max_queries is not None:
            room = min(room, limits.max_queries - asked)
        batch = list(itertools.islice(waiting, max(0, room)))
        if not batch:
            exhausted = room > 0 or next(iter(waiting), None) is None
            return _ended(found, asked, "not found" if exhausted else "budget")
        changed = _changed(verify_fn, batch, n_nodes, limits.batch_size)
        for at in np.flatnonzero(changed):
            nodes = tuple(sorted(batch[at]))
            if any(set(e.nodes) <= set(nodes) for e in found):
                continue
            found.append(Explanation(nodes, (), asked + int(at) + 1))
            if not limits.every:
                return Explanations(tuple(found), asked + len(batch), "explained")
        asked += len(batch)
        if limits.time_limit is not None and time.monotonic() - began >= limits.time_limit:
            return _ended(found, asked, "time")


def ask_then(
    first: Iterable[Candidate],
    last: Iterable[Candidate],
    verify_fn: VerifyFn,
    n_nodes: int,
    limits: Limits,
    n_last: int,
) -> Explanations:
    """Ask about ``first``, and, if that explains nothing, at most ``n_last`` times about ``last``.

    Of ``max_queries`` at most half are kept for the latter; no set is asked about twice.
    """
    began = time.monotonic()
    if limits.max_queries is not None:
        n_last = min(n_last, limits.max_queries // 2)
    if not n_last:
        return ask(first, verify_fn, n_nodes, limits)
    known: set[Candidate] = set()
    most = None if limits.max_queries is None else limits.max_queries - n_last
    before = ask(_noted(first, known), verify_fn, n_nodes, limits._replace(max_queries=most))
    if before.found or before.status == "time":
        return before
    left = limits._replace(max_queries=n_last)
    if limits.time_limit is not None:
        spent = time.monotonic() - began
        left = left._replace(time_limit=max(limits.time_limit - spent, 0.0))
    new = (nodes for nodes in last if tuple(sorted(nodes)) not in known)
    after = ask(new, verify_fn, n_nodes, left)
    found = tuple(e._replace(n_queries=e.n_queries + before.n_queries) for e in after.found)
    status = before.status if after.status == "not found" else after.status
    return Explanations(found, before.n_queries + after.n_queries, status)


def _noted(candidates: Iterable[Candidate], known: set[Candidate]) -> Iterator[Candidate]:
    """The candidates; each is noted when the next one is wanted, that is, when it was asked."""
    for nodes in candidates:
        yield nodes
        known.add(tuple(sorted(nodes)))


def _ended(found: list[Explanation], asked: int, why: Status) -> Explanations:
    if why == "not found" and found:
        why = "explained"
    return Explanations(tuple(found), asked, why)


def _changed(
    verify_fn: VerifyFn, batch: list[Candidate], n_nodes: int, rows: int
) -> Bool[np.ndarray, "sets"]:
    """Ask about one batch, and look at what came back."""
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
