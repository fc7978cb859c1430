"""Conditional independence tests from samples in rows."""

import math
from typing import Literal, overload

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxcause._checks import InputError, check_choice, is_concrete
from jaxcause._memory import check_memory
from jaxcause._namespace import namespace
from jaxcause._typing import AnyArray
from jaxcause.stats._check_correlation import fits_float32
from jaxcause.stats._check_data import check_common_rows, check_rows, checked_data
from jaxcause.stats._covariance import correlation_matrix
from jaxcause.stats._definite import clip_eigenvalues, eigenvalues_exceed, rounding
from jaxcause.stats._elimination import redundant_below
from jaxcause.stats._pairwise import PairwiseCorrelation, pairwise_correlation
from jaxcause.stats._partial_correlation import PartialCorrelationTest
from jaxcause.stats._ranks import RANK_METHODS, correlation_of_scores, rank_scores
from jaxcause.stats._redundant_columns import (
    shrunk_between_others,
    with_copies_filled,
    with_equal_copies,
)
from jaxcause.stats._shrinkage import check_intensity, shrinkage_intensity
from jaxcause.stats._testwise_deletion import DeletionTest, holed_samples

SPEARMAN_EFFICIENCY = 9 / math.pi**2
"""Of independent pairs, var(2 sin(π ρ / 6)) → (π/3)² / N: a row counts as 0.91 rows."""


@overload
def partial_correlation_test_from_data(
    x: Float[AnyArray, "*graphs samples nodes"],
    *,
    one_sided: bool = False,
    missing: Literal["raise", "pairwise"] = "raise",
    shrinkage: float | str = 0.0,
) -> PartialCorrelationTest: ...


@overload
def partial_correlation_test_from_data(
    x: Float[AnyArray, "samples nodes"],
    *,
    one_sided: bool = False,
    missing: Literal["testwise"],
    shrinkage: float | str = 0.0,
) -> DeletionTest: ...


def partial_correlation_test_from_data(
    x: Float[AnyArray, "*graphs samples nodes"],
    *,
    one_sided: bool = False,
    missing: str = "raise",
    shrinkage: float | str = 0.0,
) -> PartialCorrelationTest | DeletionTest:
    """`partial_correlation_test` on the correlations of data.

    Concrete data are correlated in float64, so that conditioning costs no digits; a traced ``x`` is
    taken in its own dtype and not checked.

    With ``missing="testwise"`` each test takes its correlations from the rows that hold all its
    columns, and counts those: see `DeletionTest`. It keeps its level. Here and below, a value that
    a column misses is taken from a copy of it (up to scale, shift and sign) that holds it.

    With ``missing="pairwise"`` each correlation is estimated from the rows that hold both columns
    (`pairwise_correlation`), which is unbiased if cells are missing completely at random. Fisher's
    z needs one number of samples, although the correlations rest on different rows: it is the
    smallest number of rows that any two columns share. An indefinite matrix is repaired by
    `clip_eigenvalues`. It serves batches and traced data, but **rejects too often** where
    variables correlate strongly: given two causes that explain most of X and Y, 22 % of the tests
    at level .05 do with 5 % of the cells missing, and 45 % with 20 % (200 rows).

    Args:
        x: Samples in rows; leading axes are a batch of graphs.
        one_sided: Take negative partial correlations as independent (p = 1).
        missing: What to do about NaN: ``"raise"``, ``"testwise"``, or ``"pairwise"``.
        shrinkage: Intensity λ of `shrink_correlation` in [0, 1], or ``"auto"`` for the
            `shrinkage_intensity` of each graph. Copies of a column stay copies. The number of
            samples does not change, so that tests of shrunk correlations are conservative.

    Raises:
        InputError: A value is infinite, or NaN although ``missing="raise"``; a column is constant;
            there are fewer than two rows; two columns share fewer than four rows; an option is not
            known; or ``missing="testwise"`` is given traced data, a batch, or a shrinkage.

    Source: Schäfer & Strimmer (2005) for ``shrinkage="auto"``; Little & Rubin (2019), "Statistical
    Analysis with Missing Data", section 3.4, for what pairwise estimates assume.

    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(50, 3))
    >>> partial_correlation_test_from_data(x).n_nodes
    3
    >>> x[:10, 0] = np.nan
    >>> test = partial_correlation_test_from_data(x, missing="testwise")
    >>> bool(test(0, 1, np.array([2])).p_value > 0.01)
    True
    """
    check_rows(x)
    _check_memory(np.shape(x))
    check_choice("missing", missing, ("raise", "testwise", "pairwise"))
    _check_shrinkage(shrinkage)
    if missing == "testwise":
        _check_testwise(x, shrinkage)
        return DeletionTest(holed_samples(x), one_sided)
    if not is_concrete(x):
        return _pearson(jnp.asarray(x), one_sided, missing, shrinkage)
    return _as_numpy(_pearson(checked_data(x, missing), one_sided, missing, shrinkage), x)


