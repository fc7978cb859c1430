"""Contemporaneous edges: their strength, and what results say was allowed for."""

import jax
import numpy as np
import pytest

from jaxcause import LaggedGraph, Mark, attribution, discover
from jaxcause.discovery import refine
from jaxcause.io import to_tigramite
from jaxcause.models.forecaster import ForecasterConfig, init_params
from jaxcause.series import fit_transform
from jaxcause.workflows import Discovery, TrainedForecaster

NAMES = ("a", "b", "c")


@pytest.fixture(scope="module")
def series():
    """a(t-1) → a, a(t-1) → b, b → c and a(t-2) → c; b → c at lag 0."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1500, 3))
    for t in range(2, len(x)):
        x[t, 0] += 0.5 * x[t - 1, 0]
        x[t, 1] += 0.6 * x[t - 1, 0]
        x[t, 2] += 0.7 * x[t, 1] - 0.5 * x[t - 2, 0]
    return x


def partial_correlation(series, given):
    """Of b and c, by what is left of them after a regression on ``(variable, lag)``."""
    past = np.stack([series[2 - lag : len(series) - lag, i] for i, lag in given], axis=1)
    past = np.column_stack([past, np.ones(len(past))])
    now = series[2:, 1:]
    left = now - past @ np.linalg.lstsq(past, now, rcond=None)[0]
    return abs(np.corrcoef(left.T)[0, 1])


def assert_only_b_and_c(within, size, tolerance=1e-6):
    expected = np.zeros((3, 3))
    expected[1, 2] = expected[2, 1] = size
    np.testing.assert_allclose(within, expected, atol=tolerance)


def test_refined_edges_have_the_partial_correlation_given_the_parents_of_both_ends(series):
    selected = np.zeros((3, 3, 3), bool)
    selected[0, 0, 1] = selected[0, 1, 1] = selected[0, 2, 2] = selected[1, 2, 1] = True
    graph = LaggedGraph.from_mask(selected)
    found = refine(graph, series, latents=False, contemporaneous=True)
    assert ("b", 0, "-->", "c") in found.graph.edges(NAMES)
    assert_only_b_and_c(found.strength, partial_correlation(series, [(0, 1), (0, 2)]))


@pytest.mark.parametrize("latents", [False, True])
def test_gradient_scores_hold_contemporaneous_edges(series, latents):
    config = ForecasterConfig(3, 2, width=8, depth=1, n_heads=2)
    params = init_params(jax.random.key(0), config)
    transform = fit_transform(series, kind="standardise")
    forecaster = TrainedForecaster(config, params, transform, NAMES)
    options = {"names": NAMES, "forecaster": forecaster, "progress": False, "n_windows": 64}
    options["select"] = lambda scores: attribution.select_top_k(scores, 6)
    found = discover(series, 2, contemporaneous=True, latents=latents, **options)
    lags = {(row["source"], row["target"], row["lag"]): row for row in found.table}
    row = lags["b", "c", 0]
    early = np.asarray(found.graph.marks)[:, 1:, 1:, 0]
    parents = ((early != Mark.NONE) & (early != Mark.ARROW)).any(axis=1)
    given = [(i, lag + 1) for i, lag in np.argwhere(parents)]
    assert row["strength"] == pytest.approx(partial_correlation(series, given), abs=0.03)
    assert row["score"] == row["strength"]
    for array in (found.scores, found.strength):
        np.testing.assert_array_equal(array[:, :, 0], array[:, :, 0].T)
    said = {"latents": latents, "contemporaneous": True}
    assert said.items() <= found.info.to_dict().items()
    assert said.items() <= Discovery.from_json(found.to_json()).info.to_dict().items()
    assert found.info.strength_at_lag_0.endswith("parents of both ends")


def test_pc_scores_contemporaneous_edges_from_both_ends_alike(series):
    found = discover(series, 2, names=NAMES, method="pc", contemporaneous=True)
    assert ("b", 0, "-->", "c") in found.graph.edges(NAMES)
    size = partial_correlation(series, [(0, 1), (0, 2)])
    assert_only_b_and_c(found.scores[:, :, 0], size)
    drawn = to_tigramite(found.graph, val_matrix=found.scores)["val_matrix"]
    np.testing.assert_array_equal(drawn, found.scores)


@pytest.mark.parametrize("method", ["lasso", "pc", "pcmci", "pcmci+", "var"])
def test_results_say_what_was_allowed_for(series, method):
    found = discover(series[:300], 1, names=NAMES, method=method)
    assert found.info.latents is False
    assert found.info.contemporaneous is (method == "pcmci+")
    if method in ("pc", "pcmci"):
        now = discover(series[:300], 1, names=NAMES, method=method, contemporaneous=True)
        assert now.info.contemporaneous is True


def test_contemporaneous_sizes_are_given_to_tigramite_once():
    sizes = np.zeros((2, 2, 2))
    sizes[:, :, 0] = [[np.nan, -0.5], [0.2, 0.1]]
    sizes[0, 1, 1] = 0.3
    graph = LaggedGraph.from_mask(sizes > 0.25)
    made = to_tigramite(graph, val_matrix=sizes, p_matrix=np.abs(sizes))
    np.testing.assert_array_equal(made["val_matrix"][:, :, 0], [[np.nan, -0.5], [-0.5, 0.1]])
    np.testing.assert_array_equal(made["p_matrix"][:, :, 0], [[np.nan, 0.2], [0.2, 0.1]])
    np.testing.assert_array_equal(made["val_matrix"][:, :, 1], sizes[:, :, 1])
    half = sizes.copy()
    half[0, 1, 0] = np.nan
    assert to_tigramite(graph, val_matrix=half)["val_matrix"][0, 1, 0] == 0.2


@pytest.mark.parametrize(
    ("method", "score"),
    [("pcmci+", "absolute partial correlation"), ("var", "absolute t-statistic")],
)
def test_the_curves_of_a_result_have_its_threshold_and_say_what_they_are(series, method, score):
    found = discover(series, 2, names=NAMES, method=method)
    ax = found.plot("curves")
    (line,) = [line for line in ax.lines if line.get_gid() == "threshold"]
    edges = np.asarray(found.graph.adjacency)
    assert found.scores[~edges].max() < line.get_ydata()[0] < found.scores[edges].min()
    assert ax.get_ylabel() == score
    assert ax.get_title() == f"{score.capitalize()} by lag"
    strength = found.info.strength.split(" given")[0].capitalize()
    assert found.plot("scores").get_title() == f"{strength} by lag"
