"""A model with its parameters."""

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import PRNGKeyArray

from jaxcause._checks import InputError
from jaxcause.models._functional import Config, Forward, Params, init_params
from jaxcause.models.bert4rec.modeling import BERT4RecConfig
from jaxcause.models.bert4rec.params import to_raw


@dataclasses.dataclass(frozen=True, eq=False)
class Pretrained:
    """A model and its parameters; see `load_pretrained`.

    Args:
        architecture: ``"bert"``, ``"roberta"``, ``"distilbert"``, ``"gpt2"`` or ``"bert4rec"``.
        config: Sizes and options of the model.
        params: Nested dictionary of arrays.
        label_names: Names of a classifier's classes; empty without one.
        folder: Folder of the model's files; None for a model that was not loaded.
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
        """Largest number of tokens of a sequence."""
        return self.config.max_length

    @property
    def causal(self) -> bool:
        """Whether tokens see only earlier tokens."""
        return self.config.causal

    @functools.cached_property
    def apply(self) -> Forward:
        """The forward pass, a pure function that composes with ``jax.jit`` and others.

        ``apply(params, input_ids=None, attention_mask=None, token_type_ids=None,
        position_ids=None, inputs_embeds=None, *, dropout_key=None)`` returns a `ModelOutput`. Pass
        either ``input_ids [batch, tokens]`` or ``inputs_embeds [batch, tokens, width]``;
        ``apply.embed(params, input_ids)`` computes the latter from the former. Tokens whose mask is
        0 are not attended to; without a mask all tokens are attended to, except padding in
        BERT4Rec. Positions are those of transformers; with padding on the left, GPT-2 needs
        ``position_ids``. With a ``dropout_key``, dropout is active.
        """
        return Forward(self.config)


def new_bert4rec(
    config: BERT4RecConfig,
    *,
    key: PRNGKeyArray,
    dtype: DTypeLike = jnp.float32,
    param_dtype: DTypeLike = jnp.float32,
) -> Pretrained:
    """A BERT4Rec with random parameters, for training.

    Args:
        config: Its sizes.
        key: Random key of the parameters.
        dtype: Dtype of computation, float32 or bfloat16.
        param_dtype: Dtype of parameters, float32 or bfloat16.

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


def checked_dtype(name: str, dtype: DTypeLike) -> np.dtype:
    """Check that models support a dtype.

    Raises:
        InputError: They do not.
    """
    known = np.dtype(dtype)
    if known not in (np.dtype(jnp.float32), np.dtype(jnp.bfloat16)):
        raise InputError(f"{name}={known} is not supported; choose float32 or bfloat16")
    return known
