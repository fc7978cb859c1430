"""Reading a series from a CSV file."""

import csv
import datetime
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from jaxcause._checks import InputError, check_at_least, check_choice
from jaxcause.io._csv_advice import one_column, uneven
from jaxcause.series import SeriesTable, table_from_columns
from jaxcause.series._time import TIME_NAMES, is_dates, is_number

MISSING = frozenset(("", "na", "n/a", "nan", "null", "none", "?"))
"""Cells, in lower case, that stand for a missing value."""

COUNTED = 4
"""Columns from which on a first line 0, 1, 2, … is no row of data."""

_MAX_LINE = 2**24
_CHUNK = 10_000
_COMMA_NUMBER = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def read_csv(
    path: str | Path,
    *,
    time_column: str | None = None,
    drop: Sequence[str] = (),
    delimiter: str = ",",
    decimal: str = ".",
    skip_rows: int = 0,
    encoding: str = "utf-8",
    time_format: str | None = None,
) -> SeriesTable:
    """Read a table with one header line and one row per time step.

    A column without numbers and dates is left out, with a note. A first line of whole numbers holds
    names if no column below holds whole numbers alone, or if they count four columns or more.

    Args:
        path: The file.
        time_column: Name of the time column, if it is not recognised automatically.
        drop: Columns to leave out.
        delimiter: The separator of cells: one character, or ``"tab"``.
        decimal: The decimal mark, ``"."`` or ``","``.
        skip_rows: Number of lines before the header line.
        encoding: The encoding, such as ``"latin-1"``.
        time_format: The format of times that are not in ISO, such as ``"%d.%m.%Y %H:%M"``.

    Raises:
        InputError: The file is missing, unreadable, empty, or malformed; or see `as_series_table`.
    """
    path = Path(path)
    delimiter = {"tab": "\t", "\\t": "\t"}.get(delimiter, delimiter)
    _check_options(delimiter, decimal, skip_rows, encoding)
    header, columns = _read_columns(path, delimiter, decimal, skip_rows, encoding)
    for name in drop:
        if name not in header:
            raise InputError(
                f"drop={name!r} is not a column of {path}; there are {', '.join(header)}"
            )
        columns.pop(name, None)
    if time_format is not None:
        given = columns
        columns = {name: _as_times(column, time_format) for name, column in given.items()}
        if all(columns[name] is column for name, column in given.items()):
            raise InputError(
                f"time_format={time_format!r} fits no column of {path}; write it as the times are, "
                "such as '%d.%m.%Y', or leave it out"
            )
    _check_text(columns, path, time_column, decimal)
    try:
        return table_from_columns(columns, time_column=time_column, notes=_note_on_names(header))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _check_options(delimiter: str, decimal: str, skip_rows: int, encoding: str) -> None:
    check_choice("decimal", decimal, (".", ","))
    check_at_least("skip_rows", skip_rows, 0)
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise InputError(f"delimiter={delimiter!r} must be one character, such as ',' or ';'")
    if delimiter == decimal:
        raise InputError(f"delimiter and decimal are both {decimal!r}; try delimiter=';'")
    try:
        "".encode(encoding)
    except LookupError:
        raise InputError(f"encoding={encoding!r} is not known; try 'utf-8' or 'latin-1'") from None


def _read_columns(
    path: Path, delimiter: str, decimal: str, skip_rows: int, encoding: str
) -> tuple[list[str], dict[str, np.ndarray]]:
    """The header and the columns: numbers, or text if some cell is not a number."""
    try:
        with path.open("rb") as raw:
            head = raw.read(2**16)
        utf8 = encoding.lower().replace("_", "-") in ("utf-8", "utf8")
        if utf8 and head[:2] in _UTF16:
            raise InputError(f"{path} is not UTF-8 but UTF-16; pass encoding='utf-16'")
        if b"\0" in head and not encoding.lower().startswith(("utf-16", "utf-32", "utf16")):
            raise InputError(f"{path} holds binary data; it must be text")
        with path.open(encoding="utf-8-sig" if utf8 else encoding, newline="") as file:
            lines = _lines(file, path)
            for _ in range(skip_rows):
                next(lines, None)
            reader = csv.reader(lines, delimiter=delimiter)
            return _parse(reader, path, delimiter, decimal, skip_rows)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; check the path") from None
    except UnicodeError as error:
        raise InputError(
            f"cannot read {path} as {encoding.upper()}: {error}; pass its encoding, such as "
            "encoding='latin-1'"
        ) from None
    except csv.Error as error:
        raise InputError(f"cannot read {path} as CSV: {error}; write it again") from None


def _lines(file: IO[str], path: Path) -> Iterator[str]:
    """The lines of a file, with an error for lines that are too long for a table."""
    while line := file.readline(_MAX_LINE):
        if len(line) == _MAX_LINE:
            raise InputError(f"{path} has a line of over {_MAX_LINE:,} characters; is it a table?")
        yield line


