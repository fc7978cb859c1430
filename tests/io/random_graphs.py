"""Random graphs with every kind of mark, many at a time."""

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from jaxcause import CausalGraph, LaggedGraph

BATCH, N_BATCHES = 25, 20
"""Of two kinds each: 1,000 graphs per property."""

thousand = settings(max_examples=N_BATCHES, deadline=None, database=None)
seeds = st.integers(0, 2**32 - 1)

LETTERS = np.array(list("abcXYZ 019_-.\"'\\<>&;,#[]{}=äß€日本\n\t𝒳"))
"""What breaks formats that do not quote."""


def names_of(rng, n):
    """Different names, most of them nasty; some end like a lag."""
    names = []
    for i in range(n):
        text = "".join(rng.choice(LETTERS, rng.integers(0, 5)))
        names.append(f"{text}{i}{rng.choice(['', '_lag1', chr(92)])}")
    return names


ALL_MARKS = [*((a, b) for a in (1, 2, 3) for b in (1, 2, 3)), (4, 4)]
"""Marks at the left and the right end of every edge; a conflict is at both ends."""
WITHOUT_CONFLICT = ALL_MARKS[:-1]


def lagged(seed, *, directed=False):
    """`BATCH` lagged graphs with names."""
    rng = np.random.default_rng(seed)
    for _ in range(BATCH):
        n, n_lags = rng.integers(1, 5), rng.integers(1, 5)
        shape = (n, n, n_lags)
        marks = np.array(ALL_MARKS, np.int8)[rng.integers(0, len(ALL_MARKS), shape)]
        if directed:
            marks[...] = 3, 2
        marks[rng.random(shape) < rng.random()] = 0
        upper = np.triu(np.ones((n, n), bool), 1)
        flip = directed & (rng.random((n, n)) < 0.5)
        now = np.where(upper[..., None], marks[:, :, 0], 0)
        now = np.where(flip[..., None], now[..., ::-1], now)
        marks[:, :, 0] = now + np.swapaxes(now, 0, 1)[..., ::-1]
        yield LaggedGraph(marks), names_of(rng, n)


def over_nodes(seed, *, edges=None):
    """`BATCH` graphs over nodes with names; ``edges`` are the pairs of marks that they may have."""
    rng = np.random.default_rng(seed)
    edges = np.array(ALL_MARKS if edges is None else edges)
    for _ in range(BATCH):
        n = rng.integers(1, 7)
        pairs = edges[rng.integers(0, len(edges), (n, n))]
        pairs[rng.random((n, n)) < rng.random()] = 0
        upper = np.triu(np.ones((n, n), bool), 1)
        marks = np.where(upper, pairs[..., 1], 0) + np.where(upper, pairs[..., 0], 0).T
        yield CausalGraph(marks.astype(np.int8)), names_of(rng, n)


def both(seed):
    """`BATCH` graphs of either kind."""
    yield from lagged(seed)
    yield from over_nodes(seed)


def assert_same(read, graph, names):
    """Of one class, with the same marks and names."""
    assert type(read.graph) is type(graph)
    np.testing.assert_array_equal(read.graph.marks, graph.marks, strict=True)
    assert list(read.names) == list(names)
