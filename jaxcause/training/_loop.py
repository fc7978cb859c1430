"""The training loop: held-out error, early stopping, divergence, progress, interruption."""

import dataclasses
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Int, Key, PRNGKeyArray

from jaxcause.training._checkpoint import fingerprint, load_checkpoint, save_checkpoint
from jaxcause.training._rows import SeriesRows, gather
from jaxcause.training._run import Progress, Run, TrainingResult
from jaxcause.training._step import (
    LossFn,
    Params,
    TrainingConfig,
    TrainState,
    init_state,
    run_steps,
)

HELD_OUT_WINDOWS = 1024
SECONDS_BETWEEN_CHECKPOINTS = 5.0
SLOWER = 0.3
"""Factor of the learning rate for the second attempt after training diverged."""


class TrainingInterrupted(KeyboardInterrupt):
    """Raised when training is interrupted; ``result`` holds the best state so far."""

    def __init__(self, result: TrainingResult) -> None:
        """Write the message from the result."""
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
    rows: SeriesRows,
    train: Int[np.ndarray, "windows"],
    held_out: SeriesRows,
    *,
    length: int,
    config: TrainingConfig,
    key: PRNGKeyArray,
    decay: Params | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    checkpoint: Path | None = None,
) -> TrainingResult:
    """Train one model: `fit_members` for a single member, without the axis of members."""

    def only_member(result: TrainingResult) -> TrainingResult:
        return result._replace(params=jax.tree.map(lambda leaf: leaf[0], result.params))

    try:
        result = fit_members(
            loss_fn,
            error_fn,
            jax.tree.map(lambda leaf: leaf[None], params),
            rows,
            train[None],
            held_out,
            length=length,
            config=config,
            keys=key[None],
            decay=decay,
            on_progress=on_progress,
            checkpoint=checkpoint,
        )
    except TrainingInterrupted as interrupt:
        raise TrainingInterrupted(only_member(interrupt.result)) from None
    return only_member(result)


def fit_members(
    loss_fn: LossFn,
    error_fn: LossFn,
    params: Params,
    rows: SeriesRows,
    train: Int[np.ndarray, "members windows"],
    held_out: SeriesRows,
    *,
    length: int,
    config: TrainingConfig,
    keys: Key[Array, "members"],
    decay: Params | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    checkpoint: Path | None = None,
) -> TrainingResult:
    """Train the members of an ensemble side by side, and keep each one's best parameters.

    The best parameters have the lowest error on held-out windows; the initial ones count, too. If
    training diverges, it starts again once at 0.3 of the learning rate.

    Args:
        loss_fn: ``(params, rows) -> scalar``, which one member minimises. Equal loss functions,
            such as frozen dataclasses with equal fields, share one compilation.
        error_fn: The same for the held-out error.
        params: Initial parameters; every leaf has a leading axis of members.
        rows: The series.
        train: First rows of the windows from which each member draws its batches.
        held_out: Windows ``[windows, length + 1, vars]`` for the held-out error.
        length: Rows of history before the first predicted row.
        config: Optimiser, steps, patience.
        keys: Random key of each member's batches.
        decay: A weight decay for every parameter of one member; by default one for all.
        on_progress: Called after every compiled call.
        checkpoint: A file that is written every few seconds, and from which training continues if
            the file exists. It does not change the result.

    Raises:
        TrainingInterrupted: On Ctrl-C, with the best state so far.
        InputError: The checkpoint belongs to other data or settings.
    """
    member = jax.tree.map(lambda leaf: leaf[0], params)
    if decay is None:
        decay = config.uniform_decay(member)
    starts = jnp.asarray(train, jnp.int32)
    evaluate = partial(_evaluated, windows=held_out, error_fn=error_fn)
    attempts = [config, dataclasses.replace(config, learning_rate=SLOWER * config.learning_rate)]
    training = ""
    if checkpoint is not None:
        training = fingerprint(params, rows, starts, jax.random.key_data(keys), repr(config))
    began, run = time.perf_counter(), None
    for attempt, settings in enumerate(attempts):
        optimizer = settings.optimizer(decay)
        advance = partial(
            _advanced,
            keys=keys,
            rows=rows,
            starts=starts,
            decay=decay,
            loss_fn=loss_fn,
            config=settings,
            length=length,
        )
        # A donated state must not share buffers with the parameters that the run keeps.
        state = init_state(jax.tree.map(jnp.copy, params), optimizer)
        run = Run(settings, params, evaluate(params), began, on_progress, attempt)
        file = _CheckpointFile(checkpoint, f"{training}.{attempt}", attempt)
        state = file.restore(run, state)
        if run.status == "":
            _train(run, state, advance, evaluate, file)
        if run.status != "diverged":
            break
    assert run is not None
    return run.result(run.status or "finished")


