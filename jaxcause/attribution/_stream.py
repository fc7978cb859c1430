"""Means over windows of functions of a forecast's Jacobian, in bounded memory."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypedDict

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.sharding import Mesh, PartitionSpec
from jax.tree_util import Partial
from jaxtyping import Float, Int

from jaxcause._checks import InputError, check_at_least, is_concrete, numbers
from jaxcause._namespace import UNTRACEABLE
from jaxcause._typing import AnyArray
from jaxcause.attribution._block_sizes import block_sizes
from jaxcause.attribution._derivatives import with_derivatives
from jaxcause.sharding import padded_rows, replicate, shard_rows

Terms = Callable[[tuple[Array, ...], tuple[Array, ...], Array], Any]
"""Maps three arguments to a pytree of ``[time, source]``: the Jacobians ``[time, source]`` of one
target in one window (one per output of the forecast), these outputs (scalars), and the window."""


class Moments(NamedTuple):
    """Means and, if the spread is wanted, sums of squared deviations over ``n_windows`` windows."""

    n_windows: Float[Array, ""]
    mean: Any
    squares: Any


class ReadoutOptions(TypedDict, total=False):
    """Options of every readout that is a mean over windows, such as `gradient_energy`."""

    targets: Int[AnyArray, "targets"] | None
    batch_size: int | None
    target_block: int | None
    mesh: Mesh | None


def moments_over_windows(
    terms: Terms,
    predict_fn: Callable[[Array], Any],
    windows: Float[AnyArray, "windows time vars"],
    *,
    n_outputs: int = 1,
    targets: Int[AnyArray, "targets"] | None = None,
    batch_size: int | None = None,
    target_block: int | None = None,
    mesh: Mesh | None = None,
    spread: bool = False,
) -> tuple[Any, Any]:
    """Mean and standard deviation over windows of every leaf, ``[source, target, lag]``.

    The windows are read once. The forward pass of a batch runs once, and its pull-back is applied
    to one block of targets at a time (but see `with_derivatives`). Memory therefore holds the
    residuals of a batch and ``batch_size * target_block`` cotangents of every intermediate value.
    With a mesh, every device reads its share of the windows, and the moments are combined once at
    the end.

    Args:
        terms: The function that is averaged. It is compiled by identity, so it must not be created
            anew for each call.
        predict_fn: See `gradient_energy`; it returns an array, or a tuple of ``n_outputs`` arrays.
        windows: Windows to average over.
        n_outputs: Number of arrays in a forecast.
        targets: Variables whose forecast is differentiated, in this order; all by default.
        batch_size: Windows differentiated at a time. By default this and ``target_block`` are
            chosen for about 8 MiB on a CPU and 256 MiB on an accelerator.
        target_block: Targets differentiated at a time.
        mesh: Devices that share the windows: see `jaxcause.sharding.row_mesh`.
        spread: Whether the standard deviation is wanted; else it is None.
    """
    windows = checked_windows(windows)
    for name, value in (("batch_size", batch_size), ("target_block", target_block)):
        if value is not None:
            check_at_least(name, value, 1)
    forecast = predict_fn if isinstance(predict_fn, Partial) else Partial(predict_fn)
    rows, n_rows = windows, len(windows)
    if mesh is not None:
        rows, n_rows = shard_rows(windows, mesh)
        forecast = replicate(forecast, mesh)
    found = _streamed(
        forecast,
        jnp.asarray(rows),
        jnp.int32(n_rows),
        checked_targets(targets, windows.shape[2]),
        terms=terms,
        n_outputs=n_outputs,
        batch_size=batch_size,
        target_block=target_block,
        mesh=mesh,
        spread=spread,
    )
    if mesh is not None and is_concrete(found):
        # Collectives of two programs that run at once can deadlock.
        jax.block_until_ready(found)
    return found


def checked_windows(windows: AnyArray) -> AnyArray:
    windows = numbers("windows", windows)
    if np.ndim(windows) != 3 or 0 in np.shape(windows):
        raise InputError(
            f"windows has shape {np.shape(windows)}, but must be [windows ≥ 1, time, vars]"
        )
    if not jnp.issubdtype(windows.dtype, jnp.floating):
        raise InputError(f"windows has dtype {windows.dtype}; differentiate floating numbers")
    return windows


def check_forecast(forecast: Partial, window: jax.ShapeDtypeStruct, n_outputs: int) -> None:
    shape = window.shape[1:]
    try:
        out = jax.eval_shape(forecast, window)
    except UNTRACEABLE as error:
        raise InputError(
            "predict_fn calls numpy, int(), float() or if on its window "
            f"({type(error).__name__}), and JAX cannot differentiate that; write it with "
            "jax.numpy, or convert a module of PyTorch by jc.attribution.from_torch"
        ) from None
    if n_outputs == 1:
        right = getattr(out, "shape", None) == shape
        wanted = "one value per variable"
    else:
        right = isinstance(out, tuple) and len(out) == n_outputs
        right = right and all(getattr(leaf, "shape", None) == shape for leaf in out)
        wanted = "a tuple (mean, variance) of one value per variable each"
    if not right:
        found = jax.tree.map(lambda leaf: leaf.shape, out)
        raise InputError(
            f"predict_fn returns shape {found} for a window of shape {window.shape}; it must "
            f"return {wanted}, shape {shape}"
        )


def checked_targets(targets: AnyArray | None, n_vars: int) -> np.ndarray:
    if targets is None:
        return np.arange(n_vars, dtype=np.int32)
    chosen = np.asarray(targets)
    inside = chosen.ndim == 1 and chosen.size > 0 and np.issubdtype(chosen.dtype, np.integer)
    if not inside or chosen.min() < 0 or chosen.max() >= n_vars:
        raise InputError(
            f"targets={targets!r} must be one or more of the variables 0 … {n_vars - 1}"
        )
    return chosen.astype(np.int32)


def _source_target_lag(scores: Float[Array, "target time source"]) -> Array:
    lagged = jnp.flip(scores, axis=1).transpose(2, 0, 1)
    return jnp.pad(lagged, [(0, 0), (0, 0), (1, 0)])


@partial(
    jax.jit, static_argnames=("terms", "n_outputs", "batch_size", "target_block", "mesh", "spread")
)
def _streamed(
    forecast: Partial,
    rows: Float[Array, "rows time vars"],
    n_rows: Int[Array, ""],
    targets: Int[Array, "targets"],
    *,
    terms: Terms,
    n_outputs: int,
    batch_size: int | None,
    target_block: int | None,
    mesh: Mesh | None,
    spread: bool,
) -> tuple[Any, Any]:
    # The check stands here so that the forecast is traced only once for it.
    check_forecast(forecast, jax.ShapeDtypeStruct(rows.shape[1:], rows.dtype), n_outputs)
    summed = rows.dtype if jnp.finfo(rows.dtype).bits >= 32 else jnp.float32
    real = (jnp.arange(len(rows), dtype=jnp.int32) < n_rows).astype(summed)
    if batch_size is None or target_block is None:
        fitting = block_sizes(forecast, rows, len(targets))
        batch_size, target_block = batch_size or fitting.windows, target_block or fitting.targets
    share = partial(
        _share, terms=terms, batch_size=batch_size, target_block=target_block, spread=spread
    )
    if mesh is None:
        found = share(forecast, rows, real, targets, axis=None)
    else:
        axis = mesh.axis_names[0]
        whole, split = PartitionSpec(), PartitionSpec(axis)
        # The replication check would take the scan's initial constants for replicated values.
        found = jax.shard_map(
            partial(share, axis=axis),
            mesh=mesh,
            in_specs=(whole, split, split, whole),
            out_specs=whole,
            check_vma=False,
        )(forecast, rows, real, targets)
    deviation = jax.tree.map(lambda s: jnp.sqrt(s / found.n_windows), found.squares)
    return jax.tree.map(_source_target_lag, (found.mean, deviation))


def _share(
    forecast: Partial,
    rows: Array,
    real: Array,
    targets: Array,
    *,
    terms: Terms,
    batch_size: int,
    target_block: int,
    spread: bool,
    axis: str | None,
) -> Moments:
    """Moments over one device's windows, combined over the devices of ``axis``."""
    batch, block = _even(len(rows), batch_size), _even(len(targets), target_block)
    rows, _ = padded_rows(rows, batch)
    parts = (
        rows.reshape(-1, batch, *rows.shape[1:]),
        jnp.pad(real, (0, len(rows) - len(real))).reshape(-1, batch),
    )
    blocks = padded_rows(targets, block)[0].reshape(-1, block)
    moments = partial(_batch_moments, forecast, blocks, terms, spread)
    shapes = jax.eval_shape(moments, *(part[0] for part in parts))
    nothing = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    found, _ = lax.scan(lambda total, part: (_merged(total, moments(*part)), None), nothing, parts)
    kept = jax.tree.map(lambda leaf: leaf[: len(targets)], (found.mean, found.squares))
    found = Moments(found.n_windows, *kept)
    return found if axis is None else _over_devices(found, axis)


