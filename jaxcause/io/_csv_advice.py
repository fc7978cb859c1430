"""Advice for a CSV file whose rows do not form a table."""

import itertools
from collections.abc import Iterator
from typing import Any

_PREAMBLE = 50
"""Number of lines in which the start of a table below other text is searched for."""
_ALIKE = 3
"""Number of rows of one width that count as a table."""


def one_column(
    header: list[str], rows: Iterator[list[str]], reader: Any, delimiter: str, skipped: int
) -> str:
    """The remedy if the first line has one cell."""
    return (
        _table_below(header, rows, reader, delimiter, skipped)
        or _other_separator(header, delimiter)
        or "pass delimiter=…, or skip_rows=… if the table is below"
    )


def uneven(
    header: list[str],
    row: list[str],
    rows: Iterator[list[str]],
    reader: Any,
    delimiter: str,
    skipped: int,
) -> str:
    """The remedy if a row has more or fewer cells than the first line."""
    # A separator other than the default comma was chosen by the user.
    other = _other_separator([*header, *row], delimiter) if delimiter == "," else ""
    if not other and reader.line_num <= _PREAMBLE:
        other = _table_below(row, rows, reader, delimiter, skipped, len(header))
    return (
        other or "quote cells that contain the separator, or pass skip_rows=… if the table is below"
    )


def _table_below(
    row: list[str],
    rows: Iterator[list[str]],
    reader: Any,
    delimiter: str,
    skipped: int,
    width: int = 1,
) -> str:
    """The remedy if a table of another width than the first line begins further down."""
    begins, run = reader.line_num, [row]
    for following in itertools.islice(rows, _PREAMBLE):
        if len(following) != len(run[0]):
            begins, run = reader.line_num, []
        run.append(following)
    if len(run) < _ALIKE or len(run[0]) in (1, width):
        return ""
    if delimiter == "," and (other := _other_separator(run[0], delimiter)):
        return other
    line = begins + skipped
    return f"the table seems to begin in line {line}: pass skip_rows={line - 1}"


def _other_separator(cells: list[str], delimiter: str) -> str:
    """The remedy if cells contain another separator."""
    for separator, name in ((";", "semicolons"), ("\t", "tabs"), (",", "commas")):
        if separator != delimiter and any(separator in cell for cell in cells):
            shown = "tab" if separator == "\t" else separator
            return (
                f"it seems to be separated by {name}; save it with commas or pass "
                f"delimiter={shown!r}"
            )
    return ""
