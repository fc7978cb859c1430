"""Multivariate time series with known lagged graphs."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Float, Int, PRNGKeyArray

from jaxcause._checks import InputError, check_at_least, check_choice
from jaxcause._typing import AnyArray
from jaxcause.graph import LaggedGraph

BURN_IN = 500
"""Steps discarded at the start."""

_NONLINEAR: tuple[Callable[[Array], Array], ...] = (
    lambda x: jnp.tanh(2 * x),
    lambda x: jnp.sin(2 * x),
    jnp.abs,
    lambda x: jnp.where(x > 0, x, 0.1 * x),
)
_FIRST_UNBOUNDED = 2
"""tanh and sine are bounded, so only the functions from this index on can make the series grow."""


class SimulatedSeries(NamedTuple):
    """A simulated series and its graph."""

    series: Float[Array, "time vars"]
    truth: LaggedGraph


def vector_autoregression(
    key: PRNGKeyArray,
    *,
    n_vars: int,
    max_lag: int,
    n_steps: int,
    n_parents: int = 3,
    function: str = "linear",
    noise: float = 0.5,
) -> SimulatedSeries:
    r"""Simulate :math:`x_i(t) = \sum_{p} w_{ip}\, g_{ip}(x_{j_p}(t - \ell_p)) + \sigma e_i(t)`.

    Every variable has exactly ``n_parents`` lagged parents, drawn without replacement from all
    (source, lag), with |w| uniform on [0.3, 0.8] and a random sign. If the |w| of a variable's
    unbounded functions sum to more than 0.95, its weights are scaled down, which keeps the system
    stable. The noise is standard normal.

    Args:
        key: Random key.
        n_vars: Number of variables.
        max_lag: Longest lag.
        n_steps: Length of the series after a burn-in of 500 steps.
        n_parents: Lagged parents of each variable.
        function: ``"linear"``, or ``"nonlinear"``: each edge draws one of tanh 2x, sin 2x, |x| and
            a leaky ReLU (slope 0.1).
        noise: Standard deviation σ of the noise.

    Raises:
        InputError: A size is not positive, ``n_parents`` is too large, or the function is unknown.

    >>> import jax
    >>> sim = vector_autoregression(jax.random.key(0), n_vars=3, max_lag=2, n_steps=50)
    >>> sim.series.shape, int(sim.truth.directed.sum())
    ((50, 3), 9)
    """
    for name, value in (("n_vars", n_vars), ("max_lag", max_lag), ("n_steps", n_steps)):
        check_at_least(name, value, 1)
    check_choice("function", function, ("linear", "nonlinear"))
    if not 0 <= n_parents <= n_vars * max_lag:
        raise InputError(
            f"n_parents={n_parents} must lie between 0 and n_vars*max_lag={n_vars * max_lag}"
        )
    parent_key, size_key, sign_key, shape_key, noise_key = jax.random.split(key, 5)
    parents = jax.vmap(lambda k: jax.random.permutation(k, n_vars * max_lag)[:n_parents])(
        jax.random.split(parent_key, n_vars)
    )
    source, lag = parents % n_vars, parents // n_vars + 1
    if function == "nonlinear":
        shapes, which = _NONLINEAR, jax.random.randint(shape_key, parents.shape, 0, len(_NONLINEAR))
        unbounded = which >= _FIRST_UNBOUNDED
    else:
        shapes, which = (lambda x: x,), jnp.zeros(parents.shape, jnp.int32)
        unbounded = jnp.ones(parents.shape, bool)
    size = jax.random.uniform(size_key, parents.shape, jnp.float32, 0.3, 0.8)
    growth = jnp.where(unbounded, size, 0.0).sum(axis=1, keepdims=True)
    size = size * jnp.minimum(1.0, 0.95 / jnp.maximum(growth, 0.95))
    weight = jnp.where(jax.random.bernoulli(sign_key, shape=parents.shape), size, -size)
    shocks = noise * jax.random.normal(noise_key, (n_steps + BURN_IN, n_vars), jnp.float32)
    target = jnp.broadcast_to(jnp.arange(n_vars)[:, None], parents.shape)
    mask = jnp.zeros((n_vars, n_vars, max_lag + 1), bool).at[source, target, lag].set(True)
    series = _roll(shocks, source, lag, weight, which, shapes, max_lag)
    return SimulatedSeries(series[BURN_IN:], LaggedGraph.from_mask(mask))


def _roll(
    shocks: Float[Array, "time vars"],
    source: Int[Array, "vars parents"],
    lag: Int[Array, "vars parents"],
    weight: Float[Array, "vars parents"],
    which: Int[Array, "vars parents"],
    shapes: tuple[Callable[[Array], Array], ...],
    max_lag: int,
) -> Float[Array, "time vars"]:
    """Run the recursion; the carry holds the newest ``max_lag`` rows, newest first."""
    chosen = jax.nn.one_hot(which, len(shapes), dtype=shocks.dtype)

    def step(past: Array, shock: Array) -> tuple[Array, Array]:
        seen = past[lag - 1, source]
        effects = jnp.stack([g(seen) for g in shapes], axis=-1)
        row = (weight * (effects * chosen).sum(axis=-1)).sum(axis=1) + shock
        return jnp.concatenate([row[None], past[:-1]]), row

    start = jnp.zeros((max_lag, shocks.shape[1]), shocks.dtype)
    return lax.scan(step, start, shocks)[1]


def lorenz96(
    key: PRNGKeyArray,
    *,
    n_vars: int = 10,
    n_steps: int = 1000,
    forcing: float = 10.0,
    dt: float = 0.05,
    noise: float = 0.1,
) -> SimulatedSeries:
    r"""Simulate the Lorenz-96 flow :math:`\dot x_i = (x_{i+1} - x_{i-2})\,x_{i-1} - x_i + F`.

    It is integrated by the classical Runge–Kutta rule in ten steps per observation, and observed
    with noise. The graph has lag 1: variable i has the parents i−2, i−1, i and i+1.

    Args:
        key: Random key.
        n_vars: Number of variables, at least 4.
        n_steps: Observations after a burn-in of 500.
        forcing: The constant F; the flow is chaotic from about 8 on.
        dt: Time between observations.
        noise: Standard deviation of the observation noise.

    Source: Lorenz (1996), "Predictability: a problem partly solved".

    >>> import jax
    >>> sim = lorenz96(jax.random.key(0), n_vars=6, n_steps=20)
    >>> sim.series.shape, int(sim.truth.directed.sum())
    ((20, 6), 24)
    """
    check_at_least("n_vars", n_vars, 4)
    check_at_least("n_steps", n_steps, 1)
    start_key, noise_key = jax.random.split(key)

    def step(x: Array, _: None) -> tuple[Array, Array]:
        x = lorenz96_flow(x, forcing=forcing, dt=dt)
        return x, x

    start = forcing + jax.random.normal(start_key, (n_vars,), jnp.float32)
    path = lax.scan(step, start, length=n_steps + BURN_IN)[1][BURN_IN:]
    nodes = jnp.arange(n_vars)
    mask = jnp.zeros((n_vars, n_vars, 2), bool)
    for offset in (-2, -1, 0, 1):
        mask = mask.at[(nodes + offset) % n_vars, nodes, 1].set(True)
    observed = path + noise * jax.random.normal(noise_key, path.shape, path.dtype)
    return SimulatedSeries(observed, LaggedGraph.from_mask(mask))


def lorenz96_flow(
    x: Float[AnyArray, "vars"], *, forcing: float = 10.0, dt: float = 0.05
) -> Float[Array, "vars"]:
    r"""The state at time dt from x under :math:`\dot x_i = (x_{i+1} - x_{i-2})\,x_{i-1} - x_i + F`.

    It is integrated as in `lorenz96`, and differentiable. Its Jacobian shows how one observation
    depends on the previous one, which involves more variables than the differential equation.

    Args:
        x: State.
        forcing: The constant F.
        dt: Time.

    Source: Lorenz (1996).

    >>> import jax.numpy as jnp
    >>> round(float(lorenz96_flow(jnp.full(4, 10.0), forcing=10.0)[0]), 3)  # at rest
    10.0
    """
    h = dt / 10

    def slope(x: Array) -> Array:
        return (jnp.roll(x, -1) - jnp.roll(x, 2)) * jnp.roll(x, 1) - x + forcing

    def substep(_: Array, x: Array) -> Array:
        k1 = slope(x)
        k2 = slope(x + h / 2 * k1)
        k3 = slope(x + h / 2 * k2)
        k4 = slope(x + h * k3)
        return x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)

    return lax.fori_loop(0, 10, substep, jnp.asarray(x))
