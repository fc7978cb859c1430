"""The state of a training run on the host: progress, best parameters, patience."""

import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
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


class Run:
    """What the loop keeps between calls: the best parameters, the history, the patience."""

    def __init__(
        self,
        config: TrainingConfig,
        params: Params,
        held_out: Float[Array, "members"],
        began: float,
        on_progress: Callable[[Progress], None] | None,
        attempt: int,
    ) -> None:
        self.config, self.on_progress, self.began = config, on_progress, began
        self.params, self.best = params, held_out
        self.step, self.best_step, self.waited, self.status = 0, 0, 0, ""
        self.held_out = float(held_out.mean())
        self.history: list[Progress] = []
        self.retried = attempt > 0

    def advance(self, loss: Float[np.ndarray, "members"]) -> None:
        """Count the steps of a call, and stop if a loss is not finite."""
        self.step += self.config.call_length
        if not np.isfinite(loss).all():
            self.status = "diverged"
        mean = float(loss.mean())
        self.history.append(Progress(self.step, self.config.n_steps, mean, self.held_out))
        if self.on_progress is not None:
            self.on_progress(self.history[-1])

    def evaluate(self, params: Params, held_out: Float[Array, "members"]) -> None:
        """Keep each member's parameters if they are its best; stop when patience runs out."""
        self.held_out = float(held_out.mean())
        better = held_out < self.best
        if bool(better.any()):
            self.params = _where(better, params, self.params)
            self.best = jnp.minimum(held_out, self.best)
            self.best_step, self.waited = self.step, 0
        else:
            self.waited += 1
        if self.waited >= self.config.patience and self.status == "":
            self.status = "stopped early"

    def result(self, status: str) -> TrainingResult:
        """The result at this point."""
        return TrainingResult(
            self.params,
            self.best_step,
            float(self.best.mean()),
            self.history,
            time.perf_counter() - self.began,
            status,
            self.retried,
        )


@jax.jit
def _where(better: Array, new: Params, old: Params) -> Params:
    def choose(a: Array, b: Array) -> Array:
        return jnp.where(better.reshape((-1,) + (1,) * (a.ndim - 1)), a, b)

    return jax.tree.map(choose, new, old)
