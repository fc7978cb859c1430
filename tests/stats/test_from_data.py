import jax
import numpy as np
import pandas as pd
import pytest
from typechecker import tolerance

from jaxcause import InputError, partial_correlation_test_from_data
from jaxcause.stats import correlation_matrix, pairwise_correlation


def data(n_samples=80, n=6, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_samples, n)) @ rng.normal(size=(n, n)) + 100 * rng.normal(size=n)


def with_gaps(x, share=0.2, seed=9):
    return np.where(np.random.default_rng(seed).uniform(size=x.shape) < share, np.nan, x)


def common_rows(x):
    present = ~np.isnan(x)
    return present.T.astype(int) @ present


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5])
def test_pairwise_correlations_equal_those_of_pandas(share):
    x = with_gaps(data(), share)
    corr, count = pairwise_correlation(x)
    np.testing.assert_allclose(corr, pd.DataFrame(x).corr(), atol=1e-12)
    assert (np.asarray(count) == common_rows(x)).all()
    test = partial_correlation_test_from_data(x, missing="pairwise")
    assert int(test.n_samples) == common_rows(x).min()


def test_pairwise_without_gaps_is_the_plain_test():
    x = data()
    plain = partial_correlation_test_from_data(x)
    pairwise = partial_correlation_test_from_data(x, missing="pairwise")
    assert (plain.corr == pairwise.corr).all()
    assert int(pairwise.n_samples) == 80


def test_an_indefinite_pairwise_matrix_is_repaired():
    x = with_gaps(data(12, n=9, seed=3), 0.3)
    assert common_rows(x).min() >= 4
    raw = np.asarray(pairwise_correlation(x).corr)
    assert np.linalg.eigvalsh(raw).min() < -0.1
    test = partial_correlation_test_from_data(x, missing="pairwise")
    assert np.linalg.eigvalsh(test.corr).min() > -1e-12
    assert (np.diag(test.corr) == 1).all()
    shrunk = partial_correlation_test_from_data(x, missing="pairwise", shrinkage=0.9)
    np.testing.assert_allclose(shrunk.corr, 0.1 * raw + 0.9 * np.eye(9), atol=1e-12)


def test_batches_equal_loops():
    x = with_gaps(np.stack([data(seed=s) for s in range(3)]))
    together = partial_correlation_test_from_data(x, missing="pairwise")
    for g, rows in enumerate(x):
        alone = partial_correlation_test_from_data(rows, missing="pairwise")
        np.testing.assert_allclose(together.corr[g], alone.corr, atol=1e-13)
        assert together.n_samples[g] == alone.n_samples
    complete = np.stack([data(seed=s) for s in range(3)])
    batch = partial_correlation_test_from_data(complete)
    each = [partial_correlation_test_from_data(rows).corr for rows in complete]
    np.testing.assert_allclose(batch.corr, np.stack(each), atol=1e-14)


def test_traced_data_take_the_same_path():
    x = with_gaps(data())
    inside = jax.jit(lambda v: partial_correlation_test_from_data(v, missing="pairwise"))(x)
    outside = partial_correlation_test_from_data(x, missing="pairwise")
    np.testing.assert_allclose(inside.corr, outside.corr, atol=tolerance(1e-12, 1e-4))
    assert float(inside.n_samples) == float(outside.n_samples)


def test_float32_data_are_correlated_in_float64_first():
    x = (data() + 1e3).astype(np.float32)
    test = partial_correlation_test_from_data(x)
    assert test.corr.dtype == np.float32
    expected = np.corrcoef(x.T.astype(np.float64)).astype(np.float32)
    np.testing.assert_allclose(test.corr, expected, atol=1e-7)
    gaps = with_gaps(np.random.default_rng(0).normal(size=(80, 6))).astype(np.float32)
    assert partial_correlation_test_from_data(gaps, missing="pairwise").corr.dtype == np.float32


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_extreme_scales_change_nothing(scale):
    x = data() - data().mean(axis=0)
    scales = np.array([1, scale, 1, 1, 1, 1])
    for options in ({}, {"missing": "pairwise"}):
        gaps = with_gaps(x) if options else x
        plain = partial_correlation_test_from_data(gaps, **options).corr
        scaled = partial_correlation_test_from_data(gaps * scales, **options).corr
        np.testing.assert_allclose(scaled, plain, atol=1e-13)


