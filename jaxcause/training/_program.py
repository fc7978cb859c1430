"""The compiled steps of one training, called with batches that the host draws."""

from typing import NamedTuple

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float, Int

from jaxcause._typing import AnyArray
from jaxcause.training._devices import run_steps, shares_members
from jaxcause.training._rows import SeriesRows, stretches_over
from jaxcause.training._step import (
    LossFn,
    Plan,
    StepOutcomes,
    TrainingConfig,
    TrainState,
    VectorLayout,
)

HELD_OUT_ROWS = 1024
"""Predicted rows that the held-out error is measured on while training, at most."""


class Program(NamedTuple):
    """Everything that is the same in all calls of a training.

    Args:
        loss_fn: What one member minimises. Equal loss functions, such as frozen dataclasses with
            equal fields, share one compilation.
        rows: The series.
        held_out: First rows of the windows for the held-out error.
        length: Rows of history before the first predicted row.
        config: Batch size, stretch and length of a call.
        layout: How parameters lie in a vector.
        mesh: Devices that share members or batches; None for one.
    """

    loss_fn: LossFn
    rows: SeriesRows
    held_out: Int[np.ndarray, "windows"]
    length: int
    config: TrainingConfig
    layout: VectorLayout
    mesh: Mesh | None = None

    @property
    def spread(self) -> Int[np.ndarray, "batches batch"]:
        """Batches of held-out stretches, spread evenly, of at most 1,024 rows or one batch."""
        every = stretches_over(self.held_out, stretch=self.config.stretch)
        most = max(self.config.batch_size, HELD_OUT_ROWS // self.config.stretch)
        chosen = np.linspace(0, len(every) - 1, min(len(every), most)).astype(int)
        return self._batches(every[chosen])

    def learn(
        self,
        state: TrainState,
        starts: Int[np.ndarray, "members steps batch"],
        rates: Float[np.ndarray, "steps"],
        decay: Float[np.ndarray, "parameters"],
        free: Float[np.ndarray, "parameters"],
        *,
        evaluate: bool,
    ) -> tuple[TrainState, Float[np.ndarray, "members"], Float[np.ndarray, "members"] | None]:
        """Learn from batches, then evaluate; returns the state, mean losses, held-out errors."""
        n_learned, judged = starts.shape[1], self.spread if evaluate else self.spread[:0]
        batches = np.concatenate(
            [starts, np.broadcast_to(judged, (len(starts), *judged.shape))], axis=1
        )
        rates = np.concatenate([rates, np.zeros(len(judged))])
        state, found = self._call(state, batches, rates, n_learned, decay, free)
        loss, weight = np.asarray(found.loss), np.asarray(found.weight)
        at = slice(n_learned, batches.shape[1])
        error = _mean(loss[:, at], weight[:, at]) if evaluate else None
        return state, loss[:, :n_learned].mean(axis=1), error

    def evaluate(self, params: Float[AnyArray, "members parameters"]) -> np.ndarray:
        """Held-out error of every member."""
        found, n_batches = self._judged(params, self.spread)
        at = slice(0, n_batches)
        return _mean(np.asarray(found.loss)[:, at], np.asarray(found.weight)[:, at])

    def residuals(
        self, params: Float[np.ndarray, "parameters"]
    ) -> Float[np.ndarray, "windows vars"]:
        """Newest row less its forecast for all held-out windows; NaN where a value is missing."""
        stretch = self.config.stretch
        every = stretches_over(self.held_out, stretch=stretch)
        batches, parts = self._batches(every), []
        for first in range(0, len(batches), self.n_slots):
            found, n_batches = self._judged(params[None], batches[first : first + self.n_slots])
            parts.append(np.asarray(found.residuals)[0, :n_batches])
        rows = np.concatenate(parts).reshape(batches.size, stretch, -1)
        at = np.searchsorted(every, self.held_out, side="right") - 1
        found = rows[at, self.held_out - every[at]].astype(np.float64)
        seen = np.asarray(self.rows.observed)[self.held_out + self.length]
        return np.where(seen, found, np.nan)

    @property
    def n_slots(self) -> int:
        """Steps and evaluations that a call has room for."""
        return self.config.call_length + len(self.spread)

    def _judged(self, params: AnyArray, batches: np.ndarray) -> tuple[StepOutcomes, int]:
        n_batches, nothing = len(batches), np.zeros(params.shape[1])
        starts = np.broadcast_to(batches, (len(params), *batches.shape))
        state, rates = TrainState.of(params), np.zeros(n_batches)
        _, found = self._call(state, starts, rates, 0, nothing, nothing)
        return found, n_batches

    def _call(
        self,
        state: TrainState,
        starts: np.ndarray,
        rates: np.ndarray,
        n_learned: int,
        decay: np.ndarray,
        free: np.ndarray,
    ) -> tuple[TrainState, StepOutcomes]:
        n_members, n_steps, batch = starts.shape
        spare, idle = self.n_slots - n_steps, 0
        if self.mesh is not None and not shares_members(n_members, self.mesh):
            idle = -batch % self.mesh.size
        starts = np.pad(starts, [(0, 0), (0, spare), (0, 0)])
        learns = np.arange(self.n_slots) < n_learned
        plan = Plan(
            np.pad(starts, [(0, 0), (0, 0), (0, idle)], constant_values=self._behind).astype(
                np.int32
            ),
            np.pad(rates, (0, spare)).astype(np.float32),
            learns.astype(np.float32),
        )
        state, found = run_steps(
            state,
            plan,
            np.int32(n_steps),
            self.rows,
            decay.astype(np.float32),
            free.astype(np.float32),
            loss_fn=self.loss_fn,
            layout=self.layout,
            stretch=self.config.stretch,
            length=self.length,
            mesh=self.mesh,
        )
        return state, found._replace(residuals=found.residuals[:, :, :batch])

    @property
    def _behind(self) -> int:
        """First row of a stretch behind the series, none of whose rows has a weight."""
        return len(self.rows.values) - self.length - self.config.stretch

    def _batches(self, starts: np.ndarray) -> Int[np.ndarray, "batches batch"]:
        """Full batches; what is missing to the last one begins behind the series."""
        size = self.config.batch_size
        spare = -len(starts) % size
        return np.pad(starts, (0, spare), constant_values=self._behind).reshape(-1, size)


def _mean(loss: np.ndarray, weight: np.ndarray) -> Float[np.ndarray, "members"]:
    """The loss of every member over batches, each as its weight is."""
    loss, weight = loss.astype(np.float64), weight.astype(np.float64)
    return (loss * weight).sum(axis=1) / np.maximum(weight.sum(axis=1), 1.0)