def _train(
    run: Run,
    state: TrainState,
    advance: Callable[[TrainState], tuple[TrainState, Array]],
    evaluate: Callable[[Params], Array],
    file: "_CheckpointFile",
) -> None:
    n_calls = run.config.n_steps // run.config.call_length
    calls_between = max(1, n_calls // run.config.n_evaluations)
    try:
        for call in range(run.step // run.config.call_length + 1, n_calls + 1):
            state, loss = advance(state)
            run.advance(np.asarray(loss))
            if call % calls_between == 0 or call == n_calls:
                run.evaluate(state.params, evaluate(state.params))
            done = run.status != "" or call == n_calls
            file.save(run, state, now=done)
            if done:
                break
    except KeyboardInterrupt:
        file.save(run, state, now=False)
        raise TrainingInterrupted(run.result("interrupted")) from None


class _CheckpointFile:
    """The checkpoint of one attempt; without a path it does nothing."""

    def __init__(self, path: Path | None, training: str, attempt: int) -> None:
        self.path, self.training = path, training
        if path is not None and attempt > 0:
            self.path = path.with_name(f"{path.name}.{attempt}")
        self.written = time.perf_counter()

    def save(self, run: Run, state: TrainState, *, now: bool) -> None:
        """Write the run at once, or if the last write was some seconds ago."""
        waited = time.perf_counter() - self.written
        if self.path is None or (not now and waited < SECONDS_BETWEEN_CHECKPOINTS):
            return
        save_checkpoint(self.path, self._content(run, state), training=self.training)
        self.written = time.perf_counter()

    def restore(self, run: Run, state: TrainState) -> TrainState:
        """Set the run back to the checkpoint, and return the state stored there."""
        if self.path is None:
            return state
        content = self._content(run, state)
        found = load_checkpoint(self.path, content, training=self.training)
        if found is None:
            return state
        run.params, run.best = jax.tree.map(jnp.asarray, (found["params"], found["best"]))
        numbers = np.asarray(found["numbers"])
        run.step, run.best_step, run.waited = (int(v) for v in numbers[:3])
        run.held_out = float(numbers[3])
        run.status = ("", "stopped early", "diverged")[int(numbers[4])]
        history = np.asarray(found["history"]).reshape(-1, 4)
        run.history = [Progress(int(a), int(b), float(c), float(d)) for a, b, c, d in history]
        return jax.tree.map(jnp.asarray, found["state"])

    @staticmethod
    def _content(run: Run, state: TrainState) -> dict[str, Any]:
        code = ("", "stopped early", "diverged").index(run.status)
        return {
            "state": state,
            "params": run.params,
            "best": run.best,
            "numbers": np.array([run.step, run.best_step, run.waited, run.held_out, code], float),
            "history": np.array(run.history, float).reshape(-1),
        }


@partial(jax.jit, static_argnames=("loss_fn", "config", "length"), donate_argnums=0)
def _advanced(
    state: TrainState,
    *,
    keys: Array,
    rows: SeriesRows,
    starts: Array,
    decay: Params,
    loss_fn: LossFn,
    config: TrainingConfig,
    length: int,
) -> tuple[TrainState, Array]:
    """`run_steps`, compiled once per settings and shapes."""
    optimizer = config.optimizer(decay)
    return run_steps(
        state,
        keys,
        rows,
        starts,
        loss_fn=loss_fn,
        optimizer=optimizer,
        config=config,
        length=length,
    )


@partial(jax.jit, static_argnames="error_fn")
def _evaluated(params: Params, *, windows: SeriesRows, error_fn: LossFn) -> Array:
    """Held-out error of every member."""
    return jax.vmap(lambda one: mean_error(error_fn, one, windows))(params)


def held_out_rows(
    rows: SeriesRows, starts: Int[np.ndarray, "windows"], *, length: int
) -> SeriesRows:
    """At most 1,024 windows of ``length`` rows, spread evenly, for the held-out error."""
    spread = np.linspace(0, len(starts) - 1, min(len(starts), HELD_OUT_WINDOWS)).astype(int)
    return gather(rows, jnp.asarray(starts[spread], jnp.int32), length)


def mean_error(
    error_fn: LossFn, params: Params, windows: SeriesRows, *, size: int = 128
) -> Float[Array, ""]:
    """Mean of ``error_fn`` over windows, ``size`` of them in memory at a time."""

    def one(window: SeriesRows) -> Array:
        return error_fn(params, jax.tree.map(lambda field: field[None], window))

    return jax.lax.map(one, windows, batch_size=size).mean()
