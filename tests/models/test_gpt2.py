"""GPT-2 against PyTorch's stored answers and a forward written as loops."""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file

from jaxcause import InputError
from jaxcause.models import load_pretrained
from jaxcause.models._functional import Forward, init_params
from jaxcause.models.gpt2 import GPT2Config

GOLDENS = Path(__file__).parent / "goldens"
CASES = ["gpt2_none", "gpt2_lm", "gpt2_sequence_classification"]


def golden(case):
    return dict(np.load(GOLDENS / case / "expected.npz"))


@pytest.fixture(scope="module")
def classifier():
    return load_pretrained(GOLDENS / "gpt2_sequence_classification")


@pytest.mark.parametrize("case", CASES)
def test_stored_answers_of_torch(case):
    model, expected = load_pretrained(GOLDENS / case), golden(case)
    assert model.architecture == "gpt2"
    assert model.causal
    assert model.max_length == 11
    found = jax.jit(model.apply)(model.params, expected["ids"], expected["mask"])
    np.testing.assert_allclose(found.attentions, expected["attentions"], atol=1e-5)
    np.testing.assert_allclose(found.hidden_states, expected["hidden_states"], atol=2e-5)
    if model.head is None:
        assert found.logits is None
    else:
        np.testing.assert_allclose(found.logits, expected["logits"], atol=2e-5)
    assert (np.triu(found.attentions, 1) == 0).all()
    assert np.median(expected["attentions"][..., -1, :].max(-1)) > 0.3


def numpy_gpt2(w, ids, n_heads=2):
    """One sequence without padding, query by query; weights by their stored names."""

    def norm(x, name):
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
        return scaled * w[name + ".weight"] + w[name + ".bias"]

    def conv(x, name):
        return x @ w[name + ".weight"] + w[name + ".bias"]

    def gelu_new(x):
        return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))

    x = w["wte.weight"][ids] + w["wpe.weight"][: len(ids)]
    width, attentions = x.shape[1], []
    n_layers = 1 + max(int(name.split(".")[1]) for name in w if name.startswith("h."))
    for layer in range(n_layers):
        at = f"h.{layer}."
        qkv = conv(norm(x, at + "ln_1"), at + "attn.c_attn")
        mixed, weights = np.zeros_like(x), np.zeros((n_heads, len(ids), len(ids)))
        for head in range(n_heads):
            size = width // n_heads
            q, k, v = (qkv[:, part * width + head * size :][:, :size] for part in range(3))
            for i in range(len(ids)):
                logits = k[: i + 1] @ q[i] / np.sqrt(size)
                weights[head, i, : i + 1] = np.exp(logits) / np.exp(logits).sum()
                mixed[i, head * size : (head + 1) * size] = weights[head, i] @ v
        x = x + conv(mixed, at + "attn.c_proj")
        x = x + conv(gelu_new(conv(norm(x, at + "ln_2"), at + "mlp.c_fc")), at + "mlp.c_proj")
        attentions.append(weights)
    return norm(x, "ln_f"), np.stack(attentions)


def test_the_decoder_is_what_its_description_says():
    weights = load_file(GOLDENS / "gpt2_none" / "model.safetensors")
    weights = {name: value.astype(np.float64) for name, value in weights.items()}
    model = load_pretrained(GOLDENS / "gpt2_none")
    ids = np.random.default_rng(5).integers(0, 29, (2, 7)).astype(np.int32)
    found = jax.jit(model.apply)(model.params, ids)
    for row in range(2):
        last, attentions = numpy_gpt2(weights, ids[row])
        np.testing.assert_allclose(found.hidden_states[-1, row], last, atol=2e-5)
        np.testing.assert_allclose(found.attentions[:, row], attentions, atol=1e-5)


def test_the_lm_head_is_the_table_of_tokens():
    model, given = load_pretrained(GOLDENS / "gpt2_lm"), golden("gpt2_lm")
    table = np.asarray(model.params["words"]["embedding"])
    expected = given["hidden_states"][-1] @ table.T
    found = jax.jit(model.apply)(model.params, given["ids"], given["mask"])
    np.testing.assert_allclose(found.logits, expected, atol=2e-5)


def test_later_tokens_change_nothing_earlier():
    model, given = load_pretrained(GOLDENS / "gpt2_lm"), golden("gpt2_lm")
    ids = given["ids"][:1]
    forward = jax.jit(model.apply)
    plain, changed = forward(model.params, ids), forward(model.params, ids ^ (np.arange(9) == 6))
    assert (ids[0, 6] ^ 1) != ids[0, 6]
    np.testing.assert_array_equal(plain.logits[:, :6], changed.logits[:, :6])
    assert float(jnp.abs(plain.logits[:, 6:] - changed.logits[:, 6:]).max()) > 0.01


