import jax
import numpy as np
import pytest

from jaxcause import InputError, simulate
from jaxcause.graph import ancestor_matrix
from jaxcause.stats import fit_var


def test_random_dags_are_acyclic_and_have_the_degree_asked_for():
    dags = [np.asarray(simulate.random_dag(jax.random.key(s), 30, degree=4.0)) for s in range(10)]
    for dag in dags:
        ancestor_matrix(dag)
    assert np.mean([2 * d.sum() / 30 for d in dags]) == pytest.approx(4.0, abs=0.5)
    with pytest.raises(InputError, match="degree=5"):
        simulate.random_dag(jax.random.key(0), 5, degree=5.0)


def test_linear_sem_has_unit_variances_and_the_markov_property():
    dag = np.zeros((3, 3), bool)
    dag[0, 1] = dag[1, 2] = True
    x = np.asarray(simulate.linear_sem(jax.random.key(0), dag, n_samples=40_000))
    np.testing.assert_allclose(x.std(axis=0), 1.0, atol=0.02)
    corr = np.corrcoef(x.T)
    assert abs(corr[0, 2] - corr[0, 1] * corr[1, 2]) < 0.02
    assert abs(corr[0, 2]) > 0.1


def test_a_linear_series_holds_exactly_its_edges():
    sim = simulate.vector_autoregression(jax.random.key(1), n_vars=4, max_lag=3, n_steps=20_000)
    truth = np.asarray(sim.truth.directed)
    assert (truth.sum(axis=(0, 2)) == 3).all()
    fit = fit_var(np.asarray(sim.series), np.arange(19_997), max_lag=3)
    assert np.abs(fit.coefficients[truth]).min() > 0.15
    assert np.abs(fit.coefficients[~truth]).max() < 0.05


@pytest.mark.parametrize("seed", range(3))
def test_a_nonlinear_series_is_stable_and_not_sortable_by_variance(seed):
    sim = simulate.vector_autoregression(
        jax.random.key(seed), n_vars=10, max_lag=5, n_steps=5000, function="nonlinear"
    )
    series, truth = np.asarray(sim.series), np.array(sim.truth.summary())
    assert np.isfinite(series).all()
    assert np.abs(series).max() < 50
    np.fill_diagonal(truth, False)
    source, target = np.nonzero(truth)
    # Varsortability (Reisach et al. 2021): about a half means that variance tells nothing.
    rising = (series.var(axis=0)[source] < series.var(axis=0)[target]).mean()
    assert 0.2 < rising < 0.8


def test_lorenz96_follows_its_equation():
    sim = simulate.lorenz96(
        jax.random.key(0), n_vars=6, n_steps=3000, forcing=8.0, dt=0.002, noise=0.0
    )
    x = np.asarray(sim.series, np.float64)
    slope = (x[2:] - x[:-2]) / 0.004
    now = x[1:-1]
    expected = (np.roll(now, -1, 1) - np.roll(now, 2, 1)) * np.roll(now, 1, 1) - now + 8.0
    assert np.abs(slope - expected).max() < 0.02 * np.abs(expected).max()
    truth = np.asarray(sim.truth.directed)[:, :, 1]
    assert set(np.flatnonzero(truth[:, 3])) == {1, 2, 3, 4}


@pytest.mark.parametrize("function", ["linear", "nonlinear"])
def test_the_same_key_gives_the_same_series(function):
    one, two = (
        simulate.vector_autoregression(
            jax.random.key(3), n_vars=3, max_lag=2, n_steps=50, function=function
        )
        for _ in range(2)
    )
    assert (one.series == two.series).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_vars": 0}, "n_vars=0"),
        ({"function": "cubic"}, "choose one of linear, nonlinear"),
        ({"n_parents": 7}, "n_parents=7"),
    ],
)
def test_bad_sizes_are_named(change, message):
    sizes = {"n_vars": 3, "max_lag": 2, "n_steps": 50} | change
    with pytest.raises(InputError, match=message):
        simulate.vector_autoregression(jax.random.key(0), **sizes)
