import jax
import numpy as np
import pytest
import scipy.stats
from typechecker import tolerance

from jaxcause import InputError, rank_correlation_test_from_data
from jaxcause.stats import rank_correlation
from jaxcause.stats._ranks import mid_ranks

METHODS = ["spearman", "normal_scores"]


def data(n_samples=120, n=5, seed=0, levels=None):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n_samples, n)) @ rng.normal(size=(n, n))
    return x if levels is None else np.round(x * levels) / levels


def reference(x, method):
    if method == "spearman":
        corr = 2 * np.sin(np.pi / 6 * scipy.stats.spearmanr(x).statistic)
        np.fill_diagonal(corr, 1)
        return corr
    ranks = scipy.stats.rankdata(x, axis=0)
    return np.corrcoef(scipy.stats.norm.ppf(ranks / (len(x) + 1)).T)


@pytest.mark.parametrize("shape", [(1, 2), (2, 1), (50, 3), (2, 40, 3)])
@pytest.mark.parametrize("levels", [1, 10**6])
def test_ranks_are_those_of_scipy(shape, levels):
    x = np.round(np.random.default_rng(0).normal(size=shape) * levels) / levels
    assert (np.asarray(mid_ranks(jax.numpy.asarray(x))) == scipy.stats.rankdata(x, axis=-2)).all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("levels", [None, 1])
def test_correlations_equal_those_of_scipy(method, levels):
    x = data(levels=levels)
    np.testing.assert_allclose(rank_correlation(x, method=method), reference(x, method), atol=1e-12)
    test = rank_correlation_test_from_data(x, method=method)
    np.testing.assert_allclose(test.corr, reference(x, method), atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_increasing_transforms_change_nothing(method):
    x = data()
    bends = (np.exp, np.cbrt, np.arctan, np.sinh, lambda v: 9 * v - 4)
    bent = np.column_stack([bend(column) for bend, column in zip(bends, x.T, strict=True)])
    plain = rank_correlation_test_from_data(x, method=method)
    assert (rank_correlation_test_from_data(bent, method=method).corr == plain.corr).all()
    turned = rank_correlation_test_from_data(-x, method=method)
    np.testing.assert_allclose(turned.corr, plain.corr, atol=1e-13)


@pytest.mark.parametrize("method", METHODS)
def test_an_outlier_moves_little(method):
    x = data()
    hit = x.copy()
    hit[0] = 1e6
    moved = rank_correlation_test_from_data(hit, method=method).corr
    plain = rank_correlation_test_from_data(x, method=method).corr
    assert np.abs(moved - plain).max() < 0.15
    assert np.abs(np.corrcoef(hit.T) - np.corrcoef(x.T)).max() > 0.5


@pytest.mark.parametrize("method", METHODS)
def test_the_correlations_of_a_bent_gaussian_are_found(method):
    sigma = np.array([[1, 0.8, 0.3], [0.8, 1, -0.2], [0.3, -0.2, 1]])
    x = np.random.default_rng(0).multivariate_normal(np.zeros(3), sigma, size=20_000)
    test = rank_correlation_test_from_data(np.exp(2 * x), method=method)
    np.testing.assert_allclose(test.corr, sigma, atol=0.02)


@pytest.mark.parametrize("method", METHODS)
def test_marginal_tests_hold_their_level(method):
    x = np.random.default_rng(0).standard_cauchy(size=(4000, 60, 2))
    test = rank_correlation_test_from_data(x, method=method)
    z = np.sqrt(float(test.n_samples) - 3) * np.abs(np.arctanh(test.corr[:, 0, 1]))
    share = (2 * scipy.stats.norm.sf(z) < 0.05).mean()
    assert abs(share - 0.05) < 4 * np.sqrt(0.05 * 0.95 / 4000)


def test_the_number_of_samples_follows_the_method():
    assert int(rank_correlation_test_from_data(data(), method="normal_scores").n_samples) == 120
    spearman = rank_correlation_test_from_data(data(), method="spearman").n_samples
    assert float(spearman) == pytest.approx(120 * 9 / np.pi**2)


def test_an_indefinite_sine_matrix_is_repaired():
    x = data(6, n=12)
    raw = np.asarray(rank_correlation(x, method="spearman"))
    assert np.linalg.eigvalsh(raw).min() < -0.01
    test = rank_correlation_test_from_data(x, method="spearman")
    assert np.linalg.eigvalsh(test.corr).min() > -1e-12
    shrunk = rank_correlation_test_from_data(x, method="spearman", shrinkage=0.5)
    np.testing.assert_allclose(shrunk.corr, 0.5 * raw + 0.5 * np.eye(12), atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_batches_and_traced_data_equal_loops(method):
    x = np.stack([data(seed=s, levels=3) for s in range(3)])
    options = {"method": method, "shrinkage": "auto"}
    each = np.stack([rank_correlation_test_from_data(rows, **options).corr for rows in x])
    together = rank_correlation_test_from_data(x, **options)
    np.testing.assert_allclose(together.corr, each, atol=1e-13)
    for inside in (jax.jit, jax.vmap):
        corr = inside(lambda v: rank_correlation_test_from_data(v, **options).corr)(x)
        np.testing.assert_allclose(corr, each, atol=tolerance(1e-12, 1e-4))


def test_precision_follows_the_data():
    test = rank_correlation_test_from_data(data().astype(np.float32))
    assert test.corr.dtype == np.float32
    assert not any(leaf.dtype == np.float64 for leaf in jax.tree.leaves(test))
    with jax.enable_x64(False):
        assert rank_correlation_test_from_data(data()).corr.dtype == np.float64
        assert rank_correlation(data()).dtype == np.float64


@pytest.mark.parametrize("method", METHODS)
def test_copies_have_correlation_one(method):
    x = data()
    x[:, 1] = np.exp(x[:, 0])
    x[:, 2] = -x[:, 0]
    corr = rank_correlation_test_from_data(x, method=method).corr
    np.testing.assert_allclose(corr[0, 1:3], [1, -1], atol=1e-14)


@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        (data(), {"method": "kendall"}, "method='kendall' is not known; choose one of spearman"),
        (np.where(data() > 3, np.nan, data()), {}, "x is NaN in row"),
        (np.ones((9, 2)), {}, "x is constant in column 0"),
        (data(1), {}, "samples ≥ 2"),
        (data(), {"shrinkage": 2.0}, "shrinkage=2.0 must lie between"),
    ],
)
def test_bad_input_is_named(x, options, message):
    with pytest.raises(InputError, match=message):
        rank_correlation_test_from_data(x, **options)
