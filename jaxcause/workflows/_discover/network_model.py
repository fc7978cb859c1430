"""A trained forecaster as a model of how a series goes on from its past."""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxcause.attribution._responses import RowForecast, changed_forecasts, row_forecast
from jaxcause.models.forecaster import ForecasterConfig, Params, predictor
from jaxcause.workflows._discover.dynamics import Sample

LARGE = 1e6
"""Operations of a forecast from which fewer windows are forecast at a time."""


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
        for regime in np.unique(sample.domain):
            mine = sample.domain == regime
            of_rows = self._rows(int(regime))
            found[mine] = changed_forecasts(of_rows, past[mine], edges, values[mine])
        return found

    def _rows(self, regime: int) -> RowForecast:
        return row_forecast(predictor(self.config, self.params, domain=regime), self.batch_size)
