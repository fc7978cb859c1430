"""From a series to its lagged causal graph, in one call."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np
from jaxtyping import Float, Int, PRNGKeyArray

from jaxcause._checks import InputError, check_at_least, check_choice, check_probability
from jaxcause._typing import AnyArray
from jaxcause.graph import LaggedGraph
from jaxcause.models.forecaster import PRESETS
from jaxcause.series import (
    TRANSFORMS,
    Links,
    SeriesTable,
    as_series_table,
    link_knowledge,
    usable_windows,
)
from jaxcause.training import TrainingConfig
from jaxcause.workflows._discover.auto import choose_max_lag, choose_method
from jaxcause.workflows._discover.forecaster import TrainedForecaster
from jaxcause.workflows._discover.methods.gradient import GradientOptions, discover_gradient
from jaxcause.workflows._discover.methods.linear import (
    discover_lasso,
    discover_pc,
    discover_pcmci,
    discover_var,
)
from jaxcause.workflows._discover.provenance import provenance
from jaxcause.workflows._discover.result import Discovery
from jaxcause.workflows._discover.scores import READOUTS, default_readout

ALPHA = 0.01
"""Significance level of the methods that search with tests alone."""
REFINE_ALPHA = 0.0001
"""The same where selected edges are searched again: they are few, and tested on long series."""
METHODS = ("gradient", "lasso", "pc", "pcmci", "pcmci+", "var")


def discover(
    series: Any,
    max_lag: int | Literal["auto"] = 5,
    *,
    names: Sequence[str] | None = None,
    method: str = "gradient",
    key: PRNGKeyArray | None = None,
    q: float = 0.1,
    alpha: float | None = None,
    select: Callable[[Float[AnyArray, "vars vars lags"]], LaggedGraph] | None = None,
    readout: str | None = None,
    transform: str = "auto",
    skip: bool | None = None,
    head: Literal["mean", "gaussian"] = "mean",
    model: str | dict[str, Any] = "base",
    training: TrainingConfig | None = None,
    members: int = 1,
    domain: Int[AnyArray, "time"] | Sequence[int] | None = None,
    missing: Literal["auto", "drop", "mask"] = "auto",
    forbidden: Links = (),
    required: Links = (),
    lag_limits: Mapping[tuple[str, str], int] | None = None,
    held_out: float = 0.2,
    n_windows: int = 1024,
    max_cond_size: int | None = None,
    contemporaneous: bool = False,
    latents: bool | None = None,
    time_column: str | None = None,
    forecaster: TrainedForecaster | None = None,
    checkpoint: str | Path | None = None,
    progress: bool = True,
) -> Discovery:
    r"""Learn which variable drives which, at which lag.

    - ``method="gradient"`` trains an autoregressive Transformer and keeps the lagged inputs on
      which its forecasts depend: any nonlinear effect on the mean. Where a linear model forecasts
      as well, and there are fewer than 20,000 windows, the edges are chosen by its t-tests, which
      have more power, and scored by its gradient energy; ``info`` says so.
    - ``method="pc"`` searches with partial correlations over lagged variables: linear effects.
    - ``method="pcmci"`` and ``"pcmci+"`` (effects within a time step, too) test each pair given the
      parents of both ends, which copes with strong autocorrelation (Runge et al. 2019, 2020).
    - ``method="var"`` tests the coefficients of a linear vector autoregression, ``"lasso"`` keeps
      those that a penalty leaves.

    All assume that every common cause is among the variables (but for ``latents``), that no cause
    acts within a time step (but for ``contemporaneous``), that ``max_lag`` covers all lags, and
    that the mechanism does not change.

    Args:
        series: ``[time, vars]`` as numpy or JAX array or pandas frame (names are kept, a time
            column is recognised and left out), or a list of several series. Rows with missing
            values are masked: no window crosses them, a gap in time, or the border of two series.
        max_lag: Longest lag, in rows; ``"auto"`` takes the shortest history that a regression
            forecasts as well from as from any longer one, and the notes say which.
        names: Names of the variables, where ``series`` has none.
        method: ``"gradient"``, ``"pc"``, ``"pcmci"``, ``"pcmci+"``, ``"var"``, ``"lasso"``, or
            ``"auto"``; the notes then say what was chosen, and why.
        key: Random key of a trained method; ``jax.random.key(0)`` if left out, which ``info`` says.
        q: False-discovery rate aimed at by ``"gradient"``, ``"var"``, ``"pcmci"`` and
            ``"pcmci+"``.
        alpha: Significance level of conditional independence tests: 0.01 for the methods that
            search with them (0.2 for ``"pcmci"``, which only selects conditions by them), 0.0001
            where ``"gradient"`` searches its edges again.
        select: Another rule from scores to edges for ``"gradient"`` than
            `jaxcause.attribution.select_fdr`, such as
            ``lambda scores: jaxcause.attribution.select_top_k(scores, 3)``.
        readout: ``"gradient_energy"``, ``"score_energy"`` (needs ``head="gaussian"``, and is then
            the default), ``"input_x_gradient"``, ``"attn_lrp"`` or ``"cp_lrp"`` (see
            `jaxcause.attribution.relevance`).
        transform: ``"standardise"``, ``"log"``, ``"copula"``, or ``"auto"``: for ``"gradient"`` the
            one under which a linear autoregression forecasts best, else ``"standardise"``.
        skip: Whether a linear autoregression is part of the forecaster. By default both are trained
            and the better forecast is kept; from 20,000 windows on it is left out.
        head: ``"mean"``, or ``"gaussian"``: the forecaster predicts a variance as well, and effects
            on the variance alone are found, too.
        model: A preset of the forecaster (``"small"``, ``"base"``, ``"large"``, or ``"content"``,
            the paper's attention), or its sizes: ``attention``, ``width``, ``depth``, ``n_heads``,
            ``mlp_ratio``, ``dtype``.
        training: Steps, batch size, learning rate, patience; chosen from the data by default.
        members: Size of an ensemble: scores are averaged over so many models, each trained on from
            the first on a block bootstrap; ``info["member_scores"]`` has each one's.
        domain: Regime of every row, 0, 1, …: an input of the forecaster. All share one graph.
        missing: ``"drop"`` leaves out windows with a missing value, ``"mask"`` makes missing values
            inputs of their own, ``"auto"`` masks where less than half of the windows are complete.
        forbidden: Links that are never selected: ``(source, target)`` for all lags,
            ``(source, target, lag)``, or a boolean array ``[source, target, lag]``.
        required: Links that are always selected, written likewise.
        lag_limits: Longest lag of single pairs: ``{("rain", "river"): 2}``.
        held_out: Share of the windows, the latest, that judges forecasts and stops training.
        n_windows: Windows over which gradients are averaged.
        max_cond_size: Largest conditioning set of ``"pc"`` and of the search of PCMCI.
        contemporaneous: Whether causes may act within a time step. ``"gradient"`` then searches
            its selected edges again, with all edges within a step allowed.
        latents: Whether common causes may be hidden: ``"gradient"`` then searches its selected
            edges again, and marks what such a cause explains by ``<->``, what it may
            explain by ``o->``. None allows for them, and for effects within a step, where the data
            show that one of both is at work and the tests of the search fit: from 20,000 windows
            on, if a linear model forecasts as well. The notes then say so.
        time_column: Name of the time column, if it is not recognised by itself.
        forecaster: A trained forecaster of these variables, to skip training.
        checkpoint: File to which training is saved every few seconds, and from which the same call
            continues after its process has been killed, to the same graph.
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
    if max_lag != "auto":
        check_at_least("max_lag", max_lag, 1)
    check_choice("method", method, ("auto", *METHODS))
    if readout is not None:
        check_choice("readout", readout, tuple(READOUTS))
    if isinstance(model, str):
        check_choice("model", model, tuple(PRESETS))
    check_choice("missing", missing, ("auto", "drop", "mask"))
    if forecaster is None:
        default_readout(readout, head)
    check_at_least("members", members, 1)
    check_choice("transform", transform, ("auto", *TRANSFORMS))
    for name, value in (("q", q), ("alpha", alpha), ("held_out", held_out)):
        if value is not None:
            check_probability(name, value)
    check_at_least("n_windows", n_windows, 1)
    table = as_series_table(series, names=names, time_column=time_column)
    if max_lag == "auto":
        lag_choice = choose_max_lag(table)
        max_lag = int(lag_choice.value)
        table = table._replace(notes=(*table.notes, lag_choice.reason))
    if method == "auto":
        n_windows_there = len(usable_windows(table, max_lag, mask_missing=False))
        method_choice = choose_method(n_windows_there, len(table.names), max_lag)
        method = str(method_choice.value)
        table = table._replace(notes=(*table.notes, method_choice.reason))
    # PCMCI conditions on the past of the earlier end, too.
    reach = 2 * max_lag if method.startswith("pcmci") else max_lag
    _check_long_enough(table, reach, mask_missing=missing != "drop" and method == "gradient")
    if method != "gradient":
        kind = "standardise" if transform == "auto" else transform
        shared = {"max_lag": max_lag, "transform": kind}
        search = shared | {"max_cond_size": max_cond_size, "contemporaneous": contemporaneous}
        if method == "var":
            found = discover_var(table, q=q, **shared)
        elif method == "lasso":
            found = discover_lasso(table, held_out=held_out, **shared)
        elif method == "pc":
            found = discover_pc(table, alpha=ALPHA if alpha is None else alpha, **search)
        else:
            found = discover_pcmci(table, q=q, alpha=alpha, plus=method == "pcmci+", **search)
        return _with_notes(found, table)
    options = GradientOptions(
        q=q,
        select=select,
        readout=readout,
        transform=transform,
        skip=skip,
        head=head,
        model=model,
        training=training,
        members=members,
        domain=_checked_domain(domain, len(table.values)),
        missing=missing,
        latents=latents,
        contemporaneous=contemporaneous,
        alpha=REFINE_ALPHA if alpha is None else alpha,
        known=link_knowledge(
            table.names, max_lag, forbidden=forbidden, required=required, lag_limits=lag_limits
        ),
        held_out=held_out,
        n_windows=n_windows,
        checkpoint=None if checkpoint is None else Path(checkpoint),
        progress=progress,
    )
    chosen = jax.random.key(0) if key is None else key
    found = discover_gradient(table, max_lag, chosen, options, forecaster)
    if key is None:
        found.info["key"] = "jax.random.key(0), the default"
    if select is None:
        found.info["q"] = q
    return _with_notes(found, table, chosen)


def _checked_domain(domain: Any, n_rows: int) -> Int[np.ndarray, "time"] | None:
    if domain is None:
        return None
    given = np.asarray(domain)
    if given.shape != (n_rows,):
        raise InputError(
            f"domain has shape {given.shape}, but the series has {n_rows} rows; give one regime "
            "to each row"
        )
    if not np.issubdtype(given.dtype, np.integer) or given.min() < 0:
        raise InputError("domain must hold whole numbers 0, 1, …; number the regimes")
    return given.astype(np.int32)


def _check_long_enough(table: SeriesTable, max_lag: int, *, mask_missing: bool) -> None:
    n_rows = len(table.values)
    if n_rows <= max_lag:
        raise InputError(
            f"series has {n_rows} rows, but max_lag={max_lag} needs more rows than lags; "
            "give a longer series or a smaller max_lag"
        )
    starts = usable_windows(table, max_lag, mask_missing=mask_missing)
    if len(starts) == 0:
        raise InputError(
            f"series has no {max_lag + 1} complete rows in a row ({int(table.complete.sum())} of "
            f"{n_rows} rows are complete); fill missing values or give a smaller max_lag"
        )
    used = table.values[np.unique(starts[:, None] + np.arange(max_lag + 1))]
    for name, column in zip(table.names, used.T, strict=True):
        if (column == column[0]).all():
            raise InputError(f"column {name!r} is constant in all complete windows; leave it out")


def _with_notes(found: Discovery, table: SeriesTable, key: PRNGKeyArray | None = None) -> Discovery:
    found.info["notes"] = [*table.notes, *found.info.get("notes", [])]
    found.info["provenance"] = provenance(table, key=key)
    return found
