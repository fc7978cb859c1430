"""Noise of mean 0 and variance 1."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, PRNGKeyArray

NOISES = ("gaussian", "uniform", "mixed", "heteroscedastic")


@partial(jax.jit, static_argnames=("kind", "shape"))
def draw_noise(key: PRNGKeyArray, kind: str, shape: tuple[int, int]) -> Float[Array, "time all"]:
    """Independent draws; with ``mixed``, variables have normal, uniform or Laplace noise by turns.

    Heteroscedastic noise is drawn as normal noise, which the mechanism then scales.
    """
    if kind == "uniform":
        return _uniform(key, shape)
    if kind == "mixed":
        laws = jnp.stack(
            [
                jax.random.normal(key, shape, jnp.float32),
                _uniform(key, shape),
                jax.random.laplace(key, shape, jnp.float32) / np.float32(np.sqrt(2)),
            ]
        )
        which = jnp.arange(shape[1]) % 3
        return jnp.take_along_axis(laws, which[None, None, :], axis=0)[0]
    return jax.random.normal(key, shape, jnp.float32)


def _uniform(key: PRNGKeyArray, shape: tuple[int, int]) -> Array:
    bound = float(np.sqrt(3))
    return jax.random.uniform(key, shape, jnp.float32, -bound, bound)
