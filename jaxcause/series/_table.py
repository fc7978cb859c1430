"""A multivariate series, as one array with names and unbroken stretches."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from jaxcause._checks import InputError
from jaxcause._stored import AnyRows, StoredRows, column_facts, held_rows, stacked
from jaxcause.series._reading.doubts import notes_on_suspects, without_variation
from jaxcause.series._time import seconds, stretches


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
        return seconds(self.column)

    def of(self, rows: Shaped[np.ndarray, "rows"]) -> "Times":
        """The times of some rows."""
        return Times(self.column[rows], self.series[rows])


class SeriesTable(NamedTuple):
    """A multivariate series, ready for windows.

    Args:
        values: One row per time step; NaN where a value is missing. A series larger than memory
            stays on disk.
        names: One per variable.
        segment: Which unbroken stretch a row belongs to; no window crosses from one to the next.
        notes: What was recognised or masked, in plain sentences.
        targets: Which rows may be predicted; all if None.
        times: When each row was; None if there is no time column.
    """

    values: Float[AnyRows, "time vars"]
    names: tuple[str, ...]
    segment: Int[np.ndarray, "time"]
    notes: tuple[str, ...] = ()
    targets: Bool[np.ndarray, "time"] | None = None
    times: Times | None = None

    @property
    def complete(self) -> Bool[np.ndarray, "time"]:
        """Which rows have every value."""
        return held_rows(self.values).every


def raw_table(
    values: Float[AnyRows, "time vars"],
    names: Sequence[str],
    times: Shaped[np.ndarray, "time"] | None = None,
    notes: tuple[str, ...] = (),
) -> SeriesTable:
    """A `SeriesTable` whose columns have not been checked yet."""
    check_names(names, values.shape[1])
    if len(values) == 0:
        raise InputError("series has no rows; it needs more rows than max_lag")
    if times is None:
        return SeriesTable(values, tuple(names), np.zeros(len(values), np.int64), notes)
    segment, said = stretches(times)
    series = np.zeros(len(values), np.int64)
    return SeriesTable(values, tuple(names), segment, (*notes, *said), None, Times(times, series))


def finished(table: SeriesTable, *, by_position: bool = False) -> SeriesTable:
    """A table whose columns vary, with notes on what is missing and what looks wrong.

    Args:
        table: The series.
        by_position: Whether columns are known by their places, so that none may be left out.

    Raises:
        InputError: A value is infinite, or fewer than two columns vary.
    """
    faults = {}
    facts = column_facts(table.values)
    for name, fact in zip(table.names, facts, strict=True):
        if fact.infinite >= 0:
            raise InputError(
                f"column {name!r} holds an infinite value in row {fact.infinite + 1}; leave it "
                "empty to have that row masked"
            )
        if why := without_variation(fact):
            faults[name] = why
            if by_position:
                raise InputError(f"column {name!r} {why}; leave it out")
    kept = [k for k, name in enumerate(table.names) if name not in faults]
    left_out = tuple(f"Column {name!r} {why} and was left out." for name, why in faults.items())
    notes = (*table.notes, *left_out)
    if len(kept) < 2:
        raise InputError(
            f"series has {len(kept)} variable{'s' * (len(kept) != 1)} besides the time; it needs "
            "at least two" + (f" ({' '.join(notes)})" if notes else "")
        )
    names = tuple(table.names[k] for k in kept)
    values = table.values[:, kept] if faults else table.values
    if not isinstance(values, StoredRows):
        values = np.ascontiguousarray(values)
    # A table that is part of another was finished before.
    suspects = notes_on_suspects(names, [facts[k] for k in kept])
    further = (*note_on_missing(values), *suspects)
    notes = (*(note for note in notes if note not in further), *further)
    return table._replace(values=values, names=names, notes=notes)


def note_on_missing(values: Float[AnyRows, "time vars"]) -> tuple[str, ...]:
    """How many rows have a missing value, if any."""
    n_missing = int((~held_rows(values).every).sum())
    have = "has" if n_missing == 1 else "have"
    return (f"{n_missing} of {len(values)} rows {have} a missing value.",) * (n_missing > 0)


def names_as_text(names: Any) -> list[str]:
    """Names as text; whole numbers are written out.

    Raises:
        InputError: One of them is something else, or they are one text.
    """
    if isinstance(names, str) or not hasattr(names, "__iter__"):
        raise InputError(f"names={names!r} must be a list of names, one for each variable")
    given = list(names)
    for name in given:
        whole = isinstance(name, int | np.integer) and not isinstance(name, bool)
        if not (whole or isinstance(name, str)):
            raise InputError(
                f"names holds {name!r}, which is neither text nor a whole number; give text"
            )
    return [str(name) for name in given]


def check_names(names: Sequence[str], n_vars: int) -> None:
    """Raise unless there is a name of its own for each variable."""
    if len(names) != n_vars:
        raise InputError(f"names has {len(names)} entries for {n_vars} variables; give one each")
    if len(set(names)) < len(names):
        raise InputError(f"duplicate column names {repeated(names)}; rename one of each")


def repeated(names: Any) -> str:
    """The names that occur more than once, quoted."""
    seen: set[str] = set()
    return ", ".join(repr(n) for n in dict.fromkeys(n for n in names if n in seen or seen.add(n)))


def concatenate(tables: list[SeriesTable], called: Sequence[str]) -> SeriesTable:
    """Several series one after another, variables in the order of the first; a border is a gap.

    Args:
        tables: The series.
        called: How errors call them.
    """
    if not tables:
        raise InputError("series is an empty list; give at least one series")
    if len(tables) == 1:
        return tables[0]
    names = tables[0].names
    for table, name in zip(tables, called, strict=True):
        odd = sorted(set(table.names) ^ set(names))
        if odd:
            raise InputError(
                f"{name} has other variables than {called[0]} ({', '.join(odd[:5])} only in one of "
                "them); rename them, or leave them out by drop=…"
            )
    tables = [_in_order(table, names) for table in tables]
    shared = notes_on_shared_rows(tables, called)
    values = [table.values for table in tables]
    stored = any(isinstance(part, StoredRows) for part in values)
    offsets = np.cumsum([0, *(int(t.segment[-1]) + 1 for t in tables[:-1])])
    return SeriesTable(
        stacked(values) if stored else np.concatenate(values),
        names,
        np.concatenate([t.segment + o for t, o in zip(tables, offsets, strict=True)]),
        tuple(dict.fromkeys((*(note for t in tables for note in t.notes), *shared))),
        _targets_of(tables),
        _times_of(tables),
    )


def notes_on_shared_rows(tables: list[SeriesTable], called: Sequence[str]) -> list[str]:
    """A note on each series whose rows are those of one before: equal times and values.

    Series without times are compared as a whole. One that stays on disk is not compared.
    """
    seen: list[tuple[str, np.ndarray]] = []
    notes = []
    for table, name in zip(tables, called, strict=True):
        if isinstance(table.values, StoredRows):
            continue
        rows = _as_bytes(table)
        for other, before in seen:
            n_shared = int(np.isin(rows, before).sum())
            if n_shared and (table.times is not None or n_shared == len(rows) == len(before)):
                some = f"{n_shared} of {len(rows)} rows of {name}"
                notes.append(
                    f"{some} {'is' if n_shared == 1 else 'are'} rows of {other} as well, with "
                    f"{'the same time and ' if table.times is not None else ''}equal values: they "
                    "count twice, so that edges look surer than they are. Leave one copy out."
                )
                break
        seen.append((name, rows))
    return notes


def _as_bytes(table: SeriesTable) -> np.ndarray:
    """The times and values of each row as one item."""
    values: Any = table.values
    parts = values if table.times is None else np.column_stack([table.times.seconds, values])
    # Zeros of either sign, and missing values of any, are alike.
    plain = np.ascontiguousarray(np.where(np.isnan(parts), np.nan, parts + 0.0))
    return plain.view(np.dtype((np.void, plain.dtype.itemsize * plain.shape[1]))).ravel()


def _in_order(table: SeriesTable, names: Sequence[str]) -> SeriesTable:
    if tuple(names) == table.names:
        return table
    return table._replace(values=table.values[:, [table.names.index(name) for name in names]])


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
