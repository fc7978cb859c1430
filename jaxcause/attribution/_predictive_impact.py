"""What a forecast loses when one lagged input is replaced by what says nothing new."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.tree_util import Partial
from jaxtyping import Float, Num, PRNGKeyArray

from jaxcause._checks import InputError, check_at_least, is_concrete
from jaxcause._namespace import namespace
from jaxcause._typing import AnyArray, PredictFn
from jaxcause.attribution._changed_inputs import (
    AT_ONCE,
    at_least_single,
    check_regression,
    steps_to_other_windows,
    sum_over_inputs,
)
from jaxcause.attribution._stream import check_forecast, checked_windows
from jaxcause.stats._tails import student_p_value

WINDOWS_PER_TERM = 50
"""Windows for each term from which inputs are regressed on the squares of the others, too. Chosen
on simulated systems of 3 to 12 variables with 500 and 2,000 rows."""
ROUNDING = 16
"""Changes of a forecast by fewer of the last digits' units are taken for none."""


class PredictiveImpact(NamedTuple):
    """By how much the squared error grows, ``[source, target, lag]``; lag 0 holds none.

    Args:
        impact: Mean increase, in squared units of the target; negative where the forecast gets
            better without the input.
        standard_error: Its standard error over windows.
        n_windows: Windows whose next row is known, for each target ``[vars]``.
    """

    impact: Float[AnyArray, "vars vars lags"]
    standard_error: Float[AnyArray, "vars vars lags"]
    n_windows: Num[AnyArray, "vars"]

    @property
    def t_statistic(self) -> Float[AnyArray, "vars vars lags"]:
        """Impact over its standard error; 0 where the forecast never changes."""
        xp, changes = namespace(self), self.standard_error > 0
        spread = xp.where(changes, self.standard_error, xp.ones_like(self.standard_error))
        return xp.where(changes, self.impact / spread, xp.zeros_like(self.impact))

    @property
    def p_value(self) -> Float[AnyArray, "vars vars lags"]:
        """Probability of at least this t-statistic if the input says nothing new; 1 at lag 0.

        In float64 on the host or, within a compiled program, in its own precision.
        """
        n_windows = self.n_windows[None, :, None] + 0 * self.impact
        if is_concrete(self.impact):
            t, degrees = np.asarray(self.t_statistic), np.maximum(np.asarray(n_windows) - 1, 1)
            both = student_p_value(t, degrees)
        else:
            t, degrees = self.t_statistic, jnp.maximum(n_windows - 1, 1)
            both = jax.scipy.special.betainc(degrees / 2, 0.5, degrees / (degrees + t**2))
        xp = namespace(t)
        later = xp.arange(t.shape[2]) > 0
        return xp.where(later, xp.where(t > 0, both / 2, 1 - both / 2), xp.ones_like(both))


