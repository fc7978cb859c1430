"""Several series in one table: rows of one time that another column tells apart."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Shaped

from jaxcause._checks import InputError
from jaxcause.series._reading.cells import is_known

_REPEATED = 0.3
"""Share of the rows that repeat the time of another from which on several series are likely."""
_SURE = 0.99
_MOST_VALUES = 3
"""Different numbers for each row of a time that a column of ids may hold; others measure."""

Columns = Mapping[str, np.ndarray]


def check_one_series(
    name: str, times: Shaped[np.ndarray, "time"], columns: Columns, *, in_file: bool
) -> None:
    """Raise if most times repeat, and a column of text or ids tells the rows of a time apart.

    Args:
        name: Of the time.
        times: Of all rows.
        columns: All others.
        in_file: Whether the table is that of a file.

    Raises:
        InputError: Several series stand in one table.

    >>> days = np.repeat(np.arange("2020-01-01", "2020-02-01", dtype="M8[D]"), 2)
    >>> check_one_series("day", days, {"site": np.array(["A", "B"] * 31, object)}, in_file=False)
    Traceback (most recent call last):
    jaxcause._errors.InputError: times of column 'day' occur up to 2 times, and column 'site' ...
    """
    if len(times) < 4:
        return
    codes, counts = _codes(times)
    n_repeated = len(times) - len(counts)
    if n_repeated < _REPEATED * len(times):
        return
    most = int(counts.max())
    for key, column in columns.items():
        if key == name or not _may_tell_apart(column, most):
            continue
        labels, sizes = _codes(_as_text(column))
        pairs = np.unique(codes * len(sizes) + labels)
        if len(sizes) > 1 and len(pairs) >= _SURE * len(times):
            split = (
                f"save the rows of each {key!r} as a file, and give all files"
                if in_file
                else f"give a list of them, such as [part for _, part in frame.groupby({key!r})]"
            )
            raise InputError(
                f"times of column {name!r} occur up to {most} times, and column {key!r} tells "
                f"rows of one time apart: several series stand in one table; {split}; if it is one "
                f"series, leave {key!r} out"
            )


def _codes(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    _, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    return codes.astype(np.int64), counts


def _as_text(column: np.ndarray) -> np.ndarray:
    if column.dtype != object:
        return column
    return np.array([str(cell) if is_known(cell) else "" for cell in column.tolist()])


def _may_tell_apart(column: np.ndarray, most: int) -> bool:
    """Whether a column holds text, truths, or few whole numbers."""
    if column.dtype.kind in "iuf":
        if not np.isfinite(column).all() or (column != np.round(column)).any():
            return False
        return 1 < len(np.unique(column)) <= _MOST_VALUES * most
    if column.dtype.kind in "bU":
        return True
    return column.dtype == object and any(isinstance(cell, str) for cell in column.tolist())
