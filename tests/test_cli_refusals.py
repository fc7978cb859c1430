"""Files and options that commands refuse, and what they leave behind: nothing."""

import json
import zipfile

import numpy as np
import pytest

from jaxcause import CausalGraph, InputError, LaggedGraph
from jaxcause.cli import main
from jaxcause.io import check_writable, filled_at_once, read_graph, write_graph
from jaxcause.workflows import Discovery

NAMES = ["rain", "river", "sea"]
MASK = np.zeros((3, 3, 2), bool)
MASK[0, 1, 1] = MASK[1, 2, 1] = True
NUMBERS = np.arange(18.0).reshape(3, 3, 2)


@pytest.fixture
def folder(tmp_path):
    """As discover leaves one."""
    path = tmp_path / "g"
    path.mkdir()
    write_graph(path / "graph.json", LaggedGraph.from_mask(MASK), names=NAMES, scores=NUMBERS)
    np.savez_compressed(path / "scores.npz", scores=NUMBERS, strength=NUMBERS, names=NAMES)
    return path


def complaint(capsys, *arguments):
    assert main(list(map(str, arguments))) == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    return said


@pytest.mark.parametrize("damage", ["cut", "junk", "bomb", "shape", "kind", "absent"])
def test_damaged_scores_are_told_in_one_line(damage, folder, capsys):
    file = folder / "scores.npz"
    message = "discover the graph again"
    if damage in ("cut", "junk"):
        file.write_bytes(file.read_bytes()[:300] if damage == "cut" else b"nothing")
        message = "is damaged" if damage == "cut" else "is no npz file"
    elif damage == "bomb":
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            with archive.open("scores.npy", "w") as member:
                for _ in range(33):
                    member.write(b"\0" * 2**24)
        message = "claims to hold"
    elif damage == "shape":
        np.savez(file, scores=NUMBERS, strength=np.zeros((2, 3, 3)), names=NAMES)
    elif damage == "kind":
        np.savez(file, scores=np.full((3, 3, 2), "x"), strength=NUMBERS, names=NAMES)
    else:
        np.savez(file, scores=NUMBERS, names=NAMES)
    for call in (["convert", folder, "x.json"], ["plot", folder, "--kind", "scores", "--out", "x"]):
        said = complaint(capsys, *call)
        assert message in said
        assert "scores.npz" in said
        assert "pickle" not in said


def test_a_huge_result_is_refused_by_its_size(tmp_path):
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.truncate(2**30)
    with pytest.raises(InputError, match="huge.json has 1,073,741,824 bytes, too many"):
        Discovery.from_json(path)


def test_a_picture_has_a_largest_size(folder, tmp_path, capsys):
    out = tmp_path / "x.png"
    said = complaint(capsys, "plot", folder, "--dpi", 1_000_000, "--out", out)
    assert "--dpi 1000000 makes a picture of" in said
    assert not out.exists()


def test_a_rejected_command_leaves_no_folder(tmp_path, capsys):
    x = np.random.default_rng(0).normal(size=(40, 2))
    (tmp_path / "s.csv").write_text("a,b\n" + "".join(f"{p:.4f},{q:.4f}\n" for p, q in x))
    out = tmp_path / "new" / "out"
    discover = ["discover", tmp_path / "s.csv", "--out", out]
    explain = ["explain", "--model", tmp_path / "nope", "--text", "a", "--out", out]
    for call in (
        [*discover, "--max-lag", "999", "--method", "var"],
        [*discover, "--forbid", "a->q"],
        explain,
    ):
        complaint(capsys, *call)
        assert not out.parent.exists()
    out.parent.mkdir()
    complaint(capsys, *explain)
    assert [p.name for p in out.parent.iterdir()] == []


