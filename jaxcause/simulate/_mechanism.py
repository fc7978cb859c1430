"""Mechanisms: how the parents and the noise of a variable determine its next value.

A mechanism is a sum of functions of the parents, or one network over parents and noise. For both,
``respond`` computes a row from the parents' values and the noise, and ``calibrated`` adjusts the
constants to a simulated stretch of the system.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float, PRNGKeyArray

from jaxcause.simulate._functions import FAMILIES

SIGNAL = 0.6
"""Share of a variable's variance that its parents together should explain."""

GROWTH = 0.9
"""Bound on the sum of slopes; below 1 it keeps the system from exploding or drifting away."""

MAX_SIGNAL = 0.85
"""Largest share of variance that the parents explain, so that noise keeps the system moving."""

SPREAD_OF_SHARES = (0.75, 1.25)
"""Range of the parents' relative shares, before they are scaled to `SIGNAL`."""

SCALE_SWING = 0.8
"""Heteroscedastic noise is scaled by up to 1 ± this, depending on the parents' weighted sum."""

HIDDEN = 16
"""Number of hidden units in the network of a variable."""

INPUT_SIZE = 3.0
"""Euclidean norm of the factors that scale the inputs of that network."""

BIAS = 2.0
"""Biases of its units are uniform between ± this."""

SMALLEST_SPREAD = 0.3
"""Smallest standard deviation of a function, relative to that on normal inputs."""


class Mechanism(NamedTuple):
    """Constants of one regime.

    Args:
        theta: Parameters of the functions.
        share: Share of the target's variance that each parent should explain.
        gain: Factor of each function's output or, in a concatenated network, of each input.
        centre: Mean of each function's output, which is subtracted.
        spread: Standard deviation of that output, by which it is divided.
        noise: Factor of the noise.
        tilt: Weights of the parents in the scale of heteroscedastic noise; 0 for other noise.
        active: Which places hold a parent.
        returns: Which parents are variables of the system, and not hidden white noise.
        least: Smallest allowed spread.
    """

    theta: dict[str, Array]
    share: Float[Array, "*domains all parents"]
    gain: Float[Array, "*domains all parents"]
    centre: Float[Array, "..."]
    spread: Float[Array, "..."]
    noise: Float[Array, "*domains all"]
    tilt: Float[Array, "*domains all parents"]
    active: Bool[Array, "*domains all parents"]
    returns: Bool[Array, "*domains all parents"]
    least: Float[Array, "..."]


def draw_mechanism(
    key: PRNGKeyArray,
    active: Bool[Array, "all parents"],
    returns: Bool[Array, "all parents"],
    *,
    function: str,
    heteroscedastic: bool,
) -> Mechanism:
    """Draw functions, shares and signs; ``calibrated`` must be called next."""
    theta_key, share_key, sign_key, tilt_key = jax.random.split(key, 4)
    shape = active.shape
    n_all, n_parents = shape
    if function == "mlp_cat":
        theta = _draw_network(theta_key, n_all, n_parents)
        per = (n_all,)
    else:
        theta, per = FAMILIES[function].draw(theta_key, shape), shape
    least = jnp.full(per, 1e-3, jnp.float32)
    relative = jax.random.uniform(share_key, shape, jnp.float32, *SPREAD_OF_SHARES)
    relative = jnp.where(active, relative, 0.0)
    total = relative.sum(axis=-1, keepdims=True)
    share = SIGNAL * relative / jnp.where(total > 0, total, 1.0)
    sign = jax.random.rademacher(sign_key, shape, jnp.float32)
    tilt = jnp.where(active, jax.random.rademacher(tilt_key, shape, jnp.float32), 0.0)
    count = jnp.maximum(jnp.abs(tilt).sum(axis=-1, keepdims=True), 1.0)
    drawn = Mechanism(
        theta=theta,
        share=share,
        gain=sign * jnp.where(share > 0, 1.0 if function == "mlp_cat" else jnp.sqrt(share), 0.0),
        centre=jnp.zeros(per, jnp.float32),
        spread=jnp.ones(per, jnp.float32),
        noise=jnp.full((n_all,), (1 - SIGNAL) ** 0.5, jnp.float32),
        tilt=tilt / jnp.sqrt(count) if heteroscedastic else jnp.zeros_like(tilt),
        active=active,
        returns=returns,
        least=least,
    )
    return _with_least_spread(drawn, function=function)


