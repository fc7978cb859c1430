import jax
import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf
from typechecker import tolerance

from jaxcause import InputError, partial_correlation_test_from_data
from jaxcause.stats import shrink_correlation, shrinkage_intensity


def data(n_samples=30, n=8, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_samples, n)) @ (np.eye(n) + 0.4 * rng.normal(size=(n, n)))


def intensity_by_loops(x):
    """Schäfer and Strimmer's estimate, a pair at a time, over the rows that hold both."""
    z = (x - np.nanmean(x, axis=0)) / np.nanstd(x, axis=0, ddof=1)
    error = signal = 0.0
    for i in range(x.shape[1]):
        for j in range(x.shape[1]):
            if i == j:
                continue
            w = z[:, i] * z[:, j]
            w = w[~np.isnan(w)]
            n = len(w)
            error += n / (n - 1) ** 3 * ((w - w.mean()) ** 2).sum()
            signal += (n / (n - 1) * w.mean()) ** 2
    return min(1.0, error / signal)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("n_samples", [6, 30, 400])
def test_the_intensity_is_that_of_the_formula(seed, n_samples):
    x = data(n_samples, seed=seed)
    assert shrinkage_intensity(x) == pytest.approx(intensity_by_loops(x), abs=1e-12)


def test_the_intensity_with_missing_cells():
    x = data(60)
    x[np.random.default_rng(1).uniform(size=x.shape) < 0.2] = np.nan
    assert shrinkage_intensity(x) == pytest.approx(intensity_by_loops(x), abs=1e-12)


def test_the_intensity_is_ledoit_and_wolfs_less_the_part_of_the_variances():
    x = data(40)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    n_samples, n = x.shape
    r = np.corrcoef(x.T)
    signal = (r**2).sum() - n
    of_variances = ((z**2 - 1) ** 2).sum() / n_samples**2
    expected = ledoit_wolf(z, assume_centered=True)[1] * signal - of_variances
    ours = float(shrinkage_intensity(x)) * signal * (n_samples - 1) / n_samples
    assert ours == pytest.approx(expected, rel=1e-10)


def test_the_intensity_falls_with_samples_and_is_one_for_noise():
    assert shrinkage_intensity(data(10)) > shrinkage_intensity(data(1000))
    assert shrinkage_intensity(np.random.default_rng(0).normal(size=(20, 100))) > 0.9
    assert float(shrinkage_intensity(data(10, n=1))) == 0.0


def test_scales_do_not_matter():
    x = data()
    scales = np.logspace(-150, 150, x.shape[1])
    assert shrinkage_intensity(x * scales) == pytest.approx(float(shrinkage_intensity(x)))


def test_shrinking_is_a_mixture_with_the_identity():
    r = np.corrcoef(data().T)
    for share in (0.0, 0.3, 1.0):
        expected = (1 - share) * r + share * np.eye(8)
        np.testing.assert_allclose(shrink_correlation(r, share), expected, atol=1e-15)
    covariance = np.cov(data().T)
    shrunk = np.asarray(shrink_correlation(covariance, 0.3))
    assert (np.diag(shrunk) == np.diag(covariance)).all()


def test_batches_take_an_intensity_each():
    x = np.stack([data(seed=s) for s in range(3)])
    r = np.stack([np.corrcoef(rows.T) for rows in x])
    shares = np.asarray(shrinkage_intensity(x))
    assert shares.tolist() == pytest.approx([float(shrinkage_intensity(rows)) for rows in x])
    each = np.stack([shrink_correlation(c, float(s)) for c, s in zip(r, shares, strict=True)])
    for batched in (shrink_correlation(r, shares), jax.vmap(shrink_correlation)(r, shares)):
        np.testing.assert_allclose(batched, each, rtol=tolerance(1e-12, 1e-5))
    derivative = jax.grad(lambda share: shrink_correlation(r[0], share).sum())(0.5)
    assert derivative == pytest.approx(-(r[0].sum() - 8), rel=1e-5)


def test_float64_survives_where_x64_is_off():
    with jax.enable_x64(False):
        assert shrink_correlation(np.eye(2), 0.5).dtype == np.float64
        assert shrinkage_intensity(data()).dtype == np.float64
        assert shrinkage_intensity(data().astype(np.float32)).dtype == np.float32


def test_a_test_from_data_takes_either():
    x = data()
    r = np.corrcoef(x.T)
    given = partial_correlation_test_from_data(x, shrinkage=0.25)
    np.testing.assert_allclose(given.corr, 0.75 * r + 0.25 * np.eye(8), atol=1e-12)
    automatic = partial_correlation_test_from_data(x, shrinkage="auto")
    share = intensity_by_loops(x)
    np.testing.assert_allclose(automatic.corr, (1 - share) * r + share * np.eye(8), atol=1e-12)
    assert int(automatic.n_samples) == 30


def test_a_batch_of_data_shrinks_each_graph_by_its_own():
    x = np.stack([data(seed=s) for s in range(3)])
    together = partial_correlation_test_from_data(x, shrinkage="auto").corr
    each = [partial_correlation_test_from_data(rows, shrinkage="auto").corr for rows in x]
    np.testing.assert_allclose(together, np.stack(each), atol=1e-14)


def test_traced_data_shrink_too():
    x = data()
    inside = jax.jit(lambda v: partial_correlation_test_from_data(v, shrinkage="auto").corr)(x)
    outside = partial_correlation_test_from_data(x, shrinkage="auto").corr
    np.testing.assert_allclose(inside, outside, atol=tolerance(1e-12, 1e-5))


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: shrink_correlation(np.eye(2), 1.5), "intensity=1.5 must lie between 0"),
        (lambda: shrink_correlation(np.eye(2), np.nan), "intensity=nan must lie"),
        (lambda: shrink_correlation(np.ones((2, 3)), 0.5), "corr has shape"),
        (lambda: partial_correlation_test_from_data(data(), shrinkage=-0.1), "shrinkage=-0.1"),
        (lambda: partial_correlation_test_from_data(data(), shrinkage="lw"), "'lw' is not known"),
    ],
)
def test_bad_intensities_are_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
