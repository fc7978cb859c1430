import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial
from typechecker import tolerance

from jaxcause import InputError, attribution
from jaxcause.attribution import (
    gradient_energy,
    input_x_gradient,
    lagged_edges,
    score_test,
    select_fdr,
    select_global_top_k,
    select_threshold,
    select_top_k,
)


def bilinear(window):
    """x_0(t-1)·x_1(t-2) drives 0; 3·x_1(t-1) drives 1."""
    return jnp.stack([window[-1, 0] * window[-2, 1], 3 * window[-1, 1]])


def windows(n=37, time=3, n_vars=2, seed=0):
    return np.random.default_rng(seed).normal(size=(n, time, n_vars))


@pytest.mark.parametrize("batch_size", [1, 10, 64])
def test_scores_equal_the_derivatives_worked_out_by_hand(batch_size):
    x = windows()
    energy, product = np.zeros((2, 2, 4)), np.zeros((2, 2, 4))
    energy[0, 0, 1] = (x[:, -2, 1] ** 2).mean()
    energy[1, 0, 2] = (x[:, -1, 0] ** 2).mean()
    energy[1, 1, 1] = 9
    product[0, 0, 1] = product[1, 0, 2] = np.abs(x[:, -1, 0] * x[:, -2, 1]).mean()
    product[1, 1, 1] = 3 * np.abs(x[:, -1, 1]).mean()
    for read, expected in ((gradient_energy, energy), (input_x_gradient, product)):
        scores = read(bilinear, x, batch_size=batch_size)
        np.testing.assert_allclose(scores, expected, rtol=tolerance(1e-9))


def test_scores_equal_finite_differences():
    weights = np.random.default_rng(1).normal(size=(6, 2))
    x = windows(n=5)

    def forecast(window):
        return jnp.tanh(window.reshape(1, -1) @ weights)[0]

    step, expected = tolerance(1e-6, 1e-2), np.zeros((2, 2, 4))
    for j in range(2):
        for lag in range(1, 4):
            shift = np.zeros_like(x[0])
            shift[3 - lag, j] = step
            change = np.array([(forecast(w + shift) - forecast(w - shift)) / (2 * step) for w in x])
            expected[j, :, lag] = (change**2).mean(axis=0)
    np.testing.assert_allclose(gradient_energy(forecast, x), expected, atol=tolerance(1e-5, 2e-2))


def test_parameters_of_a_partial_share_one_compilation():
    traces = []

    def forecast(scale, window):
        traces.append(1)
        return scale * window[-1]

    x = windows()
    for scale in (1.0, 2.0, 3.0):
        energy = gradient_energy(Partial(forecast, jnp.array(scale)), x)
        np.testing.assert_allclose(energy[:, :, 1], scale**2 * np.eye(2))
        if scale == 1.0:
            first = len(traces)
    # Later parameters may be traced for their shape, and not to compile the gradients again.
    assert len(traces) - first <= 2


def test_scores_compose_with_vmap():
    scales = jnp.array([1.0, 2.0])
    x = jnp.asarray(windows())
    energies = jax.vmap(lambda s: gradient_energy(lambda w: s * w[-1], x))(scales)
    np.testing.assert_allclose(energies[:, 0, 0, 1], [1.0, 4.0])


@pytest.mark.usefixtures("untyped")
def test_a_forecast_of_the_wrong_shape_is_named():
    with pytest.raises(InputError, match="one value per variable"):
        gradient_energy(lambda w: w, windows())
    with pytest.raises(InputError, match="windows has shape"):
        gradient_energy(bilinear, windows()[0])


def scores_with_edges(seed=0, n=8, lags=4, n_edges=12):
    rng = np.random.default_rng(seed)
    scores = np.exp(rng.normal(size=(n, n, lags + 1)))
    scores[:, :, 0] = 0
    at = rng.choice(n * n * lags, n_edges, replace=False)
    truth = np.concatenate(
        [np.zeros((n, n, 1), bool), np.isin(np.arange(n * n * lags), at).reshape(n, n, lags)],
        axis=2,
    )
    scores[truth] *= 1e6
    return scores, truth


def test_fdr_finds_what_stands_out():
    scores, truth = scores_with_edges()
    found = np.asarray(select_fdr(scores, q=0.01).directed)
    assert (found == truth).all()


@pytest.mark.parametrize("k", [0, 1, 3])
def test_top_k_keeps_k_parents_of_each_target(k):
    scores, _ = scores_with_edges(n_edges=0)
    found = np.asarray(select_top_k(scores, k).directed)
    assert (found.sum(axis=(0, 2)) == k).all()
    for target in range(8):
        kept, left = (scores[:, target, 1:][m[:, target, 1:]] for m in (found, ~found))
        assert kept.size == 0 or kept.min() > left.max()


def test_global_top_k_keeps_the_best_of_all():
    scores, truth = scores_with_edges()
    assert (np.asarray(select_global_top_k(scores, 12).directed) == truth).all()


def test_threshold_is_a_share_of_the_target():
    scores = np.zeros((2, 2, 3))
    scores[:, 0, 1:] = [[0.5, 0.3], [0.2, 0.0]]
    found = np.asarray(select_threshold(scores).directed)
    assert found[0, 0, 1:].tolist() == [True, True]
    assert found.sum() == 2
    assert np.asarray(select_threshold(scores, threshold=0.4).directed).sum() == 1


def test_scores_enter_the_core_as_a_ci_test():
    p = np.ones((3, 3, 3))
    p[0, 1, 2], p[2, 2, 1] = 0.01, 0.04
    test = score_test(p)
    assert test.n_nodes == 9
    # Node lag * 3 + var: the answer is the same in either order of the pair, and at any time.
    none = np.zeros(0, np.int32)
    for x, y in ((6, 1), (1, 6)):
        assert float(test(x, y, none).p_value) == pytest.approx(0.01)
    assert float(test(5, 8, none).p_value) == pytest.approx(0.04)
    assert lagged_edges(test, alpha=0.02).edges() == [("X0", 2, "-->", "X1")]
    assert len(lagged_edges(test, alpha=0.05).edges()) == 2


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: select_fdr(-np.ones((2, 2, 2))), "negative"),
        (lambda: select_fdr(np.full((2, 2, 2), np.nan)), "NaN"),
        (lambda: select_fdr(np.ones((2, 2))), "scores has shape"),
        (lambda: select_fdr(np.ones((2, 2, 2)), q=1.0), "q=1"),
        (lambda: select_top_k(np.ones((2, 2, 2)), -1), "k=-1"),
        (lambda: select_threshold(np.ones((2, 2, 2)), threshold=2.0), "threshold=2"),
        (lambda: attribution.score_test(np.ones((2, 3, 2))), "p_values has shape"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
