"""Simulating a system, and calibrating its constants to its own simulations."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Float, Int, PRNGKeyArray

from jaxcause.simulate._mechanism import Mechanism, calibrated, respond, total_effect

ROUNDS = 6
"""Number of pilot runs, after each of which the constants are calibrated."""

BLOCK = 1280
"""Steps that one call of the compiled program makes; runs of any length share the program."""


def run_forward(
    regimes: Mechanism,
    source: Int[np.ndarray, "all parents"],
    lag: Int[np.ndarray, "all parents"],
    shocks: Float[np.ndarray, "time all"],
    domain: Int[np.ndarray, "time"],
    depth: Int[np.ndarray, ""],
    *,
    max_lag: int,
    function: str,
    contemporaneous: bool,
) -> Float[np.ndarray, "time all"]:
    """Run the recursion from zeros.

    Args:
        regimes: Mechanisms with a leading axis of regimes.
        source: The parent in each place.
        lag: The lag of that parent.
        shocks: Noise.
        domain: Regime of each step.
        depth: Length of the longest contemporaneous path; a row is computed ``depth + 1`` times.
        max_lag: Longest lag.
        function: Kind of mechanism.
        contemporaneous: Whether there are parents at lag 0.
    """
    n_steps, n_all = shocks.shape
    beyond = -n_steps % BLOCK
    shocks, domain = np.pad(shocks, ((0, beyond), (0, 0))), np.pad(domain, (0, beyond))
    static = {"max_lag": max_lag, "function": function, "contemporaneous": contemporaneous}
    state, rows = (np.zeros((max_lag, n_all), shocks.dtype), np.zeros((), np.int32)), []
    for start in range(0, n_steps, BLOCK):
        now = shocks[start : start + BLOCK], domain[start : start + BLOCK]
        state, block = _run_block(state, regimes, source, lag, *now, depth, **static)
        rows.append(np.asarray(block))
    return np.concatenate(rows)[:n_steps]


@partial(jax.jit, static_argnames=("max_lag", "function", "contemporaneous"))
def _run_block(
    state: tuple[Array, Array],
    regimes: Mechanism,
    source: Int[Array, "all parents"],
    lag: Int[Array, "all parents"],
    shocks: Float[Array, "time all"],
    domain: Int[Array, "time"],
    depth: Int[Array, ""],
    *,
    max_lag: int,
    function: str,
    contemporaneous: bool,
) -> tuple[tuple[Array, Array], Float[Array, "time all"]]:
    """The next steps; the state is a ring buffer of the newest ``max_lag`` rows, and the time."""
    single = jax.tree.leaves(regimes)[0].shape[0] == 1

    def step(carry: tuple[Array, Array], now: tuple[Array, Array]):
        ring, t = carry
        shock, regime = now
        m = jax.tree.map(lambda leaf: leaf[0] if single else leaf[regime], regimes)
        past = ring[(t - lag) % max_lag, source]

        def once(_: Array, row: Array) -> Array:
            seen = jnp.where(lag == 0, row[source], past)
            return jnp.asarray(respond(m, seen, shock, function=function))

        if contemporaneous:
            row = lax.fori_loop(0, depth + 1, once, jnp.zeros_like(shock))
        else:
            row = jnp.asarray(respond(m, past, shock, function=function))
        return (ring.at[t % max_lag].set(row), t + 1), row

    return lax.scan(step, state, (shocks, domain))


def tuned(
    key: PRNGKeyArray,
    regimes: list[Mechanism],
    source: Int[np.ndarray, "all parents"],
    lag: Int[np.ndarray, "all parents"],
    shocks: Float[np.ndarray, "time all"],
    depth: Int[np.ndarray, ""],
    *,
    max_lag: int,
    function: str,
    contemporaneous: bool,
    skipped: int,
) -> tuple[list[Mechanism], Float[np.ndarray, "domains all parents_and_noise"]]:
    """Mechanisms calibrated to stationary pilot runs of their own, and their total effects.

    Args:
        key: Random key of the inputs for the first calibration.
        regimes: The mechanism of each regime.
        source: The parent in each place.
        lag: The lag of that parent.
        shocks: Noise of the pilot runs.
        depth: Length of the longest contemporaneous path.
        max_lag: Longest lag.
        function: Kind of mechanism.
        contemporaneous: Whether there are parents at lag 0.
        skipped: Steps left out at the start of a run, at least ``max_lag``.
    """
    static = {"max_lag": max_lag, "function": function, "contemporaneous": contemporaneous}
    times = np.arange(skipped, shocks.shape[0], dtype=np.int32)
    at, later = (times[:, None, None] - lag, source), shocks[skipped:]

    def pilots(regimes: list[Mechanism]) -> list[Float[np.ndarray, "time all parents"]]:
        every, number = stacked(regimes), np.zeros(shocks.shape[:1], np.int32)
        ends = source, lag, shocks
        return [
            run_forward(every, *ends, number + np.int32(d), depth, **static)[at]
            for d in range(len(regimes))
        ]

    def each(change: Callable[..., Any], inputs: list[np.ndarray]) -> list[Any]:
        pairs = zip(regimes, inputs, strict=True)
        return [change(m, seen, later, function=function) for m, seen in pairs]

    normal = np.asarray(jax.random.normal(key, (times.size, *source.shape), shocks.dtype))
    regimes = each(_calibrate, [normal] * len(regimes))
    for _ in range(ROUNDS):
        regimes = each(_calibrate, pilots(regimes))
    return regimes, np.stack(each(total_effect, pilots(regimes)))


def stacked(regimes: list[Mechanism]) -> Mechanism:
    """The mechanisms of all regimes, with a leading axis."""
    return jax.tree.map(lambda *leaves: np.stack(leaves), *regimes)


def _calibrate(
    m: Mechanism,
    seen: Float[np.ndarray, "time all parents"],
    shocks: Float[np.ndarray, "time all"],
    *,
    function: str,
) -> Mechanism:
    """Calibrate a regime to its standardised inputs, since the final inputs are standardised.

    Raw inputs would make the calibration overshoot if a variable acts back on itself.
    """
    seen = seen - seen.mean(axis=0, keepdims=True)
    seen = seen / np.maximum(seen.std(axis=0, keepdims=True), 1e-3)
    return calibrated(m, seen, shocks, function=function)


@partial(jax.jit, static_argnames=("n_domains", "n_steps", "rounds"))
def segments(key: PRNGKeyArray, n_domains: int, n_steps: int, rounds: int) -> Int[Array, "time"]:
    """Regime of each step; every round contains each regime once, in a random order."""
    orders = jax.vmap(lambda k: jax.random.permutation(k, n_domains))(jax.random.split(key, rounds))
    number = (jnp.arange(n_steps) * (rounds * n_domains)) // n_steps
    return orders.reshape(-1)[number].astype(jnp.int32)
