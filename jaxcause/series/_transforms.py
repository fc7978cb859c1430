"""Monotone transforms of each variable, all ending at mean 0 and variance 1."""

from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jaxcause._checks import InputError, check_choice

TRANSFORMS = ("standardise", "log", "copula")
MOST_KNOTS = 512


class Transform(NamedTuple):
    r"""A fitted transform: :math:`z = (g(x) - \text{mean}) / \text{scale}` for each variable.

    ``kind`` names g: the identity, log(x + offset) with x no less than ``smallest``, or the normal
    quantile of the empirical distribution, interpolated between ``knots`` (values) and ``normal``
    (their quantiles).
    """

    kind: str
    mean: Float[np.ndarray, "vars"]
    scale: Float[np.ndarray, "vars"]
    smallest: Float[np.ndarray, "vars"]
    offset: Float[np.ndarray, "vars"]
    knots: Float[np.ndarray, "vars knots"]
    normal: Float[np.ndarray, "vars knots"]

    def __call__(self, values: Float[np.ndarray, "time vars"]) -> Float[np.ndarray, "time vars"]:
        """Transformed values; NaN stays NaN."""
        return (self.unscaled(values) - self.mean) / self.scale

    def inverse(self, z: Float[np.ndarray, "time vars"]) -> Float[np.ndarray, "time vars"]:
        """Values in the units of the data, no further out than what was seen where g is flat."""
        shaped = z * self.scale + self.mean
        if self.kind == "log":
            return np.exp(shaped) - self.offset
        if self.kind == "copula":
            columns = zip(shaped.T, self.normal, self.knots, strict=True)
            return np.stack([np.interp(*column) for column in columns], axis=1)
        return shaped

    def of(self, columns: Int[np.ndarray, "chosen"]) -> "Transform":
        """The transform of some columns, each as often as it is named.

        >>> fitted = fit_transform(np.array([[1.0, 5.0], [3.0, 9.0]]), kind="standardise")
        >>> fitted.of(np.array([1, 1]))(np.array([[9.0, 5.0]])).tolist()
        [[1.0, -1.0]]
        """
        return Transform(self.kind, *(part[columns] for part in self[1:]))

    def unscaled(self, values: Float[np.ndarray, "time vars"]) -> Float[np.ndarray, "time vars"]:
        """g(x), before mean and scale."""
        if self.kind == "log":
            return np.log(np.maximum(values, self.smallest) + self.offset)
        if self.kind == "copula":
            columns = zip(values.T, self.knots, self.normal, strict=True)
            return np.stack([_interpolate(*column) for column in columns], axis=1)
        return values


def can_log(values: Float[np.ndarray, "time vars"]) -> bool:
    """Whether every variable is non-negative, so that its logarithm makes sense."""
    return bool(np.nanmin(values) >= 0)


def fit_transform(values: Float[np.ndarray, "time vars"], *, kind: str) -> Transform:
    """Fit a transform to the complete rows of a series.

    Args:
        values: The series; NaN is left out.
        kind: ``"standardise"``; ``"log"``, log(x), or log(x + half the smallest positive value) for
            a variable with zeros; or ``"copula"``, the normal quantile of the mid-rank.

    Raises:
        InputError: ``kind`` is unknown, or a logarithm is asked of negative values.

    >>> z = fit_transform(np.array([[1.0], [10.0], [100.0]]), kind="log")(np.array([[10.0]]))
    >>> float(z[0, 0].round(6))
    0.0
    """
    check_choice("transform", kind, TRANSFORMS)
    n_vars = values.shape[1]
    offset, knots, normal = np.zeros(n_vars), np.zeros((n_vars, 0)), np.zeros((n_vars, 0))
    if kind == "log":
        if not can_log(values):
            raise InputError(
                "transform='log' needs non-negative values; use 'copula' or 'standardise'"
            )
        positive = np.nanmin(np.where(values > 0, values, np.nan), axis=0)
        offset = np.where(np.nanmin(values, axis=0) > 0, 0.0, positive / 2)
    if kind == "copula":
        pairs = [_mid_rank_knots(column[~np.isnan(column)]) for column in values.T]
        knots, normal = np.stack([p[0] for p in pairs]), np.stack([p[1] for p in pairs])
    smallest = np.nanmin(values, axis=0)
    raw = Transform(kind, np.zeros(n_vars), np.ones(n_vars), smallest, offset, knots, normal)
    shaped = raw.unscaled(values)
    # Squares of very large or very small values would leave the range of floating-point numbers.
    unit = np.nanmax(np.abs(shaped), axis=0)
    unit = np.where(unit > 0, unit, 1.0)
    mean, scale = unit * np.nanmean(shaped / unit, axis=0), unit * np.nanstd(shaped / unit, axis=0)
    return raw._replace(mean=mean, scale=np.where(scale > 0, scale, 1.0))


def mid_ranks(
    column: Float[np.ndarray, "time"],
) -> tuple[Float[np.ndarray, "values"], Float[np.ndarray, "values"]]:
    """The distinct values of a column, and the mid-rank of each as a share of the rows."""
    values, counts = np.unique(column, return_counts=True)
    return values, (np.cumsum(counts) - counts / 2) / max(len(column), 1)


def _mid_rank_knots(column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most 512 values and the normal quantiles of their mid-ranks, padded to one length."""
    values, probability = mid_ranks(column)
    kept = np.unique(np.linspace(0, len(values) - 1, min(len(values), MOST_KNOTS)).astype(int))
    # One by one, but for any number of values without a compilation.
    normal = np.array([NormalDist().inv_cdf(p) for p in probability[kept].tolist()])
    fill = (0, MOST_KNOTS - len(kept))
    return np.pad(values[kept], fill, mode="edge"), np.pad(normal, fill, mode="edge")


def _interpolate(column: np.ndarray, knots: np.ndarray, normal: np.ndarray) -> np.ndarray:
    known = np.where(np.isnan(column), knots[0], column)
    return np.where(np.isnan(column), np.nan, np.interp(known, knots, normal))