def rank_correlation_test_from_data(
    x: Float[AnyArray, "*graphs samples nodes"],
    *,
    method: str = "normal_scores",
    one_sided: bool = False,
    shrinkage: float | str = 0.0,
) -> PartialCorrelationTest:
    r"""`partial_correlation_test` on `rank_correlation`: for data of any continuous margins.

    No strictly increasing transform of a column changes it. Where some such transforms make the
    data jointly Gaussian (a nonparanormal distribution), a vanishing partial correlation means
    conditional independence.

    ``"spearman"`` is robust to outliers. Under independence :math:`\sqrt N\, r` has variance
    :math:`(\pi/3)^2`, so the number of samples is :math:`9N/\pi^2`; given strongly correlated S it
    still rejects too often (19 % of true nulls at α = 0.05, with three parents that explain 87 %
    of both variables and N = 1000). ``"normal_scores"`` counts N samples and kept the level better
    there (7 %). Neither is calibrated on columns with many ties.

    Args:
        x: Samples in rows, complete; leading axes are a batch of graphs.
        method: ``"spearman"`` or ``"normal_scores"``; an indefinite Spearman matrix is repaired by
            `clip_eigenvalues`.
        one_sided: Take negative partial correlations as independent (p = 1).
        shrinkage: As in `partial_correlation_test_from_data`; ``"auto"`` goes by the ranks.

    Raises:
        InputError: A value is not finite, a column is constant, there are fewer than two rows, or
            an option is not known.

    Source: Liu, Han, Yuan, Lafferty & Wasserman (2012), "High-dimensional semiparametric Gaussian
    copula graphical models"; Harris & Drton (2013), "PC algorithm for nonparanormal graphical
    models", who count N samples.

    >>> import numpy as np
    >>> x = np.exp(3 * np.random.default_rng(0).normal(size=(50, 3)))
    >>> rank_correlation_test_from_data(x, method="normal_scores").n_nodes
    3
    """
    check_rows(x)
    _check_memory(np.shape(x))
    check_choice("method", method, RANK_METHODS)
    _check_shrinkage(shrinkage)
    if not is_concrete(x):
        return _ranked(jnp.asarray(x), one_sided, method, shrinkage)
    return _as_numpy(_ranked(checked_data(x, None), one_sided, method, shrinkage), x)


def _check_memory(shape: tuple[int, ...]) -> None:
    """Refuse data whose float64 copies, or whose correlations, cannot fit."""
    *batch, n_rows, n = shape
    check_memory(
        f"correlations of {n_rows:,} rows and {n:,} columns",
        8.0 * math.prod(batch) * n * (5 * n_rows + 4 * n),
        "give fewer rows or columns",
    )


