"""Protocols and small result types shared by every layer.

Axis vocabulary of the annotations: ``graphs nodes vars samples time lags windows levels rows heads
layers batch q k``.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Int

AnyArray = Array | np.ndarray
"""Public entries accept numpy arrays where they accept JAX arrays."""


NodeIndex = Int[AnyArray, ""] | int | np.integer
"""One node: a scalar array inside ``jit``, a plain number outside."""

Nodes = Int[AnyArray, "*rows"] | int | np.integer
"""One node, or one of each row."""


class CIResult(NamedTuple):
    """Outcome of a conditional independence test: the statistic, and the p-value of X ⊥ Y | S."""

    statistic: Float[AnyArray, "*rows"]
    p_value: Float[AnyArray, "*rows"]


class ResponseCurves(NamedTuple):
    """Forecasts of targets along the ranges of their sources.

    Args:
        edges: ``source, target, lag`` of each curve.
        at: Values of the source.
        response: Mean forecast of the target at these values.
    """

    edges: Int[np.ndarray, "edges 3"]
    at: Float[np.ndarray, "edges points"]
    response: Float[np.ndarray, "edges points"]


@runtime_checkable
class CITest(Protocol):
    """A conditional independence test over nodes ``0 … n_nodes-1``, and a pytree.

    ``test(x, y, cond)`` is pure and jittable; ``cond`` is ``int32 [k]``, padded with -1. Searches
    give it nodes of their own, and never X or Y among the conditions.

    A test may say ``takes_rows = True``. On numpy arrays ``x, y [rows]`` and ``cond [rows, k]`` it
    then answers all rows in numpy, and searches on the host compile nothing.
    """

    @property
    def n_nodes(self) -> int:
        """Number of nodes that the test knows."""
        ...

    def __call__(self, x: NodeIndex, y: NodeIndex, cond: Int[AnyArray, "k"], /) -> CIResult:
        """Test X ⊥ Y given the nodes in ``cond``."""
        ...


PredictFn = Callable[[Float[Array, "time vars"]], Float[Array, "vars"]]
"""Maps one window, newest row last, to the prediction of the next row."""

VerifyFn = Callable[[Bool[np.ndarray, "sets nodes"]], Bool[AnyArray, "sets"]]
"""Maps candidate sets of removed nodes to whether each removal changes the output."""
