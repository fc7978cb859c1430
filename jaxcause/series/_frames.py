"""The columns of data frames, whatever library they are of."""

from typing import Any

import numpy as np

from jaxcause._checks import InputError
from jaxcause.series._reading.cells import Style
from jaxcause.series._reading.finding import find_time
from jaxcause.series._reading.numbered import is_even, is_numeric
from jaxcause.series._reading.words import INDEX

_MISSING = frozenset(("NoneType", "NAType", "NaTType"))


def is_frame(series: Any) -> bool:
    """Whether it is a data frame of pandas or polars, or a table of pyarrow."""
    # A lazy frame of polars warns if it is asked for its columns.
    lazy = hasattr(series, "collect_schema")
    eager = lazy or (hasattr(series, "to_numpy") and hasattr(series, "columns"))
    return eager or hasattr(series, "column_names")


def columns_of(
    frame: Any, time_column: str | None = None
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Columns by name, an index that is a time as the first of them, and notes on any other.

    Args:
        frame: Of pandas, polars or pyarrow.
        time_column: Name of the time, which may be that of the index.

    Raises:
        InputError: Two columns have one name, the frame is lazy, or several series stand in it.
    """
    if hasattr(frame, "collect") and not hasattr(frame, "to_numpy"):
        raise InputError("series is a lazy frame; pass series.collect()")
    if hasattr(frame, "column_names"):
        keys = names = list(frame.column_names)
        pairs = zip(names, frame.columns, strict=True)
    else:
        keys = list(frame.columns)
        names = [str(key) for key in keys]
        pairs = ((name, frame[key]) for name, key in zip(names, keys, strict=True))
    repeated = dict.fromkeys(repr(name) for name in names if names.count(name) > 1)
    if repeated:
        raise InputError(
            f"series has duplicate column names {', '.join(repeated)}; rename one of each"
        )
    columns = {name: as_array(column.to_numpy()) for name, column in pairs}
    if not hasattr(frame, "index"):
        return columns, ()
    if getattr(frame.index, "nlevels", 1) > 1:
        return _times_of_levels(frame.index) | columns, ()
    given = getattr(frame.index, "name", None)
    name = INDEX if given is None or str(given) in columns else str(given)
    index = as_array(frame.index.to_numpy())
    if name == time_column or (given is not None and str(given) == time_column not in columns):
        return {name: index} | columns, ()
    return _of_index(name, index, columns)


def _of_index(
    name: str, index: np.ndarray, columns: dict[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """The columns with an index that is a time, or a note on one that is none but tells of rows."""
    numeric = is_numeric(index)
    if numeric and _counts_rows(name, index.astype(np.float64)):
        return columns, ()
    if numeric and name == INDEX and name not in columns:
        return columns | {name: index}, ()  # Numbers of rows come after all that names a time.
    if find_time({name: index}, None, None, Style()) is not None:
        return {name: index} | columns, ()
    if index.dtype == object and len(set(index.tolist())) < len(index):
        return {name: index} | columns, ()  # Text that may tell several series apart.
    values = index.astype(np.float64) if numeric else np.zeros(0)
    if numeric and is_even(values) and not (np.diff(values) > 0).all():
        return columns, (
            f"The index {name!r} falls, or is in no order, and was left out; rows were taken as "
            f"they stand. If it is the time, pass time_column={name!r}, which sorts them.",
        )
    return columns, ()


def _counts_rows(name: str, values: np.ndarray) -> bool:
    """Whether an index without a name of a time says nothing that the order of rows does not."""
    steps = np.diff(values)
    return name == INDEX and bool((steps > 0).all() and (steps == steps[:1]).all())


def _times_of_levels(index: Any) -> dict[str, np.ndarray]:
    """The levels of an index that are a time.

    Raises:
        InputError: Another level has several values, so that several series stand in one table.
    """
    called = [INDEX if n is None else str(n) for n in index.names]
    if len(set(called)) < len(called):
        called = [f"level {k}" for k in range(index.nlevels)]
    levels = {n: as_array(index.get_level_values(k).to_numpy()) for k, n in enumerate(called)}
    found = find_time(levels, None, None, Style())
    times = () if found is None else found.names
    others = [n for n in called if n not in times and len(set(levels[n].tolist())) > 1]
    if not others:
        return {name: levels[name] for name in times}
    keys = index.names.index(others[0]) if others[0] in index.names else called.index(others[0])
    level = repr(index.names[keys]) if index.names[keys] is not None else str(keys)
    raise InputError(
        f"series has an index of the levels {', '.join(map(repr, called))}, so rows of several "
        f"series stand in one table; give one frame for each: [part.droplevel({level}) for _, part "
        f"in frame.groupby(level={level})]"
    )


def as_array(column: Any) -> np.ndarray:
    """Missing cells of any kind as NaN, periods as their beginning."""
    array = np.asarray(column)
    if array.dtype != object:
        return array
    filled = np.empty(len(array), object)
    filled[:] = [_plain(cell) for cell in array.tolist()]
    return filled


def _plain(cell: Any) -> Any:
    kind = type(cell).__name__
    if kind == "Period":
        return cell.to_timestamp()
    if kind == "time":
        return cell.isoformat()
    return np.nan if kind in _MISSING else cell
