"""The skeleton phase of PCMCI+: contemporaneous conditions beside the lagged ones."""

import itertools
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxcause.discovery._pcmci.by_target import TestsByTarget
from jaxcause.discovery._pcmci.links import LaggedLinks, mci_conditions
from jaxcause.discovery._pcmci.parents import LaggedParents
from jaxcause.discovery._pcmci.student_test import StudentTest
from jaxcause.discovery._phase_record import PhaseRecord

SETS_PER_ROUND = (1, 8, 64, 512)
"""The sets of a link are tried in rounds, so that a link that is separated early costs little."""


class MomentaryTest(NamedTuple):
    """The test of momentary conditional independence, given contemporaneous variables as well.

    Args:
        test: Tests between the nodes ``lag * vars + var``.
        parents: Lagged parents of each variable; a link is tested given those of both its ends.
        max_target: Most parents of the target.
        max_source: Most parents of the source.
    """

    test: StudentTest | TestsByTarget
    parents: LaggedParents
    max_target: int | None
    max_source: int | None

    def __call__(
        self, links: LaggedLinks, contemporaneous: Int[np.ndarray, "rows k"]
    ) -> tuple[Float[np.ndarray, "rows"], Float[np.ndarray, "rows"]]:
        """Statistic and p-value of each link, given also some variables at lag 0."""
        n_vars = len(self.parents.order)
        lagged = mci_conditions(
            self.parents.order,
            links,
            n_vars,
            self.test.n_nodes,
            self.max_target,
            self.max_source,
        )
        cond = np.concatenate([contemporaneous, lagged], axis=1)
        found = self.test(links.lag * n_vars + links.source, links.target, cond)
        return np.asarray(found.statistic), np.asarray(found.p_value)


class LaggedSkeleton(NamedTuple):
    """Links that are left, ``[source, target, lag]``, and what the tests said.

    Args:
        adjacent: Whether the link is left.
        weakest: The statistic of smallest size among its tests.
        p_value: The largest p-value among its tests.
        statistic: The statistic of the test with the largest p-value.
        separators: For each removed link the contemporaneous variables that separated it.
        n_tests: Tests at each number of contemporaneous conditions.
    """

    adjacent: Bool[np.ndarray, "vars vars lags"]
    weakest: Float[np.ndarray, "vars vars lags"]
    p_value: Float[np.ndarray, "vars vars lags"]
    statistic: Float[np.ndarray, "vars vars lags"]
    separators: dict[tuple[int, int, int], tuple[int, ...]]
    n_tests: list[int]

    def as_arrays(self) -> dict[str, Any]:
        """The same, each separating set as a row that is padded with -1."""
        sets = list(self.separators.values())
        padded = np.full((len(sets), max(map(len, sets), default=0)), -1, np.int64)
        for row, given in enumerate(sets):
            padded[row, : len(given)] = given
        links = np.array(list(self.separators), np.int64).reshape(-1, 3)
        tables = {name: getattr(self, name) for name in self._fields[:4]}
        return tables | {"links": links, "sets": padded, "n_tests": np.array(self.n_tests)}

    @classmethod
    def of_arrays(cls, arrays: dict[str, Any]) -> "LaggedSkeleton":
        """What `as_arrays` was made of."""
        separators = {
            tuple(link): tuple(v for v in given if v >= 0)
            for link, given in zip(arrays["links"].tolist(), arrays["sets"].tolist(), strict=True)
        }
        tables = {name: arrays[name] for name in cls._fields[:4]}
        return cls(**tables, separators=separators, n_tests=arrays["n_tests"].tolist())


