"""Random functions of one variable, for the edges of a simulated system."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, PRNGKeyArray

HIDDEN = 8
"""Number of hidden units in the network of an edge."""

STEEPNESS = 3.0
"""Standard deviation of the weights into these units."""

CENTRES = (-2.0, 2.0)
"""Range of the points at which the units are steepest; the data lie there."""

N_MONOTONIC = 5
KNOTS = (-0.8, 0.0, 0.8)
KNOT_JITTER = 0.3
OUTER_SLOPE = (0.2, 0.6)
INNER_SLOPE = (0.5, 1.5)


class EdgeFunction(NamedTuple):
    """A family of functions of a standardised input.

    Args:
        draw: Maps a key and a shape to parameters, a dictionary of arrays ``[*shape, …]``.
        apply: Maps parameters and inputs ``[*shape]`` to outputs ``[*shape]``.
        growth: Maps parameters to a bound on |slope| for large |input|; it is 0 for functions that
            are bounded or grow slower than linearly.
    """

    draw: Callable[[PRNGKeyArray, tuple[int, ...]], dict[str, Array]]
    apply: Callable[[dict[str, Array], Float[Array, "..."]], Float[Array, "..."]]
    growth: Callable[[dict[str, Array]], Float[Array, "..."]]


def _uniform(key: PRNGKeyArray, shape: tuple[int, ...], low: float, high: float) -> Array:
    return jax.random.uniform(key, shape, jnp.float32, low, high)


def _draw_linear(key: PRNGKeyArray, shape: tuple[int, ...]) -> dict[str, Array]:
    del key
    return {"slope": jnp.ones(shape, jnp.float32)}


def _draw_monotonic(key: PRNGKeyArray, shape: tuple[int, ...]) -> dict[str, Array]:
    which, steep, shift = jax.random.split(key, 3)
    return {
        "which": jax.random.randint(which, shape, 0, N_MONOTONIC),
        "steep": _uniform(steep, shape, 1.0, 4.0),
        "shift": _uniform(shift, shape, -1.0, 1.0),
    }


def _monotonic(theta: dict[str, Array], x: Array) -> Array:
    steep, moved = theta["steep"], x - theta["shift"]
    values = (
        jnp.tanh(steep * x),
        jax.nn.sigmoid(2 * steep * moved),
        jnp.sign(x) * jnp.log1p(steep * jnp.abs(x)),
        jax.nn.softplus(steep * moved) / steep,
        x + 0.9 * jnp.sin(steep * x) / steep,
    )
    return _chosen(theta["which"], values)


def _monotonic_growth(theta: dict[str, Array]) -> Array:
    # For large inputs the softplus and the wavy line have slope 1; the others flatten.
    return (theta["which"] >= 3).astype(jnp.float32)


def _draw_piecewise(key: PRNGKeyArray, shape: tuple[int, ...]) -> dict[str, Array]:
    inner, outer, sign, knots = jax.random.split(key, 4)
    sizes = jnp.concatenate(
        [_uniform(outer, (*shape, 2), *OUTER_SLOPE), _uniform(inner, (*shape, 2), *INNER_SLOPE)],
        axis=-1,
    )[..., jnp.array([0, 2, 3, 1])]
    jitter = _uniform(knots, (*shape, 3), -KNOT_JITTER, KNOT_JITTER)
    at = jnp.broadcast_to(jnp.asarray(KNOTS, jnp.float32), jitter.shape)
    return {
        "slopes": sizes * jax.random.rademacher(sign, (*shape, 4), jnp.float32),
        "knots": at + jitter,
    }


def _piecewise(theta: dict[str, Array], x: Array) -> Array:
    slopes = theta["slopes"]
    bends = jnp.maximum(x[..., None] - theta["knots"], 0.0)
    return slopes[..., 0] * x + (jnp.diff(slopes, axis=-1) * bends).sum(axis=-1)


def _piecewise_growth(theta: dict[str, Array]) -> Array:
    return jnp.maximum(jnp.abs(theta["slopes"][..., 0]), jnp.abs(theta["slopes"][..., -1]))


def _draw_either(key: PRNGKeyArray, shape: tuple[int, ...]) -> dict[str, Array]:
    coin, one, other = jax.random.split(key, 3)
    bent = {"bent": jax.random.bernoulli(coin, shape=shape)}
    return bent | _draw_piecewise(one, shape) | _draw_monotonic(other, shape)


def _draw_network(key: PRNGKeyArray, shape: tuple[int, ...]) -> dict[str, Array]:
    into, centre, out = jax.random.split(key, 3)
    steep = STEEPNESS * jax.random.normal(into, (*shape, HIDDEN), jnp.float32)
    return {
        "into": steep,
        "bias": -steep * _uniform(centre, (*shape, HIDDEN), *CENTRES),
        "out": jax.random.normal(out, (*shape, HIDDEN), jnp.float32),
    }


def _network(theta: dict[str, Array], x: Array) -> Array:
    return (theta["out"] * jnp.tanh(theta["into"] * x[..., None] + theta["bias"])).sum(axis=-1)


def _chosen(which: Array, values: tuple[Array, ...]) -> Array:
    result = values[0]
    for number, value in enumerate(values[1:], start=1):
        result = jnp.where(which == number, value, result)
    return result


FAMILIES = {
    "linear": EdgeFunction(
        _draw_linear, lambda theta, x: theta["slope"] * x, lambda theta: theta["slope"]
    ),
    "monotonic": EdgeFunction(_draw_monotonic, _monotonic, _monotonic_growth),
    "pl+m": EdgeFunction(
        _draw_either,
        lambda theta, x: jnp.where(theta["bent"], _piecewise(theta, x), _monotonic(theta, x)),
        lambda theta: jnp.where(theta["bent"], _piecewise_growth(theta), _monotonic_growth(theta)),
    ),
    "mlp_additive": EdgeFunction(
        _draw_network, _network, lambda theta: jnp.zeros(theta["out"].shape[:-1], jnp.float32)
    ),
}
"""Functions of one parent; their values are summed over the parents of a variable."""
