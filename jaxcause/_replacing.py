"""Files that are written whole or not at all, by one process at a time."""

import contextlib
import os
import stat
from pathlib import Path
from types import ModuleType

PART = ".part"
"""What the name of a file that is being written ends in."""


def has_locks() -> bool:
    """Whether this system has locks of files."""
    return _fcntl() is not None


def replace_file(path: Path, *parts: bytes | memoryview) -> None:
    """Replace a file, or write a new one.

    If the process is killed at any time, the old file or the new one is there, and whole. What it
    has then half written lies beside it, under a name that ends in `PART`, until the file is
    written again. A pipe or a device is written to as it is.

    Args:
        path: The file.
        parts: What it will hold, one part after the other.

    Raises:
        OSError: It cannot be written; the old file is then unchanged.
    """
    if _is_stream(path):
        path.write_bytes(b"".join(parts))
        return
    scratch = path.with_name(path.name + PART)
    file = open_locked(scratch, wait=True)
    try:
        os.ftruncate(file, 0)
        for part in parts:
            _write(file, part)
        # The disk says now that it is full, before the old file is replaced.
        os.fsync(file)
        os.replace(scratch, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(scratch)
        raise
    finally:
        os.close(file)


def open_locked(path: Path, *, wait: bool) -> int:
    """A descriptor of a file, made if needed, that one process holds until it is closed.

    Args:
        path: The file.
        wait: Whether to wait until nobody else holds it.

    Raises:
        BlockingIOError: Another process holds it, and ``wait`` is false.
        OSError: It cannot be opened for writing.
    """
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(file, wait=wait)
        except BaseException:
            os.close(file)
            raise
        if _is_same(file, path):
            return file
        os.close(file)  # its holder has renamed or removed it in the meantime


def _lock(file: int, *, wait: bool) -> None:
    fcntl = _fcntl()
    if fcntl is None:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        raise
    except OSError:
        # A file system without locks.
        return


def _fcntl() -> ModuleType | None:
    try:
        import fcntl
    except ImportError:
        return None
    return fcntl


def _is_same(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except OSError:
        return False


def _is_stream(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _write(file: int, part: bytes | memoryview) -> None:
    """Write all of a part; the system may take it in pieces."""
    left = memoryview(part)
    while left:
        left = left[os.write(file, left) :]
