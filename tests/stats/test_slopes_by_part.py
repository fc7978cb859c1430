"""Slopes in each part of the rows: against formulas written out, and against scipy."""

import numpy as np
import pytest
import scipy.stats

from jaxcause._errors import InputError
from jaxcause.stats import slopes_by_part
from jaxcause.stats._tails import f_p_value


def test_tails_of_the_f_distribution():
    rng = np.random.default_rng(0)
    f, a, b = rng.gamma(1, 2, 500), rng.uniform(0.7, 60, 500), rng.uniform(0.7, 9000, 500)
    np.testing.assert_allclose(f_p_value(f, a, b), scipy.stats.f.sf(f, a, b), rtol=1e-9)
    assert f_p_value(np.array([0.0, np.inf]), 3.0, 5.0).tolist() == [1.0, 0.0]


def test_slopes_and_errors_are_those_of_the_formula():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(90, 2)), rng.normal(size=90)
    parts = [slice(0, 40), slice(40, 90)]
    found = slopes_by_part(x, y, parts)
    for number, part in enumerate(parts):
        z = np.column_stack([x[part], np.ones(len(y[part]))])
        inverse = np.linalg.inv(z.T @ z)
        beta = inverse @ z.T @ y[part]
        hat = np.einsum("ni,ij,nj->n", z, inverse, z)
        residual = (y[part] - z @ beta) / (1 - hat)
        covariance = inverse @ (z.T * residual**2) @ z @ inverse
        np.testing.assert_allclose(found.slope[number], beta[:2])
        np.testing.assert_allclose(found.error[number], np.sqrt(np.diag(covariance))[:2])
    assert found.degrees.tolist() == [37, 47]


def test_two_parts_are_compared_as_by_welch():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(100, 1)), rng.normal(size=100)
    found = slopes_by_part(x, y, [slice(0, 30), slice(30, 100)])
    variance = found.error[:, 0] ** 2
    t = np.diff(found.slope[:, 0])[0] / np.sqrt(variance.sum())
    degrees = variance.sum() ** 2 / (variance**2 / found.degrees).sum()
    np.testing.assert_allclose(found.p_value[0], 2 * scipy.stats.t.sf(abs(t), degrees))


@pytest.mark.parametrize("n_parts", [2, 8])
def test_p_values_of_equal_slopes_are_uniform_also_with_outliers_and_changing_variance(n_parts):
    rng, found = np.random.default_rng(3), []
    ends = np.linspace(0, 480, n_parts + 1).astype(int)
    parts = [slice(a, b) for a, b in zip(ends[:-1], ends[1:], strict=True)]
    for _ in range(300):
        x = rng.normal(size=(480, 2))
        noise = rng.standard_t(4, size=480) * (1 + np.abs(x[:, 0])) * np.repeat([1, 3], 240)
        found.append(slopes_by_part(x, x @ [0.5, -1.0] + noise, parts).p_value)
    share = (np.array(found) < 0.05).mean()
    assert 0.02 < share < 0.08


def test_a_copy_among_the_inputs_does_no_harm():
    rng = np.random.default_rng(4)
    x = rng.normal(size=(200, 1))
    y = x[:, 0] + rng.normal(size=200)
    found = slopes_by_part(np.column_stack([x, x, 0 * x]), y, [slice(0, 100), slice(100, 200)])
    assert np.isfinite(found.slope).all()
    assert found.p_value[2] == 1.0
    assert (found.p_value[:2] > 0.001).all()


def test_too_little_is_told():
    x, y = np.zeros((20, 2)), np.zeros(20)
    with pytest.raises(InputError, match="1 part"):
        slopes_by_part(x, y, [slice(0, 20)])
    with pytest.raises(InputError, match="4 rows for 2 slopes"):
        slopes_by_part(x, y, [slice(0, 4), slice(4, 20)])
