"""Scores of lagged edges from forecasts with one input set to other values."""

from functools import partial

import jax
import jax.numpy as jnp
from jax import Array
from jax.tree_util import Partial
from jaxtyping import Float, Int, PRNGKeyArray

from jaxcause._checks import check_at_least, check_choice
from jaxcause._typing import AnyArray, PredictFn
from jaxcause.attribution._changed_inputs import (
    AT_ONCE,
    at_least_single,
    check_regression,
    steps_to_other_windows,
    sum_over_inputs,
)
from jaxcause.attribution._stream import check_forecast, checked_targets, checked_windows

MARGINAL, CONDITIONAL = "marginal", "conditional"


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
    if values == CONDITIONAL:
        check_regression(windows, what="values='conditional'", else_="or values='marginal'")
    return _scores(
        predict_fn if isinstance(predict_fn, Partial) else Partial(predict_fn),
        jnp.asarray(windows),
        checked_targets(targets, windows.shape[2]),
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
    steps = steps_to_other_windows(x, key, n_draws, law=x if conditional else None)

    def squared_change(
        before: Float[Array, "batch vars"],
        after: Float[Array, "batch draws vars"],
        counts: Float[Array, "batch"],
        _: None,
    ) -> Float[Array, "targets"]:
        change = at_least_single((after - before[:, None])[..., targets] ** 2)
        return jnp.einsum("w,wdi->i", counts, change)

    total = sum_over_inputs(forecast, x, steps, squared_change, batch_size=batch_size)
    return total / (2 * n_draws * len(x))
