"""How a series goes on from its past: what a model is, a linear one, and where to begin."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxcause._stored import AnyRows
from jaxcause.series import Transform


class Sample(NamedTuple):
    """PathWindows spread over a series; the newest row of each is the one that is forecast.

    Args:
        rows: Transformed values, missing ones at their mean; the newest row comes last.
        newest: The newest row, NaN where a value is missing.
        domain: Its regime.
    """

    rows: Float[np.ndarray, "windows time vars"]
    newest: Float[np.ndarray, "windows vars"]
    domain: Int[np.ndarray, "windows"]

    def every(self, most: int) -> "Sample":
        """At most so many of the windows, spread evenly."""
        at = np.unique(np.linspace(0, len(self.rows) - 1, min(most, len(self.rows))).astype(int))
        return Sample(self.rows[at], self.newest[at], self.domain[at])

    def inputs(self, edges: Int[np.ndarray, "edges 3"]) -> Float[np.ndarray, "windows edges"]:
        """The values of the sources of edges."""
        return self.rows[:, self.rows.shape[1] - 1 - edges[:, 2], edges[:, 0]]


@runtime_checkable
class Model(Protocol):
    """A forecast of the next row, in transformed units."""

    def forecast(
        self, past: Float[np.ndarray, "windows time vars"], domain: Int[np.ndarray, "windows"]
    ) -> Float[np.ndarray, "windows vars"]:
        """The row after each window, from the past alone."""
        ...

    def plain(self, sample: Sample) -> Float[np.ndarray, "windows vars"]:
        """Forecast of the newest row of each window from all that is before or beside a value."""
        ...

    def settle(
        self, row: Float[np.ndarray, "windows vars"], held: Bool[np.ndarray, "vars"]
    ) -> Float[np.ndarray, "windows vars"]:
        """What is added to a row by effects within the time step, of changes in the row itself."""
        ...

    def changed(
        self,
        sample: Sample,
        edges: Int[np.ndarray, "edges 3"],
        values: Float[np.ndarray, "windows edges points"],
    ) -> Float[np.ndarray, "windows edges points"]:
        """Forecast of each edge's target, its source at each of the values."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class LinearModel:
    """A linear autoregression with effects within the time step at lag 0, in transformed units.

    Args:
        coefficients: ``[source, target, lag]``.
        intercept: One per variable.
    """

    coefficients: Float[np.ndarray, "vars vars lags"]
    intercept: Float[np.ndarray, "vars"]

    def forecast(
        self, past: Float[np.ndarray, "windows time vars"], domain: Int[np.ndarray, "windows"]
    ) -> Float[np.ndarray, "windows vars"]:
        """The part of the next row that the past determines, without effects within the step."""
        n_lags = self.coefficients.shape[2] - 1
        newest_first = past[:, ::-1][:, :n_lags].reshape(len(past), -1)
        weights = self.coefficients[:, :, 1:].transpose(2, 0, 1).reshape(-1, past.shape[2])
        return self.intercept + newest_first @ weights

    def plain(self, sample: Sample) -> Float[np.ndarray, "windows vars"]:
        """The forecast of the newest row, from the past and from its other values."""
        past = self.forecast(sample.rows[:, :-1], sample.domain)
        return past + sample.rows[:, -1] @ self.coefficients[:, :, 0]

    def settle(
        self, row: Float[np.ndarray, "windows vars"], held: Bool[np.ndarray, "vars"]
    ) -> Float[np.ndarray, "windows vars"]:
        """Effects within the step, along an acyclic graph; no variable held fixed changes."""
        now, added = self.coefficients[:, :, 0], np.zeros_like(row)
        if now.any():
            for _ in range(len(now)):
                added = np.where(held, 0.0, (row + added) @ now)
        return added

    def changed(
        self,
        sample: Sample,
        edges: Int[np.ndarray, "edges 3"],
        values: Float[np.ndarray, "windows edges points"],
    ) -> Float[np.ndarray, "windows edges points"]:
        """A line for each edge and window."""
        slope = self.coefficients[tuple(edges.T)]
        moved = values - sample.inputs(edges)[:, :, None]
        return self.plain(sample)[:, edges[:, 1], None] + slope[:, None] * moved


class PathWindows(NamedTuple):
    """A transformed series, and where its windows begin.

    Args:
        values: The transformed series; NaN where a value is missing.
        starts: First rows of windows of ``max_lag + 1`` rows.
        segment: Which unbroken stretch each row belongs to.
        domain: The regime of each row.
        transform: From the units of the data, or of their changes, to those of the values.
        of_changes: Whether it is changes from row to row that are transformed.
        max_lag: Rows that a forecast sees.
    """

    values: Float[AnyRows, "time vars"]
    starts: Int[np.ndarray, "windows"]
    segment: Int[np.ndarray, "time"]
    domain: Int[np.ndarray, "time"]
    transform: Transform
    of_changes: bool
    max_lag: int

    def sample(self, most: int) -> Sample:
        """At most so many windows of ``max_lag + 1`` rows, spread evenly over the series."""
        chosen = np.linspace(0, len(self.starts) - 1, min(most, len(self.starts)))
        at = self.starts[np.unique(chosen.astype(int))]
        rows = self.values[at[:, None] + np.arange(self.max_lag + 1)]
        last = at + self.max_lag
        return Sample(np.nan_to_num(rows), self.values[last], self.domain[last])


class Dynamics(NamedTuple):
    """What `Discovery.respond` starts from.

    Args:
        windows: Where paths begin.
        models: Makes the model, or several whose spread says how uncertain it is.
        said: What the model is, in words.
    """

    windows: PathWindows
    models: Callable[[], Sequence[Model]]
    said: str
