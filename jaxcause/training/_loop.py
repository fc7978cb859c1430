"""The training loop: held-out error, early stopping, progress, interruption."""

import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, PRNGKeyArray

from jaxcause.training._step import (
    LossFn,
    Params,
    TrainingConfig,
    gather_windows,
    init_state,
    run_steps,
)
from jaxcause.training._windows import Split

HELD_OUT_WINDOWS = 2048


class Progress(NamedTuple):
    """Where training stands; ``held_out`` is the newest held-out error."""

    step: int
    n_steps: int
    loss: float
    held_out: float


class TrainingResult(NamedTuple):
    """The parameters with the lowest held-out error, and how training went.

    ``status`` is ``"finished"``, ``"stopped early"``, ``"diverged"`` or ``"interrupted"``.
    """

    params: Params
    best_step: int
    held_out: float
    history: list[Progress]
    seconds: float
    status: str


class TrainingInterrupted(KeyboardInterrupt):
    """Raised when training is interrupted; ``result`` holds the best state so far."""

    def __init__(self, result: TrainingResult) -> None:
        """Say what was kept."""
        last = result.history[-1] if result.history else Progress(0, 0, np.nan, np.nan)
        super().__init__(
            f"training interrupted at step {last.step} of {last.n_steps}; kept the model of step "
            f"{result.best_step} (held-out error {result.held_out:.3g})"
        )
        self.result = result


def fit(
    loss_fn: LossFn,
    error_fn: LossFn,
    params: Params,
    series: Float[np.ndarray, "time vars"],
    split: Split,
    *,
    length: int,
    config: TrainingConfig,
    key: PRNGKeyArray,
    decay: Params | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> TrainingResult:
    """Train on the windows of ``split.train``; keep the parameters best on ``split.held_out``.

    The parameters to start from count as a candidate.

    Args:
        loss_fn: ``(params, windows [batch, length, vars]) -> scalar`` to minimise.
        error_fn: The same for the held-out error that decides what is kept.
        params: Parameters to start from.
        series: Values; incomplete rows may hold anything, for no window covers them.
        split: First rows of the windows.
        length: Rows per window, the last being the one to predict.
        config: Optimiser, steps, patience.
        key: Random key of the batches.
        decay: A weight decay for every parameter, instead of the same for all.
        on_progress: Called after every compiled call.

    Raises:
        TrainingInterrupted: On Ctrl-C, with the best state so far.
    """
    data = jnp.asarray(np.nan_to_num(series), jnp.float32)
    starts = jnp.asarray(split.train, jnp.int32)
    spread = np.linspace(0, len(split.held_out) - 1, min(len(split.held_out), HELD_OUT_WINDOWS))
    held_out = gather_windows(
        data, jnp.asarray(split.held_out[spread.astype(int)], jnp.int32), length
    )
    evaluate = jax.jit(lambda p: mean_error(error_fn, p, held_out))
    optimizer = config.optimizer(config.uniform_decay(params) if decay is None else decay)
    advance = jax.jit(
        lambda state: run_steps(
            state,
            key,
            data,
            starts,
            loss_fn=loss_fn,
            optimizer=optimizer,
            config=config,
            length=length,
        ),
        donate_argnums=0,
    )
    run = _Run(config, params, float(evaluate(params)), on_progress)
    # A donated state must not share buffers with the parameters that the run keeps.
    state = init_state(jax.tree.map(jnp.copy, params), optimizer)
    n_calls = config.n_steps // config.call_length
    calls_between = max(1, n_calls // config.n_evaluations)
    try:
        for call in range(1, n_calls + 1):
            state, loss = advance(state)
            run.advance(float(loss))
            if call % calls_between == 0 or call == n_calls:
                run.evaluate(state.params, float(evaluate(state.params)))
            if run.status:
                break
    except KeyboardInterrupt:
        raise TrainingInterrupted(run.result("interrupted")) from None
    return run.result(run.status or "finished")


class _Run:
    """What the loop remembers between calls: the best parameters, the history, the patience."""

    def __init__(
        self,
        config: TrainingConfig,
        params: Params,
        held_out: float,
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        self.config, self.on_progress = config, on_progress
        self.params, self.best_step, self.best = params, 0, held_out
        self.step, self.held_out, self.waited, self.status = 0, held_out, 0, ""
        self.history: list[Progress] = []
        self.began = time.perf_counter()

    def advance(self, loss: float) -> None:
        """Count the steps of a call, and stop if the loss is no number."""
        self.step += self.config.call_length
        if not np.isfinite(loss):
            self.status = "diverged"
        self.history.append(Progress(self.step, self.config.n_steps, loss, self.held_out))
        if self.on_progress is not None:
            self.on_progress(self.history[-1])

    def evaluate(self, params: Params, held_out: float) -> None:
        """Keep the parameters if they are the best so far; give up when patience is spent."""
        self.held_out = held_out
        if held_out < self.best:
            self.best, self.best_step, self.waited = held_out, self.step, 0
            self.params = jax.tree.map(jnp.copy, params)
        else:
            self.waited += 1
        if self.waited >= self.config.patience and self.status == "":
            self.status = "stopped early"

    def result(self, status: str) -> TrainingResult:
        """What there is to return now."""
        seconds = time.perf_counter() - self.began
        return TrainingResult(self.params, self.best_step, self.best, self.history, seconds, status)


def mean_error(
    error_fn: LossFn, params: Params, windows: Float[Array, "windows time vars"], *, size: int = 256
) -> Float[Array, ""]:
    """Mean of ``error_fn`` over windows, ``size`` of them in memory at a time."""
    errors = jax.lax.map(lambda window: error_fn(params, window[None]), windows, batch_size=size)
    return errors.mean()
