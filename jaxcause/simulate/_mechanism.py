"""Mechanisms: how the parents and the noise of a variable determine its next value.

A mechanism is a sum of functions of the parents, or one network over parents and noise. For both,
``respond`` computes a row from the parents' values and the noise, and ``calibrated`` adjusts the
constants to a simulated stretch of the system. That stretch is short, so the constants are computed
in numpy, where nothing is compiled; the recursion itself is compiled, with the same formulas.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, PRNGKeyArray

from jaxcause._namespace import namespace
from jaxcause._typing import AnyArray
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

    theta: dict[str, AnyArray]
    share: Float[AnyArray, "*domains all parents"]
    gain: Float[AnyArray, "*domains all parents"]
    centre: Float[AnyArray, "..."]
    spread: Float[AnyArray, "..."]
    noise: Float[AnyArray, "*domains all"]
    tilt: Float[AnyArray, "*domains all parents"]
    active: Bool[AnyArray, "*domains all parents"]
    returns: Bool[AnyArray, "*domains all parents"]
    least: Float[AnyArray, "..."]


def draw_mechanism(
    key: PRNGKeyArray,
    active: Bool[np.ndarray, "all parents"],
    returns: Bool[np.ndarray, "all parents"],
    *,
    function: str,
    heteroscedastic: bool,
) -> Mechanism:
    """Draw functions, shares and signs; ``calibrated`` must be called next."""
    n_all, _ = shape = active.shape
    per, zero = (n_all,) if function == "mlp_cat" else shape, np.float32(0)
    theta, relative, sign, tilt = jax.tree.map(np.asarray, _draw(key, shape, function))
    relative = np.where(active, relative, zero)
    total = relative.sum(axis=-1, keepdims=True)
    share = SIGNAL * relative / np.where(total > 0, total, np.float32(1))
    tilt = np.where(active & heteroscedastic, tilt, zero)
    count = np.maximum(abs(tilt).sum(axis=-1, keepdims=True), np.float32(1))
    size = np.ones_like(share) if function == "mlp_cat" else np.sqrt(share)
    drawn = Mechanism(
        theta=theta,
        share=share,
        gain=sign * np.where(share > 0, size, zero),
        centre=np.zeros(per, np.float32),
        spread=np.ones(per, np.float32),
        noise=np.full((n_all,), (1 - SIGNAL) ** 0.5, np.float32),
        tilt=tilt / np.sqrt(count),
        active=active,
        returns=returns,
        least=np.full(per, 1e-3, np.float32),
    )
    return _with_least_spread(drawn, function=function)


@partial(jax.jit, static_argnames=("shape", "function"))
def _draw(
    key: PRNGKeyArray, shape: tuple[int, int], function: str
) -> tuple[dict[str, Array], Array, Array, Array]:
    """Parameters of the functions, relative shares, signs, and the signs of the noise's weights."""
    theta_key, share_key, sign_key, tilt_key = jax.random.split(key, 4)
    draw = _draw_network if function == "mlp_cat" else FAMILIES[function].draw
    return (
        draw(theta_key, shape),
        jax.random.uniform(share_key, shape, jnp.float32, *SPREAD_OF_SHARES),
        jax.random.rademacher(sign_key, shape, jnp.float32),
        jax.random.rademacher(tilt_key, shape, jnp.float32),
    )


def respond(
    m: Mechanism,
    seen: Float[AnyArray, "*time all parents"],
    shock: Float[AnyArray, "*time all"],
    *,
    function: str,
) -> Float[AnyArray, "*time all"]:
    """The values of a row, or of many, from the parents' values and the noise."""
    noise = m.noise * noise_scale(m, seen) * shock
    if function == "mlp_cat":
        return (_network(m, seen, noise) - m.centre) / m.spread
    return _effects(m, seen, function).sum(axis=-1) + noise


def noise_scale(m: Mechanism, seen: Float[AnyArray, "*time all parents"]) -> AnyArray:
    """1 + 0.8 tanh of the parents' weighted sum; 1 for homoscedastic noise."""
    return 1 + SCALE_SWING * namespace(m, seen).tanh((m.tilt * seen).sum(axis=-1))


def calibrated(
    m: Mechanism,
    seen: Float[np.ndarray, "time all parents"],
    shock: Float[np.ndarray, "time all"],
    *,
    function: str,
) -> Mechanism:
    """Constants with which this stretch would have variance 1 and the wanted shares."""
    if function == "mlp_cat":
        return _calibrated_network(m, seen, shock)
    family = FAMILIES[function]
    raw = family.apply(m.theta, seen)
    centre, spread = raw.mean(axis=0), np.maximum(raw.std(axis=0), m.least)
    size = np.sqrt(m.share)
    slope = np.maximum(family.growth(m.theta), abs(_mean_slope(raw, seen))) / spread
    size = size * _damping(size * slope, m)
    m = m._replace(centre=centre, spread=spread, gain=np.sign(m.gain) * size)
    signal = _effects(m, seen, function).sum(axis=-1).var(axis=0)
    shrink = MAX_SIGNAL / np.maximum(signal, MAX_SIGNAL)
    power = (noise_scale(m, seen) ** 2).mean(axis=0)
    return m._replace(
        gain=m.gain * np.sqrt(shrink)[:, None], noise=np.sqrt((1 - signal * shrink) / power)
    )


