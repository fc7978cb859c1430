"""What can be told of a test before a search calls it, in words for who wrote it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcause._checks import InputError
from jaxcause._namespace import UNTRACEABLE


def check_test(test: Any) -> None:
    """Raise unless ``test`` can serve a search: a pytree with ``n_nodes`` that JAX can trace.

    Tests of this library are not traced.

    Raises:
        InputError: It is an array of data, lacks ``n_nodes``, cannot be called, is no pytree, calls
            numpy or Python's control flow on its arguments, or returns no p-value.
    """
    if type(test).__module__.split(".")[0] == "jaxcause":
        return
    kind = type(test).__name__
    if not callable(test):
        raise InputError(f"test is {_described(test)}, {_advice(test)}")
    if not hasattr(test, "n_nodes"):
        raise InputError(
            f"test is a {kind} without n_nodes; write a pytree with n_nodes and "
            "__call__(x, y, cond), as docs/searching.md shows"
        )
    if any(not hasattr(leaf, "dtype") and not np.isscalar(leaf) for leaf in jax.tree.leaves(test)):
        raise InputError(
            f"test is a {kind}, which is no pytree of arrays; make it a NamedTuple, or register "
            "its class by jax.tree_util.register_dataclass"
        )
    if not hasattr(test, "marginal_p_values"):
        _check_call(test, kind)


def _check_call(test: Any, kind: str) -> None:
    """Trace one call, which compiles nothing."""
    shape = getattr(test, "batch_shape", ())
    one = test[(0,) * len(shape)] if shape else test
    node, cond = jnp.int32(0), jnp.full(1, -1, jnp.int32)
    try:
        found = jax.eval_shape(lambda x, y, given: one(x, y, given), node, node, cond)
    except UNTRACEABLE as error:
        raise InputError(
            f"test calls numpy, int(), float() or if on its arguments ({type(error).__name__} in "
            f"{kind}), and JAX cannot compile that; write it with jax.numpy, or wrap the numpy "
            "part in jax.pure_callback"
        ) from None
    if not hasattr(found, "p_value"):
        raise InputError(
            f"test returns a {type(found).__name__} without p_value; return a named tuple with "
            "statistic and p_value"
        )


def _described(test: Any) -> str:
    shape = getattr(test, "shape", None)
    return f"a {type(test).__name__}" + (f" of shape {tuple(shape)}" if shape is not None else "")


def _advice(test: Any) -> str:
    """What to write in place of data."""
    if not hasattr(test, "shape") and not isinstance(test, list | tuple):
        return "not a test; pass one, such as jc.partial_correlation_test_from_data(x)"
    return (
        "not a test; of samples in rows pass jc.partial_correlation_test_from_data(x), of "
        "correlations jc.partial_correlation_test(corr, n_samples)"
    )
