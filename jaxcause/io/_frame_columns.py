"""The columns of data frames, whatever library they are of."""

from typing import Any

import numpy as np

from jaxcause._checks import InputError

_MISSING = frozenset(("NoneType", "NAType", "NaTType"))


def is_frame(series: Any) -> bool:
    """Whether it is a data frame of pandas or polars, or a table of pyarrow."""
    # A lazy frame of polars warns if it is asked for its columns.
    lazy = hasattr(series, "collect_schema")
    eager = lazy or (hasattr(series, "to_numpy") and hasattr(series, "columns"))
    return eager or hasattr(series, "column_names")


def columns_of(frame: Any) -> dict[str, np.ndarray]:
    """Columns by name, and an index of dates as the first of them.

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
    columns = {name: _as_array(column.to_numpy()) for name, column in pairs}
    index = frame.index.to_numpy() if hasattr(frame, "index") else None
    if index is not None and np.issubdtype(index.dtype, np.datetime64):
        return {"index": index, **columns}
    return columns


def _as_array(column: Any) -> np.ndarray:
    """Missing cells of any kind as NaN."""
    array = np.asarray(column)
    if array.dtype != object:
        return array
    cells = [np.nan if type(cell).__name__ in _MISSING else cell for cell in array.tolist()]
    filled = np.empty(len(cells), object)
    filled[:] = cells
    return filled
