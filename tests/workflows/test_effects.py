"""Signed effects: against finite differences, known systems, files and pages."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from effect_cases import NAMES, linear_series
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxcause as jc
from jaxcause.attribution import mean_gradient, response_curves
from jaxcause.workflows import Discovery, Effects, write_discovery
from jaxcause.workflows._discover.measure_effects import block_error
from jaxcause.workflows._discover.parents import regress_on_parents

LINEAR = ("var", "lasso", "pc", "pcmci", "pcmci+")


def curved(window):
    """A forecast with a product, a saturating part and an absolute value."""
    a, b, c = window[-1, 0], window[-2, 1], window[-1, 2]
    return jnp.stack([jnp.tanh(2 * a) + 0.5 * a * b, -0.3 * b, jnp.abs(c)])


def test_the_mean_gradient_is_that_of_finite_differences():
    windows = np.random.default_rng(0).normal(size=(40, 2, 3))
    with jax.enable_x64(True):
        found = np.asarray(mean_gradient(curved, windows))
        expected = np.zeros((3, 3, 3))
        for lag in (1, 2):
            for source in range(3):
                moved = np.zeros((2, 3))
                moved[2 - lag, source] = 1e-6
                change = jax.vmap(curved)(windows + moved) - jax.vmap(curved)(windows - moved)
                expected[source, :, lag] = np.asarray(change).mean(axis=0) / 2e-6
    np.testing.assert_allclose(found, expected, atol=1e-7)


@given(st.integers(0, 2**31), st.integers(1, 4), st.integers(1, 3))
@settings(max_examples=20, deadline=None)
def test_of_a_linear_forecast_gradient_and_curves_are_its_coefficients(seed, n_vars, n_lags):
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(n_vars, n_vars, n_lags + 1))
    weights[:, :, 0] = 0
    windows = rng.normal(size=(7, n_lags, n_vars))

    def forecast(window):
        return jnp.einsum("lj,jil->i", window[::-1], weights[:, :, 1:])

    with jax.enable_x64(True):
        np.testing.assert_allclose(mean_gradient(forecast, windows), weights, atol=1e-12)
        edges = np.argwhere(weights != 0)
        found = response_curves(forecast, windows, edges, batch_size=16)
    slope = np.diff(found.response, axis=1) / np.diff(found.at, axis=1)
    wanted = np.broadcast_to(weights[tuple(edges.T)][:, None], slope.shape)
    np.testing.assert_allclose(slope, wanted, rtol=1e-6, atol=1e-8)


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ([[0, 3, 1]], r"edges holds \(0, 3, 1\); source and target must be from 0 to 2"),
        ([[0, 1, 0]], r"edges holds \(0, 1, 0\).*lags from 1 to 2"),
        ([[0, 1]], r"edges has shape \(1, 2\)"),
    ],
)
def test_edges_that_are_none_are_named(edges, message):
    with pytest.raises(jc.InputError, match=message):
        response_curves(curved, np.zeros((4, 2, 3)), np.array(edges))


@pytest.mark.parametrize("method", LINEAR)
@pytest.mark.parametrize("unit", [1.0, 1e3])
def test_linear_methods_know_sign_size_and_units(method, unit):
    series = linear_series() * [1.0, unit, 1.0] + 7
    found = jc.discover(series, 2, names=NAMES, method=method)
    effects = found.effects
    assert effects is not None
    assert effects.mean[0, 1, 1] == pytest.approx(-0.7 * unit, rel=0.15)
    assert effects.mean[1, 2, 2] == pytest.approx(0.5 / unit, rel=0.15)
    assert effects.standardised[0, 1, 1] == pytest.approx(-0.7 / np.sqrt(1.49), rel=0.15)
    assert effects.share[0, 1, 1] == pytest.approx(0.49 / 1.49, abs=0.08)
    assert np.isnan(effects.mean[2, 0, 1]) or found.graph.adjacency[2, 0, 1]
    if method == "lasso":
        assert np.isnan(effects.low).all()
    else:
        assert effects.low[0, 1, 1] < -0.7 * unit < effects.high[0, 1, 1] < 0


def r_squared(x, y):
    design = np.column_stack([x, np.ones(len(y))])
    left = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    return 1 - left.var() / y.var()


@pytest.mark.parametrize("method", ["var", "lasso"])
def test_the_share_of_an_edge_is_the_drop_of_r_squared_without_it(method):
    # Sources that a slow third one drives: their effects nearly cancel, and are far larger.
    rng = np.random.default_rng(0)
    x = 0.3 * np.cumsum(rng.normal(size=(400, 1)), 0) + 0.2 * rng.normal(size=(400, 3))
    x[1:, 1] += 2 * x[:-1, 0] - 1.9 * x[:-1, 2]
    found = jc.discover(x, 2, method=method, detrend=None, transform="standardise")
    past = np.concatenate([x[1:-1], x[:-2]], axis=1)
    for target in range(3):
        parents = np.argwhere(np.asarray(found.graph.directed)[:, target])
        terms = past[:, (parents[:, 1] - 1) * 3 + parents[:, 0]]
        every = r_squared(terms, x[2:, target])
        for k, (source, lag) in enumerate(parents):
            drop = every - r_squared(np.delete(terms, k, axis=1), x[2:, target])
            assert found.effects.share[source, target, lag] == pytest.approx(drop, abs=1e-9)


def test_a_copy_stands_in_for_its_original():
    x = linear_series()
    x = np.column_stack([x, x[:, 0]])
    graph = np.zeros((4, 4, 2), bool)
    graph[[0, 3], 1, 1] = graph[2, 1, 1] = True
    starts = np.arange(len(x) - 1)
    shares = regress_on_parents(x, starts, jc.LaggedGraph.from_mask(graph)).share[:, 1, 1]
    assert shares[[0, 3]].tolist() == [0, 0]
    assert 0 <= shares[2] < 0.01


def test_shares_of_a_forecaster_are_those_that_the_other_sources_leave():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1500, 3))
    x[:, 2] = x[:, 0] + 0.3 * x[:, 2]
    x[1:, 1] += np.tanh(4 * x[:-1, 0]) - 0.5 * np.tanh(4 * x[:-1, 2])
    found = jc.discover(
        x, 1, model="small", progress=False, select=lambda _: jc.LaggedGraph.from_mask(into_1())
    )
    share = found.effects.share[:, 1, 1]
    assert found.forecaster is not None
    assert 0 <= share[2] < share[0] < 0.1  # Exchanged alone, X0 would have about a half.


def into_1():
    graph = np.zeros((3, 3, 2), bool)
    graph[[0, 2], 1, 1] = True
    return graph


def test_intervals_of_a_linear_method_cover_as_often_as_they_say():
    hits = []
    for seed in range(60):
        effects = jc.discover(linear_series(300, seed), 2, method="var", q=0.5).effects
        assert effects is not None
        hits += [effects.low[0, 1, 1] < -0.7 < effects.high[0, 1, 1],
                 effects.low[1, 2, 2] < 0.5 < effects.high[1, 2, 2]]  # fmt: skip
    assert 0.88 <= np.mean(hits) <= 0.995


def test_errors_of_means_count_autocorrelation():
    rng = np.random.default_rng(0)
    walks = np.zeros((1000, 200))
    for t in range(1, 1000):
        walks[t] = 0.9 * walks[t - 1] + rng.normal(size=200)
    assert block_error(walks).mean() == pytest.approx(walks.mean(axis=0).std(), rel=0.3)


@pytest.fixture(scope="module")
def curved_discovery():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1500, 3))
    for t in range(2, 1500):
        x[t, 1] = -1.5 * np.tanh(2 * x[t - 1, 0]) + 0.5 * x[t, 1]
        x[t, 2] = 1.2 * abs(x[t - 2, 1]) + 0.5 * x[t, 2]
    x = x * [1, 10, 1]
    return x, jc.discover(x, 2, names=NAMES, model="small", progress=False)


def test_a_saturating_curve_and_a_mean_slope_are_recovered(curved_discovery):
    x, found = curved_discovery
    assert found.info.selection == "empirical null"
    effects = found.effects
    true = -15 * (np.tanh(2 * x[:, 0] + 0.2) - np.tanh(2 * x[:, 0] - 0.2)).mean() / 0.2
    assert effects.mean[0, 1, 1] == pytest.approx(true, rel=0.15)
    assert effects.low[0, 1, 1] < true < effects.high[0, 1, 1]
    # The slopes of an absolute value cancel; its share and its curve show it.
    assert abs(effects.standardised[1, 2, 2]) < 0.2
    assert effects.share[1, 2, 2] > 0.4
    curves = {tuple(e): (a, r) for e, a, r in zip(*effects.curves, strict=True)}
    at, response = curves[(0, 1, 1)]
    expected = -15 * np.tanh(2 * at)
    assert np.abs(response - expected).max() < 4
    at, response = curves[(1, 2, 2)]
    assert response[0] > response[10] + 0.5 < response[-1]


def test_effects_come_back_from_json_to_the_last_bit(curved_discovery):
    _, found = curved_discovery
    again = Discovery.from_json(json.loads(found.to_json()))
    assert again.to_json() == found.to_json()
    for name in ("mean", "low", "high", "share", "deviation", "standardised"):
        np.testing.assert_array_equal(getattr(again.effects, name), getattr(found.effects, name))
    for one, other in zip(again.effects.curves, found.effects.curves, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(again.table, found.table)
    assert isinstance(again.effects, Effects)


@pytest.mark.parametrize(
    "change", [{"deviation": [1.0]}, {"curves": [{"edge": [9, 0, 1], "at": [0], "response": [0]}]}]
)
def test_effects_that_do_not_fit_are_refused(curved_discovery, change):
    document = curved_discovery[1].to_dict()
    document["effects"] = document["effects"] | change
    with pytest.raises(jc.InputError, match="does not follow jaxcause.discovery/1"):
        Discovery.from_json(document)


def test_older_results_have_no_effects(curved_discovery):
    document = curved_discovery[1].to_dict()
    del document["effects"]
    again = Discovery.from_json(document)
    assert again.effects is None
    assert np.isnan(again.table["effect"]).all()
    with pytest.raises(jc.InputError, match="needs edges whose effects are known"):
        again.plot("responses")
    again.to_html()


def test_tables_files_pages_and_pictures_show_effects(curved_discovery, tmp_path):
    _, found = curved_discovery
    row = found.table[(found.table["target"] == "river") & (found.table["lag"] == 1)][0]
    assert row["low"] < row["effect"] < row["high"] < 0
    assert f"{row['effect']:.3g}" in found.summary()
    write_discovery(found, tmp_path)
    head, *_ = (tmp_path / "edges.csv").read_text().splitlines()
    assert head.endswith("strength,effect,low,high,share,p_value,q_value")
    assert "effect" in json.loads((tmp_path / "graph.json").read_text())["edges"][0]
    assert '"effects":true' in found.to_html()
    panels = [panel.get_title() for panel in found.plot("responses").child_axes]
    assert "rain t−1 → river" in panels
    for kind in ("time", "summary"):
        found.plot(kind).figure.canvas.draw()


def test_tigramite_gets_signs(curved_discovery):
    _, found = curved_discovery
    values = found.to_tigramite()["val_matrix"]
    assert values[0, 1, 1] == pytest.approx(found.effects.standardised[0, 1, 1])
    assert values[0, 1, 1] < 0 == values[2, 0, 1]
    now = linear_series()
    now[:, 2] -= 0.9 * now[:, 0]
    also = jc.discover(now, 2, names=NAMES, method="pcmci+").to_tigramite()
    np.testing.assert_array_equal(also["val_matrix"][:, :, 0], also["val_matrix"][:, :, 0].T)
    assert "p_matrix" in also


@pytest.mark.parametrize("transform", ["standardise", "log", "copula"])
def test_nonlinear_transforms_keep_sign_and_units(transform):
    x = np.exp(0.3 * linear_series())
    effects = jc.discover(x, 2, names=NAMES, method="var", transform=transform).effects
    # d river / d rain = -0.7 * river / rain, for changes of a tenth of a deviation.
    step = 0.1 * x[:, 0].std()
    low, high = np.clip(x[:-1, 0] - step, x[:, 0].min(), None), x[:-1, 0] + step
    true = (x[1:, 1] * ((high / x[:-1, 0]) ** -0.7 - (low / x[:-1, 0]) ** -0.7)) / (high - low)
    assert effects is not None
    assert effects.mean[0, 1, 1] == pytest.approx(true.mean(), rel=0.25)
    assert effects.low[0, 1, 1] < effects.mean[0, 1, 1] < effects.high[0, 1, 1] < 0


def test_members_widen_the_intervals_and_holes_do_no_harm():
    x = linear_series(600)
    x[::50, 1] = np.nan
    training = jc.training.TrainingConfig(40, batch_size=8)
    options = {"model": "small", "progress": False, "training": training}
    rule = lambda scores: jc.attribution.select_global_top_k(scores, 2)  # noqa: E731
    found = jc.discover(x, 2, names=NAMES, members=2, select=rule, missing="mask", **options)
    effects = found.effects
    assert effects is not None
    cells = np.asarray(found.graph.directed)
    assert np.isfinite(effects.low[cells]).all()
    assert "members" in effects.interval
    assert np.isfinite(found.respond({"rain": 1.0}, steps=5).response).all()


@pytest.mark.parametrize("method", [*LINEAR, "gradient"])
def test_without_edges_there_are_no_effects(method):
    noise = np.random.default_rng(3).normal(size=(300, 2))
    options = {"forbidden": np.ones((2, 2, 3), bool)}
    if method == "gradient":
        options |= {"model": "small", "training": jc.training.TrainingConfig(5), "progress": False}
    found = jc.discover(noise, 2, method=method, **options)
    assert found.effects is not None
    assert np.isnan(found.effects.mean).all()
    assert Discovery.from_json(found.to_json()).to_json() == found.to_json()
    assert np.abs(found.respond({"X0": 1.0}, steps=3).response[1:, 1]).max() < 0.1
    found.to_html()


def test_a_method_of_your_own_may_say_nothing():
    found = jc.discover(linear_series(300), 2, method="var")
    bare = dataclasses.replace(found, effects=None, dynamics=None)
    head = bare.summary().splitlines()[1]
    assert head.split() == ["source", "lag", "edge", "target", "strength", "p-value", "q-value"]
    with pytest.raises(jc.InputError, match="respond needs the model and the series"):
        bare.respond({"X0": 1.0})
