"""Samples from linear structural equation models."""

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float, PRNGKeyArray

from jaxcause._checks import check_at_least, check_square
from jaxcause._typing import AnyArray


def linear_sem(
    key: PRNGKeyArray, dag: Bool[AnyArray, "nodes nodes"], *, n_samples: int
) -> Float[Array, "samples nodes"]:
    r"""Draw from :math:`x = W^\top x + e` over a DAG, with every variable scaled to unit variance.

    Weights are uniform on ±[0.5, 1] and the noise is standard normal. Without the scaling,
    variances would grow along the order, and sorting by variance would reveal it.

    Args:
        key: Random key.
        dag: ``dag[i, j]`` says ``i → j``.
        n_samples: Number of rows.

    >>> import jax, jax.numpy as jnp
    >>> chain = jnp.array([[0, 1], [0, 0]], bool)
    >>> linear_sem(jax.random.key(0), chain, n_samples=100).shape
    (100, 2)
    """
    check_square("dag", dag)
    check_at_least("n_samples", n_samples, 1)
    dag = jnp.asarray(dag, bool)
    n = dag.shape[0]
    size_key, sign_key, noise_key = jax.random.split(key, 3)
    sign = jax.random.rademacher(sign_key, (n, n), jnp.float32)
    weights = jnp.where(dag, sign * jax.random.uniform(size_key, (n, n), jnp.float32, 0.5), 0.0)
    total = jnp.linalg.inv(jnp.eye(n, dtype=weights.dtype) - weights)
    noise = jax.random.normal(noise_key, (n_samples, n), weights.dtype)
    x = noise @ total
    return x / jnp.sqrt((total**2).sum(axis=0, keepdims=True))
