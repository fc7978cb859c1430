"""Rows that are no time steps: units, totals, remarks, copies; and rows that are out of order."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from jaxcause._checks import InputError
from jaxcause.series._reading.cells import is_known
from jaxcause.series._reading.dates import looks_like_date
from jaxcause.series._reading.words import TOTALS

_MOST_TRAILING = 5
_SHOWN = 4
_MOST_DIGITS = 12
"""Digits up to which numbers are rounded for people; others are as a program has them."""
_LARGEST = 1e100
"""Squares of larger numbers overflow."""
_CHANCE = 1e-6
"""The largest chance by which a row that looks like a total may be an ordinary one."""
Columns = Mapping[str, np.ndarray]


def row_text(columns: Columns, row: int) -> str:
    """The first cells of a row, for a message."""
    cells = [_shown(column[row]) for column in columns.values()]
    return ", ".join(cells[:_SHOWN]) + ", …" * (len(cells) > _SHOWN)


def _shown(cell: Any) -> str:
    if not is_known(cell):
        return ""
    return f"{cell:g}" if isinstance(cell, float) else " ".join(str(cell)[:40].split())


def rows_left_out(
    columns: Columns, odd: Bool[np.ndarray, "rows"], without_time: Bool[np.ndarray, "rows"] | None
) -> tuple[Bool[np.ndarray, "rows"], tuple[str, ...]]:
    """Rows of units, totals, remarks and names of columns, each with a note.

    Units stand below the header, and totals and remarks at the end.

    Args:
        columns: All columns; missing cells are NaN.
        odd: Rows with text in a column of numbers.
        without_time: Rows whose time cannot be read; None if there is no time.
    """
    n_rows = len(odd)
    left_out = np.zeros(n_rows, bool)
    notes = []
    strange = odd if without_time is None else odd | without_time
    if n_rows > 1 and strange[0] and not strange[1] and _is_units(columns):
        left_out[0] = True
        notes.append(f"Row 1 ({row_text(columns, 0)}) holds units and was left out.")
    again = [row for row in np.flatnonzero(strange).tolist() if _is_header(columns, row)]
    if again:
        left_out[again] = True
        more = f"{len(again)} time{'s' * (len(again) != 1)} more"
        notes.append(f"The header occurs {more}, which was left out.")
    for row in range(n_rows - 1, max(0, n_rows - 1 - _MOST_TRAILING), -1):
        why = _no_step(columns, row) if strange[row] else ""
        if not why:
            break
        left_out[row] = True
        notes.append(f"Row {row + 1} ({row_text(columns, row)}) {why} and was left out.")
    return left_out, tuple(notes)


def _is_header(columns: Columns, row: int) -> bool:
    """Whether a row holds the names of the columns, as where files were joined."""
    return all(column[row] == name.strip() for name, column in columns.items())


def _is_units(columns: Columns) -> bool:
    """Whether the first row holds text alone, none of it a number or a date."""
    cells = [column[0] for column in columns.values() if is_known(column[0])]
    return bool(cells) and all(
        isinstance(cell, str) and not looks_like_date(cell) and not cell.strip()[:1].isdigit()
        for cell in cells
    )


def _no_step(columns: Columns, row: int) -> str:
    """Why a row at the end is no step of time: it sums up, or is a remark."""
    cells = [column[row] for column in columns.values() if is_known(column[row])]
    texts = [cell for cell in cells if isinstance(cell, str)]
    words = [text.strip().split()[0].strip(":=.()").lower() for text in texts if text.strip()]
    if any(word in TOTALS for word in words):
        return "sums up the rows above"
    if len(texts) == len(cells) and not any(looks_like_date(text) for text in texts):
        remark = any(any(map(str.isalpha, text)) for text in texts)
        return "is a remark" if remark or not cells else ""
    return ""


def check_times(
    names: Sequence[str], form: str, columns: Columns, without_time: Int[np.ndarray, "rows"]
) -> None:
    """Raise if a row has no time that can be read.

    Raises:
        InputError: It names the row, its cells and the remedy.
    """
    if not without_time.size:
        return
    row, name = int(without_time[0]), names[0]
    cell = columns[name][row]
    several = f" ({len(without_time)} rows are like it)" * (len(without_time) > 1)
    if columns[name].dtype != object or not is_known(cell):
        what = "has no time"
    else:
        what = f"has {str(cell)[:40]!r} as its time" + (f", not of the form {form}" if form else "")
    raise InputError(
        f"time column {name!r}: row {row + 1} ({row_text(columns, row)}) {what}{several}; correct "
        "or delete the row"
    )


def in_order(
    name: str,
    times: Shaped[np.ndarray, "time"],
    values: Float[np.ndarray, "time vars"],
    *,
    movable: bool = True,
) -> tuple[Int[np.ndarray, "kept"], tuple[str, ...]]:
    """The rows in the order of time, without copies of a row, and what was done.

    Args:
        name: Of the time.
        times: Dates, durations or numbers.
        values: All variables.
        movable: Whether rows may be moved or left out; else that is an error.

    Raises:
        InputError: Rows run backwards and times repeat, as where several series are stacked.
    """
    rows, notes = np.arange(len(times)), []
    zero = np.timedelta64(0) if times.dtype.kind in "mM" else 0
    back = np.flatnonzero(np.diff(times) < zero)
    if back.size:
        rows = np.argsort(times, kind="stable")
        if (np.diff(times[rows]) == zero).mean() > 0.01:
            raise InputError(
                f"time column {name!r} runs backwards at row {back[0] + 2}, and times repeat; sort "
                "the rows, and give several series as several inputs"
            )
        shown = "newest first" if back.size == len(times) - 1 else f"row {back[0] + 2} is the first"
        notes.append(f"Rows were not in the order of time ({shown}); they were sorted.")
    copies = _copies(times[rows], values[rows])
    if copies.any():
        first = int(np.flatnonzero(copies)[0])
        n = int(copies.sum())
        are, were = ("row is a copy", "was") if n == 1 else ("rows are copies", "were")
        notes.append(
            f"{n} {are} of the row before, with the same time {_as_text(times[rows][first])}, and "
            f"{were} left out."
        )
        rows = rows[~copies]
    if notes and not movable:
        raise InputError(
            f"mask and domain count rows as they are given, but: {' '.join(notes)} Sort the rows "
            "first, without copies"
        )
    return rows, (*notes, *_note_on_doubles(name, times[rows]))


def _copies(times: np.ndarray, values: np.ndarray) -> np.ndarray:
    same = times[1:] == times[:-1]
    equal = ((values[1:] == values[:-1]) | (np.isnan(values[1:]) & np.isnan(values[:-1]))).all(1)
    return np.concatenate([np.zeros(min(1, len(times)), bool), same & equal])


def _note_on_doubles(name: str, times: np.ndarray) -> tuple[str, ...]:
    twice = np.flatnonzero(times[1:] == times[:-1])
    if not twice.size:
        return ()
    n = twice.size
    return (
        f"{n} time{'s' * (n != 1)} of column {name!r} occur{'s' * (n == 1)} more than once with "
        f"other values, first {_as_text(times[twice[0]])}: the rows were kept, and a lag "
        "counts rows. If they are of several series, give these as several inputs.",
    )


def _as_text(time: Any) -> str:
    if isinstance(time, np.datetime64):
        return str(time.astype("datetime64[s]")).replace("T", " ")
    return str(time)


def total_row(values: Float[np.ndarray, "time vars"]) -> str:
    """Whether the last row holds the sum or the mean of all others, and cannot be one of them.

    Each column must agree to rounding, of the computer or of the digits that its cells have. How
    likely a row agrees by chance is at most the width of that rounding in standard deviations, and
    much less far outside of all other rows; the product over all columns must be tiny.

    >>> total_row(np.array([[1.0, 4.0], [2.0, 7.0], [3.0, 1.5], [6.0, 12.5]]))
    'sum'
    >>> total_row(1e12 + np.array([[1.0, 4.0], [2.0, 7.0], [3.0, 1.0], [2.0, 4.0]]))
    ''
    """
    if len(values) < 4 or values.shape[1] < 2 or np.isnan(values[-1]).any():
        return ""
    above, last = values[:-1], values[-1]
    too_large = not (np.nanmax(np.abs(values)) < _LARGEST)
    if too_large or ((~np.isnan(above)).sum(axis=0) < 3).any():
        return ""
    spread = np.nanstd(above, axis=0)
    if (spread == 0).all():
        return ""
    rounding = 8 * np.finfo(float).eps * np.nansum(np.abs(above), axis=0)
    digit = np.array([_last_digit(column) for column in values.T])
    low, high = np.nanmin(above, axis=0), np.nanmax(above, axis=0)
    for word, expected, unit in (
        ("sum", np.nansum(above, axis=0), 0.0),
        ("mean", np.nanmean(above, axis=0), 0.5001),
    ):
        if not (np.abs(last - expected) <= rounding + unit * digit).all():
            continue
        width = np.maximum(digit, rounding) / np.where(spread > 0, spread, np.inf)
        chance = np.where(spread > 0, np.minimum(width, 1.0), 1.0)
        outside = np.maximum(low - last, last - high) >= high - low
        if np.prod(np.where(outside & (spread > 0), 1e-3, 1.0) * chance) <= _CHANCE:
            return word
    return ""


def _last_digit(column: np.ndarray) -> float:
    """The value of the last digit that cells of a column have: 0.01, 1 or, in thousands, 1,000."""
    known = np.abs(column[~np.isnan(column)])
    if not known.max() > 0:
        return 0.0
    first = math.floor(math.log10(known.max()))
    for place in range(first, first - _MOST_DIGITS, -1):
        steps = known / 10.0**place
        rounding = 8 * np.finfo(float).eps * steps.max()
        if (np.abs(steps - np.round(steps)) <= rounding).all():
            return 10.0**place
    return 0.0
