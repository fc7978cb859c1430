"""Configuration and stored weights of BERT4Rec; the stored names are those of BERT."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxcause._checks import InputError
from jaxcause.models._rules import WeightLayout
from jaxcause.models.bert import params as bert
from jaxcause.models.bert.modeling import EncoderConfig
from jaxcause.models.bert4rec.modeling import BERT4RecConfig


def layout(architecture: str, config: EncoderConfig) -> WeightLayout:
    """How the weights are stored: like those of a BERT with a masked-LM head."""
    return bert.layout("bert", config)


def encoder_config(
    architecture: str,
    given: Any,
    raw: Mapping[str, Any],
    *,
    head: str | None,
    n_labels: int,
    dtype: np.dtype,
    param_dtype: np.dtype,
) -> EncoderConfig:
    """The encoder of a stored BERT4Rec."""
    config = from_raw(raw).encoder(dtype=dtype, param_dtype=param_dtype)
    return dataclasses.replace(config, head=head)


def from_raw(raw: Mapping[str, Any]) -> BERT4RecConfig:
    """Sizes from ``config.json``.

    Raises:
        InputError: A size is missing or wrong.
    """
    names = {field.name for field in dataclasses.fields(BERT4RecConfig)}
    if "n_items" not in raw:
        raise InputError("config.json of a bert4rec must name n_items")
    return BERT4RecConfig(**{name: raw[name] for name in names & set(raw)})


def to_raw(config: BERT4RecConfig) -> dict[str, Any]:
    """Contents of ``config.json``."""
    return {"model_type": "bert4rec", "architectures": ["BERT4Rec"], **dataclasses.asdict(config)}
