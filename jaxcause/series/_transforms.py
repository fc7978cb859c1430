"""Monotone transforms of each variable, all ending at mean 0 and variance 1."""

from collections.abc import Callable
from functools import reduce
from statistics import NormalDist
from typing import NamedTuple, overload

import numpy as np
from jaxtyping import Float, Int

from jaxcause._checks import InputError, check_choice
from jaxcause._stored import AnyRows, StoredRows, blocks, sampled

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

    @overload
    def __call__(self, values: np.ndarray) -> np.ndarray: ...
    @overload
    def __call__(self, values: AnyRows) -> AnyRows: ...
    def __call__(self, values: Float[AnyRows, "time vars"]) -> Float[AnyRows, "time vars"]:
        """Transformed values; NaN stays NaN, and what is on disk stays there."""
        if isinstance(values, StoredRows):
            return values.mapped(self)
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


def can_log(values: Float[AnyRows, "time vars"]) -> bool:
    """Whether every variable is non-negative, so that its logarithm makes sense."""
    return bool(np.fmin.reduce(_smallest(values)) >= 0)


def fit_transform(values: Float[AnyRows, "time vars"], *, kind: str) -> Transform:
    """Fit a transform to the complete rows of a series.

    Args:
        values: The series; NaN is left out. Of a series on disk, the ranks of ``"copula"`` are
            those of a sample of its rows; everything else is exact.
        kind: ``"standardise"``; ``"log"``, log(x), or log(x + half the smallest positive value) for
            a variable with zeros; or ``"copula"``, the normal quantile of the mid-rank.

    Raises:
        InputError: ``kind`` is unknown, or a logarithm is asked of negative values.

    >>> z = fit_transform(np.array([[1.0], [10.0], [100.0]]), kind="log")(np.array([[10.0]]))
    >>> float(z[0, 0].round(6))
    0.0
    """
    check_choice("transform", kind, TRANSFORMS)
    if isinstance(values, StoredRows):
        return values.remembered(f"transform {kind}", lambda: _fitted(values, kind))
    return _fitted(values, kind)


def _fitted(values: Float[AnyRows, "time vars"], kind: str) -> Transform:
    n_vars = values.shape[1]
    offset, knots, normal = np.zeros(n_vars), np.zeros((n_vars, 0)), np.zeros((n_vars, 0))
    if kind == "log":
        if not can_log(values):
            raise InputError(
                "transform='log' needs non-negative values; use 'copula' or 'standardise'"
            )
        parts = (np.fmin.reduce(np.where(b > 0, b, np.nan), axis=0) for b in blocks(values))
        positive = reduce(np.fmin, parts)
        offset = np.where(_smallest(values) > 0, 0.0, positive / 2)
    if kind == "copula":
        pairs = [_mid_rank_knots(column[~np.isnan(column)]) for column in sampled(values).T]
        knots, normal = np.stack([p[0] for p in pairs]), np.stack([p[1] for p in pairs])
    smallest = _smallest(values)
    raw = Transform(kind, np.zeros(n_vars), np.ones(n_vars), smallest, offset, knots, normal)
    mean, scale = mean_and_deviation(values, raw.unscaled)
    return raw._replace(mean=mean, scale=np.where(scale > 0, scale, 1.0))


def mean_and_deviation(
    values: Float[AnyRows, "time vars"],
    change: Callable[[np.ndarray], np.ndarray] = lambda block: block,
) -> tuple[Float[np.ndarray, "vars"], Float[np.ndarray, "vars"]]:
    """Mean and standard deviation of each column without what is missing, block by block.

    Args:
        values: The series.
        change: What is done to the values before.

    >>> mean, deviation = mean_and_deviation(np.array([[1.0], [np.nan], [3.0]]))
    >>> mean.tolist(), deviation.tolist()
    ([2.0], [1.0])
    """
    n, mean, squares = (np.zeros(values.shape[1]) for _ in range(3))
    unit = np.zeros(values.shape[1])
    for block in blocks(values):
        changed = change(block)
        # Squares of very large or very small values would leave the range of floats.
        largest = np.fmax(unit, np.fmax.reduce(np.abs(changed), axis=0))
        scaled = changed / np.where(largest > 0, largest, 1.0)
        shrunk = unit / np.where(largest > 0, largest, 1.0)
        mean, squares, unit = mean * shrunk, squares * shrunk**2, largest
        known = ~np.isnan(scaled)
        count = known.sum(axis=0)
        here = np.where(known, scaled, 0).sum(axis=0) / np.maximum(count, 1)
        off = np.where(known, scaled - here, 0)
        step = np.where(n > 0, here - mean, 0)
        together = np.maximum(n + count, 1)
        squares = squares + (off**2).sum(axis=0) + step**2 * n * count / together
        mean = np.where(n > 0, mean + step * count / together, here)
        n = n + count
    unit = np.where(unit > 0, unit, 1.0)
    return unit * mean, unit * np.sqrt(squares / np.maximum(n, 1))


def _smallest(values: Float[AnyRows, "time vars"]) -> Float[np.ndarray, "vars"]:
    """The smallest value of each column that is not missing."""
    if isinstance(values, StoredRows):
        return np.array([np.nan if not f.n_known else f.levels[0] for f in values.columns])
    return np.fmin.reduce(values, axis=0)


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
