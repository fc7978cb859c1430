"""GPT-2 with its heads."""

import dataclasses

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from jaxtyping import Bool, Float, Int

from jaxcause._checks import InputError, check_at_least, check_choice
from jaxcause.models._layers import (
    ACTIVATIONS,
    Maker,
    activate,
    attend,
    decode,
    dropout,
    split_heads,
)
from jaxcause.models._output import ModelOutput

HEADS = (None, "lm", "sequence_classification")


@dataclasses.dataclass(frozen=True)
class GPT2Config:
    """Sizes and options of a `GPT2`.

    Args:
        vocab_size: Number of tokens in the vocabulary.
        hidden_size: Width of a token; a multiple of ``n_heads``.
        n_layers: Number of layers.
        n_heads: Attention heads per layer.
        intermediate_size: Hidden width of a layer's perceptron.
        max_positions: Largest number of tokens of a sequence.
        pad_token_id: Token that fills up a batch, or None. A classifier reads the last token that
            is attended to and is not this one.
        activation: Activation of a layer's perceptron.
        layer_norm_eps: Number added to variances.
        dropout: Dropout rate after sublayers.
        embedding_dropout: Dropout rate after the embeddings.
        attention_dropout: Dropout rate of attention weights.
        scale_by_width: Whether attention logits are divided by the root of a head's width.
        scale_by_layer: Whether they are divided by the number of the layer, from 1.
        head: None, ``"lm"`` or ``"sequence_classification"``.
        n_labels: Number of classes of a classifier.
        tied: Whether the LM head is the table of token embeddings.
        initializer_range: Standard deviation of initial weights.
        dtype: Dtype of computation: float32 or bfloat16.
        param_dtype: Dtype of parameters.

    Raises:
        InputError: A size is not positive or does not fit, or a name is not known.
    """

    vocab_size: int
    hidden_size: int
    n_layers: int
    n_heads: int
    intermediate_size: int
    max_positions: int
    pad_token_id: int | None = None
    activation: str = "gelu_new"
    layer_norm_eps: float = 1e-5
    dropout: float = 0.1
    embedding_dropout: float = 0.1
    attention_dropout: float = 0.1
    scale_by_width: bool = True
    scale_by_layer: bool = False
    head: str | None = None
    n_labels: int = 0
    tied: bool = True
    initializer_range: float = 0.02
    dtype: np.dtype = np.dtype(np.float32)
    param_dtype: np.dtype = np.dtype(np.float32)

    def __post_init__(self) -> None:
        """Check the sizes and names."""
        sizes = ("vocab_size", "hidden_size", "n_layers", "n_heads", "intermediate_size")
        for name in (*sizes, "max_positions"):
            check_at_least(name, getattr(self, name), 1)
        if self.hidden_size % self.n_heads:
            raise InputError(
                f"hidden_size={self.hidden_size} must be a multiple of n_heads={self.n_heads}"
            )
        check_choice("activation", self.activation, tuple(ACTIVATIONS))
        if self.head not in HEADS:
            raise InputError(f"head={self.head!r} is not known; GPT-2 has one of {HEADS}")
        if self.head == "sequence_classification":
            check_at_least("n_labels", self.n_labels, 1)

    @property
    def max_length(self) -> int:
        """Largest number of tokens of a sequence."""
        return self.max_positions

    @property
    def n_types(self) -> int:
        """Number of token types, which share the table of tokens."""
        return self.vocab_size

    @property
    def mask_padding(self) -> bool:
        """Whether padding is masked without an attention mask; in GPT-2 it is not."""
        return False

    @property
    def causal(self) -> bool:
        """Whether tokens see only earlier tokens."""
        return True


