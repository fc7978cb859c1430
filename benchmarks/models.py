"""A forward pass of the size of BERT-base, beside PyTorch's eager one in the same process."""

import tempfile
import time

import jax
import numpy as np

from jaxcause.models import load_pretrained

BATCHES = (1, 8)


def run(*, tokens: int = 128, layers: int = 12, repeat: int = 15) -> list[dict]:
    """One row per batch size."""
    return [
        measure(batch, tokens=tokens, layers=layers, repeat=repeat if batch == 1 else repeat // 2)
        for batch in BATCHES
    ]


def measure(batch: int, *, tokens: int = 128, layers: int = 12, repeat: int = 15) -> dict:
    """Least seconds of calls that take turns; both return every attention and hidden state."""
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    config = BertConfig(num_hidden_layers=layers, attn_implementation="eager")
    theirs = BertModel(config).eval()
    with tempfile.TemporaryDirectory() as folder:
        theirs.save_pretrained(folder)
        began = time.perf_counter()
        ours = load_pretrained(folder)
        loading = time.perf_counter() - began
    ids = np.random.default_rng(0).integers(0, 30_000, (batch, tokens)).astype(np.int32)
    mask = np.ones_like(ids)
    tensors = {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask)}
    forward = jax.jit(ours.apply)

    def in_torch():
        with torch.no_grad():
            return theirs(**tensors, output_attentions=True, output_hidden_states=True)

    def in_jax():
        return jax.block_until_ready(forward(ours.params, ids, mask))

    began = time.perf_counter()
    found = in_jax()
    first = time.perf_counter() - began
    expected = in_torch()
    attentions = torch.stack(expected.attentions).numpy()
    states = torch.stack(expected.hidden_states).numpy()
    calls = {"torch eager": in_torch, "jaxcause": in_jax}
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeat):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - began)
    best = {name: min(times) for name, times in seconds.items()}
    return {
        "model": f"BERT-base, {layers} layers, float32",
        "batch": batch,
        "tokens": tokens,
        "seconds": best["jaxcause"],
        "seconds torch eager": best["torch eager"],
        "ratio": best["jaxcause"] / best["torch eager"],
        "attentions differ by": float(np.abs(found.attentions - attentions).max()),
        "hidden states differ by": float(np.abs(found.hidden_states - states).max()),
        "seconds to load": loading,
        "seconds of the first call": first,
    }
