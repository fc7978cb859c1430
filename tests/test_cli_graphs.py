"""``jaxcause convert``, ``compare`` and ``plot``."""

import json

import numpy as np
import pytest

from jaxcause.cli import main
from jaxcause.graph import CausalGraph, LaggedGraph, edge_marks
from jaxcause.io import read_graph, write_graph


def save(path, edges, names=("rain", "river", "sea"), max_lag=2):
    """A lagged graph of ``(source, target, lag)``."""
    mask = np.zeros((len(names), len(names), max_lag + 1), bool)
    for source, target, lag in edges:
        mask[names.index(source), names.index(target), lag] = True
    write_graph(path, LaggedGraph.from_mask(mask), names=names)
    return str(path)


TRUTH = [("rain", "river", 2), ("river", "sea", 1), ("sea", "sea", 1)]


def test_compare_matches_variables_by_name_and_lags_of_any_length(tmp_path, capsys):
    found = save(tmp_path / "found.json", [("rain", "river", 2), ("rain", "sea", 1)])
    truth = save(tmp_path / "truth.json", TRUTH, names=("sea", "rain", "river"), max_lag=4)
    assert main(["compare", found, truth, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["edges"] == {"found": 2, "truth": 3}
    for name in ("arrows", "adjacencies", "arrows, any lag"):
        measures = document["measures"][name]
        assert measures["precision"] == 0.5
        assert measures["recall"] == pytest.approx(1 / 3)
        assert measures["f1"] == pytest.approx(0.4)
    assert document["measures"]["arrows"]["shd"] == 3
    assert document["only found"] == ["rain(t-1) --> sea(t)"]
    assert document["only in truth"] == ["river(t-1) --> sea(t)", "sea(t-1) --> sea(t)"]
    assert document["marked otherwise"] == []


def test_compare_is_one_for_a_graph_and_itself(tmp_path, capsys):
    (tmp_path / "out").mkdir()
    save(tmp_path / "out" / "graph.json", TRUTH)
    assert main(["compare", str(tmp_path / "out"), str(tmp_path / "out" / "graph.json")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "3 edges, 3 in the truth"
    assert [line.split() for line in lines[1:]] == [
        ["precision", "recall", "F1", "SHD"],
        ["arrows", "1", "1", "1", "0"],
        ["adjacencies", "1", "1", "1"],
        ["arrows,", "any", "lag", "1", "1", "1", "0"],
    ]


def test_edges_with_other_marks_are_told_apart(tmp_path, capsys):
    marks = np.zeros((2, 2, 2, 2), np.int8)
    marks[0, 1, 1] = [1, 2]
    marks[0, 1, 0], marks[1, 0, 0] = [3, 2], [2, 3]
    write_graph(tmp_path / "found.json", LaggedGraph(marks), names=["a", "b"])
    marks[0, 1, 1] = [2, 2]
    marks[0, 1, 0], marks[1, 0, 0] = [2, 3], [3, 2]
    write_graph(tmp_path / "truth.json", LaggedGraph(marks), names=["a", "b"])
    assert main(["compare", str(tmp_path / "found.json"), str(tmp_path / "truth.json")]) == 0
    said = capsys.readouterr().out
    assert "  a(t) --> b(t), in the truth b(t) --> a(t)" in said
    assert "  a(t-1) o-> b(t), in the truth a(t-1) <-> b(t)" in said
    assert "adjacencies              1       1   1\n" in said


def test_graphs_of_other_variables_cannot_be_compared(tmp_path, capsys):
    found = save(tmp_path / "found.json", TRUTH)
    other = save(tmp_path / "truth.json", [("rain", "sea", 1)], names=("rain", "lake", "sea"))
    assert main(["compare", found, other]) == 2
    assert "(lake, river only in one of them)" in capsys.readouterr().err


def test_convert_writes_what_can_be_read_again(tmp_path, capsys):
    source, target = save(tmp_path / "a.json", TRUTH), tmp_path / "b.json"
    assert main(["convert", source, str(target)]) == 0
    assert capsys.readouterr().out == f"Wrote 3 edges of 3 variables to {target}\n"
    graph, names = read_graph(target)
    assert list(names) == ["rain", "river", "sea"]
    np.testing.assert_array_equal(graph.marks, read_graph(source)[0].marks)


def test_convert_says_where_it_cannot_write(tmp_path, capsys):
    source = save(tmp_path / "a.json", TRUTH)
    assert main(["convert", source, str(tmp_path / "absent" / "b.json")]) == 2
    assert "cannot write" in capsys.readouterr().err


@pytest.mark.parametrize(("kind", "suffix"), [(None, "png"), ("summary", "svg")])
def test_plot_draws_in_the_format_of_the_suffix(kind, suffix, tmp_path, capsys):
    out = tmp_path / f"picture.{suffix}"
    arguments = [] if kind is None else ["--kind", kind]
    graph = save(tmp_path / "a.json", TRUTH)
    assert main(["plot", graph, "--out", str(out), "--dpi", "40", *arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"command": "plot", "out": str(out)}
    assert out.read_bytes().startswith(b"\x89PNG" if suffix == "png" else b"<?xml")


@pytest.mark.parametrize(
    ("out", "message"),
    [("picture.xyz", "no suffix of a picture"), ("absent/picture.png", "cannot write")],
)
def test_plot_says_what_is_wrong_with_the_file(out, message, tmp_path, capsys):
    graph = save(tmp_path / "a.json", TRUTH)
    assert main(["plot", graph, "--out", str(tmp_path / out)]) == 2
    assert message in capsys.readouterr().err


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What ``jaxcause discover`` writes."""
    path = tmp_path_factory.mktemp("discovered")
    x = np.random.default_rng(0).normal(size=(300, 3))
    x[2:, 1] += 0.9 * x[:-2, 0]
    rows = "".join(f"{a},{b},{c}\n" for a, b, c in x)
    (path / "s.csv").write_text("rain,river,sea\n" + rows)
    call = ["discover", str(path / "s.csv"), "--max-lag", "2", "--method", "var", "--q", "0.001"]
    assert main([*call, "--quiet", "--out", str(path / "out")]) == 0
    return path / "out"


@pytest.mark.parametrize("suffix", ["json", "npz", "graphml", "dot", "csv"])
def test_a_folder_converts_to_every_format_with_its_numbers(suffix, folder, tmp_path, capsys):
    out, back = tmp_path / f"a.{suffix}", tmp_path / "back.json"
    assert main(["convert", str(folder), str(out)]) == 0
    table = ["--variables", "rain,river,sea", "--max-lag", "2"] if suffix == "csv" else []
    if suffix == "dot":
        pytest.importorskip("pydot")
    assert main(["convert", str(out), str(back), *table]) == 0
    assert main(["compare", str(folder), str(back), "--json"]) == 0
    printed = capsys.readouterr().out
    assert json.loads(printed[printed.index("{") :])["measures"]["arrows"]["shd"] == 0
    if suffix == "json":
        (edge,) = json.loads(out.read_text())["edges"]
        assert edge["strength"] > 0.5


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("scores", "strength"),
        ("curves", "score"),
        ("summary", "river"),
        ("summary", "effect, in standard deviations"),
        ("responses", "rain t−2 → river"),
    ],
)
def test_pictures_of_a_folder(kind, shown, folder, tmp_path):
    out = tmp_path / "a.svg"
    assert main(["plot", str(folder), "--kind", kind, "--out", str(out), "--quiet"]) == 0
    assert f"<!-- {shown} -->" in out.read_text()


def test_self_edges_can_be_left_out_of_lists_and_pictures(tmp_path, capsys):
    x = np.random.default_rng(0).normal(size=(400, 2))
    for t in range(1, 400):
        x[t] += 0.7 * x[t - 1] + (0, 0.6 * x[t - 1, 0])
    rows = "".join(f"{a},{b}\n" for a, b in x)
    (tmp_path / "s.csv").write_text("rain,river\n" + rows)
    call = ["discover", str(tmp_path / "s.csv"), "--max-lag", "1", "--method", "var"]
    call += ["--out", str(tmp_path / "out")]
    said = {}
    for flag in ("--self-edges", "--no-self-edges"):
        assert main([*call, flag, "--sort", "p-value"]) == 0
        said[flag] = capsys.readouterr().out
    assert "2 self-edges (a variable and its own past):\n" in said["--self-edges"]
    assert "not listed" in said["--no-self-edges"]
    first = said["--self-edges"].splitlines()
    assert "p-value" in first[0]
    assert first[1].split()[:4] == ["rain", "1", "-->", "river"]
    for kind, absent in (("responses", "river t−1 → river"), ("summary", "edge-1-1-1")):
        for flag in ("--self-edges", "--no-self-edges"):
            out = tmp_path / "a.svg"
            call = ["plot", str(tmp_path / "out"), "--kind", kind, "--out", str(out), flag]
            assert main([*call, "--quiet"]) == 0
            assert (absent in out.read_text()) == (flag == "--self-edges")


@pytest.mark.parametrize("name", ["effect", "curve_edges", "deviation"])
def test_effects_that_do_not_fit_are_refused_in_a_line(name, folder, tmp_path, capsys):
    (tmp_path / "graph.json").write_text((folder / "graph.json").read_text())
    arrays = dict(np.load(folder / "scores.npz"))
    arrays[name] = arrays[name][..., :-1] + 9
    np.savez(tmp_path / "scores.npz", **arrays)
    assert main(["plot", str(tmp_path), "--out", str(tmp_path / "a.svg")]) == 2
    assert "its effects do not fit graph.json" in capsys.readouterr().err
    for absent in ("effect", "deviation", "curve_at", "curve_edges", "curve_response"):
        arrays.pop(absent)
    np.savez(tmp_path / "scores.npz", **arrays)
    call = ["plot", str(tmp_path), "--out", str(tmp_path / "a.svg")]
    assert main(call) == 0
    assert main([*call, "--kind", "responses"]) == 2
    assert "needs edges whose effects are known" in capsys.readouterr().err


def test_a_picture_beside_the_truth(folder, tmp_path, capsys):
    truth = save(tmp_path / "truth.json", TRUTH, names=("sea", "rain", "river"), max_lag=3)
    out = tmp_path / "a.svg"
    assert main(["plot", str(folder), "--truth", truth, "--out", str(out)]) == 0
    assert "missed" in out.read_text()
    assert main(["plot", str(folder), "--truth", truth, "--kind", "scores", "--out", "a.svg"]) == 2
    assert "--truth is not for --kind scores" in capsys.readouterr().err
    assert main(["plot", truth, "--kind", "scores", "--out", "a.svg"]) == 2
    assert "needs the scores" in capsys.readouterr().err


def write_nodes(path, *edges, names=("a", "b", "c")):
    marks = np.zeros((len(names),) * 2, np.int8)
    for source, symbol, target in edges:
        i, j = names.index(source), names.index(target)
        marks[j, i], marks[i, j] = edge_marks(symbol)
    write_graph(path, CausalGraph(marks), names=names)
    return str(path)


def test_a_cpdag_is_compared_with_the_class_of_a_dag(tmp_path, capsys):
    dag = write_nodes(tmp_path / "dag.json", ("a", "-->", "b"), ("b", "-->", "c"))
    cpdag = write_nodes(tmp_path / "cpdag.json", ("a", "---", "b"), ("b", "---", "c"))
    for found, truth, said in [(cpdag, dag, "The truth graph is a DAG"), (dag, cpdag, "The found")]:
        assert main(["compare", found, truth]) == 0
        assert said in capsys.readouterr().out
        assert main(["compare", found, truth, "--json"]) == 0
        document = json.loads(capsys.readouterr().out)
        assert document["measures"]["arrows"]["shd"] == 0
        assert document["marked otherwise"] == []
        assert document["compared"] == "equivalence classes"
        assert main(["compare", found, truth, "--marks", "--json"]) == 0
        document = json.loads(capsys.readouterr().out)
        assert document["measures"]["arrows"]["shd"] == 2
        assert document["compared"] == "marks"
    assert main(["compare", dag, dag]) == 0
    assert "DAG" not in capsys.readouterr().out


def test_two_arrows_of_one_pair(tmp_path, capsys):
    path, out = tmp_path / "x.dot", tmp_path / "x.json"
    path.write_text("digraph { a -> b; b -> a; b -> c }")
    assert main(["convert", str(path), str(out)]) == 2
    assert "--mutual undirected" in capsys.readouterr().err
    assert main(["convert", str(path), str(out), "--mutual", "undirected"]) == 0
    graph, names = read_graph(out)
    assert graph.edges(names) == [("a", "---", "b"), ("b", "-->", "c")]


def test_variables_with_commas_can_be_quoted(tmp_path, capsys):
    path, out = tmp_path / "x.csv", tmp_path / "x.json"
    path.write_text('source,edge,target\n"wind, at sea",-->,rain\n')
    assert main(["convert", str(path), str(out), "--variables", 'rain,"wind, at sea",b']) == 0
    assert read_graph(out).names == ["rain", "wind, at sea", "b"]
    capsys.readouterr()
    assert main(["convert", str(path), str(out), "--variables", 'rain,"wind, at sea']) == 2
    assert "quote a name that holds a comma" in capsys.readouterr().err
