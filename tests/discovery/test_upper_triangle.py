import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxcause.discovery._host import upper_triangle


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 3), st.sampled_from([0, 1, 2, 3, 9, 63, 64, 65, 130]))
def test_pairs_stand_where_numpy_has_them(n_graphs, n):
    whole = np.random.default_rng(n).random((n_graphs, n, n))
    x, y = np.triu_indices(n, 1)
    pairs = upper_triangle.packed(whole)
    np.testing.assert_array_equal(pairs, whole[:, x, y])
    np.testing.assert_array_equal(upper_triangle.place(x, y, n), np.arange(x.size))
    np.testing.assert_array_equal(upper_triangle.place(y, x, n), np.arange(x.size))
    back = upper_triangle.symmetric(pairs, n)
    expected = np.full(whole.shape, np.nan)
    expected[:, x, y] = expected[:, y, x] = whole[:, x, y]
    np.testing.assert_array_equal(back, expected)
