"""Before the first stage: the series at the resolution that is asked for, or that suits it."""

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from jaxcause._checks import InputError
from jaxcause._stored import StoredRows
from jaxcause.series import (
    Blocks,
    SeriesTable,
    Trend,
    blocks_of,
    row_seconds,
    suggested_factor,
)
from jaxcause.series._durations import in_words
from jaxcause.workflows._discover.methods import Method

if TYPE_CHECKING:
    from jaxcause.workflows._discover.forecaster import TrainedForecaster

PLAIN_LAG = 5
"""Longest lag that a factor is suggested for while the lag itself is to be chosen."""


class Resolution(NamedTuple):
    """A series at some resolution, and the blocks of rows that it was made of, if it was."""

    table: SeriesTable
    blocks: Blocks | None


def at_resolution(
    table: SeriesTable, resample: Any, max_lag: int | str, method: Method | str
) -> Resolution:
    """The series that is searched: averaged over blocks of rows, or as it is.

    Args:
        table: The series.
        resample: What `discover` was asked for.
        max_lag: Longest lag, or ``"auto"``.
        method: The method, or ``"auto"``; the resolution of a trained forecaster is kept.

    Raises:
        InputError: See `jaxcause.series.blocks_of`; or the series would be averaged on disk.
    """
    n_lags = PLAIN_LAG if isinstance(max_lag, str) else max_lag
    fixed = None if isinstance(method, str) else method.resample
    if resample == "auto":
        resample = suggested_factor(table, n_lags) if fixed is None else fixed
        notes = _on_copies(table, resample) if fixed is None and resample > 1 else ()
    else:
        if resample is None:
            resample = 1 if fixed is None else fixed
        notes = _on_finer(table, suggested_factor(table, n_lags)) if resample == 1 else ()
    blocks = blocks_of(table, resample)
    if fixed is not None and fixed != (1 if blocks is None else blocks.factor):
        raise InputError(
            f"resample={resample!r}, but the forecaster was trained with resample={fixed}; leave "
            "resample out, or train a new one"
        )
    if blocks is not None and isinstance(table.values, StoredRows):
        raise InputError(
            f"resample={resample!r} is not for a series that stays on disk; average its rows "
            "before, or leave resample out"
        )
    table = table._replace(notes=(*table.notes, *notes))
    return Resolution(table if blocks is None else blocks.means(table), blocks)


def at_resolution_of(blocks: Blocks | None, method: Method) -> tuple[Method, tuple[str, ...]]:
    """The method with its options for each row mapped to blocks, and notes on them."""
    notes = []
    if blocks is None:
        return method, ()
    for name in method.per_row:
        given = getattr(method, name)
        if given is None or isinstance(given, str):
            continue
        mapped = blocks.most_frequent(name, given)
        method = dataclasses.replace(method, **{name: mapped})  # pyright: ignore
        if n_mixed := blocks.n_mixed(given):
            notes.append(
                f"{n_mixed} of {len(mapped)} blocks hold{'s' * (n_mixed == 1)} rows of several "
                f"values of {name}; each has that of most of its rows."
            )
    return method, tuple(notes)


def forecaster_at(
    blocks: Blocks | None, trend: Trend | None, forecaster: "TrainedForecaster | None"
) -> "TrainedForecaster | None":
    """The forecaster, which knows the rows of its time step and what was taken out of them."""
    if forecaster is None:
        return None
    factor = forecaster.resample if blocks is None else blocks.factor
    return dataclasses.replace(forecaster, resample=factor, trend=trend)


@contextlib.contextmanager
def resolution_kept(blocks: Blocks | None, trend: Trend | None) -> Iterator[None]:
    """A context in which the forecaster of an interrupted training keeps resolution and trend."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        if (forecaster := getattr(interrupt, "forecaster", None)) is not None:
            interrupt.forecaster = forecaster_at(blocks, trend, forecaster)  # pyright: ignore
        raise


def _on_copies(table: SeriesTable, factor: int) -> tuple[str, ...]:
    return (
        "Rows are nearly copies of the row before, so that effects take much longer than a row: "
        f"resample={_said(table, factor)} was chosen. resample=1 (--resample 1) turns it off.",
    )


def _on_finer(table: SeriesTable, factor: int) -> tuple[str, ...]:
    if factor == 1:
        return ()
    return (
        "Rows are nearly copies of the row before, so that effects take much longer than max_lag "
        f"reaches. Try resample={_said(table, factor)}, or resample='auto'.",
    )


def _said(table: SeriesTable, factor: int) -> str:
    step = row_seconds(table)
    return str(factor) + (f" ({in_words(factor * step)})" if step is not None else "")
