"""Series that stay on disk, in blocks of any size."""

from contextlib import contextmanager

import numpy as np
import pytest


@contextmanager
def blocks_of(n_values, *, in_memory=0):
    """Blocks of so many values; series on disk are read whole or sampled up to ``in_memory``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jaxcause._stored.BLOCK", n_values)
        patch.setattr("jaxcause._stored.IN_MEMORY", in_memory)
        patch.setattr("jaxcause._stored.SAMPLE", in_memory)
        patch.setattr("jaxcause.series._windows.BLOCK", n_values)
        patch.setattr("jaxcause.stats._regression.vector_autoregression.BLOCK", n_values)
        patch.setattr("jaxcause.stats._regression.lasso.BLOCK", n_values)
        yield


def on_file(values, folder, name="series.npy"):
    """A memory map of the values."""
    np.save(folder / name, values)
    return np.load(folder / name, mmap_mode="r")


def driven(seed, n_rows, n_missing=0):
    """Three variables, the first of which drives the others, some values missing."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n_rows, 3))
    x[2:, 1] += 0.8 * x[:-2, 0]
    x[1:, 2] += 0.5 * np.abs(x[:-1, 1])
    x[rng.integers(0, n_rows, n_missing), rng.integers(0, 3, n_missing)] = np.nan
    return x
