"""Files of series that do not fit into memory: npy by a memory map, Parquet batch by batch."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from jaxcause._checks import InputError
from jaxcause._memory import in_words, memory_budget
from jaxcause._stored import BLOCK, is_large, on_disk
from jaxcause.io._csv import without
from jaxcause.io._files import check_columns, check_declared
from jaxcause.series import SeriesTable, table_from_columns, table_of_batches
from jaxcause.series._frames import columns_of
from jaxcause.series._table import raw_table

BYTES_PER_VALUE = 40.0
"""What `jaxcause.discover` holds for each value of a series in memory."""


def read_stored(path: Path, how: dict[str, Any]) -> SeriesTable | None:
    """The table of a file whose values stay on disk; None for one that fits, or is damaged.

    Args:
        path: The file.
        how: Names of the time column and of columns to leave out, and the style of numbers.

    Raises:
        InputError: A part of a Parquet file cannot be read, or a time column is asked of an npy.
    """
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return _of_npy(path, how)
    return _of_parquet(path, how) if suffix in (".parquet", ".pq") else None


def _of_npy(path: Path, how: dict[str, Any]) -> SeriesTable | None:
    try:
        values = np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError, EOFError):  # Whoever reads it whole says what is wrong.
        return None
    if values.ndim != 2 or values.dtype.kind not in "iufb" or not _too_large(values.size):
        return None
    if how["time_column"] is not None:
        raise InputError(
            f"{path} is larger than memory and names no columns, so time_column="
            f"{how['time_column']!r} cannot be found; save it as Parquet"
        )
    names = [f"X{k}" for k in range(values.shape[1])]
    columns = without({name: np.zeros(0) for name in names}, how["drop"], path)
    kept = [k for k, name in enumerate(names) if name in columns]
    rows = on_disk(values)
    rows = rows if len(kept) == len(names) else rows.of(kept)
    return raw_table(rows, list(columns), notes=(_said(path, values.size),))


def _of_parquet(path: Path, how: dict[str, Any]) -> SeriesTable | None:
    try:
        parquet = importlib.import_module("pyarrow.parquet")
        failure = importlib.import_module("pyarrow").ArrowException
    except ModuleNotFoundError:
        return None
    try:
        with parquet.ParquetFile(path) as file:
            meta = file.metadata
            size = meta.num_rows * meta.num_columns
            if not _too_large(size):
                return None
            groups = [meta.row_group(i) for i in range(meta.num_row_groups)]
            check_declared(path, max(sum(g.total_byte_size for g in groups), 8 * size))
            check_columns(path, meta.num_columns)
            options = {name: value for name, value in how.items() if name != "drop"}

            def read(batch: Any) -> SeriesTable:
                columns = without(columns_of(batch)[0], how["drop"], path)
                return table_from_columns(columns, movable=False, **options)

            batches = _batches(path, file, failure, max(1, BLOCK // meta.num_columns))
            table = table_of_batches(batches, read, source=str(path))
    except (OSError, ValueError, failure) as error:
        if isinstance(error, InputError):
            raise
        return None
    return table._replace(notes=(*table.notes, _said(path, size)))


def _batches(path: Path, file: Any, failure: type[Exception], n_rows: int) -> Iterator[Any]:
    """Batches of rows; a fault says after how many."""
    count = 0
    try:
        for batch in file.iter_batches(n_rows):
            yield batch
            count += len(batch)
    except (OSError, failure) as error:
        why = str(error).splitlines()[0][:200]
        raise InputError(
            f"{path} is damaged after {count:,} of {file.metadata.num_rows:,} rows: {why}; write "
            "it again"
        ) from None


def _too_large(n_values: int) -> bool:
    """Whether a series of so many values does not fit into the memory that may be used."""
    if not is_large(n_values):
        return False
    budget = memory_budget()
    return budget is not None and BYTES_PER_VALUE * n_values > budget


def _said(path: Path, n_values: int) -> str:
    return (
        f"{path.name} stays on disk, since a search in memory would hold about "
        f"{in_words(BYTES_PER_VALUE * n_values)}."
    )
