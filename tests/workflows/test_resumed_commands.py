"""Commands that were killed go on, and write what they would have written."""

import json

import numpy as np
import pytest
from kills import dies_in_write
from text_models import saved_model

from jaxcause import _small_work
from jaxcause.cli import main
from jaxcause.workflows import TextExplanation, TextModel, explain
from jaxcause.workflows._explain.kept import PREFIX, KeptExplanations

TEXTS = ["the old bridge was", "film is good"]


@pytest.fixture
def fresh(monkeypatch):
    """What a new process knows of the work of numpy: nothing."""

    def forget():
        monkeypatch.setattr(_small_work, "_spent", {})
        monkeypatch.setattr(_small_work, "_before", {})

    forget()
    return forget


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return saved_model("bert_sequence_classification", tmp_path_factory.mktemp("models"))


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


# discover ----------------------------------------------------------------------------------------


def test_a_search_of_discover_goes_on_where_it_was_killed(tmp_path, monkeypatch, fresh, capsys):
    x = np.random.default_rng(0).normal(size=(150, 3))
    x[1:, 1] += 0.8 * x[:-1, 0]
    x[2:, 2] += 0.8 * x[:-2, 1]
    table = tmp_path / "s.csv"
    np.savetxt(table, x, delimiter=",", header="a,b,c", comments="")
    call = ["discover", str(table), "--method", "pc", "--max-lag", "2", "--alpha", "0.2"]
    assert main([*call, "--quiet", "--out", str(tmp_path / "whole")]) == 0
    whole = contents(tmp_path / "whole")
    out = tmp_path / "out"
    # In the second level, and when some results are written.
    for n_files in (1, 3):
        fresh()
        assert dies_in_write(
            lambda: main([*call, "--quiet", "--out", str(out)]), n_files, monkeypatch
        )
        assert set(contents(out)) <= {"checkpoint", "checkpoint.part"}
        fresh()
        assert main([*call, "--out", str(out)]) == 0
        assert "going on with what was cut off" in capsys.readouterr().err
        found = contents(out)
        assert set(found) == set(whole)
        for name in ("graph.json", "edges.csv", "candidates.csv", "scores.npz"):
            assert found[name] == whole[name]
            (out / name).unlink()
        for file in out.iterdir():
            file.unlink()


# explain -----------------------------------------------------------------------------------------


@pytest.fixture
def command(model, tmp_path):
    """The call that explains the texts into a folder."""
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS))

    def call(out, *options):
        given = ["explain", "--model", str(model), "--file", str(tmp_path / "texts.txt")]
        return [*given, "--n-samples", "400", "--max-queries", "20", "--out", str(out), *options]

    return call


def test_texts_that_were_explained_before_are_not_again(
    command, tmp_path, monkeypatch, fresh, capsys
):
    from jaxcause import workflows

    assert main(command(tmp_path / "whole", "--quiet")) == 0
    whole, out = contents(tmp_path / "whole"), tmp_path / "out"
    real, asked = workflows.explain, []
    monkeypatch.setattr(
        workflows, "explain", lambda m, t, **o: (asked.append(t), real(m, t, **o))[1]
    )
    # The second time it is killed when all texts are explained, and some results are written.
    for n_files, n_again in ((1, 1), (3, 0)):
        fresh()
        assert dies_in_write(lambda: main(command(out, "--quiet")), n_files, monkeypatch)
        assert len(list(out.glob(f"{PREFIX}.*[!t]"))) == 2 - n_again
        asked.clear()
        capsys.readouterr()
        fresh()
        assert main(command(out)) == 0
        assert asked == TEXTS[2 - n_again :]
        said = capsys.readouterr().err
        assert f"{2 - n_again} of 2 texts were explained before; going on" in said
        assert contents(out) == whole
        for file in out.iterdir():
            file.unlink()


def test_only_what_would_be_explained_alike_is_taken(model, tmp_path):
    loaded, options = TextModel.load(model), {"n_samples": 400}
    found = explain(loaded, TEXTS[1], n_samples=400, max_queries=5, progress=False)
    kept = KeptExplanations(tmp_path, loaded, options)
    kept.save(TEXTS[1], found)
    again = kept.load(TEXTS[1])
    assert isinstance(again, TextExplanation)
    assert again.to_json() == found.to_json()
    assert kept.load(TEXTS[0]) is None
    n = len(loaded.model.label_names)
    for other in (
        KeptExplanations(tmp_path, loaded, {"n_samples": 401}),
        KeptExplanations(tmp_path, loaded.with_labels([f"kind {k}" for k in range(n)]), options),
    ):
        assert TEXTS[1] not in other
        assert other.load(TEXTS[1]) is None


def test_a_damaged_explanation_is_one_line(command, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    assert dies_in_write(lambda: main(command(out, "--quiet")), 1, monkeypatch)
    (first, *_) = sorted(out.glob(f"{PREFIX}.*[!t]"))
    whole = first.read_bytes()
    first.write_bytes(whole[:-1])
    assert main(command(out, "--quiet")) == 2
    said = capsys.readouterr().err
    assert f"{first} is damaged (its checksum differs); delete it to start anew" in said
    assert said.count("\n") == 1


def test_ctrl_c_says_how_many_texts_are_kept(command, tmp_path, monkeypatch, capsys):
    from jaxcause import workflows

    real, asked = workflows.explain, []

    def stopped(model, text, **options):
        asked.append(text)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return real(model, text, **options)

    monkeypatch.setattr(workflows, "explain", stopped)
    assert main(command(tmp_path / "out", "--quiet")) == 130
    assert "interrupted after 1 of 2 texts; the same command goes on" in capsys.readouterr().err
    assert main(command(tmp_path / "out", "--json")) == 0
    assert len(asked) == 3
    assert [text["text"] for text in json.loads(capsys.readouterr().out)["texts"]] == TEXTS
