"""Partial correlation as a conditional independence test."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Bool, Float, Int, Num

from jaxcause._checks import InputError, check_host, check_square, check_test_nodes, is_concrete
from jaxcause._namespace import namespace, on_host
from jaxcause._precision import float64_where_asked, outside
from jaxcause._pytree import pytree_dataclass
from jaxcause._small_work import pays_to_compile
from jaxcause._typing import AnyArray, CIResult, Nodes
from jaxcause.stats._check_correlation import checked_correlation, checked_n_samples
from jaxcause.stats._definite import nearly_copies, pairs_of_copies
from jaxcause.stats._elimination import eliminate, redundant_below
from jaxcause.stats._fisher_z import fisher_z_p_value, n_conditions


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

    @property
    def takes_rows(self) -> bool:
        """Whether numpy arrays ``x, y [rows]`` and ``cond [rows, k]`` are tested all at once."""
        return not self.batch_shape

    def indistinct(self) -> Bool[AnyArray, "*graphs nodes nodes"]:
        """Pairs of which 1 − r² is rounding; works on numpy arrays and inside a traced program."""
        corr = np.asarray(self.corr) if is_concrete(self.corr) else self.corr
        return pairs_of_copies(corr, redundant_below(np.dtype(corr.dtype)))

    def nearly_indistinct(self) -> Bool[AnyArray, "*graphs nodes nodes"]:
        """Pairs that are nearly copies; as `indistinct`."""
        corr = np.asarray(self.corr) if is_concrete(self.corr) else self.corr
        return nearly_copies(corr, redundant_below(np.dtype(corr.dtype)))

    def __call__(self, x: Nodes, y: Nodes, cond: Int[AnyArray, "*rows k"]) -> CIResult:
        """Test X ⊥ Y | S; the statistic is the partial correlation."""
        check_test_nodes(self.n_nodes, x, y, cond)
        arguments = self.corr, self.n_samples, x, y, cond
        if on_host(arguments) and not self._pays_to_compile(x, cond):
            return _formula(*arguments, one_sided=self.one_sided)
        with float64_where_asked(self.corr, x, y, cond):
            given = jnp.asarray(cond, jnp.int32)
            result = _test(self.corr, self.n_samples, x, y, given, one_sided=self.one_sided)
        return outside(result)

    def _pays_to_compile(self, x: Nodes, cond: Int[AnyArray, "*rows k"]) -> bool:
        """Whether a caller makes so many single tests that a program pays for itself."""
        if np.ndim(x):
            return False
        program = ("one test", self.corr.shape, self.corr.dtype, cond.shape, self.one_sided)
        return pays_to_compile(program, 1e-4, 0.2)


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
    data and not a mistake (see `is_singular`): copies are dependent, and redundant conditions
    change nothing (see `partial_correlation`). The answer is *dependent*, too, where ``n_samples``
    leaves no degrees of freedom. Traced arguments are not checked, and must be correlations.

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


def _formula(
    corr: Float[AnyArray, "nodes nodes"],
    n_samples: Num[AnyArray, ""] | int | float,
    x: Nodes,
    y: Nodes,
    cond: Int[AnyArray, "*rows k"],
    *,
    one_sided: bool,
) -> CIResult:
    """Partial correlation and Fisher's z, for one test or one in each row."""
    xp = namespace(corr, n_samples, x, y, cond)
    r = partial_correlation(corr, x, y, cond)
    size = n_conditions(cond).astype(corr.dtype)
    p_value = fisher_z_p_value(r, xp.asarray(xp.asarray(n_samples, corr.dtype) - size - 3))
    if one_sided:
        # Copies are dependent, whatever the sign of r.
        p_value = xp.where((r <= 0) & (r > -1), xp.ones_like(p_value), p_value)
    return CIResult(statistic=r, p_value=p_value)


_test = jax.jit(_formula, static_argnames=("one_sided",))


def partial_correlation(
    corr: Float[AnyArray, "nodes nodes"], x: Nodes, y: Nodes, cond: Int[AnyArray, "*rows k"]
) -> Float[AnyArray, "*rows"]:
    r"""Partial correlation of X and Y given S.

    .. math:: C = R_{xy,xy} - R_{xy,S} R_{SS}^{-1} R_{S,xy}, \quad
        r = C_{xy} / \sqrt{C_{xx} C_{yy}}

    where R holds the correlations and C is the covariance of X and Y given S. Redundancy is not
    dependence. A member of S that the earlier ones determine changes nothing. A member that would
    determine X or Y, such as a copy of X, is left out: given such a set X is constant, and every
    answer would be arbitrary. Only X and Y that are copies of one another have r = ±1. What is left
    of a variance counts as zero up to 64,000 rounding errors, but no more than 1e-5: correlations
    that were computed from data carry rounding errors of their own.

    A padded entry of S is a variable that is correlated with nothing. Two batched forms avoid the
    cost of one call per test: `discovery/_kernel/partial_correlation.py` in searches, where a
    redundant set separates nothing that its subsets have not separated, and
    `discovery/_pcmci/student_test.py`. Tests hold them equal.

    Args:
        corr: Correlation matrix.
        x: First node.
        y: Second node.
        cond: The set S, padded with -1.
    """
    xp, n_given = namespace(corr, x, y, cond), cond.shape[-1]
    ends = xp.asarray(x, np.int32), xp.asarray(y, np.int32)
    listed = xp.moveaxis(xp.asarray(cond, np.int32), -1, 0).reshape(n_given, ends[0].size)
    members = xp.concatenate([listed, *(end.reshape(1, -1) for end in ends)])
    real = members >= 0
    eye = np.eye(len(members), dtype=corr.dtype)[..., None]
    sigma = xp.where(real[:, None] & real[None], xp.asarray(corr)[members[:, None], members], eye)
    return partial_correlation_of(sigma).reshape(ends[0].shape)


def partial_correlation_of(
    sigma: Float[AnyArray, "members members lanes"],
) -> Float[AnyArray, "lanes"]:
    """Partial correlation of the last two members given the others (`partial_correlation`).

    Args:
        sigma: Correlations among the members of each set.
    """
    xp, tolerance = namespace(sigma), redundant_below(sigma.dtype)
    (xx, xy), (_, yy) = eliminate(sigma, 2, tolerance=tolerance)
    distinct = (xx * yy - xy * xy) > tolerance * xx
    sign = xp.where(xy < 0, -xp.ones_like(xy), xp.ones_like(xy))
    return xp.where(distinct, xy / xp.sqrt(xp.where(distinct, xx * yy, xp.ones_like(xx))), sign)


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
        InputError: ``corr`` is not square, is traced, or holds NaN.

    >>> import numpy as np
    >>> path = np.array([[1.0, 0.5, 0.25], [0.5, 1.0, 0.5], [0.25, 0.5, 1.0]])
    >>> np.abs(partial_correlations(path)[0].round(6)).tolist()
    [1.0, 0.447214, 0.0]
    """
    check_square("corr", corr)
    check_host("corr", corr)
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
