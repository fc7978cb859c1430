"""Columns of numbers that say when or in which order rows were: years, seconds, row numbers."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Shaped

from jaxcause._checks import InputError
from jaxcause.series._reading.coded import coded_dates
from jaxcause.series._reading.words import COUNTER_NAMES, INDEX, INDEX_NAMES, PARTS, TIME_NAMES

FEWEST = 20
"""Rows from which on a column that rises evenly is a counter, not a variable of few values."""

_NEARLY = 0.99
_SPREAD = 4
"""Times of their count that numbers may reach, and still be those of rows with gaps."""
_VAGUE = frozenset(("t", "index", "period", "tag")) | INDEX_NAMES
_CYCLIC = frozenset(name for name, part in PARTS.items() if part != "year")
"""Names of parts of dates, which begin anew each year, month or day."""

Columns = Mapping[str, np.ndarray]


class Numbered(NamedTuple):
    """A column of numbers that is the time.

    Args:
        name: Of the column.
        times: Dates, if the numbers are some in a code, or the numbers.
        form: The code, if there is one.
    """

    name: str
    times: Shaped[np.ndarray, "time"]
    form: str


def numbered_time(columns: Columns) -> Numbered | None:
    """The column of numbers that is the time: by its name, and by the order of its numbers.

    A first column may rise or fall by any steps, and stand in any order under a clear name. A
    vague name (``t``, ``index``, ``id``) and another place need strict order or even steps.

    Raises:
        InputError: Numbers of a time begin anew, as where several series are stacked.

    >>> columns = {"x": np.array([3.0, 1.0, 2.5]), "year": np.array([1902, 1901, 1900])}
    >>> numbered_time(columns).name
    'year'
    """
    numbers = {n: c.astype(np.float64) for n, c in columns.items() if is_numeric(c)}
    first = next(iter(columns), None)
    for name, values in numbers.items():
        if called(name) in TIME_NAMES and _is_time(name, values, first=name == first):
            return _of(name, values)
    for name, values in numbers.items():
        # One without gaps says nothing that the order of rows does not.
        if called(name) in COUNTER_NAMES and len(values) >= FEWEST and is_even(values):
            return None if step_of_counter(values) > 0 else Numbered(name, values, "")
    return None


def _is_time(name: str, values: Float[np.ndarray, "time"], *, first: bool) -> bool:
    """Whether numbers under the name of a time are one.

    Raises:
        InputError: They begin anew, as where several series are stacked.
    """
    clear = called(name) not in _VAGUE
    if first and (_never_falls(values) or _never_falls(-values)):
        return True
    if clear and (is_monotone(values) or (first and is_distinct(values))):
        return True
    coded = coded_dates(name, values, is_time=True) if is_distinct(values) else None
    if coded is not None and (clear or coded[1].startswith("YYYY")):
        return True
    sure = clear or called(name) == INDEX or len(values) >= FEWEST
    if sure and is_even(values):
        return True
    _check_restarts(name, values)
    return False


def unordered_times(columns: Columns) -> list[str]:
    """Columns of whole numbers under the clear name of a time, which may be no time."""
    wanted = TIME_NAMES - _VAGUE - _CYCLIC
    numbers = [n for n, c in columns.items() if called(n) in wanted and is_numeric(c)]
    return [n for n in numbers if (columns[n] == np.round(columns[n])).all()]


def notes_on_kept_times(columns: Columns) -> list[str]:
    """A note on each variable of whole numbers under the clear name of a time."""
    return [
        f"Column {name!r} is called like a time, but its numbers repeat or are in no order that is "
        f"recognised: it was kept as a variable. If it is the time, pass time_column={name!r}; "
        "else rename it, or leave it out."
        for name in unordered_times(columns)
    ]


def called(name: str) -> str:
    """The name of a column as lists of words have it."""
    return name.strip().lower()


def is_numeric(column: np.ndarray) -> bool:
    """Whether a column holds numbers, none of them missing."""
    return column.dtype.kind in "iuf" and len(column) > 0 and bool(np.isfinite(column).all())


def is_monotone(values: Float[np.ndarray, "time"]) -> bool:
    """Whether numbers rise from row to row, or fall."""
    steps = np.diff(values)
    return len(steps) > 0 and bool((steps > 0).all() or (steps < 0).all())


def is_distinct(values: Shaped[np.ndarray, "time"]) -> bool:
    """Whether next to no number occurs twice."""
    return len(np.unique(values)) >= _NEARLY * len(values)


def is_even(values: Float[np.ndarray, "time"]) -> bool:
    """Whether numbers in any order all differ and are those of rows, some of which may lack.

    >>> is_even(np.array([5.0, 1.0, 2.0])), is_even(np.array([5.0, 1.3, 2.0]))
    (True, False)
    """
    if len(values) < 3:
        return is_monotone(values)
    ordered = np.sort(values)
    steps = np.diff(ordered)
    unit = steps.min()
    if unit <= 0 or ordered[-1] - ordered[0] > _SPREAD * len(values) * unit:
        return False
    counts = (ordered - ordered[0]) / unit
    # Steps that rounding leaves little of are no steps.
    fine = np.abs(ordered).max() * 1e-12 < unit
    return bool(fine and (np.abs(counts - np.round(counts)) <= 1e-3).all())


def step_of_counter(values: Float[np.ndarray, "time"]) -> float:
    """The step of numbers that rise or fall by the same step from row to row; 0 of others.

    >>> step_of_counter(np.arange(30) * 0.5), step_of_counter(np.zeros(30))
    (0.5, 0.0)
    """
    if len(values) < FEWEST or not np.isfinite(values).all():
        return 0.0
    step = (values[-1] - values[0]) / (len(values) - 1)
    rough = 1e-9 * abs(step) + 4e-16 * np.abs(values).max()
    even = (np.abs(np.diff(values) - step) <= rough).all() and rough < 0.01 * abs(step)
    return float(step) if even else 0.0


def counters(columns: Columns) -> dict[str, str]:
    """Columns that count rows and are not the time, with a note on each."""
    found = {}
    for name, column in columns.items():
        if not is_numeric(column):
            continue
        values = column.astype(np.float64)
        if step := step_of_counter(values):
            found[name] = (
                f"Column {name!r} {'rises' if step > 0 else 'falls'} by {abs(step):g} from each "
                "row to the next, so that it counts rows; it was left out. If it is the time, "
                f"pass time_column={name!r}."
            )
        elif name == INDEX or (len(values) >= FEWEST and _is_index(called(name), values)):
            found[name] = (
                f"Column {name!r} numbers rows and was left out; its numbers are in no order, or "
                "occur more than once. If rows are of several series, give these as several inputs."
            )
    return found


def _is_index(name: str, values: np.ndarray) -> bool:
    """Whether numbers under the name of an index are those of rows, in any order."""
    if name not in INDEX_NAMES | COUNTER_NAMES:
        return False
    return is_even(values) or restarts(values) > 0


def restarts(values: Float[np.ndarray, "time"]) -> int:
    """How often numbers that rise evenly begin anew among numbers that were there before.

    >>> restarts(np.array([0.0, 1, 2, 3, 0, 1, 2, 3])), restarts(np.array([0.0, 1, 2, 3]))
    (1, 0)
    """
    steps = np.diff(values)
    ahead = steps[steps > 0]
    back = np.flatnonzero(steps <= 0)
    # A gap, and each beginning, are a step of their own.
    even = ahead.size and (ahead == np.median(ahead)).sum() >= 0.9 * len(steps) - len(back)
    if not even or not back.size or len(back) > len(values) / 3:
        return 0
    again = np.isin(values[back[0] + 1 :], values[: back[0] + 1]).mean()
    return len(back) if again > 0.5 else 0


def _never_falls(values: np.ndarray) -> bool:
    """Whether numbers never fall and mostly rise."""
    steps = np.diff(values)
    return len(values) > 0 and bool((steps >= 0).all() and np.sum(steps > 0) >= 0.5 * len(steps))


def _of(name: str, values: np.ndarray) -> Numbered:
    coded = coded_dates(name, values, is_time=True)
    return Numbered(name, values, "") if coded is None else Numbered(name, *coded)


def _check_restarts(name: str, values: np.ndarray) -> None:
    known = called(name)
    if known in INDEX_NAMES | _CYCLIC or len(values) < FEWEST or not restarts(values):
        return
    back = int(np.flatnonzero(np.diff(values) <= 0)[0])
    raise InputError(
        f"column {name!r} is called like a time and begins anew at row {back + 2} "
        f"({values[back]:g} is followed by {values[back + 1]:g}); give several series as several "
        "inputs; if it is no time, rename the column or leave it out"
    )
