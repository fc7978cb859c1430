"""A forecast, and the Jacobians of any of its targets."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.tree_util import Partial
from jaxtyping import Float


class Derivatives(NamedTuple):
    """Derivatives of a forecast.

    Args:
        outputs: Outputs for all windows.
        of_targets: Maps some targets to a Jacobian for each output, ``[target, window, time,
            source]``; a pytree over all that was kept for it.
        own: Whether the forecaster computed them its own way.
    """

    outputs: Sequence[Float[Array, "windows targets"]]
    of_targets: Partial
    own: bool


def with_derivatives(forecast: Partial, x: Float[Array, "windows time vars"]) -> Derivatives:
    """The forecast of all windows, and what its Jacobians are made of.

    By default that is the forward pass, pulled back for one target after another. A forecaster
    whose targets share less can be faster: its function then has a method ``with_derivatives(*args,
    windows)`` that returns the outputs and a `Partial` like ``of_targets``, or None.
    """
    own = getattr(forecast.func, "with_derivatives", None)
    found = None if own is None else own(*forecast.args, windows=x, **forecast.keywords)
    if found is not None:
        return Derivatives(*found, own=True)
    out, pull = jax.vjp(jax.vmap(forecast), x)
    outputs, structure = jax.tree.flatten(out)

    def of_targets(pull: Any, ids: Array) -> tuple[Array, ...]:
        hot = [jax.nn.one_hot(ids, o.shape[1], dtype=o.dtype) for o in outputs]
        return tuple(
            jax.vmap(lambda row, at=at: pull(_cotangent(structure, outputs, at, row))[0])(rows)
            for at, rows in enumerate(hot)
        )

    return Derivatives(outputs, Partial(of_targets, pull), own=False)


def _cotangent(structure: Any, outputs: Sequence[Array], at: int, row: Array) -> Any:
    """The cotangent that is ``row`` for output ``at`` in every window, and zero elsewhere."""
    parts = [jnp.zeros_like(o) for o in outputs]
    parts[at] = jnp.broadcast_to(row, outputs[at].shape)
    return jax.tree.unflatten(structure, parts)
