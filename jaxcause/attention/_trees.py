"""Possible-d-sep trees of one root, in many graphs.

The search grows the trees of all roots with compiled code; for one root, plain sets of bits are
faster than compiling for every new number of tokens.
"""

import itertools
from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Int, Integer

from jaxcause.graph import Mark


def tree_distances(
    marks: Integer[np.ndarray, "graphs nodes nodes"], root: int, max_range: int | None = None
) -> Int[np.ndarray, "graphs nodes"]:
    """Depth of each node in the root's possible-d-sep tree; 0 where it is not in the tree.

    Breadth first, each edge used once, those of the root first: from a, b a branch goes on to
    c ≠ a next to b if a and c are adjacent, or b is a collider between them.

    Args:
        marks: Marks of the graphs.
        root: Where the trees start.
        max_range: Depth of the trees; to their end by default.

    Source: Rohekar, Nisimov, Gurwicz & Novik (2021), "Iterative causal discovery in the possible
    presence of latent confounders and selection bias".

    >>> chain = np.array([[[0, 2, 0], [1, 0, 1], [0, 2, 0]]])
    >>> tree_distances(chain, 0).tolist()
    [[0, 1, 2]]
    """
    depths = [
        _depths(_rows(m != Mark.NONE), _rows(m.T == Mark.ARROW), root, max_range) for m in marks
    ]
    return np.array(depths, np.int64).reshape(marks.shape[:2])


def _depths(adjacent: list[int], into: list[int], root: int, max_range: int | None) -> list[int]:
    """Depths in one graph, whose neighbours and arrowheads at each node are words of bits."""
    depth = [0] * len(adjacent)
    free = [word & ~(1 << root) for word in adjacent]
    branches = [(root, node) for node in _bits(adjacent[root])]
    for _, node in branches:
        depth[node] = 1
    for distance in itertools.count(2) if max_range is None else range(2, max_range + 1):
        longer = []
        for a, b in branches:
            beyond = adjacent[a] | (into[b] if into[b] >> a & 1 else 0)
            for c in _bits(free[b] & beyond & ~(1 << a)):
                free[b] &= ~(1 << c)
                free[c] &= ~(1 << b)
                depth[c] = depth[c] or distance
                longer.append((b, c))
        branches = longer
        if not branches:
            break
    return depth


def _rows(mask: Bool[np.ndarray, "nodes nodes"]) -> list[int]:
    """Each row as a word of bits, column 0 lowest."""
    packed = np.packbits(mask, axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]


def _bits(word: int) -> Iterator[int]:
    """Places of the bits that are set, ascending."""
    while word:
        lowest = word & -word
        yield lowest.bit_length() - 1
        word ^= lowest
