"""An output folder that gets all its files or none, and that one process at a time writes to."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from jaxcause._checks import InputError
from jaxcause._replacing import has_locks, open_locked

SCRATCH = ".jaxcause-new-"
LOCK = ".jaxcause-lock"

_held: set[Path] = set()
"""Folders that this process has locked."""


def check_writable(folder: str | Path) -> None:
    """Check that a folder can be created and written to, without leaving a trace.

    Raises:
        InputError: It cannot be created or written to.
    """
    _remove_empty(_make(Path(folder)))


def _make(path: Path) -> list[Path]:
    """Create a writable folder; returns the folders that did not exist, the deepest first."""
    absent = []
    try:
        absent = [folder for folder in (path, *path.parents) if not folder.exists()]
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        _remove_empty(absent)
        raise InputError(
            f"cannot write to the folder {path}: {error.strerror}; choose another"
        ) from None
    return absent


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


@contextmanager
def locked(folder: str | Path) -> Iterator[None]:
    """A context in which no other process that asks for the same lock writes to ``folder``.

    The folder is made if needed, and removed again if it is empty at the end. What a killed process
    has left half written is removed. The lock goes with the process that holds it, however that
    ends; on systems without file locks there is none.

    Raises:
        InputError: Another process writes to the folder, or it cannot be written to.
    """
    path = Path(folder).absolute()
    if path in _held:
        yield
        return
    made = _make(path)
    file = None
    try:
        file = _locked_file(path)
        _held.add(path)
        for left in path.glob(f"{SCRATCH}*"):
            shutil.rmtree(left, ignore_errors=True)
        yield
    finally:
        _held.discard(path)
        if file is not None:
            # Removed while it is locked, so that nobody else holds this file afterwards.
            with suppress(OSError):
                (path / LOCK).unlink()
            os.close(file)
        _remove_empty(made)


def _locked_file(folder: Path) -> int | None:
    """A descriptor of the folder's lock file, locked; None where there are no file locks."""
    if not has_locks():
        return None
    try:
        return open_locked(folder / LOCK, wait=False)
    except BlockingIOError:
        raise InputError(
            f"another process is writing to the folder {folder}; wait for it, or choose another"
        ) from None
    except OSError as error:
        raise InputError(
            f"cannot write to the folder {folder}: {error.strerror}; choose another"
        ) from None


@contextmanager
def filled_at_once(folder: str | Path) -> Iterator[Path]:
    """A context with a scratch folder, whose files move into ``folder`` when the block succeeds.

    If the block raises, ``folder`` is unchanged.

    Raises:
        InputError: Another process writes to the folder, or a file cannot be written, as on a full
            disk.
    """
    path = Path(folder)
    with locked(path):
        scratch = None
        try:
            scratch = Path(tempfile.mkdtemp(prefix=SCRATCH, dir=path))
            yield scratch
            for file in sorted(scratch.iterdir()):
                _flush(file)
            for file in sorted(scratch.iterdir()):
                os.replace(file, path / file.name)
        except OSError as error:
            raise _unwritten(path, error) from None
        except InputError as error:
            if isinstance(error.__context__, OSError):
                raise _unwritten(path, error.__context__) from None
            raise
        finally:
            if scratch is not None:
                shutil.rmtree(scratch, ignore_errors=True)


def _unwritten(path: Path, error: OSError) -> InputError:
    """The error without the name of a scratch folder, which says nothing to anybody."""
    return InputError(
        f"cannot write to the folder {path}: {error.strerror or error}; what was there is "
        "unchanged, so make room or choose another"
    )


def _flush(path: Path) -> None:
    """Have the disk say now that it is full, before any file is replaced."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