def respond(
    m: Mechanism,
    seen: Float[Array, "all parents"],
    shock: Float[Array, "all"],
    *,
    function: str,
) -> Float[Array, "all"]:
    """The values of a row, from the parents' values and the noise."""
    noise = m.noise * noise_scale(m, seen) * shock
    if function == "mlp_cat":
        return (_network(m, seen, noise) - m.centre) / m.spread
    return _effects(m, seen, function).sum(axis=-1) + noise


def noise_scale(m: Mechanism, seen: Float[Array, "all parents"]) -> Float[Array, "all"]:
    """1 + 0.8 tanh of the parents' weighted sum; 1 for homoscedastic noise."""
    return 1 + SCALE_SWING * jnp.tanh((m.tilt * seen).sum(axis=-1))


def calibrated(
    m: Mechanism,
    seen: Float[Array, "time all parents"],
    shock: Float[Array, "time all"],
    *,
    function: str,
) -> Mechanism:
    """Constants with which this stretch would have variance 1 and the wanted shares."""
    if function == "mlp_cat":
        return _calibrated_network(m, seen, shock)
    family = FAMILIES[function]
    raw = jax.vmap(lambda row: family.apply(m.theta, row))(seen)
    centre, spread = raw.mean(axis=0), jnp.maximum(raw.std(axis=0), m.least)
    size = jnp.sqrt(m.share)
    slope = jnp.maximum(family.growth(m.theta), jnp.abs(_mean_slope(raw, seen))) / spread
    size = size * _damping(size * slope, m)
    m = m._replace(centre=centre, spread=spread, gain=jnp.sign(m.gain) * size)
    signal = jax.vmap(lambda row: _effects(m, row, function).sum(axis=-1))(seen).var(axis=0)
    shrink = MAX_SIGNAL / jnp.maximum(signal, MAX_SIGNAL)
    power = jax.vmap(lambda row: noise_scale(m, row) ** 2)(seen).mean(axis=0)
    return m._replace(
        gain=m.gain * jnp.sqrt(shrink)[:, None], noise=jnp.sqrt((1 - signal * shrink) / power)
    )


def _with_least_spread(m: Mechanism, *, function: str) -> Mechanism:
    """Set the smallest spread, from the functions' spread on normal inputs."""
    if function == "mlp_cat":
        return m
    at = jnp.linspace(-2.5, 2.5, 101, dtype=jnp.float32)
    weight = jnp.exp(-(at**2) / 2)
    weight = (weight / weight.sum())[:, None, None]
    raw = jax.vmap(lambda x: FAMILIES[function].apply(m.theta, jnp.full(m.share.shape, x)))(at)
    centre = (weight * raw).sum(axis=0)
    spread = jnp.sqrt((weight * (raw - centre[None]) ** 2).sum(axis=0))
    return m._replace(centre=centre, spread=spread, least=SMALLEST_SPREAD * spread)


