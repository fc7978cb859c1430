"""The rows of a level on one device or its cores, or shared out over the devices of a mesh.

Every device holds all correlations and looks at some of the rows. One collective joins what they
found, so that every device, and every process, ends with the whole level.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np
from jax import Array, lax
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Int

from jaxcause.discovery._kernel.over_cores import on_cores
from jaxcause.discovery._kernel.rows import Found, PackedRows


def scan_rows(
    kernel: Callable[..., Found],
    shared: tuple[Any, ...],
    rows: PackedRows,
    subsets: Int[np.ndarray, "sets k"],
    *,
    mesh: Mesh | None,
    cores: int = 1,
    lanes: int,
    **options: Any,
) -> Found:
    """What a kernel finds about all rows.

    Args:
        kernel: Takes ``shared``, the rows, the sets, and how many of these each block has.
        shared: What all rows refer to.
        rows: The rows, in ascending order of their numbers of sets, padded to a multiple of
            ``lanes``.
        subsets: Conditioning sets as positions among the candidates.
        mesh: The devices; None for one.
        cores: Cores of a single device that share the rows: a divisor of their number.
        lanes: Rows per block.
        options: Static arguments of the kernel.
    """
    n_rows = rows.limit.size
    if mesh is None or mesh.size == 1:
        lanes = min(lanes, n_rows // cores)

        def scan(rows: PackedRows) -> Found:
            return kernel(*shared, rows, subsets, _longest(rows, lanes), lanes=lanes, **options)

        return on_cores(scan, rows, cores)
    lanes = min(lanes, max(1, n_rows // mesh.size))
    order = deal(-(-n_rows // (lanes * mesh.size)) * lanes, mesh.size)
    dealt = _reordered(rows, order)
    given = (*shared, dealt, subsets, _longest(dealt, lanes))
    settings = tuple(sorted({"lanes": lanes, **options}.items()))
    found = _on_devices(given, kernel=kernel, mesh=mesh, options=settings)
    back = np.argsort(order)[:n_rows]
    return jax.tree.map(lambda field: np.asarray(field)[back], found)


def deal(n_each: int, n_devices: int) -> Int[np.ndarray, "rows"]:
    """Rows in the order of devices, ``n_each`` for each, dealt like cards.

    Rows are in ascending order of their work, and so every device gets about the same work, in
    ascending order again.

    >>> deal(3, 2).reshape(2, 3)
    array([[0, 2, 4],
           [1, 3, 5]])
    """
    return np.arange(n_each * n_devices).reshape(n_each, n_devices).T.reshape(-1)


def _reordered(rows: PackedRows, order: Int[np.ndarray, "rows"]) -> PackedRows:
    """The rows in another order, padded by rows that have no sets."""
    missing = order.size - rows.limit.size
    fields = np.pad(np.asarray(rows.fields), [(0, 0), (0, missing)])
    return PackedRows(fields[:, order], np.pad(np.asarray(rows.limit), (0, missing))[order])


def _longest(rows: PackedRows, lanes: int) -> Int[np.ndarray, "blocks"]:
    """How many sets the longest row of each block has."""
    return np.asarray(rows.fields)[5].reshape(-1, lanes).max(axis=1)


@partial(jax.jit, static_argnames=("kernel", "mesh", "options"))
def _on_devices(
    given: tuple[Any, ...],
    *,
    kernel: Callable[..., Found],
    mesh: Mesh,
    options: tuple[tuple[str, Any], ...],
) -> Found:
    """The kernel on each device's share of the rows; all devices end with all results."""
    everywhere, share = PartitionSpec(), PartitionSpec(mesh.axis_names[0])
    of_rows: Any = PackedRows
    *shared, rows, subsets, n_subsets = given

    def of_share(shared: Any, rows: PackedRows, subsets: Array, n_subsets: Array) -> Found:
        found = kernel(*shared, rows, subsets, n_subsets, **dict(options))
        return lax.all_gather(found, mesh.axis_names[0], tiled=True)

    return jax.shard_map(
        of_share,
        mesh=mesh,
        in_specs=(
            everywhere,
            of_rows(PartitionSpec(None, mesh.axis_names[0]), share),
            everywhere,
            share,
        ),
        out_specs=everywhere,
        # What has been gathered is the same everywhere, which the check does not see.
        check_vma=False,
    )(tuple(shared), rows, subsets, n_subsets)
