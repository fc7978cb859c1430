"""Optimiser steps and evaluations of all members of an ensemble, many in one compiled call."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax
from jaxtyping import Float, Int

from jaxcause._checks import InputError, check_at_least
from jaxcause._typing import AnyArray
from jaxcause.training._rows import SeriesRows, gather

Params = Any


class LossParts(NamedTuple):
    """What a loss is made of.

    Args:
        weight: Sum of the weights of the errors in it.
        residuals: Newest rows (as many as follow the history) less their forecasts.
    """

    weight: Float[Array, ""]
    residuals: Float[Array, "batch rows vars"]


LossFn = Callable[[Params, SeriesRows], tuple[Float[Array, ""], LossParts]]
"""Maps parameters and a batch of stretches to the loss, and to what it is made of. The loss is the
sum of errors, weighted as the rows are, over the sum of the weights, or over 1 if that is less."""

MOMENTS = optax.chain(optax.clip_by_global_norm(1.0), optax.scale_by_adam(b2=0.99))
"""Adam on gradients that are clipped to norm 1; rates and decay are arguments of the program."""


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """How to train: AdamW, gradients clipped to norm 1, linear warm-up, cosine decay to 2 %.

    The defaults were tuned on simulated and real series of 1,000 to 50,000 steps.

    Args:
        n_steps: Optimiser steps.
        batch_size: Stretches per step.
        stretch: Consecutive rows predicted in one stretch. A step predicts ``batch_size * stretch``
            rows; only positional attention shares work among them.
        learning_rate: Peak learning rate.
        weight_decay: Decoupled weight decay, per unit of learning rate.
        patience: Training stops after this many evaluations without a lower held-out error.
        n_evaluations: Number of evaluations of the held-out error.
        steps_per_call: Upper bound on the steps of one compiled call; the largest divisor of
            ``n_steps`` up to it is used. An interrupt takes effect at the end of a call.

    Raises:
        InputError: A count is not positive, or the learning rate is not.
    """

    n_steps: int
    batch_size: int = 16
    stretch: int = 32
    learning_rate: float = 3e-3
    weight_decay: float = 1e-3
    patience: int = 10
    n_evaluations: int = 40
    steps_per_call: int = 50

    def __post_init__(self) -> None:
        """Check the settings."""
        for name in (
            "n_steps",
            "batch_size",
            "stretch",
            "patience",
            "n_evaluations",
            "steps_per_call",
        ):
            check_at_least(name, getattr(self, name), 1)
        if self.learning_rate <= 0:
            raise InputError(f"learning_rate={self.learning_rate} must be positive")

    @property
    def call_length(self) -> int:
        """Steps in one compiled call."""
        most = min(self.steps_per_call, self.n_steps)
        return next(n for n in range(most, 0, -1) if self.n_steps % n == 0)

    def rates(self) -> Float[np.ndarray, "steps"]:
        """The learning rate of every step."""
        warm_up, at = max(1, min(300, self.n_steps // 10)), np.arange(self.n_steps)
        done = np.clip((at - warm_up) / (self.n_steps + 1 - warm_up), 0.0, 1.0)
        falling = 0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * done))
        return self.learning_rate * np.where(at < warm_up, at / warm_up, falling)

    def uniform_decay(self, params: Params) -> Params:
        """The same weight decay for every parameter."""
        return jax.tree.map(lambda _: self.weight_decay, params)


@dataclasses.dataclass(frozen=True)
class VectorLayout:
    """How the parameters of one member lie in one vector: a vector is updated by few operations."""

    structure: Any
    shapes: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, params: Params) -> "VectorLayout":
        """The layout of the parameters of one member."""
        leaves, structure = jax.tree.flatten(params)
        return cls(structure, tuple(np.shape(leaf) for leaf in leaves))

    def vector(self, params: Params) -> Float[np.ndarray, "parameters"]:
        """One value for every parameter; a scalar leaf counts for its whole array."""
        leaves = self.structure.flatten_up_to(params)
        parts = [
            np.broadcast_to(leaf, shape) for leaf, shape in zip(leaves, self.shapes, strict=True)
        ]
        return np.concatenate([np.asarray(part, np.float32).ravel() for part in parts])

    def params(self, vector: Float[AnyArray, "*members parameters"]) -> Params:
        """The parameters in a vector; axes of members stay in front."""
        sizes = [int(np.prod(shape)) for shape in self.shapes]
        ends = np.cumsum(sizes).tolist()
        leaves = [
            vector[..., end - size : end].reshape((*vector.shape[:-1], *shape))
            for end, size, shape in zip(ends, sizes, self.shapes, strict=True)
        ]
        return jax.tree.unflatten(self.structure, leaves)


class TrainState(NamedTuple):
    """Everything that a step changes: parameters, and what the optimiser keeps of gradients."""

    params: Float[AnyArray, "*members parameters"]
    moments: optax.OptState

    @classmethod
    def of(cls, params: Float[AnyArray, "members parameters"]) -> "TrainState":
        """The state before the first step; it shares no memory with the parameters."""
        start = np.array(params, np.float32)
        # Optax starts at zero; numpy makes zeros without a program.
        shapes = jax.eval_shape(jax.vmap(MOMENTS.init), start)
        return cls(start, jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes))


class Plan(NamedTuple):
    """What the steps of one call do.

    Args:
        starts: First rows of the stretches of each step.
        rate: Learning rate of each step.
        learns: Whether a step learns, or evaluates held-out stretches and changes nothing.
    """

    starts: Int[AnyArray, "members steps batch"]
    rate: Float[AnyArray, "steps"]
    learns: Float[AnyArray, "steps"]


class StepOutcomes(NamedTuple):
    """What the steps of one call found.

    Args:
        loss: The loss of every step.
        weight: Sum of the weights in it.
        residuals: Newest rows less their forecasts, wherever they have a weight or not.
    """

    loss: Float[AnyArray, "members steps"]
    weight: Float[AnyArray, "members steps"]
    residuals: Float[AnyArray, "members steps batch rows vars"]


Carry = tuple[Array, TrainState, StepOutcomes]
"""The number of the next step, the state before it, and what was found so far."""


def adamw(
    state: TrainState,
    gradient: Float[AnyArray, "parameters"],
    decay: Float[AnyArray, "parameters"],
    rate: Float[AnyArray, ""],
) -> TrainState:
    """One step of AdamW for one member.

    Args:
        state: Parameters and moments of the member.
        gradient: Of the loss.
        decay: Decoupled weight decay of every parameter, per unit of learning rate.
        rate: Learning rate.
    """
    # Optax multiplies its integer counter by floats, which strict promotion forbids.
    with jax.numpy_dtype_promotion("standard"):
        updates: Any
        updates, moments = MOMENTS.update(gradient, state.moments)
    return TrainState(state.params - rate * (updates + decay * state.params), moments)


def steps_of_share(
    state: TrainState,
    plan: Plan,
    n_steps: Int[AnyArray, ""],
    rows: SeriesRows,
    decay: Float[AnyArray, "parameters"],
    free: Float[AnyArray, "parameters"],
    *,
    loss_fn: LossFn,
    layout: VectorLayout,
    stretch: int,
    length: int,
    axis: str | None,
) -> tuple[TrainState, StepOutcomes]:
    """Run the first ``n_steps`` steps of a plan, or this device's share of them.

    Steps that learn and steps that evaluate are the same program, with the update left out. That
    costs a gradient per evaluation, and spares the compilation of a second program.

    Args:
        state: Parameters and moments of the members.
        plan: The steps; with ``axis``, this device's share of the stretches of each.
        n_steps: How many of them are run.
        rows: The series, with the weights for learning and for evaluation.
        decay: Weight decay of every parameter.
        free: 1 for every parameter that learns, 0 for those that are frozen.
        loss_fn: What one member minimises.
        layout: How parameters lie in the vector.
        stretch: Predicted rows of a stretch.
        length: Rows of history before them.
        axis: The axis of the devices that share each batch; None if none do.
    """
    newest = (np.arange(length + stretch) >= length).astype(np.float32)[None, :, None]

    def step(state: TrainState, starts: Array, at: Array) -> tuple[TrainState, StepOutcomes]:
        batch, learns = gather(rows, starts, length + stretch), plan.learns[at]
        taught, judged = batch.weight[:, :, 0], batch.weight[:, :, 1] * newest
        batch = batch._replace(weight=learns * taught + (1 - learns) * judged)

        params = layout.params(state.params)
        (loss, found), tree = jax.value_and_grad(loss_fn, has_aux=True)(params, batch)
        gradient = jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(tree)])
        loss, gradient, weight = _of_whole_batch(loss, gradient, found.weight, axis)
        stepped = adamw(state, free * gradient, decay, plan.rate[at])
        kept = jax.tree.map(lambda new, old: jnp.where(learns > 0, new, old), stepped, state)
        return kept, StepOutcomes(loss, weight, found.residuals)

    n_members = plan.starts.shape[0]

    def of_all(state: TrainState, at: Array) -> tuple[TrainState, StepOutcomes]:
        starts = jnp.asarray(plan.starts)[:, at]
        if n_members > 1:
            return jax.vmap(step, (0, 0, None))(state, starts, at)
        alone = step(jax.tree.map(lambda leaf: leaf[0], state), starts[0], at)
        return jax.tree.map(lambda leaf: leaf[None], alone)

    n_slots, batch, n_vars = len(plan.rate), plan.starts.shape[2], rows.values.shape[1]
    found = StepOutcomes(
        *(
            jnp.zeros((n_slots, n_members, *shape), jnp.float32)
            for shape in ((), (), (batch, stretch, n_vars))
        )
    )

    def body(carry: Carry) -> Carry:
        at, state, found = carry
        state, new = of_all(state, at)
        found = jax.tree.map(lambda all_, one: all_.at[at].set(one), found, new)
        return at + jnp.int32(1), state, found

    _, state, found = lax.while_loop(
        lambda carry: carry[0] < n_steps, body, (jnp.int32(0), state, found)
    )
    return state, jax.tree.map(lambda leaf: leaf.swapaxes(0, 1), found)


def _of_whole_batch(
    loss: Float[Array, ""],
    gradient: Float[Array, "parameters"],
    weight: Float[Array, ""],
    axis: str | None,
) -> tuple[Float[Array, ""], Float[Array, "parameters"], Float[Array, ""]]:
    """Loss, gradient and weight of a batch, of which every device of ``axis`` has seen a share."""
    if axis is None:
        return loss, gradient, weight
    whole = lax.psum(weight, axis)
    share = jnp.maximum(weight, 1.0) / jnp.maximum(whole, 1.0)
    return lax.psum(share * loss, axis), lax.psum(share * gradient, axis), whole