def _pearson(
    x: Float[AnyArray, "*graphs samples nodes"],
    one_sided: bool,
    missing: str,
    shrinkage: float | str,
) -> PartialCorrelationTest:
    xp = namespace(x)
    n_samples = xp.asarray(x.shape[-2], x.dtype)
    if missing == "raise" or (is_concrete(x) and not xp.isnan(x).any()):
        return PartialCorrelationTest(
            _shrunk(correlation_matrix(x), x, shrinkage), n_samples, one_sided
        )
    if is_concrete(x):
        x = with_copies_filled(np.asarray(x))
    pairs = pairwise_correlation(x)
    if is_concrete(x):
        check_common_rows(PairwiseCorrelation(*map(np.asarray, pairs)))
    corr = _semidefinite(_shrunk(pairs.corr, x, shrinkage))
    n_common = xp.asarray(xp.min(pairs.n_samples, axis=(-2, -1)))
    return PartialCorrelationTest(corr, n_common, one_sided)


def _ranked(
    x: Float[AnyArray, "*graphs samples nodes"],
    one_sided: bool,
    method: str,
    shrinkage: float | str,
) -> PartialCorrelationTest:
    scores = rank_scores(x, method=method)
    corr = _shrunk(correlation_of_scores(scores, method=method), scores, shrinkage)
    if method == "spearman":
        corr = _semidefinite(corr)
    rows = x.shape[-2] * (SPEARMAN_EFFICIENCY if method == "spearman" else 1)
    return PartialCorrelationTest(corr, namespace(x).asarray(rows, x.dtype), one_sided)


def _shrunk(
    corr: Float[AnyArray, "*graphs nodes nodes"],
    scores: Float[AnyArray, "*graphs samples nodes"],
    shrinkage: float | str,
) -> Float[AnyArray, "*graphs nodes nodes"]:
    if isinstance(shrinkage, str):
        return shrunk_between_others(corr, shrinkage_intensity(scores))
    if is_concrete(shrinkage) and shrinkage == 0:
        return corr
    return shrunk_between_others(corr, shrinkage)


def _semidefinite(
    corr: Float[AnyArray, "*graphs nodes nodes"],
) -> Float[AnyArray, "*graphs nodes nodes"]:
    if is_concrete(corr) and eigenvalues_exceed(np.asarray(corr), -rounding(corr)):
        return corr
    return clip_eigenvalues(corr)


def _as_numpy(test: PartialCorrelationTest, x: AnyArray) -> PartialCorrelationTest:
    """The test with numpy arrays; in float32 if ``x`` is, and if the condition number allows it."""
    corr = with_equal_copies(np.asarray(test.corr), redundant_below(np.float64))
    if getattr(x, "dtype", None) == np.float32 and fits_float32(corr):
        corr = corr.astype(np.float32)
    n_samples = np.asarray(test.n_samples)
    whole = (n_samples == np.round(n_samples)).all()
    n_samples = n_samples.astype(np.int64 if whole else corr.dtype)
    return PartialCorrelationTest(corr, n_samples, test.one_sided)


def _check_testwise(x: Float[AnyArray, "*graphs samples nodes"], shrinkage: float | str) -> None:
    if not is_concrete(x):
        raise InputError(
            "missing='testwise' looks at the data, so x cannot be traced; make the test outside of "
            "jit and vmap, and pass it in"
        )
    if np.ndim(x) > 2:
        raise InputError(
            f"missing='testwise' takes one data set, but x has shape {np.shape(x)}; make a test of "
            "each"
        )
    if isinstance(shrinkage, str) or shrinkage != 0:
        raise InputError(
            f"shrinkage={shrinkage!r} is not for missing='testwise', whose correlations differ "
            "from test to test; leave it out"
        )


def _check_shrinkage(shrinkage: float | str) -> None:
    if not isinstance(shrinkage, str):
        check_intensity("shrinkage", shrinkage)
    elif shrinkage != "auto":
        raise InputError(f"shrinkage={shrinkage!r} is not known; pass a number in [0, 1] or 'auto'")
