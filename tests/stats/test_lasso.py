import numpy as np
import pytest
from sklearn.linear_model import Lasso

from jaxcause._checks import InputError
from jaxcause.stats import fit_lasso_var

LAG = 3


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(400, 4)) + 2
    for t in range(2, 400):
        x[t, 1] += 0.6 * x[t - 2, 0]
        x[t, 2] += 0.4 * x[t - 1, 1] - 0.3 * x[t - 1, 2]
    train, held_out = np.arange(300), np.arange(304, 397)
    return x, train, held_out, fit_lasso_var(x, train, held_out, max_lag=LAG, n_penalties=8)


def design(x, starts):
    return np.concatenate([x[starts + LAG - lag] for lag in range(1, LAG + 1)], axis=1)


def peer(x, starts, target, penalty):
    model = Lasso(alpha=penalty, tol=1e-12, max_iter=100_000)
    return model.fit(design(x, starts), x[starts + LAG, target])


def test_coefficients_are_those_of_scikit_learn(fitted):
    x, train, held_out, fit = fitted
    every = np.concatenate([train, held_out])
    for target in range(4):
        model = peer(x, every, target, fit.penalty[target])
        ours = fit.coefficients[:, target, 1:].T.ravel()
        np.testing.assert_allclose(ours, model.coef_, atol=1e-6)
        assert fit.intercept[target] == pytest.approx(model.intercept_, abs=1e-5)


def test_the_penalty_has_the_smallest_error_on_later_windows(fitted):
    x, train, held_out, fit = fitted
    target = 2
    errors = []
    for penalty in fit.penalties[:, target]:
        forecast = peer(x, train, target, penalty).predict(design(x, held_out))
        errors.append(np.mean((forecast - x[held_out + LAG, target]) ** 2))
    np.testing.assert_allclose(fit.error[:, target], errors, rtol=1e-6)
    assert fit.penalty[target] == fit.penalties[np.argmin(errors), target]


def test_conditions_of_optimality_hold(fitted):
    x, train, held_out, fit = fitted
    every = np.concatenate([train, held_out])
    z = design(x, every)
    for target in range(4):
        beta = fit.coefficients[:, target, 1:].T.ravel()
        residual = x[every + LAG, target] - fit.intercept[target] - z @ beta
        pull = z.T @ residual / len(every)
        kept = beta != 0
        np.testing.assert_allclose(pull[kept], fit.penalty[target] * np.sign(beta[kept]), atol=1e-6)
        assert (np.abs(pull[~kept]) <= fit.penalty[target] + 1e-6).all()
    assert fit.coefficients[0, 1, 2] > 0.4
    assert (fit.coefficients[:, :, 0] == 0).all()


def test_a_constant_column_gets_no_coefficient():
    x = np.random.default_rng(0).normal(size=(100, 2))
    x[:, 1] = 3.0
    fit = fit_lasso_var(x, np.arange(60), np.arange(62, 98), max_lag=1, n_penalties=3)
    assert (fit.coefficients[1] == 0).all()


def test_too_few_windows():
    with pytest.raises(InputError, match="held_out 1 windows"):
        fit_lasso_var(np.zeros((9, 2)), np.arange(5), np.arange(1), max_lag=1)
