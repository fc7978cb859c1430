"""Rows of a series that stay on disk, and are read block by block."""

import mmap
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple, NoReturn

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxcause._checks import InputError
from jaxcause._memory import in_words

BLOCK = 1 << 20
"""Values that are read at a time."""
IN_MEMORY = 1 << 23
"""Values up to which stored rows are read whole."""
SAMPLE = 1 << 21
"""Values of a sample of more: what is done with it in memory takes up to 500 bytes for each."""
STRETCHES = 32
"""Runs of rows of which a sample consists."""
NEAR = 4
"""Rows are read with those between them if these are at most as many times as many."""
ENDS = 11
"""Smallest and largest distinct values of a column that are kept."""


def is_large(n_values: int) -> bool:
    """Whether so many values stay on disk, if they are there."""
    return n_values > IN_MEMORY


Read = Callable[[int, int], Float[np.ndarray, "rows vars"]]
"""Reads the rows from the first to before the last."""


class ColumnFacts(NamedTuple):
    """What one pass over a column tells.

    Args:
        n_known: Values that are not missing.
        first: The first of them; NaN without any.
        infinite: First row with an infinite value; -1 without any.
        levels: Distinct values in ascending order; of more than 22, the 11 smallest and largest.
        counts: How often each of these occurs.
    """

    n_known: int
    first: float
    infinite: int
    levels: Float[np.ndarray, "levels"]
    counts: Int[np.ndarray, "levels"]


class Held(NamedTuple):
    """Which rows hold every value, and which hold any."""

    every: Bool[np.ndarray, "time"]
    some: Bool[np.ndarray, "time"]


