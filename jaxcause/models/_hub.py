"""Finding the files of a model, in a folder or on the Hugging Face hub."""

import os
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from jaxcause._checks import InputError
from jaxcause.models._safetensors import one_line

TOKENISER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
)
PROBE_SECONDS = 3.0


class Source(NamedTuple):
    """The files of one model.

    Args:
        name: The path or name that the caller gave.
        folder: The folder of the files.
        find: Maps the name of a file to its path, or to None if there is no such file.
    """

    name: str
    folder: Path
    find: Callable[[str], Path | None]


def locate(path_or_id: str | os.PathLike[str], revision: str | None) -> Source:
    """The files of a local folder, or of a model on the hub, which are downloaded on demand.

    Without a network, or with ``HF_HUB_OFFLINE=1``, only files downloaded before are found.

    Raises:
        InputError: There is no such folder or model, or it cannot be reached.
    """
    name = os.fspath(path_or_id)
    folder = Path(name).expanduser()
    if folder.is_dir():
        if revision is not None:
            raise InputError(f"revision={revision!r} is for models of the hub; {name} is a folder")
        return Source(name, folder, lambda file: _if_file(folder / file))
    if folder.exists():
        raise InputError(f"{name} is a file; give the folder that holds config.json and weights")
    if not re.fullmatch(r"[\w-][\w.-]*(/[\w-][\w.-]*)?", name):
        raise InputError(f"{name} is no folder; give one with config.json and weights, or a hub id")
    return _on_the_hub(name, revision)


def _on_the_hub(name: str, revision: str | None) -> Source:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    obstacle = _obstacle()

    def find(file: str) -> Path | None:
        try:
            path = hf_hub_download(
                name, file, revision=revision, etag_timeout=5, local_files_only=bool(obstacle)
            )
        except LocalEntryNotFoundError as error:
            if obstacle:
                return None
            raise InputError(f"{name}: {file} cannot be fetched ({one_line(error)})") from error
        except EntryNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise InputError(f"{name}: {file} cannot be fetched ({one_line(error)})") from error
        return Path(path)

    config = find("config.json")
    if config is None:
        why = f", and {obstacle}, so that it cannot be fetched" if obstacle else " on the hub"
        raise InputError(
            f"{name} is no folder here and has no config.json{why}; give the path of a folder with "
            "config.json and weights"
        )
    for file in TOKENISER_FILES:
        find(file)
    return Source(name, config.parent, find)


def _obstacle() -> str:
    """The reason why the hub cannot be reached; empty if it can.

    The hub's own client retries for almost a minute before it gives up.
    """
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    answered = threading.Event()

    def probe() -> None:
        request = urllib.request.Request(constants.ENDPOINT, method="HEAD")
        try:
            with urllib.request.urlopen(request, timeout=PROBE_SECONDS):
                answered.set()
        except urllib.error.HTTPError:
            answered.set()
        except (OSError, ValueError):
            pass

    # In a thread, because looking up a host name has no time limit.
    thread = threading.Thread(target=probe, daemon=True)
    thread.start()
    thread.join(PROBE_SECONDS)
    return "" if answered.is_set() else f"{constants.ENDPOINT} cannot be reached"


def _if_file(path: Path) -> Path | None:
    return path if path.is_file() else None
