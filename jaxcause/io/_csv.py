"""Reading a series from a CSV file."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxcause._checks import InputError
from jaxcause.io._series import SeriesTable, table_from_columns

MISSING = frozenset(("", "na", "n/a", "nan", "null", "none", "?"))
"""Cells, in lower case, that stand for a missing value."""


def read_csv(
    path: str | Path, *, time_column: str | None = None, drop: Sequence[str] = ()
) -> SeriesTable:
    """Read a comma-separated file with one header line, one row per time step.

    Args:
        path: The file, in UTF-8.
        time_column: Name of the time column, if it is not recognised by itself.
        drop: Columns to leave out.

    Raises:
        InputError: The file is missing, unreadable, empty, or malformed; or see `as_series_table`.
    """
    header, rows = _read_rows(Path(path))
    repeated = [name for name in header if header.count(name) > 1]
    if repeated:
        raise InputError(f"{path} has duplicate column names {repeated[0]!r}; rename one of them")
    for name in drop:
        if name not in header:
            raise InputError(
                f"drop={name!r} is not a column of {path}; there are {', '.join(header)}"
            )
    kept = [(i, name) for i, name in enumerate(header) if name not in drop]
    columns = {name: _column([row[i] for row in rows]) for i, name in kept}
    return table_from_columns(columns, time_column=time_column)


def _read_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    """Header and rows, all of one length."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = [row for row in csv.reader(file) if any(cell.strip() for cell in row)]
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; check the path") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"cannot read {path} as UTF-8 CSV: {error}; save it as UTF-8 text"
        ) from None
    if not lines:
        raise InputError(f"{path} is empty; it needs a header line and one row per time step")
    header = [name.strip() for name in lines[0]]
    if len(header) < 2:
        raise InputError(
            f"{path} has one column (header: {header[0][:60]!r}); it needs at least two: "
            + _remedy(header, "separate them by commas")
        )
    if all(_is_cell_number(name) for name in header):
        raise InputError(f"{path} starts with numbers; its first line must name the columns")
    for number, row in enumerate(lines[1:], start=2):
        if len(row) != len(header):
            raise InputError(
                f"{path} has {len(row)} cells in line {number}, but {len(header)} columns; "
                + _remedy([*lines[0], *row], "quote cells that contain a comma")
            )
    return header, lines[1:]


def _column(cells: list[str]) -> np.ndarray:
    """Numbers where all cells are numbers or missing, and else text."""
    stripped = [cell.strip() for cell in cells]
    try:
        return np.array(
            [np.nan if c.lower() in MISSING else float(c) for c in stripped], np.float64
        )
    except ValueError:
        return np.array([c if c.lower() not in MISSING else "nan" for c in stripped], object)


def _remedy(cells: list[str], otherwise: str) -> str:
    """What to do about cells that do not fit: another separator is the likeliest cause."""
    for separator, name in ((";", "semicolons"), ("\t", "tabs")):
        if any(separator in cell for cell in cells):
            return f"it seems to be separated by {name}; save it with commas"
    return otherwise


def _is_cell_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
