"""One encoder for BERT, RoBERTa and DistilBERT, with its heads."""

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

HEADS = (None, "masked_lm", "sequence_classification")


@dataclasses.dataclass(frozen=True)
class EncoderConfig:
    """Sizes and options of an `Encoder`.

    Args:
        vocab_size: Number of tokens in the vocabulary.
        hidden_size: Width of a token; a multiple of ``n_heads``.
        n_layers: Number of layers.
        n_heads: Attention heads per layer.
        intermediate_size: Hidden width of a layer's perceptron.
        max_positions: Length of the table of positions.
        n_types: Number of token types; 0 for none.
        first_position: Position of the first token.
        positions: How positions are counted: ``"index"`` counts all tokens, ``"real"`` counts the
            tokens that are not padding from the first on, ``"recent"`` those of them that are
            attended to from the last one back.
        pad_token_id: Token that fills up a batch.
        mask_padding: Whether padding is masked if no attention mask is given.
        activation: Activation of a layer's perceptron.
        layer_norm_eps: Number added to variances.
        dropout: Dropout rate after embeddings and sublayers.
        attention_dropout: Dropout rate of attention weights.
        head: None, ``"masked_lm"`` or ``"sequence_classification"``.
        head_activation: Activation between the two layers of the head.
        head_dropout: Dropout rate before the last layer of a classifier.
        head_input_dropout: Whether that rate also applies to the input of the classifier.
        n_labels: Number of classes of a classifier.
        tied: Whether the masked-LM head shares the table of token embeddings.
        never_predicted: Tokens to which the masked-LM head gives a logit of -1e9.
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
    n_types: int = 0
    first_position: int = 0
    positions: str = "index"
    pad_token_id: int = 0
    mask_padding: bool = False
    activation: str = "gelu"
    layer_norm_eps: float = 1e-12
    dropout: float = 0.1
    attention_dropout: float = 0.1
    head: str | None = None
    head_activation: str = "gelu"
    head_dropout: float = 0.1
    head_input_dropout: bool = False
    n_labels: int = 0
    tied: bool = True
    never_predicted: tuple[int, ...] = ()
    initializer_range: float = 0.02
    dtype: np.dtype = np.dtype(np.float32)
    param_dtype: np.dtype = np.dtype(np.float32)

    def __post_init__(self) -> None:
        """Check the sizes and names."""
        sizes = ("vocab_size", "hidden_size", "n_layers", "n_heads", "intermediate_size")
        for name in sizes:
            check_at_least(name, getattr(self, name), 1)
        check_at_least("max_positions", self.max_positions, self.first_position + 1)
        if self.hidden_size % self.n_heads:
            raise InputError(
                f"hidden_size={self.hidden_size} must be a multiple of n_heads={self.n_heads}"
            )
        check_choice("activation", self.activation, tuple(ACTIVATIONS))
        check_choice("head_activation", self.head_activation, tuple(ACTIVATIONS))
        if self.head not in HEADS:
            raise InputError(f"head={self.head!r} is not known; an encoder has one of {HEADS}")
        if self.head == "sequence_classification":
            check_at_least("n_labels", self.n_labels, 1)

    @property
    def max_length(self) -> int:
        """Largest number of tokens of a sequence."""
        return self.max_positions - self.first_position

    @property
    def causal(self) -> bool:
        """Whether tokens see only earlier tokens."""
        return False


class Embeddings(nnx.Module):
    """Tokens, positions and token types, added and normalised."""

    def __init__(self, config: EncoderConfig, *, rngs: nnx.Rngs) -> None:
        """Create the tables."""
        width, make = config.hidden_size, maker(config, rngs)
        self.words = make.table(config.vocab_size, width)
        self.positions = make.table(config.max_positions, width)
        if config.n_types:
            self.types = make.table(config.n_types, width)
        self.norm = make.norm(width)

    def __call__(
        self,
        words: Float[Array, "batch tokens width"],
        positions: Int[Array, "batch tokens"],
        types: Int[Array, "batch tokens"] | None,
    ) -> Float[Array, "batch tokens width"]:
        """Add positions and types to the embeddings of the words."""
        x = words + self.positions(positions)
        return self.norm(x if types is None else x + self.types(types))


class EncoderLayer(nnx.Module):
    """Attention and a perceptron, each added to its input and then normalised."""

    def __init__(self, config: EncoderConfig, *, rngs: nnx.Rngs) -> None:
        """Create the layer."""
        width, inner = config.hidden_size, config.intermediate_size
        make = maker(config, rngs)
        self.config = config
        self.query = make.linear(width, width)
        self.key = make.linear(width, width)
        self.value = make.linear(width, width)
        self.out = make.linear(width, width)
        self.attention_norm = make.norm(width)
        self.up = make.linear(width, inner)
        self.down = make.linear(inner, width)
        self.output_norm = make.norm(width)

    def __call__(
        self,
        x: Float[Array, "batch tokens width"],
        mask: Bool[Array, "batch 1 1 tokens"],
        rngs: nnx.Rngs | None,
    ) -> tuple[Float[Array, "batch tokens width"], Float[Array, "batch heads q k"]]:
        """Apply the layer; returns the output and the attention weights."""
        config = self.config
        query, key, value = (
            split_heads(part(x), config.n_heads) for part in (self.query, self.key, self.value)
        )
        scale = (config.hidden_size // config.n_heads) ** -0.5
        mixed, weights = attend(
            query, key, value, mask, scale=scale, rate=config.attention_dropout, rngs=rngs
        )
        x = self.attention_norm(x + dropout(self.out(mixed), config.dropout, rngs))
        inner = self.down(activate(config.activation, self.up(x)))
        return self.output_norm(x + dropout(inner, config.dropout, rngs)), weights


class MaskedLMHead(nnx.Module):
    """A transform of each position, and its product with every token's embedding."""

    def __init__(self, config: EncoderConfig, *, rngs: nnx.Rngs) -> None:
        """Create the head."""
        width, make = config.hidden_size, maker(config, rngs)
        self.config = config
        self.dense = make.linear(width, width)
        self.norm = make.norm(width)
        self.bias = nnx.Param(jnp.zeros((config.vocab_size,), config.param_dtype))
        if not config.tied:
            self.decoder = make.table(config.vocab_size, width)

    def __call__(
        self,
        x: Float[Array, "batch tokens width"],
        words: nnx.Embed,
        rngs: nnx.Rngs | None,
    ) -> Float[Array, "batch tokens vocabulary"]:
        """Logits over the vocabulary at every token."""
        x = self.norm(activate(self.config.head_activation, self.dense(x)))
        table = words if self.config.tied else self.decoder
        logits = decode(x, table.embedding[...]) + self.bias[...].astype(jnp.float32)[None, None]
        never = list(self.config.never_predicted)
        return logits.at[..., np.array(never)].set(-1e9) if never else logits


