"""False-discovery control."""

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from jaxcause._typing import AnyArray


def benjamini_hochberg(p_values: Float[AnyArray, "*tests"]) -> Float[Array, "*tests"]:
    r"""q-values by Benjamini and Hochberg: rejecting all q ≤ α holds the false-discovery rate at α.

    .. math:: q_{(i)} = \min_{j \ge i} \frac{m\,p_{(j)}}{j}

    Args:
        p_values: Any shape; NaN marks what was not tested and stays NaN.

    Source: Benjamini & Hochberg (1995).

    >>> import jax.numpy as jnp
    >>> [round(float(q), 4) for q in benjamini_hochberg(jnp.array([0.01, 0.04, 0.03, 0.5]))]
    [0.04, 0.0533, 0.0533, 0.5]
    """
    p = jnp.ravel(jnp.asarray(p_values))
    n_tests = (~jnp.isnan(p)).sum().astype(p.dtype)
    order = jnp.argsort(p)
    rank = jnp.arange(1, p.size + 1, dtype=p.dtype)
    stepped = jnp.where(jnp.isnan(p[order]), jnp.inf, p[order] * n_tests / rank)
    smallest_after = jnp.flip(jnp.minimum.accumulate(jnp.flip(stepped)))
    q = jnp.zeros_like(p).at[order].set(jnp.minimum(smallest_after, jnp.ones_like(p)))
    return jnp.where(jnp.isnan(p), p, q).reshape(jnp.shape(p_values))
