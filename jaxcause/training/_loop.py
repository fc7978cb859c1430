"""The training loop: held-out error, early stopping, divergence, progress, interruption."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float, Int

from jaxcause._checkpoint import as_tree, fingerprint, load_checkpoint, save_checkpoint
from jaxcause.sharding import replicate
from jaxcause.training._devices import check_training_mesh
from jaxcause.training._program import Program
from jaxcause.training._rows import SeriesRows
from jaxcause.training._run import STATUSES, Progress, Run, TrainingResult
from jaxcause.training._step import LossFn, Params, TrainingConfig, TrainState, VectorLayout

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
    params: Params,
    rows: SeriesRows,
    train: Int[np.ndarray, "windows"],
    held_out: Int[np.ndarray, "others"],
    *,
    length: int,
    config: TrainingConfig,
    seed: Sequence[int],
    decay: Params | None = None,
    frozen: Sequence[str] = (),
    on_progress: Callable[[Progress], None] | None = None,
    checkpoint: Path | None = None,
    mesh: Mesh | None = None,
) -> TrainingResult:
    """Train one model: `fit_members` for a single member, without the axis of members."""

    def only_member(result: TrainingResult) -> TrainingResult:
        return result._replace(params=jax.tree.map(lambda leaf: leaf[0], result.params))

    try:
        result = fit_members(
            loss_fn,
            jax.tree.map(lambda leaf: np.asarray(leaf)[None], params),
            rows,
            train[None],
            held_out,
            length=length,
            config=config,
            seeds=[seed],
            decay=decay,
            frozen=frozen,
            on_progress=on_progress,
            checkpoint=checkpoint,
            mesh=mesh,
        )
    except TrainingInterrupted as interrupt:
        raise TrainingInterrupted(only_member(interrupt.result)) from None
    return only_member(result)


def fit_members(
    loss_fn: LossFn,
    params: Params,
    rows: SeriesRows,
    train: Int[np.ndarray, "members windows"],
    held_out: Int[np.ndarray, "others"],
    *,
    length: int,
    config: TrainingConfig,
    seeds: Sequence[Sequence[int]],
    decay: Params | None = None,
    frozen: Sequence[str] = (),
    on_progress: Callable[[Progress], None] | None = None,
    checkpoint: Path | None = None,
    mesh: Mesh | None = None,
) -> TrainingResult:
    """Train the members of an ensemble side by side, and keep each one's best parameters.

    The best parameters have the lowest error on held-out windows; the initial ones count, too. If
    training diverges, it starts again once at 0.3 of the learning rate.

    Args:
        loss_fn: ``(params, rows) -> (loss, LossParts(weight, residuals))``; one member minimises
            the loss, and the held-out error is the same of held-out rows. The loss is the sum of
            weighted errors over the larger of their weight and 1. Equal loss functions, such as
            frozen dataclasses with equal fields, share one compilation.
        params: Initial parameters; every leaf has a leading axis of members.
        rows: The series.
        train: First rows of the windows from which each member draws its batches.
        held_out: First rows of the windows for the held-out error.
        length: Rows of history before the first predicted row.
        config: Optimiser, steps, patience.
        seeds: Whole numbers that each member's batches are drawn from.
        decay: A weight decay for every parameter of one member; by default one for all.
        frozen: Names of parameters that stay as they are.
        on_progress: Called after every compiled call.
        checkpoint: A file that is written every few seconds, and from which training continues if
            the file exists. It does not change the result. The first process of a mesh writes it.
        mesh: Devices that share the work (`jaxcause.sharding.row_mesh`): each trains some of the
            members if their number is a multiple of that of the devices, else a share of the
            stretches of every batch. The results are those of one device, but for rounding.

    Raises:
        TrainingInterrupted: On Ctrl-C, with the best state so far.
        InputError: The checkpoint belongs to other data or settings, or the mesh has several axes
            or more devices than a batch has stretches.
    """
    check_training_mesh(mesh, len(train), config.batch_size)
    members = [jax.tree.map(lambda leaf, m=m: leaf[m], params) for m in range(len(train))]
    layout = VectorLayout.of(members[0])
    initial = np.stack([layout.vector(member) for member in members])
    rates = config.uniform_decay(members[0]) if decay is None else decay
    shown = rows if mesh is None else replicate(rows, mesh)
    program = Program(loss_fn, shown, held_out, length, config, layout, mesh)
    training = ""
    if checkpoint is not None:
        training = fingerprint(initial, rows, train, held_out, seeds, repr((config, frozen)))
    began, run = time.perf_counter(), None
    for attempt, slower in enumerate((1.0, SLOWER)):
        run = Run(config, initial, began, on_progress, attempt)
        learner = _Learner(
            program,
            train,
            seeds,
            slower * config.rates(),
            layout.vector(rates),
            _free(members[0], frozen),
        )
        file = _CheckpointFile(checkpoint, f"{training}.{attempt}", attempt, mesh)
        state = file.restore(run, TrainState.of(initial))
        if run.status == "":
            _train(run, state, learner, file)
        if run.status != "diverged":
            break
    assert run is not None
    found = run.result(run.status or "finished")
    return found._replace(params=layout.params(found.params))


class _Learner(NamedTuple):
    """One attempt at a training: the program, and what it is called with."""

    program: Program
    train: Int[np.ndarray, "members windows"]
    seeds: Sequence[Sequence[int]]
    rates: Float[np.ndarray, "steps"]
    decay: Float[np.ndarray, "parameters"]
    free: Float[np.ndarray, "parameters"]

    def advance(self, run: Run, state: TrainState, *, evaluate: bool) -> TrainState:
        """The steps of a call, and after them, on demand, the held-out error.

        The stretches of step s depend on the member's seed and on s alone. Training therefore
        depends neither on how steps are grouped into calls nor on the other members.
        """
        config = run.config
        at = slice(run.step, run.step + config.call_length)
        starts = np.array(
            [
                [_drawn(own, (*seed, step), config.batch_size) for step in range(at.start, at.stop)]
                for own, seed in zip(self.train, self.seeds, strict=True)
            ]
        )
        state, loss, error = self.program.learn(
            state, starts, self.rates[at], self.decay, self.free, evaluate=evaluate
        )
        run.advance(config.call_length, loss)
        if error is not None:
            run.evaluate(state.params, error)
        return state


def _drawn(starts: np.ndarray, seed: Sequence[int], size: int) -> Int[np.ndarray, "batch"]:
    return starts[np.random.default_rng(seed).integers(0, len(starts), size)]


def _free(member: Params, frozen: Sequence[str]) -> Float[np.ndarray, "parameters"]:
    """1 for every parameter that learns, 0 for those that are frozen."""
    free = {
        name: jax.tree.map(lambda _, name=name: float(name not in frozen), part)
        for name, part in member.items()
    }
    return VectorLayout.of(member).vector(free)


def _train(run: Run, state: TrainState, learner: _Learner, file: "_CheckpointFile") -> None:
    n_calls = run.config.n_steps // run.config.call_length
    calls_between = max(1, n_calls // run.config.n_evaluations)
    between_calls = True
    try:
        if run.step == 0:
            run.evaluate(state.params, learner.program.evaluate(state.params))
        for call in range(run.step // run.config.call_length + 1, n_calls + 1):
            last, between_calls = call == n_calls, False
            state = learner.advance(run, state, evaluate=call % calls_between == 0 or last)
            between_calls = True
            done = run.status != "" or last
            file.save(run, state, now=done)
            if done:
                break
    except KeyboardInterrupt:
        # A call takes the arrays of the state for its own, and the run counts its steps first.
        if between_calls:
            file.save(run, state, now=False)
        layout = learner.program.layout
        found = run.result("interrupted")
        raise TrainingInterrupted(found._replace(params=layout.params(found.params))) from None


class _CheckpointFile:
    """The checkpoint of one attempt; without a path it does nothing."""

    def __init__(self, path: Path | None, training: str, attempt: int, mesh: Mesh | None) -> None:
        self.path, self.training, self.mesh = path, training, mesh
        if path is not None and attempt > 0:
            self.path = path.with_name(f"{path.name}.{attempt}")
        self.written = time.perf_counter()

    def save(self, run: Run, state: TrainState, *, now: bool) -> None:
        """Write the run at once, or if the last write was some seconds ago."""
        waited = time.perf_counter() - self.written
        if self.path is None or (not now and waited < SECONDS_BETWEEN_CHECKPOINTS):
            return
        save_checkpoint(self.path, self._content(run, state), of=self.training, mesh=self.mesh)
        self.written = time.perf_counter()

    def restore(self, run: Run, state: TrainState) -> TrainState:
        """Set the run back to the checkpoint, and return the state stored there."""
        if self.path is None:
            return state
        arrays = load_checkpoint(self.path, of=self.training, mesh=self.mesh)
        if arrays is None:
            return state
        found = as_tree(arrays, self._content(run, state))
        run.params, run.best, numbers = found["params"], found["best"], found["numbers"]
        run.step, run.best_step, run.waited = (int(v) for v in numbers[:3])
        run.held_out = float(numbers[3])
        run.status = STATUSES[int(numbers[4])]
        history = found["history"].reshape(-1, 4)
        run.history = [Progress(int(a), int(b), float(c), float(d)) for a, b, c, d in history]
        return found["state"]

    @staticmethod
    def _content(run: Run, state: TrainState) -> dict[str, Any]:
        code = STATUSES.index(run.status)
        return {
            "state": state,
            "params": run.params,
            "best": run.best,
            "numbers": np.array([run.step, run.best_step, run.waited, run.held_out, code], float),
            "history": np.array(run.history, float).reshape(-1),
        }
