"""Any series that people bring, as one table."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from jaxcause._checks import InputError
from jaxcause._stored import StoredRows, is_large, on_disk
from jaxcause.series._batches import table_of_batches
from jaxcause.series._booleans import from_booleans
from jaxcause.series._frames import as_array, columns_of, is_frame
from jaxcause.series._reading.cells import (
    Numbers,
    Style,
    as_numbers,
    check_numbers,
    check_style,
    is_text,
    read_numbers,
    without_missing,
)
from jaxcause.series._reading.finding import FoundTime, as_utc, dates_beside, find_time
from jaxcause.series._reading.numbered import (
    counters,
    is_numeric,
    notes_on_kept_times,
    step_of_counter,
    unordered_times,
)
from jaxcause.series._reading.panels import check_one_series
from jaxcause.series._reading.rows import check_times, in_order, row_text, rows_left_out, total_row
from jaxcause.series._reading.words import INDEX
from jaxcause.series._table import (
    SeriesTable,
    check_names,
    concatenate,
    finished,
    names_as_text,
    raw_table,
)
from jaxcause.series._targets import flags_of, with_missing_value
from jaxcause.series._xarray import columns_of_xarray, is_xarray


def as_series_table(
    series: Any,
    *,
    names: Sequence[str | int] | None = None,
    time_column: str | None = None,
    time_format: str | None = None,
    missing_value: Any = None,
    decimal: str = ".",
    thousands: str | None = None,
    movable: bool = True,
) -> SeriesTable:
    """Read arrays, data frames or labelled arrays, or a list of several series, as one table.

    A data frame (pandas, polars, pyarrow) keeps its column names. A column (or index) of dates, or
    of text that holds dates in any usual form, or a rising one of durations, or a rising first one
    of numbers named like a time, shows where rows are missing and is left out; so are ``year``,
    ``month`` and ``day``, or ``date`` and ``hour``, in columns of their own. Rows are sorted by
    time. Units below the header, sums at the end, copies of rows, columns of nothing but text, and
    columns that are constant or empty are left out; each is told in a note. Columns of True and
    False are variables with the values 1 and 0. An xarray ``Dataset`` or ``DataArray`` has a time
    dimension; each of its variables, and each label of another dimension, is a variable. Rows with
    a missing value are masked later.

    A memory map of numpy (``np.load(file, mmap_mode="r")``), or an array of zarr or h5py, of more
    than 2²³ values stays on disk. An iterator gives batches of rows in the order of time (arrays,
    data frames or record batches of pyarrow); more than that many values are kept in a temporary
    file. See "Larger than memory" in the documentation.

    Args:
        series: ``[time, vars]`` of numpy or JAX, a data frame, an xarray object, columns by name,
            a list of such with the same variables, or an iterator over batches of one series.
        names: Names of the variables, text or whole numbers; X0, X1, … where there are none.
        time_column: Name of the time column or dimension, if it is not recognised by itself.
        time_format: How times in text are written, as for ``strptime``, if it is not recognised.
        missing_value: What stands for a missing value, such as -999 or ``"none"``, or several.
        decimal: The decimal mark of numbers in text, ``"."`` or ``","``.
        thousands: What stands between the thousands of numbers in text: ``","``, ``"."``, a blank
            or ``"'"``; where it is clear from the column, it need not be given.
        movable: Whether rows may be sorted, and copies and sums left out; if not, that is an
            error, since a mask counts the rows as they are.

    Raises:
        InputError: There is no row, fewer than two variables, a time that cannot be read, text
            among the numbers of a column, an infinite value, two equal names, a constant column
            of an array, or times that run backwards and repeat.

    >>> table = as_series_table(np.array([[1.0, 2.0], [2.0, np.nan], [3.0, 5.0]]))
    >>> table.names, table.complete.tolist()
    (('X0', 'X1'), [True, False, True])
    """
    if isinstance(series, SeriesTable):
        return series if missing_value is None else with_missing_value(series, missing_value)
    labels = None if names is None else names_as_text(names)
    several = isinstance(series, list | tuple)
    parts = list(series) if several else [series]
    words, flags = flags_of(missing_value)
    how = {"time_column": time_column, "time_format": time_format, "movable": movable}
    style = Style(decimal, thousands, frozenset(words))
    check_style(style)
    tables = [_raw(part, labels, style, **how) for part in parts]
    table = concatenate(tables, [f"series {k}" for k in range(len(tables))])
    by_position = all(_is_array(part) for part in parts)
    if flags:
        return with_missing_value(table, flags, by_position=by_position)
    return finished(table, by_position=by_position)


def _is_array(part: Any) -> bool:
    """Whether the columns are known by their places alone."""
    read = (SeriesTable, Mapping, Iterator)
    return not (isinstance(part, read) or is_xarray(part) or is_frame(part))


def _is_on_disk(series: Any) -> bool:
    """Whether it is an array on disk with too many values to read it whole."""
    library = type(series).__module__.partition(".")[0]
    mapped = isinstance(series, np.memmap) or library in ("zarr", "h5py")
    return mapped and len(getattr(series, "shape", ())) == 2 and is_large(series.size)


def _raw(series: Any, names: Sequence[str] | None, style: Style, **how: Any) -> SeriesTable:
    """One series as a table whose columns have not been checked yet."""
    if isinstance(series, SeriesTable):
        return series
    if isinstance(series, str | PurePath):
        shown = repr(str(series)[:80])
        raise InputError(f"series={shown} is no table; of a file, pass io.read_series({shown})")
    if is_xarray(series):
        columns, time = columns_of_xarray(series, how["time_column"])
        how["time_column"] = time
        return table_from_columns(columns, names=names, style=style, **how)
    if is_frame(series):
        columns, notes = columns_of(series, how["time_column"])
        return table_from_columns(columns, names=names, style=style, notes=notes, **how)
    if isinstance(series, Mapping):
        columns = {str(name): as_array(column) for name, column in series.items()}
        return table_from_columns(columns, names=names, style=style, **how)
    if isinstance(series, Iterator):
        each = {"style": style, **how, "movable": False}
        return table_of_batches(series, lambda batch: _raw(batch, names, **each))
    stored = isinstance(series, StoredRows) or _is_on_disk(series)
    values = series if stored else np.asarray(series)
    if values.ndim != 2:
        raise InputError(f"series has shape {values.shape}, but must be [time, vars]")
    notes = ("True was read as 1, False as 0.",) * (values.dtype.kind == "b")
    if values.dtype.kind not in "biufc":
        raise InputError(f"series holds {values.dtype} instead of numbers; convert its columns")
    if values.dtype.kind == "c":
        raise InputError("series holds complex numbers; pass real ones, such as np.abs(series)")
    labels = names if names is not None else [f"X{i}" for i in range(values.shape[1])]
    if isinstance(values, StoredRows):
        return raw_table(values, labels, notes=notes)
    if stored:
        return raw_table(on_disk(values), labels, notes=notes)
    values = values.astype(np.float64)
    return raw_table(values, labels, notes=(*notes, *_notes_on_counters(values, labels)))


def _notes_on_counters(values: Float[np.ndarray, "time vars"], labels: Sequence[Any]) -> list[str]:
    """A note on each column of an array that counts rows; none may be left out of an array."""
    counting = [label for label, c in zip(labels, values.T, strict=False) if step_of_counter(c)]
    return [
        f"Column {label!r} changes by the same step from each row to the next: it counts rows and "
        "says nothing about causes. If it is the time, leave it out."
        for label in counting
    ]


def table_from_columns(
    columns: dict[str, np.ndarray],
    *,
    names: Sequence[str] | None = None,
    time_column: str | None = None,
    time_format: str | None = None,
    style: Style | None = None,
    notes: tuple[str, ...] = (),
    movable: bool = True,
) -> SeriesTable:
    """A table from named columns, the time found and left out; `finished` checks the variables.

    The index of a frame is a column of the name `INDEX`, which people are not shown.

    Args:
        columns: Numbers, dates or text by name.
        names: Replace the names of the variables.
        time_column: Name of the time column, if it is not recognised by itself.
        time_format: How its times are written, if that is not recognised by itself.
        style: How numbers are written.
        notes: What was recognised so far.
        movable: Whether rows may be sorted or left out.
    """
    style = style or Style()
    how = {"names": names, "time_column": time_column, "time_format": time_format}
    try:
        table = _of_columns(columns, style=style, notes=notes, movable=movable, **how)
    except InputError as error:
        raise InputError(_index_in_words(str(error))) from None
    return table._replace(notes=tuple(map(_index_in_words, table.notes)))


def _index_in_words(text: str) -> str:
    """A note or an error that calls the index by that word."""
    for called in (f"time column '{INDEX}'", f"column '{INDEX}'", f"'{INDEX}'"):
        text = text.replace(called.capitalize(), "The index").replace(called, "the index")
    return text


def _of_columns(
    columns: dict[str, np.ndarray],
    *,
    names: Sequence[str] | None,
    time_column: str | None,
    time_format: str | None,
    style: Style,
    notes: tuple[str, ...],
    movable: bool,
) -> SeriesTable:
    """See `table_from_columns`."""
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise InputError(f"columns have the lengths {lengths}; they must agree")
    columns = {name: without_missing(column, style) for name, column in columns.items()}
    # Digits are kept as text where the caller says how to read them.
    as_text = columns if time_format is not None and time_column is None else {time_column}
    # A point in a table of decimal commas is not a decimal mark.
    as_text = columns if style.decimal == "," else as_text
    columns = {n: c if n in as_text else as_numbers(c) for n, c in columns.items()}
    found = find_time(columns, time_column, time_format, style) if any(lengths.values()) else None
    rest = columns if found is None else _beside(found, columns)
    counting = counters(rest)
    _check_one_series(rest, found, style)
    rest, said = _variables({n: c for n, c in rest.items() if n not in counting}, found)
    said = (*said, *counting.values(), *notes_on_kept_times(rest))
    read = {n: read_numbers(n, c, style) for n, c in rest.items() if c.dtype == object}
    text = [n for n, r in read.items() if is_text(n, rest[n], r)]
    text = text if len(text) < len(rest) else []
    read = {n: r for n, r in read.items() if n not in text}
    kept, left = _rows(columns, found, read)
    _check_cells(columns, found, read, kept, style)
    rest = {
        n: read[n].values if n in read else _plain(n, c) for n, c in rest.items() if n not in text
    }
    labels, called = _named(list(rest), columns) if names is None else (list(names), [])
    check_names(labels, len(rest))
    notes = (*notes, *called)
    values = np.stack(list(rest.values()), axis=1) if rest else np.zeros((len(kept), 0))
    values = values if kept.all() else values[kept]
    notes = (*notes, *(f"Column {name!r} holds text and was left out." for name in text), *said)
    notes = (*notes, *(note for r in read.values() for note in r.notes), *left)
    if not movable and left:
        raise InputError(f"mask and domain count rows as they are given, but: {left[0]} Delete it")
    if found is None:
        return _without_time(values, labels, columns, notes, movable=movable)
    return _in_time(found._replace(times=found.times[kept]), values, labels, notes, movable=movable)


def _beside(found: FoundTime, columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The columns that are not the time; a mere number of each row says no more than that."""
    mere = {INDEX} if INDEX in columns and is_numeric(columns[INDEX]) else set()
    return {n: c for n, c in columns.items() if n not in mere.union(found.names)}


