"""Files of models: complete, sharded, old, damaged, absent."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from jaxcause import InputError
from jaxcause.models import load_pretrained, save_pretrained
from jaxcause.models._families import FAMILIES
from jaxcause.models._functional import expected, flatten
from jaxcause.models._rules import entries

GOLDENS = Path(__file__).parent / "goldens"
CASES = sorted(path.parent.name for path in GOLDENS.glob("*/model.safetensors"))


@pytest.fixture
def folder(tmp_path):
    """A copy of a masked-LM BERT, to be damaged."""
    return Path(shutil.copytree(GOLDENS / "bert_masked_lm", tmp_path / "model"))


def rewrite(folder, change):
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def reconfigure(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def same(one, other):
    one, other = flatten(one), flatten(other)
    assert one.keys() == other.keys()
    for name in one:
        assert one[name].dtype == other[name].dtype
        np.testing.assert_array_equal(one[name], other[name])


# Tables


@pytest.mark.parametrize("case", CASES)
def test_every_parameter_has_one_stored_name(case):
    model = load_pretrained(GOLDENS / case)
    layout = FAMILIES[model.architecture].layout(model.architecture, model.config)
    table = [entry for entry in entries(layout) if not entry.alias]
    places = [entry.path for entry in table if entry.path in expected(model.config)]
    assert sorted(places) == sorted(expected(model.config))
    keys = [entry.key for entry in entries(layout)]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("case", CASES)
def test_saved_as_it_was_found(case, tmp_path):
    model = load_pretrained(GOLDENS / case)
    save_pretrained(model, tmp_path)
    ours, theirs = (load_file(at / "model.safetensors") for at in (tmp_path, GOLDENS / case))
    unread = set(theirs) - set(ours)
    # A pooler without a classifier computes nothing that comes out.
    assert all("pooler" in name for name in unread)
    assert set(ours) <= set(theirs)
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name])
    again = load_pretrained(tmp_path)
    assert (again.config, again.label_names) == (model.config, model.label_names)
    same(again.params, model.params)


def test_saving_in_bfloat16(tmp_path):
    model = load_pretrained(GOLDENS / "roberta_masked_lm", param_dtype=jnp.bfloat16)
    save_pretrained(model, tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["dtype"] == "bfloat16"
    stored = load_file(tmp_path / "model.safetensors")
    assert {value.dtype for value in stored.values()} == {np.dtype(ml_dtypes.bfloat16)}
    same(load_pretrained(tmp_path, param_dtype=jnp.bfloat16).params, model.params)


def test_saving_other_parameters(folder, tmp_path):
    model = load_pretrained(folder)
    doubled = jax.tree.map(lambda leaf: 2 * leaf, model.params)
    save_pretrained(model, tmp_path / "new", params=doubled)
    same(load_pretrained(tmp_path / "new").params, doubled)
    wrong = {**model.params, "head": {**model.params["head"], "bias": np.zeros(3)}}
    with pytest.raises(InputError, match=r"differ from the model in cls\.predictions\.bias"):
        save_pretrained(model, tmp_path / "wrong", params=wrong)


# Kinds of files


def test_shards_with_an_index(folder):
    whole = load_pretrained(folder)
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(weights)
    parts = {"model-1-of-2.safetensors": names[::2], "model-2-of-2.safetensors": names[1::2]}
    for file, members in parts.items():
        save_file({name: weights[name] for name in members}, folder / file)
    index = {name: file for file, members in parts.items() for name in members}
    path = folder / "model.safetensors.index.json"
    path.write_text(json.dumps({"metadata": {}, "weight_map": index}))
    same(load_pretrained(folder).params, whole.params)
    path.write_text(json.dumps({"weight_map": index | {"ghost": "model-1-of-2.safetensors"}}))
    with pytest.raises(InputError, match="1 weights that .* in none of its files, such as ghost"):
        load_pretrained(folder)
    path.write_text(json.dumps({"weight_map": index | {"ghost": "../secret.safetensors"}}))
    with pytest.raises(InputError, match="not the name of a file beside it"):
        load_pretrained(folder)
    path.write_text(json.dumps({"weight_map": index}))
    (folder / "model-2-of-2.safetensors").unlink()
    with pytest.raises(InputError, match=r"model-2-of-2\.safetensors, which .* is absent"):
        load_pretrained(folder)
    path.write_text("{")
    with pytest.raises(InputError, match="is not JSON"):
        load_pretrained(folder)


def test_damaged_safetensors(folder):
    path = folder / "model.safetensors"
    whole = path.read_bytes()
    for length in (0, 5, 200, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match="cannot be read as safetensors"):
            load_pretrained(folder)
    path.write_bytes(b"\xff" * 8 + whole[8:])
    with pytest.raises(InputError, match="cannot be read as safetensors"):
        load_pretrained(folder)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float64])
def test_weights_in_other_precisions(folder, dtype):
    whole = load_pretrained(folder)

    def lower(weights):
        for name in weights:
            weights[name] = weights[name].astype(dtype)

    rewrite(folder, lower)
    found = flatten(load_pretrained(folder).params)
    for name, value in flatten(whole.params).items():
        assert found[name].dtype == jnp.float32
        np.testing.assert_array_equal(found[name], np.asarray(value).astype(dtype))


# Names


def test_old_names_no_prefix_and_buffers(folder):
    whole = load_pretrained(folder)

    def older(weights):
        for name in list(weights):
            value, new = weights.pop(name), name.removeprefix("bert.")
            if "LayerNorm" in new:
                new = new.replace(".weight", ".gamma").replace(".bias", ".beta")
            weights[new] = value
        table = weights["embeddings.word_embeddings.weight"]
        weights["cls.predictions.decoder.weight"] = table.copy()
        weights["cls.predictions.decoder.bias"] = weights["cls.predictions.bias"].copy()
        weights["cls.seq_relationship.weight"] = np.zeros((2, 8), np.float32)
        weights["embeddings.position_ids"] = np.arange(11)[None]

    rewrite(folder, older)
    same(load_pretrained(folder).params, whole.params)


def test_gpt2_buffers_are_not_its_biases(tmp_path):
    folder = Path(shutil.copytree(GOLDENS / "gpt2_lm", tmp_path / "model"))
    whole = load_pretrained(folder)

    def older(weights):
        for name in list(weights):
            weights[name.removeprefix("transformer.")] = weights.pop(name)
        for layer in range(2):
            weights[f"h.{layer}.attn.bias"] = np.tri(11, dtype=bool)[None, None]
            weights[f"h.{layer}.attn.masked_bias"] = np.array(-1e4, np.float32)

    rewrite(folder, older)
    same(load_pretrained(folder).params, whole.params)
    rewrite(folder, lambda weights: weights.pop("h.1.attn.c_attn.bias"))
    with pytest.raises(InputError, match=r"1 missing: transformer\.h\.1\.attn\.c_attn\.bias"):
        load_pretrained(folder)


def test_all_trouble_with_names_is_told_at_once(folder):
    def break_it(weights):
        del weights["bert.encoder.layer.1.output.dense.bias"]
        del weights["cls.predictions.transform.dense.weight"]
        weights["bert.encoder.layer.2.output.dense.bias"] = np.zeros(8, np.float32)
        weights["cls.predictions.typo"] = np.zeros(8, np.float32)
        weights["bert.encoder.layer.0.output.dense.weight"] = np.zeros((12, 8), np.float32)
        weights["cls.predictions.decoder.weight"] = np.zeros((29, 8), np.float32)

    rewrite(folder, break_it)
    with pytest.raises(InputError) as raised:
        load_pretrained(folder)
    message = str(raised.value)
    assert "\n" not in message
    for part in (
        "2 not known to this architecture: bert.encoder.layer.2.output.dense.bias, "
        "cls.predictions.typo",
        "1 of a wrong shape: bert.encoder.layer.0.output.dense.weight (12, 8), needed (8, 12)",
        "1 unlike the weights that config.json ties them to: cls.predictions.decoder.weight",
        "2 missing: ",
        "bert.encoder.layer.1.output.dense.bias",
        "cls.predictions.transform.dense.weight",
    ):
        assert part in message


def test_long_listings_are_cut(folder):
    def rename(weights):
        for name in list(weights):
            weights["other." + name] = weights.pop(name)

    rewrite(folder, rename)
    with pytest.raises(InputError, match=r"not known .* and \d+ more; .* missing: .* more"):
        load_pretrained(folder)


def test_an_untied_decoder(folder):
    other = np.random.default_rng(0).normal(size=(29, 8)).astype(np.float32)
    bias = np.arange(29, dtype=np.float32)
    own = {"cls.predictions.decoder.weight": other, "cls.predictions.decoder.bias": bias}
    rewrite(folder, lambda weights: weights.update(own))
    reconfigure(folder, tie_word_embeddings=False)
    model = load_pretrained(folder)
    np.testing.assert_array_equal(model.params["head"]["decoder"]["embedding"], other)
    np.testing.assert_array_equal(model.params["head"]["bias"], bias)
    answers = np.load(GOLDENS / "bert_masked_lm" / "expected.npz")
    found = jax.jit(model.apply)(model.params, answers["ids"], answers["mask"])
    np.testing.assert_allclose(found.attentions, answers["attentions"], atol=1e-5)
    assert np.abs(found.logits - answers["logits"]).max() > 1


# Heads


@pytest.mark.parametrize("case", ["bert_masked_lm", "roberta_sequence_classification", "gpt2_lm"])
def test_a_head_may_be_left_out(case):
    answers = np.load(GOLDENS / case / "expected.npz")
    model = load_pretrained(GOLDENS / case, head=None)
    found = jax.jit(model.apply)(model.params, answers["ids"], answers["mask"])
    assert found.logits is None
    np.testing.assert_allclose(found.hidden_states, answers["hidden_states"], atol=2e-5)


@pytest.mark.parametrize("architecture", ["bert", "roberta", "distilbert", "gpt2"])
def test_a_new_head_on_a_model_without_one(architecture, tmp_path):
    folder = GOLDENS / f"{architecture}_none"
    with pytest.raises(InputError, match=r"missing: .*; for a new head, pass allow_new_head=True"):
        load_pretrained(folder, head="sequence_classification")
    with pytest.raises(InputError, match="pass allow_new_head=True, n_labels and key"):
        load_pretrained(folder, head="sequence_classification", allow_new_head=True)

    def load(seed):
        return load_pretrained(
            folder,
            head="sequence_classification",
            allow_new_head=True,
            n_labels=5,
            key=jax.random.key(seed),
        )

    model = load(0)
    assert model.label_names == tuple(f"LABEL_{i}" for i in range(5))
    ids = np.array([[4, 5, 6], [7, 8, 9]], np.int32)
    found = jax.jit(model.apply)(model.params, ids)
    assert found.logits.shape == (2, 5)
    same(load(0).params, model.params)
    assert (load(1).apply(load(1).params, ids).logits != found.logits).all()
    save_pretrained(model, tmp_path)
    again = load_pretrained(tmp_path)
    assert (again.head, again.label_names) == (model.head, model.label_names)
    same(again.params, model.params)


def test_a_new_head_does_not_hide_missing_layers(tmp_path):
    folder = Path(shutil.copytree(GOLDENS / "bert_none", tmp_path / "model"))
    rewrite(folder, lambda weights: weights.pop("encoder.layer.0.output.dense.bias"))
    with pytest.raises(InputError, match=r"encoder\.layer\.0\.output\.dense\.bias"):
        load_pretrained(
            folder,
            head="sequence_classification",
            allow_new_head=True,
            n_labels=2,
            key=jax.random.key(0),
        )


def test_names_of_labels():
    model = load_pretrained(GOLDENS / "distilbert_sequence_classification")
    assert model.label_names == ("LABEL_0", "LABEL_1", "LABEL_2", "LABEL_3")


# Bad input


def test_what_is_absent(folder, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match=r"empty has no config\.json"):
        load_pretrained(empty)
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"has no weights; it needs one of model\.safetensors"):
        load_pretrained(folder)
    with pytest.raises(InputError, match="is a file; give the folder"):
        load_pretrained(folder / "config.json")
    with pytest.raises(InputError, match="is no folder"):
        load_pretrained(tmp_path / "nowhere")
    with pytest.raises(InputError, match="revision='v1' is for models of the hub"):
        load_pretrained(folder, revision="v1")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "t5"}, "'t5' .* choose a model of bert, roberta, distilbert, gpt2"),
        ({"model_type": None}, "model_type=None"),
        ({"is_decoder": True}, "is_decoder=True in config.json is not supported"),
        ({"add_cross_attention": True}, "add_cross_attention=True"),
        ({"position_embedding_type": "relative_key"}, "'relative_key' .* only 'absolute' is"),
        ({"hidden_act": "silu"}, "activation='silu' is not known; choose one of gelu, gelu_new"),
        ({"num_attention_heads": 3}, "hidden_size=8 must be a multiple of n_heads=3"),
        ({"vocab_size": "many"}, "is not valid"),
        ({"architectures": ["BertForTokenClassification"]}, "pass head=None"),
        ({"num_hidden_layers": 3}, "16 missing"),
        ({"num_hidden_layers": 1}, "16 not known"),
    ],
)
def test_configurations_that_are_not_built(folder, changes, message):
    reconfigure(folder, **changes)
    with pytest.raises(InputError, match=message):
        load_pretrained(folder)


def test_a_config_that_is_no_json(folder):
    (folder / "config.json").write_text("{ no")
    with pytest.raises(InputError, match="is not JSON"):
        load_pretrained(folder)
    (folder / "config.json").write_text("[]")
    with pytest.raises(InputError, match="holds a list, not an object"):
        load_pretrained(folder)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"head": "lm"},
            "head='lm' does not exist for bert; choose auto, None or one of masked_lm",
        ),
        ({"dtype": jnp.float16}, "dtype=float16 is not supported; choose float32 or bfloat16"),
        ({"param_dtype": jnp.int8}, "param_dtype=int8"),
    ],
)
def test_bad_options(folder, options, message):
    with pytest.raises(InputError, match=message):
        load_pretrained(folder, **options)


def test_importing_the_models_loads_neither_transformers_nor_torch():
    code = (
        "import sys, jaxcause.models\n"
        "print([n for n in ('transformers', 'torch', 'huggingface_hub') if n in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_loading_prints_nothing():
    folder = str(GOLDENS / "bert_none")
    code = f"from jaxcause.models import load_pretrained as load; load({folder!r})"
    given = {k: v for k, v in os.environ.items() if k != "TRANSFORMERS_NO_ADVISORY_WARNINGS"}
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=given
    )
    assert (ran.stdout, ran.stderr) == ("", "")