class StoredRows:
    """``[time, vars]`` in float64 that is read by blocks of rows and never whole.

    An index is a slice of rows, or an integer array of rows of any shape, and gives an array in
    memory; ``rows[:, k]`` reads one column, and ``rows[:, [k, …]]`` are stored rows of these.
    Whatever needs the whole as one array is refused.

    Args:
        shape: Number of rows and columns.
        read: Reads some rows.
        source: Stored rows whose missing values are those of these rows, if any.

    >>> rows = StoredRows((4, 2), lambda first, last: np.ones((last - first, 2)))
    >>> rows[1:3].shape, rows[np.array([[0, 1], [2, 3]])].shape
    ((2, 2), (2, 2, 2))
    """

    dtype = np.dtype(np.float64)
    ndim = 2

    def __init__(
        self, shape: tuple[int, int], read: Read, source: "StoredRows | None" = None
    ) -> None:
        """See the class."""
        self.shape = shape
        self._read = read
        self._source = source
        self._remembered: dict[str, Any] = {}

    @property
    def size(self) -> int:
        """Number of values."""
        return self.shape[0] * self.shape[1]

    def __len__(self) -> int:
        """Number of rows."""
        return self.shape[0]

    def __getitem__(self, rows: Any) -> Any:
        """Some rows, or some columns; see the class."""
        if isinstance(rows, tuple) and len(rows) == 2 and isinstance(rows[0], slice):
            if rows[0] != slice(None):
                self._refuse()
            if isinstance(k := rows[1], int | np.integer):
                return np.concatenate([block[:, k] for block in blocks(self)])
            return self.of(k)
        if isinstance(rows, slice) and rows.step in (None, 1):
            first, last, _ = rows.indices(len(self))
            return self._read(first, max(first, last))
        if isinstance(rows, np.ndarray) and rows.dtype.kind in "iu":
            return self._some(rows.ravel()).reshape(*rows.shape, self.shape[1])
        self._refuse()

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        """Refuse: nothing loads a stored series by the way."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise InputError(
            f"this step needs the series in memory ({in_words(8 * self.size)}), but it stays on "
            "disk; give a part of it, or series=np.asarray(series) where there is room"
        )

    def _some(self, rows: Int[np.ndarray, "rows"]) -> Float[np.ndarray, "rows vars"]:
        """Rows that lie near one another are read at once, others run by run."""
        if not rows.size:
            return np.empty((0, self.shape[1]))
        first, last = int(rows.min()), int(rows.max()) + 1
        if first < 0 or last > len(self):
            raise IndexError(f"row {first if first < 0 else last - 1} of {len(self)} rows")
        if last - first <= NEAR * rows.size:
            return self._read(first, last)[rows - first]
        distinct, place = np.unique(rows, return_inverse=True)
        ends = np.flatnonzero(np.diff(distinct) > 1) + 1
        runs = np.split(distinct, ends)
        return np.concatenate([self._read(int(r[0]), int(r[-1]) + 1) for r in runs])[place]

    def remembered(self, name: str, make: Callable[[], Any]) -> Any:
        """What was made of these rows, which do not change; made the first time."""
        if name not in self._remembered:
            self._remembered[name] = make()
        return self._remembered[name]

    def mapped(self, change: Callable[[np.ndarray], np.ndarray]) -> "StoredRows":
        """The rows after a change of each value by itself, which leaves missing ones missing."""
        return StoredRows(self.shape, lambda a, b: change(self._read(a, b)), self)

    def of(self, columns: Sequence[int] | Int[np.ndarray, "chosen"]) -> "StoredRows":
        """Some of the columns."""
        chosen = np.asarray(columns, np.int64)
        shape = (len(self), len(chosen))
        return StoredRows(shape, lambda a, b: np.ascontiguousarray(self._read(a, b)[:, chosen]))

    @cached_property
    def held(self) -> Held:
        """Which rows hold every value, and which hold any."""
        return self._source.held if self._source is not None else self._told[0]

    @property
    def columns(self) -> tuple[ColumnFacts, ...]:
        """What is known of each column."""
        return self._told[1]

    @cached_property
    def _told(self) -> tuple[Held, tuple[ColumnFacts, ...]]:
        """What one pass over all rows tells."""
        counter = _Counter(self.shape[1])
        held = [counter.add(block) for block in blocks(self)]
        every, some = (np.concatenate(part) for part in zip(*held, strict=True))
        return Held(every, some), counter.facts()


AnyRows = np.ndarray | StoredRows
"""Rows in memory or on disk."""


def blocks(values: AnyRows) -> Iterator[Float[np.ndarray, "rows vars"]]:
    """All rows in order: at once if they are in memory, otherwise block by block."""
    if isinstance(values, StoredRows):
        step = max(1, BLOCK // max(1, values.shape[1]))
        for first in range(0, len(values), step):
            yield values[first : first + step]
    else:
        yield values


def column_facts(values: Float[AnyRows, "time vars"]) -> tuple[ColumnFacts, ...]:
    """What one pass tells of each column.

    >>> [fact] = column_facts(np.array([[2.0], [np.nan], [1.0], [2.0]]))
    >>> fact.n_known, fact.levels.tolist(), fact.counts.tolist()
    (3, [1.0, 2.0], [1, 2])
    """
    if isinstance(values, StoredRows):
        return values.columns
    counter = _Counter(values.shape[1])
    counter.add(values)
    return counter.facts()


def held_rows(values: Float[AnyRows, "time vars"]) -> Held:
    """Which rows hold every value, and which hold any."""
    return values.held if isinstance(values, StoredRows) else _held(np.isnan(values))


def _held(missing: Bool[np.ndarray, "time vars"]) -> Held:
    return Held(np.asarray(~missing.any(axis=1)), np.asarray(~missing.all(axis=1)))


def on_disk(array: Any) -> StoredRows:
    """Rows of an array that is read by slices: a memory map, an array of zarr or h5py."""
    mapping = _mapping(array)

    def read(first: int, last: int) -> Float[np.ndarray, "rows vars"]:
        rows = np.array(array[first:last], np.float64)
        if mapping is not None:
            # What was read stays in the cache of the system, but is not held by this process.
            mapping.madvise(mmap.MADV_DONTNEED)
        return rows

    return StoredRows((int(array.shape[0]), int(array.shape[1])), read)


def stacked(parts: Sequence[AnyRows]) -> StoredRows:
    """Several stretches of rows, one after another."""
    begins = np.cumsum([0, *(len(part) for part in parts)])

    def read(first: int, last: int) -> Float[np.ndarray, "rows vars"]:
        pieces = [
            part[max(first - begin, 0) : max(last - begin, 0)]
            for part, begin in zip(parts, begins[:-1].tolist(), strict=True)
            if begin < last and begin + len(part) > first
        ]
        return np.concatenate(pieces) if pieces else np.empty((0, parts[0].shape[1]))

    return StoredRows((int(begins[-1]), parts[0].shape[1]), read)


def stretches(values: StoredRows) -> list[slice]:
    """Runs of rows, spread evenly, that hold at most `SAMPLE` values together.

    >>> rows = StoredRows((1 << 30, 2), lambda first, last: np.ones((last - first, 2)))
    >>> found = stretches(rows)
    >>> len(found), found[0].start, found[-1].stop == 1 << 30
    (32, 0, True)
    """
    n_rows, n_vars = values.shape
    length = max(1, SAMPLE // n_vars // STRETCHES)
    if values.size <= SAMPLE or length * STRETCHES >= n_rows:
        return [slice(0, n_rows)]
    begins = np.linspace(0, n_rows - length, STRETCHES).astype(int).tolist()
    return [slice(begin, begin + length) for begin in begins]


def sampled(values: Float[AnyRows, "time vars"]) -> Float[np.ndarray, "rows vars"]:
    """Rows in memory: all, or if they are stored those of `stretches`."""
    if not isinstance(values, StoredRows):
        return values
    return np.concatenate([values[part] for part in stretches(values)])


def _mapping(array: Any) -> mmap.mmap | None:
    """The memory map below an array whose pages may be let go of; None if there is none."""
    if getattr(array, "mode", "") == "c" or not hasattr(mmap, "MADV_DONTNEED"):
        return None
    while isinstance(array, np.ndarray):
        array = array.base
    return array if isinstance(array, mmap.mmap) else None


class _Counter:
    """Collects the facts of columns from blocks of rows."""

    def __init__(self, n_vars: int) -> None:
        self.n_rows = 0
        self.n_known = np.zeros(n_vars, np.int64)
        self.first = np.full(n_vars, np.nan)
        self.infinite = np.full(n_vars, -1)
        self.levels: list[np.ndarray] = [np.zeros(0)] * n_vars
        self.counts: list[np.ndarray] = [np.zeros(0, np.int64)] * n_vars

    def add(self, block: Float[np.ndarray, "rows vars"]) -> Held:
        """Count the values of a block, and say which of its rows hold every value, and any."""
        missing = np.isnan(block)
        self.n_known += len(block) - missing.sum(axis=0)
        for k in np.flatnonzero(np.isnan(self.first)):
            known = block[~missing[:, k], k]
            self.first[k] = known[0] if known.size else np.nan
        infinite = np.isinf(block)
        for k in np.flatnonzero(infinite.any(axis=0) & (self.infinite < 0)):
            self.infinite[k] = self.n_rows + int(infinite[:, k].argmax())
        self._count(block, missing)
        self.n_rows += len(block)
        return _held(missing)

    def _count(self, block: np.ndarray, missing: np.ndarray) -> None:
        """Only values at the ends so far can be among the smallest or the largest."""
        ends = [
            (s[ENDS - 1], s[ENDS]) if len(s) == 2 * ENDS else (np.inf, -np.inf) for s in self.levels
        ]
        low, high = np.array(ends).T
        at_end = (block <= low) | (block >= high)
        for k in np.flatnonzero(at_end.any(axis=0)):
            levels, counts = np.unique(block[at_end[:, k], k], return_counts=True)
            known = np.concatenate([self.levels[k], levels])
            merged, place = np.unique(known, return_inverse=True)
            total = np.zeros(len(merged), np.int64)
            np.add.at(total, place, np.concatenate([self.counts[k], counts]))
            if len(merged) > 2 * ENDS:
                merged, total = (np.r_[part[:ENDS], part[-ENDS:]] for part in (merged, total))
            self.levels[k], self.counts[k] = merged, total

    def facts(self) -> tuple[ColumnFacts, ...]:
        """What was found."""
        return tuple(
            ColumnFacts(int(n), float(first), int(row), levels, counts)
            for n, first, row, levels, counts in zip(
                self.n_known, self.first, self.infinite, self.levels, self.counts, strict=True
            )
        )
