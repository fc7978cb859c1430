"""Codes and other computations are refused; what training tools rename or wrap is read."""

import json
import shutil
import struct
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from test_loading import reconfigure, rewrite, same
from test_loading_bin import archive, tensor

from jaxcause import InputError
from jaxcause.models import load_pretrained
from jaxcause.models._families import FAMILIES
from jaxcause.models._rules import entries

GOLDENS = Path(__file__).parent / "goldens"
CASES = sorted(path.parent.name for path in GOLDENS.glob("*/model.safetensors"))
INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bool")
SMALL = {
    "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "F8_E5M2": ml_dtypes.float8_e5m2,
    "F8_E8M0": ml_dtypes.float8_e8m0fnu,
}


def copied(case, tmp_path):
    return Path(shutil.copytree(GOLDENS / case, tmp_path / case))


def refused(folder, *parts):
    with pytest.raises(InputError) as raised:
        load_pretrained(folder)
    message = str(raised.value)
    assert "\n" not in message
    for part in parts:
        assert part in message


def write_by_hand(path, weights, codes):
    """A safetensors file some of whose arrays have dtypes that its own library cannot write."""
    header, data = {}, b""
    for name, array in weights.items():
        dtype = codes.get(name, "F32")
        raw = np.ascontiguousarray(array).tobytes()
        span = [len(data), len(data) + len(raw)]
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": span}
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_in_the_place_of_any_weight_are_refused(case, dtype, tmp_path):
    folder = copied(case, tmp_path)
    model = load_pretrained(folder)
    layout = FAMILIES[model.architecture].layout(model.architecture, model.config)
    weights = load_file(folder / "model.safetensors")
    used = {entry.key for entry in entries(layout)}
    for name in weights:
        if name.removeprefix(layout.prefix) not in used:
            continue
        changed = weights | {name: np.zeros(weights[name].shape, dtype)}
        save_file(changed, folder / "model.safetensors", metadata={"format": "pt"})
        refused(folder, f"the weight {name} in ", f"holds {dtype}: codes of quantised numbers")


@pytest.mark.parametrize("code", SMALL)
@pytest.mark.parametrize("case", CASES)
def test_floats_of_8_bits_in_the_place_of_any_weight_are_refused(case, code, tmp_path):
    folder = copied(case, tmp_path)
    weights = load_file(folder / "model.safetensors")
    for name, array in weights.items():
        small = np.abs(array).astype(SMALL[code])
        write_by_hand(folder / "model.safetensors", weights | {name: small}, {name: code})
        refused(folder, f"the weight {name} in ", f"holds {code}: codes of quantised numbers")


def test_how_many_more_are_coded(tmp_path):
    folder = copied("bert_masked_lm", tmp_path)

    def quantise(weights):
        for name in list(weights):
            if name.endswith("query.weight"):
                weights[name] = np.round(127 * weights[name]).astype(np.int8)

    rewrite(folder, quantise)
    refused(folder, "layer.0.attention.self.query.weight", "holds int8 (1 more are like it)")


@pytest.mark.parametrize(("kind", "size"), [("CharStorage", 1), ("LongStorage", 8)])
def test_integers_of_pytorch_are_refused(kind, size, tmp_path):
    from test_loading_bin import Global

    folder = copied("bert_masked_lm", tmp_path)
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    name = "bert.encoder.layer.0.output.dense.bias"
    content, storages = as_pickled(weights)
    content[name] = tensor("q", 8, 0, (8,), (1,), Global("torch", kind))
    archive(folder / "pytorch_model.bin", content, storages | {"q": bytes(8 * size)})
    refused(folder, f"the weight {name} in ", "holds int")


