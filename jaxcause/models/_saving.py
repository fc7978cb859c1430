"""Saving models in the format of transformers."""

import json
import os
import shutil
from pathlib import Path

import numpy as np

from jaxcause._checks import InputError
from jaxcause.models._families import FAMILIES
from jaxcause.models._functional import Params, expected, flatten
from jaxcause.models._hub import TOKENISER_FILES
from jaxcause.models._pretrained import Pretrained
from jaxcause.models._rules import names, stored
from jaxcause.models._safetensors import write_safetensors


def save_pretrained(
    model: Pretrained, folder: str | os.PathLike[str], *, params: Params | None = None
) -> None:
    """Write ``config.json`` and ``model.safetensors`` with the names that transformers uses.

    If the model's folder has the files of a tokeniser, they are copied.

    Args:
        model: The model to save.
        folder: The folder to write to, created if it does not exist.
        params: Parameters to save instead of ``model.params``.

    Raises:
        InputError: The parameters do not belong to this model.
    """
    flat = flatten(model.params if params is None else params)
    shapes = expected(model.config)
    layout = FAMILIES[model.architecture].layout(model.architecture, model.config)
    wrong = sorted(
        name
        for name in set(flat) | set(shapes)
        if name not in flat or name not in shapes or np.shape(flat[name]) != shapes[name].shape
    )
    if wrong:
        raise InputError(f"params differ from the model in {', '.join(names(wrong, layout)[:12])}")
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    arrays = stored({name: np.asarray(leaf) for name, leaf in flat.items()}, layout)
    write_safetensors(target / "model.safetensors", arrays)
    kinds = {str(array.dtype) for array in arrays.values()}
    raw = {name: value for name, value in model.raw.items() if name != "torch_dtype"}
    raw["dtype"] = kinds.pop() if len(kinds) == 1 else "float32"
    raw["architectures"] = [FAMILIES[model.architecture].classes[model.head]]
    if model.label_names:
        raw["id2label"] = {str(i): label for i, label in enumerate(model.label_names)}
        raw["label2id"] = {label: i for i, label in enumerate(model.label_names)}
    for name in TOKENISER_FILES:
        beside = None if model.folder is None else model.folder / name
        if beside is not None and beside.is_file() and not (target / name).exists():
            shutil.copyfile(beside, target / name)
    (target / "config.json").write_text(json.dumps(raw, indent=2) + "\n", encoding="utf-8")
