"""Checkpoints: all that training depends on, in one file, so that it survives a killed process."""

import contextlib
import hashlib
import os
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import serialization
from jax.sharding import Mesh

from jaxcause._checks import InputError
from jaxcause.sharding import is_first_process, of_first_process

MAGIC = b"jaxcause checkpoint 2\n"
"""Beginning of the file; the SHA-256 of what follows it comes next."""


def fingerprint(*parts: Any) -> str:
    """A short hash: arrays enter by their bytes, anything else by its repr."""
    digest = hashlib.sha256()
    for leaf in jax.tree.leaves(parts):
        if hasattr(leaf, "dtype") and hasattr(leaf, "shape"):
            digest.update(f"{leaf.dtype}{leaf.shape}".encode())
            digest.update(np.ascontiguousarray(leaf).tobytes())
        else:
            digest.update(repr(leaf).encode())
    return digest.hexdigest()[:16]


def save_checkpoint(
    path: Path, content: dict[str, Any], *, training: str, mesh: Mesh | None = None
) -> None:
    """Replace a checkpoint; if the process is killed, the old one or the new one is complete.

    Args:
        path: The file.
        content: A pytree of arrays and numbers.
        training: Fingerprint of the data and settings of the training.
        mesh: Devices that train; the first of their processes writes, the others do nothing.

    Raises:
        InputError: It cannot be written; the old one is then unchanged.
    """
    if not is_first_process(mesh):
        return
    data = serialization.to_bytes({"of": training, "content": jax.device_get(content)})
    scratch = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with scratch.open("wb") as file:
            file.write(MAGIC + hashlib.sha256(data).digest() + data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(scratch, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            scratch.unlink(missing_ok=True)
        raise InputError(
            f"cannot write the checkpoint {path}: {error.strerror}; make room, then resume from "
            "what was written before"
        ) from None


def load_checkpoint(
    path: Path, like: dict[str, Any] | None, *, training: str, mesh: Mesh | None = None
) -> dict[str, Any] | None:
    """Read a checkpoint, or None where there is none.

    Args:
        path: The file.
        like: A pytree of the same structure; None for nested dictionaries as they are stored.
        training: Fingerprint of the data and settings of the training.
        mesh: Devices that train; the first of their processes reads for all of them.

    Raises:
        InputError: The file cannot be read, is damaged, or belongs to other data or settings.
    """
    data = _read(path) if is_first_process(mesh) else None
    if mesh is not None:
        data = of_first_process(data, mesh)
    if data is None:
        return None
    stored = _checked(path, data)
    if stored["of"] != training:
        raise InputError(
            f"{path} was written for other data or settings; use those, or delete it to start anew"
        )
    return serialization.from_state_dict(like, stored["content"]) if like else stored["content"]


def _read(path: Path) -> bytes | None:
    """What the file holds; None where there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; check the path") from None


def _checked(path: Path, data: bytes) -> dict[str, Any]:
    """What a checkpoint holds, if it is as it was written."""
    if not data.startswith(MAGIC):
        raise InputError(f"{path} is no checkpoint of this version; delete it to start anew")
    body = data[len(MAGIC) + 32 :]
    if hashlib.sha256(body).digest() != data[len(MAGIC) : len(MAGIC) + 32]:
        raise InputError(f"{path} is damaged (its checksum differs); delete it to start anew")
    stored: Any = serialization.msgpack_restore(body)
    return stored
