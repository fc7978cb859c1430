"""Reading a series from a CSV file."""

import csv
import itertools
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from jaxcause._checks import InputError, check_at_least
from jaxcause.io._csv_advice import one_column, uneven
from jaxcause.io._files import check_columns, check_regular
from jaxcause.io._header import check_header, note_on_names, with_names
from jaxcause.series import SeriesTable, finished, table_from_columns
from jaxcause.series._reading.cells import Style, check_style, is_missing
from jaxcause.series._reading.words import TIME_NAMES
from jaxcause.series._targets import flags_of, with_missing_value

_MAX_LINE = 2**24
_CHUNK = 10_000
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_MOST_REMARKS = 5
"""Lines below a table that are taken for remarks."""

Columns = dict[str, np.ndarray]


def read_csv(
    path: str | Path,
    *,
    time_column: str | None = None,
    drop: Sequence[str] = (),
    delimiter: str = ",",
    decimal: str = ".",
    thousands: str | None = None,
    skip_rows: int = 0,
    encoding: str = "utf-8",
    time_format: str | None = None,
    missing_value: Any = None,
) -> SeriesTable:
    """Read a table with one header line and one row per time step.

    Times, numbers and missing values are recognised as in `jaxcause.series.as_series_table`, and
    notes say what was recognised and what was left out. A first line of whole numbers holds names
    if no column below holds whole numbers alone, or if they count four columns or more.

    Args:
        path: The file.
        time_column: Name of the time column, if it is not recognised automatically.
        drop: Columns to leave out.
        delimiter: The separator of cells: one character, or ``"tab"``.
        decimal: The decimal mark, ``"."`` or ``","``.
        thousands: The mark between thousands, if it is not recognised automatically.
        skip_rows: Number of lines before the header line.
        encoding: The encoding, such as ``"latin-1"``.
        time_format: The format of times that are not recognised automatically, as for
            ``strptime``, such as ``"%d.%m.%Y %H:%M"``.
        missing_value: What stands for a missing value, such as -999 or ``"none"``, or several.

    Raises:
        InputError: The file is missing, unreadable, empty, or malformed; or see `as_series_table`.
    """
    words, flags = flags_of(missing_value)
    table = read_raw_csv(
        path,
        time_column=time_column,
        drop=drop,
        delimiter=delimiter,
        style=Style(decimal, thousands, frozenset(words), True),
        skip_rows=skip_rows,
        encoding=encoding,
        time_format=time_format,
    )
    try:
        return with_missing_value(table, flags) if flags else finished(table)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def read_raw_csv(
    path: str | Path,
    *,
    time_column: str | None,
    drop: Sequence[str],
    delimiter: str,
    style: Style,
    skip_rows: int,
    encoding: str,
    time_format: str | None,
) -> SeriesTable:
    """The table of a file whose columns have not been checked yet; see `read_csv`."""
    path = Path(path)
    delimiter = {"tab": "\t", "\\t": "\t"}.get(delimiter, delimiter)
    _check_options(delimiter, style, skip_rows, encoding)
    as_text = {time_column} if time_column is not None or time_format is None else TIME_NAMES
    header, columns, remarks = _read_columns(path, delimiter, style, skip_rows, encoding, as_text)
    names = note_on_names(header, columns, style, path, skip_rows)
    columns = without(columns, drop, path)
    try:
        return table_from_columns(
            columns,
            time_column=time_column,
            time_format=time_format,
            style=style,
            notes=(*names, *remarks),
        )
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def without(columns: Columns, drop: Sequence[str], path: Path) -> Columns:
    """The columns that are not dropped.

    Raises:
        InputError: One to drop is no column.
    """
    for name in drop:
        if name not in columns:
            raise InputError(
                f"drop={name!r} is not a column of {path}; there are {', '.join(columns)}"
            )
    dropped = set(drop)
    return {name: column for name, column in columns.items() if name not in dropped}


def _check_options(delimiter: str, style: Style, skip_rows: int, encoding: str) -> None:
    check_style(style)
    check_at_least("skip_rows", skip_rows, 0)
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise InputError(f"delimiter={delimiter!r} must be one character, such as ',' or ';'")
    if delimiter == style.decimal:
        raise InputError(f"delimiter and decimal are both {style.decimal!r}; try delimiter=';'")
    try:
        "".encode(encoding)
    except (LookupError, ValueError):
        raise InputError(f"encoding={encoding!r} is not known; try 'utf-8' or 'latin-1'") from None


