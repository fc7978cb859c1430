"""Numbers in text: signs, thousands, decimal commas, and what stands for a missing value."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jaxcause._checks import InputError, check_choice
from jaxcause.series._reading.words import MISSING

GROUPS = (",", ".", " ", "'")
"""Marks that may stand between thousands; other blanks and apostrophes are read as these."""

_SPELLINGS = str.maketrans({"−": "-", "\u00a0": " ", "\u202f": " ", "\u2009": " ", "’": "'"})
_SIGNS = re.compile(r"[$€£¥]\s*(.*)|(.*?)\s*[%‰€$£¥]")
_COMMA = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?")
_NUMBER = r"[+-]?\d+(?:[.,]\d+)?"
_MEASURE = re.compile(rf"[<>≤≥~]\s*{_NUMBER}|{_NUMBER}(?:\s+\S{{1,8}}|[°µ]\S{{0,8}})")
_MOST_AMBIGUOUS = 5


class Style(NamedTuple):
    """How numbers are written.

    Args:
        decimal: The decimal mark.
        thousands: The mark between thousands, if it is known.
        missing: Further cells that stand for a missing value.
        in_file: Whether the style can be told, as for a file.
    """

    decimal: str = "."
    thousands: str | None = None
    missing: frozenset[str] = frozenset()
    in_file: bool = False


def check_style(style: Style) -> None:
    """Raise unless the two marks can be told from each other."""
    check_choice("decimal", style.decimal, (".", ","))
    if style.thousands is not None:
        check_choice("thousands", style.thousands, GROUPS)
        if style.thousands == style.decimal:
            raise InputError(f"thousands and decimal are both {style.decimal!r}; change one")


class Numbers(NamedTuple):
    """A column of text as numbers.

    Args:
        values: NaN where a cell is missing or none.
        odd: The rows of cells that are no numbers.
        known: How many cells are numbers.
        notes: What was read in another way than as it stands.
        doubt: Why the column cannot be read although its cells look like numbers.
    """

    values: Float[np.ndarray, "time"]
    odd: Int[np.ndarray, "odd"]
    known: int
    notes: tuple[str, ...] = ()
    doubt: str = ""


def is_missing(cell: str, style: Style) -> bool:
    """Whether text stands for a missing value."""
    word = cell.strip()
    return word.lower() in MISSING or word in style.missing


def without_missing(column: np.ndarray, style: Style) -> np.ndarray:
    """A column of objects with NaN for words that stand for a missing value."""
    if column.dtype.kind == "U":
        column = column.astype(object)
    if column.dtype != object:
        return column
    filled = np.empty(len(column), object)
    filled[:] = [
        np.nan if cell is None or (isinstance(cell, str) and is_missing(cell, style)) else cell
        for cell in column.tolist()
    ]
    return filled


def as_numbers(column: np.ndarray) -> np.ndarray:
    """A column of objects as float64 if every cell is a number or missing."""
    cells = column.tolist() if column.dtype == object else []
    if not cells or any(isinstance(cell, bool | np.bool_) for cell in cells):
        return column
    try:
        return np.array([*map(float, cells)])
    except (TypeError, ValueError):
        return column


def is_known(cell: Any) -> bool:
    """Whether a cell is not missing."""
    return not (cell is None or (isinstance(cell, float) and cell != cell))


def read_numbers(name: str, column: np.ndarray, style: Style) -> Numbers:
    """The numbers of a column of objects whose missing cells are NaN.

    >>> column = np.array(["1,265.50", "−3", "x"], object)
    >>> found = read_numbers("price", column, Style())
    >>> found.values.tolist(), found.odd.tolist()
    ([1265.5, -3.0, nan], [2])
    """
    distinct: dict[Any, list[int]] = {}
    for row, cell in enumerate(column.tolist()):
        if is_known(cell):
            distinct.setdefault(cell, []).append(row)
    values = np.full(len(column), np.nan)
    odd: dict[Any, list[int]] = {}
    for cell, rows in distinct.items():
        number = _number(cell, style.decimal)
        if number is None:
            odd[cell] = rows
        else:
            values[rows] = number
    plain = [cell for cell in distinct if cell not in odd]
    read, notes, doubt = _grouped(name, odd, plain, style)
    for cell, number in read.items():
        values[odd.pop(cell)] = number
    rows = np.array(sorted(row for each in odd.values() for row in each), np.int64)
    return Numbers(values, rows, int(np.sum(~np.isnan(values))), notes, doubt)


def _number(cell: Any, decimal: str) -> float | None:
    """The number in a cell without marks between thousands."""
    if isinstance(cell, str):
        cell = cell.translate(_SPELLINGS).strip()
        if decimal == ",":
            if "." in cell:
                return None
            cell = cell.replace(",", ".")
    try:
        return float(cell)
    except (TypeError, ValueError):
        return None


def _grouped(
    name: str, odd: dict[Any, list[int]], plain: list[Any], style: Style
) -> tuple[dict[str, float], tuple[str, ...], str]:
    """Numbers with signs of currency or per cent and marks between thousands."""
    texts = {cell: _without_signs(cell) for cell in odd if isinstance(cell, str)}
    signed = [cell for cell, text in texts.items() if text != cell.translate(_SPELLINGS).strip()]
    numbers = {cell: _number(text, style.decimal) for cell, text in texts.items()}
    read = {cell: number for cell, number in numbers.items() if number is not None}
    notes = []
    for mark in GROUPS if style.thousands is None else (style.thousands,):
        shape = _shape(mark, style.decimal)
        cells = [c for c, text in texts.items() if c not in read and shape.fullmatch(text)]
        if mark == style.decimal or not cells:
            continue
        grouped = [texts[cell] for cell in cells]
        if style.thousands is None and _is_doubtful(grouped, plain, mark, style.decimal):
            return {}, (), _doubt(name, grouped[0], odd[cells[0]][0], mark, style)
        read |= {c: float(_joined(texts[c], mark, style.decimal)) for c in cells}
        shown = "blanks" if mark == " " else repr(mark)
        notes.append(
            f"Column {name!r}: {shown} between thousands was left out, so {cells[0]!r} is "
            f"{read[cells[0]]:g}."
        )
    if any(cell in read for cell in signed):
        shown = next(cell for cell in signed if cell in read)
        notes.append(f"Column {name!r}: {shown!r} was read as {read[shown]:g}.")
    return read, tuple(notes), ""


def _without_signs(cell: str) -> str:
    text = cell.translate(_SPELLINGS).strip()
    match = _SIGNS.fullmatch(text)
    return (match[1] or match[2] or "") if match else text


def _shape(mark: str, decimal: str) -> re.Pattern[str]:
    m, d = re.escape(mark), re.escape(decimal)
    return re.compile(rf"[+-]?[1-9]\d{{0,2}}(?:{m}\d{{3}})+(?:{d}\d*)?")


def _joined(text: str, mark: str, decimal: str) -> str:
    return text.replace(mark, "").replace(decimal, ".")


def _is_doubtful(grouped: Sequence[str], plain: list[Any], mark: str, decimal: str) -> bool:
    """Whether a mark between thousands could as well be a decimal mark."""
    if mark not in ",." or any(text.count(mark) > 1 or decimal in text for text in grouped):
        return False
    whole = [_number(cell, decimal) for cell in plain]
    small = bool(whole) and all(w is not None and w == round(w) and abs(w) < 1000 for w in whole)
    fractional = any(w is not None and w != round(w) for w in whole)
    # A point among decimal commas may be the slip of a hand; many are not.
    many = len(grouped) >= _MOST_AMBIGUOUS
    return not ((fractional and (mark == "," or many)) or (small and many))


def _doubt(name: str, cell: str, row: int, mark: str, style: Style) -> str:
    where = "" if style.in_file else " to series.as_series_table"
    remedy = "pass decimal=','" if mark == "," else "write all decimals with commas"
    return (
        f"column {name!r} holds {cell!r} in row {row + 1}: if {mark!r} stands between thousands, "
        f"pass thousands={mark!r}{where}; if it is the decimal mark, {remedy}"
    )


def is_text(name: str, column: np.ndarray, found: Numbers) -> bool:
    """Whether a column holds text alone, and nothing that looks like a number.

    Raises:
        InputError: Most cells are numbers with a unit or a sign such as ``<``.
    """
    if found.known or found.doubt or not found.odd.size:
        return False
    cells = [str(column[row]) for row in found.odd]
    if any(_is_number(cell) or _is_number(cell.replace(",", ".")) for cell in cells):
        return False
    sample = cells[:: max(1, len(cells) // 100)]
    measured = [cell for cell in sample if _MEASURE.fullmatch(cell.translate(_SPELLINGS).strip())]
    if len(measured) >= 0.8 * len(sample):
        raise InputError(
            f"column {name!r} holds numbers with a unit or a sign, such as {measured[0]!r} in row "
            f"{found.odd[0] + 1}; write numbers alone, or leave the column out"
        )
    return True


def check_numbers(name: str, column: np.ndarray, found: Numbers, style: Style) -> None:
    """Raise if some cells of a column are no numbers.

    Raises:
        InputError: It names the column, the row, the cell and the remedy.
    """
    if found.doubt:
        raise InputError(found.doubt)
    if not found.odd.size:
        return
    row = int(found.odd[0])
    cells = [(int(i), str(column[i])) for i in found.odd]
    commas = [one for one in cells if _COMMA.fullmatch(one[1])]
    if style.decimal == "." and commas:
        semicolons = " and, where cells are separated by semicolons, delimiter=';'"
        call = "decimal=','" if style.in_file else "decimal=',' to series.as_series_table"
        raise InputError(
            f"column {name!r} has decimal commas, such as {commas[0][1]!r} in row "
            f"{commas[0][0] + 1}; pass {call}{semicolons * style.in_file}"
        )
    points = [one for one in cells if _is_number(one[1])]
    if style.decimal == "," and points:
        raise InputError(
            f"column {name!r} holds {points[0][1]!r} in row {points[0][0] + 1} among decimal "
            "commas; write all numbers alike"
        )
    shown = str(column[row])[:40]
    raise InputError(
        f"column {name!r} holds text in row {row + 1}: {shown!r}; correct it, leave the column out"
        f"{f' (drop={name!r})' * style.in_file}, or pass missing_value={shown!r} if it stands for "
        "a missing value"
    )


def _is_number(cell: str) -> bool:
    return _number(cell, ".") is not None
