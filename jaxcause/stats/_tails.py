"""Tails of distributions, on either engine: numpy compiles nothing."""

import math
from statistics import NormalDist

import jax
import numpy as np
from jaxtyping import Float, Num

from jaxcause._namespace import on_host
from jaxcause._typing import AnyArray

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(48)
_NEGLIGIBLE = 45.0
"""What has fallen by a factor of exp(45) adds nothing to an integral in float64."""
_STEPS = 8
_LARGE = 24.0
_TURNS = 2000


def erfc(x: Float[AnyArray, "*rows"]) -> Float[AnyArray, "*rows"]:
    """The complementary error function.

    >>> erfc(np.array([0.0, 10.0])).tolist()
    [1.0, 2.088487583762545e-45]
    """
    if not on_host(x):
        return jax.scipy.special.erfc(x)
    values = np.asarray(x)
    tails = np.fromiter(map(math.erfc, values.ravel().tolist()), np.float64, values.size)
    return tails.reshape(values.shape).astype(values.dtype)


def ndtri(p: Float[AnyArray, "*rows"]) -> Float[AnyArray, "*rows"]:
    """Quantiles of the standard normal distribution, of probabilities strictly between 0 and 1.

    >>> ndtri(np.array([0.5, 0.975])).round(6).tolist()
    [0.0, 1.959964]
    """
    if not on_host(p):
        return jax.scipy.special.ndtri(p)
    # Of ranks, which all columns share, there are few.
    values, place = np.unique(p, return_inverse=True)
    quantiles = [NormalDist().inv_cdf(value) for value in values.tolist()]
    return np.asarray(quantiles, values.dtype)[place].reshape(p.shape)


def student_p_value(
    t: Float[np.ndarray, "*rows"], degrees: Num[np.ndarray, "*#rows"] | float
) -> Float[np.ndarray, "*rows"]:
    r"""Two-sided p-value of Student's t, on the host and in float64.

    With :math:`t = \sqrt\nu \tan\theta` and :math:`a = \nu / 2` it is the share of

    .. math:: I(a) = \frac{2\,\Gamma(a + \frac12)}{\sqrt\pi\,\Gamma(a)}
        \int_\theta^{\pi/2} \cos^{2a-1}\varphi \, d\varphi
        = I(a + 1) + \frac{\Gamma(a + \frac12)}{\sqrt\pi\,\Gamma(a + 1)}
        \cos^{2a}\theta \, \sin\theta.

    Some steps of the recurrence make the integrand smooth; Gauss and Legendre's rule integrates
    it to where it has vanished. The relative error is below 1e-12.

    Args:
        t: The statistics; NaN stays NaN.
        degrees: Degrees of freedom ν, above 0.

    >>> student_p_value(np.array([0.0, 12.706204736, np.inf]), 1.0).round(9).tolist()
    [1.0, 0.05, 0.0]
    """
    size, a = np.abs(np.asarray(t, np.float64)), np.asarray(degrees, np.float64)
    a = np.asarray(a / 2)
    to_end = np.arctan2(np.sqrt(2 * a), size)
    tangent = np.minimum(size / np.sqrt(2 * a), 1e150)
    log_cosine = -0.5 * np.log1p(tangent**2)
    term = np.exp(2 * a * log_cosine + _log_gamma_step(a)) * np.cos(to_end) / a
    series = np.zeros_like(term)
    for j in range(_STEPS):
        series += term
        term = term * np.exp(2 * log_cosine) * (a + j + 0.5) / (a + j + 1)
    a = np.asarray(a + _STEPS)
    power = 2 * a - 1
    # log(cos(θ + w) / cos θ) ≤ -(w · tan θ + w² / 2)
    fall = _NEGLIGIBLE / power
    width = np.minimum(to_end, 2 * fall / (tangent + np.sqrt(tangent**2 + 2 * fall)))
    integral = np.zeros_like(width)
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        w = width * (0.5 + 0.5 * node)
        # cos(θ + w) / cos θ - 1, without cancellation near w = 0.
        change = -2 * np.sin(0.5 * w) ** 2 - tangent * np.sin(w)
        integral += 0.5 * weight * np.exp(power * np.log1p(np.maximum(change, -1 + 1e-15)))
    integral *= 2 * width * np.exp(power * log_cosine + _log_gamma_step(a))
    p_value = np.minimum((series + integral) / math.sqrt(math.pi), 1.0)
    return np.where(np.isinf(size), 0.0, p_value)