def predictive_impact(
    predict_fn: PredictFn,
    windows: Float[AnyArray, "windows time vars"],
    newest: Float[AnyArray, "rows columns"],
    *,
    key: PRNGKeyArray,
    n_draws: int = 4,
    regressed_on: Float[AnyArray, "more rows_of_each columns"] | None = None,
    batch_size: int | None = None,
) -> PredictiveImpact:
    r"""Test every lagged input by what forecasts of unseen windows lose without it.

    .. math:: C_{ji\ell} = \frac1W \sum_w \mathrm E_v\!\left[
        \bigl(y_{wi} - f_i(x_w \text{ with } x_j(t-\ell) = v)\bigr)^2\right]
        - \bigl(y_{wi} - f_i(x_w)\bigr)^2

    The new value v keeps what a regression on all other inputs (and on their squares, with 50
    windows or more for each term) predicts of :math:`x_j(t-\ell)`, and takes the residual of
    another window. If the target depends on the input only through the others, nothing of use is
    lost, and C is zero or, as the forecaster has learned some noise, close to it: a one-sided
    t-test over windows gives the p-value. It needs no bulk of non-edges to compare with, so it also
    works where few links are candidates or most of them are edges.

    The windows must be others than those that the forecaster was trained on. A small effect that
    the forecaster did not learn is not found, and hidden causes are not told from causes. If
    residuals depend on the other inputs by more than their squares, new windows may be unlike any
    of the data, and p-values are too small. The function may be called within a compiled
    program.

    Args:
        predict_fn: Any forecast of the next row from one window; see `gradient_energy`.
        windows: Windows to average over, newest row last.
        newest: The row after each window; NaN where a value is missing.
        key: Random key.
        n_draws: Values that each input of each window is set to.
        regressed_on: Windows that the regressions of the inputs are fitted on, such as all of the
            series; by default the same windows.
        batch_size: Windows at a time; by default as many as make about 512 forecasts.

    Raises:
        InputError: As for `gradient_energy`, ``newest`` has another shape than one row per window,
            ``regressed_on`` has other rows or variables than ``windows``, or there are no more
            windows to regress on than inputs.

    Source: the conditional predictive impact of Watson & Wright (2021), "Testing conditional
    independence in supervised learning algorithms", with permuted residuals of regressions in
    the place of knockoffs.

    >>> import jax, jax.numpy as jnp
    >>> x = jax.random.normal(jax.random.key(0), (500, 1, 2))
    >>> newest = jnp.stack([x[:, 0, 1] ** 2, x[:, 0, 1]], axis=1)
    >>> square = lambda window: jnp.stack([window[-1, 1] ** 2, 0 * window[-1, 0]])
    >>> found = predictive_impact(square, x, newest, key=jax.random.key(1))
    >>> (found.p_value[:, :, 1] < 0.01).tolist()
    [[False, False], [True, False]]
    """
    windows = checked_windows(windows)
    check_at_least("n_draws", n_draws, 1)
    if batch_size is not None:
        check_at_least("batch_size", batch_size, 1)
    if np.shape(newest) != (len(windows), windows.shape[2]):
        raise InputError(
            f"newest has shape {np.shape(newest)}, but must hold one row for each window: "
            f"{(len(windows), windows.shape[2])}"
        )
    law = windows if regressed_on is None else checked_windows(regressed_on)
    if law.shape[1:] != windows.shape[1:]:
        raise InputError(
            f"regressed_on has windows of shape {law.shape[1:]}, but those of windows are "
            f"{windows.shape[1:]}; give windows of the same rows and variables"
        )
    check_regression(law, what="predictive_impact")
    forecast = predict_fn if isinstance(predict_fn, Partial) else Partial(predict_fn)
    x = jnp.asarray(windows)
    check_forecast(forecast, jax.ShapeDtypeStruct(x.shape[1:], x.dtype), n_outputs=1)
    return _impact(
        forecast,
        x,
        jnp.asarray(newest, x.dtype),
        jnp.asarray(law, x.dtype),
        key,
        n_draws=n_draws,
        batch_size=batch_size or max(1, AT_ONCE // n_draws),
    )


@partial(jax.jit, static_argnames=("n_draws", "batch_size"))
def _impact(
    forecast: Partial,
    x: Float[Array, "windows time vars"],
    newest: Float[Array, "windows vars"],
    law: Float[Array, "more time vars"],
    key: PRNGKeyArray,
    *,
    n_draws: int,
    batch_size: int,
) -> PredictiveImpact:
    known = jnp.isfinite(newest)
    counted = at_least_single(known.astype(x.dtype))

    def increase(
        before: Float[Array, "batch vars"],
        after: Float[Array, "batch draws vars"],
        counts: Float[Array, "batch"],
        given: tuple[Float[Array, "batch vars"], Float[Array, "batch vars"]],
    ) -> tuple[Float[Array, "vars"], Float[Array, "vars"]]:
        actual, is_known = given
        change, size = after - before[:, None], jnp.abs(after) + jnp.abs(before)[:, None]
        # An input that is not used would be tested by its rounding errors.
        change = jnp.where(jnp.abs(change) > ROUNDING * jnp.finfo(x.dtype).eps * size, change, 0)
        more = change * (after + (before - 2 * actual)[:, None])
        lost, weight = at_least_single(more.mean(axis=1)), counts[:, None] * is_known
        return (weight * lost).sum(axis=0), (weight * lost**2).sum(axis=0)

    squares = len(law) >= WINDOWS_PER_TERM * 2 * law.shape[1] * law.shape[2]
    steps = steps_to_other_windows(x, key, n_draws, law=law, squares=squares)
    given = jnp.where(known, newest, 0), counted
    first, second = sum_over_inputs(forecast, x, steps, increase, given, batch_size=batch_size)
    n_windows = counted.sum(axis=0)
    count = jnp.maximum(n_windows, 1)[None, :, None]
    mean = first / count
    variance = jnp.maximum(second / count - mean**2, 0)
    return PredictiveImpact(mean, jnp.sqrt(variance / count), n_windows)
