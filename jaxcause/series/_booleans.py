"""Columns of True and False, which are variables with the values 1 and 0."""

import numpy as np

_VALUES = {"true": 1.0, "false": 0.0}


def from_booleans(column: np.ndarray) -> np.ndarray | None:
    """1 and 0 for True and False, or for these words; NaN is kept. None for any other column."""
    if column.dtype.kind == "b":
        return column.astype(np.float64)
    if column.dtype != object and column.dtype.kind != "U":
        return None
    cells = [_value(cell) for cell in column.tolist()]
    if None in cells or all(cell != cell for cell in cells):
        return None
    return np.array(cells, np.float64)


def _value(cell: object) -> float | None:
    if isinstance(cell, bool | np.bool_):
        return float(cell)
    if isinstance(cell, float) and cell != cell:
        return cell
    word = cell.strip().lower() if isinstance(cell, str) else ""
    return float("nan") if word == "nan" else _VALUES.get(word)