def student_quantile(probability: float, degrees: float) -> float:
    """How far Student's t lies from 0 with a two-sided probability, on the host.

    Args:
        probability: Of lying closer, strictly between 0 and 1.
        degrees: Degrees of freedom, above 0.

    >>> round(student_quantile(0.95, 1.0), 6), round(student_quantile(0.95, 1e6), 3)
    (12.706205, 1.96)
    """
    wanted, low, high = 1 - probability, 0.0, 1.0
    while float(student_p_value(np.array(high), degrees)) > wanted:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        if float(student_p_value(np.array(middle), degrees)) > wanted:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _log_gamma_step(a: Float[np.ndarray, "*rows"]) -> Float[np.ndarray, "*rows"]:
    """Log Γ(a + ½) - log Γ(a)."""
    large = np.maximum(a, _LARGE)
    squared = large**-2.0
    correction = 1 / 8 - squared * (1 / 192 - squared * (1 / 640 - squared * 17 / 14336))
    values = np.minimum(a, _LARGE).ravel().tolist()
    few = np.array([math.lgamma(v + 0.5) - math.lgamma(v) for v in values])
    return np.where(a < _LARGE, few.reshape(a.shape), 0.5 * np.log(large) - correction / large)


def f_p_value(
    f: Float[np.ndarray, "*rows"],
    degrees: Num[np.ndarray, "*#rows"] | float,
    rest: Num[np.ndarray, "*#rows"] | float,
) -> Float[np.ndarray, "*rows"]:
    r"""Upper tail of the F distribution, on the host and in float64.

    It is the regularised incomplete beta function :math:`I_x(b, a)` at
    :math:`x = b / (b + a f)`, where a and b are half the degrees of freedom, by its continued
    fraction (Lentz's method). The relative error is below 1e-9.

    Args:
        f: The statistics, at least 0.
        degrees: Degrees of freedom of the numerator, above 0.
        rest: Those of the denominator.

    >>> f_p_value(np.array([0.0, 161.447638798, 1e9]), 1.0, 1.0).round(6).tolist()
    [1.0, 0.05, 2e-05]
    """
    f, a, b = np.broadcast_arrays(
        np.asarray(f, np.float64), np.asarray(degrees) / 2.0, np.asarray(rest) / 2.0
    )
    x = b / (b + a * f)
    swap = x > (b + 1) / (a + b + 2)
    p, q, y = np.where(swap, a, b), np.where(swap, b, a), np.where(swap, 1 - x, x)
    log_beta = np.vectorize(lambda s, t: math.lgamma(s) + math.lgamma(t) - math.lgamma(s + t))(p, q)
    with np.errstate(divide="ignore"):
        front = np.exp(p * np.log(y) + q * np.log1p(-y) - log_beta) / p
    part = front * _beta_fraction(p, q, y)
    return np.clip(np.where(swap, 1 - part, part), 0.0, 1.0)


def _beta_fraction(p: np.ndarray, q: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The continued fraction of the incomplete beta function (Lentz)."""
    c, d = np.ones_like(x), 1 / (1 - (p + q) * x / (p + 1))
    value = d
    for m in range(1, _TURNS):
        even = m * (q - m) * x / ((p + 2 * m - 1) * (p + 2 * m))
        odd = -(p + m) * (p + q + m) * x / ((p + 2 * m) * (p + 2 * m + 1))
        for term in (even, odd):
            c, d = 1 + term / c, 1 / (1 + term * d)
            step = c * d
            value = value * step
        if (np.abs(step - 1) < 1e-13).all():
            break
    return value