def as_pickled(weights):
    content, storages = {}, {}
    for k, (name, array) in enumerate(weights.items()):
        steps = tuple(step // 4 for step in np.ascontiguousarray(array).strides)
        content[name] = tensor(str(k), array.size, 0, array.shape, steps)
        storages[str(k)] = np.ascontiguousarray(array).tobytes()
    return content, storages


@pytest.mark.parametrize("within", ["state_dict", "model_state_dict", "model", None])
def test_the_tensors_of_a_checkpoint_are_found(within, tmp_path):
    folder = copied("bert_masked_lm", tmp_path)
    whole = load_pretrained(folder)
    content, storages = as_pickled(load_file(folder / "model.safetensors"))
    (folder / "model.safetensors").unlink()
    content = content if within is None else {"epoch": 3, within: content, "step": "last"}
    archive(folder / "pytorch_model.bin", content, storages)
    same(load_pretrained(folder).params, whole.params)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    "left",
    ["module.", "_orig_mod.", "model.", "module._orig_mod.", "_orig_mod.module.", "module.model."],
)
def test_prefixes_of_training_tools_are_read_over(case, left, tmp_path):
    folder = copied(case, tmp_path)
    whole = load_pretrained(folder)

    def rename(weights):
        for name in list(weights):
            weights[left + name] = weights.pop(name)

    rewrite(folder, rename)
    same(load_pretrained(folder).params, whole.params)


def test_a_compiled_part_of_a_model(tmp_path):
    folder = copied("bert_masked_lm", tmp_path)
    whole = load_pretrained(folder)

    def rename(weights):
        for name in list(weights):
            new = name.replace("bert.encoder.", "bert.encoder._orig_mod.")
            weights[new] = weights.pop(name)

    rewrite(folder, rename)
    same(load_pretrained(folder).params, whole.params)


def test_one_weight_under_two_names_must_agree(tmp_path):
    folder = copied("bert_none", tmp_path)
    name = "embeddings.word_embeddings.weight"
    rewrite(folder, lambda weights: weights.update({f"module.{name}": weights[name] + 1}))
    refused(folder, "1 unlike the weights", f"module.{name}")


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, "quantised (gptq)"),
        ({"quantization_config": {"load_in_8bit": True}}, "says that the weights are quantised;"),
        ({"auto_map": {"AutoModelForMaskedLM": "own.JinaBert"}}, "by code of its own"),
        ({"architectures": ["JinaBertForMaskedLM"]}, "architectures='JinaBertForMaskedLM'"),
        ({"architectures": ["BertGenerationEncoder"]}, "is no bert of transformers"),
        ({"architectures": ["RobertaForMaskedLM"]}, "is no bert of transformers"),
        ({"architectures": {"0": "BertForMaskedLM"}}, "must be a list of names"),
        ({"use_alibi": True}, "use_alibi='True'"),
        ({"rotary_value": True}, "changes what the model computes"),
        ({"relative_attention": True}, "relative_attention"),
        ({"adapters": {"adapters": {"a": "b"}}}, "adapters can be merged"),
        ({"num_experts": 4}, "num_experts"),
        ({"is_encoder_decoder": True}, "is_encoder_decoder=True"),
        ({"is_decoder": True}, "is_decoder=True"),
        ({"position_embedding_type": "alibi"}, "position_embedding_type='alibi'"),
        ({"pruned_heads": {"0": [1]}}, "pruned_heads"),
    ],
)
@pytest.mark.parametrize("head", ["auto", None])
def test_variants_that_compute_something_else_are_refused(tmp_path, changes, part, head):
    folder = copied("bert_masked_lm", tmp_path)
    reconfigure(folder, **changes)
    with pytest.raises(InputError) as raised:
        load_pretrained(folder, head=head)
    assert part in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"auto_map": {"AutoTokenizer": ["own.Tokeniser", None]}},
        {"quantization_config": None},
        {"relative_attention": False, "use_alibi": False, "adapters": {}},
        {"properties": 1, "gradient_checkpointing": True, "task_specific_params": {"a": 1}},
    ],
)
def test_options_that_change_nothing_are_no_obstacle(tmp_path, changes):
    folder = copied("bert_masked_lm", tmp_path)
    whole = load_pretrained(folder)
    reconfigure(folder, **changes)
    same(load_pretrained(folder).params, whole.params)


def test_an_adapter_beside_the_weights_is_refused(tmp_path):
    folder = copied("gpt2_lm", tmp_path)
    (folder / "adapter_config.json").write_text("{}")
    refused(folder, "holds an adapter", "merge_and_unload()")
