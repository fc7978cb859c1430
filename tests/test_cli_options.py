"""What ``jaxcause discover`` makes of its options, without training anything."""

import numpy as np
import pytest

from jaxcause import workflows
from jaxcause._checkpoint import CheckpointOfAnotherRun
from jaxcause.cli import main


@pytest.fixture
def called(monkeypatch, tmp_path):
    """Runs ``discover`` with options; gives what the library was asked for."""
    x = np.random.default_rng(0).normal(size=(40, 2))
    rows = "".join(f"{a:.4f},{b:.4f},{k // 20}\n" for k, (a, b) in enumerate(x))
    (tmp_path / "s.csv").write_text("rain,river,regime\n" + rows)
    real, seen = workflows.discover, {}

    def record(series, max_lag, **options):
        seen.update(options, series=series, max_lag=max_lag)
        return real(series.values[:, :2], 2, names=["rain", "river"], method="var")

    monkeypatch.setattr(workflows, "discover", record)
    monkeypatch.setattr(workflows, "write_discovery", lambda found, folder: [])

    def call(*options, files=("s.csv",)):
        seen.clear()
        paths = [str(tmp_path / file) for file in files]
        out = ["--out", str(tmp_path / "out"), "--max-lag", "2", "--quiet"]
        assert main(["discover", *paths, *out, *options]) == 0
        return seen

    return call


def test_what_is_not_given_is_left_to_the_library(called, tmp_path):
    seen = called()
    assert set(seen) == {"series", "max_lag", "method", "key", "progress", "checkpoint"}
    assert seen["method"] == "gradient"
    assert seen["progress"] is False
    assert seen["checkpoint"] == tmp_path / "out" / "checkpoint"
    assert seen["series"].names == ("rain", "river", "regime")


def test_every_option_arrives(called):
    seen = called(
        *"--readout score_energy --head gaussian --model large --members 3".split(),
        *"--steps 7 --transform log --missing mask --top-k 2 --seed 5 --forbid rain->river".split(),
        *"--forbid river->rain:2 --require rain->river:1 --lag-limit rain->river:1".split(),
        *"--tier rain:-1 --tier river:-1 --tier regime:2".split(),
    )
    plain = "readout head model members transform missing".split()
    assert [seen[name] for name in plain] == [
        "score_energy",
        "gaussian",
        "large",
        3,
        "log",
        "mask",
    ]
    assert seen["training"].n_steps == 7
    assert seen["forbidden"] == [("rain", "river"), ("river", "rain", 2)]
    assert seen["required"] == [("rain", "river", 1)]
    assert seen["tiers"] == {"rain": -1, "river": -1, "regime": 2}
    assert seen["lag_limits"] == {("rain", "river"): 1}
    scores = np.random.default_rng(0).random((2, 2, 3))
    assert len(seen["select"](scores).edges()) == 4


@pytest.mark.parametrize(("given", "seen"), [("4", 4), ("auto", "auto"), ("3h", "3h")])
def test_a_resolution_is_rows_or_a_duration(called, given, seen):
    assert called("--resample", given)["resample"] == seen


def test_auto_chooses_at_the_resolution(called):
    seen = called("--method", "auto", "--resample", "3")
    assert seen["resample"] == 3
    assert seen["series"].values.shape[0] == 40


def test_a_domain_is_no_variable(called):
    seen = called("--domain", "regime")
    assert seen["series"].names == ("rain", "river")
    assert seen["series"].values.shape == (40, 2)
    assert seen["domain"].tolist() == [0] * 20 + [1] * 20


def test_regimes_are_looked_for_or_not(called):
    assert "domain" not in called()
    assert called("--domain", "none")["domain"] is None
    assert called("--domain", "auto")["domain"] == "auto"


def test_a_second_search_has_a_level(called):
    seen = called("--latents", "--contemporaneous", "--alpha", "0.01")
    assert (seen["latents"], seen["contemporaneous"], seen["alpha"]) == (True, True, 0.01)


@pytest.mark.parametrize(("given", "said"), [((), {}), (("--no-latents",), {"latents": False})])
def test_hidden_causes_are_left_to_the_data_or_not(called, given, said):
    seen = called(*given)
    assert {name: seen[name] for name in ("latents",) if name in seen} == said


def test_what_is_declined_fits_every_method(called):
    assert called("--method", "var", "--no-latents")["method"] == "var"


