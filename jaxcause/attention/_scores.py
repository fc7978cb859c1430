"""Importance of each token: by attention, by a gradient, or by leaving the token out."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from jaxcause._checks import InputError, check_host, check_square, numbers
from jaxcause._typing import AnyArray


def attention_received(
    attn: Float[AnyArray, "*heads q k"], target: int | None = None
) -> Float[np.ndarray, "k"]:
    """Attention that each token receives, from one token or from all, averaged over heads.

    Args:
        attn: Attention of one sequence; leading axes are averaged.
        target: The token that attends; by default the mean over all tokens.

    Raises:
        InputError: ``attn`` is not square, or ``target`` is not one of its tokens.

    >>> import numpy as np
    >>> attention_received(np.array([[0.9, 0.1], [0.5, 0.5]]), target=0).tolist()
    [0.9, 0.1]
    """
    rows = _mean(attn)
    return rows.mean(axis=0) if target is None else rows[_token(target, rows)]


def attention_rollout(
    attn: Float[AnyArray, "layers *heads q k"], target: int
) -> Float[np.ndarray, "k"]:
    r"""Attention followed through all layers, :math:`\prod_l (\tfrac12 \bar A_l + \tfrac12 I)`.

    Args:
        attn: Attention of one sequence, first layer first; axes after that of layers are averaged.
        target: The token of the last layer from which attention is followed.

    Raises:
        InputError: ``attn`` is not square, or ``target`` is not one of its tokens.

    Source: Abnar & Zuidema (2020), "Quantifying attention flow in Transformers".

    >>> import numpy as np
    >>> attention_rollout(np.full((2, 2, 2), 0.5), target=0).tolist()
    [0.625, 0.375]
    """
    check_host("attn", attn)
    attn = numbers("attn", attn)
    check_square("attn", attn)
    if np.ndim(attn) < 3:
        raise InputError(f"attn has shape {np.shape(attn)}, but must be [layers, heads, q, k]")
    layers = [_mean(layer) for layer in np.asarray(attn)]
    half = np.eye(layers[0].shape[0]) / 2
    rolled = 2 * half
    for layer in layers:
        rolled = (layer / 2 + half) @ rolled
    return rolled[_token(target, rolled)]


def leave_one_out(
    probability_fn: Callable[[Bool[np.ndarray, "sets nodes"]], Float[AnyArray, "sets"]],
    n_nodes: int,
) -> Float[np.ndarray, "nodes"]:
    """The decrease of the output's probability when each node is removed alone.

    Args:
        probability_fn: Maps sets of removed nodes to the probability of the original output. It is
            called once, with the empty set and one set per node.
        n_nodes: Number of nodes.

    >>> leave_one_out(lambda removed: 0.9 - 0.4 * removed[:, 1], 3).round(6).tolist()
    [0.0, 0.4, 0.0]
    """
    removed = np.concatenate([np.zeros((1, n_nodes), bool), np.eye(n_nodes, dtype=bool)])
    probability = np.asarray(probability_fn(removed), np.float64)
    return probability[0] - probability[1:]


def input_x_gradient(
    output_fn: Callable[[Float[jax.Array, "tokens width"]], Float[jax.Array, ""]],
    embeddings: Float[AnyArray, "tokens width"],
) -> Float[np.ndarray, "tokens"]:
    r"""Absolute input × gradient of each token, :math:`|e_t \cdot \partial f / \partial e_t|`.

    Args:
        output_fn: Maps the embeddings of a sequence to one number, such as the class's logit.
        embeddings: The tokens' embeddings.

    >>> import jax.numpy as jnp
    >>> input_x_gradient(lambda e: e[1, 0] * 3.0, jnp.ones((2, 1))).tolist()
    [0.0, 3.0]
    """
    check_host("embeddings", embeddings)
    given = jnp.asarray(numbers("embeddings", embeddings))
    if not jnp.issubdtype(given.dtype, jnp.floating):
        raise InputError(f"embeddings has dtype {given.dtype}; differentiate floating numbers")
    gradient = jax.grad(output_fn)(given)
    return np.abs(np.asarray((given * gradient).sum(axis=-1), np.float64))


def _mean(attn: AnyArray) -> np.ndarray:
    check_host("attn", attn)
    attn = numbers("attn", attn)
    check_square("attn", attn)
    rows = np.asarray(attn).astype(np.float64)
    return rows.reshape(-1, *rows.shape[-2:]).mean(axis=0)


def _token(target: int, rows: np.ndarray) -> int:
    whole = isinstance(target, int | np.integer) and not isinstance(target, bool)
    if not whole or not 0 <= target < len(rows):
        raise InputError(f"target={target!r} is none of the tokens 0 … {len(rows) - 1}")
    return int(target)
