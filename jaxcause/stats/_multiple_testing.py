"""False-discovery control."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxcause._checks import is_concrete, numbers
from jaxcause._namespace import namespace, on_host, wide_float
from jaxcause._typing import AnyArray


def benjamini_hochberg(p_values: Float[AnyArray, "*tests"]) -> Float[AnyArray, "*tests"]:
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
    return _in_numpy(lambda p: _step_up(p, _number_tested(p)), p_values)


def lagged_q_values(
    p_values: Float[AnyArray, "vars vars lags"],
) -> Float[AnyArray, "vars vars lags"]:
    """q-values of lagged links by `benjamini_hochberg`, of two families.

    Links between variables are one, those of a variable with its own past the other. Taken
    together, the many sure effects of own pasts would pay for false edges between variables.

    Args:
        p_values: ``[source, target, lag]``; NaN marks what was not tested and stays NaN.

    >>> import numpy as np
    >>> p = np.full((2, 2, 2), np.nan); p[:, :, 1] = [[1e-9, 0.06], [0.5, 1e-9]]
    >>> float(benjamini_hochberg(p)[0, 1, 1].round(3)), float(lagged_q_values(p)[0, 1, 1])
    (0.08, 0.12)
    """
    p_values = numbers("p_values", p_values)
    xp = namespace(p_values)
    own = xp.eye(len(p_values), dtype=bool)[:, :, None] & xp.ones(p_values.shape, bool)
    of_others, of_own = (
        benjamini_hochberg(xp.where(family, p_values, xp.nan)) for family in (~own, own)
    )
    return xp.where(own, of_own, of_others)


def benjamini_yekutieli(p_values: Float[AnyArray, "*tests"]) -> Float[AnyArray, "*tests"]:
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

    def adjusted(p: AnyArray) -> AnyArray:
        xp = namespace(p)
        n_tests = _number_tested(p)
        rank = xp.arange(1, p.size + 1, dtype=p.dtype)
        harmonic = xp.where(rank <= n_tests, 1 / rank, xp.zeros_like(rank)).sum()
        return _step_up(p, n_tests * harmonic)

    return _in_numpy(adjusted, p_values)


def _in_numpy(
    adjusted: Callable[[AnyArray], AnyArray], p_values: Float[AnyArray, "*tests"]
) -> Float[AnyArray, "*tests"]:
    """``adjusted`` p-values; in numpy unless they are traced, which rounds as XLA does.

    Half precision holds neither the number of many tests nor their ranks: it is left for the work.
    """
    p = numbers("p_values", p_values)
    kept = p.dtype if jnp.issubdtype(p.dtype, jnp.floating) else np.dtype(float)
    wide = wide_float(kept)
    if on_host(p):
        return np.asarray(adjusted(p.astype(wide))).astype(kept)
    if is_concrete(p):
        return jax.device_put(np.asarray(adjusted(np.asarray(p, wide))).astype(kept))
    return adjusted(jnp.asarray(p, wide)).astype(kept)


def _number_tested(p: Float[AnyArray, "*tests"]) -> Float[AnyArray, ""] | np.floating:
    """How many entries are not NaN."""
    return (p == p).sum().astype(p.dtype)


def _step_up(
    p_values: Float[AnyArray, "*tests"], factor: Float[AnyArray, ""] | np.floating
) -> Float[AnyArray, "*tests"]:
    """Running minima from the largest p-value down of factor · p / rank, at most 1."""
    xp = namespace(p_values)
    p = p_values.reshape(-1)
    order = xp.argsort(p, stable=True)
    rank = xp.arange(1, p.size + 1, dtype=p.dtype)
    stepped = xp.where(xp.isnan(p[order]), xp.inf, p[order] * factor / rank)
    smallest_after = xp.flip(xp.minimum.accumulate(xp.flip(stepped)))
    q = xp.minimum(smallest_after, xp.ones_like(p))[xp.argsort(order)]
    return xp.where(xp.isnan(p), p, q).reshape(p_values.shape)
