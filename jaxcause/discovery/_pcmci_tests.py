"""Many partial correlations given sets of many sizes, with p-values by Student's t."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import betainc
from jaxtyping import Float, Int

from jaxcause._typing import CIResult
from jaxcause.stats._partial_correlation import SINGULAR

WIDTHS = (0, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128)
"""Sets are padded to one of these sizes, beyond the last to a multiple of it."""
ROWS = (64, 512, 4096)
"""Tests of one call are padded to one of these numbers."""
CELLS = 1 << 22
"""Largest number of correlations that one call gathers."""


class StudentTest(NamedTuple):
    """Partial correlations among the nodes of ``corr``, estimated from ``n_samples`` rows."""

    corr: Float[np.ndarray, "nodes nodes"]
    n_samples: int

    def __call__(
        self, x: Int[np.ndarray, "rows"], y: Int[np.ndarray, "rows"], cond: Int[np.ndarray, "rows k"]
    ) -> CIResult:
        r"""Test x ⊥ y | S for each row.

        With r the partial correlation and N − 2 − |S| degrees of freedom ν,
        :math:`p = I_{1 - r^2}(\nu / 2, 1 / 2)`, which is Student's t-test of
        :math:`r \sqrt{\nu / (1 - r^2)}`. Where a conditional variance vanishes r is 1 (dependent);
        where no degree of freedom is left p is 1, for nothing can be concluded.

        Args:
            x: First nodes.
            y: Second nodes.
            cond: Sets S, padded with -1 anywhere.
        """
        r, rest = self._in_blocks(x, y, cond)
        sizes = (cond >= 0).sum(axis=1)
        return CIResult(r, student_p_values(rest, self.n_samples - 2 - sizes))

    def residual_variance(
        self, y: Int[np.ndarray, "rows"], cond: Int[np.ndarray, "rows k"]
    ) -> Float[np.ndarray, "rows"]:
        """Variance of y that S leaves, as a share."""
        width = _bucket(cond.shape[1], WIDTHS)
        with jax.enable_x64(True):
            return np.asarray(_residual_variance(self.corr, y, _padded(cond, len(cond), width)))

    def _in_blocks(
        self, x: np.ndarray, y: np.ndarray, cond: np.ndarray
    ) -> tuple[Float[np.ndarray, "rows"], Float[np.ndarray, "rows"]]:
        r, rest = np.zeros(len(x)), np.ones(len(x))
        sizes = (cond >= 0).sum(axis=1)
        packed = np.take_along_axis(cond, np.argsort(cond < 0, axis=1, kind="stable"), axis=1)
        widths = np.array([_bucket(size, WIDTHS) for size in range(cond.shape[1] + 1)])[sizes]
        for width in np.unique(widths):
            rows = np.flatnonzero(widths == width)
            most = max(64, min(ROWS[-1], CELLS // int(width + 2) ** 2))
            for first in range(0, len(rows), most):
                block = rows[first : first + most]
                padded = min(most, _bucket(len(block), ROWS))
                ends = np.zeros((2, padded), np.int32)
                ends[:, : len(block)] = x[block], y[block]
                ends[1, len(block) :] = 1
                sets = _padded(packed[block, :width], padded, int(width))
                with jax.enable_x64(True):
                    found = _partial_correlations(self.corr, ends[0], ends[1], sets)
                r[block], rest[block] = (np.asarray(part)[: len(block)] for part in found)
        return r, rest


def student_p_values(
    rest: Float[np.ndarray, "*tests"], degrees: Int[np.ndarray, "*#tests"]
) -> Float[np.ndarray, "*tests"]:
    """Two-sided p-values from 1 − r² and the degrees of freedom; 1 where there are none."""
    degrees = np.broadcast_to(degrees, rest.shape).ravel()
    p_values = np.ones(rest.size)
    for first in range(0, rest.size, ROWS[-1]):
        block = slice(first, first + ROWS[-1])
        size = len(p_values[block])
        padded = _bucket(size, ROWS)
        values, counts = np.ones(padded), np.ones(padded)
        values[:size], counts[:size] = rest.ravel()[block], degrees[block]
        with jax.enable_x64(True):
            p_values[block] = np.asarray(_p_values(values, counts))[:size]
    return p_values.reshape(rest.shape)


@jax.jit
def _partial_correlations(
    corr: Float[Array, "nodes nodes"],
    x: Int[Array, "rows"],
    y: Int[Array, "rows"],
    cond: Int[Array, "rows k"],
) -> tuple[Float[Array, "rows"], Float[Array, "rows"]]:
    """r and 1 − r², from the last two rows of the Cholesky factor of corr[S x y, S x y]."""
    factor = _factor(corr, jnp.concatenate([cond, x[:, None], y[:, None]], axis=1))
    along, across = factor[:, -1, -2], factor[:, -1, -1]
    pivots = jnp.diagonal(factor, axis1=1, axis2=2) ** 2
    tolerance = SINGULAR * jnp.finfo(corr.dtype).eps
    length = jnp.hypot(along, across)
    # A factor that does not exist is NaN, and fails this comparison as well.
    regular = (pivots[:, :-1] > tolerance).all(axis=1) & (length**2 > tolerance)
    length = jnp.where(regular, length, jnp.ones_like(length))
    r = jnp.where(regular, along / length, jnp.ones_like(along))
    return r, jnp.where(regular, (across / length) ** 2, jnp.zeros_like(across))


@jax.jit
def _residual_variance(
    corr: Float[Array, "nodes nodes"], y: Int[Array, "rows"], cond: Int[Array, "rows k"]
) -> Float[Array, "rows"]:
    last = _factor(corr, jnp.concatenate([cond, y[:, None]], axis=1))[:, -1, -1]
    return jnp.where(jnp.isnan(last), jnp.zeros_like(last), last**2)


def _factor(
    corr: Float[Array, "nodes nodes"], members: Int[Array, "rows k"]
) -> Float[Array, "rows k k"]:
    """Cholesky factors of submatrices; a padded member is correlated with nothing."""
    real = members >= 0
    both = real[:, :, None] & real[:, None, :]
    identity = jnp.eye(members.shape[1], dtype=corr.dtype)[None]
    sigma = jnp.where(both, corr[members[:, :, None], members[:, None, :]], identity)
    return jax.lax.linalg.cholesky(sigma, symmetrize_input=False)


@jax.jit
def _p_values(rest: Float[Array, "tests"], degrees: Float[Array, "tests"]) -> Float[Array, "tests"]:
    some = jnp.maximum(degrees, 1)
    p = betainc(some / 2, jnp.full_like(some, 0.5), jnp.clip(rest, 0, 1))
    return jnp.where(degrees >= 1, p, jnp.ones_like(p))


def _bucket(size: int, buckets: tuple[int, ...]) -> int:
    last = buckets[-1]
    return next((b for b in buckets if b >= size), -(-size // last) * last)


def _padded(cond: np.ndarray, rows: int, width: int) -> Int[np.ndarray, "rows width"]:
    sets = np.full((rows, width), -1, np.int32)
    sets[: len(cond), : cond.shape[1]] = cond
    return sets
