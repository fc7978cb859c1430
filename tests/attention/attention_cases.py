"""Attention to test on."""

import numpy as np


def softmax_attention(seed, n, *, sharpness=2.0, graphs=(), causal=False):
    """Softmax of random logits."""
    logits = sharpness * np.random.default_rng(seed).normal(size=(*graphs, n, n))
    if causal:
        logits = np.where(np.tril(np.ones((n, n), bool)), logits, -np.inf)
    attention = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return attention / attention.sum(axis=-1, keepdims=True)
