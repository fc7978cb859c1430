"""Validation of correlation matrices and of the number of samples behind them (host side)."""

import numpy as np
from jaxtyping import Float, Num

from jaxcause._checks import InputError
from jaxcause._typing import AnyArray
from jaxcause.stats._definite import eigenvalues_exceed
from jaxcause.stats._redundant_columns import as_estimated, with_equal_copies

INDEFINITE = 1e-6
"""Eigenvalues down to minus so much per node are rounding errors, as of a float32 ``A Aᵀ``."""

ASYMMETRIC = 1e-5
"""Largest difference between the two entries of a pair."""

WORST_CONDITION_IN_FLOAT32 = 1e5
"""Above it, single precision leaves fewer than two correct digits in a partial correlation."""


def checked_correlation(
    corr: Num[np.ndarray, "*graphs nodes nodes"],
) -> Float[np.ndarray, "*graphs nodes nodes"]:
    """A finite, symmetric, unit-diagonal copy of ``corr``, in float64 if it is ill-conditioned."""
    unit = _unit_diagonal(_as_floating(corr))
    transposed = np.swapaxes(unit, -1, -2)
    if (unit != transposed).any():
        _check_symmetric(corr, np.abs(unit - transposed))
        unit = (unit + transposed) / 2
    _check_at_most_one(corr, unit)
    if unit.dtype == np.float32 and fits_float32(unit):
        return unit  # positive definite, or it would not have fitted
    _check_semidefinite(unit)
    return with_equal_copies(unit.astype(np.float64, copy=False), as_estimated(unit.dtype))


def checked_n_samples(
    n_samples: Num[AnyArray, "*graphs"] | int | float, corr: Float[np.ndarray, "*batch nodes nodes"]
) -> Num[np.ndarray, "*graphs"]:
    """``n_samples`` as an array, in the precision of ``corr`` where it is not whole."""
    given, batch = np.asarray(n_samples), corr.shape[:-2]
    if given.dtype.kind not in "iuf":
        raise InputError(f"n_samples={n_samples!r} must be a number: how many rows gave corr?")
    bad = ~(np.isfinite(given) & (given > 0))
    if bad.any():
        raise InputError(f"n_samples={given[bad][0]} must be positive: how many rows gave corr?")
    longer = given.ndim > len(batch)
    if longer or any(a not in (1, b) for a, b in zip(given.shape[::-1], batch[::-1], strict=False)):
        raise InputError(
            f"n_samples has shape {given.shape}, but corr holds a batch of graphs of shape "
            f"{batch}; give one number for all, or one per graph"
        )
    return given if np.issubdtype(given.dtype, np.integer) else given.astype(corr.dtype)


def fits_float32(corr: Float[np.ndarray, "*graphs nodes nodes"]) -> bool:
    r"""Whether every condition number is certainly at most 1e5.

    :math:`\lambda_{\max} \le \min(\|R\|_\infty, \|R\|_F)`, and a Cholesky factorization tells
    whether :math:`\lambda_{\min}` exceeds that bound / 1e5. The bound is at most √n too large, so
    some matrices that would fit are taken to float64.
    """
    size = np.abs(corr)
    frobenius = np.sqrt(np.einsum("...ij,...ij->...", size, size, dtype=np.float64))
    largest = np.minimum(size.sum(axis=-1).max(axis=-1, initial=0.0), frobenius)
    return eigenvalues_exceed(corr, largest / WORST_CONDITION_IN_FLOAT32)


def _as_floating(corr: np.ndarray) -> np.ndarray:
    """A copy in float32 or float64, and finite."""
    if np.issubdtype(corr.dtype, np.complexfloating):
        raise InputError(f"corr is {corr.dtype}; pass real correlations")
    kept = corr.dtype in (np.float32, np.float64)
    narrow = not kept and not np.issubdtype(corr.dtype, np.integer)
    copy = np.array(corr, corr.dtype if kept else np.float32 if narrow else np.float64)
    finite = np.isfinite(copy)
    if not finite.all():
        raise InputError(
            f"{_entry(copy, ~finite)}, NaN or infinite: leave out constant columns, and fill or "
            "drop missing values (or use missing='pairwise' from data)"
        )
    return copy


def _unit_diagonal(corr: np.ndarray) -> np.ndarray:
    """Scale in place: covariances become correlations."""
    variance = np.diagonal(corr, axis1=-2, axis2=-1).copy()
    if (variance <= 0).any():
        *graph, node = np.argwhere(variance <= 0)[0]
        raise InputError(
            f"corr{[int(i) for i in (*graph, node, node)]}={variance[*graph, node]:g} is the "
            f"variance of node {node}, and is not positive: leave that column out, or give a "
            "padded node variance 1"
        )
    if (variance != 1).any():
        # One factor at a time: the product of two may overflow or underflow.
        with np.errstate(over="ignore"):
            corr /= np.sqrt(variance)[..., :, None]
            corr /= np.sqrt(variance)[..., None, :]
        np.einsum("...ii->...i", corr)[...] = 1
    return corr


def _check_symmetric(corr: np.ndarray, difference: np.ndarray) -> None:
    bad = difference > ASYMMETRIC
    if bad.any():
        raise InputError(
            f"{_entry(corr, bad)} but {_entry(np.swapaxes(corr, -1, -2), bad, swap=True)}: corr is "
            "not symmetric; pass a correlation or covariance matrix, or (corr + corr.T) / 2"
        )


def _check_at_most_one(corr: np.ndarray, unit: np.ndarray) -> None:
    bad = np.abs(unit) > 1 + INDEFINITE * unit.shape[-1]
    if bad.any():
        value = unit[tuple(np.argwhere(bad)[0])]
        raise InputError(
            f"{_entry(corr, bad)} is a correlation of {value:g} after scaling by the diagonal, but "
            "none exceeds 1 in size: is the diagonal that of the same matrix?"
        )


def _check_semidefinite(unit: np.ndarray) -> None:
    if eigenvalues_exceed(unit, -INDEFINITE * unit.shape[-1]):
        return
    smallest = np.linalg.eigvalsh(unit.astype(np.float64)).min(axis=-1)
    lowest = float(smallest.min())
    at = f" of graph {np.argwhere(smallest == lowest)[0].tolist()}" if smallest.ndim else ""
    share = np.ceil(100 * lowest / (lowest - 1)) / 100
    raise InputError(
        f"corr is not positive semi-definite: the smallest eigenvalue{at} is {lowest:.3g}; pass "
        f"stats.clip_eigenvalues(corr) or stats.shrink_correlation(corr, {share:g})"
    )


def _entry(corr: np.ndarray, bad: np.ndarray, *, swap: bool = False) -> str:
    """The first bad entry, as ``corr[0, 1]=0.5``."""
    index = [int(i) for i in np.argwhere(bad)[0]]
    named = [*index[:-2], index[-1], index[-2]] if swap else index
    return f"corr{named}={corr[tuple(index)]:g}"
