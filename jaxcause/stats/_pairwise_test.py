"""A test of partial correlation on data with holes, each test with its own number of samples."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Float, Int, UInt8

from jaxcause._pytree import pytree_dataclass
from jaxcause._typing import AnyArray, CIResult, NodeIndex
from jaxcause.stats._check_data import check_common_rows, check_rows, checked_data
from jaxcause.stats._definite import clip_eigenvalues, eigenvalues_exceed, rounding
from jaxcause.stats._fisher_z import fisher_z_p_value
from jaxcause.stats._pairwise import PairwiseCorrelation, pairwise_correlation
from jaxcause.stats._partial_correlation import partial_correlation

FLOOR = 1e-3
"""Smallest eigenvalue of a matrix that was indefinite: none is left singular, which would read as
dependence."""


class PairwiseSamples(NamedTuple):
    """Correlations of columns with holes, and which samples hold a value of each.

    Args:
        corr: Correlation of each pair over the samples that hold both, positive definite.
        n_common: Samples that hold both columns of each pair.
        present: Whether a sample holds a column: bits along the last axis, eight to a byte.
        repaired: Whether the correlations were indefinite; negative eigenvalues were then raised.
    """

    corr: Float[np.ndarray, "nodes nodes"]
    n_common: Int[np.ndarray, "nodes nodes"]
    present: UInt8[np.ndarray, "nodes bytes"]
    repaired: bool


def pairwise_samples(x: Float[AnyArray, "samples nodes"]) -> PairwiseSamples:
    """Summarise samples with holes (NaN) for tests that each use the samples they find whole.

    The correlations are those of `pairwise_correlation`. They are unbiased if values are missing
    completely at random, and only then. A matrix of such correlations may be indefinite; then its
    eigenvalues are raised to 0.001 (`clip_eigenvalues`), and ``repaired`` says so.

    Args:
        x: Samples in rows; NaN is missing.

    Raises:
        InputError: A value is infinite, a column is constant, or two columns share fewer than four
            samples.

    >>> x = np.random.default_rng(0).normal(size=(50, 3)); x[:10, 0] = np.nan
    >>> pairwise_samples(x).n_common[0].tolist()
    [40, 40, 40]
    """
    check_rows(x)
    values = checked_data(x, "pairwise")
    pairs = PairwiseCorrelation(*map(np.asarray, pairwise_correlation(values)))
    check_common_rows(pairs)
    corr = np.asarray(pairs.corr, np.float64)
    repaired = not eigenvalues_exceed(corr, -rounding(corr))
    if repaired:
        corr = np.asarray(clip_eigenvalues(corr, floor=FLOOR))
    present = np.packbits(~np.isnan(values), axis=0).T
    n_common = np.asarray(pairs.n_samples).round().astype(np.int64)
    return PairwiseSamples(corr, n_common, np.ascontiguousarray(present), repaired)


@pytree_dataclass()
class PairwisePartialCorrelationTest:
    """Fisher-z test of partial correlations among columns with holes.

    A test of X ⊥ Y | S counts the samples that hold all of X, Y and S. Its correlations rest on
    at least as many samples each.

    Args:
        corr: Correlation of each pair, positive definite.
        present: Which samples hold each column, as bits (`pairwise_samples`).

    >>> x = np.random.default_rng(0).normal(size=(200, 3)); x[:20, 0] = np.nan
    >>> samples = pairwise_samples(x)
    >>> test = PairwisePartialCorrelationTest(samples.corr, samples.present)
    >>> bool(test(0, 1, np.array([2])).p_value > 0.01)
    True
    """

    corr: Float[AnyArray, "nodes nodes"]
    present: UInt8[AnyArray, "nodes bytes"]

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return self.corr.shape[-1]

    def n_samples(self, x: NodeIndex, y: NodeIndex, cond: Int[AnyArray, "k"]) -> Int[Array, ""]:
        """Samples that hold X, Y and S."""
        bits, given = jnp.asarray(self.present), jnp.asarray(cond, jnp.int32)
        held = jnp.where(given[:, None] >= 0, bits[given], jnp.uint8(255))
        whole = lax.reduce(held, jnp.uint8(255), lax.bitwise_and, (0,))
        whole = whole & bits[jnp.asarray(x, jnp.int32)] & bits[jnp.asarray(y, jnp.int32)]
        return lax.population_count(whole).astype(jnp.int32).sum(dtype=jnp.int32)

    def __call__(self, x: NodeIndex, y: NodeIndex, cond: Int[AnyArray, "k"]) -> CIResult:
        """Test X ⊥ Y | S; the statistic is the partial correlation."""
        corr, given = jnp.asarray(self.corr), jnp.asarray(cond, jnp.int32)
        r = partial_correlation(corr, x, y, given)
        size = (given >= 0).sum(dtype=jnp.int32)
        degrees = self.n_samples(x, y, given) - size - 3
        return CIResult(r, fisher_z_p_value(r, degrees.astype(corr.dtype)))
