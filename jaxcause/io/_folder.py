"""An output folder that gets all its files or none."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from jaxcause._checks import InputError


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
def filled_at_once(folder: str | Path) -> Iterator[Path]:
    """A context with a scratch folder, whose files move into ``folder`` when the block succeeds.

    If the block raises, ``folder`` is unchanged.
    """
    path = Path(folder)
    made = _make(path)
    scratch = Path(tempfile.mkdtemp(prefix=".jaxcause-", dir=path))
    try:
        yield scratch
        for file in sorted(scratch.iterdir()):
            os.replace(file, path / file.name)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        _remove_empty(made)
