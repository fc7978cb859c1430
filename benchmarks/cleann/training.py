"""Training with optax: one loop for both models."""

import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

import jax
import optax


def fit(
    loss_fn: Callable[[Any, Any, jax.Array], jax.Array],
    params: Any,
    batches: Iterable[Any],
    n_steps: int,
    *,
    key: jax.Array,
    name: str,
    peak: float,
    weight_decay: float = 0.01,
) -> Any:
    """Parameters after AdamW with a warm-up and a cosine; gradients are clipped to norm 1.

    Args:
        loss_fn: Loss of parameters, a batch and a key of dropout.
        params: Where to start.
        batches: ``n_steps`` batches, of few shapes.
        n_steps: Their number.
        key: Of dropout.
        name: Shown with the progress.
        peak: Largest learning rate.
        weight_decay: Of matrices.
    """
    schedule = optax.warmup_cosine_decay_schedule(
        0.0, peak, max(1, n_steps // 10), n_steps, peak * 0.01
    )
    optimiser = optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.adamw(
            schedule,
            weight_decay=weight_decay,
            mask=lambda tree: jax.tree.map(lambda leaf: leaf.ndim > 1, tree),
        ),
    )
    state = optimiser.init(params)

    @jax.jit
    def step(params, state, batch, key):
        loss, gradient = jax.value_and_grad(loss_fn)(params, batch, key)
        updates, state = optimiser.update(gradient, state, params)
        return optax.apply_updates(params, updates), state, loss

    began, mean = time.monotonic(), None
    for number, batch in enumerate(batches):
        key, used = jax.random.split(key)
        params, state, loss = step(params, state, batch, used)
        mean = float(loss) if mean is None else 0.95 * mean + 0.05 * float(loss)
        if number % 50 == 49 or number + 1 == n_steps:
            seconds = time.monotonic() - began
            say(f"{name}: step {number + 1}/{n_steps}, loss {mean:.3f}, {seconds:.0f} s")
    return params


def say(line: str) -> None:
    """Progress on stderr."""
    print(line, file=sys.stderr, flush=True)
