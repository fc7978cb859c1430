"""Expected squared gradient of a Gaussian log-density: parents of the mean and of the variance."""

from collections.abc import Callable
from typing import NamedTuple, Unpack

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from jaxcause._options import shows_options
from jaxcause._typing import AnyArray
from jaxcause.attribution._stream import ReadoutOptions, moments_over_windows

DensityFn = Callable[[Float[Array, "time vars"]], tuple[Float[Array, "vars"], Float[Array, "vars"]]]
"""Maps one window, newest row last, to mean and variance of the next row."""


class ScoreEnergy(NamedTuple):
    """Scores ``[source, target, lag]`` of effects on the mean, on the variance, and their sum."""

    mean_part: Float[Array, "vars targets lags"]
    variance_part: Float[Array, "vars targets lags"]
    total: Float[Array, "vars targets lags"]


@shows_options(ReadoutOptions, of=moments_over_windows)
def score_energy(
    predict_fn: DensityFn,
    windows: Float[AnyArray, "windows time vars"],
    **options: Unpack[ReadoutOptions],
) -> ScoreEnergy:
    r"""Expected squared derivative of the log-density of a Gaussian forecast, in closed form.

    With :math:`X_i(t) \mid \text{past} \sim N(\mu_i, \sigma_i^2)`, the expectation over
    :math:`X_i(t)` leaves

    .. math:: H_{ji\ell} = \mathrm E\!\left[\left(\frac{\partial \log p(X_i(t) \mid x)}
        {\partial x_j(t-\ell)}\right)^{\!2}\right]
        = \frac1W \sum_w \frac{(\partial \mu_i)^2}{\sigma_i^2}
        + \frac{(\partial \sigma_i^2)^2}{2\,\sigma_i^4}.

    The second term finds parents that act on the variance alone, which the gradient of the mean
    misses. Both terms have the unit of one over the squared unit of the source.

    Args:
        predict_fn: Any differentiable forecast of mean and variance of the next row.
        windows: Windows to average over, newest row last.

    Returns:
        The two terms and their sum; NaN for a target whose predicted variance is not positive.

    Raises:
        InputError: As for `gradient_energy`, or the forecast is not a pair (mean, variance).

    Source: the criterion is that of Wang, Wang & Huang (2026), "Transformer Is Inherently a Causal
    Learner"; the expectation is the Fisher information of a Gaussian.

    >>> import jax.numpy as jnp
    >>> forecast = lambda window: (3.0 * window[-1], jnp.exp(2.0 * window[-1, ::-1]))
    >>> found = score_energy(forecast, jnp.zeros((4, 1, 2)))
    >>> found.mean_part[:, :, 1].tolist(), found.variance_part[:, :, 1].tolist()
    ([[9.0, 0.0], [0.0, 9.0]], [[0.0, 2.0], [2.0, 0.0]])
    """
    (mean_part, variance_part), _ = moments_over_windows(
        _parts, predict_fn, windows, n_outputs=2, **options
    )
    return ScoreEnergy(mean_part, variance_part, mean_part + variance_part)


def _parts(
    jacobians: tuple[Array, ...], outputs: tuple[Array, ...], window: Array
) -> tuple[Array, Array]:
    of_mean, of_variance = jacobians
    variance = jnp.where(outputs[1] > 0, outputs[1], jnp.nan)
    return of_mean**2 / variance, (of_variance / variance) ** 2 / 2
