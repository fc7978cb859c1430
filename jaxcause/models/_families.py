"""The architectures that can be loaded, and what loading each one requires."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jaxcause._checks import InputError, limit
from jaxcause.models._functional import Config
from jaxcause.models._rules import WeightLayout
from jaxcause.models._safetensors import one_line, read_json_object
from jaxcause.models.bert import params as bert
from jaxcause.models.bert4rec import params as bert4rec
from jaxcause.models.gpt2 import params as gpt2


class Family(NamedTuple):
    """One architecture.

    Args:
        heads: Names of its heads; a model without a head has None.
        classes: The name of the class in transformers for each head.
        config: Makes the configuration of this library from that of transformers.
        layout: Describes how the weights are stored.
        foreign: Whether transformers can parse the configuration.
    """

    heads: tuple[str, ...]
    classes: Mapping[str | None, str]
    config: Callable[..., Config]
    layout: Callable[..., WeightLayout]
    foreign: bool = True


def _encoder(name: str) -> Family:
    classes = {
        None: f"{name}Model",
        "masked_lm": f"{name}ForMaskedLM",
        "sequence_classification": f"{name}ForSequenceClassification",
    }
    heads = ("masked_lm", "sequence_classification")
    return Family(heads, classes, bert.encoder_config, bert.layout)


FAMILIES: dict[str, Family] = {
    "bert": _encoder("Bert"),
    "roberta": _encoder("Roberta"),
    "distilbert": _encoder("DistilBert"),
    "gpt2": Family(
        ("lm", "sequence_classification"),
        {
            None: "GPT2Model",
            "lm": "GPT2LMHeadModel",
            "sequence_classification": "GPT2ForSequenceClassification",
        },
        gpt2.gpt2_config,
        gpt2.layout,
    ),
    "bert4rec": Family(
        ("masked_lm",),
        {"masked_lm": "BERT4Rec"},
        bert4rec.encoder_config,
        bert4rec.layout,
        foreign=False,
    ),
}
OTHER_NAMES = {"BertForPreTraining": "masked_lm", "GPT2DoubleHeadsModel": "lm"}
"""Classes of transformers with two heads, and the head that is built."""


def named_classes(architecture: str) -> tuple[str, ...]:
    """Names of the classes of a family in transformers."""
    return tuple(FAMILIES[architecture].classes.values())


def read_config(path: Path) -> tuple[str, dict[str, Any]]:
    """The architecture and the contents of ``config.json``.

    Raises:
        InputError: The file is not JSON, or its architecture cannot be loaded.
    """
    raw = read_json_object(path)
    name = raw.get("model_type")
    if not isinstance(name, str) or name not in FAMILIES:
        raise InputError(
            f"model_type={name!r} in {path} is not supported; choose a model of "
            f"{', '.join(FAMILIES)}, or bring attention arrays from any framework"
        )
    for option, (named, most) in _SIZES.items():
        given, most = raw.get(option), limit(named, most)
        if isinstance(given, int | float) and given > most:
            raise InputError(
                f"{option}={given!r} in {path} is more than {most:,}, so it is taken for an error; "
                f"correct it, or set JAXCAUSE_MAX_{named.upper()} higher"
            )
    return name, raw


_SIZES = {
    **dict.fromkeys(("num_hidden_layers", "n_layers", "n_layer"), ("layers", 1_000)),
    **dict.fromkeys(("num_labels", "_num_labels"), ("labels", 100_000)),
}
"""Options whose size decides how long loading takes, before any weight is read."""


def parse_config(architecture: str, path: Path, raw: dict[str, Any]) -> Any:
    """The configuration that transformers reads from ``config.json``, with defaults filled in."""
    if not FAMILIES[architecture].foreign:
        return raw
    # Without PyTorch, transformers prints advice to install it.
    advice = "TRANSFORMERS_NO_ADVISORY_WARNINGS"
    before = os.environ.get(advice)
    os.environ[advice] = "1"
    try:
        from transformers import AutoConfig
    finally:
        if before is None:
            del os.environ[advice]
        else:
            os.environ[advice] = before
    try:
        return AutoConfig.from_pretrained(path.parent, local_files_only=True)
    except Exception as error:
        # The configuration classes raise errors of their own for bad values.
        raise InputError(f"{path} is not valid ({one_line(error)}); download it again") from error


def head_named_by(architecture: str, raw: Mapping[str, Any]) -> str | None:
    """The head of the saved model, according to ``config.json``.

    Raises:
        InputError: This head is not supported.
    """
    family = FAMILIES[architecture]
    known = {name: head for head, name in family.classes.items()} | OTHER_NAMES
    name = (raw.get("architectures") or [family.classes.get(None)])[0]
    if name not in known or (known[name] is not None and known[name] not in family.heads):
        raise InputError(
            f"the model is a {name}, whose head is not supported; pass head=None for the model "
            f"without a head, or one of {', '.join(family.heads)}"
        )
    return known[name]
