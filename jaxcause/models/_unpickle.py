"""Reads ``pytorch_model.bin`` without PyTorch, and without running code from the pickle."""

import io
import pickle
import pickletools
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from jaxcause._checks import InputError
from jaxcause.models._safetensors import one_line

STORAGES = {
    "DoubleStorage": np.float64,
    "FloatStorage": np.float32,
    "HalfStorage": np.float16,
    "BFloat16Storage": ml_dtypes.bfloat16,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "ShortStorage": np.int16,
    "CharStorage": np.int8,
    "ByteStorage": np.uint8,
    "BoolStorage": np.bool_,
}


_MAX_PICKLE = 32 * 2**20

STATE_DICTS = ("state_dict", "model_state_dict", "model")
"""Under which name a checkpoint of a training holds the tensors of its model."""


class StorageType(NamedTuple):
    """Represents one of PyTorch's storage classes."""

    dtype: Any


def read_torch_zip(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a state dictionary in PyTorch's zip format (version 1.6 and later).

    Raises:
        InputError: The file is truncated or of an older format, or its pickle does more than
            create tensors; such code is not run.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            reader = _Reader(archive)
            content = reader.load()
    except InputError:
        raise
    except zipfile.BadZipFile as error:
        raise InputError(
            f"{path} is truncated, or older than PyTorch 1.6 ({one_line(error)}); download it "
            "again, or save it anew as safetensors"
        ) from error
    except Exception as error:
        # A damaged pickle can raise almost any exception.
        raise InputError(
            f"{path} cannot be read ({type(error).__name__}: {one_line(error)}); download it "
            "again, or save it anew as safetensors"
        ) from error
    for name in STATE_DICTS:
        if isinstance(content, dict) and isinstance(content.get(name), dict):
            content = content[name]
            break
    if not isinstance(content, dict) or not all(
        isinstance(key, str) and isinstance(value, np.ndarray) for key, value in content.items()
    ):
        raise InputError(f"{path} is not a dictionary of tensors; save the model's state_dict()")
    return dict(content)


class _Reader:
    """One archive: its pickle, and the storages to which the pickle refers."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive
        pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise InputError(f"{archive.filename} holds no data.pkl; save it anew as safetensors")
        self.folder = pickles[0].removesuffix("data.pkl")
        if self.folder + "byteorder" in archive.namelist():
            order = self._read("byteorder")
            if order != b"little":
                raise InputError(
                    f"{archive.filename} has byte order {order!r}; save it anew as safetensors"
                )
        self.storages: dict[str, np.ndarray] = {}

    def load(self) -> Any:
        data = self._read("data.pkl")
        _check_memo(data, self.archive.filename)
        return _Unpickler(io.BytesIO(data), self).load()

    def storage(self, key: str, dtype: Any, n: int) -> np.ndarray:
        if key not in self.storages:
            flat = np.frombuffer(self._read(f"data/{key}"), np.uint8)
            if flat.size != n * np.dtype(dtype).itemsize:
                raise InputError(f"{self.archive.filename}: storage {key} has a wrong length")
            self.storages[key] = flat
        return self.storages[key].view(dtype)

    def _read(self, name: str) -> bytes:
        info = self.archive.getinfo(self.folder + name)
        if info.compress_type != zipfile.ZIP_STORED:
            raise InputError(f"{self.archive.filename} is compressed, as PyTorch never does it")
        if info.file_size > Path(str(self.archive.filename)).stat().st_size:
            raise InputError(
                f"{self.archive.filename} claims more than it holds; download it again"
            )
        return self.archive.read(info)


def _check_memo(data: bytes, name: str | None) -> None:
    """Raise if a pickle numbers its objects by more than it has bytes, for which memory is taken.

    Raises:
        InputError: It does, or it is far larger than a list of tensors.
    """
    if len(data) > _MAX_PICKLE:
        raise InputError(f"{name} lists its tensors in over {_MAX_PICKLE:,} bytes; is it a model?")
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name in ("PUT", "LONG_BINPUT") and int(argument or 0) > len(data):
            raise InputError(f"{name} numbers an object {argument}; it is damaged or hostile")


class _Unpickler(pickle.Unpickler):
    """Resolves a few names to functions of this module, and refuses all others."""

    def __init__(self, file: Any, reader: _Reader) -> None:
        super().__init__(file)
        self.reader = reader

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in STORAGES:
            return StorageType(STORAGES[name])
        allowed = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _tensor,
            ("torch._utils", "_rebuild_parameter"): _parameter,
        }
        if (module, name) not in allowed:
            raise InputError(
                f"{self.reader.archive.filename} asks for {module}.{name}, which is no part of a "
                "tensor; it was not run: use a safetensors file from a source that you trust"
            )
        return allowed[module, name]

    def persistent_load(self, pid: Any) -> np.ndarray:
        kind, storage, key, _, n = pid
        if kind != "storage" or not isinstance(storage, StorageType):
            raise InputError(f"{self.reader.archive.filename} refers to a {kind!r}, not a storage")
        return self.reader.storage(str(key), storage.dtype, int(n))


def _tensor(
    storage: np.ndarray,
    offset: int,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    *_: Any,
) -> np.ndarray:
    """A view of a storage, within its bounds."""
    if len(shape) != len(strides) or min((offset, *shape, *strides)) < 0:
        raise InputError(f"a tensor has shape {shape} and strides {strides}")
    if 0 in shape:
        return np.zeros(shape, storage.dtype)
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    if last >= storage.size:
        raise InputError(f"a tensor of shape {shape} reaches beyond its storage")
    size = storage.dtype.itemsize
    steps = tuple(step * size for step in strides)
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, steps, writeable=False)


def _parameter(data: np.ndarray, *_: Any) -> np.ndarray:
    return data
