"""Random functions of one variable, for the edges of a simulated system."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, PRNGKeyArray

from jaxcause._namespace import namespace
from jaxcause._typing import AnyArray

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
        apply: Maps parameters and inputs ``[…, *shape]`` to outputs ``[…, *shape]``, in numpy if
            both are numpy arrays, else in JAX.
        growth: Maps parameters to a bound on |slope| for large |input|; it is 0 for functions that
            are bounded or grow slower than linearly.
    """

    draw: Callable[[PRNGKeyArray, tuple[int, ...]], dict[str, Array]]
    apply: Callable[[dict[str, AnyArray], Float[AnyArray, "..."]], Float[AnyArray, "..."]]
    growth: Callable[[dict[str, AnyArray]], Float[AnyArray, "..."]]


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


def _monotonic(theta: dict[str, AnyArray], x: AnyArray) -> AnyArray:
    xp, steep, moved = namespace(theta, x), theta["steep"], x - theta["shift"]
    values = (
        xp.tanh(steep * x),
        0.5 * xp.tanh(steep * moved) + 0.5,
        xp.sign(x) * xp.log1p(steep * abs(x)),
        xp.logaddexp(steep * moved, np.float32(0)) / steep,
        x + 0.9 * xp.sin(steep * x) / steep,
    )
    return _chosen(theta["which"], values)


def _monotonic_growth(theta: dict[str, AnyArray]) -> AnyArray:
    # For large inputs the softplus and the wavy line have slope 1; the others flatten.
    return (theta["which"] >= 3).astype(np.float32)


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


def _piecewise(theta: dict[str, AnyArray], x: AnyArray) -> AnyArray:
    xp, slopes = namespace(theta, x), theta["slopes"]
    bends = xp.maximum(x[..., None] - theta["knots"], np.float32(0))
    return slopes[..., 0] * x + (xp.diff(slopes, axis=-1) * bends).sum(axis=-1)


def _piecewise_growth(theta: dict[str, AnyArray]) -> AnyArray:
    slopes = theta["slopes"]
    return namespace(slopes).maximum(abs(slopes[..., 0]), abs(slopes[..., -1]))


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


def _network(theta: dict[str, AnyArray], x: AnyArray) -> AnyArray:
    hidden = namespace(theta, x).tanh(theta["into"] * x[..., None] + theta["bias"])
    return (theta["out"] * hidden).sum(axis=-1)


def _chosen(which: AnyArray, values: tuple[AnyArray, ...]) -> AnyArray:
    xp, result = namespace(which, values), values[0]
    for number, value in enumerate(values[1:], start=1):
        result = xp.where(which == number, value, result)
    return result


def _either(theta: dict[str, AnyArray], bent: AnyArray, other: AnyArray) -> AnyArray:
    return namespace(theta, bent).where(theta["bent"], bent, other)


FAMILIES = {
    "linear": EdgeFunction(
        _draw_linear, lambda theta, x: theta["slope"] * x, lambda theta: theta["slope"]
    ),
    "monotonic": EdgeFunction(_draw_monotonic, _monotonic, _monotonic_growth),
    "pl+m": EdgeFunction(
        _draw_either,
        lambda theta, x: _either(theta, _piecewise(theta, x), _monotonic(theta, x)),
        lambda theta: _either(theta, _piecewise_growth(theta), _monotonic_growth(theta)),
    ),
    "mlp_additive": EdgeFunction(
        _draw_network, _network, lambda theta: np.zeros(theta["out"].shape[:-1], np.float32)
    ),
}
"""Functions of one parent; their values are summed over the parents of a variable."""
