"""A test of partial correlation on data with holes, each test with its own number of samples."""

from typing import ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float, Int, UInt8

from jaxcause._namespace import bit_count, namespace, union
from jaxcause._pytree import pytree_dataclass
from jaxcause._typing import AnyArray, CIResult, Nodes
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

    takes_rows: ClassVar[bool] = True

    def n_samples(
        self, x: Nodes, y: Nodes, cond: Int[AnyArray, "*rows k"]
    ) -> Int[AnyArray, "*rows"] | np.integer:
        """Samples that hold X, Y and S."""
        xp = namespace(self, x, y, cond)
        lacking, given = ~xp.asarray(self.present), xp.asarray(cond)
        lacked = xp.where(given[..., None] >= 0, lacking[given], np.uint8(0))
        lacked = union(lacked, -2) | lacking[xp.asarray(x)] | lacking[xp.asarray(y)]
        return bit_count(~lacked).astype(np.int32).sum(axis=-1, dtype=np.int32)

    def __call__(self, x: Nodes, y: Nodes, cond: Int[AnyArray, "*rows k"]) -> CIResult:
        """Test X ⊥ Y | S; the statistic is the partial correlation."""
        r = partial_correlation(self.corr, x, y, cond)
        size = (cond >= 0).sum(axis=-1, dtype=np.int32)
        degrees = (self.n_samples(x, y, cond) - size - 3).astype(self.corr.dtype)
        return CIResult(r, fisher_z_p_value(r, namespace(degrees).asarray(degrees)))
