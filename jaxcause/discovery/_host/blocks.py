"""Orientation on the host: jitted rules on a few graphs at a time, padded to few shapes."""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Num

from jaxcause._typing import AnyArray
from jaxcause.discovery._kernel.sizes import NODES, bucket
from jaxcause.graph import SepSets
from jaxcause.graph._sepsets import widen

ENTRIES_PER_BLOCK = 1 << 20
"""Triples of nodes, over all graphs, that the orientation rules look at together."""


def in_blocks(
    rules: Callable[..., AnyArray],
    marks: Num[np.ndarray, "graphs nodes nodes"] | Bool[np.ndarray, "graphs nodes nodes"],
    sepsets: SepSets | None = None,
    *more: np.ndarray,
) -> np.ndarray:
    """Apply jitted rules to some graphs at a time, padded to few shapes.

    A block is short enough to stay in the cache, and its loops end with its last graph. The extra
    graphs are empty, and the extra nodes have no edge.

    Args:
        rules: Maps marks, sepsets if given, and what else there is, to an array per graph and node.
        marks: Marks, or adjacency.
        sepsets: Separating sets.
        more: Arrays about each node of each graph.
    """
    n_graphs, n = marks.shape[:2]
    padded_n = bucket(n, NODES)
    block = max(1, ENTRIES_PER_BLOCK // max(1, padded_n) ** 3)
    block = min(block, 1 << max(0, n_graphs - 1).bit_length())
    arrays = [(marks, 2, 0), *((array, 1, 0) for array in more)]
    if sepsets is not None:
        members = np.asarray(sepsets.nodes)
        members = widen(members, -(-members.shape[-1] // 4) * 4)
        arrays[1:1] = [(members, 2, -1), (np.asarray(sepsets.found), 2, 0)]
    results = []
    for start in range(0, n_graphs, block):
        parts = []
        for array, node_axes, fill in arrays:
            part = array[start : start + block]
            extra = [(0, block - len(part)), *[(0, padded_n - n)] * node_axes]
            extra += [(0, 0)] * (part.ndim - 1 - node_axes)
            parts.append(np.pad(part, extra, constant_values=fill))
        if sepsets is not None:
            parts[1:3] = [SepSets(jnp.asarray(parts[1]), jnp.asarray(parts[2]))]
        results.append(np.asarray(rules(*parts)))
    if not results:
        return marks
    return np.concatenate(results)[:n_graphs, :n, :n]
