"""From a series to its lagged causal graph, in one call."""

import dataclasses
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, PRNGKeyArray

from jaxcause._checks import InputError, check_at_least, check_choice
from jaxcause._memory import check_memory
from jaxcause._stored import AnyRows, StoredRows, blocks
from jaxcause.series import (
    SeriesTable,
    as_series_table,
    changes,
    fit_level,
    rows_of_windows,
    usable_windows,
    why_no_window,
    with_targets,
)
from jaxcause.workflows._cache import kept_programs
from jaxcause.workflows._discover.auto import resolve_auto
from jaxcause.workflows._discover.info import DiscoveryInfo, Finding
from jaxcause.workflows._discover.leftover import leftover_of_line, notes_on_leftover
from jaxcause.workflows._discover.listing import counted
from jaxcause.workflows._discover.methods import Method, method_named, registered
from jaxcause.workflows._discover.provenance import provenance
from jaxcause.workflows._discover.random_keys import default_key
from jaxcause.workflows._discover.remarks import n_cyclic, remarks_on_data, remarks_on_graph
from jaxcause.workflows._discover.resolution import (
    at_resolution,
    at_resolution_of,
    forecaster_at,
    resolution_kept,
)
from jaxcause.workflows._discover.result import Discovery
from jaxcause.workflows._discover.shortcuts import notes_on_shortcuts
from jaxcause.workflows._discover.stored import in_reach
from jaxcause.workflows._discover.transforms import note_on_transform, with_transform
from jaxcause.workflows._discover.trends import without_trend

BYTES_PER_LINK = 80
"""Scores, p- and q-values, statistics and masks of each link ``[source, target, lag]``."""
BYTES_PER_VALUE = 40.0
"""Copies of a series in memory: as it is, transformed, and in windows …"""
BYTES_PER_ROW = 60.0
"""… and first rows of windows and stretches of a series that stays on disk."""
FEWEST_WINDOWS = 4
"""Windows below which no test of a method has a degree of freedom."""


