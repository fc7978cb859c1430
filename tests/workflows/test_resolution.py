"""Discoveries at a coarser resolution, and of changes from row to row."""

import numpy as np
import pandas as pd
import pytest

import jaxcause as jc
from jaxcause import InputError
from jaxcause.series import CHANGES, TRANSFORMS, as_series_table, link_knowledge
from jaxcause.training import TrainingConfig
from jaxcause.workflows import TrainedForecaster
from jaxcause.workflows._discover.prepare import WindowOptions, fit_stages, prepare, prepare_as

LINEAR = ("var", "lasso", "pc", "pcmci", "pcmci+")
NAMES = ["rain", "gauge", "demand"]
SHORT = {"training": TrainingConfig(n_steps=4), "model": "small", "progress": False}


def steps_of_four(n_rows=1600, seed=0):
    """Slow values that are read four times each; the delay is two of them."""
    slow = np.random.default_rng(seed).normal(size=(n_rows // 4, 3))
    slow[2:, 1] += 0.9 * slow[:-2, 0]
    return np.repeat(slow, 4, axis=0)


def integrated(n_rows=800, seed=0):
    x = np.random.default_rng(seed).normal(size=(n_rows, 3))
    x[2:, 1] += 0.9 * x[:-2, 0]
    return np.cumsum(x, axis=0)


def dated(x, freq="15min"):
    frame = pd.DataFrame(x, columns=NAMES)
    frame.insert(0, "date", pd.date_range("2024-01-01", periods=len(x), freq=freq))
    return frame


@pytest.mark.parametrize("method", LINEAR)
def test_lags_count_blocks(method):
    strict = {} if method in ("pc", "lasso") else {"q": 0.001}
    found = jc.discover(dated(steps_of_four()), 3, method=method, resample="1h", **strict)
    assert ("rain", 2, "-->", "gauge") in found.graph.edges(NAMES)
    assert found.info.resample == 4
    assert found.info.one_lag == "4 rows, 1 hour"
    assert any("one lag is 4 rows, 1 hour" in note for note in found.info.notes)
    assert found.info.provenance["data"] == "1,600 rows of 3 variables"
    assert "One lag is 4 rows, 1 hour" in found.to_html()


def smooth(n_rows, seed=0):
    noise = np.random.default_rng(seed).normal(size=(n_rows + 80, 3))
    columns = [np.convolve(column, np.hanning(40), mode="same") for column in noise.T]
    return np.stack(columns, axis=1)


def test_auto_averages_only_what_is_nearly_copied():
    found = jc.discover(dated(smooth(4000)), 3, method="var", resample="auto")
    factor = found.info.resample
    assert factor > 1
    assert any(f"resample={factor} (" in note and "was chosen" in note for note in found.info.notes)
    as_it_is = jc.discover(dated(smooth(4000)), 3, method="var")
    assert as_it_is.info.resample == 1
    assert as_it_is.info.one_lag is None
    assert any(f"Try resample={factor} (" in note for note in as_it_is.info.notes)
    plain = jc.discover(steps_of_four()[::4], 3, method="var", resample="auto")
    assert plain.info.resample == 1
    assert not any("resample" in note for note in plain.info.notes)


def test_the_longest_lag_is_chosen_after_resampling():
    found = jc.discover(steps_of_four(), "auto", method="var", resample=4)
    assert found.graph.max_lag == 2
    several = [steps_of_four(400)[:-1], steps_of_four(800, seed=1)]
    found = jc.discover(several, "auto", method="auto", resample=4, progress=False)
    assert found.info.method == "pcmci"
    assert any("1,199 rows became 299, and 3 at ends" in note for note in found.info.notes)


@pytest.mark.parametrize("transform", CHANGES)
@pytest.mark.parametrize("method", LINEAR)
def test_edges_between_changes_of_integrated_series(method, transform):
    x = integrated()
    if transform == "log_difference":
        x = np.exp(x / 20)
    strict = {"alpha": 0.001} if method == "pc" else {} if method == "lasso" else {"q": 0.001}
    found = jc.discover(x, 3, method=method, names=NAMES, transform=transform, **strict)
    edges = found.graph.edges(NAMES)
    assert ("rain", 2, "-->", "gauge") in edges
    assert method == "lasso" or len(edges) == 1
    assert found.info.transform == transform
    assert not any("windows of" in note for note in found.info.notes)


def test_a_column_whose_changes_are_constant_is_refused():
    x = integrated()
    x[:, 2] = np.arange(len(x))
    with pytest.raises(InputError, match="column 'X2' is constant in all complete windows"):
        jc.discover(x, 3, method="var", transform="difference")


def test_errors_under_all_transforms_are_in_one_unit():
    x = np.exp(integrated() / 20)
    table, known = as_series_table(x), link_knowledge(["X0", "X1", "X2"], 3)
    errors = {}
    for kind in (*TRANSFORMS, *CHANGES):
        stages = fit_stages(table, 3, transform=kind, holes=False)
        assert stages.kind == kind
        data = prepare_as(table, 3, known=known, stages=stages, options=WindowOptions(0.2))
        assert data.kind == kind
        errors[kind] = data.rank_error
    # A random walk is forecast to about its steps, whatever is done to it.
    assert max(errors.values()) < 0.2
    assert errors["log_difference"] == min(errors.values())
    chosen = prepare(table, 3, known=known, transform="auto", options=WindowOptions(0.2))
    assert chosen.kind in TRANSFORMS


@pytest.fixture(scope="module")
def forecast():
    x = np.exp(integrated(400) / 20)
    found = jc.discover(x, 2, names=NAMES, resample=2, transform="log_difference", **SHORT)
    return x, found


def test_a_forecaster_keeps_resolution_and_changes(forecast, tmp_path):
    x, found = forecast
    assert found.forecaster.resample == 2
    found.forecaster.save(tmp_path / "kept")
    loaded = TrainedForecaster.load(tmp_path / "kept")
    assert loaded.resample == 2
    assert loaded.level.kind == "log"
    past = x[:-2]
    np.testing.assert_array_equal(found.forecaster.predict(past), loaded.predict(past))
    # Changes are small, so the forecast is near the last block.
    np.testing.assert_allclose(loaded.predict(past), past[-2:].mean(axis=0), rtol=0.5)
    with pytest.raises(InputError, match="past has shape .* hold 6 rows"):
        loaded.predict(past[:5])
    again = jc.discover(x, 2, names=NAMES, forecaster=loaded, progress=False)
    assert again.info.resample == 2
    assert again.info.transform == "log_difference"
    np.testing.assert_array_equal(again.scores, found.scores)
    with pytest.raises(InputError, match="trained with resample=2; leave resample out"):
        jc.discover(x, 2, names=NAMES, forecaster=loaded, resample=3, progress=False)


def test_regimes_follow_the_blocks():
    x = steps_of_four(800)
    domain = np.arange(800) // 398
    found = jc.discover(x, 2, resample=4, domain=np.minimum(domain, 1), **SHORT)
    assert any(
        "1 of 200 blocks holds rows of several values of domain" in n for n in found.info.notes
    )
    assert found.info.model["n_domains"] == 2
    with pytest.raises(InputError, match=r"domain has shape \(7,\), but the series has 800 rows"):
        jc.discover(x, 2, resample=4, domain=np.zeros(7, int), **SHORT)


def test_masks_follow_the_blocks():
    x = steps_of_four(800)
    mask = np.arange(800) % 400 < 202
    found = jc.discover(x, 2, method="var", resample=4, mask=mask)
    assert found.info.n_windows == 98
