import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from jaxcause.cli import main


@pytest.fixture
def series(tmp_path):
    """A CSV in which a drives b with lag 2."""
    x = np.random.default_rng(0).normal(size=(300, 2))
    x[2:, 1] += 0.9 * x[:-2, 0]
    rows = [f"{t},{a:.6f},{b:.6f}" for t, (a, b) in enumerate(x)]
    path = tmp_path / "series.csv"
    path.write_text("time,rain,river\n" + "\n".join(rows) + "\n")
    return path


def test_discover_writes_everything_and_prints_the_edges(series, tmp_path, capsys):
    out = tmp_path / "out"
    assert (
        main(["discover", str(series), "--max-lag", "3", "--method", "var", "--out", str(out)]) == 0
    )
    assert sorted(p.name for p in out.iterdir()) == [
        "candidates.csv",
        "edges.csv",
        "graph.json",
        "graph.png",
        "report.html",
        "scores.npz",
        "scores.png",
        "summary.png",
    ]
    document = json.loads((out / "graph.json").read_text())
    assert document["variables"] == ["rain", "river"]
    assert [(e["source"], e["lag"], e["target"]) for e in document["edges"]] == [
        ("rain", 2, "river")
    ]
    assert (out / "edges.csv").read_text().splitlines()[1].startswith("rain,river,2,-->,")
    scores = np.load(out / "scores.npz")
    assert scores["scores"].shape == (2, 2, 4)
    assert scores["names"].tolist() == ["rain", "river"]
    for picture in ("graph.png", "summary.png", "scores.png"):
        assert (out / picture).read_bytes().startswith(b"\x89PNG")
    printed = capsys.readouterr().out
    assert "rain      2  -->   river" in printed
    assert "Column 'time' was taken for the time" in printed


def test_a_trained_forecaster_is_kept_and_can_be_used_again(series, tmp_path, capsys):
    out, again = tmp_path / "out", tmp_path / "again"
    arguments = ["discover", str(series), "--max-lag", "2", "--quiet", "--out"]
    assert main([*arguments, str(out), "--steps", "20", "--model", "small", "--top-k", "1"]) == 0
    kept = str(out / "forecaster.safetensors")
    assert main([*arguments, str(again), "--forecaster", kept, "--top-k", "1"]) == 0
    one, two = (np.load(folder / "scores.npz")["scores"] for folder in (out, again))
    np.testing.assert_array_equal(one, two)
    assert "source" not in capsys.readouterr().out


def test_a_graph_without_edges_is_drawn_without_complaint(tmp_path, capsys):
    x = np.random.default_rng(1).normal(size=(100, 2))
    path = tmp_path / "noise.csv"
    path.write_text("a,b\n" + "\n".join(f"{a:.5f},{b:.5f}" for a, b in x) + "\n")
    arguments = ["--method", "var", "--q", "1e-9", "--out", str(tmp_path / "out")]
    assert main(["discover", str(path), *arguments]) == 0
    assert "(no edge)" in capsys.readouterr().out


