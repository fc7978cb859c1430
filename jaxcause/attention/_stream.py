"""Graphs of attention that comes in batches, one batch after another."""

from collections.abc import Iterable, Iterator
from typing import Any

from jaxtyping import Num

from jaxcause._checks import InputError
from jaxcause._typing import AnyArray
from jaxcause.attention._abcd import abcd
from jaxcause.discovery import SearchResult


def abcd_stream(
    batches: Iterable[Any],
    n_samples: Num[AnyArray, ""] | int | float,
    **options: Any,
) -> Iterator[SearchResult]:
    """Run `abcd` on one batch of attention after another, and give each result as it comes.

    No batch is kept once the next one is there, and no result, so that any number of graphs can be
    searched. Each result is that of `abcd` on its batch. Batches of some thousand graphs keep the
    devices busy; batches of one shape are compiled once.

    Args:
        batches: Attention ``[..., heads, q, k]``, or pairs of it and its ``node_mask``. Batches may
            differ in shape.
        n_samples: Number of samples behind the correlations: the model's hidden size.
        **options: Further arguments of `abcd`, the same for all batches.

    Yields:
        The result of each batch, in order.

    Raises:
        InputError: A batch is refused, which is named by its number from 0 on; or ``node_mask`` is
            given for all batches.

    >>> import numpy as np
    >>> attn = np.array([[0.9, 0.1, 0.0], [0.5, 0.4, 0.1], [0.0, 0.1, 0.9]])
    >>> batches = (np.stack([attn] * size) for size in (2, 3))
    >>> [found.graph.marks.shape for found in abcd_stream(batches, 384)]
    [(2, 3, 3), (3, 3, 3)]
    """
    if "node_mask" in options:
        raise InputError(
            "node_mask differs from batch to batch; let batches give pairs (attn, node_mask)"
        )
    return _results(batches, n_samples, options)


def _results(
    batches: Iterable[Any], n_samples: Any, options: dict[str, Any]
) -> Iterator[SearchResult]:
    for k, batch in enumerate(batches):
        pair = batch if isinstance(batch, tuple) else (batch, None)
        if len(pair) != 2:
            raise InputError(
                f"batch {k} is a tuple of {len(pair)}; give attention, or pairs (attn, node_mask)"
            )
        attn, mask = pair
        try:
            found = abcd(attn, n_samples, node_mask=mask, **options)
        except InputError as error:
            raise InputError(f"batch {k}: {error}") from None
        yield found