class ClassificationHead(nnx.Module):
    """Two layers over the first token."""

    def __init__(self, config: EncoderConfig, *, rngs: nnx.Rngs) -> None:
        """Create the head."""
        width, make = config.hidden_size, maker(config, rngs)
        self.config = config
        self.dense = make.linear(width, width)
        self.out = make.linear(width, config.n_labels)

    def __call__(
        self,
        x: Float[Array, "batch tokens width"],
        words: nnx.Embed,
        rngs: nnx.Rngs | None,
    ) -> Float[Array, "batch labels"]:
        """Logits over the labels."""
        first, rate = x[:, 0], self.config.head_dropout
        if self.config.head_input_dropout:
            first = dropout(first, rate, rngs)
        first = activate(self.config.head_activation, self.dense(first))
        return self.out(dropout(first, rate, rngs)).astype(jnp.float32)


class Encoder(nnx.Module):
    """Bidirectional Transformer encoder with an optional head.

    Source: Devlin et al. (2019), "BERT"; Liu et al. (2019), "RoBERTa"; Sanh et al. (2019),
    "DistilBERT".
    """

    def __init__(self, config: EncoderConfig, *, rngs: nnx.Rngs) -> None:
        """Create the model with random parameters."""
        self.config = config
        self.embeddings = Embeddings(config, rngs=rngs)
        self.layers = nnx.List(EncoderLayer(config, rngs=rngs) for _ in range(config.n_layers))
        if config.head == "masked_lm":
            self.head = MaskedLMHead(config, rngs=rngs)
        elif config.head == "sequence_classification":
            self.head = ClassificationHead(config, rngs=rngs)

    def embed(self, input_ids: Int[Array, "batch tokens"]) -> Float[Array, "batch tokens width"]:
        """Embeddings of the tokens alone."""
        return self.embeddings.words(input_ids)

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
        config = self.config
        if positions is None:
            positions = self._positions(input_ids, mask)
        if words is None:
            assert input_ids is not None
            words = self.embed(input_ids)
        if types is None and config.n_types:
            types = jnp.zeros(mask.shape, jnp.int32)
        words = words.astype(config.dtype)
        x = dropout(self.embeddings(words, positions, types), config.dropout, rngs)
        states, weights = [x], []
        for layer in self.layers:
            x, attention = layer(x, mask[:, None, None, :], rngs)
            states.append(x)
            weights.append(attention)
        logits = None if config.head is None else self.head(x, self.embeddings.words, rngs)
        return ModelOutput(logits, jnp.stack(states), jnp.stack(weights))

    def _positions(
        self, input_ids: Int[Array, "batch tokens"] | None, mask: Bool[Array, "batch tokens"]
    ) -> Int[Array, "batch tokens"]:
        first = self.config.first_position
        if self.config.positions == "index":
            index = jnp.arange(mask.shape[1], dtype=jnp.int32)[None] + first
            return jnp.broadcast_to(index, mask.shape)
        pad = self.config.pad_token_id
        if self.config.positions == "recent":
            seen = mask if input_ids is None else mask & (input_ids != pad)
            real = seen.astype(jnp.int32)
            count = jnp.cumsum(real[:, ::-1], axis=1, dtype=jnp.int32)[:, ::-1]
            return first + jnp.maximum(count - 1, 0)
        # As in transformers, the tokens say what counts, not the mask; what follows the last real
        # token moves no position.
        real = (mask if input_ids is None else input_ids != pad).astype(jnp.int32)
        count = jnp.cumsum(real, axis=1, dtype=jnp.int32)
        return jnp.where(real > 0, first - 1 + count, pad)


def maker(config: EncoderConfig, rngs: nnx.Rngs) -> Maker:
    """Creates the layers of a model with this configuration."""
    return Maker(
        config.initializer_range,
        config.layer_norm_eps,
        config.dtype,
        config.param_dtype,
        rngs,
    )
