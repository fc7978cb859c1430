"""Dates in text, by the formats of ``strptime`` that fit a whole column."""

import datetime
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int, Shaped

from jaxcause.series._reading.tidy import split, split_zone, tidy

_ORDERS = (
    *("%Y{}%m{}%d", "%d{}%m{}%Y", "%m{}%d{}%Y", "%d{}%m{}%y", "%m{}%d{}%y", "%y{}%m{}%d"),
    *("%d{}%b{}%Y", "%b{}%d{}%Y", "%Y{}%b{}%d", "%d{}%b{}%y", "%b{}%d{}%y"),
    *("%Y{}%m", "%m{}%Y", "%b{}%Y", "%Y{}%b", "%b{}%y", "%Y{}%j"),
)
_LENGTHS = {"%Y%m%d": 8, "%Y%m%d%H": 10, "%Y%m%d%H%M": 12, "%Y%m%d%H%M%S": 14, "%Y%j": 7}
DATE_FORMATS = (
    *(order.replace("{}", mark) for mark in "-/. " for order in _ORDERS),
    *("%d%b%Y", "%d%b%y", "%b%Y", "%Y-%m-%d %H", "%d.%m.%Y %H", "%m/%d/%Y %H", "%d/%m/%Y %H"),
    *_LENGTHS,
)
"""Formats of dates that are tried, days before months."""

CLOCK_FORMATS = (
    *("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p", "%I %p"),
    *("%H.%M", "%H.%M.%S", "%Hh%M", "%Hh"),
)
"""Formats of times of day that are tried."""

ISO = "ISO 8601"
DAY = 86_400_000_000
_NONE = np.iinfo(np.int64).min
_SAMPLE, _FEW = 60, 10
_MOST = 0.6
"""Share of a sample that a format must fit, for a column to be one of dates with bad rows."""
_LOOKS = re.compile(
    r"\d{1,4}[-./ ]{1,2}(\d{1,2}|[^\W\d]{3,9}\.?)[-./ ]{1,2}\d{1,4}([\sT,;:].*)?"
    r"|.*\b\d{1,2}:\d\d\b.*"
)

Read = Callable[[str], int | None]


class Dates(NamedTuple):
    """A column of text that was read as dates.

    Args:
        times: Microseconds in UTC; NaT where a cell has another form.
        form: The format, as ``strptime`` has it, or ``"ISO 8601"``.
        others: The same by other formats that fit as well, such as with day and month exchanged.
        zoned: Whether cells name their time zone.
    """

    times: Shaped[np.ndarray, "time"]
    form: str
    others: "tuple[Dates, ...]" = ()
    zoned: bool = False


def looks_like_date(cell: Any) -> bool:
    """Whether text has the outline of a date or a time of day."""
    return isinstance(cell, str) and _LOOKS.fullmatch(cell.strip()) is not None


