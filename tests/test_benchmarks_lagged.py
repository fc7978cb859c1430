"""The settings, the resuming and the figures of the benchmark of lagged graphs."""

import importlib.util
import itertools
import json
import sys
import time

import jax
import numpy as np
import pytest

from benchmarks import claims, flow, intervention, lagged, memory
from benchmarks.lagged import (
    beside,
    dynamics,
    generated,
    hidden,
    methods,
    settings,
    study,
    tables,
    worker,
)
from benchmarks.lagged.figures import figures
from benchmarks.lagged.published import NotThere
from benchmarks.lagged.study import Limits, Run
from jaxcause import simulate
from jaxcause.graph import LaggedGraph, Mark, dag_to_mag
from jaxcause.simulate import lorenz96_flow

IN_PROCESS = Limits(in_process=True)


def test_every_setting_of_the_paper_is_there():
    made = settings.SIMULATED
    assert {s.n_vars for s in made.values()} == {10, 25, 50, 100}
    assert {s.max_lag for s in made.values()} == {5, 10, 25, 50}
    functions = {s.options.get("function", "linear") for s in made.values()}
    assert functions == set(simulate._system.FUNCTIONS)
    assert {s.options.get("noise", "gaussian") for s in made.values()} == set(
        simulate._system.NOISES
    )
    assert {s.options.get("n_domains", 1) for s in made.values()} == {1, 2, 5, 10}
    assert {s.options.get("n_latents", 0) for s in made.values()} == {0, 3, 5, 10}
    assert max(settings.sizes(name, "reduced")[2] for name in made) == 50_000
    assert {settings.sizes(name, "full")[2] for name in made} == {50_000, 100_000, 1_000_000}
    assert settings.seeds_of("n=50", "reduced", (0, 1, 2)) == (0,)
    assert settings.seeds_of("n=50", "full", (0, 1, 2)) == (0, 1, 2)


def test_names_with_commas_can_be_asked_for():
    known = ["pl+m", "pl+m, short", "n=10"]
    assert lagged._chosen("settings", "pl+m, short,n=10,pl+m", known) == [
        "pl+m, short",
        "n=10",
        "pl+m",
    ]
    assert lagged._chosen("settings", None, known) == known
    with pytest.raises(SystemExit, match="--settings 'n=1' is not known"):
        lagged._chosen("settings", "n=1", known)


@pytest.fixture
def counted(monkeypatch):
    """One method that counts its runs, on a small system."""
    calls = []
    truth = np.zeros((3, 3, 3), bool)
    truth[0, 1, 1] = truth[1, 2, 2] = truth[2, 2, 1] = True
    case = settings.Case(np.zeros((9, 3)), LaggedGraph.from_mask(truth), 2)

    def run(case, seed):
        calls.append(seed)
        if seed == 7:
            raise ValueError("out of luck")
        graph = truth.copy()
        graph[0, 0, 2] = True
        return [methods.Answer("made up", truth + 0.1, dict.fromkeys(methods.RATES, graph))]

    monkeypatch.setitem(methods.METHODS, "made up", methods.Method(run))
    monkeypatch.setattr(settings, "load", lambda *_: case)
    return calls, case


def test_figures_of_a_perfect_order_and_one_false_edge(counted):
    _, case = counted
    line = figures(methods.METHODS["made up"].run(case, 0)[0], case)
    assert line["AUROC"] == line["AUPRC"] == line["F1 true number"] == 1
    assert line["F1@3"] == pytest.approx(2 * 3 / (9 + 3))
    assert (line["edges q=0.1"], line["true edges"], line["SHD"]) == (4, 3, 1)
    assert line["FDP q=0.05"] == 0.25
    assert line["F1 q=0.05"] == pytest.approx(6 / 7)
    assert "F1 marks" not in line


