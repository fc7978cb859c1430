"""Any series that people bring, as one array with names and unbroken stretches."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from jaxcause._checks import InputError
from jaxcause.series._booleans import from_booleans
from jaxcause.series._frames import as_array, columns_of, is_frame
from jaxcause.series._time import (
    TIME_NAMES,
    as_times,
    find_time,
    is_text,
    numbers,
    seconds,
    segments,
)
from jaxcause.series._xarray import columns_of_xarray, is_xarray


class Times(NamedTuple):
    """When each row was.

    Args:
        column: Dates or durations of numpy (dates in UTC), or numbers.
        series: Which of several series each row is of.
    """

    column: Shaped[np.ndarray, "time"]
    series: Int[np.ndarray, "time"]

    @property
    def in_seconds(self) -> bool:
        """Whether seconds can be made of them; numbers have no unit."""
        return self.column.dtype.kind in "mM"

    @property
    def seconds(self) -> Float[np.ndarray, "time"]:
        """Dates since 1970, or durations, in seconds; numbers as they are."""
        return seconds("time", self.column)

    def of(self, rows: Shaped[np.ndarray, "rows"]) -> "Times":
        """The times of some rows."""
        return Times(self.column[rows], self.series[rows])


class SeriesTable(NamedTuple):
    """A multivariate series, ready for windows.

    Args:
        values: One row per time step; NaN where a value is missing.
        names: One per variable.
        segment: Which unbroken stretch a row belongs to; no window crosses from one to the next.
        notes: What was recognised or masked, in plain sentences.
        targets: Which rows may be predicted; all if None.
        times: When each row was; None if there is no time column.
    """

    values: Float[np.ndarray, "time vars"]
    names: tuple[str, ...]
    segment: Int[np.ndarray, "time"]
    notes: tuple[str, ...] = ()
    targets: Bool[np.ndarray, "time"] | None = None
    times: Times | None = None

    @property
    def complete(self) -> Bool[np.ndarray, "time"]:
        """Which rows have every value."""
        return np.asarray(~np.isnan(self.values).any(axis=1))


def as_series_table(
    series: Any, *, names: Sequence[str] | None = None, time_column: str | None = None
) -> SeriesTable:
    """Read arrays, data frames or labelled arrays, or a list of several series, as one table.

    A data frame (pandas, polars, pyarrow) keeps its column names; a column (or index) of dates, or
    a rising one of durations, or a rising first one of numbers named like a time, shows where rows
    are missing and is left out. Columns of nothing but text are left out with a note. Columns of
    True and False are variables with the values 1 and 0. An xarray ``Dataset`` or ``DataArray`` has
    a time dimension; each of its variables, and each label of another dimension, is a variable.
    Rows with a missing value are masked later.

    Args:
        series: ``[time, vars]`` of numpy or JAX, a data frame, an xarray object, columns by name,
            or a list of such with the same variables.
        names: Names of the variables; X0, X1, … where there are none.
        time_column: Name of the time column or dimension, if it is not recognised by itself.

    Raises:
        InputError: There is no row, fewer than two variables, text among the numbers of a column,
            an infinite value, a constant or empty column, two equal names, or time running
            backwards.

    >>> table = as_series_table(np.array([[1.0, 2.0], [2.0, np.nan], [3.0, 5.0]]))
    >>> table.names, table.complete.tolist()
    (('X0', 'X1'), [True, False, True])
    """
    if isinstance(series, SeriesTable):
        return series
    if isinstance(series, list | tuple):
        tables = [as_series_table(s, names=names, time_column=time_column) for s in series]
        return concatenate(tables, [f"series {number}" for number in range(len(tables))])
    if isinstance(series, str | PurePath):
        shown = repr(str(series)[:80])
        raise InputError(f"series={shown} is no table; of a file, pass io.read_series({shown})")
    if is_xarray(series):
        columns, time = columns_of_xarray(series, time_column)
        return table_from_columns(columns, names=names, time_column=time)
    if is_frame(series):
        return table_from_columns(columns_of(series), names=names, time_column=time_column)
    if isinstance(series, Mapping):
        columns = {str(name): as_array(column) for name, column in series.items()}
        return table_from_columns(columns, names=names, time_column=time_column)
    values, notes = np.asarray(series), ()
    if values.ndim != 2:
        raise InputError(f"series has shape {values.shape}, but must be [time, vars]")
    if values.dtype.kind == "b":
        notes, values = ("True was read as 1, False as 0.",), values.astype(np.float64)
    if values.dtype == object or not np.issubdtype(values.dtype, np.number):
        raise InputError(f"series holds {values.dtype} instead of numbers; convert its columns")
    if np.iscomplexobj(values):
        raise InputError("series holds complex numbers; pass real ones, such as np.abs(series)")
    labels = names if names is not None else [f"X{i}" for i in range(values.shape[1])]
    _check_names(labels, values.shape[1])
    return checked_table(values.astype(np.float64), labels, None, notes)


def table_from_columns(
    columns: dict[str, np.ndarray],
    *,
    names: Sequence[str] | None = None,
    time_column: str | None = None,
    notes: tuple[str, ...] = (),
) -> SeriesTable:
    """A `SeriesTable` from named columns, the time column found and left out.

    Args:
        columns: Numbers, dates or text by name.
        names: Replace the names of the variables.
        time_column: Name of the time column, if it is not recognised by itself.
        notes: What was recognised so far.
    """
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise InputError(f"columns have the lengths {lengths}; they must agree")
    if time_column is not None and time_column not in columns:
        raise InputError(
            f"time_column={time_column!r} is not a column; there are {', '.join(columns)}"
        )
    found = time_column if time_column is not None else find_time(columns)
    time = None if found is None else seconds(found, columns[found])
    rest = {name: column for name, column in columns.items() if name != found}
    truths = {name: from_booleans(column) for name, column in rest.items()}
    truths = {name: column for name, column in truths.items() if column is not None}
    rest |= truths
    text = _remarks(rest)
    rest = {name: numbers(name, column) for name, column in rest.items() if name not in text}
    labels = list(rest) if names is None else list(names)
    _check_names(labels, len(rest))
    notes = (*notes, *(f"Column {name!r} holds text and was left out." for name in text))
    notes = (*notes, *(f"Column {name!r}: True was read as 1, False as 0." for name in truths))
    if found is not None:
        notes = (*notes, f"Column {found!r} was taken for the time and left out.")
    values = np.stack(list(rest.values()), axis=1) if rest else np.zeros((0, 0))
    table = checked_table(values, labels, time, notes)
    if time is None:
        return table
    column = as_times(columns[str(found)], time)
    return table._replace(times=Times(column, np.zeros(len(time), np.int64)))


def _remarks(columns: dict[str, np.ndarray]) -> list[str]:
    """The columns of nothing but text, which are no variables."""
    text = [name for name, column in columns.items() if is_text(column)]
    for name in text:
        if name.strip().lower() in TIME_NAMES:
            raise InputError(
                f"column {name!r} holds times such as {str(columns[name][0])[:40]!r}; turn it into "
                "dates, or leave it out"
            )
    # A series of text alone is a mistake, of which `numbers` tells the place.
    return text if len(text) < len(columns) else []


def checked_table(
    values: Float[np.ndarray, "time vars"],
    names: Sequence[str],
    time: Float[np.ndarray, "time"] | None,
    notes: tuple[str, ...],
) -> SeriesTable:
    """A `SeriesTable` once the values have been found usable."""
    n_rows, n_vars = values.shape
    if n_vars < 2:
        raise InputError(
            f"series has {n_vars} variable{'s' * (n_vars != 1)} besides the time; it needs at "
            "least two columns" + (f" ({' '.join(notes)})" if notes else "")
        )
    if n_rows == 0:
        raise InputError("series has no rows; it needs more rows than max_lag")
    for name, column in zip(names, values.T, strict=True):
        check_column(name, column)
    notes = (*notes, *note_on_missing(values))
    segment = np.zeros(n_rows, np.int64) if time is None else segments(time)
    n_gaps = int(segment[-1] - segment[0])
    if n_gaps:
        notes = (*notes, f"Time has {n_gaps} gap(s); no window crosses one.")
    return SeriesTable(values, tuple(names), segment, notes)


def note_on_missing(values: Float[np.ndarray, "time vars"]) -> tuple[str, ...]:
    """How many rows have a missing value, if any."""
    n_missing = int(np.isnan(values).any(axis=1).sum())
    return (f"{n_missing} of {len(values)} rows have a missing value.",) * (n_missing > 0)


def _check_names(names: Sequence[str], n_vars: int) -> None:
    if len(names) != n_vars:
        raise InputError(f"names has {len(names)} entries for {n_vars} variables; give one each")
    if len(set(names)) < len(names):
        raise InputError(f"duplicate column names {_repeated(names)}; rename one of each")


def _repeated(names: Any) -> str:
    seen: set[str] = set()
    return ", ".join(repr(n) for n in dict.fromkeys(n for n in names if n in seen or seen.add(n)))


def check_column(name: str, column: np.ndarray) -> None:
    """Raise if a column holds an infinite value, none at all, or one alone."""
    infinite = np.flatnonzero(np.isinf(column))
    if infinite.size:
        raise InputError(
            f"column {name!r} holds an infinite value in row {infinite[0] + 1}; "
            "leave it empty to have that row masked"
        )
    known = column[~np.isnan(column)]
    if known.size == 0:
        raise InputError(f"column {name!r} has no values; leave it out")
    if (known == known[0]).all():
        raise InputError(f"column {name!r} is constant ({known[0]:g}); leave it out")


def concatenate(tables: list[SeriesTable], called: Sequence[str]) -> SeriesTable:
    """Several series one after another, variables in the order of the first; a border is a gap.

    Args:
        tables: The series.
        called: How errors call them.
    """
    if not tables:
        raise InputError("series is an empty list; give at least one series")
    names = tables[0].names
    for table, name in zip(tables, called, strict=True):
        odd = sorted(set(table.names) ^ set(names))
        if odd:
            raise InputError(
                f"{name} has other variables than {called[0]} ({', '.join(odd[:5])} only in one of "
                "them); rename them, or leave them out by drop=…"
            )
    tables = [
        table._replace(values=table.values[:, [table.names.index(name) for name in names]])
        for table in tables
    ]
    offsets = np.cumsum([0, *(int(t.segment[-1]) + 1 for t in tables[:-1])])
    return SeriesTable(
        np.concatenate([t.values for t in tables]),
        names,
        np.concatenate([t.segment + o for t, o in zip(tables, offsets, strict=True)]),
        tuple(dict.fromkeys(note for t in tables for note in t.notes)),
        _targets_of(tables),
        _times_of(tables),
    )


def _times_of(tables: list[SeriesTable]) -> Times | None:
    times = [t.times for t in tables if t.times is not None]
    if len(times) < len(tables) or len({t.column.dtype.kind for t in times}) > 1:
        return None
    offsets = np.cumsum([0, *(int(t.series[-1]) + 1 for t in times[:-1])])
    series = [t.series + offset for t, offset in zip(times, offsets, strict=True)]
    return Times(np.concatenate([t.column for t in times]), np.concatenate(series))


def _targets_of(tables: list[SeriesTable]) -> Bool[np.ndarray, "time"] | None:
    if all(t.targets is None for t in tables):
        return None
    every = [np.ones(len(t.values), bool) if t.targets is None else t.targets for t in tables]
    return np.concatenate(every)
