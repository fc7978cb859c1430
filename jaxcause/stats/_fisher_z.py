"""Fisher's z-transform of a (partial) correlation."""

import jax.numpy as jnp
from jax import Array
from jax.scipy.special import erfc
from jaxtyping import Float, Num

from jaxcause._typing import AnyArray


def fisher_z_p_value(
    r: Float[AnyArray, "*rows"], degrees: Num[AnyArray, "*#rows"]
) -> Float[Array, "*rows"]:
    r"""Two-sided p-value of a partial correlation under the null that it is zero.

    .. math:: p = 2\,\bigl(1 - \Phi(\sqrt{N-|S|-3}\;|\operatorname{atanh} r|)\bigr)

    Args:
        r: Sample (partial) correlations. ``|r| ≥ 1`` has p = 0, which means dependent.
        degrees: N − |S| − 3; if it is not positive, nothing can be tested, and p = 0.

    Source: Fisher (1924), "The distribution of the partial correlation coefficient".

    >>> import jax.numpy as jnp
    >>> float(fisher_z_p_value(jnp.float32(0.0), jnp.float32(97))) == 1.0
    True
    """
    r, degrees = jnp.asarray(r), jnp.asarray(degrees)
    inside = jnp.abs(r) < 1
    z = jnp.abs(jnp.arctanh(jnp.where(inside, r, jnp.zeros_like(r))))
    root = jnp.sqrt(jnp.maximum(degrees, 0).astype(r.dtype))
    p_value = erfc(root * z / jnp.sqrt(jnp.asarray(2, r.dtype)))
    return jnp.where(inside & (degrees > 0), p_value, jnp.zeros_like(p_value))
