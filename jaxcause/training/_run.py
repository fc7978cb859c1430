"""The state of a training run on the host: progress, best parameters, patience."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from jaxcause.training._step import Params, TrainingConfig


class Progress(NamedTuple):
    """Progress of training; ``loss`` and the newest held-out error are means over members."""

    step: int
    n_steps: int
    loss: float
    held_out: float


class TrainingResult(NamedTuple):
    """The parameters with the lowest held-out error, and how training went.

    ``status`` is ``"finished"``, ``"stopped early"``, ``"diverged"`` or ``"interrupted"``. With
    several members, every leaf of ``params`` has a leading axis, and ``held_out`` is the mean of
    their errors. ``retried`` says that training diverged once and started again at a lower rate.
    """

    params: Params
    best_step: int
    held_out: float
    history: list[Progress]
    seconds: float
    status: str
    retried: bool = False


STATUSES = ("", "stopped early", "diverged")
"""While training goes on, and after it ended before its last step."""


class Run:
    """What the loop keeps between calls: the best parameters, the history, the patience."""

    def __init__(
        self,
        config: TrainingConfig,
        params: Float[np.ndarray, "members parameters"],
        began: float,
        on_progress: Callable[[Progress], None] | None,
        attempt: int,
    ) -> None:
        self.config, self.on_progress, self.began = config, on_progress, began
        self.params, self.best = params, np.full(len(params), np.inf)
        self.step, self.best_step, self.waited, self.status = 0, 0, 0, ""
        self.held_out = float("nan")
        self.history: list[Progress] = []
        self.retried = attempt > 0

    def advance(self, n_steps: int, loss: Float[np.ndarray, "members"]) -> None:
        """Count the steps of a call, and stop if a loss is not finite."""
        self.step += n_steps
        if not np.isfinite(loss).all():
            self.status = "diverged"
        mean = float(loss.mean())
        self.history.append(Progress(self.step, self.config.n_steps, mean, self.held_out))
        if self.on_progress is not None:
            self.on_progress(self.history[-1])

    def evaluate(self, params: Any, held_out: Float[np.ndarray, "members"]) -> None:
        """Keep each member's parameters if they are its best; stop when patience runs out."""
        self.held_out = float(held_out.mean())
        better = held_out < self.best
        if better.any():
            self.params = np.where(better[:, None], np.asarray(params), self.params)
            self.best = np.minimum(held_out, self.best)
            self.best_step, self.waited = self.step, 0
        else:
            self.waited += 1
        if self.waited >= self.config.patience and self.status == "":
            self.status = "stopped early"

    def result(self, status: str) -> TrainingResult:
        """The result at this point; the parameters are those of a `VectorLayout`."""
        return TrainingResult(
            self.params,
            self.best_step,
            float(self.best.mean()),
            self.history,
            time.perf_counter() - self.began,
            status,
            self.retried,
        )
