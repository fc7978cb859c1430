"""The columns of data frames, whatever library they are of."""

from typing import Any

import numpy as np

from jaxcause._checks import InputError
from jaxcause.series._reading.cells import Style
from jaxcause.series._reading.finding import find_time

_MISSING = frozenset(("NoneType", "NAType", "NaTType"))


def is_frame(series: Any) -> bool:
    """Whether it is a data frame of pandas or polars, or a table of pyarrow."""
    # A lazy frame of polars warns if it is asked for its columns.
    lazy = hasattr(series, "collect_schema")
    eager = lazy or (hasattr(series, "to_numpy") and hasattr(series, "columns"))
    return eager or hasattr(series, "column_names")


def columns_of(frame: Any) -> dict[str, np.ndarray]:
    """Columns by name, and an index that is a time as the first of them.

    Raises:
        InputError: Two columns have one name, or the frame is lazy.
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
    return _time_of_index(frame, columns) | columns


def _time_of_index(frame: Any, columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The index as a column, if it is a time."""
    if not hasattr(frame, "index"):
        return {}
    given = getattr(frame.index, "name", None)
    name = next(n for n in (str(given or "index"), "index", "(index)") if n not in columns)
    index = {name: as_array(frame.index.to_numpy())}
    # Numbers without a name only count the rows.
    counts = given is None and index[name].dtype.kind not in "mMO"
    return {} if counts or find_time(index, None, None, Style()) is None else index


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
