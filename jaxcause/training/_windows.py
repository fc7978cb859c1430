"""Windows of a series that cross neither a gap nor the border between two series."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from jaxcause._checks import InputError


class Split(NamedTuple):
    """First rows of the windows to train on, and of the later ones held out."""

    train: Int[np.ndarray, "train_windows"]
    held_out: Int[np.ndarray, "held_out_windows"]


def window_starts(
    complete: Bool[np.ndarray, "time"], segment: Int[np.ndarray, "time"], *, length: int
) -> Int[np.ndarray, "windows"]:
    """First rows of all windows of ``length`` complete rows of one segment.

    Args:
        complete: Whether a row has every value.
        segment: Which unbroken stretch of which series a row belongs to; rises along time.
        length: Rows per window.

    >>> window_starts(np.array([1, 1, 1, 0, 1, 1], bool), np.zeros(6, int), length=2).tolist()
    [0, 1, 4]
    """
    if len(complete) < length:
        return np.zeros(0, np.int64)
    missing = np.concatenate([[0], np.cumsum(~complete)])
    whole = missing[length:] == missing[:-length]
    unbroken = segment[: len(segment) - length + 1] == segment[length - 1 :]
    return np.flatnonzero(whole & unbroken)


def split_by_time(starts: Int[np.ndarray, "windows"], *, length: int, held_out: float) -> Split:
    """Hold out the later part: no held-out row is in any window that is trained on.

    Args:
        starts: First rows of all windows, ascending.
        length: Rows per window.
        held_out: Share of the windows to hold out.

    Raises:
        InputError: Too few windows are left on either side.
    """
    boundary = starts[int(len(starts) * (1 - held_out))] if len(starts) else 0
    split = Split(train=starts[starts + length <= boundary], held_out=starts[starts >= boundary])
    if min(len(split.train), len(split.held_out)) < 2:
        raise InputError(
            f"only {len(starts)} complete windows of {length} rows, too few to train on and to "
            "hold out; give a longer series or a smaller max_lag"
        )
    return split
