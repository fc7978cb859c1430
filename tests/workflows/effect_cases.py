"""A linear series whose effects are known."""

import numpy as np

NAMES = ["rain", "river", "level"]


def linear_series(n_rows=1500, seed=0):
    """river falls by 0.7 with rain one step before; level rises by 0.5 with river two before."""
    x = np.random.default_rng(seed).normal(size=(n_rows, 3))
    for t in range(2, n_rows):
        x[t, 1] -= 0.7 * x[t - 1, 0]
        x[t, 2] += 0.5 * x[t - 2, 1]
    return x
