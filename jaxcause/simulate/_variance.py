"""A system in which some parents act on the variance alone."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Bool, Float, PRNGKeyArray

from jaxcause._checks import InputError, check_at_least
from jaxcause.graph import LaggedGraph
from jaxcause.simulate._var import BURN_IN
from jaxcause.simulate._wiring import generator

MEAN_SHARE = 0.4
"""Largest share of the variance that the parents of the mean explain."""

SWING = 1.0
"""All parents together change the logarithm of the standard deviation by at most ± this."""


class VarianceSystem(NamedTuple):
    """A simulated series, its graph, and the edges that act on the mean or on the variance.

    Args:
        series: The variables, with mean 0 and variance about 1.
        truth: All edges.
        on_mean: Edges that act on the mean.
        on_variance: Edges that act on the variance alone.
    """

    series: Float[Array, "time vars"]
    truth: LaggedGraph
    on_mean: Bool[np.ndarray, "vars vars lags"]
    on_variance: Bool[np.ndarray, "vars vars lags"]


def variance_parents(
    key: PRNGKeyArray,
    *,
    n_vars: int,
    max_lag: int,
    n_steps: int,
    n_parents: int = 2,
    n_variance_parents: int = 1,
) -> VarianceSystem:
    r"""Simulate :math:`x_i(t) = \sum_p a_{ip} x_{j_p}(t-\ell_p) + \sigma_i(t) e_i(t)`.

    .. math:: \log \sigma_i(t) = c_i + \tfrac{1}{K}\sum_{q=1}^{K} \pm\tanh(2 x_{j_q}(t-\ell_q))

    with standard normal noise. Parents of the mean and of the variance are drawn together without
    replacement, so that no parent is both. Each parent of the mean has :math:`a^2 = 0.4 / n` and a
    random sign, scaled down so that Σ|a| ≤ 0.9. A parent of the variance has no effect on
    :math:`E[x_i(t) \mid \text{past}]`, so no forecaster trained on squared errors can find it, but
    it changes the variance by a factor of up to :math:`e^{4/K}`.

    Args:
        key: Random key.
        n_vars: Number of variables.
        max_lag: Longest lag.
        n_steps: Length of the series after a burn-in of 500 steps.
        n_parents: Parents of each variable's mean.
        n_variance_parents: Parents K of each variable's variance.

    Raises:
        InputError: A size is not positive, or there are too many parents.

    >>> import jax
    >>> made = variance_parents(jax.random.key(0), n_vars=3, max_lag=2, n_steps=50)
    >>> int(made.on_mean.sum()), int(made.on_variance.sum()), int(made.truth.directed.sum())
    (6, 3, 9)
    """
    for name, value in (("n_vars", n_vars), ("max_lag", max_lag), ("n_steps", n_steps)):
        check_at_least(name, value, 1)
    check_at_least("n_parents", n_parents, 0)
    check_at_least("n_variance_parents", n_variance_parents, 1)
    both = n_parents + n_variance_parents
    if both > n_vars * max_lag:
        raise InputError(
            f"n_parents + n_variance_parents = {both} must be at most "
            f"n_vars*max_lag={n_vars * max_lag}"
        )
    wiring_key, noise_key = jax.random.split(key)
    rng = generator(wiring_key)
    cells = np.stack([rng.choice(n_vars * max_lag, both, replace=False) for _ in range(n_vars)])
    source, lag = cells % n_vars, cells // n_vars + 1
    sign = rng.choice([-1.0, 1.0], (n_vars, both))
    size = min((MEAN_SHARE / n_parents) ** 0.5, 0.9 / n_parents) if n_parents else 0.0
    noise_size = (1 - n_parents * size**2) ** 0.5
    shocks = jax.random.normal(noise_key, (n_steps + BURN_IN, n_vars), jnp.float32)
    path = _roll(
        shocks,
        jnp.asarray(source, jnp.int32),
        jnp.asarray(lag, jnp.int32),
        jnp.asarray(np.where(np.arange(both) < n_parents, size, 0.0) * sign, jnp.float32),
        jnp.asarray(
            np.where(np.arange(both) < n_parents, 0.0, SWING / n_variance_parents) * sign,
            jnp.float32,
        ),
        noise_size,
        max_lag,
    )
    masks = np.zeros((2, n_vars, n_vars, max_lag + 1), bool)
    for target in range(n_vars):
        for place, (j, ell) in enumerate(zip(source[target], lag[target], strict=True)):
            masks[int(place >= n_parents), j, target, ell] = True
    return VarianceSystem(
        path[BURN_IN:], LaggedGraph.from_mask(masks[0] | masks[1]), masks[0], masks[1]
    )


def _roll(
    shocks: Array,
    source: Array,
    lag: Array,
    on_mean: Array,
    on_scale: Array,
    noise_size: float,
    max_lag: int,
) -> Float[Array, "time vars"]:
    """Run the recursion; the carry holds the newest ``max_lag`` rows, newest first."""
    # E exp(2 u) for u = s tanh(2 x) and normal x: dividing by it keeps the mean size of the noise.
    at = np.linspace(-4, 4, 801)
    weight = np.exp(-(at**2) / 2)
    swing = np.abs(np.asarray(on_scale))[:, :, None] * np.tanh(2 * at)
    power = (np.exp(2 * swing) * weight).sum(axis=-1) / weight.sum()
    level = jnp.asarray(noise_size / np.sqrt(power.prod(axis=1)), jnp.float32)

    def step(past: Array, shock: Array) -> tuple[Array, Array]:
        seen = past[lag - 1, source]
        scale = level * jnp.exp((on_scale * jnp.tanh(2 * seen)).sum(axis=1))
        row = (on_mean * seen).sum(axis=1) + scale * shock
        return jnp.concatenate([row[None], past[:-1]]), row

    start = jnp.zeros((max_lag, shocks.shape[1]), shocks.dtype)
    return lax.scan(step, start, shocks)[1]
