"""From a series to its lagged causal graph, in one call."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from jaxcause._checks import InputError, check_at_least, check_choice, check_probability
from jaxcause._typing import AnyArray
from jaxcause.graph import LaggedGraph
from jaxcause.io import SeriesTable, as_series_table
from jaxcause.training import TRANSFORMS, TrainingConfig, window_starts
from jaxcause.workflows._forecaster import TrainedForecaster
from jaxcause.workflows._gradient import READOUTS, GradientOptions, discover_gradient
from jaxcause.workflows._linear import discover_pc, discover_var
from jaxcause.workflows._result import Discovery

METHODS = ("gradient", "pc", "var")


def discover(
    series: Any,
    max_lag: int = 5,
    *,
    names: Sequence[str] | None = None,
    method: str = "gradient",
    key: PRNGKeyArray | None = None,
    q: float = 0.1,
    alpha: float = 0.01,
    select: Callable[[Float[AnyArray, "vars vars lags"]], LaggedGraph] | None = None,
    readout: str = "gradient_energy",
    transform: str = "auto",
    skip: bool | None = None,
    model: dict[str, int] | None = None,
    training: TrainingConfig | None = None,
    held_out: float = 0.2,
    n_windows: int = 1024,
    max_cond_size: int | None = None,
    contemporaneous: bool = False,
    time_column: str | None = None,
    forecaster: TrainedForecaster | None = None,
    progress: bool = True,
) -> Discovery:
    r"""Learn which variable drives which, at which lag.

    - ``method="gradient"`` trains an autoregressive Transformer and keeps the lagged inputs on
      which its forecasts depend: any nonlinear effect on the mean. Where a linear model forecasts
      as well, the edges are chosen by its t-tests, which have more power; ``info`` says so.
    - ``method="pc"`` searches with partial correlations over lagged variables: linear effects.
    - ``method="var"`` tests the coefficients of a linear vector autoregression.

    All assume that every common cause is among the variables, that no cause acts within a time
    step (but for ``contemporaneous``), that ``max_lag`` covers all lags, and that the mechanism
    does not change.

    Args:
        series: ``[time, vars]`` as numpy or JAX array or pandas frame (names are kept, a time
            column is recognised and left out), or a list of several series. Rows with missing
            values are masked: no window crosses them, a gap in time, or the border of two series.
        max_lag: Longest lag, in rows.
        names: Names of the variables, where ``series`` has none.
        method: ``"gradient"``, ``"pc"`` or ``"var"``.
        key: Random key of a trained method; ``jax.random.key(0)`` if left out, which ``info`` says.
        q: False-discovery rate aimed at by ``"gradient"`` and ``"var"``.
        alpha: Significance level of ``"pc"``.
        select: Another rule from scores to edges for ``"gradient"`` than
            `jaxcause.attribution.select_fdr`, such as
            ``lambda scores: jaxcause.attribution.select_top_k(scores, 3)``.
        readout: ``"gradient_energy"`` or ``"input_x_gradient"``.
        transform: ``"standardise"``, ``"log"``, ``"copula"``, or ``"auto"``: for ``"gradient"`` the
            one under which a linear autoregression forecasts best, else ``"standardise"``.
        skip: Whether a linear autoregression is part of the forecaster. By default both are trained
            and the better forecast is kept; from 20,000 windows on it is left out.
        model: Sizes of the forecaster: ``width``, ``depth``, ``n_heads``, ``mlp_ratio``.
        training: Steps, batch size, learning rate, patience; chosen from the data by default.
        held_out: Share of the windows, the latest, that judges forecasts and stops training.
        n_windows: Windows over which gradients are averaged.
        max_cond_size: Largest conditioning set of ``"pc"``.
        contemporaneous: Whether ``"pc"`` allows edges within a time step.
        time_column: Name of the time column, if it is not recognised by itself.
        forecaster: A trained forecaster of these variables, to skip training.
        progress: Whether to draw a progress bar on stderr.

    Returns:
        ``.graph``, ``.scores [source, target, lag]``, ``.table``, ``.forecaster`` and ``.info``.

    Raises:
        InputError: Something about the series or an argument, told in one line with its remedy.
        DiscoveryInterrupted: On Ctrl-C while training; it carries the best forecaster so far.

    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(400, 2))
    >>> x[2:, 1] += 0.9 * x[:-2, 0]
    >>> discover(x, max_lag=3, names=["rain", "river"], method="var").graph.edges(["rain", "river"])
    [('rain', 2, '-->', 'river')]
    """
    check_at_least("max_lag", max_lag, 1)
    check_choice("method", method, METHODS)
    check_choice("readout", readout, tuple(READOUTS))
    check_choice("transform", transform, ("auto", *TRANSFORMS))
    for name, value in (("q", q), ("alpha", alpha), ("held_out", held_out)):
        check_probability(name, value)
    check_at_least("n_windows", n_windows, 1)
    table = as_series_table(series, names=names, time_column=time_column)
    _check_long_enough(table, max_lag)
    if method == "var":
        kind = "standardise" if transform == "auto" else transform
        return _with_notes(discover_var(table, max_lag=max_lag, q=q, transform=kind), table)
    if method == "pc":
        found = discover_pc(
            table,
            max_lag=max_lag,
            alpha=alpha,
            max_cond_size=max_cond_size,
            contemporaneous=contemporaneous,
            transform="standardise" if transform == "auto" else transform,
        )
        return _with_notes(found, table)
    options = GradientOptions(
        q=q,
        select=select,
        readout=readout,
        transform=transform,
        skip=skip,
        model=model or {},
        training=training,
        held_out=held_out,
        n_windows=n_windows,
        progress=progress,
    )
    chosen = jax.random.key(0) if key is None else key
    found = discover_gradient(table, max_lag, chosen, options, forecaster)
    if key is None:
        found.info["key"] = "jax.random.key(0), the default"
    return _with_notes(found, table)


def _check_long_enough(table: SeriesTable, max_lag: int) -> None:
    n_rows = len(table.values)
    if n_rows <= max_lag:
        raise InputError(
            f"series has {n_rows} rows, but max_lag={max_lag} needs more rows than lags; "
            "give a longer series or a smaller max_lag"
        )
    starts = window_starts(table.complete, table.segment, length=max_lag + 1)
    if len(starts) == 0:
        raise InputError(
            f"series has no {max_lag + 1} complete rows in a row ({int(table.complete.sum())} of "
            f"{n_rows} rows are complete); fill missing values or give a smaller max_lag"
        )
    used = table.values[np.unique(starts[:, None] + np.arange(max_lag + 1))]
    for name, column in zip(table.names, used.T, strict=True):
        if (column == column[0]).all():
            raise InputError(f"column {name!r} is constant in all complete windows; leave it out")


def _with_notes(found: Discovery, table: SeriesTable) -> Discovery:
    found.info["notes"] = [*table.notes, *found.info.get("notes", [])]
    return found
