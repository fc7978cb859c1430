"""Loading pre-trained models."""

import os
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import PRNGKeyArray

from jaxcause._checks import InputError, check_at_least
from jaxcause.models._families import (
    FAMILIES,
    head_named_by,
    named_classes,
    parse_config,
    read_config,
)
from jaxcause.models._functional import expected, unflatten
from jaxcause.models._hub import Source, locate
from jaxcause.models._pretrained import Pretrained, checked_dtype
from jaxcause.models._rules import missing_weights, place
from jaxcause.models._safetensors import read_safetensors, read_sharded
from jaxcause.models._unpickle import read_torch_zip
from jaxcause.models._variants import check_variant

READERS = {
    "model.safetensors": read_safetensors,
    "model.safetensors.index.json": read_safetensors,
    "pytorch_model.bin": read_torch_zip,
    "pytorch_model.bin.index.json": read_torch_zip,
}
HEAD_PATHS = ("head.", "score.", "decoder.")


def load_pretrained(
    path_or_id: str | os.PathLike[str],
    *,
    head: str | None = "auto",
    dtype: DTypeLike = jnp.float32,
    param_dtype: DTypeLike = jnp.float32,
    revision: str | None = None,
    allow_new_head: bool = False,
    n_labels: int | None = None,
    key: PRNGKeyArray | None = None,
) -> Pretrained:
    """Load a pre-trained Transformer, without PyTorch.

    It loads BERT, RoBERTa, DistilBERT and GPT-2 as saved by transformers, and BERT4Rec as saved by
    `save_pretrained`. Weights are read from ``model.safetensors``, from several such files with an
    index, or from ``pytorch_model.bin``, whose code is never run.

    Prefixes that training tools leave (``module.``, ``model.``, ``_orig_mod.``) are read over, and
    the tensors of a checkpoint are found under ``state_dict``, ``model_state_dict`` or ``model``.
    Integers and 8-bit floats in the place of weights are codes of quantised numbers, and refused,
    as are adapters, models with code of their own, and options that change what is computed.

    Args:
        path_or_id: Folder with ``config.json`` and weights, or the name of a model on the hub.
            Without a network, or with ``HF_HUB_OFFLINE=1``, only models downloaded before are
            found.
        head: ``"auto"`` for the saved head, None, ``"masked_lm"``,
            ``"sequence_classification"``, or ``"lm"`` (GPT-2).
        dtype: Dtype of computation, float32 or bfloat16; softmax and norms use float32.
        param_dtype: Dtype of parameters, float32 or bfloat16.
        revision: Branch, tag or commit on the hub.
        allow_new_head: Whether a head that was not saved may get random parameters.
        n_labels: Number of classes of a new classifier.
        key: Random key of a new head.

    Raises:
        InputError: There is no such model, its files are absent or damaged, its architecture or
            this variant of it is not supported, or weights are missing, unknown or of another
            shape.

    >>> load_pretrained("no/such/folder/here")
    Traceback (most recent call last):
    ...
    jaxcause._errors.InputError: no/such/folder/here is no folder; give one with config.json and \
weights, or a hub id
    """
    compute, store = checked_dtype("dtype", dtype), checked_dtype("param_dtype", param_dtype)
    source = locate(path_or_id, revision)
    path = source.find("config.json")
    if path is None:
        raise InputError(f"{source.name} has no config.json; give the folder of a saved model")
    architecture, raw = read_config(path)
    family = FAMILIES[architecture]
    check_variant(architecture, raw, named_classes(architecture), path)
    _refuse_adapters(source)
    if head == "auto":
        head = head_named_by(architecture, raw)
    elif head is not None and head not in family.heads:
        raise InputError(
            f"head={head!r} does not exist for {architecture}; choose auto, None or one of "
            f"{', '.join(family.heads)}"
        )
    given = parse_config(architecture, path, raw)
    labels = _labels(given, n_labels) if head == "sequence_classification" else ()
    config = family.config(
        architecture,
        given,
        raw,
        head=head,
        n_labels=len(labels),
        dtype=compute,
        param_dtype=store,
    )
    shapes, layout = expected(config), family.layout(architecture, config)
    placed, missing = place(read_weights(source), shapes, layout, source.name)
    if missing:
        of_head = all(name.startswith(HEAD_PATHS) for name in missing)
        sized = n_labels is not None or head != "sequence_classification"
        if not (of_head and allow_new_head and key is not None and sized):
            remedy = "for a new head, pass allow_new_head=True, n_labels and key"
            raise missing_weights(
                missing, layout, source.name, remedy if of_head else "download them again"
            )
        placed |= _fresh(key, missing, shapes, config.initializer_range)
    params = {name: jnp.asarray(np.ascontiguousarray(placed[name], store)) for name in shapes}
    return Pretrained(architecture, config, unflatten(params), labels, source.folder, raw)


def _refuse_adapters(source: Source) -> None:
    """Raise if an adapter lies beside the weights: transformers would add it to them."""
    if source.find("adapter_config.json") is not None:
        raise InputError(
            f"{source.name} holds an adapter (adapter_config.json), which is not applied; merge it "
            "into the weights by merge_and_unload() of peft, and save the model anew"
        )


def read_weights(source: Source) -> dict[str, np.ndarray]:
    """All weights by stored name, from the first kind of file that exists.

    Raises:
        InputError: There is no such file, or it is damaged.
    """
    for name, read in READERS.items():
        path = source.find(name)
        if path is not None:
            indexed = name.endswith(".index.json")
            return read_sharded(path, source.find, read) if indexed else read(path)
    raise InputError(f"{source.name} has no weights; it needs one of {', '.join(READERS)}")


def _labels(given: Any, n_labels: int | None) -> tuple[str, ...]:
    """Names of the classes, in order."""
    if n_labels is not None:
        check_at_least("n_labels", n_labels, 1)
    known = dict(given.id2label)
    count = len(known) if n_labels is None else n_labels
    if count != len(known):
        return tuple(f"LABEL_{i}" for i in range(count))
    return tuple(str(known.get(i, f"LABEL_{i}")) for i in range(count))


def _fresh(
    key: PRNGKeyArray, missing: list[str], shapes: Mapping[str, Any], std: float
) -> dict[str, np.ndarray]:
    """Random parameters of a new head: normal weights, zero biases, unit scales."""
    fresh = {}
    for name, subkey in zip(missing, jax.random.split(key, len(missing)), strict=True):
        shape = shapes[name].shape
        if name.endswith(("kernel", "embedding")):
            fresh[name] = std * np.asarray(jax.random.normal(subkey, shape, jnp.float32))
        else:
            fresh[name] = np.full(shape, float(name.endswith("scale")), np.float32)
    return fresh
