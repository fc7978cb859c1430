"""How strong each edge is in each window of time, and which edges change."""

import dataclasses
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np
from jax import Array, lax
from jax.tree_util import Partial
from jaxtyping import Bool, Float, Int, Shaped

from jaxcause._checks import InputError, check_at_least
from jaxcause.graph import LaggedGraph
from jaxcause.models.forecaster import predictor
from jaxcause.series import SeriesTable, bent_lines, changes, usable_windows
from jaxcause.stats import SlopesByPart, benjamini_hochberg, slopes_by_part
from jaxcause.workflows._discover.forecaster import TrainedForecaster
from jaxcause.workflows._discover.listing import counted
from jaxcause.workflows._discover.network_model import NetworkModel
from jaxcause.workflows._discover.prepare import Stages, fit_stages

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

USUAL = 10
"""Number of windows by default, if the series is long enough."""
FEWEST_ROWS = 60
ROWS_PER_SLOPE = 10
"""Rows of a window for each coefficient of the largest regression."""
GRADIENTS = 128
"""Rows of each window at which gradients are read."""
MOST_FACTORS = 12
"""Most parents whose products are among the terms of the test."""
RIDGE = 1e-3
BATCH = 64

LOCAL_SLOPE = "absolute slope of a regression on the parents in each window"
LOCAL_GRADIENT = "root mean squared gradient in each window, corrected by the forecast errors there"


@dataclasses.dataclass(frozen=True, repr=False)
class EdgesOverTime:
    """Strength of each lagged edge by window of time, and whether it changes.

    Args:
        edges: ``(source, lag, target)``, those that are strongest on average first.
        starts: First row of each window.
        times: Time of the row in the middle of each window, or its number (from 0) without a time
            column.
        strength: Size of each effect; what it is stands in ``measure``.
        derivative: Mean derivative of the target by the source, with its sign, in standard
            deviations (of the transformed values).
        error: Standard error of the derivative.
        p_value: Of each edge, if its slope were the same in all windows.
        q_value: The same with the false-discovery rate of Benjamini and Hochberg.
        measure: What the strength is.
    """

    edges: tuple[tuple[str, int, str], ...]
    starts: Int[np.ndarray, "windows"]
    times: Shaped[np.ndarray, "windows"]
    strength: Float[np.ndarray, "windows edges"]
    derivative: Float[np.ndarray, "windows edges"]
    error: Float[np.ndarray, "windows edges"]
    p_value: Float[np.ndarray, "edges"]
    q_value: Float[np.ndarray, "edges"]
    measure: str

    def changes(self, q: float = 0.1) -> Bool[np.ndarray, "edges"]:
        """Which edges change, at a false-discovery rate of ``q``."""
        return np.asarray(self.q_value <= q)

    @property
    def table(self) -> Shaped[np.ndarray, "edges"]:
        """One row per edge: its mean, least and largest derivative, p-value and q-value."""
        text = f"U{max([1, *(len(name) for s, _, t in self.edges for name in (s, t))])}"
        numbers = ("strength", "derivative", "least", "largest", "p_value", "q_value")
        columns = [("source", text), ("target", text), ("lag", int)]
        rows = [
            (source, target, lag, *values)
            for (source, lag, target), *values in zip(
                self.edges,
                self.strength.mean(axis=0),
                self.derivative.mean(axis=0),
                self.derivative.min(axis=0),
                self.derivative.max(axis=0),
                self.p_value,
                self.q_value,
                strict=True,
            )
        ]
        return np.array(rows, dtype=[*columns, *((name, float) for name in numbers)])

    def to_dataframe(self) -> "pd.DataFrame":
        """The `table` as a pandas frame."""
        import pandas as pd

        return pd.DataFrame(self.table)

    def plot(self, *, most: int = 6, ax: "Axes | None" = None) -> "Axes":
        """Draw the strongest edges over time; see `jaxcause.plot.strength_over_time`."""
        from jaxcause import plot

        return plot.strength_over_time(
            self.strength,
            times=self.times,
            labels=[f"{source} t−{lag} → {target}" for source, lag, target in self.edges],
            changing=self.changes(),
            most=most,
            ax=ax,
        )

    def __repr__(self) -> str:
        """Which edges change, in a line each."""
        at = np.flatnonzero(self.changes())
        lines = [
            f"{len(at)} of {counted(len(self.edges), 'edge')} change{'s' * (len(at) == 1)} over "
            f"{counted(len(self.times), 'window')}"
        ]
        for edge in at[np.argsort(self.p_value[at], kind="stable")]:
            source, lag, target = self.edges[edge]
            path = ", ".join(f"{value:.2f}" for value in self.derivative[:, edge])
            lines.append(f"{source} t-{lag} -> {target}: {path} (q = {self.q_value[edge]:.2g})")
        return "\n".join(lines)


