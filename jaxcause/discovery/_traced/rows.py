"""The rows of one level in fixed shapes, and what they find."""

from typing import NamedTuple

from jax import Array
from jaxtyping import Bool, Float, Int


class Rows(NamedTuple):
    """Rows of one level, one for each node and place among its neighbours.

    Args:
        x: The node.
        y: Its neighbour.
        real: Whether there is a pair to test.
        candidates: Nodes to condition on, in order: ``[..., width]``.
        n_candidates: How many of them.
    """

    x: Int[Array, "graphs nodes rows"]
    y: Int[Array, "graphs nodes rows"]
    real: Bool[Array, "graphs nodes rows"]
    candidates: Int[Array, "graphs nodes rows width"]
    n_candidates: Int[Array, "graphs nodes rows"]


class Separations(NamedTuple):
    """What a level found about each row.

    Args:
        number: Number of the set that separates the row, or `NEVER`.
        sets: The set, where there is one.
        p_value: Of that set; where there is none, the largest of all.
        n_sets: Sets that the row has; 0 where there is nothing to test.
    """

    number: Int[Array, "graphs nodes rows"]
    sets: Int[Array, "graphs nodes rows size"]
    p_value: Float[Array, "graphs nodes rows"]
    n_sets: Int[Array, "graphs nodes rows"]
