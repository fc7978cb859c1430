"""What fills up a text to a common length changes no output, whatever token it is."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from text_models import WORDS, saved_model

from jaxcause.models._functional import init_params
from jaxcause.workflows import TextModel

CASES = (
    "bert_sequence_classification",
    "roberta_sequence_classification",
    "distilbert_sequence_classification",
    "gpt2_sequence_classification",
    "bert_masked_lm",
    "gpt2_lm",
)


@pytest.fixture(scope="module")
def text_model(tmp_path_factory):
    """Large random weights, so that each position reads something else."""

    def load(case):
        stored = TextModel.load(saved_model(case, tmp_path_factory.mktemp("models")))
        fresh = init_params(jax.random.key(1), stored.model.config)
        fresh = jax.tree.map(lambda p: p * jnp.asarray(20.0, p.dtype) if p.ndim > 1 else p, fresh)
        return dataclasses.replace(stored, model=dataclasses.replace(stored.model, params=fresh))

    return load


def with_padding(text_model, in_config, in_tokenizer):
    """The model with other padding tokens in its configuration and in its tokeniser."""
    config = text_model.model.config
    if in_config != "stored":
        config = dataclasses.replace(config, pad_token_id=in_config)
    tokenizer = text_model.tokenizer
    tokenizer.pad_token = in_tokenizer
    model = dataclasses.replace(text_model.model, config=config)
    return dataclasses.replace(text_model, model=model)


PADDED = [
    *[(case, "stored", "<|beyond the table|>") for case in CASES],
    *[("gpt2_sequence_classification", *pads) for pads in ((None, None), (0, None), (1, "good"))],
]


@pytest.mark.parametrize(("case", "in_config", "in_tokenizer"), PADDED)
def test_filled_up_texts_have_the_outputs_of_texts_alone(text_model, case, in_config, in_tokenizer):
    stored = text_model(case)
    if in_tokenizer is not None:
        stored.tokenizer.add_special_tokens({"pad_token": in_tokenizer})
        if in_tokenizer not in WORDS:
            assert stored.tokenizer.pad_token_id >= 20
    model = with_padding(stored, in_config, in_tokenizer)
    ids, params = model.encode("film is good").ids, model.model.params
    at = None if model.model.causal else 1
    alone = jax.jit(model.model.apply)(params, ids[None])
    logits = (
        alone.logits[0] if alone.logits.ndim == 2 else alone.logits[0, -1 if at is None else at]
    )
    nothing = np.zeros((1, ids.size), bool)
    found = model.outputs(ids, nothing, position=at, original=None, intervention="pad")
    assert int(found.best[0]) == int(logits.argmax())
    expected = float(jax.nn.softmax(logits).max())
    assert float(found.probability[0]) == pytest.approx(expected, rel=1e-4)
    np.testing.assert_allclose(model.attention(ids), np.asarray(alone.attentions)[:, 0], atol=1e-5)


@pytest.mark.parametrize("in_config", [None, 1])
def test_a_hidden_last_token_is_not_read_by_a_classifier(text_model, in_config):
    model = with_padding(text_model("gpt2_sequence_classification"), in_config, None)
    ids = model.encode("the old bridge was closed").ids
    removed = np.arange(ids.size)[None] >= ids.size - 2
    alone = jax.jit(model.model.apply)(model.model.params, ids[None, :-2]).logits[0]
    for intervention in ("pad", "delete"):
        found = model.outputs(ids, removed, position=None, original=None, intervention=intervention)
        assert int(found.best[0]) == int(alone.argmax())
        expected = float(jax.nn.softmax(alone).max())
        assert float(found.probability[0]) == pytest.approx(expected, rel=1e-4)