def read_dates(cells: Sequence[Any], *, form: str | None = None) -> Dates | None:
    """The dates in a column of text and of date objects, by the format that fits most of the cells.

    Args:
        cells: Text, dates and numbers; NaN where one is missing.
        form: The format, if it is known.

    Returns:
        None if no format fits most of the cells.

    >>> read_dates(["13.01.20", "14.01.20 06:00"]).times.astype(str).tolist()
    ['2020-01-13T00:00:00.000000', '2020-01-14T06:00:00.000000']
    >>> read_dates(["03/13/2021 01:00 AM", "03/13/2021 02:00 PM"]).form
    '%m/%d/%Y %I:%M %p'
    """
    distinct, codes = _distinct(cells)
    if form is not None:
        texts = [_text(cell, _digits(form)) for cell in distinct]
        return Dates(_each(texts, lambda text: _by_form(text, form))[codes], form)
    texts = [_text(cell) for cell in distinct]
    known = [text for text in texts if text is not None]
    sample = [tidy(text) for text in known[:: max(1, len(known) // _SAMPLE)]]
    enough = _MOST * len(sample)
    if not sample or sum(sum(map(str.isdigit, text)) > 1 for text in sample) < enough:
        return None
    zoned = any(split_zone(text)[0] != text for text in sample)
    if sum(_from_iso(text) is not None for text in sample) >= enough:
        return Dates(_each(texts, _from_iso)[codes], ISO, (), zoned)
    found = _by_formats(texts, [split(text)[0] for text in sample], codes)
    return None if found is None else found._replace(zoned=zoned)


def read_clock(cells: Sequence[Any]) -> Int[np.ndarray, "time"] | None:
    """Microseconds since midnight, if every cell is a time of day; 24:00 is the next midnight.

    >>> read_clock(["00:30", "24:00"]).tolist()
    [1800000000, 86400000000]
    """
    distinct, codes = _distinct(cells)
    texts = [tidy(str(cell)) for cell in distinct if isinstance(cell, str | datetime.time)]
    if not texts or len(texts) < len(distinct):
        return None
    found = _best(texts, CLOCK_FORMATS, _clock)
    if not found or (times := found[0][1]).count(None):
        return None
    return np.array([time for time in times if time is not None], np.int64)[codes]


def _by_formats(
    texts: list[str | None], wanted: list[str], codes: Int[np.ndarray, "time"]
) -> Dates | None:
    """The dates by the formats of the table that fit the most of a sample of days."""
    few = wanted[:: max(1, len(wanted) // _FEW)]
    forms = [form for form in DATE_FORMATS if _share(few, form, _date) >= _MOST / 2]
    forms = [form for form, _ in _best(wanted, forms, _date, most=_MOST)]
    if not forms:
        return None
    pieces = [None if text is None else split(text) for text in texts]
    days = list(dict.fromkeys(piece[0] for piece in pieces if piece))
    clocks = list(dict.fromkeys(piece[1] for piece in pieces if piece and piece[1]))
    likely = _best(clocks[:: max(1, len(clocks) // _SAMPLE)], CLOCK_FORMATS, _clock, most=0.5)
    clock = _best(clocks, [likely[0][0]], _clock)[0] if likely else ("", [])
    of_clock = {"": 0} | dict(zip(clocks, clock[1], strict=False))
    zones = np.array([piece[2] if piece else 0 for piece in pieces], np.int64)
    found = []
    for form, read in _best(days, forms, _date):
        of_day = dict(zip(days, read, strict=True))
        parts = [(None, None) if p is None else (of_day[p[0]], of_clock.get(p[1])) for p in pieces]
        raw = np.array([_NONE if d is None or c is None else d + c for d, c in parts], np.int64)
        times = np.where(raw == _NONE, _NONE, raw - zones).astype("datetime64[us]")
        found.append(Dates(times[codes], f"{form} {clock[0]}".strip()))
    return found[0]._replace(others=tuple(found[1:]))


def _best(
    texts: list[str],
    forms: Sequence[str],
    read: Callable[[str, str], int | None],
    most: float = 0,
) -> list[tuple[str, list[int | None]]]:
    """The formats that read the most of some texts, and what they read."""
    found = [(form, [read(text, form) for text in texts]) for form in forms]
    counts = [len(texts) - times.count(None) for _, times in found]
    least = max([1, most * len(texts), *counts])
    return [one for one, count in zip(found, counts, strict=True) if count >= least]


def _share(texts: list[str], form: str, read: Callable[[str, str], int | None]) -> float:
    """The share of some texts that have a format."""
    return sum(read(text, form) is not None for text in texts) / len(texts)


def _date(text: str, form: str) -> int | None:
    if len(text) != _LENGTHS.get(form, len(text)) or ("%j" in form and not text[-3:].isdigit()):
        return None
    return _strptime(text, form)


def _clock(text: str, form: str) -> int | None:
    # Midnight at the end of a day, which strptime does not know.
    late = text.startswith("24:00")
    time = _strptime("00" + text[2:] if late else text, form)
    return None if time is None else (time - _START) + DAY * late


def _strptime(text: str, form: str) -> int | None:
    try:
        return _microseconds(datetime.datetime.strptime(text, form))
    except ValueError:
        return None


def _by_form(text: str, form: str) -> int | None:
    """By a format that fits the text as it stands, or in the spelling that notes show."""
    found = _strptime(text, form)
    return _strptime(split_zone(tidy(text))[0], form) if found is None else found


def _from_iso(text: str) -> int | None:
    text = text.replace("_", " ")
    if len(text) < 8 or not text[:4].isdigit():
        return None
    try:
        return _microseconds(datetime.datetime.fromisoformat(text))
    except ValueError:
        return None


def _microseconds(time: datetime.datetime) -> int:
    if time.tzinfo is None:
        time = time.replace(tzinfo=datetime.UTC)
    return (time - _EPOCH) // datetime.timedelta(microseconds=1)


_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_START = _microseconds(datetime.datetime(1900, 1, 1))


def _distinct(cells: Sequence[Any]) -> tuple[list[Any], Int[np.ndarray, "time"]]:
    numbers: dict[Any, int] = {}
    codes = np.fromiter((numbers.setdefault(cell, len(numbers)) for cell in cells), np.int64)
    return list(numbers), codes


def _text(cell: Any, digits: int = 0) -> str | None:
    """A cell as text: whole numbers without a decimal part, dates in ISO; None if it is missing."""
    if isinstance(cell, str):
        return cell.strip()
    if isinstance(cell, datetime.date):
        return cell.isoformat()
    if isinstance(cell, float | int) and cell == cell and abs(cell) < 1e15 and cell == round(cell):
        return f"{cell:.0f}".zfill(digits)
    return None


def _digits(form: str) -> int:
    """How many digits a format without separators takes, for numbers that lost their zeros."""
    counts = {"Y": 4, "j": 3} | dict.fromkeys("mdyHMS", 2)
    parts = form.split("%")
    return sum(counts.get(part, 0) for part in parts) if all(map(counts.get, parts[1:])) else 0


def _each(texts: Sequence[str | None], read: Read) -> np.ndarray:
    times = [None if text is None else read(text) for text in texts]
    return np.array([_NONE if t is None else t for t in times], np.int64).astype("datetime64[us]")
