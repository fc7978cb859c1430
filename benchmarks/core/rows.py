"""Rows of the table, and the checks that both results agree before a ratio is reported."""

from typing import Any

import numpy as np

from benchmarks.core.timing import say


def row(work: str, size: str, **columns: Any) -> dict:
    """One row: the work, its seconds, and at most one other way to do it."""
    measured = {name: value for name, value in columns.items() if value is not None}
    whole = {"work": work, "size": size, **measured}
    if "seconds" in measured and "other seconds" in measured:
        whole["ratio"] = measured["other seconds"] / measured["seconds"]
    say(f"  {whole}")
    return {name: whole[name] for name in COLUMNS if name in whole}


COLUMNS = (
    "work",
    "size",
    "precision",
    "seconds",
    "first call",
    "per second",
    "against",
    "other seconds",
    "ratio",
    "pairs that differ",
    "edges",
    "peak MiB",
    "before MiB",
    "imports",
    "set up",
    "note",
)


def n_different(ours: np.ndarray, theirs: np.ndarray) -> int:
    """Pairs of nodes, over all graphs, whose entries differ."""
    different = np.asarray(ours) != np.asarray(theirs)
    different |= np.swapaxes(different, -1, -2)
    return int(different.sum()) // 2


def must_equal(ours: np.ndarray, theirs: np.ndarray, what: str) -> int:
    """Zero, the number of pairs that differ.

    Raises:
        AssertionError: Some pair differs.
    """
    n = n_different(ours, theirs)
    if n:
        raise AssertionError(f"{what}: {n} pairs differ")
    return n
