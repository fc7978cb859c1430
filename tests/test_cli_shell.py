"""Help, completion, machines as readers, pipes."""

import inspect
import json
import re
import shlex
import shutil
import subprocess
import sys

import pytest

from jaxcause import io
from jaxcause.cli import _benchmark, main
from jaxcause.cli import _discover_options as options
from jaxcause.cli._main import build_parser
from jaxcause.cli._studies import STUDIES
from jaxcause.workflows import methods

COMMANDS = tuple(build_parser().commands())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example_that_parses(command, capsys):
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    examples = re.findall(r"^  jaxcause (.*)$", shown.split("examples:")[1], re.MULTILINE)
    examples = [line.split("  #")[0].split(" > ")[0] for line in examples]
    for line in examples:
        build_parser().parse(shlex.split(line))
    assert "examples:" in shown


def test_every_option_of_every_method_is_a_flag_with_its_default():
    flags = {action.dest: action for action in build_parser().commands()["discover"]._actions}
    assert set(flags["method"].choices) == {*methods.registered(), "auto"}
    for name, kind in methods.registered().items():
        for option in kind.options():
            assert option.description, (name, option.name)
            assert set(option.choices) <= set(flags[option.name].choices or ()), option.name
            told = re.search(r"default: ([^)\s]+)\)", flags[option.name].help)
            if told and len(options.every_option()[option.name]) == 1 and told[1] != "from":
                assert told[1] == str(option.default), option.name
    assert set(options.WRITTEN) <= set(options.every_option())
    assert set(options.READING) <= set(inspect.signature(io.read_series).parameters)
    assert set(_benchmark.NAMES) == set(STUDIES)


def test_the_words_of_options_are_those_of_the_library():
    from jaxcause.models.forecaster import PRESETS
    from jaxcause.series import CHANGES, TRANSFORMS
    from jaxcause.workflows._discover.scores import READOUTS

    words = {option.name: set(option.choices) for option in methods.Gradient.options()}
    assert words["readout"] == set(READOUTS)
    assert words["model"] == set(PRESETS)
    assert words["transform"] == {"auto", *TRANSFORMS, *CHANGES}
    for kind in methods.registered().values():
        (transform,) = (one for one in kind.options() if one.name == "transform")
        assert set(transform.choices) - {"auto"} == {*TRANSFORMS, *CHANGES}


@pytest.mark.parametrize("name", methods.registered())
def test_help_shows_the_options_of_one_method(name, capsys):
    with pytest.raises(SystemExit):
        main(["discover", "s.csv", "--method", name, "--help"])
    shown = capsys.readouterr().out.split("examples:")[0]
    own = {option.name for option in methods.registered()[name].options()}
    for option, by_method in options.every_option().items():
        flag = options._flag(option, by_method)[0]
        assert (re.search(rf"{flag}(?![\w-])", shown) is not None) == (option in own), option


def complete(line):
    """What bash offers at the end of ``line``."""
    script = subprocess.run(
        [sys.executable, "-m", "jaxcause", "completion", "bash"], capture_output=True, text=True
    ).stdout
    words = line.split(" ")
    quoted = " ".join(f"'{word}'" for word in words)
    asked = (
        f"{script}\nCOMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _jaxcause\n"
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True)
    assert not done.stderr
    return done.stdout.split("\n")[:-1]


@pytest.mark.skipif(shutil.which("fish") is None, reason="there is no fish here")
def test_fish_completes_commands_options_and_values(tmp_path):
    script = tmp_path / "jaxcause.fish"
    printed = [sys.executable, "-m", "jaxcause", "completion", "fish"]
    script.write_text(subprocess.run(printed, capture_output=True, text=True).stdout)

    def offered(line):
        asked = f"source {script}; complete -C '{line}'"
        done = subprocess.run(["fish", "-c", asked], capture_output=True, text=True, cwd=tmp_path)
        return {choice.split("\t")[0] for choice in done.stdout.split("\n")[:-1]}

    assert offered("jaxcause co") == {"compare", "convert", "completion"}
    assert offered("jaxcause discover --met") == {"--method"}
    assert offered("jaxcause discover --method v") == {"var"}
    (tmp_path / "the series.csv").write_text("")
    assert offered("jaxcause discover the") == {"the series.csv"}


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_bash_completes_commands_options_and_values(tmp_path, monkeypatch):
    assert complete("jaxcause co") == ["compare", "convert", "completion"]
    assert complete("jaxcause discover --met") == ["--method"]
    assert complete("jaxcause discover --method v") == ["var"]
    assert complete("jaxcause completion f") == ["fish"]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "the series.csv").write_text("")
    assert complete("jaxcause discover the") == ["the series.csv"]
    assert complete("jaxcause discover --q th") == [""]


def test_the_scripts_of_other_shells_name_every_option(capsys):
    for shell in ("fish", "zsh"):
        assert main(["completion", shell]) == 0
        script = capsys.readouterr().out
        for name, command in build_parser().commands().items():
            assert name in script
            for action in command._actions:
                for flag in action.option_strings:
                    assert (f"-l {flag[2:]}" if shell == "fish" and len(flag) > 2 else flag) in (
                        script if shell == "zsh" else script.replace("-s h", "-h")
                    )


def test_json_is_all_that_machines_see(tmp_path, capsys):
    rows = "".join(f"{k % 7},{k % 5},{(k * k) % 11}\n" for k in range(60))
    (tmp_path / "s.csv").write_text("a,b,c\n" + rows)
    out = tmp_path / "out"
    call = ["discover", str(tmp_path / "s.csv"), "--method", "var", "--out", str(out)]
    assert main([*call, "--json"]) == 0
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert document["command"] == "discover"
    assert document["graph"] == json.loads((out / "graph.json").read_text())
    assert sorted(document["files"]) == sorted(file.name for file in out.iterdir())
    assert not said.err
    assert main([*call, "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


def test_the_benchmark_measures(capsys):
    assert main(["benchmark", "--only", "matmul", "--repeat", "1", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    (row,) = document["rows"]
    width = int(re.search(r"product of (\d+)", row["work"])[1])
    assert row["rate"] == pytest.approx(2 * width**3 / 1e9 / row["seconds"])
    assert 0 < row["seconds"] <= row["first call"]
    assert document["machine"]["device"]


def test_the_benchmark_compares_two_machines(tmp_path, capsys):
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"rows": [{"name": "matmul", "rate": 2.0}]}))
    call = ["benchmark", "--only", "matmul", "--repeat", "1", "--against", str(other)]
    assert main([*call, "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["ratio"] == row["rate"] / 2
    assert main(call) == 0
    assert "times the other rate" in capsys.readouterr().out
    for text in ("", "[]", '{"rows": []}', '{"rows": [{"name": "pc", "rate": -1}]}'):
        other.write_text(text)
        assert main(call) == 2
        assert "holds no rates" in capsys.readouterr().err
    assert main([*call[:-1], str(tmp_path / "missing.json")]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_error():
    code = (
        "import sys; from jaxcause.cli import main\n"
        "sys.stdout.reconfigure(write_through=True)\n"
        "sys.exit(main(['completion', 'fish']))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.close()
    error = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(timeout=60) == 141
    assert not error
