"""Partial correlation as a conditional independence test."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.linalg import solve_triangular
from jax.typing import DTypeLike
from jaxtyping import Float, Int, Num

from jaxcause._checks import InputError, check_square, is_concrete
from jaxcause._precision import float64_where_asked, outside
from jaxcause._pytree import pytree_dataclass
from jaxcause._typing import AnyArray, CIResult, NodeIndex
from jaxcause.stats._check_correlation import checked_correlation, checked_n_samples
from jaxcause.stats._definite import least_variance, regular_cholesky
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
        return self._test(x, y, cond, redundant=False)

    def given_many(self, x: NodeIndex, y: NodeIndex, cond: Int[AnyArray, "k"]) -> CIResult:
        """Test X ⊥ Y | S where S is long and may hold redundant nodes; see `partial_correlation`.

        A call of the test itself takes a redundant node in S for dependence.
        """
        return self._test(x, y, cond, redundant=True)

    def _test(
        self, x: NodeIndex, y: NodeIndex, cond: Int[AnyArray, "k"], *, redundant: bool
    ) -> CIResult:
        with float64_where_asked(self.corr, x, y, cond):
            given = jnp.asarray(cond, jnp.int32)
            options = {"one_sided": self.one_sided, "redundant": redundant}
            result = _test_one(self.corr, self.n_samples, x, y, given, **options)
        return outside(result)


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


@partial(jax.jit, static_argnames=("one_sided", "redundant"))
def _test_one(
    corr: Float[Array, "nodes nodes"],
    n_samples: Num[Array, ""],
    x: NodeIndex,
    y: NodeIndex,
    cond: Int[Array, "k"],
    *,
    one_sided: bool,
    redundant: bool,
) -> CIResult:
    r = partial_correlation(corr, x, y, cond, redundant=redundant)
    size = (cond >= 0).sum(dtype=jnp.int32).astype(corr.dtype)
    p_value = fisher_z_p_value(r, jnp.asarray(n_samples, corr.dtype) - size - 3)
    if one_sided:
        # Where a conditional variance vanishes r is ±1: dependent, whatever its sign.
        p_value = jnp.where((r <= 0) & (r > -1), jnp.ones_like(p_value), p_value)
    return CIResult(statistic=r, p_value=p_value)


def partial_correlation(
    corr: Float[Array, "nodes nodes"],
    x: NodeIndex,
    y: NodeIndex,
    cond: Int[Array, "k"],
    *,
    redundant: bool = False,
) -> Float[Array, ""]:
    r"""Partial correlation of X and Y given S; 1 where a conditional variance vanishes.

    With R the correlations and :math:`R_{SS} = L L^\top` (Cholesky),

    .. math:: H = L^{-1} R_{S,xy}, \quad C = R_{xy,xy} - H^\top H, \quad
        r = C_{xy} / \sqrt{C_{xx} C_{yy}}

    where C is the covariance of X and Y given S. A variance of at most 64 rounding errors, of X, of
    Y or of a member of S given the earlier ones, counts as zero. A padded entry of S is a variable
    that is correlated with nothing. Two batched forms of the same equation avoid the cost of many
    factorizations: `discovery/_kernel/partial_correlation.py` in searches, and
    `discovery/_pcmci/student_test.py`; tests hold them equal.

    Args:
        corr: Correlation matrix.
        x: First node.
        y: Second node.
        cond: The set S, padded with -1.
        redundant: Whether S may hold redundant nodes. The variance of such a node given the earlier
            ones is a rounding error: if that is positive, the node changes r by as little, and if
            not, r is 1.
    """
    ends = jnp.stack([jnp.asarray(x, jnp.int32), jnp.asarray(y, jnp.int32)])
    real = cond >= 0
    identity = jnp.eye(cond.shape[0], dtype=corr.dtype)
    both = real[:, None] & real[None, :]
    within = jnp.where(both, corr[cond[:, None], cond[None, :]], identity)
    across = jnp.where(real[:, None], corr[cond[:, None], ends[None, :]], 0)
    factor = jnp.linalg.cholesky(within) if redundant else regular_cholesky(within)
    half = solve_triangular(factor, across, lower=True)
    left = corr[ends[:, None], ends[None, :]] - half.T @ half
    tolerance = least_variance(corr.dtype)
    regular = (left[0, 0] > tolerance) & (left[1, 1] > tolerance) & jnp.isfinite(left[0, 1])
    scale = jnp.where(regular, left[0, 0] * left[1, 1], 1)
    return jnp.where(regular, left[0, 1] / jnp.sqrt(scale), 1)


def partial_correlations(
    corr: Float[AnyArray, "*graphs nodes nodes"],
) -> Float[np.ndarray, "*graphs nodes nodes"]:
    r"""Partial correlation of each pair given all other nodes, with :math:`Ω = R^{-1}`.

    .. math:: ρ_{ij} = -Ω_{ij} / \sqrt{Ω_{ii} Ω_{jj}}

    in float64, on the host. It is `partial_correlation` for all pairs at once: they share one
    inverse, where each pair by itself would need a factorization. NaN where R is singular in
    rounding; the diagonal is 1.

    Args:
        corr: Correlation matrices.

    Raises:
        InputError: ``corr`` is not square, or holds NaN.

    >>> import numpy as np
    >>> path = np.array([[1.0, 0.5, 0.25], [0.5, 1.0, 0.5], [0.25, 0.5, 1.0]])
    >>> np.abs(partial_correlations(path)[0].round(6)).tolist()
    [1.0, 0.447214, 0.0]
    """
    check_square("corr", corr)
    r = np.asarray(corr, np.float64)
    if np.isnan(r).any():
        raise InputError(
            "corr holds NaN; leave out constant columns, and tokens that attend to nothing"
        )
    values, vectors = np.linalg.eigh(r)
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = (vectors / values[..., None, :]) @ np.swapaxes(vectors, -1, -2)
        scale = np.sqrt(np.einsum("...ii->...i", inverse))
        rho = -inverse / (scale[..., :, None] * scale[..., None, :])
    lowest = r.shape[-1] * np.finfo(np.float64).eps * values[..., -1:]
    singular = (values[..., :1] <= lowest)[..., None]
    rho = np.clip(np.where(singular, np.nan, rho), -1.0, 1.0)
    np.einsum("...ii->...i", rho)[...] = 1.0
    return rho
