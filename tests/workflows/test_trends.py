"""Discoveries of series with a trend and a season."""

import json

import numpy as np
import pandas as pd
import pytest

import jaxcause as jc
from jaxcause import InputError
from jaxcause.cli import main
from jaxcause.training import TrainingConfig
from jaxcause.workflows import TrainedForecaster

METHODS = ("var", "lasso", "pc", "pcmci", "pcmci+")
NAMES = ["rain", "gauge", "demand"]
SHORT = {"training": TrainingConfig(n_steps=4), "model": "small", "progress": False}


def seasonal(n_rows=600, seed=0):
    """One effect, and a trend and a season of twelve rows of another phase in each column."""
    x = np.random.default_rng(seed).normal(size=(n_rows, 3))
    x[2:, 1] += 0.9 * x[:-2, 0]
    t = np.arange(n_rows)[:, None]
    return x + 0.05 * t * [1, 2, 3] + 6 * np.sin(2 * np.pi * t / 12 + np.arange(3))


def dated(x):
    frame = pd.DataFrame(x, columns=NAMES)
    frame.insert(0, "date", pd.date_range("2024-01-01", periods=len(x), freq="2h"))
    return frame


def cross(found):
    return [edge for edge in found.graph.edges(NAMES) if edge[0] != edge[3]]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_finds_the_effect_below_trend_and_season(method):
    found = jc.discover(dated(seasonal()), 3, method=method)
    assert ("rain", 2, "-->", "gauge") in cross(found)
    assert found.info.detrend == {"linear": True, "periods": (12.0,)}
    (note,) = [note for note in found.info.notes if "linear trend" in note]
    assert "a season of 12 rows (1 day) were taken out" in note
    assert "detrend=None (--detrend none)" in note


def test_without_it_the_graph_is_another():
    assert len(cross(jc.discover(dated(seasonal()), 3, method="var"))) == 1
    as_it_is = jc.discover(dated(seasonal()), 3, method="var", detrend=None)
    assert len(cross(as_it_is)) > 1
    assert as_it_is.info.detrend is None


@pytest.mark.parametrize(
    "detrend", [12, "1d", [12.0], np.float64(12), np.timedelta64(1, "D")], ids=repr
)
def test_a_season_is_given_in_rows_or_in_time(detrend):
    found = jc.discover(dated(seasonal()), 2, method="var", detrend=detrend)
    assert found.info.detrend == {"linear": True, "periods": (12.0,)}


@pytest.mark.parametrize(
    ("detrend", "said"),
    [
        (1, "more than 2 rows"),
        (601, "the series has 600"),
        ("often", "is not known; give 'auto', 'linear', None, or seasons"),
        (True, "is not known; give 'auto', 'linear', None, or seasons"),
        (float("nan"), "more than 2 rows"),
    ],
)
def test_what_is_no_season_is_refused(detrend, said):
    with pytest.raises(InputError, match=said):
        jc.discover(dated(seasonal()), 2, method="var", detrend=detrend)
    with pytest.raises(InputError, match="no dates"):
        jc.discover(seasonal(), 2, method="var", detrend="1d")


def test_changes_and_logarithms_are_left_alone_by_auto():
    for transform in ("difference", "log"):
        x = np.abs(seasonal()) + 1
        found = jc.discover(x, 2, method="var", transform=transform)
        assert found.info.detrend is None
    found = jc.discover(seasonal(), 2, method="var", transform="difference", detrend="linear")
    assert found.info.detrend == {"linear": True, "periods": ()}


def test_a_forecaster_adds_what_was_taken_out(tmp_path):
    x = seasonal(400)
    found = jc.discover(x, 2, **SHORT)
    found.forecaster.save(tmp_path / "forecaster.safetensors")
    kept = TrainedForecaster.load(tmp_path / "forecaster.safetensors")
    assert kept.trend.periods == (12.0,)
    with pytest.raises(InputError, match="first_row is missing"):
        kept.predict(x[:5])
    errors = [kept.predict(x[t - 5 : t], first_row=t - 5) - x[t] for t in range(100, 300, 7)]
    assert np.abs(errors).mean() < 2  # The season alone goes 6 up and 6 down.
    again = jc.discover(x, 2, forecaster=kept, progress=False)
    assert again.info.detrend == found.info.detrend
    np.testing.assert_allclose(again.scores, found.scores, rtol=1e-4, atol=1e-6)
    with pytest.raises(InputError, match="trained with another"):
        jc.discover(x, 2, forecaster=kept, detrend=None, progress=False)


def test_resampled_rows_are_counted_for_the_clock():
    x = np.repeat(seasonal(300), 4, axis=0)
    found = jc.discover(x, 2, resample=4, detrend=12, **SHORT)
    one = jc.discover(x[::4], 2, detrend=12, **SHORT)
    t = 60
    np.testing.assert_allclose(
        found.forecaster.predict(x[: 4 * t], first_row=0),
        one.forecaster.predict(x[: 4 * t : 4], first_row=0),
        rtol=1e-4,
    )


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ((), "A linear trend and a season of 12 rows (1 day) were taken out"),
        (("--detrend", "none"), None),
        (("--detrend", "linear"), "A linear trend was taken out"),
        (("--detrend", "1d, 6"), "a season of 12 rows (1 day) and a season of 6 rows (12 hours)"),
    ],
    ids=str,
)
def test_the_command_takes_out_what_it_is_told(tmp_path, capsys, flags, said):
    dated(seasonal()).to_csv(tmp_path / "x.csv", index=False)
    where = ["discover", str(tmp_path / "x.csv"), "--out", str(tmp_path / "out")]
    assert main([*where, "--method", "var", "--max-lag", "2", "--json", *flags]) == 0
    notes = json.loads(capsys.readouterr().out)["notes"]
    assert any("taken out" in note and (said or "") in note for note in notes) == bool(said)


def test_the_command_names_a_season_that_is_none(tmp_path, capsys):
    dated(seasonal()).to_csv(tmp_path / "x.csv", index=False)
    where = ["discover", str(tmp_path / "x.csv"), "--out", str(tmp_path / "out")]
    assert main([*where, "--method", "var", "--detrend", "often"]) == 2
    assert (
        "--detrend 'often' is not known; give 'auto', 'linear', None, or seasons"
        in capsys.readouterr().err
    )
