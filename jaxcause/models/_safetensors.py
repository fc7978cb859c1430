"""Weights in one safetensors file, or in several with an index."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from jaxcause._checks import InputError
from jaxcause.models._variants import coded_weights

_MAX_JSON = 64 * 2**20

SMALL_FLOATS = re.compile(r"F[468](_.*)?")
"""Names of dtypes that need a scale of their own."""


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """All arrays of one file.

    Raises:
        InputError: The file is truncated or damaged, or holds numbers of fewer than 16 bits.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            dtypes = {name: file.get_slice(name).get_dtype() for name in sorted(file.keys())}
            coded = [name for name in dtypes if SMALL_FLOATS.fullmatch(dtypes[name])]
            if coded:
                raise coded_weights(coded, dtypes[coded[0]], path)
            return {name: file.get_tensor(name) for name in dtypes}
    except InputError:
        raise
    except (SafetensorError, OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{path} cannot be read as safetensors ({one_line(error)}); download it again"
        ) from error


def write_safetensors(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write one file that transformers can read with PyTorch, too."""
    save_file(dict(arrays), path, metadata={"format": "pt"})


def read_sharded(
    index: Path,
    find: Callable[[str], Path | None],
    read: Callable[[Path], dict[str, np.ndarray]],
) -> dict[str, np.ndarray]:
    """All arrays of several files.

    Args:
        index: JSON whose ``weight_map`` names the file of each array.
        find: Maps the name of a file to its path, or to None.
        read: Reads one file.

    Raises:
        InputError: The index is damaged, or a file or an array listed there is absent.
    """
    try:
        files = read_json_object(index)["weight_map"]
        shards = sorted(set(files.values()))
    except (KeyError, AttributeError, TypeError) as error:
        raise InputError(f"{index} is not an index of weights ({one_line(error)})") from error
    weights: dict[str, np.ndarray] = {}
    for shard in shards:
        if not isinstance(shard, str) or Path(shard).name != shard or len(shard) > 200:
            shown = repr(shard)[:80]
            raise InputError(f"{index} names {shown}, which is not the name of a file beside it")
        path = find(shard)
        if path is None:
            raise InputError(f"{shard}, which {index} names, is absent; download it again")
        weights.update(read(path))
    absent = sorted(set(files) - set(weights))
    if absent:
        raise InputError(
            f"{len(absent)} weights that {index} names are in none of its files, such as "
            f"{absent[0]}; download them again"
        )
    return weights


def read_json_object(path: Path) -> dict[str, Any]:
    """The object in a file of JSON.

    Raises:
        InputError: The file is too large, or holds anything else.
    """
    try:
        if path.stat().st_size > _MAX_JSON:
            raise InputError(f"{path} has over {_MAX_JSON:,} bytes of JSON; download it again")
        found = json.loads(path.read_text(encoding="utf-8"))
    except InputError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON ({one_line(error)}); download it again") from error
    if not isinstance(found, dict):
        raise InputError(f"{path} holds a {type(found).__name__}, not an object; download it again")
    return found


def one_line(error: BaseException) -> str:
    """The message of an error on one line, cut to 200 characters."""
    return " ".join(str(error).split())[:200] or type(error).__name__