def _named(labels: list[str], columns: dict[str, np.ndarray]) -> tuple[list[str], list[str]]:
    """Names of variables, of which a blank one is called by its place, and a note on that."""
    places = {label: f"column {k + 1}" for k, label in enumerate(columns) if not label.strip()}
    notes = [
        f"{place.capitalize()} has no name and was called {place!r}."
        for label, place in places.items()
        if label in labels
    ]
    return [places.get(label, label) for label in labels], notes


def _check_one_series(
    columns: dict[str, np.ndarray], found: FoundTime | None, style: Style
) -> None:
    """Raise if a column beside the time, or beside years, tells several series apart."""
    if found is not None:
        kept = ~np.isin(np.arange(len(found.times)), found.without)
        others = {n: c[kept] for n, c in columns.items()}
        check_one_series(found.names[0], found.times[kept], others, in_file=style.in_file)
        return
    texts = {n: c for n, c in columns.items() if c.dtype == object}
    for name in unordered_times(columns):
        check_one_series(name, columns[name], texts, in_file=style.in_file)


def _variables(
    columns: dict[str, np.ndarray], found: FoundTime | None
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """The columns that may be variables, truths as 1 and 0, and what was left out."""
    truths = {name: from_booleans(column) for name, column in columns.items()}
    truths = {name: column for name, column in truths.items() if column is not None}
    dates = {} if found is None else dates_beside(found, columns)
    rest = {n: truths.get(n, c) for n, c in columns.items() if n not in dates}
    return rest, (
        *(f"Column {name!r}: True was read as 1, False as 0." for name in truths),
        *dates.values(),
    )


def _plain(name: str, column: np.ndarray) -> Float[np.ndarray, "time"]:
    if column.dtype.kind == "c":
        raise InputError(f"column {name!r} holds complex numbers; pass real ones, such as np.abs")
    return column.astype(np.float64)


def _rows(
    columns: dict[str, np.ndarray], found: FoundTime | None, read: dict[str, Numbers]
) -> tuple[Bool[np.ndarray, "rows"], tuple[str, ...]]:
    """Which rows are steps of time, and notes on those that are not."""
    n_rows = len(next(iter(columns.values()))) if columns else 0
    odd, without_time = np.zeros(n_rows, bool), None
    for numbers in read.values():
        odd[numbers.odd] = True
    if found is not None:
        without_time = np.zeros(n_rows, bool)
        without_time[found.without] = True
    left_out, notes = rows_left_out(columns, odd, without_time)
    return ~left_out, notes


def _check_cells(
    columns: dict[str, np.ndarray],
    found: FoundTime | None,
    read: dict[str, Numbers],
    kept: Bool[np.ndarray, "rows"],
    style: Style,
) -> None:
    """Raise if a row that is kept has no time, or text where a number should be."""
    if found is not None:
        check_times(found.names, found.form, columns, found.without[kept[found.without]])
    for name, numbers in read.items():
        left = numbers._replace(odd=numbers.odd[kept[numbers.odd]])
        check_numbers(name, columns[name], left, style)


def _without_time(
    values: Float[np.ndarray, "time vars"],
    labels: list[str],
    columns: dict[str, np.ndarray],
    notes: tuple[str, ...],
    *,
    movable: bool,
) -> SeriesTable:
    """A table without times; a last row that sums up the others is left out."""
    what = total_row(values) if movable else ""
    if what:
        last = len(values) - 1
        notes = (
            *notes,
            f"Row {last + 1} ({row_text(columns, last)}) holds the {what} of all rows above and "
            "was left out.",
        )
        values = values[:last]
    return raw_table(values, labels, None, notes)


def _in_time(
    found: FoundTime,
    values: Float[np.ndarray, "time vars"],
    labels: list[str],
    notes: tuple[str, ...],
    *,
    movable: bool,
) -> SeriesTable:
    """A table in the order of its times."""
    found = as_utc(found)
    name = found.names[0]
    rows, moved = in_order(name, found.times, values, movable=movable)
    shown = [repr(each) if each.strip() else "" for each in found.names]
    if not shown[0]:
        said = "The first, unnamed column was taken for the time and left out."
    elif len(shown) == 1:
        said = f"Column {shown[0]} was taken for the time and left out."
    else:
        said = f"Columns {', '.join(shown)} were taken for the time and left out."
    return raw_table(values[rows], labels, found.times[rows], (*notes, said, *found.notes, *moved))
