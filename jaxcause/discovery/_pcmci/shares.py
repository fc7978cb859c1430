"""Tests made on one device, or shared out over the devices of a mesh.

Every device makes an equal part of each chunk of tests, in a thread of its own, so that work on the
host is shared as well. Processes then exchange what their devices found.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float, Int

from jaxcause.sharding import is_local, on_every_process

Work = Callable[[Int[np.ndarray, "rows"], Any], Float[np.ndarray, "3 rows"]]
"""What is found of some tests, on a device, or on the default one if it is None."""


class FoundTests(NamedTuple):
    """What was found of some tests, in any order."""

    rows: Int[np.ndarray, "rows"]
    values: Float[np.ndarray, "3 rows"]


def in_shares(work: Work, chunks: Sequence[Int[np.ndarray, "_"]], mesh: Mesh | None) -> FoundTests:
    """What ``work`` finds of every test.

    Args:
        work: It must find the same of a test, whatever others it is given with.
        chunks: Tests that are worked on at a time; a device gets an equal part of each.
        mesh: The devices; None for one.
    """
    if mesh is None:
        values = [work(chunk, None) for chunk in chunks]
        return FoundTests(np.concatenate(chunks), np.concatenate(values, axis=1))
    devices, shares = list(mesh.devices.flat), deal_parts(chunks, mesh.size)
    own = [k for k, device in enumerate(devices) if device.process_index == jax.process_index()]

    def of_device(k: int) -> np.ndarray:
        values = [work(part, devices[k]) for part in shares[k]]
        return np.concatenate([np.zeros((3, 0)), *values], axis=1)

    with ThreadPoolExecutor(len(own)) as pool:
        found = list(pool.map(of_device, own))
    rows = [np.concatenate([np.zeros(0, np.int64), *parts]) for parts in shares]
    if not is_local(mesh):
        most = max(len(of_one) for of_one in rows)
        padded = [np.pad(values, [(0, 0), (0, most - values.shape[1])]) for values in found]
        everything = on_every_process(np.stack(padded), mesh)
        found = [values[:, : len(of_one)] for values, of_one in zip(everything, rows, strict=True)]
    return FoundTests(np.concatenate(rows), np.concatenate(found, axis=1))


def deal_parts(
    chunks: Sequence[Int[np.ndarray, "_"]], n_devices: int
) -> list[list[Int[np.ndarray, "_"]]]:
    """An equal part of every chunk for each device; which one gets a test more goes round.

    >>> [[part.tolist() for part in parts] for parts in deal_parts([np.arange(5)] * 2, 2)]
    [[[0, 1, 2], [3, 4]], [[3, 4], [0, 1, 2]]]
    """
    cut = [np.array_split(chunk, n_devices) for chunk in chunks]
    return [
        [part for at, parts in enumerate(cut) if (part := parts[(k + at) % n_devices]).size]
        for k in range(n_devices)
    ]
