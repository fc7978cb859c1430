import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from jaxcause import InputError
from jaxcause.stats import instrumental_regression

TARGET, REGRESSORS, N_INSTRUMENTS = 0, (1, 2), 4


def drawn(seed=0, n=3000, effects=(0.5, 0.0), hidden=1.0):
    """Columns y, x1, x2, z1 … z4: u is hidden, and acts on y and on both x."""
    rng = np.random.default_rng(seed)
    z, u = rng.normal(size=(n, N_INSTRUMENTS)), rng.normal(size=n)
    x = z @ np.array([[0.5, 0.2], [0.1, 0.6], [-0.4, 0.3], [0.2, 0.2]]) + hidden * u[:, None]
    x += rng.normal(size=(n, 2))
    y = x @ np.array(effects) + hidden * u + rng.normal(size=n)
    return np.column_stack([y, x, z])


def asked(data, **changed):
    data = data / data.std(axis=0)
    given = {
        "target": np.array([TARGET]),
        "regressors": np.array([REGRESSORS]),
        "instruments": np.arange(data.shape[1]) > 2,
    }
    return instrumental_regression(np.corrcoef(data.T), len(data), **(given | changed))


def from_rows(data, lowered=1.0):
    """The estimator from the rows themselves: projections, explicit residuals."""
    data = (data - data.mean(axis=0)) / data.std(axis=0)
    y, x, z = data[:, 0], data[:, 1:3], data[:, 3:]
    n = len(y)
    project = z @ np.linalg.pinv(z)
    w = np.column_stack([y, x])
    a = np.linalg.eigvals(np.linalg.solve(w.T @ w, w.T @ project @ w)).real.min()
    a = (a - lowered * (1 - a) / n) / (1 - lowered * (1 - a) / n)
    h = x.T @ project @ x - a * x.T @ x
    beta = np.linalg.solve(h, x.T @ project @ y - a * x.T @ y)
    e = y - x @ beta
    share = e @ project @ e / (e @ e)
    clean = x - np.outer(e, x.T @ e) / (e @ e)
    inside = project @ clean
    middle = (1 - share) ** 2 * inside.T @ inside
    middle += share**2 * (clean - inside).T @ (clean - inside)
    covariance = np.linalg.inv(h) @ middle @ np.linalg.inv(h) * (e @ e) / (n - 2)
    return beta, np.sqrt(np.diag(covariance)), n * share


@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_estimator_of_the_rows(seed):
    data = drawn(seed, n=400)
    found = asked(data)
    effect, error, sargan = from_rows(data)
    np.testing.assert_allclose(found.effect[0], effect, rtol=1e-8)
    np.testing.assert_allclose(found.standard_error[0], error, rtol=1e-8)
    expected = scipy.stats.chi2.sf(sargan, N_INSTRUMENTS - 2)
    np.testing.assert_allclose(found.overidentification_p_value[0], expected, rtol=1e-6)


def test_one_instrument_gives_the_ratio_of_covariances():
    data = drawn(n=200_000)
    only = np.arange(7) == 3
    found = asked(data, regressors=np.array([[1, -1]]), instruments=only)
    scaled = data / data.std(axis=0)
    ratio = np.cov(scaled[:, 3], scaled[:, 0])[0, 1] / np.cov(scaled[:, 3], scaled[:, 1])[0, 1]
    np.testing.assert_allclose(found.effect[0], [ratio, 0], atol=1e-3)
    assert found.p_value[0, 1] == 1
    assert found.overidentification_p_value[0] == 1


def test_a_hidden_cause_biases_ordinary_regression_alone():
    data = drawn(n=20_000)
    found = asked(data)
    in_units = found.effect[0] * data[:, 0].std() / data[:, 1:3].std(axis=0)
    np.testing.assert_allclose(in_units, [0.5, 0], atol=0.05)
    assert found.least_squares[0, 1] > 0.2
    assert (found.p_value[0] < 1e-6).tolist() == [True, False]
    assert (found.difference_p_value[0] < 1e-6).all()
    assert found.overidentification_p_value[0] > 0.01
    plain = asked(drawn(n=20_000, hidden=0.0))
    assert (plain.difference_p_value[0] > 0.01).all()


def test_p_values_are_uniform_where_nothing_acts():
    """Half of the instruments move nothing, as many of a series do."""
    p_values = []
    for seed in range(400):
        data = drawn(seed, n=300)
        noise = np.random.default_rng(seed + 1000).normal(size=(300, 8))
        data = np.column_stack([data, noise])
        p_values.append(float(asked(data).p_value[0, 1]))
    small = np.mean(np.array(p_values)[:, None] < [0.05, 0.1, 0.5], axis=0)
    np.testing.assert_allclose(small, [0.05, 0.1, 0.5], atol=3 * np.sqrt(0.25 / 400))
    assert small[0] < 0.09


def test_instruments_that_act_themselves_are_told():
    data = drawn(n=5000)
    data[:, 0] += 0.5 * data[:, 4]
    assert asked(data).overidentification_p_value[0] < 1e-6


def test_collinear_or_too_few_instruments_say_nothing():
    data = drawn()
    few = asked(data, instruments=np.arange(7) == 3)
    assert np.isnan(few.p_value).all()
    assert np.isnan(few.overidentification_p_value).all()
    data[:, 6] = data[:, 5]
    assert np.isnan(asked(data).p_value).all()


def test_it_runs_under_jit_and_vmap():
    both = [drawn(seed) for seed in (0, 1)]
    corr = np.stack([np.corrcoef(d.T) for d in both])
    arguments = {
        "target": jnp.array([0]),
        "regressors": jnp.array([[1, 2, -1]]),
        "instruments": jnp.arange(7) > 2,
    }
    with jax.enable_x64(True):
        batched = jax.jit(jax.vmap(lambda c: instrumental_regression(c, 3000, **arguments)))(corr)
    for number, data in enumerate(both):
        alone = asked(data)
        np.testing.assert_allclose(batched.effect[number, 0, :2], alone.effect[0], rtol=1e-9)
        np.testing.assert_allclose(batched.p_value[number, 0, 2], 1)


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"regressors": np.array([[1], [2]])}, "2 rows for 1 targets"),
        ({"instruments": np.ones(3, bool)}, "3 entries, but corr is about 7"),
    ],
)
def test_wrong_shapes_are_named(changed, message):
    with pytest.raises(InputError, match=message):
        asked(drawn(n=50), **changed)