class Parts(NamedTuple):
    """Windows of a transformed series, cut into parts of time."""

    values: Float[np.ndarray, "time vars"]
    newest: Int[np.ndarray, "windows"]
    slices: tuple[slice, ...]

    def parents(self, cells: Int[np.ndarray, "edges 3"]) -> Float[np.ndarray, "windows edges"]:
        """Values of the sources of some edges, each at its lag."""
        return self.values[self.newest[:, None] - cells[:, 2], cells[:, 0]]


def edges_over_time(
    table: SeriesTable,
    graph: LaggedGraph,
    *,
    n_windows: int | None,
    transform: str,
    forecaster: TrainedForecaster | None,
    domain: Int[np.ndarray, "time"] | None,
) -> EdgesOverTime:
    """Read every lagged edge in every window; see `Discovery.over_time`.

    Args:
        table: The series.
        graph: Its graph.
        n_windows: Number of windows, or None.
        transform: What was done to each column, where there is no forecaster.
        forecaster: What gradients are read from; without it, regressions are fitted.
        domain: The regime of each row that the forecaster was told.
    """
    cells = np.argwhere(np.asarray(graph.adjacency)[:, :, 1:]) + [0, 0, 1]
    if not len(cells):
        raise InputError("over_time is about lagged edges, and this graph has none")
    parts = _parts(table, cells, graph.max_lag, n_windows, transform, forecaster)
    residuals, gradients = parts.values[parts.newest], None
    if forecaster is not None:
        read = _WindowReader(forecaster, parts, domain)
        residuals, gradients = residuals - read.forecasts(), read.gradients(cells)
    shape = (len(parts.slices), len(cells))
    slope, error, p_value = np.zeros(shape), np.zeros(shape), np.ones(len(cells))
    for target in np.unique(cells[:, 1]):
        into = np.flatnonzero(cells[:, 1] == target)
        x, rest = parts.parents(cells[into]), residuals[:, target]
        local = slopes_by_part(x, rest, parts.slices)
        slope[:, into], error[:, into] = local.slope, local.error
        # A forecaster that was told the regimes has explained what is to be tested.
        tested = rest if domain is None else parts.values[parts.newest, target]
        p_value[into] = _bent_test(x, tested, parts.slices).p_value
    strength = np.abs(slope)
    if gradients is not None:
        # A deviation δ from the forecaster's gradient g: the mean of (g + δ)².
        mean, square = gradients
        strength = np.sqrt(np.maximum(square + 2 * slope * mean + slope**2, 0.0))
        slope = mean + slope
    order = np.argsort(-strength.mean(axis=0), kind="stable")
    starts = np.array([parts.newest[part.start] for part in parts.slices])
    middle = np.array([parts.newest[(part.start + part.stop) // 2] for part in parts.slices])
    return EdgesOverTime(
        edges=tuple((table.names[i], int(lag), table.names[j]) for i, j, lag in cells[order]),
        starts=starts,
        times=middle if table.times is None else table.times.column[middle],
        strength=strength[:, order],
        derivative=slope[:, order],
        error=error[:, order],
        p_value=p_value[order],
        q_value=np.asarray(benjamini_hochberg(p_value))[order],
        measure=LOCAL_SLOPE if forecaster is None else LOCAL_GRADIENT,
    )


def _parts(
    table: SeriesTable,
    cells: np.ndarray,
    max_lag: int,
    n_windows: int | None,
    transform: str,
    forecaster: TrainedForecaster | None,
) -> Parts:
    if forecaster is None:
        stages = fit_stages(table, max_lag, transform=transform, holes=False)
    else:
        stages = Stages(forecaster.level, forecaster.transform)
    moved = changes(table, stages.level)
    starts = usable_windows(moved, max_lag, mask_missing=False)
    n_slopes = int(np.bincount(cells[:, 1]).max()) + 1
    most = len(starts) // max(FEWEST_ROWS, ROWS_PER_SLOPE * n_slopes)
    if most < 2:
        raise InputError(
            f"over_time has {len(starts)} complete rows for regressions on up to {n_slopes - 1} "
            "parents, too few for two windows; give a longer series"
        )
    number = min(USUAL, most) if n_windows is None else n_windows
    check_at_least("n_windows", number, 2)
    if number > most:
        raise InputError(
            f"n_windows={number} leaves too few of the {len(starts)} complete rows in a window; "
            f"give at most {most}"
        )
    ends = np.linspace(0, len(starts), number + 1).astype(int).tolist()
    slices = tuple(slice(a, b) for a, b in zip(ends[:-1], ends[1:], strict=True))
    return Parts(np.asarray(stages.transform(moved.values)), starts + max_lag, slices)


def _bent_test(x: np.ndarray, y: np.ndarray, slices: tuple[slice, ...]) -> SlopesByPart:
    """Whether slopes change in what one regression on `bent_lines` of the parents leaves.

    An effect that is not linear has another slope wherever its source has other values, as that of
    a product has wherever the other factor has; that is no change, and is taken out before.
    """
    terms, level = bent_lines(x), np.zeros_like(y)
    if x.shape[1] <= MOST_FACTORS:
        first, second = np.triu_indices(x.shape[1], k=1)
        terms = np.concatenate([terms, x[:, first] * x[:, second]], axis=1)
    for part in slices:
        terms[part] -= terms[part].mean(axis=0)
        level[part] = y[part] - y[part].mean()
    gram = terms.T @ terms + RIDGE * len(y) * np.eye(terms.shape[1])
    return slopes_by_part(x, level - terms @ np.linalg.solve(gram, terms.T @ level), slices)


class _WindowReader:
    """Forecasts and gradients of a forecaster at the rows of parts of a series."""

    def __init__(
        self, forecaster: TrainedForecaster, parts: Parts, domain: np.ndarray | None
    ) -> None:
        self.config, self.params = forecaster.config, forecaster.params
        self.parts = parts
        told = np.zeros(len(parts.values), np.int32) if domain is None else domain
        self.domain = told[parts.newest].astype(np.int32)

    def forecasts(self) -> Float[np.ndarray, "windows vars"]:
        """The forecast of every row."""
        return NetworkModel(self.config, self.params).forecast(self._pasts(...), self.domain)

    def gradients(
        self, cells: np.ndarray
    ) -> tuple[Float[np.ndarray, "parts edges"], Float[np.ndarray, "parts edges"]]:
        """Mean and mean square, over each part, of the gradient of each edge."""
        n_rows = min(GRADIENTS, *(part.stop - part.start for part in self.parts.slices))
        chosen = np.concatenate(
            [
                np.linspace(part.start, part.stop - 1, n_rows).astype(int)
                for part in self.parts.slices
            ]
        )
        windows, domain = self._pasts(chosen).astype(np.float32), self.domain[chosen]
        found = np.empty((len(chosen), len(cells)))
        for regime in np.unique(domain):
            forecast = predictor(self.config, self.params, domain=int(regime))
            found[domain == regime] = _gradients(forecast, windows[domain == regime], cells)
        by_part = found.reshape(len(self.parts.slices), n_rows, -1)
        return by_part.mean(axis=1), (by_part**2).mean(axis=1)

    def _pasts(self, chosen: Any) -> Float[np.ndarray, "windows time vars"]:
        """The rows before some of the predicted ones."""
        rows = self.parts.newest[chosen][:, None] - np.arange(self.config.max_lag, 0, -1)
        return self.parts.values[rows]


@jax.jit
def _gradients(
    forecast: Partial, windows: Float[Array, "windows time vars"], cells: Int[Array, "edges 3"]
) -> Float[Array, "windows edges"]:
    slopes = jax.jacrev(forecast)

    def of_edges(window: Array) -> Array:
        source, target, lag = cells.T
        return slopes(window)[target, window.shape[0] - lag, source]

    return lax.map(of_edges, windows, batch_size=BATCH)
