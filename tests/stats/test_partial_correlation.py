import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from typechecker import tolerance

from jaxcause import partial_correlation_test, partial_correlation_test_from_data, pc
from jaxcause.discovery._pcmci.student_test import StudentTest
from jaxcause.stats import correlation_matrix, fisher_z_p_value, partial_correlations


def mixed_data(n_samples=300, n=6, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_samples, n)) @ rng.normal(size=(n, n))


def residual_correlation(x, i, j, given):
    """Independent reference: correlate what a regression on S leaves of both."""
    design = np.column_stack([np.ones(len(x)), x[:, list(given)]])
    left = [x[:, k] - design @ np.linalg.lstsq(design, x[:, k])[0] for k in (i, j)]
    return scipy.stats.pearsonr(*left).statistic


@pytest.mark.parametrize("seed", range(3))
def test_equals_scipy_residual_correlations_in_any_order_of_columns(seed):
    rng = np.random.default_rng(seed)
    x = mixed_data(seed=seed)
    order = rng.permutation(x.shape[1])
    plain = partial_correlation_test_from_data(x)
    permuted = partial_correlation_test_from_data(x[:, order])
    place = np.argsort(order)
    for i, j in itertools.combinations(range(6), 2):
        rest = [k for k in range(6) if k not in (i, j)]
        for size in range(5):
            given = rng.permutation(rest)[:size]
            expected = residual_correlation(x, i, j, given)
            for test, at in ((plain, np.arange(6)), (permuted, place)):
                cond = np.full(4, -1)
                cond[:size] = at[given]
                r = float(test(int(at[i]), int(at[j]), cond).statistic)
                assert abs(r - expected) < 1e-10


def test_p_values_are_those_of_the_normal_distribution():
    r = np.linspace(-0.99, 0.99, 41)
    p = fisher_z_p_value(r, np.array(50.0))
    expected = 2 * scipy.stats.norm.sf(np.sqrt(50) * np.abs(np.arctanh(r)))
    np.testing.assert_allclose(p, expected, rtol=tolerance(1e-12), atol=1e-30)


def test_what_cannot_be_tested_is_dependent():
    assert fisher_z_p_value(np.array([1.0, -1.2]), np.array(50.0)).tolist() == [0.0, 0.0]
    assert fisher_z_p_value(np.array([0.0]), np.array(0.0)).tolist() == [0.0]
    few = partial_correlation_test(np.eye(4), 5)
    assert float(few(0, 1, np.array([-1, -1])).p_value) == 1.0
    assert float(few(0, 1, np.array([2, 3])).p_value) == 0.0


def test_a_redundant_condition_changes_nothing():
    x = mixed_data()
    copied = np.column_stack([x, 2 * x[:, 0] + 1])
    test = partial_correlation_test_from_data(copied)
    # Given its copy, X0 would be constant.
    alone = float(test(0, 1, np.array([-1])).statistic)
    assert float(test(0, 1, np.array([6])).statistic) == pytest.approx(alone, abs=tolerance(1e-12))
    once = float(test(1, 2, np.array([0, -1])).statistic)
    again = float(test(1, 2, np.array([0, 6])).statistic)
    assert again == pytest.approx(once, abs=tolerance(1e-12))
    assert float(test(0, 6, np.array([1])).statistic) == pytest.approx(1)
    assert float(test(0, 6, np.array([1])).p_value) == 0


def test_one_sided_takes_negative_as_independent():
    corr = np.array([[1, -0.7, 0.7], [-0.7, 1, 0], [0.7, 0, 1]])
    test = partial_correlation_test(corr, 1000, one_sided=True)
    none = np.array([-1])
    assert float(test(0, 1, none).p_value) == 1.0
    assert float(test(0, 2, none).p_value) < 1e-10


def test_precision_follows_the_data():
    x = mixed_data()
    assert partial_correlation_test_from_data(x).corr.dtype == np.float64
    assert partial_correlation_test_from_data(x.astype(np.float32)).corr.dtype == np.float32
    close = np.column_stack([x, x[:, 0] + 1e-4 * x[:, 1]]).astype(np.float32)
    assert partial_correlation_test_from_data(close).corr.dtype == np.float64
    near = partial_correlation_test(np.array([[1, 0.9999999], [0.9999999, 1]], np.float32), 100)
    assert near.corr.dtype == np.float64


