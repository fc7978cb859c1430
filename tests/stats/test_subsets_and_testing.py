import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from typechecker import tolerance

from jaxcause.stats import benjamini_hochberg, benjamini_yekutieli, colex_subsets, fit_var


@pytest.mark.parametrize("n", [1, 4, 7])
def test_subsets_of_n_are_a_prefix_and_each_comes_once(n):
    for size in range(n + 1):
        rows = colex_subsets(size, np.arange(math.comb(n, size)))
        assert rows.shape == (math.comb(n, size), size)
        expected = sorted(itertools.combinations(range(n), size), key=lambda s: s[::-1])
        assert [tuple(r) for r in rows.tolist()] == expected


def test_subsets_far_along_are_found_by_number():
    for m in (10**6, 10**9):
        row = colex_subsets(4, np.array([m]))[0]
        assert sum(math.comb(int(c), k + 1) for k, c in enumerate(row)) == m


BY_SCIPY = [(benjamini_hochberg, "bh"), (benjamini_yekutieli, "by")]


@pytest.mark.parametrize(("adjust", "name"), BY_SCIPY)
@pytest.mark.parametrize("shape", [(1,), (40,), (5, 7)])
def test_q_values_equal_those_of_scipy(adjust, name, shape):
    p = np.random.default_rng(0).uniform(size=shape) ** 3
    expected = scipy.stats.false_discovery_control(p, axis=None, method=name).reshape(shape)
    np.testing.assert_allclose(adjust(p), expected, rtol=tolerance(1e-12))


@pytest.mark.parametrize(("adjust", "name"), BY_SCIPY)
def test_untested_entries_do_not_count(adjust, name):
    p = np.array([0.01, np.nan, 0.02, np.nan])
    q = np.asarray(adjust(p))
    expected = scipy.stats.false_discovery_control(p[[0, 2]], method=name)
    np.testing.assert_allclose(q[[0, 2]], expected, rtol=tolerance(1e-12))
    assert np.isnan(q[[1, 3]]).all()


@pytest.mark.parametrize(("adjust", "name"), BY_SCIPY)
def test_families_of_one_or_none_and_batches(adjust, name):
    assert adjust(np.zeros((0, 3))).shape == (0, 3)
    assert np.isnan(np.asarray(adjust(np.full(3, np.nan)))).all()
    p = np.random.default_rng(1).uniform(size=(4, 9))
    each = jax.jit(jax.vmap(adjust))(p)
    expected = scipy.stats.false_discovery_control(p, axis=1, method=name)
    np.testing.assert_allclose(each, expected, rtol=tolerance(1e-12))


def var_data(n_steps=800, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n_steps, 3))
    for t in range(2, n_steps):
        x[t, 0] += 0.5 * x[t - 1, 0]
        x[t, 1] += 0.6 * x[t - 2, 0] - 0.3 * x[t - 1, 2]
    return x


def test_var_equals_least_squares_and_its_t_tests():
    x = var_data()
    starts = np.r_[0:300, 400:790]
    fit = fit_var(x, starts, max_lag=2)
    rows = starts[:, None] + np.arange(3)
    windows = x[rows]
    design = np.column_stack([windows[:, 1], windows[:, 0], np.ones(len(starts))])
    for target in range(3):
        y = windows[:, 2, target]
        beta, rss, *_ = np.linalg.lstsq(design, y)
        degrees = len(y) - design.shape[1]
        error = np.sqrt(np.diag(np.linalg.inv(design.T @ design)) * rss[0] / degrees)
        p = 2 * scipy.stats.t.sf(np.abs(beta / error), degrees)
        np.testing.assert_allclose(fit.coefficients[:, target, 1:].T.ravel(), beta[:-1], atol=1e-10)
        np.testing.assert_allclose(fit.p_value[:, target, 1:].T.ravel(), p[:-1], rtol=1e-6)
        np.testing.assert_allclose(
            fit.predict(windows[:, :-1])[:, target], design @ beta, atol=1e-10
        )


def test_ridge_shrinks_and_works_with_few_windows():
    x = var_data()
    free, shrunk = (fit_var(x, np.arange(700), max_lag=2, ridge=r) for r in (0.0, 10.0))
    assert np.abs(shrunk.coefficients).sum() < 0.5 * np.abs(free.coefficients).sum()
    assert np.isfinite(fit_var(x, np.arange(4), max_lag=2, ridge=0.1).coefficients).all()
    with pytest.raises(ValueError, match="cannot fit"):
        fit_var(x, np.arange(4), max_lag=2)


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize("adjust", [benjamini_hochberg, benjamini_yekutieli])
def test_q_values_of_half_precision_lists_and_whole_numbers(adjust):
    p = (np.random.default_rng(0).random(70_000) ** 3).astype(np.float16)
    expected = adjust(p.astype(np.float64))
    for given in (p, jnp.asarray(p)):
        found = adjust(given)
        assert found.dtype == np.float16
        np.testing.assert_allclose(np.asarray(found, np.float64), expected, rtol=2e-3, atol=1e-6)
    np.testing.assert_array_equal(adjust([0, 1, 1]), adjust(np.array([0.0, 1.0, 1.0])))
    assert np.asarray(adjust(np.array([0, 1]))).dtype == np.float64
