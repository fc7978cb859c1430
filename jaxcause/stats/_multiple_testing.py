"""False-discovery control."""

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from jaxcause._typing import AnyArray


def benjamini_hochberg(p_values: Float[AnyArray, "*tests"]) -> Float[Array, "*tests"]:
    r"""q-values by Benjamini and Hochberg: rejecting all q ≤ α holds the false-discovery rate at α.

    .. math:: q_{(i)} = \min_{j \ge i} \frac{m\,p_{(j)}}{j}

    It holds for independent or positively dependent tests; `benjamini_yekutieli` for any.

    Args:
        p_values: Any shape, taken as one family of m tests; NaN marks what was not tested and
            stays NaN.

    Source: Benjamini & Hochberg (1995).

    >>> import jax.numpy as jnp
    >>> [round(float(q), 4) for q in benjamini_hochberg(jnp.array([0.01, 0.04, 0.03, 0.5]))]
    [0.04, 0.0533, 0.0533, 0.5]
    """
    p = jnp.asarray(p_values)
    return _step_up(p, _number_tested(p))


def benjamini_yekutieli(p_values: Float[AnyArray, "*tests"]) -> Float[Array, "*tests"]:
    r"""q-values by Benjamini and Yekutieli: the rate holds however the tests depend on each other.

    .. math:: q_{(i)} = \min_{j \ge i} \frac{m\,c(m)\,p_{(j)}}{j}, \qquad
        c(m) = \sum_{k=1}^{m} \frac{1}{k}

    Args:
        p_values: Any shape, taken as one family of m tests; NaN marks what was not tested and
            stays NaN.

    Source: Benjamini & Yekutieli (2001), "The control of the false discovery rate in multiple
    testing under dependency".

    >>> import jax.numpy as jnp
    >>> [round(float(q), 4) for q in benjamini_yekutieli(jnp.array([0.01, 0.04, 0.03, 0.5]))]
    [0.0833, 0.1111, 0.1111, 1.0]
    """
    p = jnp.asarray(p_values)
    n_tests = _number_tested(p)
    rank = jnp.arange(1, p.size + 1, dtype=p.dtype)
    harmonic = jnp.where(rank <= n_tests, 1 / rank, jnp.zeros_like(rank)).sum()
    return _step_up(p, n_tests * harmonic)


def _number_tested(p: Float[Array, "*tests"]) -> Float[Array, ""]:
    return (~jnp.isnan(p)).sum().astype(p.dtype)


def _step_up(p_values: Float[Array, "*tests"], factor: Float[Array, ""]) -> Float[Array, "*tests"]:
    """Running minima from the largest p-value down of factor · p / rank, at most 1."""
    p = jnp.ravel(p_values)
    order = jnp.argsort(p)
    rank = jnp.arange(1, p.size + 1, dtype=p.dtype)
    stepped = jnp.where(jnp.isnan(p[order]), jnp.inf, p[order] * factor / rank)
    smallest_after = jnp.flip(jnp.minimum.accumulate(jnp.flip(stepped)))
    q = jnp.zeros_like(p).at[order].set(jnp.minimum(smallest_after, jnp.ones_like(p)))
    return jnp.where(jnp.isnan(p), p, q).reshape(p_values.shape)
