"""Pre-trained models: loading, running, saving."""

import dataclasses
import functools
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import PRNGKeyArray

from jaxcause._checks import InputError, check_at_least
from jaxcause.models._families import FAMILIES, head_named_by, parse_config, read_config
from jaxcause.models._functional import (
    Config,
    Forward,
    Params,
    expected,
    flatten,
    init_params,
    unflatten,
)
from jaxcause.models._hub import TOKENISER_FILES, Source, locate
from jaxcause.models._rules import missing_weights, names, place, stored
from jaxcause.models._safetensors import read_safetensors, read_sharded, write_safetensors
from jaxcause.models._unpickle import read_torch_zip
from jaxcause.models.bert4rec.modeling import BERT4RecConfig
from jaxcause.models.bert4rec.params import to_raw

READERS = {
    "model.safetensors": read_safetensors,
    "model.safetensors.index.json": read_safetensors,
    "pytorch_model.bin": read_torch_zip,
    "pytorch_model.bin.index.json": read_torch_zip,
}
HEAD_PATHS = ("head.", "score.", "decoder.")


@dataclasses.dataclass(frozen=True, eq=False)
class Pretrained:
    """A model and its parameters; see `load_pretrained`.

    Args:
        architecture: ``"bert"``, ``"roberta"``, ``"distilbert"``, ``"gpt2"`` or ``"bert4rec"``.
        config: What the model is made of.
        params: Nested dictionary of arrays.
        label_names: Names of a classifier's classes; empty without one.
        folder: Where the files lie, those of the tokeniser among them; None if made here.
        raw: Contents of ``config.json``.
    """

    architecture: str
    config: Config
    params: Params = dataclasses.field(repr=False)
    label_names: tuple[str, ...]
    folder: Path | None
    raw: Mapping[str, Any] = dataclasses.field(repr=False)

    @property
    def head(self) -> str | None:
        """None, ``"masked_lm"``, ``"sequence_classification"`` or ``"lm"``."""
        return self.config.head

    @property
    def n_layers(self) -> int:
        """Number of layers."""
        return self.config.n_layers

    @property
    def n_heads(self) -> int:
        """Attention heads per layer."""
        return self.config.n_heads

    @property
    def hidden_size(self) -> int:
        """Width of a token."""
        return self.config.hidden_size

    @property
    def max_length(self) -> int:
        """Most tokens of a sequence."""
        return self.config.max_length

    @property
    def causal(self) -> bool:
        """Whether tokens see only earlier ones."""
        return self.config.causal

    @functools.cached_property
    def apply(self) -> Forward:
        """The forward pass, a pure function for ``jax.jit`` and the like.

        ``apply(params, input_ids=None, attention_mask=None, token_type_ids=None,
        position_ids=None, inputs_embeds=None, *, dropout_key=None)`` returns a `ModelOutput`. One
        of ``input_ids [batch, tokens]`` and ``inputs_embeds [batch, tokens, width]`` is given;
        ``apply.embed(params, input_ids)`` turns the one into the other. The mask is 0 where nobody
        looks; without one, everybody is looked at (in BERT4Rec, all but padding). Positions are
        those of transformers; with padding on the left, GPT-2 needs ``position_ids``. With a
        ``dropout_key`` the pass is one of training.
        """
        return Forward(self.config)


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

    BERT, RoBERTa, DistilBERT and GPT-2 as transformers saves them, and BERT4Rec as
    `save_pretrained` does. Weights come from ``model.safetensors``, several such files with an
    index, or ``pytorch_model.bin``, of which no code is run.

    Args:
        path_or_id: Folder with ``config.json`` and weights, or the name of a model on the hub.
            Without a network, or with ``HF_HUB_OFFLINE=1``, only what was fetched before is found.
        head: ``"auto"`` for the head that was saved, None, ``"masked_lm"``,
            ``"sequence_classification"``, or ``"lm"`` (GPT-2).
        dtype: Of computation, float32 or bfloat16; softmax and norms are in float32.
        param_dtype: Of parameters, float32 or bfloat16.
        revision: Branch, tag or commit on the hub.
        allow_new_head: Whether a head that was not saved may be made at random.
        n_labels: Classes of a new classifier.
        key: Random key of a new head.

    Raises:
        InputError: There is no such model, its files are absent or damaged, its architecture or a
            variant of it is not supported, or weights are missing, unknown or of another shape.

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


def new_bert4rec(
    config: BERT4RecConfig,
    *,
    key: PRNGKeyArray,
    dtype: DTypeLike = jnp.float32,
    param_dtype: DTypeLike = jnp.float32,
) -> Pretrained:
    """A BERT4Rec with random parameters, to be trained.

    Args:
        config: Its sizes.
        key: Random key of the parameters.
        dtype: Of computation, float32 or bfloat16.
        param_dtype: Of parameters, float32 or bfloat16.

    >>> import jax
    >>> model = new_bert4rec(BERT4RecConfig(n_items=9, max_length=5), key=jax.random.key(0))
    >>> session = jnp.array([[0, 3, 1, 10]])
    >>> model.apply(model.params, session).logits.shape
    (1, 4, 11)
    """
    encoder = config.encoder(
        dtype=checked_dtype("dtype", dtype), param_dtype=checked_dtype("param_dtype", param_dtype)
    )
    return Pretrained("bert4rec", encoder, init_params(key, encoder), (), None, to_raw(config))


def save_pretrained(
    model: Pretrained, folder: str | os.PathLike[str], *, params: Params | None = None
) -> None:
    """Write ``config.json`` and ``model.safetensors``, with the names that transformers gives them.

    The files of a tokeniser that lie beside the model are copied.

    Args:
        model: What to save.
        folder: Where; it is made if it is absent.
        params: Parameters to save in place of ``model.params``.

    Raises:
        InputError: The parameters are not those of this model.
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
    for name in TOKENISER_FILES if model.folder is not None else ():
        beside = model.folder / name
        if beside.is_file() and not (target / name).exists():
            shutil.copyfile(beside, target / name)
    (target / "config.json").write_text(json.dumps(raw, indent=2) + "\n", encoding="utf-8")


def read_weights(source: Source) -> dict[str, np.ndarray]:
    """All weights by stored name, from the first kind of file that there is.

    Raises:
        InputError: There is none, or it is damaged.
    """
    for name, read in READERS.items():
        path = source.find(name)
        if path is not None:
            indexed = name.endswith(".index.json")
            return read_sharded(path, source.find, read) if indexed else read(path)
    raise InputError(f"{source.name} has no weights; it needs one of {', '.join(READERS)}")


def checked_dtype(name: str, dtype: DTypeLike) -> np.dtype:
    """A dtype that models run in.

    Raises:
        InputError: It is another one.
    """
    known = np.dtype(dtype)
    if known not in (np.dtype(jnp.float32), np.dtype(jnp.bfloat16)):
        raise InputError(f"{name}={known} is not supported; choose float32 or bfloat16")
    return known


def _labels(given: Any, n_labels: int | None) -> tuple[str, ...]:
    """Names of the classes, in their order."""
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
