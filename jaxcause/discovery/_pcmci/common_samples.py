"""How many samples a test of PCMCI rests on where values are missing."""

import numpy as np
from jaxtyping import Int, UInt8

BLOCK = 1 << 24
"""Bytes that are held at a time."""


def count_common_samples(
    present: UInt8[np.ndarray, "nodes bytes"],
    x: Int[np.ndarray, "rows"],
    y: Int[np.ndarray, "rows"],
    cond: Int[np.ndarray, "rows k"],
) -> Int[np.ndarray, "rows"]:
    """Samples that hold x, y and S, for each row.

    Args:
        present: Which samples hold each node, as bits.
        x: First nodes.
        y: Second nodes.
        cond: Sets S, padded with -1.

    >>> present = np.packbits(np.array([[1, 1, 0], [1, 0, 1]], bool), axis=1)
    >>> count_common_samples(present, np.array([0]), np.array([1]), np.array([[-1]])).tolist()
    [1]
    """
    # Padding, -1, is the last row: every sample holds it.
    bits = np.concatenate([present, np.full_like(present[:1], 255)])
    counts = np.zeros(len(x), np.int64)
    per_block = max(1, BLOCK // max(1, bits.shape[1]))
    for first in range(0, len(x), per_block):
        rows = slice(first, first + per_block)
        whole = bits[x[rows]] & bits[y[rows]]
        for member in cond[rows].T:
            whole &= bits[member]
        counts[rows] = np.bitwise_count(whole).sum(axis=1, dtype=np.int64)
    return counts
