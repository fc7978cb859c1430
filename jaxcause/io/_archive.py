"""Reading arrays of npy and npz files, whose headers are checked against the size of the file."""

import io
import math
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from jaxcause._checks import InputError
from jaxcause.io._files import check_declared, check_regular

_MAGIC = {b"PK\x03\x04": "zip", b"PK\x05\x06": "zip", b"\x93NUM": "npy"}


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of an npz file by name, or the array of an npy file as ``values``.

    Nothing is unpickled, and no array is decompressed whose header does not fit the file's size.

    Raises:
        InputError: The file cannot be read, is damaged, holds objects, or claims to be far larger
            than it is.
    """
    path = Path(path)
    check_regular(path)
    try:
        with path.open("rb") as file:
            kind = _MAGIC.get(file.read(4))
            file.seek(0)
            if kind == "npy":
                size = path.stat().st_size
                return {"values": _read_array(file, size, path, "values")}
            if kind == "zip":
                return _read_archive(file, path)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; check the path") from None
    except (
        ValueError,
        EOFError,
        KeyError,
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,
        RuntimeError,
    ) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} is damaged: {error}; write it again") from None
    state = "is no npz file" if path.stat().st_size else "is empty"
    raise InputError(f"{path} {state}; write it with numpy.savez")


def _read_archive(file: IO[bytes], path: Path) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        check_declared(path, sum(member.file_size for member in members))
        arrays = {}
        for member in members:
            name = member.filename.removesuffix(".npy")
            with archive.open(member) as stream:
                arrays[name] = _read_array(stream, member.file_size, path, name)
        return arrays


def _read_array(
    stream: IO[bytes] | zipfile.ZipExtFile, size: int, path: Path, name: str
) -> np.ndarray:
    """Read one array if its header fits the ``size`` of its data."""
    version = np.lib.format.read_magic(stream)
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read_header is None:
        raise InputError(f"{path}: array {name!r} is npy version {version}; 1 and 2 are read")
    try:
        with warnings.catch_warnings():
            # numpy warns of headers written by Python 2, and reads them.
            warnings.simplefilter("ignore", UserWarning)
            shape, by_columns, dtype = read_header(stream)
    except Exception:
        # The header is a Python literal, and parsing it can raise almost any exception.
        raise InputError(
            f"{path} is damaged: array {name!r} has no header; write it again"
        ) from None
    if dtype.hasobject:
        raise InputError(f"{path}: array {name!r} holds Python objects; save plain numbers or text")
    claimed = math.prod(shape) * dtype.itemsize
    if claimed > size:
        raise InputError(
            f"{path}: array {name!r} claims {claimed:,} bytes, but has fewer than {size:,}; "
            "write it again"
        )
    data = stream.read(claimed)
    if len(data) < claimed:
        raise InputError(f"{path}: array {name!r} is cut off; write it again")
    array = np.frombuffer(bytearray(data), dtype=dtype)
    return array.reshape(shape, order="F" if by_columns else "C")


def archive_of(arrays: dict[str, np.ndarray]) -> bytes:
    """The bytes of an npz file."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()
