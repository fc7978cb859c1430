"""Derivatives and changed forecasts of a positional forecaster, target by target.

A target reads its forecast from its own mixture alone, and the mixture is a sum of values of single
inputs. All derivatives of all forecasts therefore cost about as much as one more forward pass, and
a forecast with one input changed costs the read-out of one target. A general forecaster takes a
backward pass for each target, and a whole forward pass for each change.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.tree_util import Partial
from jaxtyping import Float, Int

from jaxcause._typing import AnyArray
from jaxcause.models.forecaster._parts import positive
from jaxcause.models.forecaster.positional import Groups, PositionalForecaster
from jaxcause.nn import STANDARD

Jacobians = tuple[Float[Array, "chosen windows time source"], ...]
"""One for each output: mean, and variance where the model has one."""


def with_derivatives(
    model: PositionalForecaster,
    windows: Float[Array, "windows time source"],
    domain: int,
    *,
    density: bool,
) -> tuple[tuple[Array, ...], Partial]:
    r"""Outputs for all windows, and a function of some targets that gives their Jacobians.

    .. math:: \frac{\partial f_i}{\partial x_j(t-\ell)} = \sum_h \alpha_{hij\ell}
        \Bigl\langle \frac{\partial f_i}{\partial z_{ih}},\, v_{jh}'(x_j(t-\ell)) \Bigr\rangle

    The first factor of the product takes one backward pass through the read-outs for all targets
    together, the second one forward derivative of the values.

    Args:
        model: The forecaster.
        windows: Windows of ``max_lag`` rows.
        domain: Their regime.
        density: Whether the variance is an output besides the mean.
    """
    config, n_windows = model.config, len(windows)
    groups, heads = Groups.of(config.n_vars, config.max_lag, 1), config.n_heads
    x = groups.given(windows)
    values, slopes = jax.jvp(lambda x: model.values(x, None, STANDARD), (x,), (jnp.ones_like(x),))
    z = model.mixed(values, groups, n_windows)
    out, pull = jax.vjp(lambda z: _outputs(model, z, domain, density=density), z)
    skip = model.linear_part() if config.skip else None
    if skip is not None:
        linear = jnp.einsum("wsj,sji->wi", windows, skip[::-1])
        out = (out[0] + linear.T, *out[1:])
    # No target reads another's mixture: the gradient of the sum of forecasts is that of each.
    gains = [
        pull(tuple(jnp.full_like(o, k == which) for k, o in enumerate(out)))[0]
        for which in range(len(out))
    ]
    # Lag 1 comes first in the weights, the oldest row in windows.
    weights = model.attention()[..., ::-1]
    shape = (config.n_vars, heads, -1, config.max_lag, n_windows)
    slopes = slopes.reshape(shape).transpose(1, 4, 2, 3, 0)

    kept = (tuple(gains), weights, slopes, skip)
    return tuple(o.T for o in out), Partial(_jacobians, *kept)


class Mixtures(NamedTuple):
    """What the targets read their forecasts of some windows from.

    Args:
        attended: The mixture of each target.
        linear: The skip's part of its forecast.
    """

    attended: Float[AnyArray, "target width windows"]
    linear: Float[AnyArray, "target windows"]


def mixtures_of(
    model: PositionalForecaster, windows: Float[Array, "windows time source"]
) -> Mixtures:
    """The mixtures of all targets in windows of ``max_lag`` rows."""
    groups = Groups.of(model.config.n_vars, model.config.max_lag, 1)
    values = model.values(groups.given(windows), None, STANDARD)
    linear = jnp.zeros((model.config.n_vars, len(windows)), jnp.float32)
    if model.config.skip:
        linear = jnp.einsum("wsj,sji->iw", windows, model.linear_part()[::-1])
    return Mixtures(model.mixed(values, groups, len(windows)), linear)


def changed_rows(
    model: PositionalForecaster,
    mixtures: Mixtures,
    edges: Int[Array, "edges 3"],
    seen: Float[Array, "edges windows"],
    values: Float[Array, "edges windows points"],
    domain: int,
) -> Float[Array, "edges windows points"]:
    """Mean forecast of each edge's target in each window, its input set to each of the values.

    Args:
        model: The forecaster.
        mixtures: Of the windows as they are.
        edges: ``source, target, lag``.
        seen: The values of the sources in the windows as they are.
        values: The values that they are set to.
        domain: The regime of the windows.
    """
    config, (source, target, lag) = model.config, edges.T
    encoding = model.encoding.of(source)
    before, after = (encoding(x, STANDARD) for x in (seen, values.reshape(len(edges), -1)))
    weight = model.attention()[:, target, source, lag - 1]
    weight = jnp.repeat(weight.T, config.width // config.n_heads, axis=1)[:, :, None, None]
    moved = after.reshape(*before.shape, -1) - before[..., None]
    z = jnp.asarray(mixtures.attended)[target][..., None] + weight * moved
    regime = _one_regime(model, domain, values[0].size)
    out = model.reading.of(target)(z.reshape(len(edges), config.width, -1), regime, STANDARD)
    found = out[0].reshape(values.shape) + jnp.asarray(mixtures.linear)[target][..., None]
    if not config.skip:
        return found
    slope = model.linear_part()[lag - 1, source, target][:, None, None]
    return found + slope * (values - seen[:, :, None])


def _jacobians(
    gains: tuple[Float[Array, "target width windows"], ...],
    weights: Float[Array, "heads target source time"],
    slopes: Float[Array, "heads windows size time source"],
    skip: Float[Array, "lags source target"] | None,
    targets: Int[Array, "chosen"],
) -> Jacobians:
    """Of every output of some targets."""
    given = weights[:, targets].swapaxes(2, 3)
    found = [_jacobian(gain[targets], given, slopes) for gain in gains]
    if skip is not None:
        found[0] = found[0] + skip[::-1].transpose(2, 0, 1)[targets][:, None]
    return tuple(found)


def _outputs(
    model: PositionalForecaster, z: Float[Array, "target width rows"], domain: int, *, density: bool
) -> tuple[Float[Array, "target rows"], ...]:
    """Mean, without the skip, and variance."""
    out = model.reading(z, _one_regime(model, domain, z.shape[2]), STANDARD)
    return (out[0], positive(out[1])) if density else (out[0],)


def _one_regime(model: PositionalForecaster, domain: int, n_rows: int) -> Array | None:
    if model.config.n_domains == 1:
        return None
    return model.one_hot(jnp.full(n_rows, domain, jnp.int32))


def _jacobian(
    gain: Float[Array, "chosen width windows"],
    weights: Float[Array, "heads chosen time source"],
    slopes: Float[Array, "heads windows size time source"],
) -> Float[Array, "chosen windows time source"]:
    """Sum over heads: a small matrix product each, times the weights of the head."""
    heads, _, size, n_time, n_vars = slopes.shape
    n_windows, shape = gain.shape[2], (gain.shape[2], len(gain), n_time, n_vars)
    gain = gain.reshape(len(gain), heads, size, n_windows).transpose(1, 3, 0, 2)
    parts = [
        weights[h][None] * (gain[h] @ slopes[h].reshape(n_windows, size, -1)).reshape(shape)
        for h in range(heads)
    ]
    return sum(parts[1:], start=parts[0]).transpose(1, 0, 2, 3)