def test_a_folder_that_could_not_be_filled_is_as_it_was(tmp_path):
    check_writable(tmp_path / "a" / "b")
    with pytest.raises(RuntimeError), filled_at_once(tmp_path / "a" / "b"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with filled_at_once(tmp_path / "a" / "b") as scratch:
        (scratch / "file").write_text("x")
    assert [p.name for p in (tmp_path / "a" / "b").iterdir()] == ["file"]


def test_numbers_go_along_from_file_to_file(folder, tmp_path, capsys):
    steps = [folder, *(tmp_path / f"a.{suffix}" for suffix in ("json", "graphml", "npz"))]
    steps.append(tmp_path / "b.json")
    for source, target in zip(steps, steps[1:], strict=False):
        assert main(["convert", str(source), str(target)]) == 0
        assert "left out" not in capsys.readouterr().out
    np.testing.assert_array_equal(read_graph(steps[-1]).values["score"][MASK], NUMBERS[MASK])
    assert main(["convert", str(steps[-1]), str(tmp_path / "a.dot")]) == 0
    assert "cannot hold numbers: score, strength left out" in capsys.readouterr().out


EXPLANATION = {
    "schema": "jaxcause.explanation/1",
    "tokens": ["[CLS]", "good", "good", "[SEP]"],
    "views": [
        {
            "edges": [
                {"from": 0, "to": 1, "symbol": "o->", "partial_correlation": 0.5, "p_value": None},
                {"from": 1, "to": 2, "symbol": "<->", "partial_correlation": 0.25, "p_value": 0.0},
            ]
        }
    ],
}


def test_an_explanation_is_a_graph(tmp_path, capsys):
    why = tmp_path / "why"
    why.mkdir()
    assert "holds neither graph.json nor an explanation" in complaint(capsys, "compare", why, why)
    (why / "explanation.json").write_text(json.dumps(EXPLANATION))
    for source in (why, why / "explanation.json"):
        assert main(["convert", str(source), str(tmp_path / "a.json")]) == 0
        read = read_graph(tmp_path / "a.json")
        assert isinstance(read.graph, CausalGraph)
        assert read.graph.edges(read.names) == [
            ("0:[CLS]", "o->", "1:good"),
            ("1:good", "<->", "2:good"),
        ]
        assert read.values["partial_correlation"][1, 2] == 0.25
    assert main(["compare", str(why), str(why)]) == 0
    assert main(["plot", str(why), "--out", str(tmp_path / "a.svg")]) == 0
    said = complaint(capsys, "convert", why, "x.json", "--max-lag", "2")
    assert "for tables of edges" in said
    (why / "explanation.json").write_text(json.dumps(EXPLANATION | {"views": []}))
    assert "does not follow jaxcause.explanation/1" in complaint(capsys, "compare", why, why)
    (why / "explanation-2.json").write_text("")
    assert "holds 2 explanations; name one" in complaint(capsys, "compare", why, why)


def test_every_command_takes_json_and_quiet(folder, capsys):
    assert main(["compare", str(folder), str(folder), "--quiet"]) == 0
    assert main(["completion", "fish", "--quiet"]) == 0
    assert capsys.readouterr().out == ""
    assert main(["completion", "fish", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["script"].startswith("# fish completion")


def test_options_follow_the_command(capsys):
    said = complaint(capsys, "--json", "discover", "s.csv")
    assert "options follow the command: jaxcause discover … --json;" in said
    assert "cannot read nope: No such file" in complaint(capsys, "convert", "nope", "g.json")


def test_two_rules_for_edges_are_one_too_many(capsys):
    said = complaint(capsys, "discover", "s.csv", "--q", "0.1", "--top-k", "2")
    assert "--q and --top-k are two rules" in said


def test_a_training_that_was_never_begun_starts_afresh_and_says_so(tmp_path, capsys, monkeypatch):
    from jaxcause import workflows

    (tmp_path / "s.csv").write_text("a,b\n" + "".join(f"{k * k},{k % 3}\n" for k in range(20)))
    out = tmp_path / "out"
    call = ["discover", str(tmp_path / "s.csv"), "--resume", "--steps", "5", "--out", str(out)]

    def stop(*_, **__):
        raise InputError("stopped")

    monkeypatch.setattr(workflows, "discover", stop)
    assert main(call) == 2
    assert "holds nothing unfinished to resume; it starts afresh" in capsys.readouterr().err
    out.mkdir()
    (out / "checkpoint").write_text("")
    assert main(call) == 2
    assert "afresh" not in capsys.readouterr().err


def test_a_checkpoint_that_is_none_is_not_replaced(tmp_path, capsys):
    x = np.random.default_rng(0).normal(size=(60, 2))
    (tmp_path / "s.csv").write_text("a,b\n" + "".join(f"{p:.4f},{q:.4f}\n" for p, q in x))
    (tmp_path / "checkpoint").write_text("junk")
    call = ["discover", tmp_path / "s.csv", "--max-lag", "1", "--model", "small", "--quiet"]
    said = complaint(capsys, *call, "--steps", "2", "--resume", "--out", tmp_path)
    assert "checkpoint is no checkpoint" in said
    assert (tmp_path / "checkpoint").read_text() == "junk"