def find_skeleton(
    momentary: MomentaryTest,
    adjacent: Bool[np.ndarray, "vars vars lags"],
    alpha: float,
    max_cond_size: int | None,
    kept: Bool[np.ndarray, "vars vars lags"],
    record: PhaseRecord,
) -> LaggedSkeleton:
    """Remove links that are independent given some neighbours of the target at lag 0.

    The neighbours are those at the start of each size, the strongest first; a pair at lag 0 is
    tested from its lower variable first, and from the other one if it is still there. The links
    ``kept`` are tested, for their p-values, and never removed. The record is written after each
    size.
    """
    weakest = np.full(adjacent.shape, np.inf)
    none = np.full(adjacent.shape, -1.0), np.zeros(adjacent.shape)
    state = LaggedSkeleton(adjacent.copy(), weakest, *none, {}, [])
    done, arrays = record.resumed("skeleton", state.as_arrays())
    state = LaggedSkeleton.of_arrays(arrays)
    limit = len(adjacent) if max_cond_size is None else max_cond_size
    for size in range(done, limit + 1):
        neighbours = [strongest_first(state, target) for target in range(len(adjacent))]
        counts = np.array([len(order) for order in neighbours])
        source, target, lag = np.nonzero(state.adjacent)
        enough = counts[target] - (lag == 0) >= size
        links = LaggedLinks(source[enough], target[enough], lag[enough])
        if not enough.any():
            break
        later = (links.lag == 0) & (links.source > links.target)
        n_tests = _one_size(momentary, state, links.at(~later), neighbours, alpha, size, kept)
        rest = links.at(later)
        rest = rest.at(state.adjacent[rest])
        n_tests += _one_size(momentary, state, rest, neighbours, alpha, size, kept)
        state.n_tests.append(n_tests)
        record.save("skeleton", size + 1, state.as_arrays())
    return state


def strongest_first(state: LaggedSkeleton, target: int) -> Int[np.ndarray, "neighbours"]:
    """Neighbours of a variable at lag 0, the strongest first by the weakest test of each."""
    members = np.flatnonzero(state.adjacent[:, target, 0])
    order = np.argsort(-np.abs(state.weakest[members, target, 0]), kind="stable")
    return members[order]


def _one_size(
    momentary: MomentaryTest,
    state: LaggedSkeleton,
    links: LaggedLinks,
    neighbours: list[Int[np.ndarray, "_"]],
    alpha: float,
    size: int,
    kept: Bool[np.ndarray, "vars vars lags"],
) -> int:
    """Test links given all sets of one size, each until its first separating set."""
    sets = []
    for source, target, lag in zip(*(part.tolist() for part in links), strict=True):
        members = [v for v in neighbours[target].tolist() if lag > 0 or v != source]
        sets.append(itertools.combinations(members, size))
    open_links = list(range(len(sets)))
    n_tests = 0
    for most in itertools.chain(SETS_PER_ROUND, itertools.repeat(SETS_PER_ROUND[-1])):
        drawn = [
            (link, given) for link in open_links for given in itertools.islice(sets[link], most)
        ]
        if not drawn:
            break
        rows = np.array([link for link, _ in drawn])
        cond = np.array([given for _, given in drawn], np.int64).reshape(len(drawn), size)
        statistic, p_value = momentary(links.at(rows), cond)
        n_tests += len(drawn)
        closed = set()
        for (link, given), r, p in zip(drawn, statistic, p_value, strict=True):
            if link in closed:
                continue
            source, target, lag = (int(part[link]) for part in links)
            if abs(r) < abs(state.weakest[source, target, lag]):
                state.weakest[source, target, lag] = r
            if p > state.p_value[source, target, lag]:
                state.p_value[source, target, lag] = p
                state.statistic[source, target, lag] = r
            if p > alpha:
                closed.add(link)
                if not kept[source, target, lag]:
                    _remove(state, source, target, lag, given)
        open_links = sorted(set(rows.tolist()) - closed)
    return n_tests


def _remove(
    state: LaggedSkeleton, source: int, target: int, lag: int, given: tuple[int, ...]
) -> None:
    state.adjacent[source, target, lag] = False
    state.separators[source, target, lag] = given
    if lag == 0:
        state.adjacent[target, source, 0] = False
        state.separators[target, source, 0] = given
