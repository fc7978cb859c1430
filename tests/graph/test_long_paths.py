"""Graphs of long paths, which lose only their ends in each round of a peeling."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxcause.graph import _cycles

BEFORE = _cycles._ROUNDS


def by_rounds(into):
    """Nodes that are left when those without an arrow in or out go, round by round."""
    kept = np.ones(into.shape[:-1], bool)
    while True:
        joined = into & kept[..., None] & kept[..., None, :]
        fewer = joined.any(axis=-1) & joined.any(axis=-2)
        if (fewer == kept).all():
            return kept
        kept = fewer


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 10**6), st.integers(2, 14), st.integers(1, 3), st.sampled_from([0, 1, BEFORE])
)
def test_peeling_by_lists_and_node_by_node_is_peeling_in_rounds(seed, n, batch, rounds):
    rng = np.random.default_rng(seed)
    into = rng.random((batch, n, n)) < rng.choice([0.05, 0.15, 0.4])
    into &= ~np.eye(n, dtype=bool)
    try:
        _cycles._ROUNDS = rounds
        np.testing.assert_array_equal(_cycles._between_arrowheads(into), by_rounds(into))
    finally:
        _cycles._ROUNDS = BEFORE
