"""Forecasts of windows with one input at a time set to other values."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.tree_util import Partial
from jaxtyping import Float, PRNGKeyArray

from jaxcause._checks import InputError
from jaxcause._typing import AnyArray
from jaxcause.sharding import padded_rows

AT_ONCE = 512
"""Forecasts at a time, about."""
RIDGE = 1e-6
"""Added to the diagonal of a correlation matrix before it is inverted."""

Measure = Callable[..., Any]
"""From forecasts ``[windows, vars]``, those after each change ``[windows, draws, vars]``, which
windows count (1, or 0 for what fills a batch) and what goes with the windows, to sums over them."""


def check_regression(
    windows: Float[AnyArray, "windows time vars"], *, what: str, else_: str = ""
) -> None:
    """Raise unless there are more windows than inputs."""
    n_windows, n_time, n_vars = windows.shape
    if n_windows < n_time * n_vars + 1:
        raise InputError(
            f"{what} regresses each of {n_time * n_vars} inputs on the others and needs "
            f"{n_time * n_vars + 1} windows, not {n_windows}; give more{', ' * bool(else_)}{else_}"
        )


def steps_to_other_windows(
    x: Float[Array, "windows time vars"],
    key: PRNGKeyArray,
    n_draws: int,
    *,
    law: Float[Array, "more time vars"] | None,
) -> Float[Array, "windows draws time vars"]:
    """From the value of each input to that of another window; given windows, between residuals.

    These are of linear regressions of each input on all others, fitted on the windows ``law``.
    """
    own = x if law is None else residuals_of_inputs(x, law)
    orders = jax.vmap(lambda k: jax.random.permutation(k, len(x)))(jax.random.split(key, n_draws))
    return jnp.swapaxes(own[orders], 0, 1) - own[:, None]


def sum_over_inputs(
    forecast: Partial,
    x: Float[Array, "windows time vars"],
    steps: Float[Array, "windows draws time vars"],
    measure: Measure,
    of_windows: Any = None,
    *,
    batch_size: int,
) -> Any:
    """Sum a measure over all windows with each input moved by its steps, a batch at a time.

    Args:
        forecast: Forecast of one window.
        x: Windows.
        steps: What is added to each input, one input at a time.
        measure: What is summed; its arrays begin with the axis of the targets.
        of_windows: A tree of arrays with one row per window, for the measure.
        batch_size: Windows at a time.

    Returns:
        What the measure returns, ``[source, target, lag]`` followed by its further axes; lag 0 is
        zero.
    """
    n_windows, n_time, n_vars = x.shape
    cells = jnp.arange(n_time * n_vars, dtype=jnp.int32)
    batch = min(batch_size, n_windows)

    def in_batches(leaf: Array) -> Array:
        rows, _ = padded_rows(leaf, batch)
        return rows.reshape(-1, batch, *leaf.shape[1:])

    def of_batch(part: Any) -> Any:
        seen, by, counts, given = part
        before = jax.vmap(forecast)(seen)

        def of_input(cell: Array) -> Any:
            here = (cells == cell).reshape(1, 1, n_time, n_vars).astype(x.dtype)
            after = jax.vmap(jax.vmap(forecast))(seen[:, None] + by * here)
            return measure(before, after, counts, given)

        return lax.map(of_input, cells)

    rows, by, given = jax.tree.map(in_batches, (x, steps, of_windows))
    number = jnp.arange(len(rows) * batch, dtype=jnp.int32).reshape(-1, batch)
    parts = (rows, by, at_least_single((number < n_windows).astype(x.dtype)), given)

    def add(so_far: Any, part: Any) -> tuple[Any, None]:
        return jax.tree.map(jnp.add, so_far, of_batch(part)), None

    found = jax.eval_shape(of_batch, jax.tree.map(lambda leaf: leaf[0], parts))
    start = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), found)
    total, _ = lax.scan(add, start, parts)

    def by_link(leaf: Array) -> Array:
        lagged = jnp.flip(leaf.reshape(n_time, n_vars, *leaf.shape[1:]), axis=0)
        lagged = jnp.moveaxis(lagged, 0, 2)
        return jnp.pad(lagged, [(0, 0), (0, 0), (1, 0)] + [(0, 0)] * (lagged.ndim - 3))

    return jax.tree.map(by_link, total)


def residuals_of_inputs(
    x: Float[Array, "windows time vars"], law: Float[Array, "more time vars"]
) -> Float[Array, "windows time vars"]:
    """Residual of the regression of each input on all others, scaled to its true variance.

    Row c of the inverse of a correlation matrix holds the regression of input c: multiplied by the
    inputs and divided by its diagonal entry it is the residual.
    """
    n_law, n_inputs = len(law), law.shape[1] * law.shape[2]
    known = at_least_single(law.reshape(n_law, n_inputs))
    mean = known.mean(axis=0, keepdims=True)
    size = jnp.sqrt(((known - mean) ** 2).mean(axis=0, keepdims=True))

    def in_units(rows: Array) -> Array:
        wide = at_least_single(rows.reshape(-1, n_inputs)) - mean
        return wide / jnp.where(size > 0, size, 1)

    unit = in_units(law)
    corr = jnp.matmul(unit.T, unit, precision=lax.Precision.HIGHEST) / n_law
    # An input that the others determine has a residual of zero, not a singular regression.
    inverse = jnp.linalg.inv(corr + RIDGE * jnp.eye(n_inputs, dtype=corr.dtype))
    found = jnp.matmul(in_units(x), inverse, precision=lax.Precision.HIGHEST)
    scaled = found / jnp.diag(inverse)[None] * size * (n_law / (n_law - n_inputs)) ** 0.5
    return scaled.reshape(x.shape).astype(x.dtype)


def at_least_single(x: Array) -> Array:
    """Numbers of at least 32 bits, to sum."""
    return x if jnp.finfo(x.dtype).bits >= 32 else x.astype(jnp.float32)
