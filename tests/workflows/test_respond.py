"""Responses to a change: analytic ones, simulated ones, units, gaps, and errors."""

import jax
import numpy as np
import pytest
from effect_cases import NAMES, linear_series

import jaxcause as jc
from jaxcause.series import fit_transform
from jaxcause.workflows import Discovery
from jaxcause.workflows._discover.dynamics import Dynamics, LinearModel, PathWindows
from jaxcause.workflows._discover.respond import respond_to


def dynamics_of(coefficients, values, *, segment=None):
    """What `respond` starts from, of a model that is known."""
    n_rows, n_vars = values.shape
    max_lag = coefficients.shape[2] - 1
    fitted = fit_transform(np.eye(n_vars) * np.sqrt(n_vars), kind="standardise")
    fitted = fitted._replace(mean=np.zeros(n_vars), scale=np.ones(n_vars))
    windows = PathWindows(
        values,
        np.arange(n_rows - max_lag),
        np.zeros(n_rows, int) if segment is None else segment,
        np.zeros(n_rows, np.int32),
        fitted,
        False,
        max_lag,
    )
    models = [LinearModel(coefficients, np.zeros(n_vars))]
    return Dynamics(windows, lambda: models, "a known model")


def asked(dynamics, change, steps, *, sustained=False):
    names = tuple(f"X{i}" for i in range(dynamics.windows.values.shape[1]))
    return respond_to(
        dynamics, names, change, steps=steps, sustained=sustained, n_windows=20, level=0.95
    )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("with_now", [False, True])
def test_a_linear_response_is_the_analytic_one(seed, with_now):
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(3, 3, 3)) / 4
    weights[:, :, 0] = np.triu(weights[:, :, 0], 1) * with_now
    found = asked(dynamics_of(weights, rng.normal(size=(60, 3))), {"X0": 2.0}, 6)
    at_once = np.linalg.inv(np.eye(3) - weights[:, :, 0])
    expected = [2 * at_once[0], np.zeros(3)]
    for step in range(1, 7):
        past = [expected[step - 1], expected[step - 2] if step > 1 else np.zeros(3)]
        row = (past[0] @ weights[:, :, 1] + past[1] @ weights[:, :, 2]) @ at_once
        expected[step:] = [row]
    np.testing.assert_allclose(found.response, expected, atol=1e-12)
    np.testing.assert_allclose(found.low, found.high, atol=1e-12)


def test_a_sustained_change_is_kept_and_adds_up():
    weights = np.zeros((2, 2, 2))
    weights[0, 1, 1] = weights[1, 1, 1] = 0.5
    weights[0, 0, 1] = 0.9
    found = asked(
        dynamics_of(weights, np.random.default_rng(0).normal(size=(80, 2))),
        {"X0": 1.0},
        30,
        sustained=True,
    )
    np.testing.assert_allclose(found.response[:, 0], 1.0)
    assert found.response[-1, 1] == pytest.approx(1.0, abs=1e-6)


def test_gaps_and_holes_are_bridged_by_forecasts():
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(2, 2, 2)) / 3
    weights[:, :, 0] = 0
    values = rng.normal(size=(60, 2))
    whole = asked(dynamics_of(weights, values), {"X1": 1.0}, 4).response
    values[::3, 0] = np.nan
    segment = np.repeat(np.arange(15), 4)
    holed = asked(dynamics_of(weights, values, segment=segment), {"X1": 1.0}, 4).response
    np.testing.assert_allclose(holed, whole, atol=1e-12)


@pytest.mark.parametrize("method", ["var", "lasso", "pc", "pcmci", "pcmci+"])
def test_linear_methods_respond_in_units_of_the_data(method):
    found = jc.discover(linear_series() * [1, 100, 1], 2, names=NAMES, method=method)
    answer = found.respond({"rain": 1.0}, steps=5)
    assert answer.response.shape == (6, 3)
    assert answer.response[0].round(9).tolist() == [1, 0, 0]
    assert answer.response[1, 1] == pytest.approx(-70, rel=0.15)
    assert answer.response[3, 2] == pytest.approx(-0.35, rel=0.25)
    assert answer.low[1, 1] < -70 < answer.high[1, 1]
    assert answer.table["variable"][:3].tolist() == NAMES
    assert answer.table["response"][4] == answer.response[1, 1]
    assert "no common cause is hidden" in answer.summary()
    assert [panel.get_title() for panel in answer.plot().child_axes] == NAMES
    assert repr(answer) == "<Response: Response to rain +1 at step 0, 5 steps>"


def test_the_forecaster_responds_as_the_system_does():
    def run(shocks):
        x = shocks.copy()
        for t in range(1, len(x)):
            x[t, 1] = -np.tanh(2 * x[t - 1, 0]) * 1.5 + 0.5 * x[t, 1]
            x[t, 2] = np.maximum(x[t - 1, 1], 0) + 0.5 * x[t, 2]
        return x

    rng = np.random.default_rng(1)
    series = run(rng.normal(size=(1500, 3)))
    found = jc.discover(
        series, 2, names=NAMES, model="small", progress=False, key=jax.random.key(0)
    )
    assert found.info.selection == "empirical null"
    shocks = rng.normal(size=(400, 6, 3))
    changed = shocks.copy()
    changed[:, 1, 0] += 1.0
    truth = np.mean([run(b) - run(a) for a, b in zip(shocks, changed, strict=True)], axis=0)[1:]
    answer = found.respond({"rain": 1.0}, steps=4)
    np.testing.assert_allclose(answer.response, truth, atol=0.2)
    assert (answer.low <= answer.response + 1e-9).all()
    assert (answer.response <= answer.high + 1e-9).all()


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"rian": 1.0}, {}, "change names 'rian', which is not a variable; there are rain, river"),
        ({}, {}, r'change=\{\} must name variables, such as \{"rain": 1.0\}'),
        (1.0, {}, "change=1.0 must name variables"),
        ({"rain": np.nan}, {}, "change of 'rain' is nan; give a finite number"),
        ({"rain": "much"}, {}, "change of 'rain' is 'much'; give a finite number"),
        ({"rain": 1.0}, {"steps": 0}, "steps=0 must be a whole number of at least 1"),
        ({"rain": 1.0}, {"n_windows": 0}, "n_windows=0 must be"),
        ({"rain": 1.0}, {"level": 1.5}, "level=1.5 must lie strictly between 0 and 1"),
    ],
)
def test_wrong_questions_are_named(change, options, message):
    found = jc.discover(linear_series(200), 2, names=NAMES, method="var")
    with pytest.raises(jc.InputError, match=message):
        found.respond(change, **options)


def test_a_result_from_json_says_what_it_lacks():
    found = jc.discover(linear_series(200), 2, names=NAMES, method="var")
    with pytest.raises(jc.InputError, match="which a result from JSON or of a method of your own"):
        Discovery.from_json(found.to_json()).respond({"rain": 1.0})
