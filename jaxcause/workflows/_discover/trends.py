"""Before the first stage: the series without its trend and seasons, if it is to be without them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxcause._checks import InputError
from jaxcause._stored import StoredRows
from jaxcause.series import CHANGES, SeriesTable, Trend, detrended, find_trend, row_seconds
from jaxcause.series._durations import as_seconds, in_words
from jaxcause.workflows._discover.listing import first_of
from jaxcause.workflows._discover.methods import Method
from jaxcause.workflows._discover.resolution import PLAIN_LAG

OWN_SHAPE = (*CHANGES, "log")
"""Transforms that say what is done about drift; ``"auto"`` leaves their series alone."""


class WithoutTrend(NamedTuple):
    """A series without trend and seasons, and what was taken out; None if nothing was."""

    table: SeriesTable
    trend: Trend | None


def without_trend(
    table: SeriesTable, detrend: Any, max_lag: int | str, method: Method | str
) -> WithoutTrend:
    """The series that is searched: without what it does by the clock, or as it is.

    Args:
        table: The series.
        detrend: What `discover` was asked for.
        max_lag: Longest lag, or ``"auto"``.
        method: The method, or ``"auto"``; what a trained forecaster went without stays out.

    Raises:
        InputError: ``detrend`` cannot be read, or not be done.
    """
    if isinstance(table.values, StoredRows):
        return WithoutTrend(_on_disk(table, detrend), None)
    linear, periods = _asked(table, detrend, max_lag, method)
    if not linear and not periods:
        return WithoutTrend(table, None)
    rest, trend = detrended(table, linear=linear, periods=periods)
    note = _note(table, rest, trend, found=isinstance(detrend, str) and detrend == "auto")
    return WithoutTrend(rest._replace(notes=(*rest.notes, note)), trend)


def _on_disk(table: SeriesTable, detrend: Any) -> SeriesTable:
    """The series as it is; a note says that no trend was looked for.

    Raises:
        InputError: Something is to be taken out.
    """
    if detrend is None or detrend is False:
        return table
    if not (isinstance(detrend, str) and detrend == "auto"):
        raise InputError(
            f"detrend={detrend!r} is not for a series that stays on disk; take the trend out before"
        )
    note = "Trend and seasons were not looked for, since the series stays on disk."
    return table._replace(notes=(*table.notes, note))


def _asked(
    table: SeriesTable, detrend: Any, max_lag: int | str, method: Method | str
) -> tuple[bool, tuple[float, ...]]:
    """Whether a line is taken out, and which seasons."""
    forecaster = getattr(method, "forecaster", None)
    if isinstance(detrend, str) and detrend == "auto":
        if forecaster is not None:
            known = forecaster.trend
            return (False, ()) if known is None else (known.linear, known.periods)
        if getattr(method, "transform", None) in OWN_SHAPE:
            return False, ()
        return find_trend(table, PLAIN_LAG if isinstance(max_lag, str) else max_lag)
    linear, periods = _read(table, detrend)
    trained = (
        (False, ()) if forecaster is None or forecaster.trend is None else forecaster.trend[:2]
    )
    if forecaster is not None and (linear, periods) != trained:
        raise InputError(
            f"detrend={detrend!r}, but the forecaster was trained with another one; leave detrend "
            "out, or train a new one"
        )
    return linear, periods


def _read(table: SeriesTable, detrend: Any) -> tuple[bool, tuple[float, ...]]:
    """What the caller wrote, without ``"auto"``."""
    if detrend is None or detrend is False:
        return False, ()
    if isinstance(detrend, str) and detrend == "linear":
        return True, ()
    several = isinstance(detrend, Sequence) and not isinstance(detrend, str)
    return True, tuple(_period(table, one) for one in (detrend if several else [detrend]))


def _period(table: SeriesTable, period: Any) -> float:
    """The length of a season in rows.

    Raises:
        InputError: It is no number or duration, too short or too long, or has no column of dates.
    """
    # A duration of numpy is a number to Python.
    if isinstance(period, int | float | np.number) and not isinstance(
        period, bool | np.timedelta64
    ):
        rows = float(period)
    else:
        try:
            seconds, step = as_seconds("detrend", period), row_seconds(table)
        except InputError:
            raise InputError(
                f"detrend={period!r} is not known; give 'auto', 'linear', None, or seasons: rows "
                "such as 12, or durations such as '3h' (units s, min, h, d, w)"
            ) from None
        if step is None:
            raise InputError(
                f"detrend={period!r} is a duration, but the rows have no dates with even steps; "
                "give the season in rows, such as 12"
            )
        rows = seconds / step
    if not 2 < rows <= len(table.values):
        raise InputError(
            f"detrend={period!r} is a season of {rows:g} rows, but the series has "
            f"{len(table.values)}; give one of more than 2 rows that the series covers"
        )
    return rows


def _note(table: SeriesTable, rest: SeriesTable, trend: Trend, *, found: bool) -> str:
    """What was taken out, how much of the columns it is, and how to keep it."""
    parts = [f"a season of {_length(table, period)}" for period in trend.periods]
    parts = ["a linear trend"] * trend.linear + parts
    shaped = [t.values if trend.shape is None else trend.shape(t.values) for t in (table, rest)]
    before, after = (np.nanvar(values, axis=0) for values in shaped)
    share = 1 - after / np.maximum(before, np.finfo(float).tiny)
    most = int(np.argmax(share))
    said = (
        f"{' and '.join(parts).capitalize()} {'was' if len(parts) == 1 else 'were'} taken out of "
        f"every column first ({share[most]:.0%} of the variance of {table.names[most]!r})"
    )
    why = ", since the past alone forecasts worse" if found else ""
    bare = [table.names[k] for k in np.flatnonzero(~trend.coefficients.any(axis=0))]
    stays = f" Nothing would be left of {first_of(bare)}, which stayed as before." if bare else ""
    return f"{said}{why}.{stays} detrend=None (--detrend none) keeps the columns as they are."


def _length(table: SeriesTable, period: float) -> str:
    step = row_seconds(table)
    return f"{period:.4g} rows" + (f" ({in_words(period * step)})" if step is not None else "")
