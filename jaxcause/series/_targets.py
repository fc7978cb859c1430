"""What a table leaves out: values that stand for a missing one, and rows that are no targets."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool

from jaxcause._checks import InputError
from jaxcause._stored import StoredRows, blocks, column_facts
from jaxcause.series._reading.doubts import notes_on_suspects
from jaxcause.series._table import SeriesTable, finished, note_on_missing


def with_missing_value(
    table: SeriesTable, missing_value: Any, *, by_position: bool = False
) -> SeriesTable:
    """The table with NaN where a value is one that stands for a missing one, such as -999.

    Args:
        table: The series.
        missing_value: A number, or several.
        by_position: Whether columns are known by their places, so that none may be left out.

    Raises:
        InputError: It is no finite number, or fewer than two columns are left that vary.

    >>> from jaxcause.series import as_series_table
    >>> table = as_series_table(np.array([[1.0, 2.0], [-999.0, 3.0], [2.0, 5.0]]))
    >>> with_missing_value(table, -999).complete.tolist()
    [True, False, True]
    """
    words, flags = flags_of(missing_value)
    if words:
        raise InputError(f"missing_value={words[0]!r} must be a number, such as -999")
    suspects = notes_on_suspects(table.names, column_facts(table.values))
    told = {*note_on_missing(table.values), *suspects}
    notes = [note for note in table.notes if note not in told]
    # Also as a flag is rounded in single precision.
    forms = [[float(flag), float(np.float32(flag))] for flag in flags]
    counts = [0] * len(flags)
    for block in blocks(table.values):
        counts = [n + int(np.isin(block, f).sum()) for n, f in zip(counts, forms, strict=True)]
    for flag, count in zip(flags, counts, strict=True):
        times = f"{count} times" if count else "nowhere"
        notes.append(f"missing_value={flag:g} stands for a missing value; it occurs {times}.")
    every = [form for pair in forms for form in pair]

    def without(block: np.ndarray) -> np.ndarray:
        return np.where(np.isin(block, every), np.nan, block)

    values = table.values
    if isinstance(values, StoredRows):
        values = StoredRows(values.shape, lambda a, b, rows=values: without(rows[a:b]))
    else:
        values = without(values)
    return finished(table._replace(values=values, notes=tuple(notes)), by_position=by_position)


def flags_of(missing_value: Any) -> tuple[list[str], list[float]]:
    """The words and the numbers that stand for a missing value.

    Raises:
        InputError: One is neither text nor a finite number.

    >>> flags_of(["k.A.", -999])
    (['k.A.'], [-999])
    """
    if missing_value is None:
        return [], []
    several = isinstance(missing_value, Sequence | np.ndarray) and not isinstance(
        missing_value, str
    )
    given: list[Any] = list(missing_value) if several else [missing_value]
    words = [flag.strip() for flag in given if isinstance(flag, str)]
    flags = [flag for flag in given if not isinstance(flag, str)]
    for flag in flags:
        if isinstance(flag, bool) or not isinstance(flag, int | float | np.number):
            raise InputError(f"missing_value={flag!r} must be a number, such as -999, or text")
        if not np.isfinite(flag):
            raise InputError(f"missing_value={flag!r} must be finite; NaN is missing by itself")
    return words, flags


def with_targets(table: SeriesTable, mask: Any) -> SeriesTable:
    """The table with a mask of the rows that may be predicted; their past may lie outside it.

    Args:
        table: The series.
        mask: A boolean for each row, or, of several series, a list of such.

    Raises:
        InputError: It is not boolean, has another length, or leaves no row.

    >>> from jaxcause.series import as_series_table
    >>> table = as_series_table(np.random.default_rng(0).normal(size=(4, 2)))
    >>> with_targets(table, [False, True, True, False]).targets.tolist()
    [False, True, True, False]
    """
    targets = _as_mask(mask)
    if targets.dtype != bool:
        raise InputError(f"mask holds {targets.dtype}; give a boolean for each row, as mask == 1")
    if targets.shape != (len(table.values),):
        raise InputError(
            f"mask has shape {targets.shape}, but the series has {len(table.values)} rows; give "
            "one boolean for each row"
        )
    if not targets.any():
        raise InputError("mask is False everywhere; it must be True where a row may be predicted")
    return table._replace(targets=targets)


def _as_mask(mask: Any) -> Bool[np.ndarray, "..."] | np.ndarray:
    if isinstance(mask, list | tuple) and mask and all(np.ndim(one) == 1 for one in mask):
        return np.concatenate([np.asarray(one) for one in mask])
    return np.asarray(mask)
