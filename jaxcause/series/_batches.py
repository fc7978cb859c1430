"""A series that comes in batches, one after another in time, as one table."""

import tempfile
from collections.abc import Callable, Iterator
from typing import IO, Any

import numpy as np
from jaxtyping import Shaped

from jaxcause._checks import InputError
from jaxcause._memory import in_words
from jaxcause._stored import AnyRows, is_large, on_disk
from jaxcause.series._table import SeriesTable, raw_table
from jaxcause.series._time import seconds, stretches


def table_of_batches(
    batches: Iterator[Any], read: Callable[[Any], SeriesTable], *, source: str = ""
) -> SeriesTable:
    """One table from batches of rows in the order of time.

    A series is read several times and batches come once, so that they are written to a temporary
    file, which nobody else sees and which goes with the table. A small one is read back at once.

    Args:
        batches: Arrays, data frames, or record batches of pyarrow.
        read: Makes a table of one batch.
        source: What the batches come from, for errors.

    Raises:
        InputError: There is no row, a batch cannot be read or has other variables than the first,
            time runs backwards, or the temporary file cannot be written.

    >>> from jaxcause.series import as_series_table
    >>> parts = iter([np.eye(2), np.array([[1.0, 4.0], [2.0, 3.0]])])
    >>> table_of_batches(parts, as_series_table).values[:, 0].tolist()
    [1.0, 0.0, 1.0, 2.0]
    """
    what = f"{source}: " if source else ""
    first, notes, times = None, [], []
    with _scratch() as file:
        for k, table in enumerate(_tables(batches, read, what)):
            first = table if first is None else first
            _check_alike(table, first, f"{what}batch {k}")
            _check_later(table, times, f"{what}batch {k}")
            _write(file, table.values)
            times += [] if table.times is None else [table.times.column]
            # Gaps and weekends are told of the whole.
            of_time = () if table.times is None else stretches(table.times.column)[1]
            notes += [note for note in table.notes if note not in of_time]
        if first is None:
            raise InputError(f"{what or 'series is an iterator that '}gave no batch of rows")
        values = _read_back(file, len(first.names))
    notes = tuple(dict.fromkeys(notes))
    return raw_table(values, first.names, np.concatenate(times) if times else None, notes)


def _scratch() -> IO[bytes]:
    try:
        return tempfile.TemporaryFile(prefix="jaxcause-")
    except OSError as error:
        raise InputError(
            f"no temporary file can be made for the batches: {error.strerror}; set TMPDIR"
        ) from None


def _tables(
    batches: Iterator[Any], read: Callable[[Any], SeriesTable], what: str
) -> Iterator[SeriesTable]:
    """The tables of batches that have rows; a fault names the batch."""
    for k, batch in enumerate(batches):
        given = _as_frame(batch)
        if hasattr(given, "__len__") and len(given) == 0:
            continue
        try:
            yield read(given)
        except InputError as error:
            raise InputError(f"{what}batch {k}: {error}") from None


def _as_frame(batch: Any) -> Any:
    """A record batch of pyarrow as a table, whose columns may have missing cells."""
    if type(batch).__name__ != "RecordBatch":
        return batch
    import pyarrow as pa

    return pa.Table.from_batches([batch])


def _check_alike(table: SeriesTable, first: SeriesTable, batch: str) -> None:
    if table.names != first.names:
        odd = sorted(set(table.names) ^ set(first.names)) or list(table.names)
        raise InputError(
            f"{batch} has other columns than the first one ({', '.join(odd[:5])}); give every "
            "batch the same columns in the same order"
        )
    if (table.times is None) != (first.times is None):
        raise InputError(f"{batch} has a time column or the first one has, but not both")


def _check_later(table: SeriesTable, before: list[Shaped[np.ndarray, "time"]], batch: str) -> None:
    if table.times is None or not before:
        return
    now = table.times.column
    if now.dtype.kind != before[-1].dtype.kind or seconds(now[:1])[0] < seconds(before[-1])[-1]:
        raise InputError(
            f"{batch} begins at {now[0]}, but the one before ends at {before[-1][-1]}; give the "
            "batches in the order of time"
        )


def _write(file: IO[bytes], values: AnyRows) -> None:
    try:
        file.write(np.ascontiguousarray(values, np.float64).tobytes())
    except OSError as error:
        raise InputError(
            f"the temporary file of the batches cannot grow beyond {in_words(file.tell())}: "
            f"{error.strerror}; set TMPDIR to a folder with more room"
        ) from None


def _read_back(file: IO[bytes], n_vars: int) -> AnyRows:
    """The values of the file, which has no name any more and goes with them."""
    file.flush()
    shape = (file.tell() // (8 * n_vars), n_vars)
    values = np.memmap(file, np.float64, "r", shape=shape)
    return on_disk(values) if is_large(values.size) else np.array(values)
