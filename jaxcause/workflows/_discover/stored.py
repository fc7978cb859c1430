"""What is done with a series that stays on disk: which rows are sampled where not all are used."""

from typing import NamedTuple

import numpy as np

from jaxcause._checks import InputError
from jaxcause._stored import StoredRows, sampled, stretches
from jaxcause.series import SeriesTable
from jaxcause.workflows._discover.methods import Method


class InReach(NamedTuple):
    """The series as a method can use it, and a note if that is a sample of its rows."""

    table: SeriesTable
    notes: tuple[str, ...]


def in_memory(table: SeriesTable) -> SeriesTable:
    """The series, or a sample of one that stays on disk: stretches spread evenly over it.

    No window crosses from one stretch to the next.
    """
    values = table.values
    if not isinstance(values, StoredRows):
        return table
    parts = stretches(values)
    # Stretches of the sample that are borders of the series stay borders.
    border = np.concatenate([np.arange(part.start, part.stop) == part.start for part in parts])
    segment = np.concatenate([table.segment[part] for part in parts])
    begins = border | (np.diff(segment, prepend=segment[0]) != 0)
    begins[0] = False
    targets, times = table.targets, table.times
    return table._replace(
        values=sampled(values),
        segment=np.cumsum(begins),
        targets=None if targets is None else np.concatenate([targets[part] for part in parts]),
        times=None if times is None else times.of(np.concatenate([_rows(p) for p in parts])),
    )


def in_reach(table: SeriesTable, method: Method, *, per_row: bool) -> InReach:
    """The series for a method: on disk if the method reads it by blocks, otherwise in memory.

    Args:
        table: The series.
        method: The method.
        per_row: Whether an option holds a value for each row.

    Raises:
        InputError: An option has a value for each row, of which a sample would be taken.
    """
    if method.streams or not isinstance(table.values, StoredRows):
        return InReach(table, ())
    if per_row:
        raise InputError(
            f"domain is given for each row, but method={method.name!r} takes a sample of a series "
            "that stays on disk; leave domain out, or give a part of the series"
        )
    return InReach(in_memory(table), (_said(f"method={method.name!r} used", table),))


def notes_on_sample(table: SeriesTable, method: Method, chosen: Method) -> tuple[str, ...]:
    """On what rows the transform of a series on disk was chosen or fitted."""
    if not isinstance(table.values, StoredRows):
        return ()
    kind = getattr(chosen, "transform", "")
    of_ranks = ["the ranks of transform='copula' were taken from"] * (kind == "copula")
    chose = ["the transform was chosen on"] * (getattr(method, "transform", "") == "auto")
    if not chose + of_ranks:
        return ()
    what = " and ".join(chose + of_ranks)
    return (_said(what[0].upper() + what[1:], table),)


def note_on_lags(table: SeriesTable) -> tuple[str, ...]:
    """On what rows the longest lag of a series on disk was chosen."""
    if not isinstance(table.values, StoredRows):
        return ()
    return (_said("max_lag was chosen on", table),)


def _rows(part: slice) -> np.ndarray:
    return np.arange(part.start, part.stop)


def _said(what: str, table: SeriesTable) -> str:
    parts = stretches(table.values)  # pyright: ignore[reportArgumentType]
    used = sum(part.stop - part.start for part in parts)
    spread = f", in {len(parts)} stretches spread evenly over it" * (len(parts) > 1)
    return (
        f"{what} {used:,} of the {len(table.values):,} rows of the series, which stays on "
        f"disk{spread}."
    )
