"""Models as pure functions of plain pytrees of parameters."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from jaxtyping import Bool, Float, Int, PRNGKeyArray

from jaxcause._checks import InputError, checked_flags, is_concrete
from jaxcause._typing import AnyArray
from jaxcause.models._output import ModelOutput
from jaxcause.models.bert.modeling import Encoder, EncoderConfig
from jaxcause.models.gpt2.modeling import GPT2, GPT2Config

Config = EncoderConfig | GPT2Config
Params = Any
"""Nested dictionary of arrays."""
Ids = Int[AnyArray, "batch tokens"]


@dataclasses.dataclass(frozen=True)
class Forward:
    """The forward pass of one configuration; equal configurations share compiled code."""

    config: Config

    def __call__(
        self,
        params: Params,
        input_ids: Ids | None = None,
        attention_mask: Int[AnyArray, "batch tokens"]
        | Bool[AnyArray, "batch tokens"]
        | Float[AnyArray, "batch tokens"]
        | None = None,
        token_type_ids: Ids | None = None,
        position_ids: Ids | None = None,
        inputs_embeds: Float[AnyArray, "batch tokens width"] | None = None,
        *,
        dropout_key: PRNGKeyArray | None = None,
    ) -> ModelOutput:
        """See `Pretrained.apply`."""
        if (input_ids is None) == (inputs_embeds is None):
            raise InputError("give either input_ids or inputs_embeds, not both and not neither")
        if inputs_embeds is not None:
            shape = inputs_embeds.shape[:2]
        else:
            assert input_ids is not None
            shape = input_ids.shape
        self._check(shape, input_ids, token_type_ids, position_ids)
        config = self.config
        ids = _indices(input_ids, config.vocab_size)
        types = _indices(token_type_ids, config.n_types)
        positions = _indices(position_ids, config.max_positions)
        if attention_mask is not None:
            mask = jnp.asarray(checked_flags("attention_mask", attention_mask))
        elif config.mask_padding and ids is not None:
            mask = ids != config.pad_token_id
        else:
            mask = jnp.ones(shape, bool)
        rngs = None if dropout_key is None else nnx.Rngs(dropout=dropout_key)
        embeds = None if inputs_embeds is None else jnp.asarray(inputs_embeds)
        return self.model(params)(ids, mask, types, positions, embeds, rngs)

    def embed(self, params: Params, input_ids: Ids) -> Float[Array, "batch tokens width"]:
        """Embeddings of the tokens alone, which can be passed as ``inputs_embeds``."""
        self._check(input_ids.shape, input_ids, None, None)
        return self.model(params).embed(_indices(input_ids, self.config.vocab_size))

    def model(self, params: Params) -> Any:
        """The module with these parameters."""
        graphdef, state = _structure(self.config)
        state = jax.tree.map(lambda leaf: leaf, state)
        nnx.replace_by_pure_dict(state, params)
        return nnx.merge(graphdef, state)

    def _check(
        self,
        shape: tuple[int, ...],
        input_ids: Ids | None,
        token_type_ids: Ids | None,
        position_ids: Ids | None,
    ) -> None:
        config = self.config
        if 0 in shape:
            raise InputError(f"the batch has shape {shape}; give at least one token")
        if position_ids is None and shape[1] > config.max_length:
            raise InputError(
                f"{shape[1]} tokens are more than the {config.max_length} of this model; "
                "truncate the text"
            )
        if token_type_ids is not None and not config.n_types:
            raise InputError("this model has no token types; leave out token_type_ids")
        limits = {
            "input_ids": (input_ids, config.vocab_size),
            "token_type_ids": (token_type_ids, config.n_types),
            "position_ids": (position_ids, config.max_positions),
        }
        for name, (given, limit) in limits.items():
            if given is None or not is_concrete(given):
                continue
            values = np.asarray(given)
            if values.min() < 0 or values.max() >= limit:
                raise InputError(
                    f"{name} reach from {values.min()} to {values.max()}, but this model has "
                    f"0 … {limit - 1}; use the tokeniser that belongs to it"
                )


def init_params(key: PRNGKeyArray, config: Config) -> Params:
    """Random parameters.

    >>> import jax
    >>> config = EncoderConfig(11, 8, 1, 2, 16, 5)
    >>> init_params(jax.random.key(0), config)["embeddings"]["words"]["embedding"].shape
    (11, 8)
    """
    return nnx.to_pure_dict(nnx.state(_build(config, nnx.Rngs(key)), nnx.Param))


def expected(config: Config) -> dict[str, jax.ShapeDtypeStruct]:
    """Shapes of all parameters by path."""
    return flatten(nnx.to_pure_dict(_structure(config)[1]))


def flatten(params: Params) -> dict[str, Any]:
    """Arrays by path, with dots between the names."""
    flat: dict[str, Any] = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        flat[".".join(str(getattr(step, "key", step)) for step in path)] = leaf
    return flat


def unflatten(flat: Mapping[str, Any]) -> Params:
    """The inverse of `flatten`."""
    params: dict[str | int, Any] = {}
    for path, leaf in flat.items():
        *folders, last = (int(step) if step.isdigit() else step for step in path.split("."))
        node = params
        for step in folders:
            node = node.setdefault(step, {})
        node[last] = leaf
    return params


def _indices(given: Ids | None, limit: int) -> Int[Array, "batch tokens"] | None:
    """Indices into a table of ``limit`` rows; a negative one is moved past its end, to give NaN."""
    if given is None:
        return None
    ids = jnp.asarray(given, jnp.int32)
    return jnp.where(ids < 0, limit, ids)


def _build(config: Config, rngs: nnx.Rngs) -> Encoder | GPT2:
    if isinstance(config, GPT2Config):
        return GPT2(config, rngs=rngs)
    return Encoder(config, rngs=rngs)


@functools.lru_cache(maxsize=64)
def _structure(config: Config) -> tuple[Any, Any]:
    """Graph definition and shapes of a model, without computing parameters."""
    return nnx.split(nnx.eval_shape(lambda: _build(config, nnx.Rngs(0))))
