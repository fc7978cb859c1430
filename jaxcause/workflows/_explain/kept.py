"""Explanations of many texts, each kept in a file as it is done, until all are written."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxcause._checkpoint import fingerprint, load_checkpoint, save_checkpoint
from jaxcause._version import version_of
from jaxcause.workflows._explain.result import TextExplanation
from jaxcause.workflows._explain.text_model import TextModel

PREFIX = "checkpoint-of-text"


class KeptExplanations:
    """The explanations that an interrupted run has left in a folder, and those of this one.

    Each lies in a file named after a hash of model, text and options, so that a run finds what it
    would explain alike, and nothing else.

    Args:
        folder: The folder.
        model: The model.
        options: How texts are explained.
    """

    def __init__(self, folder: Path, model: TextModel, options: Mapping[str, Any]) -> None:
        network, tokens = model.model, model.tokenizer
        self._folder = folder
        self._of = fingerprint(
            version_of("jaxcause"),
            (model.name, network.architecture, repr(network.config), network.label_names),
            network.params,
            (tokens.backend_tokenizer.to_str(), repr(tokens.special_tokens_map)),
            dict(options),
        )

    def __contains__(self, text: str) -> bool:
        """Whether the explanation of a text is kept."""
        return self._path(text).exists()

    def load(self, text: str) -> TextExplanation | None:
        """The explanation of a text; None if it is not kept.

        Raises:
            InputError: Its file is damaged.
        """
        path = self._path(text)
        arrays = load_checkpoint(path, of=path.name)
        if arrays is None:
            return None
        return TextExplanation.from_json(json.loads(arrays["document"].tobytes()))

    def save(self, text: str, found: TextExplanation) -> None:
        """Keep the explanation of a text.

        Raises:
            InputError: Its file cannot be written.
        """
        path, document = self._path(text), np.frombuffer(found.to_json().encode(), np.uint8)
        save_checkpoint(path, {"document": document}, of=path.name)

    def clear(self) -> None:
        """Remove the files, also those of other runs: the folder holds its result now."""
        for file in self._folder.glob(f"{PREFIX}.*"):
            file.unlink()

    def _path(self, text: str) -> Path:
        return self._folder / f"{PREFIX}.{fingerprint(self._of, text)}"