BAD_FILES = {
    "empty": "",
    "one column": "a\n1\n2\n",
    "text": "a,b\n" + "1,2\n2,x\n" * 10,
    "constant": "a,b\n" + "".join(f"{k},1\n" for k in range(20)),
    "duplicate": "a,a\n" + "".join(f"{k},{k * k}\n" for k in range(20)),
    "infinite": "a,b\n" + "".join(f"{k},{k * k}\n" for k in range(20)) + "1,inf\n",
    "no values": "a,b\n" + "".join(f"{k},nan\n" for k in range(20)),
    "short": "a,b\n1,2\n2,1\n3,5\n",
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_files_end_in_one_line_and_exit_code_2(case, tmp_path, capsys):
    path, out = tmp_path / "bad.csv", tmp_path / "out"
    path.write_text(BAD_FILES[case])
    assert main(["discover", str(path), "--max-lag", "5", "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("jaxcause: error: ")
    assert len(error.splitlines()) == 1
    assert not out.exists() or not list(out.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--max-lag", "0"], "--max-lag: 0 must be at least 1"),
        (["--max-lag", "-3"], "--max-lag: -3 must be at least 1"),
        (["--max-lag", "long"], "--max-lag: 'long' is no whole number"),
        (["--max-lag"], "--max-lag: expected one argument"),
        (["--max-lag", "400"], "with --max-lag 400 takes 401; give a longer series"),
        (["--q", "2"], "--q: 2 must lie strictly between 0 and 1"),
        (["--q", "nan"], "--q: nan must lie strictly between 0 and 1"),
        (["--q", "few"], "--q: 'few' is no number"),
        (["--alpha", "0", "--method", "pc"], "--alpha: 0 must lie"),
        (["--alpha", "0.1"], "--alpha 0.1 is for --latents or --contemporaneous"),
        (["--latents", "--method", "var"], "--latents is not for --method var, but for gradient"),
        (["--top-k", "3", "--method", "var"], "--top-k is not for --method var"),
        (["--steps", "0"], "--steps: 0 must be at least 1"),
        (["--top-k", "-1"], "--top-k: -1 must be at least 1"),
        (["--seed", "x"], "--seed: 'x' is no whole number"),
        (["--method", "granger"], "choose from"),
        (["--transform", "sqrt"], "choose from"),
        (["--lag", "3"], "unknown argument '--lag', did you mean --max-lag?"),
        (["--drop", "nothing"], "--drop 'nothing' is not a column"),
        (["--time-column", "nothing"], "--time-column 'nothing' is not a column"),
        (["--forecaster", "nothing"], "cannot read a forecaster"),
        (["--forecaster", "nothing", "--resume"], "--forecaster spares it"),
        (["--resume", "--method", "var"], "--resume is not for --method var"),
        (["--readout", "score_energy"], "--readout 'score_energy' needs --head 'gaussian'"),
        (["--head", "poisson"], "choose from"),
        (["--model", "huge"], "choose from"),
        (["--members", "0"], "--members: 0 must be at least 1"),
        (["--forbid", "rain"], "'rain' is no link; write it as A->B"),
        (["--forbid", "rain->lake"], "lake"),
        (["--require", "rain->river:9"], "9"),
        (["--lag-limit", "rain->river"], "has no lag"),
        (["--forbid", "rain->river", "--require", "rain->river:1"], "rain"),
        (["--domain", "regime"], "--domain 'regime' is not a column"),
        (["--domain", "rain"], "must hold whole numbers"),
        (["--delimiter", ";"], "or pass --delimiter ','"),
        (["--decimal", "x"], "choose from"),
        (["--skip-rows", "9999"], "is empty"),
        (["--skip-rows", "-1"], "must be at least 0"),
        (["--encoding", "utf-99"], "encoding"),
    ],
)
@pytest.mark.usefixtures("untyped")
def test_bad_arguments_end_in_one_line_and_exit_code_2(
    arguments, message, series, tmp_path, capsys
):
    out = tmp_path / "out"
    assert main(["discover", str(series), "--quiet", "--out", str(out), *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
    assert not out.exists() or not list(out.iterdir())


def test_a_missing_file_and_an_unwritable_folder_are_named(series, tmp_path, capsys):
    assert main(["discover", str(tmp_path / "none.csv")]) == 2
    assert "No such file" in capsys.readouterr().err
    (tmp_path / "file").write_text("x")
    assert main(["discover", str(series), "--out", str(tmp_path / "file" / "out")]) == 2
    assert "cannot write to the folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "arguments are required: COMMAND; see jaxcause --help"),
        (["discovr"], "choose from"),
        (["discover"], "arguments are required: SERIES; see jaxcause discover --help"),
        (["discover", "x.csv", "--no-such-option"], "unknown argument '--no-such-option'"),
        (["explain", "--model", "x"], "--text --file is required"),
        (["explain", "--model", "x", "--text", "a", "--file", "b"], "not allowed with"),
        (["explain", "--model", "x", "--text", "a", "--time-limit", "0"], "0 must be above 0"),
        (["explain", "--model", "x", "--text", "a", "--heads", "all"], "choose from"),
        (["explain", "--model", "x", "--file", "absent.txt"], "cannot be read"),
        (["convert", "a.json"], "arguments are required: OUT"),
        (["convert", "absent.json", "b.dot"], "cannot read absent.json"),
        (["compare", "absent.json", "b.json"], "cannot read absent.json"),
        (["plot", "absent.json"], "arguments are required: --out"),
        (["plot", "absent.json", "--out", "a.png"], "cannot read absent.json"),
        (["demo", "--seed", "-1"], "--seed: -1 must be at least 0"),
        (["benchmark", "--only", "pc,all"], "--only all is not known"),
        (["benchmark", "--repeat", "0"], "--repeat: 0 must be at least 1"),
        (["completion"], "arguments are required: SHELL"),
        (["completion", "tcsh"], "choose from"),
    ],
)
def test_every_wrong_call_ends_in_one_line_with_a_remedy(arguments, message, capsys):
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert said.err.startswith("jaxcause: error: ")
    assert len(said.err.splitlines()) == 1
    assert not said.out


def run(*arguments, code=None):
    command = [sys.executable, *(("-c", code) if code else ("-m", "jaxcause", *arguments))]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


HEAVY = "flax optax orbax transformers networkx matplotlib pandas safetensors tqdm".split()


def test_importing_the_package_loads_nothing_heavier_than_jax():
    names = (
        "Mark CausalGraph LaggedGraph BackgroundKnowledge pc partial_correlation_test "
        "partial_correlation_test_from_data oracle_test"
    ).split()
    use = "".join(f"jc.{name};" for name in names)
    code = (
        "import sys, jaxcause as jc; before = set(sys.modules);"
        f"{use} jc.attribution.select_fdr; jc.metrics.shd; jc.simulate.random_dag;"
        f"print([m for m in {HEAVY} if m in sys.modules])"
    )
    done = run(code=code)
    assert done.stdout.strip() == "[]", done.stderr


def test_help_answers_without_jax():
    code = (
        "import sys; from jaxcause.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print('jax' in sys.modules, 'numpy' in sys.modules)"
    )
    done = run(code=code)
    assert "discover" in done.stdout
    assert done.stdout.splitlines()[-1] == "False False"
    assert run("--version").stdout.startswith("jaxcause 0.")


def test_ctrl_c_stops_within_two_seconds_and_says_what_was_kept(series, tmp_path):
    out = tmp_path / "out"
    arguments = ["discover", str(series), "--steps", "200000", "--out", str(out)]
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "jaxcause", *arguments],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    seen = b""
    while b"held out" not in seen:
        seen += os.read(process.stderr.fileno(), 4096)
        assert process.poll() is None, seen
    process.send_signal(signal.SIGINT)
    sent = time.monotonic()
    rest = process.communicate(timeout=30)[1].decode()
    # A margin for a machine that runs other tests beside this one.
    assert time.monotonic() - sent < 5
    assert process.returncode == 130
    assert "Traceback" not in rest
    assert "training interrupted at step" in rest
    assert "kept the model of step" in rest
    assert "the same command goes on" in rest
    kept = sorted(p.name for p in out.iterdir())
    assert [name for name in kept if name != "checkpoint"] == ["forecaster.safetensors"]
