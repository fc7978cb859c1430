"""Reading series from files, whose suffix determines the format."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxcause._checks import InputError
from jaxcause.io._archive import read_arrays
from jaxcause.io._csv import read_csv
from jaxcause.io._files import check_declared
from jaxcause.series import SeriesTable, concatenate, table_from_columns
from jaxcause.series._frames import columns_of

SERIES_SUFFIXES = (".csv", ".tsv", ".txt", ".dat", ".parquet", ".pq", ".npz", ".npy")
"""Suffixes that `read_series` supports."""

_TEXT = (".csv", ".tsv", ".txt", ".dat")


def read_series(
    paths: str | Path | Sequence[str | Path],
    *,
    delimiter: str | None = None,
    decimal: str = ".",
    skip_rows: int = 0,
    encoding: str = "utf-8",
    time_column: str | None = None,
    time_format: str | None = None,
    drop: Sequence[str] = (),
    array: str | None = None,
) -> SeriesTable:
    """Read one file, or several as several series of the same variables.

    It reads CSV and other text tables (``.csv .tsv .txt .dat``), Parquet (``.parquet .pq``), and
    NumPy's ``.npz`` and ``.npy``. No window crosses from one file to the next.

    Args:
        paths: One file or several.
        delimiter: Separator of cells in a text table: one character, or ``"tab"``; by default a
            comma, or a tab in ``.tsv``.
        decimal: Decimal mark of a text table, ``"."`` or ``","``.
        skip_rows: Number of lines before the header line of a text table.
        encoding: Encoding of a text table.
        time_column: Name of the time column, if it is not recognised automatically.
        time_format: Format of times in a text table that are not in ISO, such as ``"%d.%m.%Y"``.
        drop: Columns to leave out.
        array: Name of the array ``[time, vars]`` in an npz file with several arrays. An array
            ``names`` in the same file names the variables.

    Raises:
        InputError: A file is missing, damaged or of another kind, or an option does not fit it; or
            see `as_series_table`.
    """
    files = [paths] if isinstance(paths, str | Path) else list(paths)
    if not files:
        raise InputError("paths is empty; give at least one file")
    tables = []
    for path in map(Path, files):
        suffix = path.suffix.lower()
        if suffix in _TEXT:
            separator = delimiter or ("tab" if suffix == ".tsv" else ",")
            table = read_csv(
                path,
                delimiter=separator,
                decimal=decimal,
                skip_rows=skip_rows,
                encoding=encoding,
                time_column=time_column,
                time_format=time_format,
                drop=drop,
            )
        elif suffix in (".parquet", ".pq"):
            table = _named(path, _read_parquet(path, drop), time_column)
        elif suffix in (".npz", ".npy"):
            table = _read_array(path, array, drop, time_column)
        else:
            raise InputError(f"{path} is of no kind that is read; use {', '.join(SERIES_SUFFIXES)}")
        tables.append(table)
    return tables[0] if len(tables) == 1 else concatenate(tables, [str(path) for path in files])


def _named(path: Path, columns: dict[str, np.ndarray], time_column: str | None) -> SeriesTable:
    try:
        return table_from_columns(columns, time_column=time_column)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _read_parquet(path: Path, drop: Sequence[str]) -> dict[str, np.ndarray]:
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
            columns = columns_of(file.read())
    except OSError as error:
        why = error.strerror or str(error).splitlines()[0]
        raise InputError(f"cannot read {path}: {why}; check that it is whole") from None
    except failure as error:
        why = str(error).splitlines()[0][:200]
        raise InputError(f"{path} is no Parquet that can be read: {why}; write it again") from None
    return _without(columns, drop, path)


def _read_array(
    path: Path, wanted: str | None, drop: Sequence[str], time_column: str | None
) -> SeriesTable:
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
    columns = dict(zip(labels, values.T, strict=True))
    return _named(path, _without(columns, drop, path), time_column)


def _without(
    columns: dict[str, np.ndarray], drop: Sequence[str], path: Path
) -> dict[str, np.ndarray]:
    for name in drop:
        if name not in columns:
            raise InputError(
                f"drop={name!r} is not a column of {path}; there are {', '.join(columns)}"
            )
    return {name: column for name, column in columns.items() if name not in drop}
