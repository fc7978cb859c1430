"""The result of a forward pass."""

from typing import NamedTuple

from jaxtyping import Float

from jaxcause._typing import AnyArray


class ModelOutput(NamedTuple):
    """The result of one forward pass; under ``jit``, parts that are not returned are not computed.

    Args:
        logits: Output of the head in float32: per token ``[batch, tokens, vocabulary]``, per
            sequence ``[batch, labels]``, or None without a head.
        hidden_states: The embeddings and the output of every layer.
        attentions: Softmax weights in float32 before dropout; ``q`` attends to ``k``.
    """

    logits: Float[AnyArray, "batch *classes"] | None
    hidden_states: Float[AnyArray, "layers_and_one batch tokens width"]
    attentions: Float[AnyArray, "layers batch heads q k"]
