"""Rows: pairs with lists of candidates, as kernels take them, and what kernels find.

A row is a pair of nodes in some graph of a batch, with a list of candidates. A conditioning set is
a tuple of *positions* in that list, so that all rows share one table of sets.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxcause._namespace import take
from jaxcause._typing import AnyArray

NULL = 2**20
"""Position of a variable that is correlated with nothing, which pads small conditioning sets."""

NEVER = 2**31 - 1
"""Number of the separating set of a row that no set separates."""


class KernelRows(NamedTuple):
    """Rows as a kernel takes them.

    Args:
        graph: Which graph.
        x: First node of the pair.
        y: Second node.
        start: Where its list of candidates begins.
        skip: Position that is left out of the list; the positions behind it move up.
        n_valid: How many sets of the table this row has.
        limit: A value below it means independent.
    """

    graph: Int[AnyArray, "rows"]
    x: Int[AnyArray, "rows"]
    y: Int[AnyArray, "rows"]
    start: Int[AnyArray, "rows"]
    skip: Int[AnyArray, "rows"]
    n_valid: Int[AnyArray, "rows"]
    limit: Float[AnyArray, "rows"]


class PackedRows(NamedTuple):
    """The fields of `KernelRows` in two arrays: few arrays cost less on the way to a device.

    Args:
        fields: graph, x, y, start, skip and n_valid.
        limit: A value below it means independent.
    """

    fields: Int[AnyArray, "6 rows"]
    limit: Float[AnyArray, "rows"]


def unpacked(rows: KernelRows | PackedRows) -> KernelRows:
    """Rows with one array for each field."""
    return rows if isinstance(rows, KernelRows) else KernelRows(*rows.fields, limit=rows.limit)  # pyright: ignore[reportArgumentType]


def candidates_at(
    lists: Int[AnyArray, "candidates"], rows: KernelRows, positions: Int[AnyArray, "k #rows"]
) -> Int[AnyArray, "k rows"]:
    """The candidates of each row at the positions; garbage where it has none there."""
    moved = positions + (positions >= rows.skip[None]).astype(np.int32)
    return take(lists, rows.start[None] + moved)


class Found(NamedTuple):
    """The first separating set of each row, by its number in the table of sets.

    Args:
        first: Number of the set, or `NEVER`.
        value: Smallest value up to there.
        uncertain: Whether rounding might change that; None if it was not looked at.
    """

    first: Int[AnyArray, "rows"]
    value: Float[AnyArray, "rows"]
    uncertain: Bool[AnyArray, "rows"] | None


class RowBatch(NamedTuple):
    """Rows that the host sends to a kernel together, in ascending order of their numbers of sets.

    Args:
        graph: Which graph.
        x: First node of the pair.
        y: Second node.
        start: Where its list of candidates begins.
        skip: Position that is left out of the list.
        n_candidates: How many candidates it has.
        n_sets: How many conditioning sets it has.
        limit: A value below it means independent.
    """

    graph: Int[np.ndarray, "rows"]
    x: Int[np.ndarray, "rows"]
    y: Int[np.ndarray, "rows"]
    start: Int[np.ndarray, "rows"]
    skip: Int[np.ndarray, "rows"]
    n_candidates: Int[np.ndarray, "rows"]
    n_sets: Int[np.ndarray, "rows"]
    limit: Float[np.ndarray, "rows"]

    @property
    def n_listed(self) -> Int[np.ndarray, "rows"]:
        """Length of each row's list, with the candidate that is left out."""
        return self.n_candidates + (self.skip < NULL)

    def at(self, index: np.ndarray | slice) -> "RowBatch":
        """Some of the rows."""
        return RowBatch(*(field[index] for field in self))

    def packed(
        self, numbers: Int[np.ndarray, "rows"], length: int, dtype: np.dtype
    ) -> "PackedRows":
        """The rows, padded to ``length``, with ``numbers`` in the place of ``n_valid``."""
        fields, limit = np.zeros((6, length), np.int32), np.zeros(length, dtype)
        columns = (self.graph, self.x, self.y, self.start, self.skip, numbers)
        for field, values in zip(fields, columns, strict=True):
            field[: numbers.size] = values
        limit[: numbers.size] = self.limit
        return PackedRows(fields, limit)
