"""Configurations and stored weights of BERT, RoBERTa and DistilBERT."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxcause._checks import InputError
from jaxcause.models._rules import EMBEDDING, NORM, PLAIN, Rule, WeightLayout
from jaxcause.models.bert.modeling import EncoderConfig

BERT_LAYERS = (
    Rule("embeddings.word_embeddings", "embeddings.words", EMBEDDING),
    Rule("embeddings.position_embeddings", "embeddings.positions", EMBEDDING),
    Rule("embeddings.token_type_embeddings", "embeddings.types", EMBEDDING),
    Rule("embeddings.LayerNorm", "embeddings.norm", NORM),
    Rule("encoder.layer.{n}.attention.self.query", "layers.{n}.query"),
    Rule("encoder.layer.{n}.attention.self.key", "layers.{n}.key"),
    Rule("encoder.layer.{n}.attention.self.value", "layers.{n}.value"),
    Rule("encoder.layer.{n}.attention.output.dense", "layers.{n}.out"),
    Rule("encoder.layer.{n}.attention.output.LayerNorm", "layers.{n}.attention_norm", NORM),
    Rule("encoder.layer.{n}.intermediate.dense", "layers.{n}.up"),
    Rule("encoder.layer.{n}.output.dense", "layers.{n}.down"),
    Rule("encoder.layer.{n}.output.LayerNorm", "layers.{n}.output_norm", NORM),
)
DISTILBERT_LAYERS = (
    Rule("embeddings.word_embeddings", "embeddings.words", EMBEDDING),
    Rule("embeddings.position_embeddings", "embeddings.positions", EMBEDDING),
    Rule("embeddings.LayerNorm", "embeddings.norm", NORM),
    Rule("transformer.layer.{n}.attention.q_lin", "layers.{n}.query"),
    Rule("transformer.layer.{n}.attention.k_lin", "layers.{n}.key"),
    Rule("transformer.layer.{n}.attention.v_lin", "layers.{n}.value"),
    Rule("transformer.layer.{n}.attention.out_lin", "layers.{n}.out"),
    Rule("transformer.layer.{n}.sa_layer_norm", "layers.{n}.attention_norm", NORM),
    Rule("transformer.layer.{n}.ffn.lin1", "layers.{n}.up"),
    Rule("transformer.layer.{n}.ffn.lin2", "layers.{n}.down"),
    Rule("transformer.layer.{n}.output_layer_norm", "layers.{n}.output_norm", NORM),
)
LAYERS = {"bert": BERT_LAYERS, "roberta": BERT_LAYERS, "distilbert": DISTILBERT_LAYERS}

HEADS = {
    ("bert", "masked_lm"): (
        Rule("cls.predictions.transform.dense", "head.dense", inside=False),
        Rule("cls.predictions.transform.LayerNorm", "head.norm", NORM, inside=False),
    ),
    ("bert", "sequence_classification"): (
        Rule("pooler.dense", "head.dense"),
        Rule("classifier", "head.out", inside=False),
    ),
    ("roberta", "masked_lm"): (
        Rule("lm_head.dense", "head.dense", inside=False),
        Rule("lm_head.layer_norm", "head.norm", NORM, inside=False),
    ),
    ("roberta", "sequence_classification"): (
        Rule("classifier.dense", "head.dense", inside=False),
        Rule("classifier.out_proj", "head.out", inside=False),
    ),
    ("distilbert", "masked_lm"): (
        Rule("vocab_transform", "head.dense", inside=False),
        Rule("vocab_layer_norm", "head.norm", NORM, inside=False),
    ),
    ("distilbert", "sequence_classification"): (
        Rule("pre_classifier", "head.dense", inside=False),
        Rule("classifier", "head.out", inside=False),
    ),
}
DECODERS = {
    "bert": ("cls.predictions.decoder", "cls.predictions.bias"),
    "roberta": ("lm_head.decoder", "lm_head.bias"),
    "distilbert": ("vocab_projector", ""),
}
"""The last layer of a masked-LM head, and the second name of its bias; empty if there is none."""
BUFFERS = (r"embeddings\.position_ids", r"embeddings\.token_type_ids")
OTHER_HEADS = (r"qa_outputs\..*", r"cls\.seq_relationship\..*", r"pooler\.dense\.(weight|bias)")
HEAD_NAMES = {
    "masked_lm": (r"cls\.predictions\..*", r"lm_head\..*", r"vocab_(transform|layer_norm|proj).*"),
    "sequence_classification": (r"classifier\..*", r"pre_classifier\..*"),
}


def layout(architecture: str, config: EncoderConfig) -> WeightLayout:
    """How the weights of one model are stored."""
    rules = list(LAYERS[architecture])
    if config.head is not None:
        rules += HEADS[architecture, config.head]
    ignored = [*BUFFERS, *OTHER_HEADS]
    if config.head == "masked_lm":
        decoder, bias = DECODERS[architecture]
        table = "embeddings.words" if config.tied else "head.decoder"
        rules.append(Rule(decoder, table, EMBEDDING, inside=False, alias=config.tied))
        if config.tied and bias:
            rules.append(Rule(bias, "head.bias", PLAIN, inside=False))
        # If both biases are stored and not tied, PyTorch uses that of the decoder only.
        alias = config.tied and bool(bias)
        rules.append(Rule(f"{decoder}.bias", "head.bias", PLAIN, inside=False, alias=alias))
        ignored += [re.escape(bias)] if bias and not config.tied else []
    for head, names in HEAD_NAMES.items():
        ignored += names if head != config.head else ()
    prefixed = config.head is not None
    return WeightLayout(rules, config.n_layers, f"{architecture}.", prefixed, ignored)


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
    """The configuration of an encoder, from the configuration of transformers.

    Args:
        architecture: ``"bert"``, ``"roberta"`` or ``"distilbert"``.
        given: The configuration that transformers reads from ``config.json``.
        raw: The contents of ``config.json``.
        head: Head to build.
        n_labels: Number of classes of a classifier.
        dtype: Dtype of computation.
        param_dtype: Dtype of parameters.

    Raises:
        InputError: The configuration needs a variant that is not supported.
    """
    refuse(raw, "position_embedding_type", (None, "absolute"))
    for name in ("is_decoder", "is_encoder_decoder", "add_cross_attention", "pruned_heads"):
        refuse(raw, name, (None, False, {}))
    common = {
        "vocab_size": given.vocab_size,
        "max_positions": given.max_position_embeddings,
        "pad_token_id": given.pad_token_id or 0,
        "head": head,
        "n_labels": n_labels,
        "tied": bool(given.tie_word_embeddings),
        "initializer_range": given.initializer_range,
        "dtype": dtype,
        "param_dtype": param_dtype,
    }
    if architecture == "distilbert":
        return EncoderConfig(
            hidden_size=given.dim,
            n_layers=given.n_layers,
            n_heads=given.n_heads,
            intermediate_size=given.hidden_dim,
            activation=given.activation,
            dropout=given.dropout,
            attention_dropout=given.attention_dropout,
            head_activation="relu" if head == "sequence_classification" else given.activation,
            head_dropout=given.seq_classif_dropout,
            **common,
        )
    is_roberta = architecture == "roberta"
    head_dropout = given.classifier_dropout
    if head_dropout is None:
        head_dropout = given.hidden_dropout_prob
    of_masked_lm = "gelu" if is_roberta else given.hidden_act
    return EncoderConfig(
        hidden_size=given.hidden_size,
        n_layers=given.num_hidden_layers,
        n_heads=given.num_attention_heads,
        intermediate_size=given.intermediate_size,
        n_types=given.type_vocab_size,
        first_position=(given.pad_token_id or 0) + 1 if is_roberta else 0,
        positions="real" if is_roberta else "index",
        activation=given.hidden_act,
        layer_norm_eps=given.layer_norm_eps,
        dropout=given.hidden_dropout_prob,
        attention_dropout=given.attention_probs_dropout_prob,
        head_activation="tanh" if head == "sequence_classification" else of_masked_lm,
        head_dropout=head_dropout,
        head_input_dropout=is_roberta,
        **common,
    )


def refuse(raw: Mapping[str, Any], name: str, allowed: tuple[Any, ...]) -> None:
    """Raise unless a value of a configuration is supported."""
    value = raw.get(name)
    if value not in allowed:
        choices = " or ".join(repr(choice) for choice in allowed if choice is not None)
        raise InputError(f"{name}={value!r} in config.json is not supported; only {choices} is")
