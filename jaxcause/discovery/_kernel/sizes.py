"""Rounded sizes of arrays: a program is compiled for each shape, so that only few may occur."""

import jax

TILE_ENTRIES = 1 << 21
"""Correlations that a block of rows may gather beforehand: bounds the memory of the kernel."""

ROWS_PER_CALL = 1 << 17
"""Rows that one call takes: bounds the memory of the kernel."""

SETS_PER_CALL = 4096
"""Length of the table of conditioning sets that a call takes."""

TESTS_AT_ONCE = 3 << 15
"""A call with no more tests than this makes all of them, without a loop over sets."""

ENTRIES_AT_ONCE = 1 << 22
"""Correlations among members of sets that such a call may look up: bounds its memory."""

ROWS = (256, 2048, 8192, 32768, ROWS_PER_CALL)
TESTS = (512, 4096, 32768, TESTS_AT_ONCE)
WIDTHS = (8, 16, 32, 64, 128, 256, 512, 1024)
"""Lengths of a list of candidates whose correlations are gathered beforehand."""
SET_SIZES = (0, 1, 2, 3, 4, 6, 8, 12, 16, 32, 64)
NODES = (8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048)
"""Nodes of the graphs that the orientation rules look at."""

FEWEST_ROWS_OF_A_CORE = 512
"""Fewer rows are not divided further: starting a call on another core takes 0.1 ms."""

FEWEST_LANES, MOST_LANES = 256, 4096
"""Bounds on the rows of one block, where levels are decided on the host."""
TRACED_LANES = 2048
"""Rows of one block in a traced search."""
ACCELERATOR_LANES, ACCELERATOR_SETS = 1 << 14, 64
"""Rows of one block, and sets that they look at in one turn of the loop, on an accelerator. There
each turn costs some launches of kernels, and a million tests take no longer than these."""


def bucket(n: int, sizes: tuple[int, ...]) -> int:
    """The smallest size that holds ``n``; beyond the last, ``n`` itself.

    >>> bucket(300, ROWS)
    2048
    """
    return next((size for size in sizes if size >= n), n)


def next_power(n: int, base: int) -> int:
    """The smallest number of the form 4096 · base^k that is at least ``n``.

    >>> next_power(5000, 2)
    8192
    """
    size = 4096
    while size < n:
        size *= base
    return size


def on_accelerator() -> bool:
    """Whether programs run on another device than a CPU unless told otherwise."""
    return jax.default_backend() != "cpu"


def sets_per_turn() -> int:
    """Sets that a block of rows looks at in one turn of the loop of a Gaussian kernel.

    On a CPU it is one, since several of them would only spill the cache.
    """
    return ACCELERATOR_SETS if on_accelerator() else 1


def traced_lanes() -> int:
    """Rows of one block of a Gaussian kernel in a traced search."""
    return ACCELERATOR_LANES if on_accelerator() else TRACED_LANES


def lanes(set_size: int, width: int, n_rows: int) -> int:
    """Rows per block on a CPU: enough for full vectors, few enough to stay in the cache.

    Rows are sorted by their numbers of sets, and a block takes as long as its longest row. So short
    blocks waste less.

    Args:
        set_size: Members of a conditioning set.
        width: Length of the lists whose correlations each row gathers beforehand, or 0.
        n_rows: Rows of the call.
    """
    if width:
        return max(FEWEST_LANES, min(MOST_LANES, TILE_ENTRIES // width**2))
    if set_size < 2:
        return min(MOST_LANES, max(FEWEST_LANES, n_rows // 4))
    return min(MOST_LANES, max(FEWEST_LANES, n_rows // 64))


def all_at_once(n_tests: int, set_size: int) -> bool:
    """Whether a call makes all its tests without a loop over sets."""
    n_entries = n_tests * set_size * (set_size + 1)
    return n_tests <= TESTS_AT_ONCE and n_entries <= 2 * ENTRIES_AT_ONCE
