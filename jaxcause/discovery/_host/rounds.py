"""Rounds: in which order, and how many at a time, rows look at their conditioning sets."""

import itertools
from collections.abc import Iterator

import numpy as np

from jaxcause.discovery._kernel import sizes

TESTS_PER_ROUND = 1 << 18
"""A level with no more tests than this is one round."""

FIRST_ROUND = 8
"""Sets that a large level looks at first; each later round looks at four times as many."""


def rounds(n_sets: np.ndarray, *, everything: bool) -> list[tuple[int, int]]:
    """Ranges of set numbers, growing; a small level is one range.

    Args:
        n_sets: Conditioning sets of each row.
        everything: Whether every set will be looked at, so that rounds save nothing.
    """
    last = int(n_sets.max(initial=0))
    if everything or int(n_sets.sum()) <= TESTS_PER_ROUND:
        return [(0, last)] if last else []
    growing = (FIRST_ROUND * 4**k for k in itertools.count())
    ends = [*itertools.takewhile(lambda end: end < last, growing), last]
    return list(zip([0, *ends[:-1]], ends, strict=True))


def ascending(counts: np.ndarray) -> np.ndarray:
    """Stable order of counts; numpy sorts 16-bit numbers by radix, twenty times as fast."""
    few = int(counts.max(initial=0)) < 1 << 16
    return np.argsort(counts.astype(np.uint16) if few else counts, kind="stable")


def where(mask: np.ndarray) -> np.ndarray | slice:
    """Where a mask holds; where it holds throughout a slice, which copies nothing."""
    return slice(None) if mask.all() else np.flatnonzero(mask)


def portions(mask: np.ndarray) -> Iterator[np.ndarray | slice]:
    """Where a mask holds, as many rows at a time as one call takes."""
    holds = where(mask)
    size = mask.size if isinstance(holds, slice) else holds.size
    for start in range(0, size, sizes.ROWS_PER_CALL):
        part = slice(start, start + sizes.ROWS_PER_CALL)
        yield part if isinstance(holds, slice) else holds[part]