def test_float64_holds_where_x64_is_off():
    x = mixed_data()
    close = np.column_stack([x, x[:, 0] + 1e-5 * x[:, 1]])
    with jax.enable_x64(False):
        test = partial_correlation_test_from_data(close)
        result = test(2, 6, np.array([0], np.int32))
        assert result.p_value < 1e-6
        inside_jit = jax.jit(test)(2, 6, np.array([0], np.int32)).statistic
    r = result.statistic
    assert r.dtype == np.float64
    assert inside_jit.dtype == np.float32
    assert abs(float(r) - residual_correlation(close, 2, 6, [0])) < 1e-4


def test_batches_under_vmap_and_jit():
    corr = np.stack([np.asarray(correlation_matrix(mixed_data(seed=s))) for s in range(3)])

    @jax.jit
    @jax.vmap
    def p(c):
        return partial_correlation_test(c, 300)(0, 1, jnp.array([2, -1])).p_value

    each = [float(partial_correlation_test(c, 300)(0, 1, np.array([2])).p_value) for c in corr]
    np.testing.assert_allclose(p(jnp.asarray(corr)), each, rtol=tolerance(1e-9))


def test_a_covariance_gives_the_same_as_its_correlation():
    x = mixed_data()
    a = partial_correlation_test(np.cov(x.T), 300)
    b = partial_correlation_test(np.corrcoef(x.T), 300)
    np.testing.assert_allclose(a.corr, b.corr, atol=1e-12)


@pytest.mark.parametrize("n", [4, 7])
def test_the_kernel_of_a_search_has_the_same_equation(n):
    """At a level that removes no edge, a search gives the largest p-value over all sets."""
    test = partial_correlation_test_from_data(mixed_data(n_samples=40, n=n, seed=n))
    largest = 3
    found = pc(test, alpha=1 - 1e-12, max_cond_size=largest)
    for x, y in itertools.combinations(range(n), 2):
        rest = [k for k in range(n) if k not in (x, y)]
        sets = itertools.chain(*(itertools.combinations(rest, k) for k in range(largest + 1)))
        p_values = [float(test(x, y, np.array(s, np.int32)).p_value) for s in sets]
        assert float(found.p_values[x, y]) == pytest.approx(max(p_values), abs=1e-12)


@pytest.mark.parametrize("size", [0, 1, 5, 20])
def test_the_kernel_of_pcmci_has_the_same_equation(size):
    x = mixed_data(n=24)
    corr = np.corrcoef(x.T)
    cond = np.arange(2, 2 + size)
    batched = StudentTest(corr, len(x))(np.zeros(1, int), np.ones(1, int), cond[None])
    one = partial_correlation_test(corr, len(x))(0, 1, np.append(cond, -1))
    np.testing.assert_allclose(batched.statistic[0], float(one.statistic), atol=1e-12)


def test_all_pairs_given_the_rest_have_the_same_equation():
    corr = np.stack([np.corrcoef(mixed_data(seed=seed).T) for seed in range(2)])
    every = partial_correlations(corr)
    for graph in range(2):
        test = partial_correlation_test(corr[graph], 300)
        for x, y in itertools.combinations(range(6), 2):
            rest = np.array([k for k in range(6) if k not in (x, y)])
            assert every[graph, x, y] == pytest.approx(float(test(x, y, rest).statistic), abs=1e-12)


def test_the_forms_agree_on_what_is_singular():
    """Columns 2 and 3 are copies: given both as given one, and a copy of an end as nothing."""
    x = mixed_data(n=4)
    corr = np.corrcoef(np.column_stack([x, x[:, 2], x[:, 3]])[:, [0, 1, 2, 4, 3]].T)
    pairs, sets = np.array([[0, 1], [0, 2]]), np.array([[2, 3], [3, -1]])
    batched = StudentTest(corr, len(x))(pairs[:, 0], pairs[:, 1], sets)
    test = partial_correlation_test(corr, len(x))
    one = [test(a, b, s) for (a, b), s in zip(pairs.tolist(), sets, strict=True)]
    expected = [float(test(0, 1, np.array([2])).statistic), corr[0, 2]]
    assert batched.statistic == pytest.approx(expected, abs=tolerance(1e-12))
    single = [float(found.statistic) for found in one]
    assert single == pytest.approx(expected, abs=tolerance(1e-12))
