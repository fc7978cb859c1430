"""Simulating a system, and calibrating its constants to its own simulations."""

from functools import partial

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Float, Int, PRNGKeyArray

from jaxcause.simulate._mechanism import Mechanism, calibrated, respond, total_effect

ROUNDS = 6
"""Number of pilot runs, after each of which the constants are calibrated."""


@partial(jax.jit, static_argnames=("max_lag", "function", "contemporaneous"))
def run_forward(
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
) -> Float[Array, "time all"]:
    """Run the recursion from zeros; the carry holds the newest ``max_lag`` rows as a ring buffer.

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
    single = jax.tree.leaves(regimes)[0].shape[0] == 1

    def step(carry: tuple[Array, Array], now: tuple[Array, Array]):
        ring, t = carry
        shock, regime = now
        m = jax.tree.map(lambda leaf: leaf[0] if single else leaf[regime], regimes)
        past = ring[(t - lag) % max_lag, source]

        def once(_: Array, row: Array) -> Array:
            seen = jnp.where(lag == 0, row[source], past)
            return respond(m, seen, shock, function=function)

        if contemporaneous:
            row = lax.fori_loop(0, depth + 1, once, jnp.zeros_like(shock))
        else:
            row = respond(m, past, shock, function=function)
        return (ring.at[t % max_lag].set(row), t + 1), row

    start = jnp.zeros((max_lag, shocks.shape[1]), shocks.dtype), jnp.zeros((), jnp.int32)
    return lax.scan(step, start, (shocks, domain))[1]


def tuned(
    key: PRNGKeyArray,
    regimes: Mechanism,
    source: Int[Array, "all parents"],
    lag: Int[Array, "all parents"],
    shocks: Float[Array, "time all"],
    depth: Int[Array, ""],
    *,
    max_lag: int,
    function: str,
    contemporaneous: bool,
    skipped: int,
) -> tuple[Mechanism, Float[Array, "domains all parents_and_noise"]]:
    """Mechanisms calibrated to stationary pilot runs of their own, and their total effects.

    Args:
        key: Random key of the inputs for the first calibration.
        regimes: Mechanisms with a leading axis of regimes.
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
    times = jnp.arange(skipped, shocks.shape[0], dtype=jnp.int32)
    at = times[:, None, None] - lag[None], jnp.broadcast_to(source, (times.size, *source.shape))
    later = shocks[skipped:]
    n_regimes = regimes.noise.shape[0]

    def pilot(regimes: Mechanism) -> Float[Array, "domains time all parents"]:
        paths = [
            run_forward(
                jax.tree.map(lambda leaf, d=d: leaf[d : d + 1], regimes),
                source,
                lag,
                shocks,
                jnp.zeros(shocks.shape[:1], jnp.int32),
                depth,
                **static,
            )[at]
            for d in range(n_regimes)
        ]
        return jnp.stack(paths)

    normal = jax.random.normal(key, (times.size, *source.shape), shocks.dtype)
    regimes = _calibrate(regimes, jnp.stack([normal] * n_regimes), later, function=function)
    for _ in range(ROUNDS):
        regimes = _calibrate(regimes, pilot(regimes), later, function=function)
    return regimes, _effects(regimes, pilot(regimes), later, function=function)


def _calibrate(regimes: Mechanism, seen: Array, shocks: Array, *, function: str) -> Mechanism:
    """Calibrate every regime to its standardised inputs, since the final inputs are standardised.

    Raw inputs would make the calibration overshoot if a variable acts back on itself. This runs
    operation by operation: compiled as a whole, sums over broadcast products are wrong on CPUs
    under jaxlib 0.10.2 (https://github.com/jax-ml/jax/issues/39103).
    """
    seen = seen - seen.mean(axis=1, keepdims=True)
    seen = seen / jnp.maximum(seen.std(axis=1, keepdims=True), 1e-3)
    return jax.vmap(lambda m, inputs: calibrated(m, inputs, shocks, function=function))(
        regimes, seen
    )


def _effects(regimes: Mechanism, seen: Array, shocks: Array, *, function: str) -> Array:
    return jax.vmap(lambda m, inputs: total_effect(m, inputs, shocks, function=function))(
        regimes, seen
    )


def segments(key: PRNGKeyArray, n_domains: int, n_steps: int, rounds: int) -> Int[Array, "time"]:
    """Regime of each step; every round contains each regime once, in a random order."""
    orders = jax.vmap(lambda k: jax.random.permutation(k, n_domains))(jax.random.split(key, rounds))
    number = (jnp.arange(n_steps) * (rounds * n_domains)) // n_steps
    return orders.reshape(-1)[number].astype(jnp.int32)