def _read_columns(
    path: Path,
    delimiter: str,
    style: Style,
    skip_rows: int,
    encoding: str,
    as_text: Collection[str | None],
) -> tuple[list[str], Columns, tuple[str, ...]]:
    """The header, the columns (numbers, or text if some cell is no number) and notes."""
    check_regular(path)
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
            return _parse(reader, path, delimiter, style, skip_rows, as_text)
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
    reader: Any,
    path: Path,
    delimiter: str,
    style: Style,
    skipped: int,
    as_text: Collection[str | None],
) -> tuple[list[str], Columns, tuple[str, ...]]:
    rows = (row for row in reader if any(cell.strip() for cell in row))
    header = [name.strip() for name in next(rows, [])]
    while len(header) > 2 and not header[-1]:
        header.pop()
    if len(header) == 1:
        advice = one_column(header, rows, reader, delimiter, skipped)
        raise InputError(
            f"{path} has one column (header: {header[0][:60]!r}); it needs at least two: {advice}"
        )
    check_columns(path, len(header))
    header, unnamed = with_names(header)
    check_header(header, path)
    text = [name in as_text or (k == 0 and as_text is TIME_NAMES) for k, name in enumerate(header)]
    chunks: list[list[np.ndarray]] = [[] for _ in header]
    chunk: list[list[str]] = []
    notes = [*unnamed]

    def convert() -> None:
        for cells, column, keep in zip(zip(*chunk, strict=True), chunks, text, strict=True):
            column.append(_text(cells, style) if keep else _column(cells, style))
        chunk.clear()

    for row in _regular(header, rows, reader, path, delimiter, skipped, notes):
        chunk.append(row)
        if len(chunk) == _CHUNK:
            convert()
    if chunk:
        convert()
    joined = [np.concatenate(parts) if parts else np.zeros(0) for parts in chunks]
    return header, dict(zip(header, joined, strict=True)), tuple(notes)


def _regular(
    header: list[str],
    rows: Iterator[list[str]],
    reader: Any,
    path: Path,
    delimiter: str,
    skipped: int,
    notes: list[str],
) -> Iterator[list[str]]:
    """The rows of as many cells as the header; remarks below the table are left out with a note."""
    n_rows = 0
    for row in rows:
        if len(row) > len(header) and not any(cell.strip() for cell in row[len(header) :]):
            row = row[: len(header)]
        if len(row) != len(header):
            line = reader.line_num + skipped
            if n_rows >= _MOST_REMARKS and _are_remarks(row, rows):
                shown = "".join(row).strip()[:40]
                notes.append(f"Line {line} ({shown!r}) ends the table: remarks were left out.")
                break
            advice = uneven(header, row, rows, reader, delimiter, skipped)
            raise InputError(
                f"{path} has {len(row)} cell{'s' * (len(row) != 1)} in line {line}, but "
                f"{len(header)} columns; {advice}"
            )
        n_rows += 1
        yield row


def _are_remarks(row: list[str], rows: Iterator[list[str]]) -> bool:
    """Whether this row and all below, which are few, hold one cell of text each."""
    for one in itertools.chain([row], itertools.islice(rows, _MOST_REMARKS)):
        cells = [cell.strip() for cell in one if cell.strip()]
        if len(cells) != 1 or not any(map(str.isalpha, cells[0])):
            return False
    return next(rows, None) is None


def _column(cells: Sequence[str], style: Style) -> np.ndarray:
    """Numbers if all cells are numbers or missing, otherwise numbers and text."""
    if style.decimal == ".":
        try:
            return np.array([*map(float, cells)])
        except ValueError:
            pass
    numbers = [np.nan if is_missing(cell, style) else _number(cell, style) for cell in cells]
    if None not in numbers:
        return np.array(numbers, np.float64)
    if not any(isinstance(number, float) and number == number for number in numbers):
        return _text(cells, style)
    mixed = np.empty(len(cells), object)
    mixed[:] = [cell.strip() if n is None else n for cell, n in zip(cells, numbers, strict=True)]
    return mixed


def _text(cells: Sequence[str], style: Style) -> np.ndarray:
    found = np.empty(len(cells), object)
    found[:] = [np.nan if is_missing(cell, style) else cell.strip() for cell in cells]
    return found


def _number(cell: str, style: Style) -> float | None:
    if style.decimal == ",":
        if "." in cell:
            return None
        cell = cell.replace(",", ".")
    try:
        return float(cell)
    except ValueError:
        return None
