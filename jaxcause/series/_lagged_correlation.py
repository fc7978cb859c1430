"""The correlations of a series with its own past."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jaxcause._checks import InputError, check_at_least
from jaxcause._memory import check_memory
from jaxcause._stored import AnyRows
from jaxcause.series._windows import blocks_of_windows


class LaggedCorrelation(NamedTuple):
    """Correlations of lagged variables, node ``lag * n_vars + var``, and the number of windows."""

    corr: Float[np.ndarray, "nodes nodes"]
    n_samples: int


def lagged_correlation(
    series: Float[AnyRows, "time vars"],
    starts: Int[np.ndarray, "windows"],
    *,
    max_lag: int,
    weights: Float[np.ndarray, "windows"] | None = None,
) -> LaggedCorrelation:
    """Correlate the variables at lags 0 to ``2 * max_lag``.

    Windows of ``2 * max_lag + 1`` rows are streamed, in float64.

    Args:
        series: Values; rows of a window must be complete.
        starts: First row of each window; none may cross a gap or the border of two series.
        max_lag: Longest lag of a link; the parents of its source reach back as far again.
        weights: How often each window counts; their mean is 1. By default all count once.

    Returns:
        What `pcmci` and `pcmci_plus` take.

    Raises:
        InputError: There are fewer than four windows, or a variable is constant in them.

    >>> x = np.random.default_rng(0).normal(size=(100, 3))
    >>> lagged_correlation(x, np.arange(96), max_lag=2).corr.shape
    (15, 15)
    """
    check_at_least("max_lag", max_lag, 1)
    length = 2 * max_lag + 1
    if len(starts) < 4:
        some = f"{len(starts)} window{'s' * (len(starts) != 1)}"
        raise InputError(
            f"series has {some} of {length} complete rows (2 * max_lag + 1), but at least 4 are "
            "needed; give a longer series or a smaller max_lag"
        )
    return correlation_of_windows(series, starts, length, weights)


def correlation_of_windows(
    series: Float[AnyRows, "time vars"],
    starts: Int[np.ndarray, "windows"],
    length: int,
    weights: Float[np.ndarray, "windows"] | None = None,
) -> LaggedCorrelation:
    """Correlate the variables at lags 0 to ``length - 1``, in blocks of windows.

    Raises:
        InputError: A variable is constant in the windows, or the matrix does not fit into memory.
    """
    n_vars = series.shape[1]
    n_nodes = length * n_vars
    check_memory(
        f"correlations of {n_nodes:,} lagged variables ({n_vars:,} at {length} lags)",
        32.0 * n_nodes**2,
        "give fewer variables or a smaller max_lag",
    )
    total, gram = np.zeros(n_nodes), np.zeros((n_nodes, n_nodes))
    shift, first = None, 0
    for windows in blocks_of_windows(series, starts, length):
        block = _newest_first(windows)
        # The mean of the first block is near that of all, so that few digits are lost.
        shift = block.mean(axis=0) if shift is None else shift
        centred = counted = block - shift
        if weights is not None:
            counted = centred * weights[first : first + len(block), None]
        first += len(block)
        gram += centred.T @ counted
        total += counted.sum(axis=0)
    off = total / len(starts)
    gram -= len(starts) * np.outer(off, off)
    mean = off + (0 if shift is None else shift)
    scale = np.sqrt(np.diag(gram))
    rounding = 8 * np.finfo(np.float64).eps * np.sqrt(len(starts)) * np.abs(mean)
    if (scale <= rounding).any():
        which = int(np.argmax(scale <= rounding)) % n_vars
        raise InputError(f"column {which} of series is constant in the windows; leave it out")
    corr = gram / scale[:, None] / scale[None, :]
    corr[np.diag_indices(n_nodes)] = 1
    return LaggedCorrelation(corr, len(starts))


def _newest_first(
    windows: Float[np.ndarray, "windows time vars"],
) -> Float[np.ndarray, "windows nodes"]:
    return np.asarray(windows[:, ::-1], np.float64).reshape(len(windows), -1)
