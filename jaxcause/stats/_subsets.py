"""Subsets in colexicographic order, so that the subsets of fewer elements are a prefix."""

import math

import numpy as np
from jaxtyping import Int


def colex_subsets(size: int, numbers: Int[np.ndarray, "sets"]) -> Int[np.ndarray, "sets size"]:
    r"""Subsets of ``size`` whole numbers by their number, each in ascending order.

    The subset :math:`c_1 < … < c_k` has number :math:`\sum_a \binom{c_a}{a}`: it does not depend on
    how many numbers there are to choose from, and the subsets of ``{0 … n-1}`` are exactly the
    first :math:`\binom{n}{k}`.

    Args:
        size: Elements per subset.
        numbers: Which subsets.

    >>> colex_subsets(2, np.arange(4)).tolist()
    [[0, 1], [0, 2], [1, 2], [0, 3]]
    """
    remaining = numbers.astype(np.int64)
    members = np.zeros((remaining.size, size), np.int32)
    for position in range(size, 0, -1):
        below = _binomials_up_to(position, int(remaining.max(initial=0)))
        chosen = np.searchsorted(below, remaining, side="right") - 1
        members[:, position - 1] = chosen
        remaining = remaining - below[chosen]
    return members


def _binomials_up_to(k: int, largest: int) -> np.ndarray:
    """Binomials C(0, k), C(1, k), … until one exceeds ``largest``."""
    values, n = [math.comb(0, k)], 0
    while values[-1] <= largest:
        n += 1
        values.append(math.comb(n, k))
    return np.array(values, np.int64)
