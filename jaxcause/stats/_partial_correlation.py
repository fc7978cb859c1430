"""Partial correlation as a conditional independence test."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Int, Num

from jaxcause._checks import InputError, check_square, is_concrete
from jaxcause._precision import float64_where_asked, outside
from jaxcause._pytree import pytree_dataclass
from jaxcause._typing import AnyArray, CIResult, NodeIndex
from jaxcause.stats._covariance import condition_number, correlation_matrix
from jaxcause.stats._fisher_z import fisher_z_p_value

WORST_CONDITION_IN_FLOAT32 = 1e5
"""Above it, single precision leaves fewer than two correct digits in a partial correlation."""


@pytree_dataclass(static=("one_sided",))
class PartialCorrelationTest:
    """See `partial_correlation_test`."""

    corr: Float[AnyArray, "*graphs nodes nodes"]
    n_samples: Num[AnyArray, "*#graphs"]
    one_sided: bool = False

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return self.corr.shape[-1]

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """Leading axes: a batch of graphs."""
        return self.corr.shape[:-2]

    def __getitem__(self, graph: tuple[int, ...]) -> "PartialCorrelationTest":
        """The test of one graph of the batch."""
        n_samples = jnp.broadcast_to(jnp.asarray(self.n_samples), self.batch_shape)[graph]
        return PartialCorrelationTest(self.corr[graph], n_samples, self.one_sided)

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
            p_value = jnp.where(r <= 0, jnp.ones_like(p_value), p_value)
        return CIResult(statistic=r, p_value=p_value)


def partial_correlation_test(
    corr: Float[AnyArray, "*graphs nodes nodes"],
    n_samples: Num[AnyArray, "*#graphs"] | int | float,
    *,
    one_sided: bool = False,
) -> PartialCorrelationTest:
    """Fisher-z test of vanishing partial correlation, given a correlation matrix.

    It runs in the dtype of ``corr``, and in float64 where the condition number of a concrete
    float32 ``corr`` exceeds 1e5.

    Args:
        corr: Correlation (or covariance) matrices; leading axes are a batch of graphs.
        n_samples: Number of samples behind the matrix, one for all or one per graph.
        one_sided: Take negative partial correlations as independent (p = 1).

    Raises:
        InputError: ``corr`` is not square, not symmetric, not finite, has a variance that is not
            positive, or ``n_samples`` is not positive.

    >>> import numpy as np
    >>> test = partial_correlation_test(np.array([[1.0, 0.5], [0.5, 1.0]]), 100)
    >>> bool(test(0, 1, np.array([-1])).p_value < 1e-6)
    True
    """
    check_square("corr", corr)
    if is_concrete(corr, n_samples):
        corr = _checked_correlation(np.asarray(corr))
        if (np.asarray(n_samples) <= 0).any():
            raise InputError(f"n_samples={n_samples} must be positive: how many rows gave corr?")
        return PartialCorrelationTest(corr, np.asarray(n_samples), one_sided)
    return PartialCorrelationTest(corr, jnp.asarray(n_samples), one_sided)


def partial_correlation_test_from_data(
    x: Float[AnyArray, "*graphs samples nodes"], *, one_sided: bool = False
) -> PartialCorrelationTest:
    """`partial_correlation_test` on the correlations of data.

    Concrete data are correlated in float64, so that conditioning costs no digits.

    Args:
        x: Samples in rows; leading axes are a batch of graphs.
        one_sided: Take negative partial correlations as independent (p = 1).

    Raises:
        InputError: A value is not finite, a column is constant, or there are fewer than two rows.

    >>> import numpy as np
    >>> partial_correlation_test_from_data(np.random.default_rng(0).normal(size=(50, 3))).n_nodes
    3
    """
    if np.ndim(x) < 2 or np.shape(x)[-2] < 2:
        raise InputError(f"x has shape {np.shape(x)}, but must be [..., samples ≥ 2, nodes]")
    n_samples = np.shape(x)[-2]
    if not is_concrete(x):
        return PartialCorrelationTest(
            correlation_matrix(x), jnp.asarray(n_samples, x.dtype), one_sided
        )
    given = np.asarray(x)
    if not np.isfinite(given).all():
        raise InputError("x holds NaN or infinite values; drop or fill those rows")
    constant = np.ptp(given, axis=-2) == 0
    if constant.any():
        raise InputError(f"x is constant in column {np.argwhere(constant)[0][-1]}; leave it out")
    with jax.enable_x64(True):
        corr = np.asarray(correlation_matrix(given.astype(np.float64)))
    single = given.dtype == np.float32 and condition_number(corr) <= WORST_CONDITION_IN_FLOAT32
    return partial_correlation_test(
        corr.astype(np.float32) if single else corr, n_samples, one_sided=one_sided
    )


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
    tolerance = 64 * jnp.finfo(corr.dtype).eps
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


def _checked_correlation(corr: np.ndarray) -> np.ndarray:
    """A finite, symmetric, unit-diagonal copy of ``corr`` in the precision that it asks for."""
    if not np.isfinite(corr).all():
        raise InputError("corr holds NaN or infinite values: is a column constant or incomplete?")
    scale = np.abs(corr).max(initial=0.0)
    if not np.allclose(corr, np.swapaxes(corr, -1, -2), atol=1e-5 * scale):
        raise InputError("corr is not symmetric; pass a correlation or covariance matrix")
    variance = np.diagonal(corr, axis1=-2, axis2=-1)
    if (variance <= 0).any():
        raise InputError("corr has a variance that is not positive on its diagonal")
    deviation = np.sqrt(variance)
    unit = corr / (deviation[..., :, None] * deviation[..., None, :])
    if unit.dtype == np.float32 and condition_number(unit) > WORST_CONDITION_IN_FLOAT32:
        unit = unit.astype(np.float64)
    return unit