def test_correlations_of_float32_do_not_overflow():
    x = (data() - data().mean(axis=0)).astype(np.float32)
    scales = np.array([1e-25, 1e25, 1, 1, 1, 1], np.float32)
    np.testing.assert_allclose(correlation_matrix(x * scales), np.corrcoef(x.T), atol=1e-5)


def test_correlations_are_differentiable():
    x = data(10, 3)
    slope = np.asarray(jax.grad(lambda v: correlation_matrix(v)[0, 1])(x))
    step = 1e-5 * np.random.default_rng(0).normal(size=x.shape)
    change = np.corrcoef((x + step).T)[0, 1] - np.corrcoef((x - step).T)[0, 1]
    assert (2 * slope * step).sum() == pytest.approx(change, rel=tolerance(1e-6, 1e-2))


def alone_in_column_1():
    x = data(20)
    x[:12, 1] = np.nan
    x[12:17, 4] = np.nan
    return x


def constant_where_shared():
    x = data(20)
    x[:10, 3] = np.nan
    x[10:, 5] = 0.1
    return x


def with_value(value, row=3, column=2):
    x = data(20)
    x[row, column] = value
    return x


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        (np.ones((5, 2)), {}, "x is constant in column 0; leave it out"),
        (with_value(7.0, slice(None)), {}, "x is constant in column 2; leave"),
        (np.stack([data(), with_value(7.0, slice(None))[:80].repeat(4, 0)]), {}, r"2 of graph \[1"),
        (with_value(np.inf), {}, "x is infinite in row 3, column 2; drop"),
        (with_value(np.inf), {"missing": "pairwise"}, "x is infinite in row 3, column 2"),
        (with_value(np.nan), {}, "NaN in row 3, column 2 and in 1 cells in all; .*'testwise'"),
        (
            np.stack([with_value(1.5), with_value(np.nan)]),
            {},
            r"of graph \[1\] and in .*'pairwise'",
        ),
        (np.ones((1, 2)), {}, r"x has shape \(1, 2\), but must be \[..., samples ≥ 2"),
        (np.ones(4), {}, r"x has shape \(4,\)"),
        (np.array([["a", "b"], ["c", "d"]]), {}, "x holds <U1; pass real numbers"),
        (data(), {"missing": "drop"}, "missing='drop' is not known; choose one of raise, testwise"),
        (alone_in_column_1(), {"missing": "pairwise"}, "columns 1 and 4 of x share 3 complete row"),
        (with_value(np.nan, slice(None)), {"missing": "pairwise"}, "0 and 2 of x share 0 complete"),
        (data(3), {"missing": "pairwise"}, None),
        (with_gaps(data(4)), {"missing": "pairwise"}, "at least 4; leave one"),
        (constant_where_shared(), {"missing": "pairwise"}, "3 and 5 of x have no correlation: one"),
        (np.stack([data(20), alone_in_column_1()]), {"missing": "pairwise"}, r"x of graph \[1\]"),
    ],
)
def test_bad_data_are_named(x, options, message):
    if message is None:
        assert partial_correlation_test_from_data(x, **options).n_nodes == 6
        return
    with pytest.raises(InputError, match=message):
        partial_correlation_test_from_data(x, **options)


@pytest.mark.usefixtures("untyped")
def test_tables_and_whole_numbers_are_taken():
    counts = np.random.default_rng(0).poisson(20, size=(50, 3))
    table = pd.DataFrame(counts)
    for x in (counts, table):
        test = partial_correlation_test_from_data(x)
        np.testing.assert_allclose(test.corr, np.corrcoef(counts.T), atol=1e-12)
