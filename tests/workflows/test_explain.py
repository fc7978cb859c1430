import dataclasses
import itertools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from text_models import GOLDENS, saved_model

import jaxcause as jc
from jaxcause._errors import InputError
from jaxcause.cli import main
from jaxcause.models import load_pretrained
from jaxcause.models._functional import init_params
from jaxcause.sharding import row_mesh
from jaxcause.workflows import TextModel, explain, write_explanation, write_explanations

TEXT = "the old bridge was closed because"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def classifier(folder):
    return TextModel.load(saved_model("bert_sequence_classification", folder))


@pytest.fixture(scope="module")
def masked(folder):
    stored = TextModel.load(saved_model("bert_masked_lm", folder))
    # Without biases and with large weights, so that what it says depends on what it reads.
    fresh = init_params(jax.random.key(1), stored.model.config)
    fresh = jax.tree.map(lambda p: p * jnp.asarray(20.0, p.dtype) if p.ndim > 1 else p, fresh)
    model = dataclasses.replace(stored.model, params=fresh)
    return dataclasses.replace(stored, model=model)


@pytest.fixture(scope="module")
def generator(folder):
    return TextModel.load(saved_model("gpt2_lm", folder))


def logits(text_model, ids, mask=None):
    model = text_model.model
    rows = np.asarray(ids, np.int32)[None]
    mask = None if mask is None else np.asarray(mask)[None]
    return np.asarray(model.apply(model.params, rows, mask).logits)[0]


def flips(text_model, ids, intervention):
    """Smallest sets of word positions that change the class, by asking one by one."""
    original = logits(text_model, ids).argmax()
    inner = range(1, len(ids) - 1)
    for size in range(1, len(ids) - 1):
        found = []
        for chosen in itertools.combinations(inner, size):
            if intervention == "mask":
                row = [4 if at in chosen else token for at, token in enumerate(ids)]
                new = logits(text_model, row)
            elif intervention == "pad":
                new = logits(text_model, ids, [int(at not in chosen) for at in range(len(ids))])
            else:
                new = logits(text_model, [t for at, t in enumerate(ids) if at not in chosen])
            if new.argmax() != original:
                found.append(chosen)
        if found:
            return found
    return []


@pytest.mark.parametrize("intervention", ["mask", "pad", "delete"])
def test_a_class_is_explained_by_a_smallest_set(classifier, intervention):
    texts = (TEXT, "film is not good and plot bad", "night river good film the bad")
    n_found = 0
    for text in texts:
        found = explain(classifier, text, intervention=intervention, max_size=None, n_samples=400)
        ids = classifier.encode(text).ids
        assert found.tokens == ("[CLS]", *text.split())
        assert found.target.kind == "class"
        expected = {tuple(c) for c in flips(classifier, ids, intervention)}
        inside = {
            c for c in expected if all(found_in_tree(found.graph, v) for v in c)
        }  # node v is token v, since [CLS] is node 0
        got = [e.nodes for e in found.explanations.found]
        if inside:
            assert len(got) == 1
            assert got[0] in inside
            n_found += 1
            assert found.after.best[0] != found.target.before.best[0]
    assert n_found > 0


def found_in_tree(graph, node):
    from jaxcause.discovery import possible_d_sep_distances

    return possible_d_sep_distances(np.asarray(graph.marks)[None], 0)[0, node] > 0


def test_a_mesh_of_one_device_changes_nothing(classifier):
    text, options = "film is not good and plot bad", {"n_samples": 400, "every": True}
    alone, shared = (
        explain(classifier, text, mesh=mesh, progress=False, **options)
        for mesh in (None, row_mesh(jax.devices()[:1]))
    )
    np.testing.assert_array_equal(shared.graph.marks, alone.graph.marks)
    assert shared.explanations == alone.explanations
    np.testing.assert_allclose(shared.after.probability, alone.after.probability, rtol=1e-5)