class GPT2Layer(nnx.Module):
    """Attention and a perceptron, each applied after a normalisation and added to its input."""

    def __init__(self, config: GPT2Config, index: int, *, rngs: nnx.Rngs) -> None:
        """Create the layer; ``index`` is its number from 0."""
        width, inner = config.hidden_size, config.intermediate_size
        make = maker(config, rngs)
        self.config = config
        self.scale = (width // config.n_heads) ** -0.5 if config.scale_by_width else 1.0
        self.scale /= index + 1 if config.scale_by_layer else 1
        self.attention_norm = make.norm(width)
        self.qkv = make.linear(width, 3 * width)
        shrink = (2 * config.n_layers) ** -0.5
        self.out = make.linear(width, width, shrink=shrink)
        self.mlp_norm = make.norm(width)
        self.up = make.linear(width, inner)
        self.down = make.linear(inner, width, shrink=shrink)

    def __call__(
        self,
        x: Float[Array, "batch tokens width"],
        mask: Bool[Array, "batch 1 tokens tokens"],
        rngs: nnx.Rngs | None,
    ) -> tuple[Float[Array, "batch tokens width"], Float[Array, "batch heads q k"]]:
        """Apply the layer; returns the output and the attention weights."""
        config = self.config
        parts = jnp.split(self.qkv(self.attention_norm(x)), 3, axis=-1)
        query, key, value = (split_heads(part, config.n_heads) for part in parts)
        mixed, weights = attend(
            query, key, value, mask, scale=self.scale, rate=config.attention_dropout, rngs=rngs
        )
        x = x + dropout(self.out(mixed), config.dropout, rngs)
        inner = self.down(activate(config.activation, self.up(self.mlp_norm(x))))
        return x + dropout(inner, config.dropout, rngs), weights


class GPT2(nnx.Module):
    """Transformer decoder with an optional head.

    A query whose keys are all masked (padding on the left) attends equally to all keys.

    Source: Radford et al. (2019), "Language Models are Unsupervised Multitask Learners".
    """

    def __init__(self, config: GPT2Config, *, rngs: nnx.Rngs) -> None:
        """Create the model with random parameters."""
        width, make = config.hidden_size, maker(config, rngs)
        self.config = config
        self.words = make.table(config.vocab_size, width)
        self.positions = make.table(config.max_positions, width)
        self.layers = nnx.List(GPT2Layer(config, i, rngs=rngs) for i in range(config.n_layers))
        self.norm = make.norm(width)
        if config.head == "lm" and not config.tied:
            self.decoder = make.table(config.vocab_size, width)
        elif config.head == "sequence_classification":
            self.score = make.linear(width, config.n_labels, use_bias=False)

    def embed(self, input_ids: Int[Array, "batch tokens"]) -> Float[Array, "batch tokens width"]:
        """Embeddings of the tokens alone."""
        return self.words(input_ids)

    def __call__(
        self,
        input_ids: Int[Array, "batch tokens"] | None,
        mask: Bool[Array, "batch tokens"],
        types: Int[Array, "batch tokens"] | None,
        positions: Int[Array, "batch tokens"] | None,
        words: Float[Array, "batch tokens width"] | None,
        rngs: nnx.Rngs | None,
    ) -> ModelOutput:
        """One forward pass, from token ids or from token embeddings."""
        config, n_tokens = self.config, mask.shape[1]
        if positions is None:
            positions = jnp.broadcast_to(jnp.arange(n_tokens, dtype=jnp.int32)[None], mask.shape)
        if words is None:
            assert input_ids is not None
            words = self.embed(input_ids)
        x = words.astype(config.dtype) + self.positions(positions)
        if types is not None:
            x = x + self.words(types)
        x = dropout(x, config.embedding_dropout, rngs)
        earlier = jnp.asarray(np.tri(n_tokens, dtype=bool))
        seen = mask[:, None, None, :] & earlier[None, None]
        states, weights = [], []
        for layer in self.layers:
            states.append(x)
            x, attention = layer(x, seen, rngs)
            weights.append(attention)
        x = self.norm(x)
        logits = self._logits(x, input_ids, mask)
        return ModelOutput(logits, jnp.stack([*states, x]), jnp.stack(weights))

    def _logits(
        self,
        x: Float[Array, "batch tokens width"],
        input_ids: Int[Array, "batch tokens"] | None,
        mask: Bool[Array, "batch tokens"],
    ) -> Float[Array, "batch *classes"] | None:
        if self.config.head is None:
            return None
        if self.config.head == "lm":
            table = self.words if self.config.tied else self.decoder
            return decode(x, table.embedding[...])
        # What fills up a batch need not be the configuration's padding token, so that a hidden
        # token is never the last one, whatever its id.
        real = mask
        if input_ids is not None and self.config.pad_token_id is not None:
            real = real & (input_ids != self.config.pad_token_id)
        index = jnp.arange(x.shape[1], dtype=jnp.int32)[None]
        last = (index * real.astype(jnp.int32)).argmax(axis=1)
        at_last = jnp.take_along_axis(x, last[:, None, None], axis=1)[:, 0]
        return self.score(at_last).astype(jnp.float32)


def maker(config: GPT2Config, rngs: nnx.Rngs) -> Maker:
    """Creates the layers of a model with this configuration."""
    return Maker(
        config.initializer_range,
        config.layer_norm_eps,
        config.dtype,
        config.param_dtype,
        rngs,
    )
