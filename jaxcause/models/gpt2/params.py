"""Configuration and stored weights of GPT-2."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxcause.models._rules import CONV1D, EMBEDDING, NORM, WEIGHT, Rule, WeightLayout
from jaxcause.models.bert.params import refuse
from jaxcause.models.gpt2.modeling import GPT2Config

RULES = (
    Rule("wte", "words", EMBEDDING),
    Rule("wpe", "positions", EMBEDDING),
    Rule("h.{n}.ln_1", "layers.{n}.attention_norm", NORM),
    Rule("h.{n}.attn.c_attn", "layers.{n}.qkv", CONV1D),
    Rule("h.{n}.attn.c_proj", "layers.{n}.out", CONV1D),
    Rule("h.{n}.ln_2", "layers.{n}.mlp_norm", NORM),
    Rule("h.{n}.mlp.c_fc", "layers.{n}.up", CONV1D),
    Rule("h.{n}.mlp.c_proj", "layers.{n}.down", CONV1D),
    Rule("ln_f", "norm", NORM),
)
BUFFERS = (r"h\.\d+\.attn\.(bias|masked_bias)",)
HEAD_NAMES = {"lm": r"lm_head\..*", "sequence_classification": r"score\..*"}
OTHER_HEADS = (r"multiple_choice_head\..*", r"classifier\..*", r"qa_outputs\..*")


def layout(architecture: str, config: GPT2Config) -> WeightLayout:
    """How the weights of one model are stored."""
    rules = list(RULES)
    if config.head == "lm" and config.tied:
        rules.append(Rule("lm_head", "words", EMBEDDING, inside=False, alias=True))
    elif config.head == "lm":
        rules.append(Rule("lm_head", "decoder", EMBEDDING, inside=False))
    elif config.head == "sequence_classification":
        rules.append(Rule("score", "score", WEIGHT, inside=False))
    others = [names for head, names in HEAD_NAMES.items() if head != config.head]
    prefixed = config.head is not None
    ignored = [*BUFFERS, *OTHER_HEADS, *others]
    return WeightLayout(rules, config.n_layers, "transformer.", prefixed, ignored)


def gpt2_config(
    architecture: str,
    given: Any,
    raw: Mapping[str, Any],
    *,
    head: str | None,
    n_labels: int,
    dtype: np.dtype,
    param_dtype: np.dtype,
) -> GPT2Config:
    """The configuration of a GPT-2, from the configuration of transformers.

    Args:
        architecture: ``"gpt2"``.
        given: The configuration that transformers reads from ``config.json``.
        raw: The contents of ``config.json``.
        head: Head to build.
        n_labels: Number of classes of a classifier.
        dtype: Dtype of computation.
        param_dtype: Dtype of parameters.

    Raises:
        InputError: The configuration needs a variant that is not supported.
    """
    for name in ("add_cross_attention", "pruned_heads", "is_encoder_decoder"):
        refuse(raw, name, (None, False, {}))
    return GPT2Config(
        vocab_size=given.vocab_size,
        hidden_size=given.n_embd,
        n_layers=given.n_layer,
        n_heads=given.n_head,
        intermediate_size=given.n_inner or 4 * given.n_embd,
        max_positions=given.n_positions,
        pad_token_id=given.pad_token_id,
        activation=given.activation_function,
        layer_norm_eps=given.layer_norm_epsilon,
        dropout=given.resid_pdrop,
        embedding_dropout=given.embd_pdrop,
        attention_dropout=given.attn_pdrop,
        scale_by_width=bool(given.scale_attn_weights),
        scale_by_layer=bool(given.scale_attn_by_inverse_layer_idx),
        head=head,
        n_labels=n_labels,
        tied=bool(given.tie_word_embeddings),
        initializer_range=given.initializer_range,
        dtype=dtype,
        param_dtype=param_dtype,
    )
