"""Reading files defensively, and writing files atomically."""

import os
import stat
from pathlib import Path

from jaxcause._checks import InputError, limit
from jaxcause._replacing import replace_file

MAX_DECLARED = 512 * 2**20
"""Largest size in bytes of the file of a graph or a result, or to which a small file may expand."""

MAX_RATIO = 100
"""A large file may expand beyond `MAX_DECLARED`, up to this multiple of its own size."""

MAX_COLUMNS = 5_000
"""Largest number of columns of a table."""

MAX_CELLS = 2**25
"""Largest number of marks of a graph that is read; ``JAXCAUSE_MAX_MARKS`` raises it."""


def check_regular(path: str | Path) -> None:
    """Raise if a path is a pipe, a socket or a device, which may never end.

    Raises:
        InputError: It is.
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        # Opening the file says what is wrong.
        return
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise InputError(f"{path} is no regular file, but a pipe or a device; write it to a file")


def read_bytes(path: str | Path) -> bytes:
    """All bytes of the file of a graph or a result.

    Raises:
        InputError: It cannot be read, is empty, or is far too large.
    """
    path = Path(path)
    check_regular(path)
    try:
        size = path.stat().st_size
        if size > limit("bytes", MAX_DECLARED):
            raise InputError(
                f"{path} has {size:,} bytes, too many for a graph or a result; check the path, or "
                "set JAXCAUSE_MAX_BYTES higher"
            )
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; check the path") from None
    if not data.strip():
        raise InputError(f"{path} is empty; write it again")
    return data


def read_text(path: str | Path) -> str:
    """All text of the file of a graph or a result in UTF-8.

    Raises:
        InputError: It is not UTF-8; or see `read_bytes`.
    """
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"cannot read {path} as UTF-8: {error}; save it as UTF-8 text") from None


def check_declared(path: str | Path, n_bytes: int) -> None:
    """Raise if a file claims to expand to far more bytes than its size allows."""
    size = Path(path).stat().st_size
    if n_bytes > max(limit("bytes", MAX_DECLARED), MAX_RATIO * size):
        raise InputError(
            f"{path} has {size:,} bytes and claims to hold {n_bytes:,}; it is damaged or hostile, "
            "or else save it without compression or set JAXCAUSE_MAX_BYTES higher"
        )


def check_cells(what: str | Path, n_vars: int, max_lag: int) -> None:
    """Raise if a graph has more marks than `MAX_CELLS`."""
    cells = n_vars * n_vars * (max_lag + 1) * 2
    most = limit("marks", MAX_CELLS)
    if cells > most:
        raise InputError(
            f"{what} claims {n_vars} variables and max_lag={max_lag}, {cells:,} marks; at most "
            f"{most:,} are read, so check that it is whole, or set JAXCAUSE_MAX_MARKS higher"
        )


def check_columns(path: str | Path, n_columns: int) -> None:
    """Raise if a table has more columns than `MAX_COLUMNS`."""
    most = limit("columns", MAX_COLUMNS)
    if n_columns > most:
        raise InputError(
            f"{path} has {n_columns:,} columns, but at most {most:,} are read; leave some out, or "
            "set JAXCAUSE_MAX_COLUMNS higher"
        )


def write_whole(path: str | Path, data: bytes) -> None:
    """Write a file completely, or leave the old file unchanged.

    Raises:
        InputError: It cannot be written.
    """
    try:
        replace_file(Path(path), data)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; choose another path") from None