@kept_programs()
def discover(
    series: Any,
    max_lag: int | Literal["auto"] = 5,
    *,
    names: Sequence[str | int] | None = None,
    method: str | Method = "gradient",
    key: PRNGKeyArray | None = None,
    time_column: str | None = None,
    time_format: str | None = None,
    missing_value: float | str | Sequence[float | str] | None = None,
    mask: Any = None,
    resample: Any = None,
    detrend: Any = "auto",
    progress: bool = True,
    **options: Any,
) -> Discovery:
    r"""Learn which variable drives which, at which lag.

    - ``method="gradient"`` trains an autoregressive Transformer and keeps the lagged inputs on
      which its forecasts depend: any nonlinear effect on the mean.
    - ``method="pc"`` searches with partial correlations over lagged variables: linear effects.
    - ``method="pcmci"`` and ``"pcmci+"`` (contemporaneous effects, too) test each pair given the
      parents of both ends, which copes with strong autocorrelation.
    - ``method="var"`` tests the coefficients of a linear vector autoregression, ``"lasso"`` keeps
      those that a penalty leaves.

    Every method is a frozen dataclass in `jaxcause.methods`; its fields are its options, and are
    documented there. ``discover(x, 5, method="pcmci", alpha=0.1)`` and
    ``discover(x, 5, method=jc.methods.PCMCI(alpha=0.1))`` are the same call.

    All methods assume that every common cause is among the variables (but for ``latents`` of
    ``"gradient"``), that no cause acts within a time step (but for ``contemporaneous``), that
    ``max_lag`` covers all lags, and that the mechanism does not change.

    What is compiled is kept for the next process (``JAXCAUSE_CACHE=off`` turns this off).

    Args:
        series: ``[time, vars]`` as numpy or JAX array or data frame (names are kept, a time column
            is recognised and left out), or a list of several series. No window crosses a gap in
            time or the border of two series, or holds a missing value (but see ``missing`` of
            the method). A memory map (``np.load(file, mmap_mode="r")``), an array of zarr or h5py,
            or an iterator over batches of rows, of more than 2²³ values stays on disk: linear
            methods read all of it block by block, ``"gradient"`` a sample, which a note counts.
        max_lag: Longest lag, in rows; ``"auto"`` takes the shortest history that a linear model
            forecasts as well from as from any longer one, and the notes say which.
        names: Names of the variables, where ``series`` has none.
        method: Name of a method, one of `jaxcause.methods`, or ``"auto"``; the notes then say what
            was chosen, and why.
        key: Random key; ``jax.random.key(0)`` if left out, which ``info`` says. Methods without
            training give the same graph for every key.
        time_column: Name of the time column, if it is not recognised by itself.
        time_format: How times in text are written, as for ``strptime``, if it is not recognised.
        missing_value: What stands for a missing value, such as -999 or ``"none"``, or several.
        mask: Boolean per row (of several series, a list of such): whether the row may be predicted,
            such as whether it belongs to one season. Its past may lie outside the mask.
        resample: Average blocks of so many rows first, or of a duration such as ``"3h"`` or a
            timedelta, which needs a column of dates; see `jaxcause.series.blocks_of`. Lags then
            count blocks, and a note says how long one is. ``"auto"`` averages only rows that are
            nearly copies of the row before (`jaxcause.series.suggested_factor`). By default rows
            stay as they are, and a note says where ``"auto"`` would average them.
        detrend: Take a linear trend (``"linear"``) or that and seasons out of every column first:
            one season or several, in rows (``12``) or as durations (``"1d"``), each with its half
            and third. ``"auto"`` takes out what `jaxcause.series.find_trend` finds, unless the
            transform is one of changes or logarithms, and a note says what; None takes out nothing.
        progress: Whether to draw a progress bar on stderr.
        **options: Options of the method, if it is given by name.

    Returns:
        ``.graph``, ``.scores [source, target, lag]``, ``.effects`` with their signs, ``.table``,
        ``.forecaster`` and ``.info``; ``.respond({"rain": 1.0})`` says how the series responds.

    Raises:
        InputError: Something about the series or an option is wrong; one line names it and the
            remedy; an option that the method does not have is an error as well.
        DiscoveryInterrupted: On Ctrl-C while training; it carries the best forecaster so far.

    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(400, 2))
    >>> x[2:, 1] += 0.9 * x[:-2, 0]
    >>> discover(x, max_lag=3, names=["rain", "river"], method="var").graph.edges(["rain", "river"])
    [('rain', 2, '-->', 'river')]
    """
    began = time.perf_counter()
    if max_lag != "auto":
        check_at_least("max_lag", max_lag, 1)
    method = _method_of(method, options)
    movable = mask is None and not _has_domain_per_row(method, options)
    how = {"time_column": time_column, "time_format": time_format, "missing_value": missing_value}
    given = _masked(as_series_table(series, names=names, movable=movable, **how), mask)
    table, blocks = at_resolution(given, resample, max_lag, method)
    table, trend = without_trend(table, detrend, max_lag, method)
    n_lags, chosen, reasons = resolve_auto(table, max_lag, method)
    if isinstance(chosen, str):
        chosen = method_named(chosen, options)
    chosen, mixed = at_resolution_of(blocks, chosen)
    table, sampled = in_reach(table, chosen, per_row=_has_domain_per_row(chosen, options))
    _check_fits(table, n_lags, chosen)
    ready = with_transform(table, n_lags, chosen)
    used_key: Any = default_key() if key is None and chosen.takes_key else key
    with resolution_kept(blocks, trend):
        found = ready.method(table, n_lags, key=used_key, progress=progress)
    told = (*table.notes, *reasons, *mixed, *sampled, *ready.notes)
    graph, forecaster = found.graph, forecaster_at(blocks, trend, found.forecaster)
    trained = forecaster is not None
    info = _with_errors(found.info, table, n_lags, chosen, ready.errors)
    info = dataclasses.replace(
        info,
        method=chosen.name,
        title=chosen.title or chosen.name,
        settings=chosen.settings,
        resample=1 if blocks is None else blocks.factor or blocks.rows_per_block,
        one_lag=None if blocks is None else blocks.length,
        detrend=None if trend is None else {"linear": trend.linear, "periods": trend.periods},
        n_cyclic=n_cyclic(graph),
        notes=(*told, *_notes(table, n_lags, chosen, info, found, read=given)),
        provenance=provenance(given, key=used_key if trained else None),
        seconds={**info.seconds, "total": time.perf_counter() - began},
        key="jax.random.key(0), the default" if key is None and trained else None,
    )
    return Discovery(
        graph,
        found.scores,
        found.strength,
        table.names,
        forecaster,
        info,
        series=table,
        domain=found.domain,
        effects=found.effects,
        dynamics=found.dynamics,
    )


def _with_errors(
    info: DiscoveryInfo,
    table: SeriesTable,
    max_lag: int,
    method: Method,
    transform_errors: Mapping[str, float] | None,
) -> DiscoveryInfo:
    """The record with the errors of transforms, and what the errors of a linear model leave."""
    if transform_errors is not None:
        info = dataclasses.replace(info, transform_errors=transform_errors)
    if not method.linear:
        return info
    left = leftover_of_line(table, max_lag, info.transform or "standardise")
    return dataclasses.replace(info, residual_autocorrelation=left or None)


