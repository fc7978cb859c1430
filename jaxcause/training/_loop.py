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
"""Factor of the learning rate when training that diverged is tried again."""


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
    """Train one model: `fit_members` with a single member, and without its axis."""

    def alone(result: TrainingResult) -> TrainingResult:
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
        raise TrainingInterrupted(alone(interrupt.result)) from None
    return alone(result)


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
    """Train the members of an ensemble side by side; keep of each what is best when held out.

    The parameters to start from count as a candidate. Training that diverges is started again once,
    at 0.3 of the learning rate.

    Args:
        loss_fn: ``(params, rows) -> scalar`` of one member, to minimise. Training is compiled once
            for loss functions that are equal, such as frozen dataclasses of equal fields.
        error_fn: The same for the held-out error that decides what is kept.
        params: Parameters to start from; every leaf has a leading axis of members.
        rows: The series.
        train: First rows of the windows that each member draws from.
        held_out: Windows ``[windows, length + 1, vars]`` that judge.
        length: Rows of history before the first predicted one.
        config: Optimiser, steps, patience.
        keys: Random key of each member's batches.
        decay: A weight decay for every parameter of one member, instead of the same for all.
        on_progress: Called after every compiled call.
        checkpoint: File to continue from, if it is there, and to write to every few seconds. The
            path of training does not depend on it.

    Raises:
        TrainingInterrupted: On Ctrl-C, with the best state so far.
        InputError: The checkpoint is of something else.
    """
    member = jax.tree.map(lambda leaf: leaf[0], params)
    if decay is None:
        decay = config.uniform_decay(member)
    starts = jnp.asarray(train, jnp.int32)
    evaluate = partial(_evaluated, windows=held_out, error_fn=error_fn)
    attempts = [config, dataclasses.replace(config, learning_rate=SLOWER * config.learning_rate)]
    of = ""
    if checkpoint is not None:
        of = fingerprint(params, rows, starts, jax.random.key_data(keys), repr(config))
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
        keeper = _Keeper(checkpoint, f"{of}.{attempt}", attempt)
        state = keeper.restore(run, state)
        if run.status == "":
            _train(run, state, advance, evaluate, keeper)
        if run.status != "diverged":
            break
    assert run is not None
    return run.result(run.status or "finished")


def _train(
    run: Run,
    state: TrainState,
    advance: Callable[[TrainState], tuple[TrainState, Array]],
    evaluate: Callable[[Params], Array],
    keeper: "_Keeper",
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
            keeper.save(run, state, now=done)
            if done:
                break
    except KeyboardInterrupt:
        keeper.save(run, state, now=False)
        raise TrainingInterrupted(run.result("interrupted")) from None


class _Keeper:
    """Writes a run to its checkpoint, and reads it back; does nothing without a file."""

    def __init__(self, path: Path | None, of: str, attempt: int) -> None:
        self.path, self.of = path, of
        if path is not None and attempt > 0:
            self.path = path.with_name(f"{path.name}.{attempt}")
        self.written = time.perf_counter()

    def save(self, run: Run, state: TrainState, *, now: bool) -> None:
        """Write if it is time to, or at once."""
        waited = time.perf_counter() - self.written
        if self.path is None or (not now and waited < SECONDS_BETWEEN_CHECKPOINTS):
            return
        save_checkpoint(self.path, self._content(run, state), of=self.of)
        self.written = time.perf_counter()

    def restore(self, run: Run, state: TrainState) -> TrainState:
        """Set the run to where the checkpoint stood, and give the state of then."""
        if self.path is None:
            return state
        found = load_checkpoint(self.path, self._content(run, state), of=self.of)
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
    """`run_steps`, compiled once for equal settings and shapes."""
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
    """At most 1,024 windows of ``length`` rows, spread evenly, that judge while training."""
    spread = np.linspace(0, len(starts) - 1, min(len(starts), HELD_OUT_WINDOWS)).astype(int)
    return gather(rows, jnp.asarray(starts[spread], jnp.int32), length)


def mean_error(
    error_fn: LossFn, params: Params, windows: SeriesRows, *, size: int = 128
) -> Float[Array, ""]:
    """Mean of ``error_fn`` over windows, ``size`` of them in memory at a time."""

    def one(window: SeriesRows) -> Array:
        return error_fn(params, jax.tree.map(lambda field: field[None], window))

    return jax.lax.map(one, windows, batch_size=size).mean()
