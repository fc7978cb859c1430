"""What holds for pairs of nodes, as one vector for each graph: half of a symmetric matrix.

The pairs x < y are numbered row by row: (0, 1), (0, 2), …, (1, 2), ….
"""

import numpy as np
from jaxtyping import Float, Int, Shaped

BLOCK = 64
"""Rows that become columns together, while both are in the cache."""


def packed(
    whole: Shaped[np.ndarray, "graphs nodes nodes"],
) -> Shaped[np.ndarray, "graphs pairs"]:
    """The entries above the diagonal."""
    n_graphs, n = whole.shape[:2]
    rows = [whole[:, x, x + 1 :] for x in range(n)]
    return np.concatenate(rows, axis=1) if rows else np.zeros((n_graphs, 0), whole.dtype)


def symmetric(
    pairs: Float[np.ndarray, "graphs pairs"], n_nodes: int
) -> Float[np.ndarray, "graphs nodes nodes"]:
    """Matrices with the values of pairs at both of their entries, and NaN on the diagonal."""
    n, start = n_nodes, 0
    whole = np.empty((len(pairs), n, n), pairs.dtype)
    np.einsum("gii->gi", whole)[...] = np.nan
    for first in range(0, n, BLOCK):
        last = min(n, first + BLOCK)
        for x in range(first, last):
            stop = start + n - 1 - x
            whole[:, x, x + 1 :] = pairs[:, start:stop]
            whole[:, x + 1 : last, x] = whole[:, x, x + 1 : last]
            start = stop
        whole[:, last:, first:last] = np.swapaxes(whole[:, first:last, last:], 1, 2)
    return whole


def place(
    x: Int[np.ndarray, "some"], y: Int[np.ndarray, "some"], n_nodes: int
) -> Int[np.ndarray, "some"]:
    """The number of each pair; x and y may be exchanged."""
    first, second = np.minimum(x, y), np.maximum(x, y)
    return first * (2 * n_nodes - first - 1) // 2 + second - first - 1
