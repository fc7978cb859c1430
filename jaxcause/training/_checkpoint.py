"""Checkpoints: all that training depends on, in one file, so that it survives a killed process."""

import hashlib
import os
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import serialization

from jaxcause._checks import InputError


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


def save_checkpoint(path: Path, content: dict[str, Any], *, training: str) -> None:
    """Replace a checkpoint; if the process is killed, the old one or the new one is complete.

    Args:
        path: The file.
        content: A pytree of arrays and numbers.
        training: Fingerprint of the data and settings of the training.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(path.name + ".part")
    scratch.write_bytes(
        serialization.to_bytes({"of": training, "content": jax.device_get(content)})
    )
    os.replace(scratch, path)


def load_checkpoint(path: Path, like: dict[str, Any], *, training: str) -> dict[str, Any] | None:
    """Read a checkpoint, or None where there is none.

    Args:
        path: The file.
        like: A pytree of the same structure.
        training: Fingerprint of the data and settings of the training.

    Raises:
        InputError: The file is damaged, or belongs to other data or settings.
    """
    if not path.exists():
        return None
    try:
        stored = serialization.msgpack_restore(path.read_bytes())
        found, content = stored["of"], stored["content"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is no checkpoint ({error}); delete it to start anew") from None
    if found != training:
        raise InputError(
            f"{path} was written for other data or settings; use those, or delete it to start anew"
        )
    state: Any = content
    return serialization.from_state_dict(like, state)
