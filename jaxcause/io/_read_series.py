"""Reading series from files, whose suffix determines the format."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxcause._checks import InputError
from jaxcause.io._archive import read_arrays
from jaxcause.io._csv import read_raw_csv, without
from jaxcause.io._excel import read_sheet
from jaxcause.io._files import check_columns, check_declared, check_regular
from jaxcause.io._larger_than_memory import read_stored
from jaxcause.series import SeriesTable, concatenate, finished, table_from_columns
from jaxcause.series._frames import columns_of
from jaxcause.series._reading.cells import Style
from jaxcause.series._targets import flags_of, with_missing_value

SERIES_SUFFIXES = (
    ".csv",
    ".tsv",
    ".txt",
    ".dat",
    ".xlsx",
    ".xlsm",
    ".parquet",
    ".pq",
    ".npz",
    ".npy",
)
"""Suffixes that `read_series` supports."""

_TEXT = (".csv", ".tsv", ".txt", ".dat")
_EXCEL = (".xlsx", ".xlsm")
_PARQUET = (".parquet", ".pq")
_NUMPY = (".npz", ".npy")
_OPTIONS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "delimiter": (None, _TEXT),
    "encoding": ("utf-8", _TEXT),
    "skip_rows": (0, (*_TEXT, *_EXCEL)),
    "decimal": (".", (*_TEXT, *_EXCEL, *_PARQUET)),
    "thousands": (None, (*_TEXT, *_EXCEL, *_PARQUET)),
    "array": (None, (*_EXCEL, *_NUMPY)),
}
"""The default of each option, and the files that it goes with."""


def read_series(
    paths: str | Path | Sequence[str | Path],
    *,
    delimiter: str | None = None,
    decimal: str = ".",
    thousands: str | None = None,
    skip_rows: int = 0,
    encoding: str = "utf-8",
    time_column: str | None = None,
    time_format: str | None = None,
    missing_value: Any = None,
    drop: Sequence[str] = (),
    array: str | None = None,
) -> SeriesTable:
    """Read one file, or several as several series of the same variables.

    It reads CSV and other text tables (``.csv .tsv .txt .dat``), Excel (``.xlsx``, if openpyxl is
    installed), Parquet (``.parquet .pq``), and NumPy's ``.npz`` and ``.npy``. Times, numbers and
    missing values are recognised as in `jaxcause.series.as_series_table`. No window crosses from
    one file to the next. A ``.npy`` or Parquet file that would not fit into memory
    (``JAXCAUSE_MEMORY``) stays on disk, which a note says.

    Args:
        paths: One file or several.
        delimiter: Separator of cells in a text table: one character, or ``"tab"``; by default a
            comma, or a tab in ``.tsv``.
        decimal: Decimal mark of a text table, ``"."`` or ``","``.
        thousands: Mark between thousands, if it is not recognised automatically.
        skip_rows: Number of lines before the header line of a text table or a sheet.
        encoding: Encoding of a text table.
        time_column: Name of the time column, if it is not recognised automatically.
        time_format: Format of times that are not recognised automatically, as for ``strptime``,
            such as ``"%d.%m.%Y"``.
        missing_value: What stands for a missing value, such as -999 or ``"none"``, or several.
        drop: Columns to leave out.
        array: Name of the array ``[time, vars]`` in an npz file with several arrays, or of a sheet
            of Excel. An array ``names`` in the same npz file names the variables.

    Raises:
        InputError: A file is missing, damaged or of another kind, or an option does not fit it; or
            see `as_series_table`.
    """
    files = [paths] if isinstance(paths, str | Path) else list(paths)
    if not files:
        raise InputError("paths is empty; give at least one file")
    _check_twice(files)
    text = {"delimiter": delimiter, "skip_rows": skip_rows, "encoding": encoding}
    marks = {"decimal": decimal, "thousands": thousands}
    _check_options(files, {**text, **marks, "array": array})
    words, flags = flags_of(missing_value)
    style = Style(decimal, thousands, frozenset(words), True)
    how = {"time_column": time_column, "time_format": time_format, "drop": drop, "style": style}
    tables = [_raw(Path(path), how, text, array) for path in files]
    table = concatenate(tables, [str(path) for path in files])
    try:
        return with_missing_value(table, flags) if flags else finished(table)
    except InputError as error:
        shown = files[0] if len(files) == 1 else f"{files[0]} and {len(files) - 1} more"
        raise InputError(f"{shown}: {error}") from None


def _check_twice(files: Sequence[str | Path]) -> None:
    """Raise if a file is given twice, under whatever name."""
    seen: dict[Path, str | Path] = {}
    for file in files:
        path = Path(file).resolve()
        if path in seen:
            raise InputError(
                f"{file} is given twice, so that its rows would count twice; give it once"
            )
        seen[path] = file


def _check_options(files: Sequence[str | Path], given: dict[str, Any]) -> None:
    """Raise if an option is given that goes with none of the files."""
    suffixes = [Path(file).suffix.lower() for file in files]
    for name, (default, fitting) in _OPTIONS.items():
        known = all(suffix in SERIES_SUFFIXES for suffix in suffixes)
        if given[name] != default and known and not set(suffixes) & set(fitting):
            raise InputError(
                f"{name}={given[name]!r} goes with files {', '.join(fitting)}, and not with "
                f"{files[0]}; leave it out"
            )


def _check_marks(columns: dict[str, np.ndarray], style: Style) -> None:
    """Raise if a decimal mark is told of columns none of which is text."""
    if style.decimal == "." and style.thousands is None:
        return
    cells = (c for column in columns.values() if column.dtype.kind in "OU" for c in column.tolist())
    if not any(isinstance(cell, str) for cell in cells):
        name, mark = ("thousands", style.thousands) if style.thousands else ("decimal", ",")
        raise InputError(
            f"{name}={mark!r} goes with numbers in text, and all columns hold numbers; leave it out"
        )


def _raw(path: Path, how: dict[str, Any], text: dict[str, Any], array: str | None) -> SeriesTable:
    """The table of one file whose columns have not been checked yet."""
    suffix = path.suffix.lower()
    if suffix in _TEXT:
        given = text["delimiter"]
        given = ("tab" if suffix == ".tsv" else ",") if given is None else given
        options: dict[str, Any] = {**how, **text, "delimiter": given}
        return read_raw_csv(path, **options)
    check_regular(path)
    if (table := read_stored(path, how)) is not None:
        return table
    notes: tuple[str, ...] = ()
    if suffix in _PARQUET:
        columns, notes = _read_parquet(path)
    elif suffix in _EXCEL:
        columns, notes = read_sheet(path, array, text["skip_rows"], how["style"])
    elif suffix in _NUMPY:
        columns = _read_array(path, array)
    else:
        raise InputError(
            f"{path}: unsupported file type {suffix or 'without a suffix'}; save it as .csv, or "
            f"use one of {', '.join(SERIES_SUFFIXES)}"
        )
    columns = without(columns, how["drop"], path)
    options = {name: value for name, value in how.items() if name != "drop"}
    try:
        _check_marks(columns, how["style"])
        return table_from_columns(columns, notes=notes, **options)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _read_parquet(path: Path) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    check_regular(path)
    try:
        parquet = importlib.import_module("pyarrow.parquet")
        failure = importlib.import_module("pyarrow").ArrowException
    except ModuleNotFoundError:
        raise InputError('Parquet needs pyarrow: pip install "jaxcause[data]"') from None
    try:
        with parquet.ParquetFile(path) as file:
            meta = file.metadata
            groups = [meta.row_group(i) for i in range(meta.num_row_groups)]
            unfolded = max(sum(g.total_byte_size for g in groups), meta.num_rows * 8)
            check_declared(path, max(unfolded, 8 * meta.num_rows * meta.num_columns))
            check_columns(path, meta.num_columns)
            return columns_of(file.read())
    except OSError as error:
        why = error.strerror or str(error).splitlines()[0]
        raise InputError(f"cannot read {path}: {why}; check that it is whole") from None
    except failure as error:
        why = str(error).splitlines()[0][:200]
        raise InputError(f"{path} is no Parquet that can be read: {why}; write it again") from None


def _read_array(path: Path, wanted: str | None) -> dict[str, np.ndarray]:
    arrays = read_arrays(path)
    tables = [name for name, a in arrays.items() if a.ndim == 2 and a.dtype.kind in "iufb"]
    if wanted is None and len(tables) == 1:
        wanted = tables[0]
    if wanted not in arrays:
        raise InputError(
            f"{path} has the arrays {', '.join(sorted(arrays)) or 'none'}; name the one that is "
            "[time, vars]: array=…"
        )
    values: Any = arrays[wanted]
    labels = [str(n) for n in arrays["names"].ravel()] if "names" in arrays else None
    if values.ndim != 2:
        raise InputError(f"{path}: array {wanted!r} has shape {values.shape}, not [time, vars]")
    labels = labels if labels is not None else [f"X{i}" for i in range(values.shape[1])]
    if len(labels) != values.shape[1] or len(set(labels)) < len(labels):
        raise InputError(
            f"{path}: names must hold {values.shape[1]} different names, one per column of "
            f"{wanted!r}; transpose it if it is [vars, time]"
        )
    return dict(zip(labels, values.T, strict=True))
