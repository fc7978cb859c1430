"""The rows of a level shared out over the cores of a CPU.

A compiled loop runs on one core. So some of the rows go to each of several calls of one program,
which run at the same time. What is found of a row does not depend on the others.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import jax
import numpy as np

from jaxcause.discovery._kernel import sizes
from jaxcause.discovery._kernel.rows import Found, PackedRows


def n_shares(n_rows: int) -> int:
    """Into how many equal shares to divide rows: a power of two, so that lengths stay few."""
    if sizes.on_accelerator():
        return 1
    most = min(_n_cores(), n_rows // sizes.FEWEST_ROWS_OF_A_CORE)
    return 1 << (max(1, most).bit_length() - 1)


def on_cores(scan: Callable[[PackedRows], Found], rows: PackedRows, n: int) -> Found:
    """What ``scan`` finds of all rows, which are dealt like cards to ``n`` calls at a time.

    Args:
        scan: A compiled program; each share keeps the order of its rows.
        rows: The rows; their number is a multiple of ``n``.
        n: Number of calls.
    """
    if n == 1:
        return scan(rows)
    shares = [PackedRows(rows.fields[:, k::n], rows.limit[k::n]) for k in range(n)]
    double = bool(jax.config.read("jax_enable_x64"))

    def scan_again(share: PackedRows) -> Found:
        # Settings that hold in a ``with`` hold in one thread only.
        with jax.enable_x64(double):
            return jax.tree.map(np.asarray, scan(share))

    # The first call compiles the program, if need be, and returns while it runs.
    first = scan(shares[0])
    others = _pool().map(scan_again, shares[1:])
    found = [jax.tree.map(np.asarray, first), *others]
    return jax.tree.map(lambda *parts: np.stack(parts, axis=-1).reshape(-1), *found)


def _n_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(1, _n_cores() - 1), "jaxcause")
