"""Checkpoints: the state of a long run in one file, from which a later process goes on."""

import hashlib
import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Shaped

from jaxcause import _small_work
from jaxcause._checks import InputError
from jaxcause._replacing import replace_file
from jaxcause.sharding import is_first_process, of_first_process

MAGIC = b"jaxcause checkpoint 4\n"
"""Beginning of the file; the SHA-256 of what follows it comes next."""

_OF, _WORK, _STATE = "of", "work", "state/"
"""Arrays of a file: whose it is, what numpy has spent on programs, and the state itself."""


class CheckpointOfAnotherRun(InputError):
    """Raised when a checkpoint was written for other data or settings."""


def fingerprint(*parts: Any) -> str:
    """A short hash of pytrees: arrays enter by their bytes, anything else by its repr."""
    leaves, structure = jax.tree.flatten(parts)
    digest = hashlib.sha256(_without_addresses(structure).encode())
    for leaf in leaves:
        if hasattr(leaf, "dtype") and hasattr(leaf, "shape"):
            digest.update(f"{leaf.dtype}{leaf.shape}".encode())
            digest.update(np.ascontiguousarray(leaf).tobytes())
        else:
            digest.update(_without_addresses(leaf).encode())
    return digest.hexdigest()[:16]


def save_checkpoint(path: Path, state: Any, *, of: str, mesh: Mesh | None = None) -> None:
    """Replace a checkpoint; if the process is killed, the old one or the new one is complete.

    It also keeps how much work numpy has done, by which it is decided what is compiled: a later
    process then compiles the same programs at the same time, and rounds as this one.

    Args:
        path: The file.
        state: A pytree of arrays and numbers.
        of: Fingerprint of the data and settings of the run.
        mesh: Devices that work; the first of their processes writes, the others do nothing.

    Raises:
        InputError: It cannot be written; the old one is then unchanged.
    """
    if not is_first_process(mesh):
        return
    arrays = {_STATE + place: value for place, value in _places(jax.device_get(state))}
    arrays[_OF], arrays[_WORK] = _as_bytes(of), _as_bytes(json.dumps(_small_work.work_done()))
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # pyright: ignore[reportArgumentType]
    body = buffer.getbuffer()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, MAGIC, hashlib.sha256(body).digest(), body)
    except OSError as error:
        raise InputError(
            f"cannot write the checkpoint {path}: {error.strerror}; make room, then resume from "
            "what was written before"
        ) from None


def load_checkpoint(
    path: Path, *, of: str, mesh: Mesh | None = None
) -> dict[str, Shaped[np.ndarray, "..."]] | None:
    """Read a checkpoint, or None where there is none.

    This process then compiles what the one that wrote it would have compiled next, and when.

    Args:
        path: The file.
        of: Fingerprint of the data and settings of the run.
        mesh: Devices that work; the first of their processes reads for all of them.

    Returns:
        The leaves of the state by their places, such as ``"params/dense/kernel"``; see `as_tree`.

    Raises:
        CheckpointOfAnotherRun: It belongs to other data or settings.
        InputError: The file cannot be read, is damaged, or is of another version.
    """
    data = _read(path) if is_first_process(mesh) else None
    if mesh is not None:
        data = of_first_process(data, mesh)
    if data is None:
        return None
    body = _checked(path, data)
    with np.load(io.BytesIO(body), allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    if arrays[_OF].tobytes().decode() != of:
        raise CheckpointOfAnotherRun(
            f"{path} was written for other data or settings; use those, or delete it to start anew"
        )
    _small_work.go_on_from(json.loads(arrays[_WORK].tobytes()))
    places = (name for name in arrays if name.startswith(_STATE))
    return {place.removeprefix(_STATE): arrays[place] for place in places}


def as_tree(arrays: Mapping[str, Shaped[np.ndarray, "..."]], like: Any, at: str = "") -> Any:
    """The pytree that lies at a place of what `load_checkpoint` read.

    Args:
        arrays: Leaves by their places.
        like: A pytree of the same structure.
        at: Where it lies; by default it is the whole.

    >>> as_tree({"a/x": np.ones(2), "a/y/0": np.zeros(1)}, {"x": 0, "y": [0]}, at="a")
    {'x': array([1., 1.]), 'y': [array([0.])]}
    """
    leaves = [arrays["/".join(part for part in (at, place) if part)] for place, _ in _places(like)]
    return jax.tree.unflatten(jax.tree.structure(like), leaves)


def _places(tree: Any) -> list[tuple[str, np.ndarray]]:
    """The leaves of a pytree as arrays, each with its place."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return [
        (jax.tree_util.keystr(path, simple=True, separator="/"), np.asarray(leaf))
        for path, leaf in leaves
    ]


def _as_bytes(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), np.uint8)


def _without_addresses(value: Any) -> str:
    """A repr without the places in memory, which every process has others of."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))


def _read(path: Path) -> bytes | None:
    """What the file holds; None where there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; check the path") from None


def _checked(path: Path, data: bytes) -> memoryview:
    """What follows the checksum of a checkpoint, if it is as it was written."""
    if not data.startswith(MAGIC):
        raise InputError(f"{path} is no checkpoint of this version; delete it to start anew")
    start = len(MAGIC) + 32
    body = memoryview(data)[start:]
    if hashlib.sha256(body).digest() != data[len(MAGIC) : start]:
        raise InputError(f"{path} is damaged (its checksum differs); delete it to start anew")
    return body
