"""Many partial correlations given sets of many sizes, with p-values by Student's t.

It is the equation of `jaxcause.stats._partial_correlation.partial_correlation`, and a test holds
both equal. It has an elimination of its own, because PCMCI makes thousands of tests given dozens of
nodes each: one LAPACK call per row is slow, batches of LAPACK's Cholesky factors sometimes never
return on the CPU, and the unrolled kernel of the searches is for sets of a few nodes. It also
returns :math:`1 - r^2` without cancellation, which Student's test needs where r is near 1.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import betainc
from jaxtyping import Bool, Float, Int, UInt8

from jaxcause._typing import CIResult
from jaxcause.discovery._pcmci.common_samples import count_common_samples
from jaxcause.stats._definite import least_variance

WIDTHS = (2, 4, 8, 16, 32, 48, 64, 96, 128)
"""Sets are padded to one of these sizes, beyond the last to a multiple of it."""
ROWS = 4096
"""Tests of one call; fewer are padded, at no cost but memory."""
FEW = 256
"""p-values are padded to so many, or to a whole call."""
CELLS = 1 << 24
"""Largest number of correlations that an accelerator gathers at a time."""
LANES = 32
"""Rows that a CPU takes at a time, so that they stay in its cache; an accelerator takes more."""
STEPS = 8
"""Eliminations after which the eliminated part is cut off."""


class StudentTest(NamedTuple):
    """Partial correlations among the nodes of ``corr``, estimated from ``n_samples`` rows.

    Where values are missing, ``present`` holds the rows of each node as bits, and a test counts
    those that hold all its nodes.
    """

    corr: Float[np.ndarray, "nodes nodes"]
    n_samples: int
    present: UInt8[np.ndarray, "nodes bytes"] | None = None

    def __call__(
        self,
        x: Int[np.ndarray, "rows"],
        y: Int[np.ndarray, "rows"],
        cond: Int[np.ndarray, "rows k"],
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
        n_samples = self.n_samples
        if self.present is not None:
            n_samples = count_common_samples(self.present, x, y, cond)
        return CIResult(r, student_p_values(rest, n_samples - 2 - sizes))

    def residual_variance(
        self, y: Int[np.ndarray, "rows"], cond: Int[np.ndarray, "rows k"]
    ) -> Float[np.ndarray, "rows"]:
        """Share of the variance of y that is left given S."""
        members = _widened(cond, _bucket(cond.shape[1]))
        with jax.enable_x64(True):
            return np.asarray(
                _residual_variance(_enlarged(self.corr), np.asarray(y, np.int32), members)
            )

    def _in_blocks(
        self, x: np.ndarray, y: np.ndarray, cond: np.ndarray
    ) -> tuple[Float[np.ndarray, "rows"], Float[np.ndarray, "rows"]]:
        r, rest, corr = np.zeros(len(x)), np.ones(len(x)), _enlarged(self.corr)
        sizes = (cond >= 0).sum(axis=1)
        packed = np.take_along_axis(cond, np.argsort(cond < 0, axis=1, kind="stable"), axis=1)
        widths = np.array([_bucket(size) for size in range(cond.shape[1] + 1)])[sizes]
        for width in np.unique(widths):
            rows = np.flatnonzero(widths == width)
            for first in range(0, len(rows), ROWS):
                block = rows[first : first + ROWS]
                members = np.full((ROWS, int(width) + 2), -1, np.int32)
                members[: len(block), :-2] = _widened(packed[block], int(width))
                members[: len(block), -2], members[: len(block), -1] = x[block], y[block]
                lanes = _lanes(int(width))
                n_groups = np.int32(-(-len(block) // lanes))
                with jax.enable_x64(True):
                    found = _partial_correlations(corr, members, n_groups, lanes=lanes)
                r[block], rest[block] = (np.asarray(part)[: len(block)] for part in found)
        return r, rest


def student_p_values(
    rest: Float[np.ndarray, "*tests"], degrees: Int[np.ndarray, "*#tests"]
) -> Float[np.ndarray, "*tests"]:
    """Two-sided p-values from 1 − r² and the degrees of freedom; 1 where there are none."""
    degrees = np.broadcast_to(degrees, rest.shape).ravel()
    p_values = np.ones(rest.size)
    for first in range(0, rest.size, ROWS):
        block = slice(first, first + ROWS)
        size = len(p_values[block])
        padded = FEW if size <= FEW else ROWS
        values, counts = np.ones(padded), np.ones(padded)
        values[:size], counts[:size] = rest.ravel()[block], degrees[block]
        with jax.enable_x64(True):
            p_values[block] = np.asarray(_p_values(values, counts))[:size]
    return p_values.reshape(rest.shape)


@partial(jax.jit, static_argnames=("lanes",))
def _partial_correlations(
    corr: Float[Array, "nodes nodes"],
    members: Int[Array, "rows k"],
    n_groups: Int[Array, ""],
    *,
    lanes: int,
) -> tuple[Float[Array, "rows"], Float[Array, "rows"]]:
    """R and 1 − r² of the last two members given the others, ``lanes`` rows at a time."""
    groups = members.reshape(-1, lanes, members.shape[1]).transpose(0, 2, 1)

    def one(at: Array, found: tuple[Array, Array]) -> tuple[Array, Array]:
        r, rest = _of_group(corr, groups[at])
        return found[0].at[at].set(r), found[1].at[at].set(rest)

    empty = jnp.zeros((len(groups), lanes), corr.dtype)
    r, rest = jax.lax.fori_loop(0, n_groups, one, (empty, empty))
    return r.ravel(), rest.ravel()


def _of_group(
    corr: Float[Array, "nodes nodes"], members: Int[Array, "k lanes"]
) -> tuple[Float[Array, "lanes"], Float[Array, "lanes"]]:
    left, regular = _swept(corr, members, 2)
    (xx, xy), (_, yy) = left
    tolerance = least_variance(corr.dtype)
    regular &= (xx > tolerance) & (yy > tolerance)
    one = jnp.ones_like(xy)
    r = jnp.where(regular, xy / jnp.sqrt(jnp.where(regular, xx * yy, one)), one)
    rest = jnp.where(regular, (yy - xy * xy / jnp.where(regular, xx, one)) / yy, 0 * one)
    return jnp.clip(r, -one, one), jnp.clip(rest, 0 * one, one)


@jax.jit
def _residual_variance(
    corr: Float[Array, "nodes nodes"], y: Int[Array, "rows"], cond: Int[Array, "rows k"]
) -> Float[Array, "rows"]:
    left, regular = _swept(corr, jnp.concatenate([cond, y[:, None]], axis=1).T, 1)
    return jnp.where(regular, left[0, 0], jnp.zeros_like(left[0, 0]))


def _swept(
    corr: Float[Array, "nodes nodes"], members: Int[Array, "k lanes"], keep: int
) -> tuple[Float[Array, "keep keep lanes"], Bool[Array, "lanes"]]:
    """Covariance of the last ``keep`` members given the others; a padded one changes nothing.

    The part already eliminated is cut off every few steps, and lanes are the fastest axis.
    """
    k = members.shape[0] - keep
    real = members >= 0
    eye = jnp.eye(k + keep, dtype=corr.dtype)[:, :, None]
    sigma = jnp.where(real[:, None] & real[None], corr[members[:, None], members[None]], eye)
    tolerance = least_variance(corr.dtype)

    def eliminate(step: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        sigma, regular = carry
        row = sigma[step]
        pivot = row[step]
        safe = jnp.where(pivot > tolerance, pivot, jnp.ones_like(pivot))
        # Fused into the outer product, the division would be done for each of its entries.
        scaled = jax.lax.optimization_barrier(row / safe[None])
        return sigma - row[:, None] * scaled[None], regular & (pivot > tolerance)

    regular = jnp.ones(members.shape[1:], bool)
    for first in range(0, k, STEPS):
        steps = min(STEPS, k - first)
        sigma, regular = jax.lax.fori_loop(0, steps, eliminate, (sigma, regular))
        sigma = sigma[steps:, steps:]
    return sigma, regular


@jax.jit
def _p_values(rest: Float[Array, "tests"], degrees: Float[Array, "tests"]) -> Float[Array, "tests"]:
    some = jnp.maximum(degrees, 1)
    p = betainc(some / 2, jnp.full_like(some, 0.5), jnp.clip(rest, 0, 1))
    return jnp.where(degrees >= 1, p, jnp.ones_like(p))


def _lanes(width: int) -> int:
    if jax.default_backend() == "cpu":
        return LANES
    return min(ROWS, max(LANES, 1 << (CELLS // (width + 2) ** 2).bit_length() - 1))


def _bucket(size: int) -> int:
    last = WIDTHS[-1]
    return next((b for b in WIDTHS if b >= size), -(-size // last) * last)


def _widened(cond: Int[np.ndarray, "rows k"], width: int) -> Int[np.ndarray, "rows width"]:
    """Sets, the padding of each at its end, cut or padded to a width."""
    sets = np.full((len(cond), width), -1, np.int32)
    kept = min(width, cond.shape[1])
    sets[:, :kept] = cond[:, :kept]
    return sets


def _enlarged(corr: Float[np.ndarray, "nodes nodes"]) -> Float[np.ndarray, "more more"]:
    """Unused nodes up to a power of two: graphs of similar size share what is compiled."""
    size = max(64, 1 << (len(corr) - 1).bit_length())
    return np.pad(corr, (0, size - len(corr)))
