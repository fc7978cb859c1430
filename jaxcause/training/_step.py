"""One optimiser step of every member of an ensemble, and many in one compiled call."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array, lax
from jaxtyping import Float, Int, Key

from jaxcause._checks import InputError, check_at_least
from jaxcause.training._rows import SeriesRows, gather

Params = Any
LossFn = Callable[[Params, SeriesRows], Float[Array, ""]]


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """How to train: AdamW, gradients clipped to norm 1, linear warm-up, cosine decay to 2 %.

    The defaults were found on simulated and real series of 1,000 to 50,000 steps.

    Args:
        n_steps: Optimiser steps.
        batch_size: Stretches per step.
        stretch: Rows predicted in a stretch, one after another. A step predicts
            ``batch_size * stretch`` rows; only positional attention shares work among them.
        learning_rate: Peak learning rate.
        weight_decay: Decoupled weight decay, per unit of learning rate.
        patience: Evaluations without a better held-out error before training stops.
        n_evaluations: How often the held-out error is taken.
        steps_per_call: Most steps in one compiled call, at whose end an interrupt is seen; the
            largest divisor of ``n_steps`` up to it is taken.

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

    def optimizer(self, decay: Params) -> optax.GradientTransformation:
        """The optimiser of this configuration, with a weight decay for every parameter."""
        schedule = optax.warmup_cosine_decay_schedule(
            init_value=0.0,
            peak_value=self.learning_rate,
            warmup_steps=max(1, min(300, self.n_steps // 10)),
            decay_steps=self.n_steps + 1,
            end_value=0.02 * self.learning_rate,
        )

        def add_decay(updates: Params, params: Params) -> Params:
            return jax.tree.map(lambda u, p, rate: u + rate * p, updates, params, decay)

        return optax.chain(
            optax.clip_by_global_norm(1.0),
            optax.scale_by_adam(b2=0.99),
            optax.stateless(add_decay),
            optax.scale_by_learning_rate(schedule),
        )

    def uniform_decay(self, params: Params) -> Params:
        """The same weight decay for every parameter."""
        return jax.tree.map(lambda _: self.weight_decay, params)


class TrainState(NamedTuple):
    """Everything that a step changes; every leaf has a leading axis of members."""

    params: Params
    optimizer: optax.OptState
    step: Int[Array, "members"]


def init_state(params: Params, optimizer: optax.GradientTransformation) -> TrainState:
    """State of members with stacked parameters before their first step."""
    n_members = jax.tree.leaves(params)[0].shape[0]
    return TrainState(params, jax.vmap(optimizer.init)(params), jnp.zeros(n_members, jnp.int32))


def run_steps(
    state: TrainState,
    keys: Key[Array, "members"],
    rows: SeriesRows,
    starts: Int[Array, "members windows"],
    *,
    loss_fn: LossFn,
    optimizer: optax.GradientTransformation,
    config: TrainingConfig,
    length: int,
) -> tuple[TrainState, Float[Array, "members"]]:
    """Run one call's scanned steps on stretches drawn at random; returns each member's mean loss.

    The stretches of step number s depend on the member's key and s alone, so the path of training
    depends neither on how steps are grouped into calls nor on the other members.

    Args:
        state: Parameters and optimiser of the members.
        keys: Random key of each member.
        rows: The series.
        starts: First rows of the windows that each member draws from.
        loss_fn: ``(params, rows) -> scalar`` of one member.
        optimizer: From `TrainingConfig.optimizer`.
        config: Batch size and steps.
        length: Rows of history before the first predicted one.
    """

    def step(state: TrainState, key: Key[Array, ""], starts: Array) -> tuple[TrainState, Array]:
        chosen = jax.random.randint(
            jax.random.fold_in(key, state.step), (config.batch_size,), 0, starts.shape[0]
        )
        batch = gather(rows, starts[chosen], length + config.stretch)
        loss, gradient = jax.value_and_grad(loss_fn)(state.params, batch)
        # optax multiplies its integer step counter with floats, which a caller may forbid.
        with jax.numpy_dtype_promotion("standard"):
            updates, optimizer_state = optimizer.update(gradient, state.optimizer, state.params)
            params = optax.apply_updates(state.params, updates)
        return TrainState(params, optimizer_state, state.step + 1), loss

    def scanned(state: TrainState, _: None) -> tuple[TrainState, Array]:
        return jax.vmap(step)(state, keys, starts)

    state, losses = lax.scan(scanned, state, length=config.call_length)
    return state, losses.mean(axis=0)
