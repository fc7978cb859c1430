"""Regression with instruments: effects that hidden causes do not bias."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.linalg import cho_solve, solve_triangular
from jax.scipy.special import erfc, gammaincc
from jaxtyping import Bool, Float, Int, Num

from jaxcause._checks import InputError, check_square
from jaxcause._precision import float64_where_asked, outside
from jaxcause._typing import AnyArray
from jaxcause.stats._definite import regular_cholesky


class InstrumentalFit(NamedTuple):
    """What `instrumental_regression` returns; padded regressors have effect 0 and p-value 1.

    Args:
        effect: Effect of each regressor, in standard deviations of the target per standard
            deviation of the regressor.
        standard_error: Standard error of ``effect``.
        p_value: Two-sided p-value of no effect.
        least_squares: The effect that an ordinary regression finds.
        difference_p_value: p-value of Hausman's test, for each regressor: both estimate one effect.
        overidentification_p_value: p-value of Sargan's test: no instrument acts on the target other
            than through the regressors, or shares a cause with it. It is 1 if there are no more
            instruments than regressors.
    """

    effect: Float[AnyArray, "targets regressors"]
    standard_error: Float[AnyArray, "targets regressors"]
    p_value: Float[AnyArray, "targets regressors"]
    least_squares: Float[AnyArray, "targets regressors"]
    difference_p_value: Float[AnyArray, "targets regressors"]
    overidentification_p_value: Float[AnyArray, "targets"]


def instrumental_regression(
    corr: Float[AnyArray, "nodes nodes"],
    n_samples: Num[AnyArray, ""] | int | float,
    *,
    target: Int[AnyArray, "targets"],
    regressors: Int[AnyArray, "targets regressors"],
    instruments: Bool[AnyArray, "nodes"],
) -> InstrumentalFit:
    r"""Effects on some targets that hidden common causes do not bias, by Fuller's estimator.

    In :math:`y = X\beta + e`, a hidden cause may make :math:`e` correlate with :math:`X`.
    Instruments Z are variables that do not correlate with :math:`e`. With
    :math:`P = Z(Z^\top Z)^{-1}Z^\top`,

    .. math::

        \hat\beta = (X^\top P X - a X^\top X)^{-1} (X^\top P y - a X^\top y),

    With a = 0 this is two-stage least squares, which is biased with many instruments. With the
    smallest a for which :math:`W^\top P W - a W^\top W`, :math:`W = (y, X)`, is singular, it is
    limited information maximum likelihood. Fuller (1977) lowers that a by about 1/N, so that the
    estimator has moments; this is what is computed. Standard errors allow for many instruments
    (Bekker, 1994), and assume that the variance of e does not depend on Z.

    It is a pure function of the correlations, and can be jitted and batched; on concrete float64 it
    runs in float64. The result is NaN if regressors or instruments are collinear, or if there are
    more regressors than instruments.

    Args:
        corr: Correlation (or covariance) matrix of all variables.
        n_samples: Number of samples N behind it.
        target: Node of each target y.
        regressors: Nodes of the X of each target, padded with -1.
        instruments: Which nodes are Z, the same for all targets.

    Returns:
        Effects, their tests, and two tests of the assumptions.

    Raises:
        InputError: ``corr`` is not square, ``regressors`` has not one row per target, or
            ``instruments`` has not one entry per node.

    Source: Fuller (1977), Econometrica 45, "Some properties of a modification of the limited
    information estimator"; standard errors, Bekker (1994), Econometrica 62, in the form of Hansen,
    Hausman & Newey (2008); the tests, Sargan (1958) and Hausman (1978).

    >>> rng = np.random.default_rng(0)
    >>> z, u, e = rng.normal(size=(3, 5000)); x = z + u; y = u + e  # u is hidden: no effect x → y
    >>> found = instrumental_regression(np.corrcoef([y, x, z]), 5000, target=np.array([0]),
    ...     regressors=np.array([[1]]), instruments=np.array([False, False, True]))
    >>> bool(abs(found.least_squares[0, 0]) > 0.4), bool(found.p_value[0, 0] > 0.1)
    (True, True)
    """
    check_square("corr", corr)
    if len(regressors) != len(target):
        raise InputError(
            f"regressors has {len(regressors)} rows for {len(target)} targets; give one to each"
        )
    if len(instruments) != corr.shape[-1]:
        raise InputError(
            f"instruments has {len(instruments)} entries, but corr is about {corr.shape[-1]} nodes"
        )
    given = corr, n_samples, target, regressors, instruments
    with float64_where_asked(corr):
        found = _fit(*map(jnp.asarray, given))
    return outside(found)


@jax.jit
def _fit(
    corr: Float[Array, "nodes nodes"],
    n_samples: Num[Array, ""],
    target: Int[Array, "targets"],
    regressors: Int[Array, "targets regressors"],
    instruments: Bool[Array, "nodes"],
) -> InstrumentalFit:
    identity = jnp.eye(corr.shape[0], dtype=corr.dtype)
    among = jnp.where(instruments[:, None] & instruments[None, :], corr, identity)
    onto = jnp.where(instruments[:, None], corr, 0)
    projected = solve_triangular(regular_cholesky(among), onto, lower=True)
    count = instruments.sum(dtype=jnp.int32).astype(corr.dtype)
    size = jnp.asarray(n_samples, corr.dtype)

    def one(y: Array, xs: Array) -> InstrumentalFit:
        nodes = jnp.concatenate([y[None], xs])
        real = nodes >= 0
        both = real[:, None] & real[None, :]
        # The instruments explain padding in full, so that it is never the smallest eigenvalue.
        pad = jnp.eye(len(nodes), dtype=corr.dtype)
        total = jnp.where(both, corr[nodes[:, None], nodes[None, :]], pad)
        part = jnp.where(both, projected[:, nodes].T @ projected[:, nodes], pad)
        return _one_target(total, part, real[1:], size, count)

    return jax.vmap(one)(target.astype(jnp.int32), regressors.astype(jnp.int32))


def _one_target(
    total: Float[Array, "terms terms"],
    part: Float[Array, "terms terms"],
    real: Bool[Array, "regressors"],
    size: Float[Array, ""],
    n_instruments: Float[Array, ""],
) -> InstrumentalFit:
    """The fit from the moments W'W of W = (y, X), and their part W'PW that instruments explain."""
    n_real = real.sum(dtype=jnp.int32).astype(total.dtype)
    factor = regular_cholesky(total)
    half = solve_triangular(factor, part, lower=True)
    smallest = jnp.linalg.eigvalsh(solve_triangular(factor, half.T, lower=True))[0]
    step = (1 - smallest) / size
    a = (smallest - step) / (1 - step)
    identified = part[1:, 1:] - a * total[1:, 1:]
    effect = jnp.linalg.solve(identified, part[1:, 0] - a * total[1:, 0])
    error = jnp.concatenate([jnp.ones((1,), total.dtype), -effect])
    variance = error @ total @ error
    share = error @ part @ error / variance
    # The standard errors are those of X without the part that is common to X and e.
    common = (total[1:] @ error) / variance
    cross = jnp.outer(part[1:] @ error, common)
    of_part = part[1:, 1:] - cross - cross.T + variance * share * jnp.outer(common, common)
    of_total = total[1:, 1:] - variance * jnp.outer(common, common)
    middle = (1 - share) ** 2 * of_part + share**2 * (of_total - of_part)
    inverse = jnp.linalg.inv(identified)
    spread = jnp.diag(inverse @ middle @ inverse) * variance / (size - n_real)

    own = regular_cholesky(total[1:, 1:])
    plain = cho_solve((own, True), total[1:, 0])
    left = total[0, 0] - total[1:, 0] @ plain
    plain_spread = jnp.diag(cho_solve((own, True), jnp.eye(len(plain), dtype=total.dtype)))
    plain_spread = plain_spread * left / (size - n_real)
    # Hausman's test needs the ordinary regression to be the more precise one.
    more = spread - plain_spread
    difference = jnp.where(more > 0, jnp.abs(effect - plain) / jnp.sqrt(jnp.abs(more)), 0)

    surplus = n_instruments - n_real
    sargan = gammaincc(jnp.maximum(surplus, 1) / 2, jnp.maximum(size * share, 0) / 2)
    possible = surplus >= 0
    standard_error = jnp.where(possible, jnp.sqrt(spread), jnp.nan)
    effect, difference = (jnp.where(possible, a, jnp.nan) for a in (effect, difference))
    return InstrumentalFit(
        effect=jnp.where(real, effect, 0),
        standard_error=jnp.where(real, standard_error, 0),
        p_value=jnp.where(real, _two_sided(effect / standard_error), 1),
        least_squares=jnp.where(real, plain, 0),
        difference_p_value=jnp.where(real, _two_sided(difference), 1),
        overidentification_p_value=jnp.where(surplus > 0, sargan, jnp.where(possible, 1, jnp.nan)),
    )


def _two_sided(z: Float[Array, "regressors"]) -> Float[Array, "regressors"]:
    return erfc(jnp.abs(z) / np.sqrt(2))
