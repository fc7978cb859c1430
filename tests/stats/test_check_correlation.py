import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcause import Caps, InputError, partial_correlation_test, pc
from jaxcause.stats import clip_eigenvalues, condition_number, shrink_correlation
from jaxcause.stats._check_correlation import fits_float32

EYE = np.eye(3)


def with_entries(value, *places):
    corr = np.eye(3)
    for place in places:
        corr[place] = value
    return corr


def in_batch(corr, at=1):
    batch = np.stack([np.eye(3)] * 3)
    batch[at] = corr
    return batch


INDEFINITE = np.array([[1, 0.9, 0.9], [0.9, 1, -0.9], [0.9, -0.9, 1]])  # smallest -0.8


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize(
    ("corr", "n_samples", "message"),
    [
        (np.zeros((2, 3)), 10, r"corr has shape \(2, 3\), but must be"),
        (with_entries(np.nan, (0, 1), (1, 0)), 10, r"corr\[0, 1\]=nan, NaN or infinite: leave out"),
        (with_entries(np.inf, (2, 2)), 10, r"corr\[2, 2\]=inf, NaN or infinite"),
        (with_entries(0.5, (2, 1)), 10, r"corr\[1, 2\]=0 but corr\[2, 1\]=0.5: .* not symmetric"),
        (with_entries(0.0, (2, 2)), 10, r"corr\[2, 2\]=0 is the variance of node 2, .* leave"),
        (with_entries(-1.0, (1, 1)), 10, r"corr\[1, 1\]=-1 is the variance of node 1"),
        (with_entries(2.0, (0, 2), (2, 0)), 10, r"corr\[0, 2\]=2 is a correlation of 2 after"),
        (1e-4 * with_entries(2.0, (0, 2), (2, 0)), 10, r"=0.0002 is a correlation of 2 after"),
        (INDEFINITE, 10, r"smallest eigenvalue is -0.8; pass stats.clip_eigenvalues"),
        (INDEFINITE.astype(np.float32), 10, r"smallest eigenvalue is -0.8; pass"),
        (in_batch(INDEFINITE), 10, r"eigenvalue of graph \[1\] is -0.8; .*\(corr, 0.45\)"),
        (in_batch(with_entries(0.0, (2, 2)), 0), 10, r"corr\[0, 2, 2\]=0 is the variance"),
        (EYE.astype(complex), 10, "corr is complex128; pass real"),
        (EYE, 0, "n_samples=0 must be positive: how many rows"),
        (EYE, -3.5, r"n_samples=-3.5 must be positive"),
        (EYE, np.nan, "n_samples=nan must be positive"),
        (EYE, np.inf, "n_samples=inf must be positive"),
        (in_batch(EYE), np.array([5, 0, 5]), "n_samples=0 must be positive"),
        (in_batch(EYE), np.array([5, 5]), r"n_samples has shape \(2,\), .* shape \(3,\); give one"),
        (EYE, np.array([5, 5]), r"n_samples has shape \(2,\), .* shape \(\); give one"),
    ],
)
def test_bad_matrices_and_sample_sizes_are_named(corr, n_samples, message):
    with pytest.raises(InputError, match=message):
        partial_correlation_test(corr, n_samples)


def test_extreme_entries_beside_tiny_variances_are_named_too():
    corr = np.array([[1e-300, 1e300], [1e300, 1e-300]])
    with pytest.raises(InputError, match="correlation of inf"):
        partial_correlation_test(corr, 10)


def test_the_remedies_of_the_message_work():
    for mended in (clip_eigenvalues(INDEFINITE), shrink_correlation(INDEFINITE, 0.45)):
        assert partial_correlation_test(np.asarray(mended), 10).n_nodes == 3


@pytest.mark.usefixtures("untyped")
def test_whole_and_half_precision_numbers_are_taken():
    assert partial_correlation_test(np.eye(3, dtype=int), 10).corr.dtype == np.float64
    half = partial_correlation_test(jnp.eye(3, dtype=jnp.bfloat16), 10)
    assert half.corr.dtype == np.float32


def test_few_samples_are_taken_and_test_nothing():
    for n_samples in (1, 3, 2.5):
        test = partial_correlation_test(EYE, n_samples)
        assert float(test(0, 1, np.array([-1])).p_value) == 0.0


def test_sample_sizes_keep_a_float32_test_in_float32():
    test = partial_correlation_test(EYE.astype(np.float32), 45.6)
    assert {leaf.dtype for leaf in jax.tree.leaves(test)} == {np.dtype(np.float32)}


@pytest.mark.parametrize("scales", [[1e-3, 1.0, 1e4], [1e-140, 1.0, 1e140]])
def test_covariances_are_scaled_to_an_exact_unit_diagonal(scales):
    corr = np.array([[1, 0.5, 0.2], [0.5, 1, 0.1], [0.2, 0.1, 1]])
    scaled = partial_correlation_test(corr * np.outer(scales, scales), 10).corr
    np.testing.assert_allclose(scaled, corr, rtol=1e-12)
    assert (np.diag(scaled) == 1).all()


