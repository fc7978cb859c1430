"""Scores of lagged edges from forecasts with one input set to other values."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.tree_util import Partial
from jaxtyping import Float, Int, PRNGKeyArray

from jaxcause._checks import InputError, check_at_least, check_choice
from jaxcause._typing import AnyArray, PredictFn
from jaxcause.attribution._stream import check_forecast, checked_targets, checked_windows
from jaxcause.sharding import padded_rows

MARGINAL, CONDITIONAL = "marginal", "conditional"
AT_ONCE = 512
"""Forecasts at a time, about."""
RIDGE = 1e-6
"""Added to the diagonal of a correlation matrix before it is inverted."""


def intervention(
    predict_fn: PredictFn,
    windows: Float[AnyArray, "windows time vars"],
    *,
    key: PRNGKeyArray,
    values: str = MARGINAL,
    n_draws: int = 4,
    targets: Int[AnyArray, "targets"] | None = None,
    batch_size: int | None = None,
) -> Float[Array, "vars targets lags"]:
    r"""Half the mean squared change of every forecast when one lagged input is set to other values.

    .. math:: I_{ji\ell} = \frac{1}{2W} \sum_w \mathrm E_{v}\!\left[\bigl(
        f_i(x_w \text{ with } x_j(t-\ell) = v) - f_i(x_w)\bigr)^2\right]

    For a linear forecast with coefficient a this is :math:`a^2 \operatorname{Var}(v)`: the
    gradient energy times the variance of the input. A gradient asks what an infinitesimal step
    does, this asks what the differences do that occur in the data. They part where the forecast
    saturates (no slope, yet a step) or ripples (a slope, yet no step).

    New values are drawn from

    - ``"marginal"``: what was observed of that input in other windows, whatever the other inputs
      are. Where these determine the input, most such windows cannot occur, and what a forecaster
      says of them was never learned.
    - ``"conditional"``: the linear-Gaussian law of that input given all others in the window. The
      input keeps what a regression on the others predicts, and takes the residual of another
      window. The score then is small for an input that the others determine, cause or not: it says
      what the input adds, as a t-test does, and is that of
      :math:`a^2 \operatorname{Var}(x_j(t-\ell) \mid \text{others})`.

    No derivative is needed. It costs ``n_draws * vars * time`` forecasts for each window, which
    `gradient_energy` has for about ``vars``.

    Args:
        predict_fn: Any forecast of the next row from one window; see `gradient_energy`.
        windows: Windows to average over, newest row last.
        key: Random key.
        values: ``"marginal"`` or ``"conditional"``.
        n_draws: Values that each input of each window is set to.
        targets: Variables whose forecast is looked at, in this order; all by default.
        batch_size: Windows at a time; by default as many as make about 512 forecasts.

    Returns:
        Scores ``[source, target, lag]`` with lags 0 … time, in squared units of the target; lag 0
        is all zero.

    Raises:
        InputError: As for `gradient_energy`, ``values`` is not known, or there are too few windows
            for a regression of each input on the others.

    Source: for independent inputs ``"marginal"`` is Jansen's estimator of the total effect (Jansen
    1999, "Analysis of variance designs for model output"); the conditional law is that of
    conditional permutation importance (Strobl et al. 2008).

    >>> import jax, jax.numpy as jnp
    >>> x = jax.random.normal(jax.random.key(0), (4000, 1, 2))
    >>> swap = lambda window: 2.0 * window[-1, ::-1]
    >>> found = intervention(swap, x, key=jax.random.key(1))[:, :, 1]
    >>> jnp.round(found).tolist()
    [[0.0, 4.0], [4.0, 0.0]]
    """
    windows = checked_windows(windows)
    check_choice("values", values, (MARGINAL, CONDITIONAL))
    check_at_least("n_draws", n_draws, 1)
    if batch_size is not None:
        check_at_least("batch_size", batch_size, 1)
    n_windows, *shape = windows.shape
    n_inputs = shape[0] * shape[1]
    if values == CONDITIONAL and n_windows < n_inputs + 1:
        raise InputError(
            f"values='conditional' regresses each of {n_inputs} inputs on the others and needs "
            f"{n_inputs + 1} windows, not {n_windows}; give more, or values='marginal'"
        )
    return _scores(
        predict_fn if isinstance(predict_fn, Partial) else Partial(predict_fn),
        jnp.asarray(windows),
        checked_targets(targets, shape[1]),
        key,
        conditional=values == CONDITIONAL,
        n_draws=n_draws,
        batch_size=batch_size or max(1, AT_ONCE // n_draws),
    )


@partial(jax.jit, static_argnames=("conditional", "n_draws", "batch_size"))
def _scores(
    forecast: Partial,
    x: Float[Array, "windows time vars"],
    targets: Int[Array, "targets"],
    key: PRNGKeyArray,
    *,
    conditional: bool,
    n_draws: int,
    batch_size: int,
) -> Float[Array, "vars targets lags"]:
    check_forecast(forecast, jax.ShapeDtypeStruct(x.shape[1:], x.dtype), n_outputs=1)
    n_windows, n_time, n_vars = x.shape
    cells = jnp.arange(n_time * n_vars, dtype=jnp.int32)
    summed = _at_least_single(x)
    batch = min(batch_size, n_windows)
    rows, _ = padded_rows(x, batch)
    step, _ = padded_rows(_steps(x, key, n_draws, conditional=conditional), batch)
    real = (jnp.arange(len(rows), dtype=jnp.int32) < n_windows).astype(summed)
    parts = [leaf.reshape(-1, batch, *leaf.shape[1:]) for leaf in (rows, step, real)]

    def of_batch(total: Array, part: list[Array]) -> tuple[Array, None]:
        seen, by, weight = part
        before = jax.vmap(forecast)(seen)[:, None, targets]

        def of_input(cell: Array) -> Array:
            here = (cells == cell).reshape(1, 1, n_time, n_vars).astype(x.dtype)
            after = jax.vmap(jax.vmap(forecast))(seen[:, None] + by * here)[:, :, targets]
            return jnp.einsum("w,wdi->i", weight, ((after - before) ** 2).astype(summed))

        return total + lax.map(of_input, cells), None

    start = jnp.zeros((n_time * n_vars, len(targets)), summed)
    total, _ = lax.scan(of_batch, start, parts)
    mean = total.reshape(n_time, n_vars, -1) / (2 * n_draws * n_windows)
    return jnp.pad(jnp.flip(mean, axis=0).transpose(1, 2, 0), [(0, 0), (0, 0), (1, 0)])


def _steps(
    x: Float[Array, "windows time vars"], key: PRNGKeyArray, n_draws: int, *, conditional: bool
) -> Float[Array, "windows draws time vars"]:
    """From the value of each input to that of another window, or from residual to residual."""
    own = _residuals(x) if conditional else x
    orders = jax.vmap(lambda k: jax.random.permutation(k, len(x)))(jax.random.split(key, n_draws))
    return jnp.swapaxes(own[orders], 0, 1) - own[:, None]


def _residuals(x: Float[Array, "windows time vars"]) -> Float[Array, "windows time vars"]:
    """Residual of the regression of each input on all others, scaled to its true variance.

    Row c of the inverse of a correlation matrix holds the regression of input c: multiplied by the
    inputs and divided by its diagonal entry it is the residual.
    """
    n_windows, n_inputs = len(x), x.shape[1] * x.shape[2]
    flat = x.reshape(n_windows, n_inputs)
    wide = _at_least_single(x)
    centred = flat.astype(wide) - flat.astype(wide).mean(axis=0, keepdims=True)
    size = jnp.sqrt((centred**2).mean(axis=0, keepdims=True))
    unit = centred / jnp.where(size > 0, size, 1)
    corr = jnp.matmul(unit.T, unit, precision=lax.Precision.HIGHEST) / n_windows
    # An input that the others determine has a residual of zero, not a singular regression.
    inverse = jnp.linalg.inv(corr + RIDGE * jnp.eye(n_inputs, dtype=wide))
    found = jnp.matmul(unit, inverse, precision=lax.Precision.HIGHEST) / jnp.diag(inverse)[None]
    scaled = found * size * (n_windows / (n_windows - n_inputs)) ** 0.5
    return scaled.reshape(x.shape).astype(x.dtype)


def _at_least_single(x: Array) -> Any:
    return x.dtype if jnp.finfo(x.dtype).bits >= 32 else jnp.float32
