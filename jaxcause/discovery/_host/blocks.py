"""Orientation on the host: rules on a few graphs at a time."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Bool, Num

from jaxcause._small_work import TwoEngines
from jaxcause.discovery._kernel.sizes import NODES, bucket
from jaxcause.graph import SepSets
from jaxcause.graph._sepsets import widen

ENTRIES_PER_BLOCK = 1 << 20
"""Triples of nodes, over all graphs, that the orientation rules look at together."""

Marks = Num[np.ndarray, "graphs nodes nodes"] | Bool[np.ndarray, "graphs nodes nodes"]


def in_blocks(
    rules: TwoEngines,
    marks: Marks,
    sepsets: SepSets | None = None,
    *more: np.ndarray,
    **options: Any,
) -> np.ndarray:
    """Apply rules to some graphs at a time; where they are compiled, padded to few shapes.

    A block is short enough to stay in the cache, and its loops end with its last graph. The extra
    graphs are empty, and the extra nodes have no edge.

    Args:
        rules: Map marks, sepsets if given, and what else there is, to an array per graph and node.
        marks: Marks, or adjacency.
        sepsets: Separating sets.
        more: Arrays about each node of each graph.
        options: What else the rules take, the same for all graphs.
    """
    n_graphs, n = marks.shape[:2]
    if not n_graphs:
        return marks
    run, padded_n = rules.compiled, bucket(n, NODES)
    shapes = (_block_size(n_graphs, padded_n), padded_n, marks.dtype, *(a.shape[2:] for a in more))
    static = tuple(options[name] for name in rules.static)
    if not rules.pays_to_compile((*shapes, *static), seconds=rules.work(marks.shape)):
        run, padded_n = rules.formula, n
    blocks = _blocks(marks, sepsets, more, padded_n)
    results = [np.asarray(run(*block, **options)) for block in blocks]
    return np.concatenate(results)[:n_graphs, :n, :n]


def _block_size(n_graphs: int, padded_n: int) -> int:
    """Graphs that the rules look at together."""
    most = max(1, ENTRIES_PER_BLOCK // max(1, padded_n) ** 3)
    return min(most, 1 << (n_graphs - 1).bit_length())


def _blocks(
    marks: Marks, sepsets: SepSets | None, more: tuple[np.ndarray, ...], padded_n: int
) -> Iterator[tuple[Any, ...]]:
    """The arguments of the rules for some graphs at a time."""
    n_graphs, n = marks.shape[:2]
    size = _block_size(n_graphs, padded_n)
    for start in range(0, n_graphs, size):

        def padded(array: Any, node_axes: int, fill: int, start: int = start) -> np.ndarray:
            part = np.asarray(array[start : start + size])
            if len(part) == size and padded_n == n:
                return part
            extra = [(0, size - len(part)), *[(0, padded_n - n)] * node_axes]
            extra += [(0, 0)] * (part.ndim - 1 - node_axes)
            return np.pad(part, extra, constant_values=fill)

        sets = ()
        if sepsets is not None:
            members = np.asarray(sepsets.nodes)
            if padded_n != n:
                members = widen(members, -(-members.shape[-1] // 4) * 4)
            # Nodes beyond the last are no member's copy.
            alike = None if sepsets.alike is None else padded(sepsets.alike, 1, -2)
            sets = (SepSets(padded(members, 2, -1), padded(sepsets.found, 2, 0), alike),)
        yield padded(marks, 2, 0), *sets, *(padded(array, 1, 0) for array in more)