def test_small_asymmetries_are_averaged_and_nothing_of_the_caller_changes():
    corr = with_entries(0.5, (0, 1), (1, 0))
    corr[0, 1] += 4e-6
    before = corr.copy()
    test = partial_correlation_test(corr, 10)
    assert (test.corr == test.corr.T).all()
    assert test.corr[0, 1] == pytest.approx(0.5 + 2e-6)
    assert (corr == before).all()
    assert not np.shares_memory(corr, test.corr)


@pytest.mark.parametrize("n", [0, 1])
@pytest.mark.parametrize("batch", [(), (0,), (2, 1)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_smallest_matrices(n, batch, dtype):
    corr = np.broadcast_to(np.eye(n, dtype=dtype), (*batch, n, n))
    test = partial_correlation_test(corr, 10)
    assert test.corr.shape == (*batch, n, n)
    assert test.corr.dtype == dtype


def test_copies_of_a_variable_are_data():
    corr = np.array([[1, 1, 0.3], [1, 1, 0.3], [0.3, 0.3, 1]])
    for value in (1.0, 1 - 1e-13, 1 - 1e-12):
        corr[0, 1] = corr[1, 0] = value
        assert partial_correlation_test(corr, 10).n_nodes == 3
    single = partial_correlation_test(corr.astype(np.float32), 10)
    assert single.corr.dtype == np.float64
    # Given its copy X0 would be constant: the copy is left out.
    assert float(single(0, 2, np.array([1])).statistic) == pytest.approx(corr[0, 2])


def attention(n, seed, dtype, sharpness=3.0):
    logits = sharpness * np.random.default_rng(seed).normal(size=(n, n))
    a = np.exp(logits - logits.max(axis=-1, keepdims=True)).astype(dtype)
    return a / a.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [2, 16, 128, 512])
@pytest.mark.parametrize("sharpness", [0.0, 1e-3, 0.1, 3.0, 30.0])
def test_attention_correlations_are_never_refused(dtype, n, sharpness):
    a = attention(n, n, dtype, sharpness)
    doubled = np.concatenate([a, a])
    for rows in (a, doubled):
        gram = rows @ rows.T
        scale = np.sqrt(np.diag(gram))
        unit = gram / (scale[:, None] * scale)
        for corr in (gram, unit, gram.astype(np.float64)):
            assert partial_correlation_test(corr, 768).corr.shape == gram.shape


@pytest.mark.parametrize("seed", range(4))
def test_float32_is_kept_only_where_the_condition_number_allows(seed):
    rng = np.random.default_rng(seed)
    kept = 0
    for exponent in np.linspace(0, 7, 15):
        vectors = np.linalg.qr(rng.normal(size=(12, 12)))[0]
        sigma = (vectors * np.logspace(0, -exponent, 12)) @ vectors.T
        scale = np.sqrt(np.diag(sigma))
        corr = sigma / np.outer(scale, scale)
        condition = condition_number(corr)
        if fits_float32(corr):
            kept += 1
            assert condition <= 1e5
        else:
            assert condition > 1e5 / np.sqrt(12)
    assert kept >= 4


@pytest.mark.parametrize("given", [None, "many", True])
def test_what_is_no_number_of_samples_is_named(given, untyped):
    with pytest.raises(InputError, match="n_samples="):
        partial_correlation_test(np.eye(3), given)


def test_a_singular_matrix_of_single_precision_is_told():
    for seed in range(20):
        x = np.random.default_rng(seed).normal(size=(100, 6))
        x[:, 5] = x[:, 0] + x[:, 1]
        corr = np.corrcoef(x.T)
        exact, rounded = (pc(partial_correlation_test(c, 100)) for c in (corr, np.float32(corr)))
        assert bool(exact.info.singular)
        assert bool(rounded.info.singular)
        np.testing.assert_array_equal(exact.graph.adjacency, rounded.graph.adjacency)


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize("alpha", [5e-324, 1e-305, "x", None, [0.1, 0.2], float("nan"), 0, 1])
def test_levels_that_are_none_are_refused_in_one_line(alpha):
    corr = np.array([[1.0, 0.9], [0.9, 1.0]])
    with pytest.raises(InputError, match="alpha=") as error:
        pc(partial_correlation_test(corr, 100), alpha=alpha)
    assert "\n" not in str(error.value)


def test_levels_that_single_precision_cannot_hold_are_refused_with_caps():
    test = partial_correlation_test(np.array([[1, 0.9], [0.9, 1]], np.float32), 5000)
    for alpha in (1e-30, 1e-37):
        assert bool(pc(test, alpha=alpha).graph.adjacency.any())
        assert bool(pc(test, alpha=alpha, caps=Caps(1, 0)).graph.adjacency.any())
    for alpha in (1e-38, 1e-40, 1e-300):
        assert bool(pc(test, alpha=alpha).graph.adjacency.any())
        with pytest.raises(InputError, match="below what float32 can hold"):
            pc(test, alpha=alpha, caps=Caps(1, 0))
