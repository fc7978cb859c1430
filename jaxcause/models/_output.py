"""What a forward pass returns."""

from typing import NamedTuple

from jaxtyping import Float

from jaxcause._typing import AnyArray


class ModelOutput(NamedTuple):
    """One forward pass; under ``jit``, the parts that are not returned are not computed.

    Args:
        logits: What the head says, in float32: per token ``[batch, tokens, vocabulary]``, per
            sequence ``[batch, labels]``, or None without a head.
        hidden_states: The embeddings and the output of every layer.
        attentions: Softmax weights in float32; ``q`` attends to ``k``. Dropout does not show.
    """

    logits: Float[AnyArray, "batch *classes"] | None
    hidden_states: Float[AnyArray, "layers_and_one batch tokens width"]
    attentions: Float[AnyArray, "layers batch heads q k"]