def test_the_graph_is_that_of_the_attention(classifier):
    found = explain(classifier, TEXT, layer=0, alpha=0.05, n_samples=50)
    ids = classifier.encode(TEXT).ids
    model = classifier.model
    attention = np.asarray(model.apply(model.params, ids[None]).attentions)[0, 0]
    nodes = list(range(len(ids) - 1))
    expected = jc.attention.abcd(attention, 50, alpha=0.05, nodes=nodes)
    np.testing.assert_array_equal(found.head_graphs.marks, expected.graph.marks)
    mean = jc.attention.abcd(attention, 50, alpha=0.05, nodes=nodes, heads="mean")
    np.testing.assert_array_equal(found.graph.marks, mean.graph.marks)


def test_a_masked_word(masked):
    options = {"every": True, "max_size": 3, "n_samples": 400, "heads": "union"}
    options["intervention"] = "delete"
    n_found = 0
    for word in ("bridge", "was", "the", "closed"):
        at = TEXT.split().index(word)
        found = explain(masked, TEXT, word, **options)
        assert found.tokens == tuple(TEXT.replace(word, "[MASK]").split())
        assert found.target.kind == "masked token"
        assert found.target.node == at
        for same in (
            explain(masked, TEXT.replace(word, "[MASK]"), **options),
            explain(masked, TEXT, at + 1, **options),
        ):
            assert same.explanations == found.explanations
        ids = masked.encode(TEXT).ids.copy()
        ids[at + 1] = 4
        original = logits(masked, ids)[at + 1].argmax()
        assert int(found.target.before.best[0]) == original
        n_found += len(found.explanations.found)
        new = [] if found.after is None else found.after.best
        for e, output in zip(found.explanations.found, new, strict=True):
            row = np.delete(ids, [v + 1 for v in e.nodes])
            there = at + 1 - sum(v < at for v in e.nodes)
            assert logits(masked, row)[there].argmax() == output
            assert output != original
            assert at not in e.nodes
    assert n_found > 0


def test_the_next_token(generator):
    found = explain(generator, TEXT, every=True, max_size=2, n_samples=400)
    ids = generator.encode(TEXT).ids
    answer = logits(generator, ids)[-1].argmax()
    assert found.target.kind == "next token"
    assert found.target.node == len(ids)
    assert int(found.target.before.best[0]) == answer
    assert found.settings["order"] == "causal"
    assert found.settings["intervention"] == "pad"
    later = np.triu(np.asarray(found.graph.marks))
    assert set(np.unique(later)) == {0, 2}  # an arrowhead at the later token of every edge
    for e in found.explanations.found:
        keep = np.ones(len(ids), int)
        keep[list(e.nodes)] = 0
        last = np.flatnonzero(keep)[-1]
        assert logits(generator, ids, keep)[last].argmax() != answer


def test_union_of_heads_and_words(classifier):
    whole = explain(classifier, "films is goodly", units="words", heads="union", n_samples=400)
    assert whole.tokens == ("[CLS]", "films", "is", "goodly")
    pieces = explain(classifier, "films is goodly", heads="union", n_samples=400)
    assert pieces.tokens == ("[CLS]", "film", "##s", "is", "good", "##ly")
    for e in whole.explanations.found:
        of_words = {1: [1, 2], 2: [3], 3: [4, 5]}
        row = classifier.encode("films is goodly").ids.copy()
        row[[t for v in e.nodes for t in of_words[v]]] = 4
        assert logits(classifier, row).argmax() != whole.target.before.best[0]


def test_a_model_without_a_head_gives_its_graph(folder):
    found = explain(saved_model("bert_none", folder), TEXT)
    assert found.target is None
    assert found.explanations.found == ()
    assert found.tokens == tuple(TEXT.split())
    assert found.to_dict()["target"] is None
    assert "no head" in found.sentences()[0]


def test_limits_return_what_was_found(classifier):
    found = explain(classifier, TEXT, max_queries=1, max_size=None, every=True, n_samples=400)
    assert found.explanations.n_queries == 1
    assert found.explanations.status in ("budget", "explained")


