import functools
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pandas as pd
import pytest

from jaxcause import InputError, attribution, discover, metrics, simulate
from jaxcause.graph import LaggedGraph
from jaxcause.io import read_csv
from jaxcause.training import TrainingConfig
from jaxcause.workflows import Discovery, DiscoveryInterrupted, TrainedForecaster
from jaxcause.workflows._discover.info import share_on_variance
from jaxcause.workflows._discover.notes import notes_on_variance

SMALL = {
    "model": {"width": 16, "n_heads": 4, "depth": 1},
    "training": TrainingConfig(400, batch_size=8, weight_decay=0.1),
    "progress": False,
}


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
    assert found.info.held_out_error < 0.8 * found.info.held_out_error_linear
    assert found.scores.shape == found.strength.shape == (3, 3, 3)
    assert (found.scores[:, :, 0] == 0).all()


def test_the_table_lists_the_edges_strongest_first():
    _, _, found = product_found()
    table = found.table
    assert table.dtype.names == (
        "source", "target", "lag", "edge", "score", "strength", "effect", "low", "high", "share",
        "p_value", "q_value",
    )  # fmt: skip
    assert len(table) == len(found.graph.edges())
    own = table["source"] == table["target"]
    assert (np.diff(own) >= 0).all()
    for part in (table[own], table[~own]):
        assert (np.diff(part["strength"]) <= 0).all()
    frame = pd.DataFrame(table)
    for row in frame.itertuples():
        at = "abc".index(row.source), "abc".index(row.target), row.lag
        assert row.score == pytest.approx(float(found.scores[at]))
        assert bool(found.graph.directed[at])


def test_few_candidates_are_told_of():
    _, _, found = product_found()
    assert found.info.simultaneous_errors is None
    assert found.info.selection == "empirical null"
    assert any("of 18 candidate edges stand" in note for note in found.info.notes)


def test_info_tells_what_was_done():
    _, _, found = product_found()
    info = found.info
    assert info.method == "gradient"
    assert info.transform == "standardise"
    assert info.skip is False
    assert set(info.seconds) == {"training", "attribution", "effects", "total"}
    steps, losses, held_out = zip(*info.losses, strict=True)
    assert losses[-1] < losses[0]
    assert steps[-1] == info.steps
    assert min(held_out) == pytest.approx(info.held_out_error, rel=1e-2)


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
    # An accelerator may add in another order each time.
    np.testing.assert_allclose(again.scores, found.scores, rtol=1e-6)
    assert again.info.held_out_error == pytest.approx(found.info.held_out_error, abs=0.02)
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
    found = discover(x, 2, key=jax.random.key(1), **quick)
    assert found.info.skip is True
    assert found.info.selection == "t-tests"
    assert any("adds nothing that counts" in note for note in found.info.notes)
    assert float(metrics.precision_recall(found.graph, truth).f1) > 0.85
    assert float(metrics.auroc(found.scores, truth)) > 0.95


@pytest.mark.parametrize("method", ["var", "pc", "pcmci", "pcmci+", "lasso"])
def test_the_linear_methods_find_a_linear_series(method):
    x, truth = linear_series()
    found = discover(x, 2, method=method, names=["a", "b", "c", "d"])
    # The penalty that forecasts best keeps too much.
    least = 0.7 if method == "lasso" else 0.85
    assert float(metrics.precision_recall(found.graph, truth).f1) > least
    assert float(metrics.auroc(found.scores, truth)) > 0.97
    assert found.forecaster is None
    assert found.info.method == method


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
    assert found.info.n_windows < len(x) * 0.96
    assert float(metrics.precision_recall(found.graph, truth).f1) > 0.8
    assert any("missing value" in note for note in found.info.notes)


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
        ({"max_lag": 50}, "takes 51"),
        ({"method": "magic"}, "choose one of auto, gradient, lasso, pc, pcmci"),
        ({"transform": "cube"}, "transform='cube'"),
        ({"readout": "lrp"}, "readout='lrp'"),
        ({"readout": "score_energy"}, "needs head='gaussian'"),
        ({"model": "huge"}, "model='huge'"),
        ({"members": 0}, "members=0"),
        ({"missing": "guess"}, "missing='guess'"),
        ({"domain": np.zeros(7, int)}, "has 40 rows"),
        ({"domain": np.full(40, -1)}, "whole numbers"),
        ({"forbidden": [("X0", "X9")]}, "names 'X9'"),
        ({"forbidden": [("X0", "X1", 3)]}, "lag 3"),
        ({"forbidden": [("X0",)]}, "write \\(source, target\\)"),
        ({"required": np.zeros((2, 2), bool)}, "boolean of shape"),
        ({"forbidden": [("X0", "X1")], "required": [("X0", "X1", 1)]}, "drop one"),
        ({"lag_limits": {("X0", "X1"): 5}}, "lag 5"),
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
        discover(holes, 2, missing="drop")
    flat = x.copy()
    flat[:, 0] = 1.0
    flat[3:5] = np.nan
    with pytest.raises(InputError, match="constant"):
        discover(flat, 2)
    with pytest.raises(InputError, match="to train on"):
        discover(x[:6], 2)


