import jax
import jax.numpy as jnp
import numpy as np
import pytest
from typechecker import tolerance

from jaxcause.stats import clip_eigenvalues, is_singular, singular_pairs
from jaxcause.stats._definite import NEARLY, nearly_copies, pairs_of_copies


def random_correlations(n_graphs, n, n_samples, seed=0):
    x = np.random.default_rng(seed).normal(size=(n_graphs, n_samples, n))
    return np.stack([np.corrcoef(rows.T) for rows in x])


def indefinite(n_graphs, n, seed=0):
    upper = np.triu(np.random.default_rng(seed).uniform(-1, 1, size=(n_graphs, n, n)), 1)
    return upper + np.swapaxes(upper, 1, 2) + np.eye(n)


@pytest.mark.parametrize("n", [2, 5, 32, 100])
def test_singular_means_a_smallest_eigenvalue_within_rounding(n):
    regular = random_correlations(3, n, 5 * n)
    few_rows = random_correlations(3, n, n - 1) if n > 2 else np.ones((3, 2, 2))
    corr = np.concatenate([regular, few_rows])
    smallest = np.linalg.eigvalsh(corr).min(axis=-1)
    assert is_singular(corr).tolist() == (smallest < 1e-6).tolist()
    assert not is_singular(np.eye(n))
    assert np.asarray(is_singular(regular, tolerance=0.9999)).all()


@pytest.mark.parametrize("distance", [0.0, 1e-15, 6e-15])
def test_copies_are_singular_and_found(distance):
    corr = np.eye(4)
    corr[1, 3] = corr[3, 1] = -1 + distance
    assert is_singular(corr)
    pairs = np.asarray(singular_pairs(corr))
    assert np.argwhere(pairs).tolist() == [[1, 3], [3, 1]]


def test_a_tolerance_decides_what_counts_as_a_copy():
    corr = np.array([[1, 1 - 1e-12], [1 - 1e-12, 1]])
    assert not is_singular(corr)
    assert is_singular(corr, tolerance=1.1e-12)
    assert not np.asarray(singular_pairs(corr)).any()
    assert np.asarray(singular_pairs(corr, tolerance=1e-11)).sum() == 2


def test_three_variables_on_a_plane_are_singular_without_any_copy():
    x = np.random.default_rng(0).normal(size=(50, 2))
    corr = np.corrcoef(np.column_stack([x, x.sum(axis=1)]).T)
    assert is_singular(corr)
    assert not np.asarray(singular_pairs(corr)).any()


def test_float32_counts_its_own_rounding():
    corr = np.array([[1, 1 - 1e-6], [1 - 1e-6, 1]])
    assert is_singular(corr.astype(np.float32))
    assert not is_singular(corr)
    with jax.enable_x64(False):
        assert not is_singular(corr)


def test_not_a_number_is_singular():
    corr = np.eye(3)
    corr[0, 1] = corr[1, 0] = np.nan
    assert is_singular(corr)


@pytest.mark.parametrize("function", [is_singular, singular_pairs, clip_eigenvalues])
def test_batches_jit_and_vmap_equal_loops(function):
    corr = np.concatenate([random_correlations(3, 6, 20), np.ones((1, 6, 6)), indefinite(2, 6)])
    each = np.stack([np.asarray(function(c)) for c in corr])
    for batched in (function(corr), jax.jit(function)(corr), jax.vmap(function)(corr)):
        np.testing.assert_allclose(batched, each, atol=tolerance(1e-12, 1e-4))
    nested = function(corr.reshape(2, 3, 6, 6))
    np.testing.assert_allclose(np.asarray(nested).reshape(each.shape), each, atol=1e-12)


@pytest.mark.parametrize("floor", [0.0, 1e-3, 0.2])
def test_clipping_gives_correlations_of_which_no_eigenvalue_is_negative(floor):
    corr = indefinite(5, 8)
    clipped = np.asarray(clip_eigenvalues(corr, floor=floor))
    values = np.linalg.eigvalsh(clipped)
    # Scaling back to unit diagonal divides by variances that clipping has raised.
    raised = np.diagonal(
        [(v * np.maximum(w, floor)) @ v.T for w, v in map(np.linalg.eigh, corr)], axis1=1, axis2=2
    )
    assert (values.min(axis=1) >= floor / raised.max(axis=1) - 1e-12).all()
    assert (np.diagonal(clipped, axis1=1, axis2=2) == 1).all()
    np.testing.assert_allclose(clipped, np.swapaxes(clipped, 1, 2), atol=1e-14)


def test_clipping_written_out_and_leaving_what_is_definite():
    corr = indefinite(1, 5)[0]
    values, vectors = np.linalg.eigh(corr)
    plain = vectors @ np.diag(np.maximum(values, 0)) @ vectors.T
    scale = np.sqrt(np.diag(plain))
    np.testing.assert_allclose(clip_eigenvalues(corr), plain / np.outer(scale, scale), atol=1e-13)
    for definite in (random_correlations(1, 6, 30)[0], random_correlations(1, 6, 3)[0]):
        assert (np.asarray(clip_eigenvalues(definite)) == definite).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("r", [0.0, 0.9, 0.9985, 0.9996, -0.9996, 1 - 1e-9, -1.0, 1.0])
@pytest.mark.parametrize("tolerance", [1e-13, 1e-5, 0.01, 0.5])
def test_copies_and_nearly_copies_are_those_of_the_formula(r, tolerance, dtype):
    corr = np.tile(np.eye(4, dtype=dtype), (3, 1, 1))
    corr[1, 0, 2] = corr[1, 2, 0] = r
    pair = np.zeros(corr.shape, bool)
    pair[1, 0, 2] = pair[1, 2, 0] = True
    unexplained = 1 - corr[1, 0, 2] ** 2
    for of in (corr, jnp.asarray(corr)):
        copies = pairs_of_copies(of, tolerance)
        np.testing.assert_array_equal(copies, pair & (unexplained <= tolerance))
        near = nearly_copies(of, tolerance)
        np.testing.assert_array_equal(
            near, pair & (unexplained <= 1 - NEARLY) & (unexplained > tolerance)
        )
