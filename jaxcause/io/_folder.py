"""An output folder that is filled whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jaxcause._checks import InputError


def check_writable(folder: str | Path) -> Path:
    """Make the folder if needed and prove that a file can be written there.

    Raises:
        InputError: It cannot be made or written to.
    """
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise InputError(
            f"cannot write to the folder {path}: {error.strerror}; choose another"
        ) from None
    return path


@contextmanager
def filled_at_once(folder: str | Path) -> Iterator[Path]:
    """Give a scratch folder whose files move into ``folder`` when the block succeeds.

    If the block raises, ``folder`` is as it was.
    """
    path = check_writable(folder)
    scratch = Path(tempfile.mkdtemp(prefix=".jaxcause-", dir=path))
    try:
        yield scratch
        for file in sorted(scratch.iterdir()):
            os.replace(file, path / file.name)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
