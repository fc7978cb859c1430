"""Scores of lagged edges from the attention of a forecaster, followed through its layers."""

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Float

from jaxcause._checks import InputError, check_at_least, check_square
from jaxcause._typing import AnyArray


def attention_rollout(
    attn: Float[AnyArray, "layers *windows heads q k"], n_vars: int
) -> Float[Array, "vars vars lags"]:
    r"""Attention followed from the newest tokens to the inputs, averaged over heads and windows.

    With :math:`\bar A_l` the mean over heads of layer l, rows of

    .. math:: \prod_{l} \tfrac12 (\bar A_l + I)

    (the last layer leftmost) that belong to the newest time step give the share of each input in
    its tokens. This score is meant for comparison: attention sums to one whether or not the values
    matter, and the target's own newest value keeps a share of at least :math:`2^{-layers}` whether
    or not it is a parent.

    Args:
        attn: Attention of a forecaster with one token per variable and time step, oldest step
            first (token ``step * n_vars + var``), first layer first.
        n_vars: Number of variables.

    Returns:
        Scores ``[source, target, lag]`` with lags 0 … time; lag 0 is all zero.

    Raises:
        InputError: ``attn`` is not square, or the number of tokens is no multiple of ``n_vars``.

    Source: Abnar & Zuidema (2020), "Quantifying attention flow in Transformers".

    >>> import numpy as np
    >>> attn = np.array([[[[1.0, 0.0], [0.5, 0.5]]]])  # one variable, two steps
    >>> attention_rollout(attn, 1)[0, 0].tolist()
    [0.0, 0.75, 0.25]
    """
    check_at_least("n_vars", n_vars, 1)
    check_square("attn", attn)
    n_tokens = attn.shape[-1]
    if attn.ndim not in (4, 5) or 0 in attn.shape or n_tokens % n_vars:
        raise InputError(
            f"attn has shape {np.shape(attn)}, but must be [layers, heads, q, k] or [layers, "
            f"windows, heads, q, k] with q = k a multiple of n_vars={n_vars}"
        )
    layers = jnp.asarray(attn).reshape(attn.shape[0], -1, *attn.shape[-3:]).mean(axis=2)
    newest = jnp.eye(n_tokens, dtype=layers.dtype)[-n_vars:]
    start = jnp.broadcast_to(newest, (layers.shape[1], n_vars, n_tokens))
    rolled = lax.scan(lambda rows, a: ((rows + rows @ a) / 2, None), start, layers, reverse=True)[0]
    by_lag = rolled.mean(axis=0).reshape(n_vars, -1, n_vars)[:, ::-1]
    return jnp.pad(by_lag.transpose(2, 0, 1), [(0, 0), (0, 0), (1, 0)])
