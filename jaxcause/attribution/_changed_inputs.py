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
LARGEST_SQUARE = 9.0
"""Squares of standardised inputs are cut off there, as single ones would outweigh all others."""
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
    squares: bool = False,
) -> Float[Array, "windows draws time vars"]:
    """From the value of each input to that of another window; given windows, between residuals.

    These are of regressions of each input on all others, fitted on the windows ``law``; with
    ``squares``, on the squares of the others, too.
    """
    own = x if law is None else residuals_of_inputs(x, law, squares=squares)
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
    x: Float[Array, "windows time vars"],
    law: Float[Array, "more time vars"],
    *,
    squares: bool,
) -> Float[Array, "windows time vars"]:
    """Residual of the regression of each input on all others, scaled to its true variance.

    Row c of the inverse of a correlation matrix holds the regression of input c: multiplied by the
    inputs and divided by its diagonal entry it is the residual. With squares, those of the others
    are regressed on as well, and the input's own is taken out of the inverse.
    """
    n_law, n_inputs = len(law), law.shape[1] * law.shape[2]
    known = at_least_single(law.reshape(n_law, n_inputs))
    mean, size = known.mean(axis=0, keepdims=True), known.std(axis=0, keepdims=True)

    def standard(rows: Array, mean: Array, size: Array) -> Array:
        return (rows - mean) / jnp.where(size > 0, size, 1)

    def capped_squares(unit: Array) -> Array:
        return jnp.minimum(unit**2, LARGEST_SQUARE)

    unit = standard(known, mean, size)
    terms, of_windows = unit, standard(at_least_single(x.reshape(-1, n_inputs)), mean, size)
    if squares:
        square = capped_squares(unit)
        scales = square.mean(axis=0, keepdims=True), square.std(axis=0, keepdims=True)
        terms = jnp.concatenate([unit, standard(square, *scales)], axis=1)
        more = standard(capped_squares(of_windows), *scales)
        of_windows = jnp.concatenate([of_windows, more], axis=1)
    corr = jnp.matmul(terms.T, terms, precision=lax.Precision.HIGHEST) / n_law
    # An input that the others determine has a residual of zero, not a singular regression.
    inverse = jnp.linalg.inv(corr + RIDGE * jnp.eye(len(corr), dtype=corr.dtype))
    rows = inverse[:n_inputs]
    if squares:
        own = inverse[n_inputs:]
        share = jnp.diag(own[:, :n_inputs]) / jnp.diag(own[:, n_inputs:])
        rows = rows - share[:, None] * own
    found = jnp.matmul(of_windows, rows.T, precision=lax.Precision.HIGHEST)
    spare = (n_law / (n_law - len(corr))) ** 0.5
    return (found / jnp.diag(rows)[None] * size * spare).reshape(x.shape).astype(x.dtype)


def at_least_single(x: Array) -> Array:
    """Numbers of at least 32 bits, to sum."""
    return x if jnp.finfo(x.dtype).bits >= 32 else x.astype(jnp.float32)
