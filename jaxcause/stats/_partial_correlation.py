"""Partial correlation as a conditional independence test."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import DTypeLike
from jaxtyping import Float, Int, Num

from jaxcause._checks import check_square, is_concrete
from jaxcause._precision import float64_where_asked, outside
from jaxcause._pytree import pytree_dataclass
from jaxcause._typing import AnyArray, CIResult, NodeIndex
from jaxcause.stats._check_correlation import checked_correlation, checked_n_samples
from jaxcause.stats._definite import SINGULAR as SINGULAR
from jaxcause.stats._fisher_z import fisher_z_p_value


@pytree_dataclass(static=("one_sided", "search_dtype"))
class PartialCorrelationTest:
    """See `partial_correlation_test`."""

    corr: Float[AnyArray, "*graphs nodes nodes"]
    n_samples: Num[AnyArray, "*#graphs"]
    one_sided: bool = False
    search_dtype: np.dtype | None = None

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return self.corr.shape[-1]

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """Leading axes: a batch of graphs."""
        return self.corr.shape[:-2]

    def __getitem__(self, graph: tuple[Any, ...]) -> "PartialCorrelationTest":
        """The test of one graph of the batch, or of several."""
        xp = np if is_concrete(self.n_samples, graph) else jnp
        n_samples = xp.broadcast_to(xp.asarray(self.n_samples), self.batch_shape)[graph]
        return PartialCorrelationTest(
            self.corr[graph], xp.asarray(n_samples), self.one_sided, self.search_dtype
        )

    def __call__(self, x: NodeIndex, y: NodeIndex, cond: Int[AnyArray, "k"]) -> CIResult:
        """Test X ⊥ Y | S; the statistic is the partial correlation."""
        with float64_where_asked(self.corr, x, y, cond):
            result = self._evaluate(jnp.asarray(self.corr), x, y, jnp.asarray(cond, jnp.int32))
        return outside(result)

    def _evaluate(
        self,
        corr: Float[Array, "nodes nodes"],
        x: NodeIndex,
        y: NodeIndex,
        cond: Int[Array, "k"],
    ) -> CIResult:
        r = partial_correlation(corr, x, y, cond)
        size = (cond >= 0).sum(dtype=jnp.int32).astype(corr.dtype)
        degrees = jnp.asarray(self.n_samples, corr.dtype) - size - 3
        p_value = fisher_z_p_value(r, degrees)
        if self.one_sided:
            # Where a conditional variance vanishes r is ±1: dependent, whatever its sign.
            p_value = jnp.where((r <= 0) & (r > -1), jnp.ones_like(p_value), p_value)
        return CIResult(statistic=r, p_value=p_value)


def partial_correlation_test(
    corr: Float[AnyArray, "*graphs nodes nodes"],
    n_samples: Num[AnyArray, "*#graphs"] | int | float,
    *,
    one_sided: bool = False,
    search_dtype: DTypeLike | None = None,
) -> PartialCorrelationTest:
    """Fisher-z test of vanishing partial correlation, given a correlation matrix.

    It runs in the dtype of ``corr`` (half precision: in float32), and in float64 where a bound on
    the condition number of a concrete ``corr``, at most √nodes above it, exceeds 1e5. A covariance
    matrix is scaled to unit diagonal. A singular matrix is accepted, since copies of a variable are
    data and not a mistake (see `is_singular`): where a conditional variance vanishes, the answer is
    *dependent*. So it is where ``n_samples`` leaves no degrees of freedom. Traced arguments are not
    checked, and must be correlations.

    Args:
        corr: Correlation (or covariance) matrices; leading axes are a batch of graphs.
        n_samples: Number of samples behind the matrix, one for all or one per graph. Up to 3 can
            test nothing, and every p-value is 0.
        one_sided: Take negative partial correlations as independent (p = 1).
        search_dtype: Precision in which a search runs most of its tests, by default that of
            ``corr``. With float32 beside a float64 ``corr``, tests whose decision rounding could
            turn are evaluated again in float64.

    Raises:
        InputError: ``corr`` is not square, not finite, has a variance that is not positive, is not
            symmetric (two entries of a pair differ by more than 1e-5), holds a correlation beyond
            ±1, or is not positive semi-definite (an eigenvalue is below -1e-6 per node); or
            ``n_samples`` is not positive and finite, or of another batch.

    >>> import numpy as np
    >>> test = partial_correlation_test(np.array([[1.0, 0.5], [0.5, 1.0]]), 100)
    >>> bool(test(0, 1, np.array([-1])).p_value < 1e-6)
    True
    """
    check_square("corr", corr)
    dtype = None if search_dtype is None else np.dtype(search_dtype)
    if is_concrete(corr, n_samples):
        corr = checked_correlation(np.asarray(corr))
        return PartialCorrelationTest(corr, checked_n_samples(n_samples, corr), one_sided, dtype)
    return PartialCorrelationTest(corr, jnp.asarray(n_samples), one_sided, dtype)


def partial_correlation(
    corr: Float[Array, "nodes nodes"],
    x: NodeIndex,
    y: NodeIndex,
    cond: Int[Array, "k"],
) -> Float[Array, ""]:
    r"""Partial correlation of X and Y given S; ±1 where a conditional variance vanishes.

    With Σ the correlations of (X, Y, S), the variables of S are swept out one at a time,
    :math:`\Sigma \leftarrow \Sigma - \Sigma_{\cdot s}\Sigma_{s\cdot}/\Sigma_{ss}`, and
    :math:`r = \Sigma_{xy} / \sqrt{\Sigma_{xx}\Sigma_{yy}}`. A padded entry of S is a variable of
    unit variance that is correlated with nothing.

    Args:
        corr: Correlation matrix.
        x: First node.
        y: Second node.
        cond: The set S, padded with -1.
    """
    k = cond.shape[0]
    members = jnp.concatenate([jnp.stack([jnp.asarray(x), jnp.asarray(y)]).astype(jnp.int32), cond])
    real = members >= 0
    identity = jnp.eye(k + 2, dtype=corr.dtype)
    sigma = corr[members[:, None], members[None, :]]
    sigma = jnp.where(real[:, None] & real[None, :], sigma, identity)
    tolerance = SINGULAR * jnp.finfo(corr.dtype).eps
    regular = jnp.asarray(True)
    for s in range(2, k + 2):
        pivot = sigma[s, s]
        regular &= pivot > tolerance
        safe = jnp.where(pivot > tolerance, pivot, jnp.ones_like(pivot))
        sigma = sigma - sigma[:, s, None] * (sigma[s, None, :] / safe)
    regular &= (sigma[0, 0] > tolerance) & (sigma[1, 1] > tolerance)
    scale = jnp.where(regular, sigma[0, 0] * sigma[1, 1], jnp.ones_like(sigma[0, 0]))
    r = sigma[0, 1] / jnp.sqrt(scale)
    return jnp.where(regular, r, jnp.copysign(jnp.ones_like(r), r))
