"""BERT4Rec, which predicts the next item of a session."""

import dataclasses

import numpy as np

from jaxcause._checks import check_at_least
from jaxcause.models.bert.modeling import EncoderConfig

FLOAT32 = np.dtype(np.float32)


@dataclasses.dataclass(frozen=True)
class BERT4RecConfig:
    """Sizes of a BERT4Rec.

    Items are 1 … ``n_items``; 0 is padding, and ``n_items + 1`` is the mask, whose item the model
    predicts. Positions count back from the newest item, so padding on the left may have any width.

    Args:
        n_items: Number of items.
        max_length: Longest session, including the mask.
        hidden_size: Width of an item; a multiple of ``n_heads``.
        n_layers: Number of layers.
        n_heads: Attention heads per layer.
        intermediate_size: Hidden width of a layer's perceptron.
        dropout: Dropout rate after embeddings and sublayers.
        attention_dropout: Dropout rate of attention weights.
        initializer_range: Standard deviation of initial weights.

    Raises:
        InputError: A size is not positive or does not fit.

    Source: Sun et al. (2019), "BERT4Rec: Sequential Recommendation with Bidirectional Encoder
    Representations from Transformer".
    """

    n_items: int
    max_length: int = 50
    hidden_size: int = 64
    n_layers: int = 2
    n_heads: int = 2
    intermediate_size: int = 256
    dropout: float = 0.2
    attention_dropout: float = 0.2
    initializer_range: float = 0.02

    def __post_init__(self) -> None:
        """Check the sizes."""
        check_at_least("n_items", self.n_items, 1)
        check_at_least("max_length", self.max_length, 1)
        self.encoder()

    @property
    def pad_id(self) -> int:
        """The item that fills up a batch."""
        return 0

    @property
    def mask_id(self) -> int:
        """The mask, in whose place the model predicts an item."""
        return self.n_items + 1

    def encoder(
        self,
        *,
        dtype: np.dtype = FLOAT32,
        param_dtype: np.dtype = FLOAT32,
    ) -> EncoderConfig:
        """The encoder, with a head over the items that shares their embeddings.

        Args:
            dtype: Dtype of computation.
            param_dtype: Dtype of parameters.
        """
        return EncoderConfig(
            vocab_size=self.n_items + 2,
            hidden_size=self.hidden_size,
            n_layers=self.n_layers,
            n_heads=self.n_heads,
            intermediate_size=self.intermediate_size,
            max_positions=self.max_length,
            positions="recent",
            mask_padding=True,
            dropout=self.dropout,
            attention_dropout=self.attention_dropout,
            head="masked_lm",
            never_predicted=(self.pad_id, self.mask_id),
            initializer_range=self.initializer_range,
            dtype=dtype,
            param_dtype=param_dtype,
        )
