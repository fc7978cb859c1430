"""Rows of work (windows, graphs, tests) spread over devices and hosts."""

import math
from collections.abc import Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jaxcause._checks import InputError, is_concrete
from jaxcause._typing import AnyArray

Tree = TypeVar("Tree")

ROWS = "rows"
"""Name of the one axis of a mesh."""


def row_mesh(devices: Sequence[Any] | None = None) -> Mesh:
    """A mesh of one axis over the given devices; by default over all devices of all hosts.

    Its axis has the type Auto, so that code runs on it without naming shardings.

    Raises:
        InputError: ``devices`` is empty.

    >>> row_mesh().shape[ROWS] == len(jax.devices())
    True
    """
    chosen = jax.devices() if devices is None else list(devices)
    if not chosen:
        raise InputError("devices is empty, but a mesh needs one device; try jax.devices()")
    return Mesh(np.array(chosen), (ROWS,), axis_types=(AxisType.Auto,))


def check_row_mesh(mesh: Mesh) -> None:
    """Raise unless ``mesh`` has exactly one axis, of the type Auto; its name may be any."""
    if len(mesh.axis_names) != 1 or mesh.axis_types != (AxisType.Auto,):
        raise InputError(
            f"mesh has axes {mesh.shape} of types {mesh.axis_types}, but must have one Auto axis; "
            "try jaxcause.sharding.row_mesh()"
        )


def padded_rows(x: AnyArray, multiple: int) -> tuple[Any, int]:
    """Pad to a multiple by repeating the first row; also returns the original number of rows.

    A repeated row is valid input for every function of rows; a row of zeros may not be.

    Raises:
        InputError: There is no row.

    >>> padded_rows(np.array([7, 8, 9]), 2)[0].tolist()
    [7, 8, 9, 7]
    """
    n_rows = len(x)
    if n_rows == 0:
        raise InputError(f"x has shape {np.shape(x)}, but must have one row or more")
    missing = -n_rows % multiple
    if isinstance(x, np.ndarray):
        return np.concatenate([x, np.repeat(x[:1], missing, axis=0)]), n_rows
    return jnp.concatenate([x, jnp.repeat(x[:1], missing, axis=0)]), n_rows


def shard_rows(x: AnyArray, mesh: Mesh, *, multiple: int = 1) -> tuple[jax.Array, int]:
    """Spread the leading axis over the devices of a mesh, padded to equal shares.

    On several hosts every host passes the same array and keeps its share.

    Args:
        x: The rows, ``[rows, ...]``.
        mesh: See `row_mesh`.
        multiple: The number of rows per device is a multiple of this.

    Returns:
        The sharded rows, padded with copies of the first, and the original number of rows.

    Raises:
        InputError: There is no row, or the mesh has several axes.

    >>> rows, n_rows = shard_rows(np.zeros((3, 2)), row_mesh(), multiple=4)
    >>> n_rows, rows.shape[0] % 4
    (3, 0)
    """
    check_row_mesh(mesh)
    rows, n_rows = padded_rows(x, math.prod(mesh.shape.values()) * multiple)
    if is_concrete(rows):
        return jax.device_put(rows, NamedSharding(mesh, PartitionSpec(mesh.axis_names[0]))), n_rows
    return jnp.asarray(rows), n_rows


def replicate(tree: Tree, mesh: Mesh) -> Tree:
    """Copy every array of a pytree, such as a model's parameters, to every device of the mesh.

    >>> replicate({"w": np.ones(2)}, row_mesh())["w"].tolist()
    [1.0, 1.0]
    """
    if not is_concrete(tree):
        return tree
    return jax.device_put(tree, NamedSharding(mesh, PartitionSpec()))
