"""Edges over time, and regimes that are left to the data."""

import jax
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import same_color

import jaxcause as jc
from jaxcause._errors import InputError
from jaxcause.plot import strength_over_time
from jaxcause.training import TrainingConfig
from jaxcause.workflows import Discovery

NAMES = ("rain", "river", "sea")
SMALL = {
    "model": {"width": 8, "depth": 1, "n_heads": 2},
    "training": TrainingConfig(n_steps=400, batch_size=16, learning_rate=3e-3),
    "progress": False,
}


def switched_off(n_rows=2000, seed=0, until=0.6):
    """The effect of rain on the river ends; that of the river on the sea is negative and stays."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n_rows, 3))
    for t in range(2, n_rows):
        x[t, 0] += 0.4 * x[t - 1, 0]
        x[t, 1] += 0.7 * x[t - 2, 0] * (t < until * n_rows)
        x[t, 2] -= 0.6 * x[t - 1, 1]
    return x


def changing(n_rows=1600, period=400):
    rng = np.random.default_rng(0)
    x, domain = rng.normal(size=(n_rows, 2)), (np.arange(n_rows) // period) % 2
    x[1:, 1] = np.where(domain[1:] == 0, 1.0, -1.0) * x[:-1, 0] + 0.5 * x[1:, 1]
    return x, domain


@pytest.fixture(scope="module")
def found():
    return jc.discover(switched_off(), 2, names=NAMES, method="var")


def test_an_edge_that_ends_is_the_one_that_changes(found):
    over = found.over_time(10)
    at = {edge: number for number, edge in enumerate(over.edges)}
    ends, stays = at["rain", 2, "river"], at["river", 1, "sea"]
    assert [over.edges[k] for k in np.flatnonzero(over.changes())] == [("rain", 2, "river")]
    assert over.q_value[ends] < 1e-6 < over.q_value[stays]
    assert (over.strength[:6, ends] > 0.4).all()
    assert (over.strength[6:, ends] < 0.25).all()
    assert (over.derivative[:, stays] < -0.3).all()
    assert over.strength.shape == over.derivative.shape == over.error.shape
    assert over.strength.shape == (10, len(over.edges))
    np.testing.assert_array_equal(over.times, over.starts + np.diff([*over.starts, 2000]) // 2)
    assert repr(over).splitlines()[0] == f"1 of {len(over.edges)} edges changes over 10 windows"
    assert "rain t-2 -> river" in repr(over)


def test_slopes_of_a_window_are_those_of_its_regression(found):
    over = found.over_time(4)
    number = over.edges.index(("river", 1, "sea"))
    x = (found.series.values - found.series.values.mean(axis=0)) / found.series.values.std(axis=0)
    rows = np.arange(over.starts[1], over.starts[2])
    into = [(s, lag) for s, lag, t in over.edges if t == "sea"]
    z = np.column_stack([x[rows - lag, NAMES.index(s)] for s, lag in into] + [np.ones(len(rows))])
    beta = np.linalg.lstsq(z, x[rows, 2], rcond=None)[0]
    np.testing.assert_allclose(over.derivative[1, number], beta[into.index(("river", 1))])


def test_edges_of_a_stationary_series_seldom_change():
    p_values = []
    for seed in range(25):
        x = switched_off(800, seed, until=2.0)
        p_values.extend(jc.discover(x, 2, method="var").over_time().p_value)
    assert np.mean(np.array(p_values) < 0.05) < 0.12
    assert np.mean(np.array(p_values) < 0.001) < 0.02


def test_table_frame_and_times(found):
    frame = pd.DataFrame(switched_off(), columns=list(NAMES))
    frame.insert(0, "date", pd.date_range("2020-01-01", periods=len(frame), freq="D"))
    over = jc.discover(frame, 2, method="var").over_time(5)
    assert over.times.dtype.kind == "M"
    assert str(over.times[0])[:7] == "2020-07"
    table = over.table
    assert table.dtype.names[:3] == ("source", "target", "lag")
    np.testing.assert_allclose(table["strength"], over.strength.mean(axis=0))
    assert (np.diff(table["strength"]) <= 0).all()
    assert over.to_dataframe()["q_value"].tolist() == over.q_value.tolist()
    text = [[f"2020-01-01 {hour:02}:00", hour % 3, hour % 4] for hour in range(24)]
    made = jc.series.as_series_table(pd.DataFrame(text, columns=["time", "a", "b"]))
    assert made.times is not None
    assert made.times.column.dtype.kind == "M"


def test_pictures(found):
    ax = found.over_time(5).plot(most=2)
    lines = {line.get_gid(): line for line in ax.lines if str(line.get_gid()).startswith("edge-")}
    assert len(lines) == 2
    assert sorted(line.get_linewidth() for line in lines.values()) == [1.1, 2.2]
    assert "weaker edge" in ax.get_xlabel()
    times = np.array(["2020-01-01", "2020-02-01"], "datetime64[D]")
    ax = strength_over_time(np.ones((2, 1)), labels=["a → b"], times=times)
    assert same_color(ax.lines[0].get_color(), "#0072B2")
    strength_over_time(np.zeros((1, 1)), labels=["a → b"], times=np.array([3]))
    for wrong, says in (
        ({"labels": []}, "labels has 0"),
        ({"labels": ["a"], "times": np.arange(3)}, "times has 3"),
        ({"labels": ["a"], "changing": np.zeros(2, bool)}, "changing has 2"),
    ):
        with pytest.raises(InputError, match=says):
            strength_over_time(np.ones((2, 1)), **wrong)
    with pytest.raises(InputError, match="empty"):
        strength_over_time(np.ones((0, 1)), labels=["a"])


def test_what_cannot_be_read_is_told(found):
    with pytest.raises(InputError, match="call discover on it again"):
        Discovery.from_json(found.to_json()).over_time()
    with pytest.raises(InputError, match="n_windows=1000 leaves too few"):
        found.over_time(1000)
    with pytest.raises(InputError, match="n_windows=1 must be"):
        found.over_time(1)
    with pytest.raises(InputError, match="too few for two windows"):
        jc.discover(switched_off(90), 2, method="var").over_time()
    nothing = jc.discover(np.random.default_rng(0).normal(size=(300, 2)), 1, method="var", q=1e-9)
    with pytest.raises(InputError, match="this graph has none"):
        nothing.over_time()


def test_several_series_with_holes():
    x = switched_off()
    x[::97, 1] = np.nan
    over = jc.discover([x[:700], x[700:]], 2, names=NAMES, method="var").over_time(6)
    assert [over.edges[k] for k in np.flatnonzero(over.changes())] == [("rain", 2, "river")]


def test_gradients_over_time_with_regimes_and_without():
    x, domain = changing()
    told = jc.discover(x, 1, key=jax.random.key(0), **SMALL)
    assert told.info.regimes is not None
    assert told.info.regimes["number"] == 2
    np.testing.assert_array_equal(np.abs(told.domain - domain).mean() < 0.02, True)
    assert told.info.regimes["regime"] == [0, 1, 0, 1]
    assert np.abs(np.array(told.info.regimes["starts"]) - [0, 400, 800, 1200]).max() < 20
    assert any("2 regimes were found in 4 stretches" in note for note in told.info.notes)
    plain = jc.discover(
        x, 1, key=jax.random.key(0), domain=None, select=jc.attribution.select_fdr, **SMALL
    )
    assert plain.info.regimes is None
    assert plain.domain is None
    for result in (told, plain):
        edges = jc.LaggedGraph.from_mask(np.arange(8).reshape(2, 2, 2) == 3)
        over = jc.workflows.Discovery(
            edges, result.scores, result.strength, result.names, result.forecaster, result.info,
            series=result.series, domain=result.domain,
        ).over_time(4)  # fmt: skip
        assert over.edges == (("X0", 1, "X1"),)
        assert np.sign(over.derivative[:, 0]).tolist() == [1, -1, 1, -1]
        assert (over.strength[:, 0] > 0.5).all()
        assert over.changes().all()


def test_a_series_of_one_regime_is_read_as_without_the_search():
    x = switched_off(600, until=2.0)
    found = [
        jc.discover(x, 2, key=jax.random.key(1), domain=domain, **SMALL)
        for domain in ("auto", None)
    ]
    np.testing.assert_array_equal(*(np.asarray(f.scores) for f in found))
    assert found[0].info.regimes is None
    assert not any("regime" in note for note in found[0].info.notes)
    again = jc.discover(x, 2, forecaster=found[0].forecaster, progress=False)
    np.testing.assert_array_equal(again.graph.marks, found[0].graph.marks)


def test_regimes_are_kept_in_json_and_by_the_forecaster():
    x, domain = changing()
    found = jc.discover(x, 1, key=jax.random.key(0), **SMALL)
    again = {"forecaster": found.forecaster, "progress": False}
    # An accelerator may add in another order each time.
    np.testing.assert_allclose(jc.discover(x, 1, **again).scores, found.scores, rtol=1e-6)
    with pytest.raises(InputError, match="trained on 2 regimes, but domain='auto' finds 1 here"):
        jc.discover(x[:300], 1, **again)
    with pytest.raises(InputError, match="trained on 2 regimes, but domain has 3"):
        jc.discover(x, 1, domain=domain * 2, **again)
    back = Discovery.from_json(found.to_json())
    assert back.info.regimes == found.info.regimes
    assert back.domain is None
    assert len(found.to_json()) < 20_000


@pytest.mark.parametrize("method", ["var", "pcmci", "gradient"])
def test_changes_from_row_to_row_are_followed_as_the_series_of_changes_is(method):
    """Over time, an integrated series says what its differences say."""
    x = np.random.default_rng(0).normal(size=(1500, 3))
    x[1:, 1] += 0.8 * x[:-1, 0]
    options = {"method": method, "progress": False}
    if method == "gradient":
        options |= {"model": "small", "training": TrainingConfig(60, batch_size=16), "domain": None}
    plain = jc.discover(x, 1, transform="standardise", **options)
    summed = jc.discover(np.cumsum(x, axis=0), 1, transform="difference", **options)
    edge = ("X0", 1, "X1")
    both = []
    for found in (plain, summed):
        over = found.over_time(5)
        both.append(over.derivative[:, over.edges.index(edge)])
        response = found.respond({"X0": 1.0}, steps=2)
        assert any("differences" in said for said in response.assumptions) is (found is summed)
        assert abs(response.response[1, 1] - 0.8) < 0.15
    np.testing.assert_allclose(both[0], both[1], atol=0.1)
