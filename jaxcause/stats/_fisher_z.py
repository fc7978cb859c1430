"""Fisher's z-transform of a (partial) correlation."""

import numpy as np
from jaxtyping import Float, Int, Num

from jaxcause._namespace import namespace
from jaxcause._typing import AnyArray
from jaxcause.stats._tails import erfc


def n_conditions(cond: Int[AnyArray, "*rows k"]) -> Int[AnyArray, "*rows"]:
    """Size of each set S, padded with -1; a member that stands there twice counts once.

    >>> n_conditions(np.array([[2, 2, -1], [0, 4, -1]])).tolist()
    [1, 2]
    """
    before = np.tri(cond.shape[-1], k=-1, dtype=bool)
    repeated = ((cond[..., :, None] == cond[..., None, :]) & before).any(axis=-1)
    return namespace(cond).asarray(((cond >= 0) & ~repeated).sum(axis=-1, dtype=np.int32))


def fisher_z_p_value(
    r: Float[AnyArray, "*rows"], degrees: Num[AnyArray, "*#rows"]
) -> Float[AnyArray, "*rows"]:
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
    xp = namespace(r, degrees)
    r, degrees = xp.asarray(r), xp.asarray(degrees)
    inside = xp.abs(r) < 1
    z = xp.abs(xp.arctanh(xp.where(inside, r, xp.zeros_like(r))))
    root = xp.sqrt(xp.maximum(degrees, 0).astype(r.dtype))
    p_value = erfc(xp.asarray(root * z / xp.sqrt(xp.asarray(2, r.dtype))))
    return xp.where(inside & (degrees > 0), p_value, xp.zeros_like(p_value))