def test_what_is_left_to_the_data(called):
    seen = called("--method", "auto", "--max-lag", "auto", "--q", "0.05")
    assert (seen["method"], seen["max_lag"], seen["q"]) == ("pcmci", 1, 0.05)
    assert len([note for note in seen["series"].notes if "was chosen" in note]) == 2


def test_auto_refuses_what_the_chosen_method_does_not_have(tmp_path, capsys):
    x = np.random.default_rng(0).normal(size=(40, 2))
    (tmp_path / "s.csv").write_text("rain,river\n" + "".join(f"{a},{b}\n" for a, b in x))
    call = ["discover", str(tmp_path / "s.csv"), "--method", "auto", "--max-lag", "2"]
    assert main([*call, "--members", "3", "--out", str(tmp_path / "out")]) == 2
    assert "--members is not for --method var, but for gradient" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_methods_that_search_or_train_have_a_checkpoint(called, tmp_path):
    seen = called("--method", "pc", "--alpha", "0.2", "--contemporaneous", "--max-cond-size", "1")
    assert seen["checkpoint"] == tmp_path / "out" / "checkpoint"
    assert (seen["alpha"], seen["contemporaneous"], seen["max_cond_size"]) == (0.2, True, 1)
    assert "checkpoint" not in called("--method", "var")


def test_what_was_cut_off_is_kept_until_the_same_method_is_done(called, tmp_path, monkeypatch):
    left = tmp_path / "out" / "checkpoint"
    left.parent.mkdir()
    known = []
    real = workflows.discover
    monkeypatch.setattr(
        workflows, "discover", lambda *a, **k: (known.append(left.exists()), real(*a, **k))[1]
    )
    for options in ((), ("--resume",), ("--no-resume",)):
        left.write_text("")
        called(*options)
        assert not left.exists()
    assert known == [True, True, False]
    left.write_text("")
    called("--method", "var")
    assert left.exists()


def test_what_another_call_has_left_is_replaced_unless_it_was_wanted(
    called, tmp_path, monkeypatch, capsys
):
    left = tmp_path / "out" / "checkpoint"
    left.parent.mkdir()
    real = workflows.discover

    def other(*args, checkpoint, **options):
        if checkpoint.exists():
            raise CheckpointOfAnotherRun(f"{checkpoint} was written for other data")
        return real(*args, checkpoint=checkpoint, **options)

    monkeypatch.setattr(workflows, "discover", other)
    left.write_text("")
    call = ["discover", str(tmp_path / "s.csv"), "--max-lag", "2", "--out", str(tmp_path / "out")]
    assert main([*call, "--resume"]) == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith("was written for other data")
    assert left.exists()
    assert main(call) == 0
    said = capsys.readouterr().err.splitlines()
    assert "going on with what was cut off" in said[0]
    assert "was another call, so this one starts afresh" in said[1]
    assert not left.exists()


def test_ctrl_c_in_a_search_says_how_to_go_on(tmp_path, monkeypatch, capsys):
    def interrupted(*_, checkpoint, **__):
        checkpoint.write_text("levels")
        raise KeyboardInterrupt

    monkeypatch.setattr(workflows, "discover", interrupted)
    (tmp_path / "s.csv").write_text("a,b\n" + "".join(f"{k * k},{k % 3}\n" for k in range(20)))
    out = tmp_path / "out"
    call = ["discover", str(tmp_path / "s.csv"), "--method", "pc", "--out", str(out), "--quiet"]
    assert main(call) == 130
    said = f"jaxcause: interrupted; the same command goes on from {out / 'checkpoint'}\n"
    assert capsys.readouterr().err == said


def test_files_are_read_as_asked(called, tmp_path):
    lines = "".join(f"{k};{k % 7},5;{k % 5},25;0\n" for k in range(30))
    for name in ("g.csv", "h.csv"):
        (tmp_path / name).write_text("exported\n\nZeit;rain;river;spare\n" + lines, "latin-1")
    reading = "--delimiter ; --decimal , --skip-rows 1 --encoding latin-1 --drop spare".split()
    seen = called(*reading, files=("g.csv", "h.csv"))
    assert seen["series"].names == ("rain", "river")
    assert seen["series"].values.shape == (60, 2)
    assert seen["series"].values[1].tolist() == [1.5, 1.25]
    assert len(np.unique(seen["series"].segment)) == 2
