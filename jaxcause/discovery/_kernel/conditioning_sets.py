"""Conditioning sets as positions in a list of candidates, numbered in colexicographic order."""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from jaxcause.discovery._kernel import sizes
from jaxcause.discovery._kernel.rows import NULL
from jaxcause.discovery._kernel.sizes import bucket
from jaxcause.stats import colex_subsets


class SetRange(NamedTuple):
    """The conditioning sets of ``size`` members whose numbers are start … stop - 1."""

    size: int
    start: int
    stop: int

    def table(self) -> Int[np.ndarray, "sets k"]:
        """Their positions, padded to few shapes with the null position."""
        return _table(*self)

    def n_within(self, n_sets: Int[np.ndarray, "rows"]) -> Int[np.ndarray, "rows"]:
        """How many sets of this range each row has, if it has ``n_sets`` in all."""
        return np.minimum(n_sets, self.stop) - self.start


def sets_at(size: int, numbers: Int[np.ndarray, "sets"]) -> Int[np.ndarray, "sets size"]:
    """Positions of the sets with these numbers."""
    last = int(numbers.max(initial=-1)) + 1
    if last <= sizes.SETS_PER_CALL:
        return _table(size, 0, last)[numbers, :size]
    return colex_subsets(size, numbers)


def n_subsets(n_candidates: Int[np.ndarray, "rows"], size: int) -> Int[np.ndarray, "rows"]:
    """Binomials: how many sets of ``size`` there are among so many candidates."""
    largest = int(n_candidates.max(initial=0))
    table = np.array([math.comb(n, size) for n in range(largest + 1)], np.int64)
    return table[n_candidates]


@lru_cache(maxsize=128)
def _table(size: int, start: int, stop: int) -> np.ndarray:
    length = bucket(stop - start, (64, sizes.SETS_PER_CALL))
    table = np.full((length, bucket(size, sizes.SET_SIZES)), NULL, np.int32)
    table[: stop - start, :size] = colex_subsets(size, np.arange(start, stop))
    return table
