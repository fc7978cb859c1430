"""Batched matrix products whose derivatives have the memory layout of their operands.

JAX computes the derivative of a product by its second operand with rows and columns exchanged, and
then transposes it. On a CPU the transpose costs as much as the product itself. Here each derivative
is computed in the order that needs no transpose.
"""

from typing import Any

import jax.numpy as jnp
from jax import Array, lax
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Float


def product(
    a: Float[Array, "batch _ _"], b: Float[Array, "batch _ _"], over: tuple[int, int] = (2, 1)
) -> Float[Array, "batch rows columns"]:
    r"""Sum over one axis of each operand, :math:`c_{nij} = \sum_k a_{nik} b_{nkj}`.

    The sum is computed in float32 or, for float64 operands, in float64.

    Args:
        a: Left operands.
        b: Right operands, of the same precision.
        over: The axis of each operand that is summed over, 1 or 2; the other axes remain, that of
            ``a`` first.

    >>> a, b = jnp.ones((1, 2, 3)), jnp.ones((1, 4, 3))
    >>> product(a, b, (2, 2)).shape
    (1, 2, 4)
    """
    return _product.bind(a, b, over=over)


def _dot(a: Array, b: Array, *, over: tuple[int, int]) -> Array:
    dimensions = (((over[0],), (over[1],)), ((0,), (0,)))
    return lax.dot_general(a, b, dimensions, preferred_element_type=_summed_in(a.dtype))


def _by_left(c: Array, a: Any, b: Array, *, over: tuple[int, int]) -> Array:
    """Pull the cotangent ``c`` back to a."""
    b, kept = b.astype(c.dtype), 3 - over[1]
    found = product(c, b, (2, kept)) if over[0] == 2 else product(b, c, (kept, 2))
    return found.astype(a.aval.dtype)


def _by_right(c: Array, a: Array, b: Any, *, over: tuple[int, int]) -> Array:
    """Pull the cotangent ``c`` back to b."""
    a, kept = a.astype(c.dtype), 3 - over[0]
    found = product(a, c, (kept, 1)) if over[1] == 1 else product(c, a, (1, kept))
    return found.astype(b.aval.dtype)


def _batched(
    operands: tuple[Array, Array], axes: tuple[int | None, int | None], *, over: tuple[int, int]
) -> tuple[Array, int]:
    """Under ``vmap``: the mapped axis joins the batch, or an axis that only one operand has."""
    (a, b), (at_a, at_b) = operands, axes
    if at_a is not None and at_b is not None:
        a, b = jnp.moveaxis(a, at_a, 0), jnp.moveaxis(b, at_b, 0)
        many = a.shape[0]
        a, b = (x.reshape(-1, *x.shape[2:]) for x in (a, b))
        c = product(a, b, over)
        return c.reshape(many, -1, *c.shape[1:]), 0
    left = at_a is not None
    x, at, kept = (a, at_a, 3 - over[0]) if left else (b, at_b, 3 - over[1])
    assert at is not None
    many = x.shape[at]
    x = jnp.moveaxis(x, at, kept)
    x = x.reshape(*x.shape[:kept], -1, *x.shape[kept + 2 :])
    c = product(x, b, over) if left else product(a, x, over)
    axis = 1 if left else 2
    return c.reshape(*c.shape[:axis], many, -1, *c.shape[axis + 1 :]), axis


def _abstract(a: Any, b: Any, *, over: tuple[int, int]) -> ShapedArray:
    shape = (a.shape[0], a.shape[3 - over[0]], b.shape[3 - over[1]])
    return ShapedArray(shape, _summed_in(a.dtype))


def _summed_in(dtype: Any) -> jnp.dtype:
    return jnp.dtype(dtype if jnp.finfo(dtype).bits >= 32 else jnp.float32)


_product = Primitive("product")
_product.def_impl(_dot)
_product.def_abstract_eval(_abstract)
mlir.register_lowering(_product, mlir.lower_fun(_dot, multiple_results=False))
ad.defbilinear(_product, _by_left, _by_right)
batching.primitive_batchers[_product] = _batched