def _parse(
    reader: Any, path: Path, delimiter: str, decimal: str, skipped: int
) -> tuple[list[str], dict[str, np.ndarray]]:
    rows = (row for row in reader if any(cell.strip() for cell in row))
    header = [name.strip() for name in next(rows, [])]
    if len(header) == 1:
        advice = one_column(header, rows, reader, delimiter, skipped)
        raise InputError(
            f"{path} has one column (header: {header[0][:60]!r}); it needs at least two: {advice}"
        )
    _check_header(header, path)
    chunks: list[list[np.ndarray]] = [[] for _ in header]
    chunk: list[list[str]] = []

    def convert() -> None:
        for column, cells in zip(chunks, zip(*chunk, strict=True), strict=True):
            column.append(_column(cells, decimal))
        chunk.clear()

    for row in rows:
        if len(row) != len(header):
            line = reader.line_num + skipped
            advice = uneven(header, row, rows, reader, delimiter, skipped)
            raise InputError(
                f"{path} has {len(row)} cells in line {line}, but {len(header)} columns; {advice}"
            )
        chunk.append(row)
        if len(chunk) == _CHUNK:
            convert()
    if chunk:
        convert()
    joined = [np.concatenate(parts) if parts else np.zeros(0) for parts in chunks]
    if _note_on_names(header):
        _check_numbers_as_names(header, joined, path)
    return header, dict(zip(header, joined, strict=True))


def _note_on_names(header: list[str]) -> tuple[str, ...]:
    if any(_number(name, ".") is None for name in header):
        return ()
    some = ", ".join(header[:3]) + ", …" * (len(header) > 3)
    return (f"The first line ({some}) was taken for the names of the columns.",)


def _check_numbers_as_names(header: list[str], columns: list[np.ndarray], path: Path) -> None:
    """Raise unless a header of numbers can only be names: it counts, or the data are no integers.

    Whole numbers, such as those of stations, are names if no column below holds whole numbers
    alone. A first line 0, 1, 2, 3, … (or 1, 2, 3, 4, …) counts the columns.
    """
    whole = all(name.isascii() and name.isdigit() for name in header)
    counts = [str(k + offset) for offset in (0, 1) for k in range(len(header))]
    counting = header in (counts[: len(header)], counts[len(header) :])
    counting = counting and len(header) >= COUNTED
    fractional = all(c.dtype != object and (c[~np.isnan(c)] % 1 != 0).any() for c in columns)
    if not whole or not (counting or fractional):
        raise InputError(
            f"{path} starts with numbers; its first line must name the columns (whole numbers are "
            "names if no column below holds whole numbers alone, or if they count the columns)"
        )


def _check_header(header: list[str], path: Path) -> None:
    if not header:
        raise InputError(f"{path} is empty; it needs a header line and one row per time step")
    repeated = [name for name in header if header.count(name) > 1]
    if repeated:
        raise InputError(f"{path} has duplicate column names {repeated[0]!r}; rename one of them")


def _column(cells: Sequence[str], decimal: str) -> np.ndarray:
    """Numbers if all cells are numbers or missing, otherwise text."""
    numbers = [np.nan if _is_missing(cell) else _number(cell, decimal) for cell in cells]
    if None not in numbers:
        return np.array(numbers, np.float64)
    mixed = ["nan" if _is_missing(c) else c.strip() for c in cells]
    if decimal == ",":
        # Later stages do not know decimal commas, so numbers are converted here.
        mixed = [c if n is None else n for c, n in zip(mixed, numbers, strict=True)]
    return np.array(mixed, object)


def _number(cell: str, decimal: str) -> float | None:
    if decimal == ",":
        if "." in cell:
            return None
        cell = cell.replace(",", ".")
    try:
        return float(cell)
    except ValueError:
        return None


def _is_missing(cell: str) -> bool:
    return cell.strip().lower() in MISSING


def _as_times(column: np.ndarray, time_format: str) -> np.ndarray:
    """Dates, if every cell has the format of times."""
    if column.dtype != object:
        return column
    try:
        times = [datetime.datetime.strptime(str(cell), time_format) for cell in column]
    except ValueError:
        return column
    found = np.empty(len(times), object)
    found[:] = times
    return found


def _check_text(
    columns: dict[str, np.ndarray], path: Path, time_column: str | None, decimal: str
) -> None:
    """Raise if a column of text holds numbers or times in another format."""
    for name, column in columns.items():
        if column.dtype != object or name == time_column or is_dates(column):
            continue
        if decimal == "." and any(_COMMA_NUMBER.fullmatch(str(cell)) for cell in column):
            raise InputError(
                f"column {name!r} of {path} has decimal commas; pass decimal=',' and, where cells "
                "are separated by semicolons, delimiter=';'"
            )
        pointed = [c for c in column if isinstance(c, str) and "." in c and is_number(c)]
        if decimal == "," and pointed:
            raise InputError(
                f"column {name!r} of {path} holds {pointed[0]!r} among decimal commas; write all "
                "numbers alike, without points between thousands"
            )
        if name.lower() in TIME_NAMES:
            raise InputError(
                f"column {name!r} of {path} holds times such as {str(column[0])[:40]!r}; pass "
                "time_format=…, such as '%d.%m.%Y', or drop the column"
            )