def test_files_of_one_and_of_many(classifier, tmp_path):
    found = explain(classifier, TEXT)
    names = write_explanation(found, tmp_path / "one")
    assert names == ["explanation.html", "explanation.json", "explanation.png"]
    stored = json.loads((tmp_path / "one" / "explanation.json").read_text(encoding="utf-8"))
    assert stored["schema"] == "jaxcause.explanation/1"
    assert stored["tokens"] == list(found.tokens)
    assert len(stored["views"]) == 1 + classifier.model.n_heads
    first = stored["views"][0]
    assert len(first["edges"]) == first["n_edges"] == int((found.graph.adjacency).sum()) // 2
    for edge in first["edges"]:
        rho = found.partial_correlation[0][edge["from"], edge["to"]]
        assert edge["partial_correlation"] == pytest.approx(rho, rel=1e-3)
    page = (tmp_path / "one" / "explanation.html").read_text(encoding="utf-8")
    assert "bridge" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    many = write_explanations([found, found], tmp_path / "two")
    assert "index.html" in many
    assert len(many) == 7


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"text": "  "}, "text is empty"),
        ({"text": "the " * 30}, "tokens, but the model takes 11"),
        ({"layer": 2}, "layer=2 does not exist"),
        ({"heads": "best"}, "heads='best'"),
        ({"units": "letters"}, "units='letters'"),
        ({"intervention": "burn"}, "intervention='burn'"),
        ({"alpha": 1.5}, "alpha=1.5"),
        ({"max_queries": 0}, "max_queries=0"),
        ({"target": "bridge"}, "target='bridge' is for masked-language models"),
    ],
)
@pytest.mark.usefixtures("untyped")
def test_bad_input(classifier, change, message):
    arguments = {"text": TEXT} | change
    with pytest.raises(InputError, match=message):
        explain(classifier, **arguments)


@pytest.mark.parametrize(
    ("text", "target", "message"),
    [
        (TEXT, None, r"put \[MASK\] into the text"),
        (TEXT, "zebra", "no single token of the text"),
        ("the old the", "the", "occurs 2 times"),
        (TEXT, 0, "target=0 is no token"),
        (TEXT, 99, "target=99 is no token"),
    ],
)
def test_bad_targets(masked, text, target, message):
    with pytest.raises(InputError, match=message):
        explain(masked, text, target)


def test_a_folder_without_a_tokeniser(folder, tmp_path):

    with pytest.raises(InputError, match="no tokeniser"):
        TextModel.load(GOLDENS / "bert_none")
    with pytest.raises(InputError, match="is no folder"):
        explain(tmp_path / "nowhere" / "at" / "all", TEXT)


def test_gpt2_has_no_mask_token(generator):
    with pytest.raises(InputError, match="needs a mask token"):
        explain(generator, TEXT, intervention="mask")


def test_the_command_line(folder, classifier, tmp_path, capsys):
    model = str(folder / "bert_sequence_classification")
    assert main(["explain", "--model", model, "--text", TEXT, "--out", str(tmp_path / "a")]) == 0
    said = capsys.readouterr().out
    assert "remove {" in said or "no set of tokens" in said
    assert (tmp_path / "a" / "explanation.html").is_file()
    lines = tmp_path / "texts.txt"
    lines.write_text(f"{TEXT}\n\nfilm is good\n", encoding="utf-8")
    given = ["explain", "--model", model, "--file", str(lines), "--out", str(tmp_path / "b")]
    assert main([*given, "--quiet"]) == 0
    assert (tmp_path / "b" / "index.html").is_file()
    assert (tmp_path / "b" / "explanation-2.json").is_file()
    for wrong in (
        ["--file", str(tmp_path / "none.txt")],
        ["--text", TEXT, "--alpha", "3"],
        ["--text", TEXT, "--layer", "7"],
    ):
        code = main(["explain", "--model", model, "--out", str(tmp_path / "c"), *wrong])
        assert code == 2
        assert capsys.readouterr().err.startswith("jaxcause: error: ")
    assert not (tmp_path / "c" / "explanation.json").exists()


