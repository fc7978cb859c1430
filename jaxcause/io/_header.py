"""Whether the first line of a table names its columns, or is a row of data."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxcause._checks import InputError
from jaxcause.series._reading.cells import Style, read_numbers
from jaxcause.series._reading.dates import looks_like_date, read_dates

COUNTED = 4
"""Columns from which on a first line 0, 1, 2, … is no row of data."""
_SAMPLE = 50


def with_names(header: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    """The header with names for unnamed columns after the first, and a note on each.

    A first column without a name is that of the row numbers or times.

    >>> with_names(["", "rain", ""])[0]
    ['', 'rain', 'column 3']
    """
    names, notes = list(header), []
    for k, name in enumerate(names):
        if k and not name:
            called = f"column {k + 1}"
            while called in names:
                called += "'"
            names[k] = called
            notes.append(f"Column {k + 1} has no name and was called {called!r}.")
    return names, tuple(notes)


def check_header(header: Sequence[str], path: Path) -> None:
    """Raise unless there are names, and all differ.

    Raises:
        InputError: There is none, or two are equal.
    """
    if not header:
        raise InputError(f"{path} is empty; it needs a header line and one row per time step")
    if len(set(header)) < len(header):
        seen: set[str] = set()
        twice = next(name for name in header if name in seen or seen.add(name))
        if all(_as_number(name, Style()) is not None for name in header):
            raise InputError(
                f"{path} starts with numbers, {twice!r} among them twice; its first line must name "
                "the columns"
            )
        raise InputError(f"{path} has duplicate column names {twice!r}; rename one of them")


def note_on_names(
    header: Sequence[str],
    columns: dict[str, np.ndarray],
    style: Style,
    path: Path,
    skipped: int = 0,
) -> tuple[str, ...]:
    """A note if numbers are taken for names.

    Numbers are names if no column below holds whole numbers alone, or if they count four columns
    or more. A first line whose numbers stand over numbers, and whose other cells are dates or
    stand below as well, is a row of data.

    Raises:
        InputError: The first line is a row of data.
    """
    over = [k for k, name in enumerate(header) if _is_numeric(columns[name], style)]
    if not over or any(_as_number(header[k], style) is None for k in over):
        return ()
    others = [name for k, name in enumerate(header) if k not in set(over)]
    if any(_is_name(name, columns[name], style) for name in others):
        return ()
    whole = all(header[k].isascii() and header[k].isdigit() for k in over)
    counts = [[str(k + offset) for k in range(len(header))] for offset in (0, 1)]
    counting = list(header) in counts and len(header) >= COUNTED
    fractional = all(_is_fractional(columns[header[k]]) for k in over)
    if not others and whole and (counting or fractional):
        some = ", ".join(header[:3]) + ", …" * (len(header) > 3)
        return (f"The first line ({some}) was taken for the names of the columns.",)
    shown = ", ".join(map(repr, header[:3])) + ", …" * (len(header) > 3)
    lower = f" skip_rows={skipped} may be one too many;" if skipped else ""
    raise InputError(
        f"{path} starts with numbers ({shown});{lower} its first line must name the columns (whole "
        "numbers are names if no column below holds whole numbers alone, or if they count the "
        "columns)"
    )


def _is_numeric(column: np.ndarray, style: Style) -> bool:
    if column.dtype != object:
        return column.dtype.kind in "iuf" and len(column) > 0
    sample = column[:: max(1, len(column) // _SAMPLE)]
    return len(sample) > 0 and read_numbers("", sample, style).known > len(sample) / 2


def _as_number(cell: str, style: Style) -> float | None:
    found = read_numbers("", np.array([cell], object), style)
    return float(found.values[0]) if found.known or found.doubt else None


def _is_name(cell: str, column: np.ndarray, style: Style) -> bool:
    """Whether a cell of the first line names a column that holds no numbers."""
    if not cell or _as_number(cell, style) is not None or looks_like_date(cell):
        return not cell
    return read_dates([cell]) is None and cell not in set(column[:_SAMPLE].tolist())


def _is_fractional(column: np.ndarray) -> bool:
    return column.dtype != object and bool((column[np.isfinite(column)] % 1 != 0).any())
