import functools

import jax
import numpy as np
import pandas as pd
import pytest

from jaxcause import InputError, attribution, discover, metrics, simulate
from jaxcause.io import read_csv
from jaxcause.training import TrainingConfig
from jaxcause.workflows import DiscoveryInterrupted, TrainedForecaster

SMALL = {"model": {"width": 24, "n_heads": 3}, "training": TrainingConfig(600), "progress": False}


def product_series(n_steps=4000, seed=0):
    """c(t) = 1.5·tanh(2·a(t-1))·b(t-2) + e: without any linear effect."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n_steps, 3))
    x[2:, 2] = 1.5 * np.tanh(2 * x[1:-1, 0]) * x[:-2, 1] + 0.3 * x[2:, 2]
    truth = np.zeros((3, 3, 3), bool)
    truth[0, 2, 1] = truth[1, 2, 2] = True
    return x, truth


@functools.cache
def product_found():
    x, truth = product_series()
    return (
        x,
        truth,
        discover(x, 2, names=["a", "b", "c"], key=jax.random.key(0), skip=False, **SMALL),
    )


def test_gradients_find_what_a_line_cannot():
    x, truth, found = product_found()
    assert float(metrics.auroc(found.scores, truth)) == 1.0
    linear = discover(x, 2, method="var")
    assert float(metrics.auprc(linear.scores, truth)) < 0.9
    assert found.info["held_out_error"] < 0.8 * found.info["held_out_error_linear"]
    assert found.scores.shape == found.strength.shape == (3, 3, 3)
    assert (found.scores[:, :, 0] == 0).all()


def test_the_table_lists_the_edges_strongest_first():
    _, _, found = product_found()
    table = found.table
    assert table.dtype.names == ("source", "target", "lag", "edge", "score", "strength")
    assert len(table) == len(found.graph.edges())
    assert (np.diff(table["strength"]) <= 0).all()
    frame = pd.DataFrame(table)
    for row in frame.itertuples():
        at = "abc".index(row.source), "abc".index(row.target), row.lag
        assert row.score == pytest.approx(float(found.scores[at]))
        assert bool(found.graph.directed[at])


def test_few_candidates_are_told_of():
    _, _, found = product_found()
    assert found.info["selection"] == "empirical null"
    assert any("of 18 candidate edges stand out" in note for note in found.info["notes"])


def test_info_tells_what_was_done():
    _, _, found = product_found()
    info = found.info
    assert info["method"] == "gradient"
    assert info["transform"] == "standardise"
    assert info["skip"] is False
    assert set(info["seconds"]) == {"training", "attribution", "total"}
    steps, losses, held_out = zip(*info["losses"], strict=True)
    assert losses[-1] < losses[0]
    assert steps[-1] == info["steps"]
    assert min(held_out) == pytest.approx(info["held_out_error"], rel=1e-2)


def test_the_same_key_gives_the_same_graph():
    x, _, found = product_found()
    again = discover(x, 2, names=["a", "b", "c"], key=jax.random.key(0), skip=False, **SMALL)
    assert (again.scores == found.scores).all()
    assert (again.graph.marks == found.graph.marks).all()
    other = discover(x, 2, key=jax.random.key(1), skip=False, **SMALL)
    assert not (other.scores == found.scores).all()


def test_a_saved_forecaster_gives_the_same_graph(tmp_path):
    x, _, found = product_found()
    found.forecaster.save(tmp_path / "f.safetensors")
    loaded = TrainedForecaster.load(tmp_path / "f.safetensors")
    again = discover(x, 2, names=["a", "b", "c"], forecaster=loaded, progress=False)
    np.testing.assert_array_equal(again.scores, found.scores)
    assert again.info["held_out_error"] == pytest.approx(found.info["held_out_error"], abs=0.02)
    np.testing.assert_allclose(loaded.predict(x[:2]), found.forecaster.predict(x[:2]))
    with pytest.raises(InputError, match="trained on a, b, c"):
        discover(x, 2, forecaster=loaded)
    with pytest.raises(InputError, match="max_lag=2, not 3"):
        discover(x, 3, names=["a", "b", "c"], forecaster=loaded)


def test_files_that_hold_no_forecaster_are_named(tmp_path):
    with pytest.raises(InputError, match="cannot read a forecaster"):
        TrainedForecaster.load(tmp_path / "none")
    (tmp_path / "broken").write_bytes(b"\x08\x00\x00")
    with pytest.raises(InputError, match="cannot read a forecaster"):
        TrainedForecaster.load(tmp_path / "broken")


def test_other_rules_and_readouts():
    x, truth, _ = product_found()
    found = discover(
        x,
        2,
        key=jax.random.key(0),
        skip=False,
        readout="input_x_gradient",
        select=lambda scores: attribution.select_global_top_k(scores, 2),
        **SMALL,
    )
    assert (np.asarray(found.graph.directed) == truth).all()


@functools.cache
def linear_series():
    sim = simulate.vector_autoregression(jax.random.key(5), n_vars=4, max_lag=2, n_steps=1500)
    return np.asarray(sim.series), np.asarray(sim.truth.directed)


def test_on_a_linear_series_the_notes_say_that_a_line_is_as_good():
    x, truth = linear_series()
    quick = SMALL | {"training": TrainingConfig(100)}
    found = discover(x, 2, key=jax.random.key(0), **quick)
    assert found.info["skip"] is True
    assert found.info["selection"] == "t-tests"
    assert any("linear model predicts as well" in note for note in found.info["notes"])
    assert float(metrics.precision_recall(found.graph, truth).f1) > 0.85
    assert float(metrics.auroc(found.scores, truth)) > 0.95


@pytest.mark.parametrize("method", ["var", "pc"])
def test_the_linear_methods_find_a_linear_series(method):
    x, truth = linear_series()
    found = discover(x, 2, method=method, names=["a", "b", "c", "d"])
    assert float(metrics.precision_recall(found.graph, truth).f1) > 0.85
    assert float(metrics.auroc(found.scores, truth)) > 0.97
    assert found.forecaster is None
    assert found.info["method"] == method


def test_pc_orients_contemporaneous_edges_where_the_past_allows():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3000, 2))
    for t in range(1, 3000):
        x[t, 0] += 0.7 * x[t - 1, 0]
        x[t, 1] += 0.8 * x[t, 0]
    found = discover(x, 1, method="pc", contemporaneous=True)
    assert ("X0", 0, "-->", "X1") in found.graph.edges()
    assert ("X0", 1, "-->", "X0") in found.graph.edges()


def test_missing_rows_and_several_series_are_windowed_apart():
    x, truth = linear_series()
    holes = x.copy()
    holes[::50, 1] = np.nan
    found = discover([holes[:700], holes[700:]], 2, method="var")
    assert found.info["n_windows"] < len(x) * 0.96
    assert float(metrics.precision_recall(found.graph, truth).f1) > 0.8
    assert any("missing value" in note for note in found.info["notes"])


def test_names_of_a_frame_are_kept():
    x, _ = linear_series()
    frame = pd.DataFrame(x, columns=["rain", "snow", "river", "lake"])
    found = discover(frame, 2, method="var")
    assert found.names == ("rain", "snow", "river", "lake")
    assert set(found.table["source"]) <= set(found.names)


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_lag": 0}, "max_lag=0"),
        ({"max_lag": -2}, "max_lag=-2"),
        ({"max_lag": 50}, "more rows than lags"),
        ({"method": "magic"}, "choose one of gradient, pc, var"),
        ({"transform": "cube"}, "transform='cube'"),
        ({"readout": "lrp"}, "readout='lrp'"),
        ({"q": 0}, "q=0"),
        ({"alpha": 1}, "alpha=1"),
        ({"names": ["a"]}, "names has 1"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    x = np.random.default_rng(0).normal(size=(40, 2))
    with pytest.raises(InputError, match=message):
        discover(x, **({"max_lag": 2} | arguments))


def test_data_that_leave_nothing_are_named():
    x = np.random.default_rng(0).normal(size=(40, 2))
    holes = x.copy()
    holes[::2, 0] = np.nan
    with pytest.raises(InputError, match="no 3 complete rows"):
        discover(holes, 2)
    flat = x.copy()
    flat[:, 0] = 1.0
    flat[3:5] = np.nan
    with pytest.raises(InputError, match="constant"):
        discover(flat, 2)
    with pytest.raises(InputError, match="too few to train"):
        discover(x[:6], 2)


def test_an_interrupt_carries_the_forecaster(monkeypatch):
    from jaxcause.workflows import _gradient

    real = _gradient.fit

    def interrupted(*arguments, on_progress, **options):
        def stop(progress):
            on_progress(progress)
            if progress.step >= 100:
                raise KeyboardInterrupt

        return real(*arguments, on_progress=stop, **options)

    monkeypatch.setattr(_gradient, "fit", interrupted)
    x, _ = linear_series()
    with pytest.raises(DiscoveryInterrupted, match="interrupted at step") as caught:
        discover(x, 2, key=jax.random.key(0), skip=False, **SMALL)
    found = discover(x, 2, forecaster=caught.value.forecaster, progress=False)
    assert found.scores.shape == (4, 4, 3)


def test_rivers_flow_downhill(data):
    table = read_csv(data / "rivers" / "rivers.csv")
    found = discover(table, 3, key=jax.random.key(0), progress=False)
    others = {n: float(found.strength[i, 1].max()) for i, n in enumerate(found.names) if i != 1}
    assert max(others, key=others.get) == "kempten"
    into = [row for row in found.table if row["target"] == "dillingen" != row["source"]]
    assert into[0]["source"] == "kempten"


@pytest.mark.parametrize("name", ["middleware", "web_activity"])
def test_monitoring_files_run_as_they_are(data, name):
    table = read_csv(data / "it_monitoring" / f"{name}.csv")
    quick = SMALL | {"training": TrainingConfig(50)}
    found = discover(table, 2, key=jax.random.key(0), **quick)
    assert np.isfinite(found.scores).all()
    assert any("'timestamp'" in note for note in found.info["notes"])


def test_lorenz96_is_read_from_the_gradients(data):
    case = np.load(data / "lorenz96" / "F_40_T_1000_dataset_1.npz")
    found = discover(case["X_np"].T, 1, key=jax.random.key(0), skip=False, progress=False)
    truth = case["Gref"].T.astype(bool)
    assert float(metrics.auroc(found.scores, truth, summary=True, diagonal=False)) >= 0.99