def _even(n_rows: int, at_most: int) -> int:
    """Rows per part if the rows are cut into the fewest equal parts of at most ``at_most`` rows."""
    return -(-n_rows // -(-n_rows // at_most))


def _over_devices(own: Moments, axis: str) -> Moments:
    count = lax.psum(own.n_windows, axis)
    mean = jax.tree.map(lambda m: lax.psum(m * own.n_windows, axis) / count, own.mean)
    squares = _squares(
        lambda s, m, of_all: lax.psum(s + own.n_windows * (m - of_all) ** 2, axis),
        own.squares,
        own.mean,
        mean,
    )
    return Moments(count, mean, squares)


def _batch_moments(
    forecast: Partial, blocks: Array, terms: Terms, spread: bool, x: Array, weight: Array
) -> Moments:
    """Moments over one batch of windows, one block of targets at a time."""
    outputs, of_targets, _ = with_derivatives(forecast, x)
    count = weight.sum()
    per_target_and_window = jax.vmap(jax.vmap(terms, in_axes=(0, 0, 0)), in_axes=(0, 0, None))

    def weighted(t: Array) -> Array:
        return jnp.einsum("w,iw...->i...", weight, t)

    def of_block(ids: Array) -> tuple[Any, Any]:
        jacobians = of_targets(ids)
        values = tuple(o[:, ids].T for o in outputs)
        found = jax.tree.map(
            lambda t: t.astype(weight.dtype), per_target_and_window(jacobians, values, x)
        )
        mean = jax.tree.map(lambda t: weighted(t) / jnp.maximum(count, 1), found)
        if not spread:
            return mean, None
        return mean, jax.tree.map(
            lambda t, m: weighted((t.astype(m.dtype) - m[:, None]) ** 2), found, mean
        )

    if len(blocks) == 1:
        mean, squares = of_block(blocks[0])
    else:
        mean, squares = jax.tree.map(
            lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), lax.map(of_block, blocks)
        )
    return Moments(count, mean, squares)


def _merged(a: Moments, b: Moments) -> Moments:
    """Moments of the union of two sets of windows (Chan, Golub & LeVeque 1979)."""
    count = a.n_windows + b.n_windows
    share = b.n_windows / jnp.maximum(count, 1)
    mean = jax.tree.map(lambda x, y: x + (y - x) * share, a.mean, b.mean)
    squares = _squares(
        lambda s, t, x, y: s + t + (y - x) ** 2 * (a.n_windows * share),
        a.squares,
        b.squares,
        a.mean,
        b.mean,
    )
    return Moments(count, mean, squares)


def _squares(combine: Callable[..., Array], squares: Any, *rest: Any) -> Any:
    """Sums of squares put together, if there are any."""
    return None if squares is None else jax.tree.map(combine, squares, *rest)
