"""Simulating a system, and calibrating its constants to its own simulations."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Float, Int, PRNGKeyArray

from jaxcause._typing import AnyArray
from jaxcause.simulate._mechanism import Mechanism, calibrated, respond, total_effect

ROUNDS = 6
"""Number of pilot runs, after each of which the constants are calibrated."""


@partial(jax.jit, static_argnames=("max_lag", "function", "contemporaneous"))
def run_forward(
    regimes: Mechanism,
    source: Int[AnyArray, "all parents"],
    lag: Int[AnyArray, "all parents"],
    shocks: Float[AnyArray, "time all"],
    domain: Int[AnyArray, "time"],
    depth: Int[AnyArray, ""],
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
    source, lag, shocks, domain = (jnp.asarray(a) for a in (source, lag, shocks, domain))
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

    start = jnp.zeros((max_lag, shocks.shape[1]), shocks.dtype), jnp.zeros((), jnp.int32)
    return lax.scan(step, start, (shocks, domain))[1]


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

    def pilot(m: Mechanism) -> Float[np.ndarray, "time all parents"]:
        one, domain = stacked([m]), np.zeros(shocks.shape[:1], np.int32)
        return np.asarray(run_forward(one, source, lag, shocks, domain, depth, **static))[at]

    normal = np.asarray(jax.random.normal(key, (times.size, *source.shape), shocks.dtype))
    regimes = [_calibrate(m, normal, later, function=function) for m in regimes]
    for _ in range(ROUNDS):
        regimes = [_calibrate(m, pilot(m), later, function=function) for m in regimes]
    effects = [total_effect(m, pilot(m), later, function=function) for m in regimes]
    return regimes, np.stack(effects)


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