def test_the_class_is_read_at_the_last_token_wherever_padding_is(classifier):
    ids = np.array([[7, 3, 9, 12]], np.int32)
    right, left = (np.pad(ids, [(0, 0), side], constant_values=1) for side in ((0, 2), (2, 0)))
    forward = jax.jit(classifier.apply)
    expected = forward(classifier.params, ids).logits
    found = forward(classifier.params, right, (right != 1).astype(np.int32)).logits
    np.testing.assert_allclose(found, expected, atol=1e-5)
    mask = (left != 1).astype(np.int32)
    positions = np.maximum(mask.cumsum(axis=1) - 1, 0).astype(np.int32)
    padded = forward(classifier.params, left, mask, position_ids=positions)
    np.testing.assert_allclose(padded.logits, expected, atol=1e-5)
    assert np.isfinite(padded.attentions).all()
    # From embeddings, where no token says what is padding, the mask does.
    words = classifier.apply.embed(classifier.params, right)
    embedded = jax.jit(classifier.apply)(
        classifier.params, None, (right != 1).astype(np.int32), inputs_embeds=words
    )
    np.testing.assert_allclose(embedded.logits, expected, atol=1e-5)


def test_without_a_padding_token_the_mask_tells_the_last_token(classifier):
    config = dataclasses.replace(classifier.config, pad_token_id=None)
    ids = np.array([[7, 3, 9, 12], [7, 3, 5, 5]], np.int32)
    mask = np.array([[1, 1, 1, 1], [1, 1, 0, 0]], np.int32)
    found = Forward(config)(classifier.params, ids, mask).logits
    alone = Forward(config)(classifier.params, ids[1:, :2]).logits
    np.testing.assert_allclose(found[1:], alone, atol=1e-5)


@pytest.mark.parametrize("pad_token_id", [None, 1, 28])
def test_the_class_is_read_at_a_token_that_the_mask_shows(classifier, pad_token_id):
    forward = jax.jit(Forward(dataclasses.replace(classifier.config, pad_token_id=pad_token_id)))
    ids = np.array([[7, 3, 9, 12]], np.int32)
    expected = forward(classifier.params, ids).logits
    for filler in (0, 1, 5, 28):
        filled = np.pad(ids, [(0, 0), (0, 3)], constant_values=filler)
        mask = np.array([[1, 1, 1, 1, 0, 0, 0]], np.int32)
        found = forward(classifier.params, filled, mask).logits
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_token_types_are_tokens():
    model = load_pretrained(GOLDENS / "gpt2_none")
    ids = np.array([[7, 3, 9]], np.int32)
    types = np.array([[2, 2, 4]], np.int32)
    found = jax.jit(model.apply)(model.params, ids, token_type_ids=types)
    words = model.apply.embed(model.params, ids) + model.apply.embed(model.params, types)
    expected = jax.jit(model.apply)(model.params, inputs_embeds=words)
    np.testing.assert_allclose(found.hidden_states, expected.hidden_states, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_bfloat16_stays_close(case):
    given = golden(case)
    half = load_pretrained(GOLDENS / case, dtype=jnp.bfloat16)
    found = jax.jit(half.apply)(half.params, given["ids"], given["mask"])
    assert found.attentions.dtype == jnp.float32
    real = given["mask"] > 0
    off = np.abs(np.asarray(found.hidden_states, np.float32) - given["hidden_states"])[:, real]
    assert off.mean() < 0.03
    assert np.abs(found.attentions - given["attentions"]).max() < 0.1


def test_gradients_reach_every_parameter(classifier):
    given = golden("gpt2_sequence_classification")

    def loss(params):
        logits = classifier.apply(params, given["ids"], given["mask"]).logits
        return -jax.nn.log_softmax(logits)[:, 0].sum()

    gradients = jax.jit(jax.grad(loss))(classifier.params)
    assert all(
        np.isfinite(leaf).all() and np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(gradients)
    )


def test_dropout_only_with_a_key():
    config = GPT2Config(11, 8, 2, 2, 16, 6, head="lm")
    params = init_params(jax.random.key(0), config)
    ids = np.array([[1, 2, 3]], np.int32)
    forward = jax.jit(Forward(config))
    plain, dropped = forward(params, ids), forward(params, ids, dropout_key=jax.random.key(1))
    assert (plain.hidden_states[0] != 0).all()
    assert (dropped.hidden_states[0] == 0).any()
    np.testing.assert_allclose(dropped.attentions.sum(-1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_heads": 3}, "multiple of n_heads=3"),
        ({"head": "masked_lm"}, "head='masked_lm' is not known"),
        ({"head": "sequence_classification"}, "n_labels=0"),
        ({"activation": "swish"}, "activation='swish'"),
    ],
)
def test_bad_configurations(change, message):
    with pytest.raises(InputError, match=message):
        dataclasses.replace(GPT2Config(11, 8, 1, 2, 16, 5), **change)