def _notes(
    table: SeriesTable,
    max_lag: int,
    method: Method,
    info: DiscoveryInfo,
    found: Finding,
    *,
    read: SeriesTable,
) -> tuple[str, ...]:
    """On the transform and the data, those of the method, and on the graph."""
    graph, transform = found.graph, info.transform or "standardise"
    return (
        *note_on_transform(method, info),
        *remarks_on_data(table, max_lag, method, info, read=read),
        *info.notes,
        *notes_on_leftover(info.residual_autocorrelation or {}, max_lag),
        *notes_on_shortcuts(table, graph, found.scores, transform=transform),
        *remarks_on_graph(graph, table.names),
    )


def _method_of(method: str | Method, options: dict[str, Any]) -> str | Method:
    """The method with its options, or ``"auto"``."""
    if isinstance(method, Method):
        if options:
            given = ", ".join(options)
            raise InputError(
                f"options of a method that is given whole are its own; give it {given}"
            )
        return method
    check_choice("method", method, ("auto", *registered()))
    return method if method == "auto" else method_named(method, options)


def _masked(table: SeriesTable, mask: Any) -> SeriesTable:
    return table if mask is None else with_targets(table, mask)


def _has_domain_per_row(method: str | Method, options: dict[str, Any]) -> bool:
    """Whether a regime is given for each row, so that rows must stay where they are."""
    domain = getattr(method, "domain", options.get("domain"))
    return domain is not None and not isinstance(domain, str)


def _check_fits(table: SeriesTable, max_lag: int, method: Method) -> None:
    """Raise unless the method takes masks, if there is one, and its windows can be used."""
    if table.targets is not None and not method.takes_mask:
        raise InputError(f"mask is not for method={method.name!r}; leave it out")
    n_rows, n_vars = table.values.shape
    stored = isinstance(table.values, StoredRows)
    check_memory(
        f"a graph of {n_vars:,} variables and max_lag={max_lag}",
        BYTES_PER_LINK * n_vars**2 * (max_lag + 1.0)
        + (BYTES_PER_ROW * n_rows if stored else BYTES_PER_VALUE * n_rows * n_vars),
        "give fewer variables or a smaller max_lag",
    )
    kind = str(getattr(method, "transform", ""))
    _check_long_enough(changes(table, fit_level(table, kind)), max_lag, method)


def _check_long_enough(table: SeriesTable, max_lag: int, method: Method) -> None:
    """Raise unless some window can be used, and every column varies in the usable ones."""
    n_rows, length = len(table.values), method.window_length(max_lag)
    if n_rows < length:
        raise InputError(
            f"series has {counted(n_rows, 'row')}, but one window of method="
            f"{method.name!r} with max_lag={max_lag} takes {length}; give a longer series or a "
            "smaller max_lag"
        )
    starts = usable_windows(table, length - 1, mask_missing=method.masks_missing)
    if len(starts) == 0 and table.targets is not None:
        raise InputError(
            f"mask leaves no window of {length} complete rows that ends in one of its "
            f"{int(table.targets.sum())} rows; widen it or give a smaller max_lag"
        )
    if len(starts) == 0:
        raise InputError(why_no_window(table, length))
    if len(starts) < FEWEST_WINDOWS:
        raise InputError(
            f"series has {len(starts)} window{'s' * (len(starts) != 1)} of {length} complete rows "
            f"in a row, but tests need {FEWEST_WINDOWS} or more; give a longer series or a smaller "
            "max_lag"
        )
    used = rows_of_windows(starts, length, n_rows)
    for name, varies in zip(table.names, _varying(table.values, used), strict=True):
        if not varies:
            raise InputError(f"column {name!r} is constant in all complete windows; leave it out")


def _varying(values: Float[AnyRows, "time vars"], used: Bool[np.ndarray, "time"]) -> list[bool]:
    """Which columns have two different values in some rows."""
    if isinstance(values, StoredRows) and used.all():
        return [len(fact.levels) > 1 for fact in values.columns]
    low, high, first = np.inf, -np.inf, 0
    for block in blocks(values):
        inside = np.where(used[first : first + len(block), None], block, np.nan)
        low, high = np.fmin(low, np.fmin.reduce(inside)), np.fmax(high, np.fmax.reduce(inside))
        first += len(block)
    return np.less(low, high).tolist()