def _with_least_spread(m: Mechanism, *, function: str) -> Mechanism:
    """Set the smallest spread, from the functions' spread on normal inputs."""
    if function == "mlp_cat":
        return m
    at = np.linspace(-2.5, 2.5, 101, dtype=np.float32)[:, None, None]
    weight = np.exp(-(at**2) / 2)
    weight = weight / weight.sum()
    raw = FAMILIES[function].apply(m.theta, np.broadcast_to(at, (len(at), *m.share.shape)))
    centre = (weight * raw).sum(axis=0)
    spread = np.sqrt((weight * (raw - centre) ** 2).sum(axis=0))
    return m._replace(centre=centre, spread=spread, least=SMALLEST_SPREAD * spread)


def total_effect(
    m: Mechanism,
    seen: Float[np.ndarray, "time all parents"],
    shock: Float[np.ndarray, "time all"],
    *,
    function: str,
) -> Float[np.ndarray, "all parents_and_noise"]:
    r"""Jansen's total effect: :math:`\tfrac12 E[(f(x) - f(x'))^2] / \mathrm{Var} f`.

    In x', the values of one parent (or, in the last place, of the noise) are replaced by those half
    a stretch away. If the parents' terms add up, the effect is the variance share of a term.
    """
    at = partial(respond, m, function=function)
    value = at(seen, shock)
    half = seen.shape[0] // 2
    away, other_shock = np.roll(seen, half, axis=0), np.roll(shock, half, axis=0)
    variance = np.maximum(value.var(axis=0), 1e-6)

    def share(changed: Any) -> Any:
        return 0.5 * ((value - changed) ** 2).mean(axis=0) / variance

    place = np.arange(seen.shape[-1])
    effects = [share(at(np.where(place == p, away, seen), shock)) for p in place]
    return np.stack([*effects, share(at(seen, other_shock))], axis=-1)


def _effects(m: Mechanism, seen: AnyArray, function: str) -> AnyArray:
    return m.gain * (FAMILIES[function].apply(m.theta, seen) - m.centre) / m.spread


def _draw_network(key: PRNGKeyArray, size: tuple[int, ...]) -> dict[str, Array]:
    into, noise, bias, out = jax.random.split(key, 4)
    n_all, n_parents = size
    shape = (n_all, HIDDEN)
    return {
        "into": jax.random.normal(into, (*shape, n_parents), jnp.float32),
        "noise": jax.random.normal(noise, shape, jnp.float32),
        "bias": jax.random.uniform(bias, shape, jnp.float32, -BIAS, BIAS),
        "out": jax.random.normal(out, shape, jnp.float32),
    }


def _network(m: Mechanism, seen: AnyArray, noise: AnyArray) -> AnyArray:
    """One hidden layer over parents and noise; a variable without parents equals its noise."""
    xp = namespace(m, seen, noise)
    into = xp.einsum("ihp,...ip->...ih", m.theta["into"], m.gain * seen)
    hidden = xp.tanh(into + m.theta["noise"] * noise[..., None] + m.theta["bias"])
    out = xp.einsum("ih,...ih->...i", m.theta["out"], hidden)
    return xp.where(m.active.any(axis=-1), out, noise)


def _calibrated_network(m: Mechanism, seen: np.ndarray, shock: np.ndarray) -> Mechanism:
    """Scale the inputs towards their shares, then the output to mean 0 and variance 1."""
    effect = total_effect(m, seen, shock, function="mlp_cat")
    value = respond(m, seen, shock, function="mlp_cat")
    slope = abs(_mean_slope(value[:, :, None], seen))
    parents = m.share * _damping(slope, m) ** 2
    wanted = np.concatenate([parents, 1 - parents.sum(axis=-1, keepdims=True)], axis=-1)
    part = effect / np.maximum(effect.sum(axis=-1, keepdims=True), 1e-6)
    step = np.clip(np.sqrt(wanted / np.maximum(part, 1e-4)), 0.5, 2.0)
    size = np.concatenate([abs(m.gain), m.noise[:, None]], axis=-1) * step
    size = INPUT_SIZE * size / np.linalg.norm(size, axis=-1, keepdims=True)
    m = m._replace(gain=np.sign(m.gain) * size[:, :-1], noise=size[:, -1])
    value = _network(m, seen, m.noise * noise_scale(m, seen) * shock)
    return m._replace(centre=value.mean(axis=0), spread=np.maximum(value.std(axis=0), m.least))


def _mean_slope(values: AnyArray, seen: np.ndarray) -> np.ndarray:
    """Slope of the regression of each function's output on its input."""
    off = seen - seen.mean(axis=0, keepdims=True)
    return (off * values).mean(axis=0) / np.maximum((off**2).mean(axis=0), 1e-3)


def _damping(slope: np.ndarray, m: Mechanism) -> np.ndarray:
    """The factor that reduces the sum of slopes to its bound."""
    total = np.where(m.returns, slope, np.float32(0)).sum(axis=-1, keepdims=True)
    return np.where(m.returns, GROWTH / np.maximum(total, GROWTH), np.float32(1))
