"""A trained forecaster as a model of how a series goes on from its past."""

import dataclasses
from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxcause.attribution._responses import RowForecast, changed_forecasts, row_forecast
from jaxcause.models.forecaster import (
    ForecasterConfig,
    Mixtures,
    Params,
    changed_inputs,
    mixtures,
    predictor,
)
from jaxcause.workflows._discover.dynamics import Sample

LARGE = 1e6
"""Operations of a forecast from which fewer windows are forecast at a time."""
ROWS_AT_ONCE = 1 << 15
"""Changed forecasts that are computed at a time; they then fit the caches."""


@dataclasses.dataclass(frozen=True, eq=False)
class NetworkModel:
    """A trained forecaster, in transformed units.

    Args:
        config: Sizes of the model.
        params: Its parameters.
    """

    config: ForecasterConfig
    params: Params

    @property
    def batch_size(self) -> int:
        """Windows that are forecast at a time."""
        return 512 if self.config.flops < LARGE else 64

    @property
    def reads_one_by_one(self) -> bool:
        """Whether a changed forecast costs one target's read-out; it takes three more programs."""
        return self.config.attention == "positional" and self.config.flops >= LARGE

    @property
    def flops_per_change(self) -> float:
        """Operations of a forecast with one input changed."""
        return self.config.flops_per_change if self.reads_one_by_one else self.config.flops

    def forecast(
        self, past: Float[np.ndarray, "windows time vars"], domain: Int[np.ndarray, "windows"]
    ) -> Float[np.ndarray, "windows vars"]:
        """The row after each window, in its regime."""
        found = np.empty((len(past), past.shape[2]))
        rows = past[:, past.shape[1] - self.config.max_lag :].astype(np.float32)
        for regime in np.unique(domain):
            mine = domain == regime
            found[mine] = self._rows(int(regime))(rows[mine])
        return found

    def plain(self, sample: Sample) -> Float[np.ndarray, "windows vars"]:
        """The forecast of the newest row."""
        return self.forecast(sample.rows[:, :-1], sample.domain)

    def settle(
        self, row: Float[np.ndarray, "windows vars"], held: Bool[np.ndarray, "vars"]
    ) -> Float[np.ndarray, "windows vars"]:
        """Nothing acts within the time step."""
        return np.zeros_like(row)

    def changed(
        self,
        sample: Sample,
        edges: Int[np.ndarray, "edges 3"],
        values: Float[np.ndarray, "windows edges points"],
    ) -> Float[np.ndarray, "windows edges points"]:
        """A forecast for each edge, window and value."""
        past, found = sample.rows[:, :-1].astype(np.float32), np.empty(values.shape)
        change = self._changes if self.reads_one_by_one else self._whole_forecasts
        for regime in np.unique(sample.domain):
            mine = sample.domain == regime
            found[mine] = change(past[mine], edges, values[mine], int(regime))
        return found

    def _changes(
        self,
        past: Float[np.ndarray, "windows time vars"],
        edges: Int[np.ndarray, "edges 3"],
        values: Float[np.ndarray, "windows edges points"],
        regime: int,
    ) -> Float[np.ndarray, "windows edges points"]:
        """Changed forecasts of a model whose targets can be read one by one."""
        n_windows, n_edges, n_points = values.shape
        at_once = max(1, ROWS_AT_ONCE // max(n_windows * n_points, 1))
        mixed, found = self._mixtures(past), np.empty((n_edges, n_windows, n_points))
        for first, some in _parts(n_edges, at_once):
            source, _, lag = edges[some].T
            new = changed_inputs(
                self.params,
                mixed,
                edges[some].astype(np.int32),
                past[:, past.shape[1] - lag, source].T,
                values[:, some].swapaxes(0, 1).astype(np.float32),
                config=self.config,
                domain=regime,
            )
            found[first : first + at_once] = np.asarray(new)[: n_edges - first]
        return found.swapaxes(0, 1)

    def _mixtures(self, past: Float[np.ndarray, "windows time vars"]) -> Mixtures:
        """Of all windows, some at a time."""
        size, parts = self.batch_size, []
        for first, at in _parts(len(past), size):
            found = mixtures(self.params, past[at], config=self.config)
            parts.append([np.asarray(part)[..., : len(past) - first] for part in found])
        return Mixtures(*(np.concatenate(part, axis=-1) for part in zip(*parts, strict=True)))

    def _whole_forecasts(
        self,
        past: Float[np.ndarray, "windows time vars"],
        edges: Int[np.ndarray, "edges 3"],
        values: Float[np.ndarray, "windows edges points"],
        regime: int,
    ) -> Float[np.ndarray, "windows edges points"]:
        """Changed forecasts of any model."""
        return changed_forecasts(self._rows(regime), past, edges, values)

    def _rows(self, regime: int) -> RowForecast:
        return row_forecast(predictor(self.config, self.params, domain=regime), self.batch_size)


def _parts(number: int, size: int) -> Iterator[tuple[int, Int[np.ndarray, "size"]]]:
    """Parts of one size, so that one program serves all: their first places, and all places.

    The last place again and again fills up the last part.
    """
    for first in range(0, number, size):
        yield first, np.minimum(np.arange(first, first + size), number - 1)
