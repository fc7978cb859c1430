"""Rows of work (windows, graphs, tests) spread over devices and hosts."""

import math
from collections.abc import Callable, Sequence
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


def is_first_process(mesh: Mesh | None) -> bool:
    """Whether this process is the one of a mesh that reads and writes files for all of them.

    >>> is_first_process(None), is_first_process(row_mesh())
    (True, True)
    """
    return mesh is None or jax.process_index() == mesh.devices.flat[0].process_index


def is_local(mesh: Mesh) -> bool:
    """Whether all devices of a mesh belong to this process.

    >>> is_local(row_mesh(jax.local_devices()))
    True
    """
    return all(device.process_index == jax.process_index() for device in mesh.devices.flat)


def on_every_process(own: AnyArray, mesh: Mesh) -> np.ndarray:
    """The rows of the devices of all processes, one per device, from those of each process's own.

    Every process of the mesh calls it, with rows of the same shape and type.

    Args:
        own: A row for each device of this process, in their order in the mesh.
        mesh: The devices.

    >>> on_every_process(np.zeros((len(jax.devices()), 3)), row_mesh()).shape[1]
    3
    """
    return np.asarray(own) if is_local(mesh) else _collected(lambda rows: rows, own, mesh)


def of_first_process(data: bytes | None, mesh: Mesh) -> bytes | None:
    """What the first process of a mesh has, on all of them; what the others have is ignored.

    >>> of_first_process(b"rain", row_mesh())
    b'rain'
    """
    if is_local(mesh):
        return data
    n_own = sum(device.process_index == jax.process_index() for device in mesh.devices.flat)
    # One byte more than there is, so that nothing is not the same as no bytes.
    size = 0 if data is None else 1 + len(data)
    size = int(_collected(lambda rows: rows[0], np.full((n_own, 1), size, np.int32), mesh)[0])
    padded = np.zeros((n_own, size), np.uint8)
    if data is not None and is_first_process(mesh):
        padded[0, 1:] = np.frombuffer(data, np.uint8)
    return _collected(lambda rows: rows[0], padded, mesh)[1:].tobytes() if size else None


def _collected(of_rows: Callable[[jax.Array], jax.Array], own: AnyArray, mesh: Mesh) -> np.ndarray:
    """A function of the rows of all devices, on every process."""
    check_row_mesh(mesh)
    with jax.enable_x64(True):
        share = NamedSharding(mesh, PartitionSpec(mesh.axis_names[0]))
        rows = jax.make_array_from_process_local_data(share, np.asarray(own))
        everywhere = NamedSharding(mesh, PartitionSpec())
        return np.asarray(jax.jit(of_rows, out_shardings=everywhere)(rows))
