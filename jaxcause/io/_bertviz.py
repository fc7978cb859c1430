"""Attention in the form that bertviz expects."""

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from jaxcause._checks import InputError
from jaxcause._typing import AnyArray


def to_bertviz(
    attention: Float[AnyArray, "layers heads q k"] | Float[AnyArray, "layers 1 heads q k"],
    tokens: Sequence[str],
    *,
    sentence_b_start: int | None = None,
) -> dict[str, Any]:
    """The arguments of bertviz's ``head_view`` and ``model_view``.

    ``bertviz.head_view(**to_bertviz(attention, tokens))`` shows them.

    Args:
        attention: Attention of one text.
        tokens: One token per row and column.
        sentence_b_start: Index of the first token of a second sentence.

    Returns:
        ``attention``, a list with an array ``[1, heads, q, k]`` per layer (a PyTorch tensor if
        PyTorch is installed, which bertviz needs), ``tokens``, and ``sentence_b_start`` if given.

    Raises:
        InputError: The attention is a batch, is not square, or the tokens are too few or too many.

    >>> view = to_bertviz(np.ones((2, 3, 4, 4)), list("abcd"))
    >>> [tuple(layer.shape) for layer in view["attention"]]
    [(1, 3, 4, 4), (1, 3, 4, 4)]
    """
    array = np.asarray(attention, np.float32)
    if array.ndim == 4:
        array = array[:, None]
    if array.ndim != 5 or array.shape[1] != 1 or array.shape[3] != array.shape[4]:
        raise InputError(
            f"attention has shape {np.shape(attention)}, but must be [layers, heads, q, k] of one "
            "text; index the batch first"
        )
    if len(tokens) != array.shape[-1]:
        raise InputError(f"tokens has {len(tokens)} entries for {array.shape[-1]} positions")
    if sentence_b_start is not None and not 0 <= sentence_b_start < len(tokens):
        raise InputError(
            f"sentence_b_start={sentence_b_start} is no token; there are {len(tokens)}"
        )
    try:
        as_layer = importlib.import_module("torch").from_numpy
    except ModuleNotFoundError:
        as_layer = np.asarray
    view: dict[str, Any] = {
        "attention": [as_layer(np.array(layer)) for layer in array],
        "tokens": [str(token) for token in tokens],
    }
    return view if sentence_b_start is None else view | {"sentence_b_start": sentence_b_start}
