"""Reading a sheet of Excel, by openpyxl."""

import importlib
import itertools
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from jaxcause._checks import InputError, check_at_least
from jaxcause.io._files import check_columns, check_declared, check_regular
from jaxcause.io._header import check_header, note_on_names, with_names
from jaxcause.series._frames import as_array
from jaxcause.series._reading.cells import Style

_MOST_CELLS = 2**26


def read_sheet(
    path: Path, sheet: str | None, skip_rows: int, style: Style
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """The columns of a sheet, and notes; the first sheet that is not empty, if none is named.

    Raises:
        InputError: openpyxl is not installed, or the file is damaged or holds no table.
    """
    check_at_least("skip_rows", skip_rows, 0)
    check_regular(path)
    try:
        openpyxl = importlib.import_module("openpyxl")
    except ModuleNotFoundError:
        raise InputError(
            f'{path}: Excel files need openpyxl: pip install "jaxcause[data]", or save it as CSV'
        ) from None
    try:
        with zipfile.ZipFile(path) as archive:
            check_declared(path, sum(member.file_size for member in archive.infolist()))
        with warnings.catch_warnings():
            # openpyxl warns of styles and extensions that it does not read.
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
            try:
                return _read(book, path, sheet, skip_rows, style)
            finally:
                book.close()
    except InputError:
        raise
    except OSError as error:
        why = error.strerror or "it is damaged"
        raise InputError(f"cannot read {path}: {why}; check the path") from None
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, TypeError, SyntaxError) as error:
        raise InputError(
            f"{path} is no Excel file that can be read: {error}; save it again"
        ) from None


def _read(
    book: Any, path: Path, wanted: str | None, skip_rows: int, style: Style
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    names = list(book.sheetnames)
    if wanted is not None and wanted not in names:
        raise InputError(f"{path} has no sheet {wanted!r}; there are {', '.join(names)}: array=…")
    notes: tuple[str, ...] = ()
    for name in names if wanted is None else [wanted]:
        rows = _filled(book[name], path, skip_rows)
        header = next(rows, None)
        if header is None:
            continue
        if len(names) > 1 and wanted is None:
            notes = (f"Sheet {name!r} of {len(names)} was read; array=… names another.",)
        return _columns(header, rows, path, style, notes, skip_rows)
    raise InputError(f"{path} is empty; it needs a header line and one row per time step")


def _filled(sheet: Any, path: Path, skip_rows: int) -> Iterator[tuple[Any, ...]]:
    """The rows that are not empty."""
    n_cells = 0
    for row in itertools.islice(sheet.iter_rows(values_only=True), skip_rows, None):
        n_cells += len(row)
        if n_cells > _MOST_CELLS:
            raise InputError(f"{path} has over {_MOST_CELLS:,} cells; save it as CSV or Parquet")
        if any(cell is not None for cell in row):
            yield row


def _columns(
    header: tuple[Any, ...],
    rows: Iterator[tuple[Any, ...]],
    path: Path,
    style: Style,
    notes: tuple[str, ...],
    skipped: int,
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    names = ["" if cell is None else str(cell).strip() for cell in header]
    while len(names) > 1 and not names[-1]:
        names.pop()
    check_columns(path, len(names))
    if len(names) == 1:
        raise InputError(
            f"{path} has one column (header: {names[0][:60]!r}); pass skip_rows=… if the table is "
            "below"
        )
    names, unnamed = with_names(names)
    check_header(names, path)
    width = len(names)
    cut = [(*row[:width], *[None] * (width - len(row))) for row in rows]
    columns = {}
    for name, cells in zip(names, zip(*cut, strict=True), strict=True):
        column = np.empty(len(cells), object)
        column[:] = cells
        columns[name] = _typed(as_array(column))
    if not columns:
        columns = {name: np.zeros(0) for name in names}
    return columns, (*notes, *unnamed, *note_on_names(names, columns, style, path, skipped))


def _typed(column: np.ndarray) -> np.ndarray:
    """Numbers, if there is nothing else."""
    plain = all(isinstance(cell, int | float) and not isinstance(cell, bool) for cell in column)
    return column.astype(np.float64) if plain else column