def test_a_bad_text_of_a_file_is_named_and_the_others_are_explained(
    folder, classifier, tmp_path, capsys
):
    model, lines = str(folder / "bert_sequence_classification"), tmp_path / "texts.txt"
    lines.write_text(f"{TEXT}\n\n{'film ' * 5000}\nfilm is good\n", encoding="utf-8")
    given = ["explain", "--model", model, "--file", str(lines), "--out", str(tmp_path / "b")]
    assert main([*given, "--json"]) == 2
    said = capsys.readouterr()
    assert said.err.startswith(f"jaxcause: line 3 of {lines} is left out: ")
    assert said.err.count("\n") == 1
    document = json.loads(said.out)
    assert [text["text"] for text in document["texts"]] == [TEXT, "film is good"]
    assert [left["line"] for left in document["left_out"]] == [3]
    assert (tmp_path / "b" / "explanation-2.json").is_file()
    lines.write_text("film " * 5000 + "\n" + "film " * 6000, encoding="utf-8")
    assert main([*given, "--quiet"]) == 2
    assert "holds no text that can be explained" in capsys.readouterr().err


def test_the_stored_model_is_the_loaded_one(folder, classifier):
    again = load_pretrained(folder / "bert_sequence_classification")
    ids = classifier.encode(TEXT).ids[None]
    np.testing.assert_array_equal(
        again.apply(again.params, ids).logits,
        classifier.model.apply(classifier.model.params, ids).logits,
    )


def test_classes_can_be_named(classifier, folder, tmp_path, capsys):
    n = len(classifier.model.label_names)
    names = [f"kind {k}" for k in range(n)]
    found = explain(classifier, TEXT, labels=names, n_samples=400)
    plain = explain(classifier, TEXT, n_samples=400)
    assert found.output == names[classifier.model.label_names.index(plain.output)]
    for wrong in (names[:-1], [names[0]] * n, "ab"):
        with pytest.raises(InputError, match=f"must be {n} different names, one per class"):
            explain(classifier, TEXT, labels=wrong)
    call = ["explain", "--model", str(folder / "bert_sequence_classification"), "--text", TEXT]
    call += ["--out", str(tmp_path / "why"), "--n-samples", "400"]
    assert main([*call, "--labels", ",".join(names)]) == 0
    said = capsys.readouterr()
    assert found.output in said.out + (tmp_path / "why" / "explanation.html").read_text()
    assert main([*call, "--labels", "one"]) == 2
    assert "must be" in capsys.readouterr().err


def test_labels_are_refused_where_there_are_no_classes(generator):
    with pytest.raises(InputError, match="no classes"):
        explain(generator, TEXT, labels=["a", "b"])


def test_progress_is_one_line_that_counts_the_queries(classifier, capsys):
    explain(classifier, TEXT, n_samples=400, max_queries=40)
    said = capsys.readouterr().err
    assert "\n" not in said.strip()
    assert "learning the graphs" in said
    assert "of at most 40 model queries" in said
    assert said.rstrip().endswith("]")
    explain(classifier, TEXT, n_samples=400, progress=False)
    assert capsys.readouterr().err == ""


def test_sentences_of_several_texts_stand_under_their_text(folder, classifier, tmp_path, capsys):
    texts = [TEXT, "the river had risen during night"]
    (tmp_path / "texts.txt").write_text("\n".join(texts))
    call = ["explain", "--model", str(folder / "bert_sequence_classification")]
    call += ["--file", str(tmp_path / "texts.txt"), "--out", str(tmp_path / "many")]
    assert main([*call, "--n-samples", "400", "--max-queries", "20"]) == 0
    lines = capsys.readouterr().out.splitlines()
    at = [lines.index(f"“{text}”") for text in texts]
    assert at == sorted(at)
    assert all(lines[k + 1].startswith("  ") for k in at)
    assert any("LABEL_0" in line for line in lines) == classifier.unnamed_classes


def test_a_set_beyond_max_size_is_said_to_be_large(generator):
    found = explain(generator, TEXT, every=True, max_size=2, n_samples=400)
    assert found.explanations.found
    few = dataclasses.replace(found, settings=found.settings | {"max_size": 0})
    for one, said in zip(few.explanations.found, few.sentences(), strict=True):
        assert f"a large set ({len(one.nodes)} tokens, more than max_size=0)" in said
        assert "may be idle" in said
    assert not any("may be idle" in said for said in found.sentences())
