"""Attention between words from attention between word pieces."""

from collections.abc import Sequence
from numbers import Integral
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from jaxcause._checks import InputError, check_host, check_square, is_concrete, numbers
from jaxcause._typing import AnyArray


class WordAttention(NamedTuple):
    """Attention between words.

    Args:
        attention: Attention between nodes: words, and special tokens one by one.
        node_of_token: The node of each token, in ascending order.
    """

    attention: Float[AnyArray, "*graphs words words"]
    node_of_token: Int[np.ndarray, "tokens"]


def merge_word_pieces(
    attn: Float[AnyArray, "*graphs tokens tokens"],
    word_ids: Sequence[int | None] | Int[AnyArray, "tokens"],
) -> WordAttention:
    r"""Attention between words, from attention between their pieces.

    With the pieces :math:`P_w` of word w,

    .. math:: B_{vw} = \frac{1}{|P_v|} \sum_{q \in P_v} \sum_{k \in P_w} A_{qk}

    so rows that sum to one still do. A word is a run of tokens with equal ids, since ids start
    again at 0 in the second text of a pair. Each special token stays a node of its own: leave it
    out of the graph after A Aᵀ (``nodes`` of `abcd`), not before.

    Args:
        attn: Self-attention; leading axes are layers and heads of one sequence.
        word_ids: The word of each token, as ``word_ids()`` of a Hugging Face tokeniser returns it;
            None or -1 for special tokens.

    Raises:
        InputError: There is not one id per token, or an id is no whole number or below -1.

    Source: Clark, Khandelwal, Levy & Manning (2019), "What does BERT look at?", section 4.1.

    >>> import numpy as np
    >>> words = merge_word_pieces(np.full((4, 4), 0.25), [None, 0, 0, 1])
    >>> words.node_of_token.tolist(), words.attention[1].tolist()
    ([0, 1, 1, 2], [0.25, 0.5, 0.25])
    """
    attn = numbers("attn", attn)
    check_square("attn", attn)
    check_host("word_ids", word_ids)
    given = np.asarray(word_ids, object).ravel()
    other = [i for i in given if not (i is None or isinstance(i, Integral))]
    if other:
        raise InputError(
            f"word_ids holds {other[0]!r}, which is no whole number; special tokens have None or -1"
        )
    ids = np.array([-1 if i is None else int(i) for i in given], np.int64)
    if ids.size != attn.shape[-1]:
        raise InputError(
            f"word_ids has {ids.size} entries, but attn is about {attn.shape[-1]} tokens"
        )
    if (ids < -1).any():
        raise InputError(f"word_ids holds {ids.min()}; words start at 0, special tokens have -1")
    new = np.ones(ids.size, bool)
    new[1:] = (ids[1:] != ids[:-1]) | (ids[1:] == -1)
    node = np.cumsum(new) - 1
    belongs = (node[:, None] == np.arange(int(new.sum()))).astype(np.float64)
    share = belongs / belongs.sum(axis=0)
    if is_concrete(attn):
        merged = share.T @ (np.asarray(attn).astype(np.float64) @ belongs)
    else:
        left, right = (jnp.asarray(m, attn.dtype) for m in (share.T, belongs))
        merged = jnp.matmul(left, jnp.matmul(attn, right, precision="highest"), precision="highest")
    return WordAttention(merged, node)
