import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxcause import InputError
from jaxcause.models import BERT4RecConfig, load_pretrained, new_bert4rec, save_pretrained

CONFIG = BERT4RecConfig(n_items=6, max_length=8, hidden_size=16, intermediate_size=32, dropout=0.1)


@pytest.fixture(scope="module")
def model():
    return new_bert4rec(CONFIG, key=jax.random.key(0))


@pytest.fixture(scope="module")
def bold():
    """Weights large enough for attention to be far from uniform."""
    model = new_bert4rec(dataclasses.replace(CONFIG, initializer_range=0.5), key=jax.random.key(1))
    noise = 0.5 * jax.random.normal(jax.random.key(2), (8,), jnp.float32)
    head = {**model.params["head"], "bias": noise}
    return dataclasses.replace(model, params={**model.params, "head": head})


def test_sizes(model):
    assert (model.architecture, model.head) == ("bert4rec", "masked_lm")
    assert (model.max_length, model.hidden_size, model.n_layers) == (8, 16, 2)
    assert (CONFIG.pad_id, CONFIG.mask_id) == (0, 7)
    assert model.params["embeddings"]["words"]["embedding"].shape == (8, 16)
    assert "types" not in model.params["embeddings"]


def test_padding_on_the_left_of_any_width_changes_nothing(bold):
    session = np.array([[3, 5, 2, CONFIG.mask_id]], np.int32)
    forward = jax.jit(bold.apply)
    expected = forward(bold.params, session)
    for width in (1, 4):
        padded = np.pad(session, [(0, 0), (width, 0)])
        found = forward(bold.params, padded)
        np.testing.assert_allclose(found.logits[:, width:], expected.logits, atol=1e-5)
        inner = found.attentions[..., width:, width:]
        np.testing.assert_allclose(inner, expected.attentions, atol=1e-6)
        assert (found.attentions[..., :width] == 0).all()


def test_what_the_mask_hides_moves_no_position(bold):
    session = np.array([[3, 5, 2, CONFIG.mask_id]], np.int32)
    forward = jax.jit(bold.apply)
    expected = forward(bold.params, session).logits
    for filler in (0, 4, CONFIG.mask_id):
        padded = np.pad(session, [(0, 0), (0, 3)], constant_values=filler)
        mask = np.array([[1, 1, 1, 1, 0, 0, 0]], np.int32)
        found = forward(bold.params, padded, mask).logits[:, :4]
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_positions_count_back_from_the_newest(bold):
    session = np.array([[3, 5, 2, 7]], np.int32)
    positions = np.array([[3, 2, 1, 0]], np.int32)
    padded = np.pad(session, [(0, 0), (2, 0)])
    found = jax.jit(bold.apply)(bold.params, padded).hidden_states[0, :, 2:]
    expected = jax.jit(bold.apply)(bold.params, session, position_ids=positions).hidden_states[0]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    other = jax.jit(bold.apply)(
        bold.params, session[:, ::-1], position_ids=positions
    ).hidden_states[0]
    assert np.abs(found - other).max() > 0.1


def test_items_see_later_items(bold):
    changed = jax.jit(bold.apply)(bold.params, np.array([[3, 5, 4, 7]], np.int32)).logits[0, 0]
    plain = jax.jit(bold.apply)(bold.params, np.array([[3, 5, 2, 7]], np.int32)).logits[0, 0]
    assert np.abs(changed - plain)[1:7].max() > 0.01


def test_the_head_shares_the_items_and_never_asks_or_pads(bold):
    found = jax.jit(bold.apply)(bold.params, np.array([[3, 5, 2, 7]], np.int32))
    head = jax.tree.map(np.asarray, bold.params["head"])
    x = np.asarray(found.hidden_states[-1]) @ head["dense"]["kernel"] + head["dense"]["bias"]
    x = np.asarray(jax.nn.gelu(x, approximate=False))
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-12)
    x = x * head["norm"]["scale"] + head["norm"]["bias"]
    expected = x @ np.asarray(bold.params["embeddings"]["words"]["embedding"]).T + head["bias"]
    np.testing.assert_allclose(found.logits[..., 1:7], expected[..., 1:7], atol=2e-5)
    assert (found.logits[..., [0, 7]] == -1e9).all()


def test_it_learns_what_comes_next():
    model = new_bert4rec(dataclasses.replace(CONFIG, n_layers=1), key=jax.random.key(0))
    # Sessions walk round a circle of six items, so the next item is the last one plus one.
    rng = np.random.default_rng(0)
    starts = rng.integers(0, 6, 64)
    walks = (starts[:, None] + np.arange(5)) % 6 + 1
    sessions = np.concatenate([walks[:, :4], np.full((64, 1), CONFIG.mask_id)], axis=1)
    sessions, answers = jnp.asarray(sessions, jnp.int32), jnp.asarray(walks[:, 4], jnp.int32)
    optimiser = optax.adam(1e-2)

    @jax.jit
    def step(params, state, key):
        def loss(params):
            logits = model.apply(params, sessions, dropout_key=key).logits[:, -1]
            return optax.softmax_cross_entropy_with_integer_labels(logits, answers).mean()

        value, gradients = jax.value_and_grad(loss)(params)
        updates, state = optimiser.update(gradients, state, params)
        return optax.apply_updates(params, updates), state, value

    params, state = model.params, optimiser.init(model.params)
    # optax needs the common promotion rules.
    with jax.numpy_dtype_promotion("standard"):
        for n in range(60):
            params, state, _ = step(params, state, jax.random.key(n))
    best = np.asarray(jax.jit(model.apply)(params, sessions).logits)[:, -1].argmax(axis=-1)
    assert (best == np.asarray(answers)).mean() > 0.98


def test_saved_and_loaded_bit_by_bit(bold, tmp_path):
    save_pretrained(bold, tmp_path / "model")
    raw = json.loads((tmp_path / "model" / "config.json").read_text())
    assert (raw["model_type"], raw["n_items"]) == ("bert4rec", 6)
    loaded = load_pretrained(tmp_path / "model")
    assert loaded.config == bold.config
    for ours, theirs in zip(
        jax.tree.leaves(loaded.params), jax.tree.leaves(bold.params), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    session = np.array([[0, 3, 5, 7]], np.int32)
    np.testing.assert_array_equal(
        jax.jit(loaded.apply)(loaded.params, session).logits,
        jax.jit(bold.apply)(bold.params, session).logits,
    )
    without = load_pretrained(tmp_path / "model", head=None)
    assert jax.jit(without.apply)(without.params, session).logits is None


def test_bfloat16(bold):
    half = new_bert4rec(CONFIG, key=jax.random.key(0), dtype=jnp.bfloat16, param_dtype=jnp.bfloat16)
    assert {leaf.dtype for leaf in jax.tree.leaves(half.params)} == {np.dtype(jnp.bfloat16)}
    found = jax.jit(half.apply)(half.params, np.array([[3, 7]], np.int32))
    assert np.isfinite(found.logits).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_items": 0}, "n_items=0"),
        ({"max_length": 0}, "max_length=0"),
        ({"n_heads": 3}, "multiple of n_heads=3"),
    ],
)
def test_bad_sizes(change, message):
    with pytest.raises(InputError, match=message):
        dataclasses.replace(CONFIG, **change)


def test_sessions_that_are_too_long(model):
    with pytest.raises(InputError, match="9 tokens are more than the 8"):
        model.apply(model.params, np.ones((1, 9), np.int32))
