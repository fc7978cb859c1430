"""Which output is explained, what is refused, and how a search ends."""

import dataclasses

import jax
import numpy as np
import pytest
from text_models import saved_model

from jaxcause._errors import InputError
from jaxcause.workflows import TextModel, explain

TEXT = "the old bridge was closed because"


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return TextModel.load(saved_model("bert_sequence_classification", folder))


@pytest.fixture(scope="module")
def masked(tmp_path_factory):
    return TextModel.load(saved_model("bert_masked_lm", tmp_path_factory.mktemp("models")))


def with_problem(text_model, problem_type, n_labels=None):
    model = text_model.model
    names = model.label_names if n_labels is None else model.label_names[:n_labels]
    raw = {**model.raw, "problem_type": problem_type}
    model = dataclasses.replace(model, raw=raw, label_names=names)
    return dataclasses.replace(text_model, model=model)


@pytest.mark.parametrize(("problem", "n"), [("regression", None), (None, 1), ("regression", 1)])
def test_a_head_that_returns_numbers_has_no_class(classifier, problem, n):
    with pytest.raises(InputError, match="has no classes to explain"):
        explain(with_problem(classifier, problem, n), TEXT, progress=False)


def test_each_of_several_labels_has_a_probability_of_its_own(classifier):
    several = with_problem(classifier, "multi_label_classification")
    found = explain(several, TEXT, progress=False, n_samples=400, max_queries=40)
    model, ids = several.model, several.encode(TEXT).ids
    logits = np.asarray(jax.jit(model.apply)(model.params, ids[None]).logits)[0]
    assert found.target.kind == "label"
    assert int(found.target.before.best[0]) == logits.argmax()
    expected = 1 / (1 + np.exp(-logits.max()))
    assert float(found.target.before.probability[0]) == pytest.approx(expected, rel=1e-5)
    assert all("the most probable label" in sentence for sentence in found.sentences())
    one = explain(classifier, TEXT, progress=False, n_samples=400, max_queries=40)
    assert one.explanations == found.explanations


@pytest.mark.parametrize("text", [TEXT, "zebra bridge was closed"])
def test_a_target_outside_the_vocabulary_is_in_no_text(masked, text):
    with pytest.raises(InputError, match="target='yak' is no single token of the text"):
        explain(masked, text, "yak", progress=False)


def test_the_unknown_token_can_be_named(masked):
    found = explain(masked, "zebra bridge", "[UNK]", progress=False, max_queries=2)
    assert found.tokens == ("[MASK]", "bridge")


def test_a_position_may_be_a_number_of_numpy(masked):
    given = {"progress": False, "max_queries": 2}
    assert explain(masked, TEXT, np.int64(2), **given).tokens == (
        explain(masked, TEXT, 2, **given).tokens
    )


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": 1.0}, r"target=1\.0 is no word and no position"),
        ({"target": True}, "target=True is no word and no position"),
        ({"text": ["a", "b"]}, "text is list, not a string"),
        ({"text": None}, "text is NoneType, not a string"),
        ({"text": 5}, "text is int, not a string"),
        ({"layer": 1.5}, r"layer=1\.5 must be a whole number"),
        ({"layer": True}, "layer=True must be a whole number"),
    ],
)
def test_what_is_no_text_target_or_layer_is_refused(masked, change, message):
    with pytest.raises(InputError, match=message):
        explain(masked, **({"text": TEXT, "target": "bridge", "progress": False} | change))


def test_a_search_without_a_limit_ends_by_finding_nothing(classifier):
    constant = jax.tree.map(np.zeros_like, classifier.model.params)
    model = dataclasses.replace(classifier.model, params=constant)
    found = explain(
        dataclasses.replace(classifier, model=model),
        "the old bridge was closed",
        n_larger=2,
        max_queries=None,
        progress=False,
    )
    assert found.explanations.status == "not found"
    assert "nor do up to 2 growing sets" in found.sentences()[0]
