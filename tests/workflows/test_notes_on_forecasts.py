"""What the notes say of forecasts: no more than holds for every variable, and the true reason."""

from types import SimpleNamespace

import numpy as np
import pytest

import jaxcause as jc
from jaxcause.series import as_series_table, link_knowledge
from jaxcause.training import TrainingConfig
from jaxcause.workflows._discover.notes import _doubt_of_gain, _on_noise_alone
from jaxcause.workflows._discover.prepare import WindowOptions, prepare

pytestmark = pytest.mark.usefixtures("untyped")
NAMES = ("a", "b", "c")


def said_of(explained, p_value=0.5, head="mean"):
    """The note on series of which the past explains such shares of the variance."""
    newest = np.random.default_rng(0).normal(size=(500, 3))
    residuals = newest * np.sqrt(1 - np.array(explained))
    edges = np.zeros((3, 3, 2), bool)
    edges[0, 1, 1] = True
    data = SimpleNamespace(names=NAMES, mean_errors=(newest**2).mean(axis=0))
    config = SimpleNamespace(head=head)
    fitted = SimpleNamespace(residuals=residuals, forecaster=SimpleNamespace(config=config))
    selected = SimpleNamespace(
        graph=jc.LaggedGraph.from_mask(edges), p_value=np.where(edges, p_value, 0.5)
    )
    return " ".join(_on_noise_alone(data, fitted, selected))


def test_nothing_is_said_to_be_forecast_only_where_that_holds_for_every_variable():
    assert "edges of this graph mean little" in said_of([0, 0.01, -0.01])
    one = said_of([0, 0.5, 0])
    assert "mean little" not in one
    assert "2 of 3 variables can hardly be forecast from the past (a, c)" in one
    assert said_of([0, 0.5, 0.5]) == ""


def test_errors_are_compared_with_that_of_the_mean_of_the_rows_before():
    """A series that gets louder has large errors; that does not say that nothing is forecast."""
    rng = np.random.default_rng(0)
    loud = np.where(np.arange(400) < 300, 1.0, 3.0)[:, None]
    x = rng.normal(size=(400, 3)) * loud
    for t in range(1, 400):
        x[t] += 0.6 * x[t - 1]
    table, known = as_series_table(x), link_knowledge(list(NAMES), 1)
    data = prepare(table, 1, known=known, transform="standardise", options=WindowOptions(0.2))
    seen, newest = (data.values[part + 1] for part in data.split)
    expected = ((newest - seen.mean(axis=0)) ** 2).mean(axis=0)
    np.testing.assert_allclose(data.mean_errors, expected)
    assert data.linear_error > 1
    assert data.linear_error < 0.8 * data.mean_error


def test_edges_that_are_sure_do_not_mean_little():
    for found in (said_of([0, 0.01, 0], p_value=1e-9), said_of([0, 0, 0], head="gaussian")):
        assert "mean little" not in found
        assert "small beside the noise" in found


def doubt(error, share, z, noise=None):
    gain = SimpleNamespace(share=share, z=z)
    fitted = SimpleNamespace(error=error, gain=gain)
    return _doubt_of_gain(SimpleNamespace(linear_error=0.0111, noise=noise), fitted)


def test_a_smaller_error_that_is_no_gain_has_its_true_reason():
    assert doubt(0.0110, 0.01, 0.5) == ""
    assert "2.99 standard errors, and 3 are asked for" in doubt(0.00433, 0.65, 2.99)
    assert "3.50 standard errors, and 4 are asked for" in doubt(0.0105, 0.05, 3.5)
    assert "raises the linear model's error in the other half by 3.0%" in doubt(0.009, -0.03, 5)
    weighed = doubt(0.009, 0.02, 5, noise=object())
    assert "lowers" in weighed
    assert "in units of the noise of its time by 2.0%" in weighed


def test_the_record_and_the_notes_count_the_same_windows():
    x = np.random.default_rng(0).normal(size=(60, 3))
    training = TrainingConfig(4, batch_size=4)
    found = jc.discover(x, 2, model="small", training=training, progress=False)
    assert found.info.n_windows == 58
    assert "58 windows" in found.to_html()
    for note in found.info.notes:
        assert "56 windows" not in note


@pytest.mark.parametrize(
    ("n_rows", "said"), [(300, "As regression='stepwise'"), (20, "fewer than")]
)
def test_a_stepwise_regression_that_was_asked_for_is_no_lack_of_windows(n_rows, said):
    x = np.random.default_rng(0).normal(size=(n_rows, 3))
    x[1:, 1] += x[:-1, 0]
    found = jc.discover(x, 1, method="var", regression="stepwise", progress=False)
    (note,) = [note for note in found.info.notes if "stepwise regression chose" in note]
    assert said in note
    assert "(at most 1 input)" in note or "(at most 2 inputs)" in note


def test_strengths_are_the_effects_in_standard_deviations():
    # Two slow columns that nearly agree: a penalty would draw their coefficients together.
    rng = np.random.default_rng(0)
    slow = np.cumsum(rng.normal(size=(600, 1)), 0)
    x = np.column_stack([slow + 0.1 * rng.normal(size=(600, 2)), rng.normal(size=600)])
    x[1:, 2] += x[:-1, 0] - x[:-1, 1]
    training = TrainingConfig(4, batch_size=4)
    options = {"model": "small", "training": training, "transform": "standardise"}
    found = jc.discover(x, 1, detrend=None, domain=None, progress=False, **options)
    assert found.info.selection == "t-tests"
    edges = np.asarray(found.graph.directed)
    assert edges[0, 2, 1]
    effects = np.abs(found.effects.standardised)[edges]
    np.testing.assert_allclose(np.asarray(found.strength)[edges], effects, rtol=0.05)