def test_an_interrupt_carries_the_forecaster(monkeypatch):
    from jaxcause.workflows._discover import training

    real = training.fit

    def interrupted(*arguments, on_progress, **options):
        def stop(progress):
            on_progress(progress)
            if progress.step >= 100:
                raise KeyboardInterrupt

        return real(*arguments, on_progress=stop, **options)

    monkeypatch.setattr(training, "fit", interrupted)
    x, _ = linear_series()
    with pytest.raises(DiscoveryInterrupted, match="interrupted at step") as caught:
        discover(x, 2, key=jax.random.key(0), skip=False, **SMALL)
    found = discover(x, 2, forecaster=caught.value.forecaster, progress=False)
    assert found.scores.shape == (4, 4, 3)


def variance_series(n_steps=6000):
    """b scales the noise of c; a moves its mean."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(n_steps, 3))
    scale = np.exp(0.8 * x[:-1, 1])
    x[1:, 2] = 0.8 * x[:-1, 0] + 0.5 * scale * rng.normal(size=n_steps - 1)
    return x


@pytest.mark.usefixtures("untyped")
def test_a_gaussian_head_finds_a_parent_of_the_variance():
    found = discover(
        variance_series(), 2, key=jax.random.key(0), skip=False, head="gaussian", **SMALL
    )
    into_c = np.asarray(found.scores)[:, 2, 1]
    others = np.delete(np.asarray(found.scores)[:, :, 1:].ravel(), [2 * 2, 4 * 2 + 2])
    assert min(into_c[0], into_c[1]) > 10 * np.median(others)
    parts = found.info.parts
    assert parts["variance_part"][1, 2, 1] > 5 * parts["mean_part"][1, 2, 1]
    np.testing.assert_allclose(parts["mean_part"] + parts["variance_part"], found.scores, rtol=1e-4)
    # Each edge says it where edges are looked at: table, text, page, files.
    into_c = found.table[(found.table["target"] == "X2") & (found.table["lag"] == 1)]
    of = dict(zip(into_c["source"].tolist(), into_c["on_variance"].tolist(), strict=True))
    assert of["X1"] > 0.8 > 0.2 > of["X0"]
    assert "on variance" in found.summary()
    again = Discovery.from_json(found.to_json())
    np.testing.assert_allclose(again.table["on_variance"], found.table["on_variance"])
    edges = found.to_dict()["edges"]
    assert {edge["on_variance"] > 0.8 for edge in edges} == {True, False}


def test_an_edge_without_any_energy_has_no_share_on_the_variance():
    energy = np.array([[[0.0, 3.0]]])
    share = share_on_variance({"mean_part": energy, "variance_part": energy / 3})
    np.testing.assert_array_equal(share, [[[np.nan, 0.25]]])
    assert share_on_variance({"total": energy}) is None
    assert share_on_variance(None) is None


def test_a_note_says_which_edges_act_on_the_variance():
    on_mean, on_variance = np.zeros((2, 2, 2)), np.zeros((2, 2, 2))
    on_mean[0, 0, 1], on_variance[0, 1, 1] = 1.0, 2.0
    on_mean[1, 1, 1] = on_variance[1, 1, 1] = 0.5
    graph = LaggedGraph.from_mask(on_mean + on_variance > 0)
    parts = {"mean_part": on_mean, "variance_part": on_variance}
    said = notes_on_variance(parts, graph, ("rain", "river"))
    assert [note.split(", by")[0] for note in said] == [
        "1 of 3 lagged edges acts on the variance of their target and hardly on its mean",
        "1 of 3 lagged edges acts on both the mean and the variance of their target",
    ]
    assert "rain(t-1) --> river(t)." in said[0]
    assert "river(t-1) --> river(t)." in said[1]
    assert notes_on_variance({}, graph, ("rain", "river")) == ()
    assert notes_on_variance(parts, LaggedGraph.from_mask(on_mean > 1), ("a", "b")) == ()


def test_prior_knowledge_of_links_is_kept():
    x, _ = linear_series()
    found = discover(
        x,
        2,
        names=["a", "b", "c", "d"],
        key=jax.random.key(0),
        skip=False,
        forbidden=[("a", "b"), ("c", "c", 1)],
        required=[("d", "a", 2)],
        lag_limits={("b", "d"): 1},
        **SMALL | {"training": TrainingConfig(40)},
    )
    scores = np.asarray(found.scores)
    assert (scores[0, 1] == 0).all()
    assert scores[2, 2, 1] == 0 < scores[2, 2, 2]
    assert scores[1, 3, 2] == 0 < scores[1, 3, 1]
    directed = np.asarray(found.graph.directed)
    assert directed[3, 0, 2]
    assert not directed[0, 1].any()


def test_members_read_their_own_scores():
    x, truth, _ = product_found()
    quick = SMALL | {"training": TrainingConfig(200, batch_size=8)}
    found = discover(x, 2, key=jax.random.key(0), skip=False, members=3, **quick)
    members = found.info.member_scores
    assert members.shape == (3, 3, 3, 3)
    np.testing.assert_allclose(np.sqrt(members.mean(0)), found.strength, rtol=1e-5)
    assert (members.std(0)[truth] > 0).all()


def regime_series(n_steps=4000):
    """b follows a in the first regime, and runs against it in the second."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(n_steps, 2))
    domain = (np.arange(n_steps) // 500) % 2
    x[1:, 1] = np.where(domain[1:] == 0, 1.0, -1.0) * x[:-1, 0] + 0.3 * x[1:, 1]
    return x, domain


def test_the_regime_index_tells_mechanisms_apart():
    x, domain = regime_series()
    with_index = discover(x, 1, key=jax.random.key(0), skip=False, domain=domain, **SMALL)
    without = discover(x, 1, key=jax.random.key(0), skip=False, domain=None, **SMALL)
    assert with_index.info.held_out_error < 0.75 * without.info.held_out_error
    scores, strength = (np.asarray(v)[:, :, 1] for v in (with_index.scores, with_index.strength))
    assert scores[0, 1] > 4 * np.delete(scores.ravel(), 1).max()
    assert strength[0, 1] > 10 * np.delete(strength.ravel(), 1).max()


def test_missing_values_are_masked_where_few_windows_are_complete():
    x, truth = linear_series()
    holes = np.where(np.random.default_rng(0).random(x.shape) < 0.12, np.nan, x)
    found = discover(holes, 2, key=jax.random.key(0), skip=False, **SMALL)
    assert any("inputs of their own" in note for note in found.info.notes)
    assert found.info.model["missing"]
    assert float(metrics.auroc(found.scores, truth)) > 0.9
    quick = SMALL | {"training": TrainingConfig(20)}
    dropped = discover(holes, 2, key=jax.random.key(0), skip=False, missing="drop", **quick)
    assert not dropped.info.model["missing"]


@pytest.mark.parametrize("readout", ["attn_lrp", "cp_lrp", "intervention"])
def test_relevance_is_a_readout(readout):
    x, truth, found = product_found()
    read = discover(
        x, 2, names=["a", "b", "c"], forecaster=found.forecaster, readout=readout, progress=False
    )
    assert float(metrics.auroc(read.scores, truth)) == 1.0
    assert not np.allclose(read.scores, found.scores)


@pytest.mark.usefixtures("untyped")
def test_the_intervention_readout_tells_the_size_of_an_effect_that_saturates(capsys):
    """A step of ±1 moves the target by 1 standard deviation of it; its slope at 0 is 10."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(4000, 2))
    x[1:, 1] = 0.9 * np.tanh(10 * x[:-1, 0]) + 0.3 * rng.normal(size=3999)
    found = discover(x, 1, key=jax.random.key(0), **SMALL | {"training": TrainingConfig(1200)})
    read = discover(x, 1, forecaster=found.forecaster, readout="intervention", progress=False)
    again = discover(x, 1, forecaster=found.forecaster, readout="intervention", progress=True)
    said = capsys.readouterr().err
    assert "Setting inputs to their values in other windows" in said
    assert "gradients" not in said
    np.testing.assert_array_equal(read.scores, again.scores)
    true = np.std(0.9 * np.tanh(10 * x[:-1, 0])) / np.std(x[1:, 1])
    sizes = [float(result.strength[0, 1, 1]) for result in (found, read)]
    assert abs(sizes[1] - true) < 0.2 < 0.5 < abs(sizes[0] - true)
    assert "another window" in read.info.strength


@pytest.mark.parametrize("max_lag", [2, 5])
def test_the_longest_lag_is_chosen_by_forecasts_only_if_asked(max_lag):
    rng = np.random.default_rng(max_lag)
    x = rng.normal(size=(1500, 3))
    x[max_lag:, 1] += np.abs(x[:-max_lag, 0])
    x[1:, 2] += 0.5 * x[:-1, 1]
    found = discover(x, "auto", method="var")
    assert found.graph.max_lag == max_lag
    assert any(f"max_lag={max_lag} was chosen" in note for note in found.info.notes)
    with pytest.raises(InputError, match="max_lag='auto'"):
        discover(x[:6], "auto", method="var")


def test_the_method_is_chosen_and_the_reason_told():
    x, _ = linear_series()
    short = discover(x[:200], 2, method="auto")
    assert short.info.method == "pcmci"
    assert any("198 windows are too few" in note for note in short.info.notes)
    quick = SMALL | {"training": TrainingConfig(20)}
    long = discover(x, 2, method="auto", key=jax.random.key(0), **quick)
    assert long.info.method == "gradient"
    assert any("method='gradient' was chosen" in note for note in long.info.notes)


def test_selected_edges_are_searched_for_effects_within_a_step():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4000, 3))
    for t in range(1, len(x)):
        x[t, 0] += 0.7 * x[t - 1, 0]
        x[t, 1] += 0.8 * x[t, 0]
        x[t, 2] += 0.6 * x[t - 1, 1]
    quick = SMALL | {"training": TrainingConfig(40)}
    before = discover(x, 1, key=jax.random.key(0), skip=True, **quick)
    assert ("X0", 1, "-->", "X1") in before.graph.edges()
    assert before.info.simultaneous_errors["pair"] == ["X0", "X1"]
    assert any(
        "errors of X0 and X1 are correlated within a time step" in n for n in before.info.notes
    )
    found = discover(x, 1, key=jax.random.key(0), skip=True, contemporaneous=True, **quick)
    expected = {("X0", 1, "-->", "X0"), ("X0", 0, "-->", "X1"), ("X1", 1, "-->", "X2")}
    assert set(found.graph.edges()) == expected
    assert found.info.refined["n_directed"] == 3
    assert not any("correlated within a time step" in note for note in found.info.notes)
    forbidden = discover(
        x, 1, key=jax.random.key(0), skip=True, contemporaneous=True,
        forbidden=[("X1", "X2")], **quick,
    )  # fmt: skip
    assert not np.asarray(forbidden.graph.adjacency)[1, 2, 1]


def test_selected_edges_are_searched_for_hidden_causes():
    rng = np.random.default_rng(0)
    x, u = rng.normal(size=(4000, 3)), rng.normal(size=4000)
    x[1:, 0] += 1.2 * u[:-1]
    x[2:, 1] += 1.2 * u[:-2]
    x[1:, 0] += x[:-1, 2]
    quick = SMALL | {"training": TrainingConfig(40)}
    found = discover(x, 2, key=jax.random.key(0), skip=True, latents=True, **quick)
    assert ("X0", 1, "<->", "X1") in found.graph.edges()
    assert ("X2", 2, "-->", "X1") not in found.graph.edges()


def test_edges_that_no_linear_test_sees_survive_the_search():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(4000, 3))
    x[1:, 1] += 1.5 * np.cos(2 * x[:-1, 0])
    x[:, 2] += x[:, 1]
    found = discover(
        x,
        1,
        key=jax.random.key(0),
        skip=False,
        contemporaneous=True,
        select=lambda scores: attribution.select_global_top_k(scores, 2),
        **SMALL,
    )
    edges = found.graph.edges()
    assert ("X0", 1, "-->", "X1") in edges
    assert np.asarray(found.graph.adjacency)[1, 2, 0]
    assert not np.asarray(found.graph.adjacency)[0, 2, 0]


RESUME = """
import sys, jax, numpy as np
import jaxcause as jc
from jaxcause.training import TrainingConfig, _loop
_loop.SECONDS_BETWEEN_CHECKPOINTS = 0.0
x = np.random.default_rng(0).normal(size=(800, 3))
x[2:, 1] += np.tanh(x[:-2, 0])
found = jc.discover(x, 2, key=jax.random.key(0), skip=False, model="small", progress=False,
    training=TrainingConfig(400, batch_size=4, steps_per_call=10), checkpoint=sys.argv[1])
np.save(sys.argv[2], found.scores)
"""


def test_a_killed_discovery_ends_in_the_same_graph(tmp_path):
    def command(name):
        return [sys.executable, "-c", RESUME, str(tmp_path / f"{name}.ckpt"), f"{tmp_path}/{name}"]

    subprocess.run(command("whole"), check=True)
    process = subprocess.Popen(command("killed"))
    while not list(tmp_path.glob("killed.ckpt*")) and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "killed.npy").exists()
    subprocess.run(command("killed"), check=True)
    whole, killed = (np.load(tmp_path / f"{name}.npy") for name in ("whole", "killed"))
    np.testing.assert_array_equal(whole, killed)


def test_rivers_flow_downhill(data):
    table = read_csv(data / "rivers" / "rivers.csv")
    found = discover(table, 3, key=jax.random.key(0), progress=False)
    others = {n: float(found.strength[i, 1].max()) for i, n in enumerate(found.names) if i != 1}
    assert max(others, key=others.get) == "kempten"
    into = [row for row in found.table if row["target"] == "dillingen" != row["source"]]
    assert into[0]["source"] == "kempten"


@pytest.mark.parametrize(("name", "method"), [("middleware", "gradient"), ("web_activity", "var")])
def test_monitoring_files_run_as_they_are(data, name, method):
    table = read_csv(data / "it_monitoring" / f"{name}.csv")
    quick = SMALL | {"training": TrainingConfig(50)} if method == "gradient" else {}
    found = discover(table, 2, method=method, key=jax.random.key(0), **quick)
    assert np.isfinite(found.scores).all()
    assert any("'timestamp'" in note for note in found.info.notes)


def test_lorenz96_is_read_from_the_gradients(data):
    case = np.load(data / "lorenz96" / "F_40_T_1000_dataset_1.npz")
    found = discover(case["X_np"].T, 1, key=jax.random.key(0), skip=False, progress=False)
    truth = case["Gref"].T.astype(bool)
    assert float(metrics.auroc(found.scores, truth, summary=True, diagonal=False)) >= 0.99


def test_the_bar_says_where_training_stopped_early(capsys):
    # Nothing nonlinear is in sight in a linear series, so that training ends soon.
    x = np.random.default_rng(0).normal(size=(400, 2))
    x[1:, 1] += 0.8 * x[:-1, 0]
    found = discover(x, 2, key=jax.random.key(0), progress=True)
    assert found.info.steps < 600
    assert "stopped early" in capsys.readouterr().err


def test_a_saved_forecaster_can_be_read_by_whom_other_results_can(tmp_path):
    _, _, found = product_found()
    found.forecaster.save(tmp_path / "f.safetensors")
    (tmp_path / "other").write_text("")
    modes = [(tmp_path / name).stat().st_mode for name in ("f.safetensors", "other")]
    assert modes[0] == modes[1]
