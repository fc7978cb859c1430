"""Which columns are the time, and what their cells mean."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int, Shaped

from jaxcause._checks import InputError
from jaxcause.series._reading.cells import Style, check_numbers, is_known, read_numbers
from jaxcause.series._reading.coded import coded_dates
from jaxcause.series._reading.dates import ISO, Dates, looks_like_date, read_clock, read_dates
from jaxcause.series._reading.daylight import in_utc
from jaxcause.series._reading.numbered import called, numbered_time
from jaxcause.series._reading.order import likeliest
from jaxcause.series._reading.parts import dates_in_parts, with_clock
from jaxcause.series._reading.words import TIME_NAMES

_LEAST_READ = 0.6
"""Share of the rows in which a column must hold dates to be the time."""
_ABOUT = 0.05
"""Columns of dates whose shares of steps out of order differ by less are equally well ordered."""
_EXAMPLE = "such as '%d.%m.%Y'"

Columns = Mapping[str, np.ndarray]


class FoundTime(NamedTuple):
    """The time of a table.

    Args:
        names: The columns that hold it.
        times: Dates or durations of numpy, or numbers; NaT or NaN in rows without a time.
        form: How the times are written, for errors.
        notes: What was recognised.
    """

    names: tuple[str, ...]
    times: Shaped[np.ndarray, "time"]
    form: str = ""
    notes: tuple[str, ...] = ()

    @property
    def without(self) -> Int[np.ndarray, "rows"]:
        """The rows without a time."""
        kind = self.times.dtype.kind
        return np.flatnonzero(np.isnat(self.times) if kind in "mM" else np.isnan(self.times))


def find_time(
    columns: Columns, time_column: str | None, time_format: str | None, style: Style
) -> FoundTime | None:
    """The time of a table: the column that is named, or the first that can be one.

    Raises:
        InputError: The column that is named, or one that is called like a time or looks like one,
            cannot be read.
    """
    if time_column is not None:
        found = _named(time_column, columns, time_format, style)
    elif time_format is not None:
        found = _of_format(columns, time_format)
    else:
        found = _recognised(columns, style)
    if found is None:
        return None
    found = with_other_columns(found, columns)
    return found


def with_other_columns(found: FoundTime, columns: Columns) -> FoundTime:
    """The time with that of day, where it is in a column of its own."""
    clock = with_clock(found.names[0], found.times, columns)
    if clock is None:
        return found
    name, times = clock
    note = f"Column {name!r} was taken for the time of day of {found.names[0]!r}."
    return found._replace(names=(*found.names, name), times=times, notes=(*found.notes, note))


def as_utc(found: FoundTime) -> FoundTime:
    """The time without the doubles and holes of daylight-saving time."""
    if found.times.dtype.kind != "M" or "zones" in found.form:
        return found
    moved = in_utc(found.times)
    if moved is None:
        return found
    note = (
        f"Times of column {found.names[0]!r} jump with daylight-saving time as in {moved[1]}: "
        "they were put in UTC, so that no hour is missing or occurs twice."
    )
    return found._replace(times=moved[0], notes=(*found.notes, note))


def _named(name: str, columns: Columns, time_format: str | None, style: Style) -> FoundTime:
    """The time in the column that the caller named."""
    if name not in columns:
        raise InputError(f"time_column={name!r} is not a column; there are {', '.join(columns)}")
    column = columns[name]
    if time_format is not None:
        dates = None if column.dtype.kind in "mM" else read_dates(column.tolist(), form=time_format)
        return FoundTime((name,), column) if dates is None else _of_dates(name, dates)
    if column.dtype.kind in "mM":
        return FoundTime((name,), column)
    if column.dtype == object:
        if (text := _text_times(name, column)) is not None:
            return text
        numbers = read_numbers(name, column, style)
        if numbers.known < _LEAST_READ * len(column):
            cells = [(row, c) for row, c in enumerate(column.tolist()) if is_known(c)]
            row, shown = (cells[0][0], repr(str(cells[0][1])[:40])) if cells else (0, "nothing")
            raise InputError(
                f"time_column={name!r} holds {shown} in row {row + 1}, which is no time that is "
                f"recognised; say how times are written: pass time_format=…, {_EXAMPLE}"
            )
        check_numbers(name, column, numbers, style)
        column = numbers.values
    return _of_numbers(name, _as_numbers(name, column))


def _as_numbers(name: str, column: np.ndarray) -> np.ndarray:
    if column.dtype.kind == "c":
        raise InputError(f"column {name!r} holds complex numbers; pass real ones, such as np.abs")
    return column.astype(np.float64)


def _of_numbers(name: str, column: np.ndarray) -> FoundTime:
    coded = coded_dates(name, column, is_time=True)
    return FoundTime((name,), column) if coded is None else _of_code(name, *coded)


def _of_dates(name: str, dates: Dates) -> FoundTime:
    dates, notes = likeliest(name, dates)
    if dates.form != ISO:
        notes = (*notes, f"Times of column {name!r} were read as {dates.form!r}.")
    form = dates.form + (" with time zones" if dates.zoned else "")
    return FoundTime((name,), dates.times, form, notes)


def _text_times(name: str, column: np.ndarray) -> FoundTime | None:
    """Dates, or times of day, in a column of objects."""
    dates = read_dates(column.tolist())
    if dates is not None and np.mean(~np.isnat(dates.times)) >= _LEAST_READ:
        return _of_dates(name, dates)
    clock = read_clock(column.tolist())
    if clock is None:
        return None
    day = 86_400_000_000
    days = np.concatenate([[0], np.cumsum(np.diff(clock) < 0)])
    notes = ()
    if days[-1]:
        notes = (
            f"Column {name!r} holds times of day without dates: each fall was taken for the next "
            "day, so gaps of whole days are not seen.",
        )
    return FoundTime((name,), (clock + day * days).astype("timedelta64[us]"), "%H:%M", notes)


def _of_format(columns: Columns, time_format: str) -> FoundTime:
    """The time in the column that a format fits best."""
    tried = [name for name, column in columns.items() if column.dtype == object]
    tried += [name for k, name in enumerate(columns) if _may_be_time(k, name) and name not in tried]
    tried = [name for name in tried if columns[name].dtype.kind not in "mM"]
    example = ""
    for name in tried:
        cells = columns[name].tolist()
        sample = cells[:: max(1, len(cells) // 200)]
        dates = read_dates(sample, form=time_format)
        if dates is not None and np.mean(~np.isnat(dates.times)) >= _LEAST_READ:
            whole = read_dates(cells, form=time_format)
            if whole is not None:
                return _of_dates(name, whole)
        if not example and (_may_be_time(0, name) or looks_like_date(cells[0])):
            example = f" (column {name!r} holds {str(cells[0])[:40]!r})"
    raise InputError(
        f"time_format={time_format!r} fits no column{example}; write it as the times are, "
        f"{_EXAMPLE}, or leave it out"
    )


def _may_be_time(position: int, name: str) -> bool:
    return position == 0 or name.strip().lower() in TIME_NAMES


def _recognised(columns: Columns, style: Style) -> FoundTime | None:
    """The first column of dates, dates in parts, rising durations or numbers of a time."""
    if dated := _all_dates(columns):
        return _in_best_order(dated, columns)
    if (parts := dates_in_parts(columns)) is not None:
        names, times = parts
        return FoundTime(names, times, "year, month, day")
    for name, column in columns.items():
        coded = None
        if column.dtype.kind in "iuf":
            coded = coded_dates(name, column.astype(np.float64), is_time=False)
        if coded is not None:
            return _of_code(name, *coded)
    _check_unread(columns, style)
    return _times_or_numbers(columns)


def dates_beside(found: FoundTime, columns: Columns) -> dict[str, str]:
    """Further columns of dates, which are no variables, with a note on each."""
    rest = {n: c for n, c in columns.items() if n not in found.names}
    dates = [one.names[0] for one in _all_dates(rest) if one.times.dtype.kind == "M"]
    for name, column in rest.items():
        if column.dtype.kind in "iuf" and name not in dates:
            coded = coded_dates(name, column.astype(np.float64), is_time=False)
            dates += [name] * (coded is not None)
    return {name: f"Column {name!r} holds dates and was left out." for name in dates}


def _all_dates(columns: Columns) -> list[FoundTime]:
    """All columns of dates, and of durations in order."""
    dated = []
    for name, column in columns.items():
        found = None
        if column.dtype.kind == "M" or (column.dtype.kind == "m" and _disorder(column) == 0):
            found = FoundTime((name,), column)
        elif column.dtype == object:
            found = _dates_in(name, column)
        if found is not None:
            dated.append(found)
    return dated


def _in_best_order(dated: list[FoundTime], columns: Columns) -> FoundTime:
    """The first of several columns of dates, unless one follows the rows that it does not."""
    first = dated[0]
    if len(dated) == 1:
        return first
    disorder = [_disorder(with_other_columns(found, columns).times) for found in dated]
    best = next(k for k, d in enumerate(disorder) if d <= min(disorder) + _ABOUT)
    if best == 0:
        return first
    chosen = dated[best]
    shown = f"{chosen.names[0]!r} and not {first.names[0]!r} was taken for the time"
    note = (
        f"Of the columns of dates {shown}, since its dates follow the order of the rows; "
        "time_column=… takes another."
    )
    return chosen._replace(notes=(*chosen.notes, note))


def _disorder(times: Shaped[np.ndarray, "time"]) -> float:
    """The share of steps that do not lead where most lead: 0 of times that rise, or fall."""
    steps = np.diff(times[~np.isnat(times)])
    zero = np.timedelta64(0)
    return 1.0 - max((steps > zero).mean(), (steps < zero).mean()) if steps.size else 0.0


def _of_code(name: str, times: np.ndarray, form: str) -> FoundTime:
    note = f"The numbers of column {name!r} were read as dates ({form})."
    return FoundTime((name,), times, form, (note,))


def _dates_in(name: str, column: np.ndarray) -> FoundTime | None:
    """Dates in a column of text; holes are forgiven only where the name is that of a time."""
    dates = read_dates(column.tolist())
    if dates is None or np.mean(~np.isnat(dates.times)) < _LEAST_READ:
        return None
    cells = column.tolist()
    unread = np.flatnonzero(np.isnat(dates.times))
    holes = sum(not is_known(cells[row]) for row in unread)
    if holes and name.strip().lower() not in TIME_NAMES and unread[0] < len(cells) - 5:
        return None
    return _of_dates(name, dates)


def _times_or_numbers(columns: Columns) -> FoundTime | None:
    """Times of day in a first column, or numbers of a time in any."""
    name = next(iter(columns), None)
    if name is not None and columns[name].dtype == object and called(name) in TIME_NAMES:
        found = _text_times(name, columns[name])
        if found is not None:
            return found
    numbered = numbered_time(columns)
    if numbered is None:
        return None
    if numbered.form:
        return _of_code(*numbered)
    return FoundTime((numbered.name,), numbered.times)


def _check_unread(columns: Columns, style: Style) -> None:
    """Raise if a column of text is called like a time, or looks like one, and cannot be read."""
    for name, column in columns.items():
        if column.dtype != object:
            continue
        cells = [cell for cell in column.tolist() if is_known(cell)]
        sample: Sequence[object] = cells[:: max(1, len(cells) // 50)]
        # Labels of rows stand in a first column without a name, too.
        called = name.strip().lower() in TIME_NAMES - {""} and any(
            isinstance(cell, str) and any(map(str.isdigit, cell)) for cell in sample
        )
        like = sum(looks_like_date(cell) for cell in sample) >= 0.8 * len(sample)
        if not sample or not (called or like) or read_clock(cells) is not None:
            continue
        if read_numbers(name, column, style).known:
            continue
        raise InputError(
            f"column {name!r} holds times such as {str(sample[0])[:40]!r} in no form that is "
            f"recognised; pass time_format=…, {_EXAMPLE}, or leave the column out"
            f"{f' (drop={name!r})' * style.in_file}"
        )