def total_effect(
    m: Mechanism,
    seen: Float[Array, "time all parents"],
    shock: Float[Array, "time all"],
    *,
    function: str,
) -> Float[Array, "all parents_and_noise"]:
    r"""Jansen's total effect: :math:`\tfrac12 E[(f(x) - f(x'))^2] / \mathrm{Var} f`.

    In x', the values of one parent (or, in the last place, of the noise) are replaced by those half
    a stretch away. If the parents' terms add up, the effect is the variance share of a term.
    """
    at = jax.vmap(partial(respond, m, function=function))
    value = at(seen, shock)
    half = seen.shape[0] // 2
    away, other_shock = jnp.roll(seen, half, axis=0), jnp.roll(shock, half, axis=0)
    variance = jnp.maximum(value.var(axis=0), 1e-6)

    def share(changed: Array) -> Array:
        return 0.5 * ((value - changed) ** 2).mean(axis=0) / variance

    effects = [
        share(at(seen.at[:, :, place].set(away[:, :, place]), shock))
        for place in range(seen.shape[-1])
    ]
    return jnp.stack([*effects, share(at(seen, other_shock))], axis=-1)


def _effects(m: Mechanism, seen: Array, function: str) -> Array:
    return m.gain * (FAMILIES[function].apply(m.theta, seen) - m.centre) / m.spread


def _draw_network(key: PRNGKeyArray, n_all: int, n_parents: int) -> dict[str, Array]:
    into, noise, bias, out = jax.random.split(key, 4)
    shape = (n_all, HIDDEN)
    return {
        "into": jax.random.normal(into, (*shape, n_parents), jnp.float32),
        "noise": jax.random.normal(noise, shape, jnp.float32),
        "bias": jax.random.uniform(bias, shape, jnp.float32, -BIAS, BIAS),
        "out": jax.random.normal(out, shape, jnp.float32),
    }


def _network(m: Mechanism, seen: Array, noise: Array) -> Array:
    """One hidden layer over parents and noise; a variable without parents equals its noise."""
    into = jnp.einsum("ihp,ip->ih", m.theta["into"], m.gain * seen)
    hidden = jnp.tanh(into + m.theta["noise"] * noise[:, None] + m.theta["bias"])
    return jnp.where(m.active.any(axis=-1), jnp.einsum("ih,ih->i", m.theta["out"], hidden), noise)


def _calibrated_network(m: Mechanism, seen: Array, shock: Array) -> Mechanism:
    """Scale the inputs towards their shares, then the output to mean 0 and variance 1."""
    effect = total_effect(m, seen, shock, function="mlp_cat")
    value = jax.vmap(partial(respond, m, function="mlp_cat"))(seen, shock)
    slope = jnp.abs(_mean_slope(jnp.broadcast_to(value[:, :, None], seen.shape), seen))
    parents = m.share * _damping(slope, m) ** 2
    wanted = jnp.concatenate([parents, 1 - parents.sum(axis=-1, keepdims=True)], axis=-1)
    part = effect / jnp.maximum(effect.sum(axis=-1, keepdims=True), 1e-6)
    step = jnp.clip(jnp.sqrt(wanted / jnp.maximum(part, 1e-4)), 0.5, 2.0)
    size = jnp.concatenate([jnp.abs(m.gain), m.noise[:, None]], axis=-1) * step
    size = INPUT_SIZE * size / jnp.linalg.norm(size, axis=-1, keepdims=True)
    m = m._replace(gain=jnp.sign(m.gain) * size[:, :-1], noise=size[:, -1])
    noise = jax.vmap(lambda row, e: m.noise * noise_scale(m, row) * e)(seen, shock)
    value = jax.vmap(partial(_network, m))(seen, noise)
    return m._replace(centre=value.mean(axis=0), spread=jnp.maximum(value.std(axis=0), m.least))


def _mean_slope(values: Array, seen: Array) -> Array:
    """Slope of the regression of each function's output on its input."""
    off = seen - seen.mean(axis=0, keepdims=True)
    return (off * values).mean(axis=0) / jnp.maximum((off**2).mean(axis=0), 1e-3)


def _damping(slope: Array, m: Mechanism) -> Array:
    """The factor that reduces the sum of slopes to its bound."""
    total = jnp.where(m.returns, slope, 0.0).sum(axis=-1, keepdims=True)
    return jnp.where(m.returns, GROWTH / jnp.maximum(total, GROWTH), 1.0)