def test_marks_count_where_there_are_hidden_causes():
    marks = np.zeros((2, 2, 2, 2), np.int8)
    marks[0, 1, 1] = Mark.ARROW
    marks[1, 1, 1] = Mark.TAIL, Mark.ARROW
    case = settings.Case(np.zeros((9, 2)), LaggedGraph(marks), 1)
    scores = np.zeros((2, 2, 2))
    scores[:, 1, 1] = 1.0
    answer = methods.Answer("x", scores, dict.fromkeys(methods.RATES, scores > 0))
    line = figures(answer, case)
    assert line["true edges"] == 1
    assert line["F1 marks"] == 0.5
    assert line["F1 directed"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("seed", range(3))
def test_the_ancestral_graph_is_that_of_the_unrolled_system(seed):
    made = simulate.lagged_system(
        jax.random.key(seed), n_vars=4, max_lag=2, n_steps=9, n_parents=2, n_latents=3
    )
    right = np.asarray(hidden.ancestral_graph(made).marks)
    # The system in eight steps, a variable of its own for each thing that two of them share.
    n, n_steps = 4, 8
    shared = [
        ((step + lag) * n + i, step * n + j)
        for i, j, lag in np.argwhere(np.asarray(made.confounded))
        for step in range(n_steps - lag)
        if lag or i < j
    ]
    dag = np.zeros((n * n_steps + len(shared),) * 2, bool)
    for i, j, lag in np.argwhere(np.asarray(made.truth.directed)):
        for step in range(n_steps - lag):
            dag[(step + lag) * n + i, step * n + j] = True
    for k, ends in enumerate(shared):
        dag[n * n_steps + k, list(ends)] = True
    expected = np.asarray(dag_to_mag(dag, np.arange(n * n_steps)).marks)
    for lag in range(3):
        for source, target in itertools.permutations(range(n), 2):
            early, late = lag * n + source, target
            at_early, at_late = right[source, target, lag]
            assert (at_early, at_late) == (expected[late, early], expected[early, late])


@pytest.mark.parametrize("seed", range(2))
def test_an_oracle_claims_nothing_false(seed):
    system = simulate.lagged_system(
        jax.random.key(seed), n_vars=4, max_lag=2, n_steps=9, n_parents=1, n_latents=1
    )
    case = settings.Case(np.asarray(system.series), system.truth, 2, system=system)
    (answer,) = methods.told_by_an_oracle(case, 0)
    assert answer.notes["FDP marks q=0.1"] == 0
    found = figures(answer, case)
    assert found["F1 q=0.1"] > 0.5
    with pytest.raises(methods.NotAvailable, match="hidden causes"):
        methods.told_by_an_oracle(case._replace(system=None), 0)


def test_what_contradicts_the_ancestral_graph():
    right, found = np.zeros((2, 3, 3, 3, 2), np.int8)
    arrow, tail, circle = Mark.ARROW, Mark.TAIL, Mark.CIRCLE
    right[0, 1, 1] = tail, arrow
    right[0, 2, 1] = arrow, arrow
    found[0, 1, 1] = found[0, 2, 1] = circle, arrow
    assert hidden.contradicted(LaggedGraph(found), LaggedGraph(right)) == 0
    found[0, 2, 1] = tail, arrow
    assert hidden.contradicted(LaggedGraph(found), LaggedGraph(right)) == 0.5
    found[0, 1, 1] = arrow, arrow
    found[1, 2, 2] = circle, arrow
    assert hidden.contradicted(LaggedGraph(found), LaggedGraph(right)) == 1
    assert hidden.contradicted(LaggedGraph(right), LaggedGraph(right)) == 0


def test_a_study_resumes_where_it_was_cut_off(counted, tmp_path):
    calls, _ = counted
    path = tmp_path / "lines.jsonl"
    wanted = study.runs(["n=10", "n=25"], ["made up"], (0, 1), "reduced")
    assert [run.seed for run in wanted] == [0, 0, 1, 1]
    study.execute(wanted[:3], path, IN_PROCESS, preset="reduced", data=None)
    assert calls == [0, 0, 1]
    text = path.read_text()
    path.write_text(text[:-20])
    study.execute(wanted, path, IN_PROCESS, preset="reduced", data=None)
    assert calls == [0, 0, 1, 1, 1]
    assert len(study.read(path)) == 4
    study.execute(wanted, path, IN_PROCESS, preset="reduced", data=None)
    assert len(calls) == 5
    spent = IN_PROCESS._replace(budget=-1.0)
    study.execute([Run("n=10", 2, "made up")], path, spent, preset="reduced", data=None)
    assert len(calls) == 5


def test_a_failed_run_is_told_and_tried_again(counted, tmp_path):
    calls, _ = counted
    path = tmp_path / "lines.jsonl"
    for _ in range(2):
        study.execute([Run("n=10", 7, "made up")], path, IN_PROCESS, preset="full", data=None)
    assert calls == [7, 7]
    assert study.read(path)[-1]["failed"] == "ValueError: out of luck"
    row = tables.rows(study.read(path), "full")[-1]
    assert (row["seeds"], row["note"]) == (0, "ValueError: out of luck")


def test_a_run_is_stopped_at_its_limit_and_tried_again_at_a_higher_one(tmp_path, monkeypatch):
    script = tmp_path / "sleeper"
    script.write_text("#!/bin/sh\nsleep 60\n")
    script.chmod(0o755)
    monkeypatch.setattr(study.sys, "executable", str(script))
    run = Run("n=10", 0, "var")
    began = time.monotonic()
    lines = study.one(run, Limits(wall=0.3), preset="reduced", data=None)
    assert time.monotonic() - began < 20
    assert lines == [{"skipped": "stopped after 0.3 s", "wall": 0.3, "cpu": None}]
    stored = [run._asdict() | lines[0]]
    assert study.done(stored, Limits(wall=0.2)) == {run}
    assert study.done(stored, Limits(wall=9.0)) == set()


def test_what_a_process_prints_last_is_its_result(tmp_path, monkeypatch):
    script = tmp_path / "speaker"
    script.write_text(f'#!/bin/sh\necho noise\necho \'{worker.MARK}[{{"answer": "x"}}]\'\n')
    script.chmod(0o755)
    monkeypatch.setattr(study.sys, "executable", str(script))
    run = Run("n=10", 0, "var")
    assert study.one(run, Limits(), preset="reduced", data=None) == [{"answer": "x"}]
    script.write_text("#!/bin/sh\necho 'Traceback' >&2\necho 'OSError: no' >&2\nexit 1\n")
    assert study.one(run, Limits(), preset="reduced", data=None) == [{"failed": "OSError: no"}]


def test_methods_that_cannot_run_say_why(monkeypatch):
    monkeypatch.setitem(methods.METHODS, "none", methods.Method(lambda *_: [], "no_such_module"))
    assert methods.why_not("none", n_inputs=5, regimes=False) == "no_such_module is not installed"
    assert methods.why_not("gradient with the regime", n_inputs=5, regimes=False) == "no regimes"
    lingam = methods.METHODS["VARLiNGAM"]._replace(needs="numpy")
    monkeypatch.setitem(methods.METHODS, "VARLiNGAM", lingam)
    assert "1000 lagged inputs" in methods.why_not("VARLiNGAM", n_inputs=1000, regimes=False)
    assert methods.why_not("var", n_inputs=5, regimes=False) is None
    lines = study.one(Run("n=10", 0, "none"), Limits(), preset="full", data=None)
    assert lines == [{"skipped": "no_such_module is not installed"}]


def test_the_linear_baseline_finds_a_linear_system(monkeypatch):
    made = simulate.vector_autoregression(jax.random.key(0), n_vars=4, max_lag=2, n_steps=2000)
    case = settings.Case(np.asarray(made.series), made.truth, 2)
    (answer,) = methods.METHODS["var"].run(case, 0)
    line = figures(answer, case)
    assert line["AUROC"] > 0.95
    assert line["edges q=0.05"] <= line["edges q=0.1"]
    with pytest.raises(methods.NotAvailable, match="no method 'magic'"):
        methods.classical("magic")(case, 0)
    with pytest.raises(methods.NotAvailable, match="no luck="):
        methods.classical("var", luck=True)(case, 0)


def test_tables_take_the_latest_line_and_the_mean_over_seeds(tmp_path):
    base = {"setting": "domains=2", "method": "m", "answer": "a"}
    lines = [
        base | {"seed": 0, "AUROC": 0.1},
        base | {"seed": 0, "AUROC": 0.5},
        base | {"seed": 1, "AUROC": 0.7},
        {"setting": "domains=5", "seed": 0, "method": "m", "skipped": "no time"},
        {"setting": "n=10", "seed": 0, "method": "m", "answer": "a", "AUROC": 1.0},
        {"setting": "gone", "seed": 0, "method": "m", "answer": "a", "AUROC": 1.0},
    ]
    made = tables.rows(lines, "reduced")
    rows = {row["setting"]: row for row in made if "setting" in row}
    assert set(rows) == {"n=10", "domains=2", "domains=5"}
    assert rows["domains=2"]["AUROC"] == pytest.approx(0.6)
    assert rows["domains=2"]["seeds"] == 2
    assert rows["domains=5"]["note"] == "no time"
    json.dumps(made)
    pytest.importorskip("matplotlib")
    assert [p.name for p in tables.scaling_plots(made, tmp_path, "x")] == ["x_regimes.png"]


def test_published_series_are_read(data):
    sizes = {}
    for name in settings.PUBLISHED:
        case = settings.load(name, "reduced", 0, data)
        known = np.asarray(case.truth if case.summary else case.truth.directed)
        panel = case.series if isinstance(case.series, list) else [case.series]
        assert {x.shape[1] for x in panel} == {len(known)}
        assert np.isfinite(np.concatenate(panel)).mean() > 0.9
        sizes[name] = np.shape(case.series), int(known.sum())
    assert sizes["lorenz96 F=10"] == ((1000, 10), 40)
    assert sizes["netsim"][0] == (200, 15)
    assert sizes["cdml 1"][0] == (1000, 12)
    assert sizes["it middleware"][0][1] == 7
    assert sizes["flood, 42 gauges"][1] == 42
    assert sizes["flood, 5 gauges, 0"][0][1] == 5
    assert sizes["dream3 100, 0"][0] == (46, 21, 100)
    assert sizes["lotka-volterra 0"] == ((2000, 20), 60)
    lorenz = settings.load("lorenz96 F=10", "reduced", 0, data).truth
    assert set(np.flatnonzero(lorenz[:, 4])) == {2, 3, 4, 5}


def test_a_missing_folder_is_named():
    with pytest.raises(FileNotFoundError, match="pass --data"):
        settings.load("netsim", "reduced", 0, None)


def test_contemporaneous_strings_become_marks():
    graph = np.full((2, 2, 2), "", dtype="<U3")
    graph[0, 1, 1], graph[0, 1, 0], graph[1, 0, 0] = "-->", "o-o", "o-o"
    marks = np.asarray(methods._from_tigramite(graph).marks)
    assert marks[0, 1, 1].tolist() == [Mark.TAIL, Mark.ARROW]
    assert marks[0, 1, 0].tolist() == [Mark.CIRCLE, Mark.CIRCLE]


def test_the_flow_of_lorenz_reaches_further_than_its_equation():
    """In 0.05 units of time at F=40, X(i-3) acts on X(i) more than half as much as X(i-2) does."""
    start = np.asarray(jax.random.normal(jax.random.key(0), (200, 10))) * 5 + 20
    for _ in range(40):
        start = np.asarray(jax.vmap(lambda x: lorenz96_flow(x, forcing=40.0))(start))
    series = np.stack([start[0]] * 3)
    for row in (1, 2):
        series[row] = lorenz96_flow(series[row - 1], forcing=40.0)
    exact, misfit = flow._exact(series, 40.0)
    assert misfit < 1e-5
    ahead = (np.arange(10)[:, None] - np.arange(10)) % 10
    by_offset = [exact[ahead == k].mean() for k in range(10)]
    assert min(by_offset[k] for k in (0, 1, 8, 9)) > by_offset[7] > 0.4 * by_offset[8]
    assert by_offset[4] < 0.1 * by_offset[9]


@pytest.mark.parametrize("size", [0.0, 0.9])
def test_hidden_causes_remember(size):
    """The same system for the same seed; over twelve rows values correlate by the memory."""
    series, true = memory.simulated(0, 4000, size)
    assert (true.sum(axis=(0, 2)) == memory.N_PARENTS).all()
    assert not true[:, :, 0].any()
    again, _ = memory.simulated(0, 4000, size)
    np.testing.assert_array_equal(series, again)
    far = np.corrcoef(series[:-12].T, series[12:].T)[:10, 10:]
    assert (np.abs(far).max() > 0.25) == (size > 0)


def test_generated_series_say_what_is_missing_and_which_were_held_back(monkeypatch):
    assert generated.kind_of("compass var, trend, season, 11") == (
        "compass var, trend, season",
        True,
    )
    assert generated.kind_of("compass lorenz, 0") == ("compass lorenz", False)
    assert generated.kind_of("dotime 25") == ("dotime", True)
    assert generated.kind_of("causaldynamics flow, noise 0.5, Lorenz") == (
        "causaldynamics flow, noise 0.5",
        True,
    )
    assert not generated.kind_of("causaldynamics flow, noise 0, Chua")[1]
    assert generated.kind_of("causaldynamics coupled, forks, 0") == (
        "causaldynamics coupled, forks",
        True,
    )
    monkeypatch.setattr(beside.importlib.util, "find_spec", lambda _: None)
    monkeypatch.delitem(sys.modules, "causalcompass", raising=False)
    with pytest.raises(NotThere, match="causalcompass is not installed"):
        generated.compass("", "var", 0)


def test_generated_series_are_what_their_generator_says():
    if importlib.util.find_spec("causalcompass") is None:
        pytest.skip("causalcompass is not installed")
    for scenario in generated.SCENARIOS:
        case = generated.compass(scenario, "var", 0)
        assert case.series.shape == (500, 10)
        assert case.truth.sum() == 20
        assert np.isnan(case.series).any() == (scenario == "missing")


def test_a_chaotic_flow_is_what_its_equations_say():
    if any(importlib.util.find_spec(name) is None for name in ("causaldynamics", "dysts")):
        pytest.skip("causaldynamics is not installed")
    case = dynamics.flow("Lorenz", 0.5)
    assert case.series.shape == (1000, 3)
    # x' = s (y - x), y' = x (r - z) - y, z' = x y - b z: all pairs but z -> x.
    np.testing.assert_array_equal(case.truth, [[0, 1, 1], [1, 0, 1], [0, 1, 0]])


def test_a_claim_is_a_row_of_means_and_a_point_of_a_curve(tmp_path):
    row = claims._row("rows", 300, {"n_steps": 300}, "var", 2)
    assert row["systems"] == 2
    assert 0.0 <= row["F1 q=0.1"] <= 1.0
    assert 0.5 < row["AUROC"] <= 1.0
    claims.draw([row], tmp_path / "claims.png")
    assert (tmp_path / "claims.png").read_bytes()[:4] == b"\x89PNG"


def test_readouts_are_compared_over_systems():
    others = {"AUROC": 1.0, "rank correlation": 0.5, "keys": 3}
    rows = [
        {"system": s, "forecaster": "f", "readout": r, "F1": f1} | others
        for s, plain, other in (("a", 0.9, 0.7), ("b", 0.8, 0.8), ("c", 1.0, 0.8))
        for r, f1 in (("gradient energy", plain), ("LRP", other))
    ]
    plain, other = intervention.over_systems(rows)
    assert (plain["system"], plain["keys"], plain["F1, 95 %"]) == ("all 3", 9, "0.65 to 1.15")
    assert "F1 gained" not in plain
    assert other["F1 gained"] == pytest.approx(-0.4 / 3)
    low, high = map(float, other["F1 gained, 95 %"].split(" to "))
    assert low < -0.4 / 3 < high
