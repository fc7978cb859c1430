"""One formula, two engines: what numpy and JAX spell differently.

A formula that is written with these functions runs at once on numpy arrays, and as part of a
compiled program on JAX arrays. Small problems so need no compiler.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcause._typing import AnyArray

Carry = TypeVar("Carry")

UNTRACEABLE = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerBoolConversionError,
    jax.errors.TracerIntegerConversionError,
)
"""What JAX raises where a function calls numpy, int(), float() or if on what is traced."""


def namespace(*trees: Any) -> Any:
    """``numpy`` if every leaf of ``trees`` is a numpy array or a number, else ``jax.numpy``.

    >>> namespace(np.zeros(2), 3) is np
    True
    """
    return np if on_host(*trees) else jnp


def on_host(*trees: Any) -> bool:
    """Whether every leaf of ``trees`` is a numpy array or a number."""
    leaves = jax.tree.leaves(trees)
    return all(isinstance(leaf, np.ndarray | np.generic | bool | int | float) for leaf in leaves)


def wide_float(dtype: Any) -> np.dtype:
    """A floating dtype with room for counts: half precision becomes float32.

    >>> wide_float(np.float16), wide_float(np.float64)
    (dtype('float32'), dtype('float64'))
    """
    return np.dtype(dtype) if np.dtype(dtype).itemsize > 2 else np.dtype(np.float32)


def as_varying(like: Any, tree: Carry) -> Carry:
    """``tree``, each leaf of which varies over the mesh axes that the same leaf of ``like`` does.

    Inside `jax.shard_map` a constant is the same on all devices, and what is computed from data is
    not. Loops and branches ask that both have one type.
    """

    def leaf(one: Any, other: Any) -> Any:
        missing = _varies_over(one) - _varies_over(jax.typeof(other))
        return lax.pcast(other, tuple(sorted(missing)), to="varying") if missing else other

    return jax.tree.map(leaf, like, tree)


def _varies_over(kind: Any) -> frozenset[str]:
    """Axes of a mesh over which what has this type differs between devices."""
    # JAX 0.10 calls it ``vma`` at first, later ``manual_axis_type``.
    axes = getattr(getattr(kind, "manual_axis_type", None), "varying", None)
    return frozenset(axes if axes is not None else getattr(kind, "vma", None) or ())


def inside_shard_map() -> bool:
    """Whether what is traced now runs inside `jax.shard_map`."""
    mesh = getattr(jax.sharding, "get_abstract_mesh", lambda: None)()
    return bool(getattr(mesh, "manual_axes", ()))


def settled(step: Callable[[Carry], Carry], start: Carry) -> Carry:
    """``start`` of the type that the carry of a loop has after its steps."""
    while inside_shard_map():
        moved = as_varying(jax.eval_shape(step, start), start)
        same = [a is b for a, b in zip(*map(jax.tree.leaves, (moved, start)), strict=True)]
        start = moved
        if all(same):
            break
    return start


def while_loop(
    unfinished: Callable[[Carry], Any], step: Callable[[Carry], Carry], start: Carry
) -> Carry:
    """As `jax.lax.while_loop`."""
    if not on_host(start):
        return lax.while_loop(unfinished, step, settled(step, start))
    carry = start
    while unfinished(carry):
        carry = step(carry)
    return carry


def fixed_point(grow: Callable[[AnyArray], AnyArray], start: AnyArray) -> AnyArray:
    """Apply ``grow`` until it changes nothing."""
    other = start ^ namespace(start).ones_like(start)  # differs everywhere
    grown = while_loop(lambda c: (c[0] != c[1]).any(), lambda c: (c[1], grow(c[1])), (other, start))
    return grown[1]


def branch(
    condition: Any, if_true: Callable[..., Carry], if_false: Callable[..., Carry], *operands: Any
) -> Carry:
    """As `jax.lax.cond`; what the functions close over must be of the kind of ``condition``."""
    if not on_host(condition, operands):
        return _one_type(condition, if_true, if_false, *operands)
    return if_true(*operands) if condition else if_false(*operands)


def _one_type(condition: Any, if_true: Any, if_false: Any, *operands: Any) -> Any:
    """`jax.lax.cond` of branches whose results may vary over different axes of a mesh."""
    if not inside_shard_map():
        return lax.cond(condition, if_true, if_false, *operands)
    types = [jax.eval_shape(function, *operands) for function in (if_true, if_false)]

    def widened(function: Any) -> Any:
        def run(*args: Any) -> Any:
            result = function(*args)
            for each_type in types:
                result = as_varying(each_type, result)
            return result

        return run

    return lax.cond(condition, widened(if_true), widened(if_false), *operands)


def repeat(step: Callable[[Any, Carry], Carry], n: int, start: Carry) -> Carry:
    """``step(i, carry)`` for i = 0 … n - 1, as `jax.lax.fori_loop`."""
    if not on_host(start):
        return lax.fori_loop(0, n, step, settled(lambda carry: step(np.int32(0), carry), start))
    carry = start
    for i in range(n):
        carry = step(i, carry)
    return carry


def fold(step: Callable[[Carry, Any], Carry], start: Carry, xs: AnyArray) -> Carry:
    """``step(… step(step(start, xs[0]), xs[1]) …)``, as `jax.lax.scan` without outputs."""
    if not on_host(start, xs):
        start = settled(lambda carry: step(carry, xs[0]), start)
        return lax.scan(lambda carry, x: (step(carry, x), None), start, xs)[0]
    carry = start
    for x in xs:
        carry = step(carry, x)
    return carry


def each(function: Callable[[Any], Any], xs: AnyArray) -> AnyArray:
    """The results of ``function`` for each entry of ``xs``, stacked, as `jax.lax.map`."""
    if not on_host(xs):
        return lax.map(function, xs)
    results = [function(x) for x in xs]
    return np.stack(results) if on_host(results) else jnp.stack(results)


def put(array: AnyArray, index: tuple[AnyArray, ...], values: Any) -> AnyArray:
    """A copy with ``array[index] = values``; an index beyond the end writes nothing."""
    if not on_host(array, index, values):
        return jnp.asarray(array).at[index].set(values, mode="drop")
    at = np.broadcast_arrays(*index)
    inside = np.ones(at[0].shape, bool)
    for axis, part in enumerate(at):
        inside &= part < array.shape[axis]
    copy = np.array(array)
    copy[tuple(part[inside] for part in at)] = np.broadcast_to(values, inside.shape)[inside]
    return copy


def take(array: AnyArray, index: AnyArray) -> AnyArray:
    """``array[index]`` along the first axis; an index beyond the end reads the last entry."""
    if not on_host(array, index):
        return jnp.asarray(array).at[index].get(mode="clip")
    return np.take(array, index, axis=0, mode="clip")


def barrier(values: Carry) -> Carry:
    """As `jax.lax.optimization_barrier`: a compiler then computes the values only once."""
    return values if on_host(values) else lax.optimization_barrier(values)


def stop_gradient(x: AnyArray) -> AnyArray:
    """As `jax.lax.stop_gradient`."""
    return x if on_host(x) else lax.stop_gradient(x)


def running_max(x: AnyArray, *, axis: int) -> AnyArray:
    """The largest entry so far, along an axis."""
    return (
        np.maximum.accumulate(x, axis=axis) if on_host(x) else lax.cummax(jnp.asarray(x), axis=axis)
    )


def any_along(mask: AnyArray, axis: int) -> AnyArray:
    """As ``mask.any(axis)``, and never a number."""
    return namespace(mask).asarray(mask.any(axis=axis))


def bit_count(words: AnyArray) -> AnyArray:
    """How many bits of each word are set, in the type of the words."""
    if not on_host(words):
        return lax.population_count(words)
    return np.bitwise_count(words).astype(words.dtype)


def union(words: AnyArray, axis: int) -> AnyArray:
    """Bits that are set in some word along an axis."""
    if not on_host(words):
        return lax.reduce(words, np.zeros((), words.dtype), lax.bitwise_or, (axis % words.ndim,))
    return np.bitwise_or.reduce(words, axis=axis)


def rsqrt(x: Any) -> Any:
    """One over the square root."""
    return lax.rsqrt(x) if not on_host(x) else 1 / np.sqrt(x)
